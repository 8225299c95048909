"""Alerts: what needs a person, raised once per cause and ended when the cause is gone."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from notifications.choices import AlertKind
from notifications.models import Alert, AlertChannel, AlertNotice
from notifications.services.words import in_every_language

LONGEST_CAUSE = Alert._meta.get_field("cause").max_length


@dataclass(frozen=True)
class Cause:
    """One thing that is wrong at this moment: its key, the sentence that says so, and the page where it is seen."""

    kind: AlertKind
    key: str
    sentence: Callable[[], str]
    page: str = ""


def keep(causes: Iterable[Cause], *, now: datetime) -> Counter:
    """
    Raise what is new, and end what is wrong no more; answers counts.

    `causes` is everything that is wrong now. Two who look at the same moment raise an alert once.
    """
    wrong = {(cause.kind.value, cause.key[:LONGEST_CAUSE]): cause for cause in causes}
    known = {(alert.kind, alert.cause): alert for alert in Alert.objects.open()}
    gone = [alert.pk for key, alert in known.items() if key not in wrong]
    # The shop's clock can be set back.
    ended = Alert.objects.open().filter(pk__in=gone).update(ended_at=Greatest(F("raised_at"), now))
    raised = sum(_raise(cause, now=now) for key, cause in wrong.items() if key not in known)
    return Counter(raised=raised, ended=ended)


@transaction.atomic
def _raise(cause: Cause, *, now: datetime) -> int:
    key = cause.key[:LONGEST_CAUSE]
    Alert.objects.bulk_create(
        [
            Alert(
                kind=cause.kind,
                cause=key,
                words=in_every_language(cause.sentence),
                page=cause.page,
                raised_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    alert = Alert.objects.open().select_for_update().get(kind=cause.kind, cause=key)
    if alert.raised_at != now:
        return 0  # Somebody else raised it a moment ago.
    AlertNotice.objects.bulk_create(
        [AlertNotice(alert=alert, channel=channel, send_after=now) for channel in _to_be_told(alert, now)],
        ignore_conflicts=True,
    )
    return 1


def _to_be_told(alert: Alert, now: datetime) -> list[AlertChannel]:
    """The channels that want this kind and were not told of the same cause within their gap."""
    channels = AlertChannel.objects.filter(is_active=True, alert_kinds__contains=[alert.kind])
    earlier = AlertNotice.objects.filter(alert__kind=alert.kind, alert__cause=alert.cause).exclude(alert=alert)
    last = dict(earlier.order_by("alert__raised_at").values_list("channel_id", "alert__raised_at"))
    return [
        channel
        for channel in channels
        if channel.pk not in last or last[channel.pk] <= now - timedelta(minutes=channel.minimum_gap_minutes)
    ]
