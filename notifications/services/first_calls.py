"""First calls: an account whose keys no call has proven yet is tried with one call before there are several."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from notifications.providers.base import Answer, Outcome, Outgoing, Provider, RegisteredText
from notifications.services.clearance import Clearance

# So long the calls that waited for the first one take its refusal for theirs.
SECONDS = 5.0
# A call that begins so much later than it was allowed asks once more.
STALE_AFTER = 1.0


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
    clearance: Clearance,
) -> list[Answer]:
    """
    Hand a batch over; with wrong keys one call is made, and those that waited beside it get its answer.

    Thirty calls with a wrong key look like an attack to a provider, and some close the account. A wrong
    key is refused at once, so the others wait only for a moment. A call that had to wait for long asks
    again who may still be written to: whoever stopped or opted out since was promised that nothing follows.
    """
    proof = _proofs.setdefault(provider, Proof())
    if not proof.is_given and proof.lock.acquire(timeout=SECONDS):
        try:
            if proof.refusal is not None and time.monotonic() - proof.refused_at < SECONDS:
                return [replace(proof.refusal, reference=outgoing.reference) for outgoing in batch]
            if not proof.is_given:
                answers = _send(provider, batch, call_reference, registered, clearance)
                refused = next((a for a in answers if a.outcome == Outcome.REFUSED_ACCOUNT and a.is_for_all), None)
                proof.refusal, proof.refused_at = refused, time.monotonic()
                # What was held back before its call proves nothing.
                proof.is_given = refused is None and any(a.outcome != Outcome.WITHHELD for a in answers)
                return answers
        finally:
            proof.lock.release()
    return _send(provider, batch, call_reference, registered, clearance)


def _send(
    provider: Provider,
    batch: Sequence[Outgoing],
    call_reference: str,
    registered: RegisteredText | None,
    clearance: Clearance,
) -> list[Answer]:
    if time.monotonic() < clearance.since + STALE_AFTER:
        return provider.send(batch, call_reference=call_reference, registered=registered, withheld=clearance.withheld)
    answers = {answer.reference: answer for answer in clearance.withheld(batch)}
    rest = [outgoing for outgoing in batch if outgoing.reference not in answers]
    if rest:
        sent = provider.send(rest, call_reference=call_reference, registered=registered, withheld=clearance.withheld)
        answers |= {answer.reference: answer for answer in sent}
    return [answers[outgoing.reference] for outgoing in batch]
