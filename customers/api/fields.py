"""The kinds of fields that bodies are made of."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from customers import phone
from customers.api.faults import SENTENCES, refuse
from customers.spreadsheets import cells

NO_EMAIL = _("This is not an e-mail address.")
FIRST_YEAR, LAST_YEAR = 2000, 2100


def words(longest: int, *, shortest: int = 0) -> Any:
    """A text of at most so many characters; blanks around it are taken off."""
    return Annotated[str, StringConstraints(max_length=longest, min_length=shortest)]


def _only_text(told: Any) -> Any:
    # A bare number would be taken for seconds since 1970, or for milliseconds, by its size.
    if isinstance(told, str | datetime):
        return told
    raise refuse(SENTENCES["datetime_type"])


def _of_our_time(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise refuse(_("Write a moment between 2000 and 2099."))
    return moment


def why_no_phone(told: str) -> str:
    """Why nobody can be texted at what was told, with a remedy; "" for a number, and for nothing."""
    reason = phone.normalize(told).reason if told else ""
    if reason in ("", "empty"):
        return ""
    problem, remedy = phone.REMEDIES[reason]
    return _("%(problem)s. %(remedy)s") % {"problem": _(problem), "remedy": _(remedy)}


def why_no_email(told: str) -> str:
    """Why nobody can be written to at what was told; "" for an address, and for nothing."""
    return str(NO_EMAIL) if told and cells.email(told)[1] else ""


def _phone(told: str) -> str:
    if words := why_no_phone(told):
        raise refuse(words)
    return phone.normalize(told).number or ""


def _email(told: str) -> str:
    if words := why_no_email(told):
        raise refuse(words)
    return cells.email(told)[0] if told else ""


def _no_flag(told: Any) -> Any:
    if isinstance(told, bool):
        raise refuse(SENTENCES["decimal_type"])
    return told


Moment = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_of_our_time)]
Amount = Annotated[Decimal, BeforeValidator(_no_flag), Field(ge=0, max_digits=12, decimal_places=2)]
Phone = Annotated[str, StringConstraints(max_length=60), AfterValidator(_phone)]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
