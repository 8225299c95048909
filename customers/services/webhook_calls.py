"""What the pushes of shop systems mean: worked out one by one, in the order in which they came."""

import logging
import time
from collections import Counter
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import translation

from customers import clock
from customers.models import WebhookCall
from customers.msgid import _
from customers.services import integrations, orders
from customers.services.order_facts import CannotRecord, LineFacts, OrderFacts
from customers.webhooks import mappings
from customers.webhooks.mappings import CannotRead, Pushed

logger = logging.getLogger(__name__)

TAKEN_AT_ONCE = 500
PURGED_AT_ONCE = 5_000
LONGEST_PROBLEM = 200
MOST_TRIES = 10
PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=30)

GIVEN_UP = _("It could not be worked out in ten tries. The reason is in our log.")


def apply(*, now: datetime, seconds: float) -> Counter[str]:
    """
    Work out the waiting pushes until none is left or the seconds are over; counts orders by outcome, and problems.

    Each is a transaction of its own: what one tells is recorded whole or not at all, and one that we stumble over
    holds up no other.
    """
    counts: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    waiting = WebhookCall.objects.filter(applied_at=None, look_after__lte=now).order_by("look_after", "id")
    for pk in waiting.values_list("pk", flat=True)[:TAKEN_AT_ONCE]:
        try:
            counts += _apply(pk, now=now)
        except DatabaseError:
            logger.exception("The push %d of a shop system could not be worked out", pk)
            counts += _put_off(pk, now=now)
        if time.monotonic() > ends:
            break
    return counts


def retry(call_id: int, *, now: datetime) -> int:
    """Look at a push again that was not understood, after a mapping or a status word was put right."""
    stuck = WebhookCall.objects.filter(pk=call_id, applied_at__isnull=False).exclude(problem="")
    return stuck.update(applied_at=None, look_after=now, problem="", tries=0)


def purge(*, now: datetime) -> int:
    """Delete pushes that were worked out long ago: they hold names and numbers; answers how many."""
    deadline = now - timedelta(days=settings.CALLBACK_DAYS)
    old = WebhookCall.objects.filter(applied_at__isnull=False, received_at__lt=deadline)
    return WebhookCall.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PURGED_AT_ONCE])).delete()[0]


def _apply(pk: int, *, now: datetime) -> Counter[str]:
    with transaction.atomic():
        free = WebhookCall.objects.select_for_update(skip_locked=True, of=["self"]).select_related("integration")
        call = free.filter(pk=pk, applied_at=None).first()
        if call is None:
            return Counter()
        counts, problem = _recorded(call, now=now)
        WebhookCall.objects.filter(pk=pk).update(
            applied_at=now, tries=call.tries + 1, problem=problem[:LONGEST_PROBLEM]
        )
        return counts


def _recorded(call: WebhookCall, *, now: datetime) -> tuple[Counter[str], str]:
    try:
        pushed = mappings.read(
            integrations.mapping_of(call.integration), bytes(call.body), topic=call.topic, zone=clock.shop_zone()
        )
        facts = [_facts(order, call.integration.platform) for order in pushed]
        # A job knows no reader: what the services say is kept in the shop's own language.
        with translation.override(settings.LANGUAGE_CODE):
            return orders.record(facts, now=now) if facts else Counter(ignored=1), ""
    except (CannotRead, CannotRecord) as trouble:
        return Counter(problems=1), str(trouble)


def _facts(order: Pushed, platform: str) -> OrderFacts:
    return OrderFacts(platform=platform, lines=[LineFacts(**line) for line in order.lines], **order.facts)


def _put_off(pk: int, *, now: datetime) -> Counter[str]:
    call = WebhookCall.objects.filter(pk=pk, applied_at=None).first()
    if call is None:
        return Counter()
    tries = call.tries + 1
    changes = {"tries": tries, "look_after": now + min(PAUSE * 2**tries, LONGEST_PAUSE)}
    if tries >= MOST_TRIES:
        changes |= {"applied_at": now, "problem": str(GIVEN_UP)}
    WebhookCall.objects.filter(pk=pk, applied_at=None).update(**changes)
    return Counter(put_off=1)
