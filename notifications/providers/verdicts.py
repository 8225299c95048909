"""What a call as a whole means for its messages: the part that all adapters share."""

from collections.abc import Sequence

from customers.msgid import _
from notifications.providers.base import Answer, Outcome, RegistrationStatus
from notifications.providers.http import AnswerLost, CallFailed, NothingSent, RefusedAddress

# Outcome, code, words for staff.
Verdict = tuple[Outcome, str, str]

SERVER_ERROR = _("The gateway failed while answering; it may have taken the message.")
REDIRECT = _("The gateway pointed to another address, which we do not follow; it may have taken the message.")
UNREADABLE = _("The gateway's answer is not readable; it may have taken the message.")
CONTRADICTION = _("The gateway's answer contradicts itself; it may have taken the message.")
OUT_OF_TIME: Verdict = (
    Outcome.WITHHELD,
    "out_of_time",
    _("The calls of this batch took too long; this message was not handed over and is tried again."),
)

# What a refusal says of a text that was handed in for approval.
REFUSED_REGISTRATIONS = {
    Outcome.REFUSED_CONTENT: RegistrationStatus.REJECTED,
    Outcome.REFUSED_ACCOUNT: RegistrationStatus.NOT_HANDED_IN,
    Outcome.REFUSED_LATER: RegistrationStatus.NOT_HANDED_IN,
}

# What HTTP itself promises not to have processed. Everything else without a known code is unknown.
STATUSES = {
    401: (Outcome.REFUSED_ACCOUNT, _("The gateway does not accept the API key")),
    403: (Outcome.REFUSED_ACCOUNT, _("The gateway does not accept the API key")),
    404: (Outcome.REFUSED_ACCOUNT, _("The gateway has nothing at this address")),
    405: (Outcome.REFUSED_ACCOUNT, _("The gateway has nothing at this address")),
    410: (Outcome.REFUSED_ACCOUNT, _("The gateway has nothing at this address")),
    413: (Outcome.REFUSED_ACCOUNT, _("The gateway takes fewer numbers in one call")),
    415: (Outcome.REFUSED_ACCOUNT, _("The gateway takes no JSON at this address")),
    429: (Outcome.REFUSED_LATER, _("The gateway limits the rate; it is tried again")),
}


def for_all(references: Sequence[str], verdict: Verdict, provider_id: str = "") -> list[Answer]:
    """The same answer for every message of a call."""
    outcome, code, words = verdict
    return [Answer(reference, outcome, provider_id, code, words, is_for_all=True) for reference in references]


def verdict_of_failure(failure: CallFailed | RefusedAddress) -> Verdict:
    """What a call that brought no answer means for its messages."""
    match failure:
        case RefusedAddress():
            return Outcome.REFUSED_ACCOUNT, "address_refused", str(failure)
        case NothingSent():
            return Outcome.REFUSED_LATER, failure.code, failure.words
        case AnswerLost():
            return Outcome.UNKNOWN, failure.code, failure.words
    raise TypeError(failure)
