"""Every code that can stand in a row's reason or problems: what is wrong, and what to do about it."""

from django.utils.translation import gettext, gettext_noop

from customers import phone
from customers.spreadsheets import cells

REASONS: dict[str, tuple[str, str]] = {
    **cells.REASONS,
    **phone.REMEDIES,
    "number_taken": (
        gettext_noop("Another customer already has this customer number"),
        gettext_noop("The row was imported without it; correct it in the file, or on the other customer's page."),
    ),
    "duplicate": (gettext_noop("The same customer as in an earlier row"), gettext_noop("Delete one of the two rows.")),
}
UNKNOWN_REASON = (gettext_noop("Cannot be read"), gettext_noop("Correct the cell in the file and upload it again."))


def words(code: str) -> tuple[str, str]:
    """What a code means and what to do, in the reader's language."""
    problem, remedy = REASONS.get(code, UNKNOWN_REASON)
    return gettext(problem), gettext(remedy)
