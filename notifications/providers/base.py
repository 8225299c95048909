"""What every message provider takes and gives back: plain values, no Django, no models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from customers.msgid import _


class Outcome(StrEnum):
    """What became of one message handed to a provider."""

    TAKEN = "taken"
    # Permanent for this number: it is never worth another try.
    REFUSED_NUMBER = "refused_number"
    # Text, template or signature: every further number would be refused too, so the message pauses.
    REFUSED_CONTENT = "refused_content"
    # Balance, key or address: every further message would be refused too, so the account pauses.
    REFUSED_ACCOUNT = "refused_account"
    # Certainly not taken, and worth another try after a pause.
    REFUSED_LATER = "refused_later"
    # May have been taken: a blind second try could reach the customer twice.
    UNKNOWN = "unknown"
    # Kept back by ourselves before its call: the provider was never asked.
    WITHHELD = "withheld"


@dataclass(slots=True)
class Outgoing:
    """
    One message on its way to a provider; `parameters` in the order of the registered text, if it has one.

    `number` is whatever the channel writes to. A letter has a subject, may have a formatted text, and a link to
    unsubscribe by where its class needs consent.
    """

    reference: str
    number: str
    text: str
    parameters: dict[str, str] | None = None
    subject: str = ""
    html: str = ""
    unsubscribe_url: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredText:
    """
    What a call of registered texts says: the provider's code of the text, and the signature without brackets.

    `names` are the parameters as the provider knows them, in the order of the text; empty where
    they are called as we call them.
    """

    code: str
    signature: str
    names: tuple[str, ...] = ()

    def named(self, parameters: dict[str, str]) -> dict[str, str]:
        """The parameters of a message under the provider's names."""
        return dict(zip(self.names, parameters.values(), strict=True)) if self.names else parameters


@dataclass(slots=True)
class Asked:
    """A message whose fate is asked for: our references, the provider's number if known, and when it was called."""

    reference: str
    call_reference: str
    number: str
    provider_id: str
    called_at: datetime


@dataclass(slots=True)
class Answer:
    """
    What the provider said about one message; `delivered` is known only from a query.

    `is_for_all` tells that the whole call was answered so, and no number in it is to blame. Messages
    of one batch with the same `part` above 0 are best tried again in a call of their own.
    """

    reference: str
    outcome: Outcome
    provider_id: str
    code: str
    words: str
    delivered: bool | None = None
    is_for_all: bool = False
    part: int = 0


@dataclass(slots=True)
class NotFound:
    """The provider definitely never took a message of this reference."""

    reference: str


@dataclass(slots=True)
class Report:
    """
    A delivery receipt; `at` is None when the provider gave no readable time.

    `reference` is ours of the message, or of the call where a provider knows only that; it is ""
    where only the provider's own number is given.
    """

    reference: str
    number: str
    delivered: bool
    code: str
    words: str
    at: datetime | None
    provider_id: str = ""


@dataclass(slots=True)
class Reply:
    """A text a customer sent back; `provider_id` and `signature` are "" where the provider gives none."""

    number: str
    text: str
    at: datetime | None
    provider_id: str = ""
    signature: str = ""


@dataclass(slots=True)
class Problem:
    """A part of a callback that could not be read, shortened, with the reason."""

    item: str
    words: str


class Reports(NamedTuple):
    """The readable receipts of one callback, and what could not be read."""

    reports: list[Report]
    problems: list[Problem]


class Replies(NamedTuple):
    """The readable replies of one callback, and what could not be read."""

    replies: list[Reply]
    problems: list[Problem]


class RegistrationStatus(StrEnum):
    """How far a text or a signature is with the provider."""

    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    # Withdrawn, expired or deleted there.
    GONE = "gone"
    # Certainly not taken, and not for the text's sake: the key, the balance, the rate.
    NOT_HANDED_IN = "not_handed_in"
    # The provider could not be asked, or answered something unknown: what was known before stays true.
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Registration:
    """
    What a provider says of one registered text or signature; `text` is "" where it does not show it.

    `refuses_account` tells that it did not get so far: the key or the account is refused.
    """

    code: str
    status: RegistrationStatus
    words: str
    text: str = ""
    refuses_account: bool = False


# Asked before each call of a batch but the first: answers for the messages that may not be handed over any more.
Withheld = Callable[[Sequence[Outgoing]], list[Answer]]


def nobody(_batch: Sequence[Outgoing]) -> list[Answer]:
    """Where nobody can stop a batch between its calls."""
    return []


class Provider(Protocol):
    """One account at one provider; safe to use from several threads at once."""

    batch_size: int
    # Whether it takes only texts that it has approved, by code and parameters.
    needs_registered_text: bool
    # Whether NotFound of its query is certain: where it is not, a doubtful message stays unknown.
    can_tell_not_found: bool
    # What a callback is answered with once it is stored, and the provider's check of the address too.
    acknowledgement: bytes

    def send(
        self,
        batch: Sequence[Outgoing],
        *,
        call_reference: str,
        registered: RegisteredText | None = None,
        withheld: Withheld = nobody,
    ) -> list[Answer]:
        """
        Hand over a batch and answer for each message, in the order of the batch.

        Where that takes several calls, `withheld` is asked before each one after the first, and only
        the others are handed over. Never raises for anything the network or the provider does. A
        second attempt at a refused message needs a call reference of its own.
        """

    def query(self, asked: Sequence[Asked]) -> list[Answer | NotFound]:
        """Ask what became of earlier messages; a failing query answers UNKNOWN, never NotFound."""

    def read_reports(self, body: bytes) -> Reports:
        """Read the receipts of one callback: the good half, and the bad half as problems."""

    def read_replies(self, body: bytes) -> Replies:
        """Read the replies of one callback: the good half, and the bad half as problems."""

    def close(self) -> None:
        """Close the connections kept open between calls."""


class Registry(Protocol):
    """The part of a provider that approves texts and signatures."""

    def placeholder(self, place: int, name: str) -> str:
        """How the provider writes the parameter at a place (from 1) of a text."""

    def register_text(self, *, name: str, text: str, purpose: str, signature: str, remark: str) -> Registration:
        """Hand a text in for approval; `purpose` is marketing or notice. REJECTED with words where it is refused."""

    def registered_texts(self, codes: Sequence[str]) -> list[Registration]:
        """How far each text is, in the order of the codes."""

    def registered_signature(self, name: str) -> Registration:
        """How far a signature is; its code is its name."""


UNKNOWN_CODE = _("unknown code %s")
_UNKNOWN_CODE_START = UNKNOWN_CODE.removesuffix("%s")


def unknown_code(code: str, provider_words: str = "") -> str:
    """Words for a code that no table knows, with what the provider said about it."""
    return UNKNOWN_CODE % (f"{code}: {provider_words}" if provider_words else code)


def spoken(words: str, *, gettext: Callable[[str], str]) -> str:
    """Words of an answer, report or problem in the reader's language."""
    if words.startswith(_UNKNOWN_CODE_START):
        return gettext(UNKNOWN_CODE) % words.removeprefix(_UNKNOWN_CODE_START)
    # The gettext of an empty string is the header of the catalog.
    return gettext(words) if words else ""
