"""Rests: what waits when a provider refused a whole call for now, and until when."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from notifications.models import AccountGauge, ProviderAccount
from notifications.providers.base import Answer, Outcome
from notifications.providers.resting import Rest, ends_at
from notifications.services import gateways

# So long a whole message waits for a gateway that is away or took none of a call.
BREATH = timedelta(seconds=5)


def begin(account: ProviderAccount, answers: Iterable[Answer], *, now: datetime) -> datetime | None:
    """
    When the message of these answers may try again; None where no whole call was put off.

    Where the limit is the account's own, the account rests instead: the message waits for a breath,
    and goes out over another one if there is any.
    """
    codes = {answer.code for answer in answers if answer.outcome == Outcome.REFUSED_LATER and answer.is_for_all}
    if not codes:
        return None
    known = getattr(gateways.reader(account), "resting_codes", {})
    rests = {known[code] for code in codes if code in known}
    if Rest.ACCOUNT in rests:
        until = ends_at(Rest.ACCOUNT, now=now)
        AccountGauge.objects.update_or_create(account=account, defaults={"rests_until": until})
    if Rest.MARKETING_HOURS in rests:
        return ends_at(Rest.MARKETING_HOURS, now=now)
    return now + BREATH
