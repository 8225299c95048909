"""Fills an empty database with the demo shop, all of it or nothing."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from campaigns.models import Campaign, Segment
from config.demo import campaigns, customers, follow_ups, orders, rules
from customers.models import Customer, Tag, Tier
from notifications.models import FrequencyCap, ProviderAccount, QuietHours, Signature, Template
from notifications.services import starter_texts, tallies

# Whoever has one of these has a shop already, or has begun to set one up.
MUST_BE_EMPTY = [
    *(Customer, Tag, Tier, Signature, Template, FrequencyCap, QuietHours, ProviderAccount, Segment, Campaign),
]
_ONE_AT_A_TIME = 0x64656D6F  # "demo"


class NotEmpty(Exception):
    """The database holds something already; the text says what."""


@dataclass(frozen=True)
class Shop:
    """What the demo shop has now."""

    customers: int
    templates: int
    finished: Campaign
    scheduled: Campaign


@transaction.atomic
def build(*, now: datetime) -> Shop:
    """
    Store customers, orders, rules, texts, segments and two campaigns, one of which has gone out.

    One transaction: whoever looks meanwhile sees neither half a shop nor the clock set back. Raises NotEmpty, and
    what the services raise.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
    refuse_unless_empty()
    signature, account = rules.write()
    people = customers.write(now=now)
    follow_ups.write(orders.write(people, now=now), now=now)
    templates = starter_texts.load(signature, now=now)
    segments = campaigns.write_segments(now=now)
    # Without this PostgreSQL plans for tables that are still empty.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    finished = campaigns.live_through(segments["全体顾客"], account, now=now)
    scheduled = campaigns.schedule_greeting(segments["金卡及以上"], now=now)
    tallies.squash()
    finished.refresh_from_db()
    scheduled.refresh_from_db()
    return Shop(len(people), len(templates), finished, scheduled)


def refuse_unless_empty() -> None:
    """Raises NotEmpty if anybody has begun to set up a shop."""
    for model in MUST_BE_EMPTY:
        if count := model.objects.count():
            raise NotEmpty(
                f"There is a shop here already ({model._meta.verbose_name_plural}: {count:,}), so nothing was loaded. "
                "The demo shop needs an empty database: stop everything, move the folder var away, and start again."
            )
