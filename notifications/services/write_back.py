"""Writes back to customers what providers say about numbers: dead ones are closed, opt-outs hold here too."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from customers.choices import ConsentSource
from customers.services import closing, consent
from notifications.models import ProviderAccount
from notifications.providers.base import Answer, Outcome
from notifications.providers.closing import Closing
from notifications.services import gateways

NO_CODES: Mapping[str, Closing] = {}


def codes_of(account: ProviderAccount) -> Mapping[str, Closing]:
    """The codes by which an account's provider says that a number is dead or opted out."""
    return getattr(gateways.reader(account), "closing_codes", NO_CODES)


def refusals(told: Iterable[tuple[str, Answer]]) -> list[tuple[str, str]]:
    """Of numbers and answers those that refuse the very number, as numbers and codes."""
    return [
        (number, answer.code)
        for number, answer in told
        if answer.outcome == Outcome.REFUSED_NUMBER and not answer.is_for_all
    ]


def close(
    channel: str, told: Sequence[tuple[str, str]], codes: Mapping[str, Closing], *, now: datetime
) -> Counter[str]:
    """
    Close numbers by what a provider's codes say of them; answers how many permissions and numbers that changed.

    `told` are numbers and codes. Takes the consent gate where a code says that somebody opted out: call it
    with no lock in hand that somebody needs who hands messages over.
    """
    kinds: dict[Closing, dict[str, list[str]]] = {}
    for number, code in told:
        if number and code in codes:
            kinds.setdefault(codes[code], {}).setdefault(code, []).append(number)
    changed: Counter[str] = Counter()
    for code, numbers in kinds.get(Closing.OPTED_OUT, {}).items():
        changed[Closing.OPTED_OUT.value] += consent.withdraw_addresses(
            numbers, channel=channel, source=ConsentSource.PROVIDER, wording=code, now=now
        )
    if dead := [(number, code) for code, numbers in kinds.get(Closing.DEAD, {}).items() for number in numbers]:
        changed[Closing.DEAD.value] = closing.close_dead(channel, dead, now=now)
    return changed
