"""First calls: an account whose keys no call has proven yet is tried with one call before there are several."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from customers.msgid import _
from notifications.providers.base import Answer, Outcome, Outgoing, Provider, RegisteredText
from notifications.providers.verdicts import Verdict, for_all

# So long the calls that waited for the first one take its refusal for theirs.
SECONDS = 5.0
# A call that a frozen or overloaded machine did not begin by then, counted from `called_at`, is not made any more.
BEGIN_WITHIN = 15.0
TOO_LATE: Verdict = (
    Outcome.REFUSED_LATER,
    "not_begun",
    _("The calls of this batch took too long; this message was not handed over and is tried again."),
)


@dataclass
class Proof:
    """What the calls of one adapter have shown so far."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    is_given: bool = False
    refusal: Answer | None = None
    refused_at: float = 0.0


_proofs: WeakKeyDictionary[Provider, Proof] = WeakKeyDictionary()


def send(
    provider: Provider,
    batch: Sequence[Outgoing],
    *,
    call_reference: str,
    registered: RegisteredText | None,
    begin_before: float,
) -> list[Answer]:
    """
    Hand a batch over; with wrong keys one call is made, and those that waited beside it get its answer.

    Sixteen calls with a wrong key look like an attack to a provider, and some close the account. A wrong
    key is refused at once, so the others wait only for a moment. No call begins after `begin_before` of
    the monotonic clock: whoever stopped or opted out since has been promised that nothing follows.
    """
    proof = _proofs.setdefault(provider, Proof())
    if not proof.is_given and proof.lock.acquire(timeout=SECONDS):
        try:
            if proof.refusal is not None and time.monotonic() - proof.refused_at < SECONDS:
                return [replace(proof.refusal, reference=outgoing.reference) for outgoing in batch]
            if not proof.is_given:
                answers = _send(provider, batch, call_reference, registered, begin_before)
                refused = next((a for a in answers if a.outcome == Outcome.REFUSED_ACCOUNT and a.is_for_all), None)
                proof.refusal, proof.refused_at = refused, time.monotonic()
                proof.is_given = refused is None
                return answers
        finally:
            proof.lock.release()
    return _send(provider, batch, call_reference, registered, begin_before)


def _send(
    provider: Provider,
    batch: Sequence[Outgoing],
    call_reference: str,
    registered: RegisteredText | None,
    begin_before: float,
) -> list[Answer]:
    if time.monotonic() >= begin_before:
        return for_all([outgoing.reference for outgoing in batch], TOO_LATE)
    return provider.send(batch, call_reference=call_reference, registered=registered)
