"""Resending: a second try for those whom a message did not reach, as an explicit act of a person."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.choices import Channel, Purpose
from customers.models import Customer
from notifications.choices import DeliveryStatus, SignatureStatus
from notifications.models import Delivery, DeliveryTally, Message, Signature, Template
from notifications.services import deliveries, estimates, gateways
from notifications.services.estimates import Step

# What can be sent again, in the order in which it is offered.
STATUSES = (DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN)
# Whatever the first window was, quiet hours of a night must not use up the second one.
SHORTEST_WINDOW = timedelta(hours=24)
# Up to here it is quicker to look for shared addresses among the people themselves.
SMALL = 20_000
AGAIN = re.compile(r"/again-\d+$")
# Some messages and, back to the first try, all that they repeat.
EARLIER = """earlier AS (
    SELECT id, again_of_id FROM notifications_message WHERE id = ANY(%s)
    UNION ALL
    SELECT m.id, m.again_of_id FROM notifications_message m JOIN earlier ON m.id = earlier.again_of_id
)"""
# A second try speaks of the same orders and events, with the same words about them, and obeys the same stops.
SAME_VALUES = """
UPDATE notifications_delivery twin SET values = first.values
FROM notifications_delivery first
WHERE twin.message_id = %(twin)s AND first.message_id = %(message)s AND first.customer_id = twin.customer_id
  AND first.values IS NOT NULL AND first.id = ANY(%(chosen)s)
"""
SAME_CONCERNS = """
INSERT INTO notifications_concern (delivery_id, order_id, event_id, due_at)
SELECT twin.id, concern.order_id, concern.event_id, concern.due_at
FROM notifications_delivery twin
JOIN notifications_delivery first ON first.customer_id = twin.customer_id AND first.id = ANY(%(chosen)s)
JOIN notifications_concern concern ON concern.delivery_id = first.id
WHERE twin.message_id = %(twin)s
"""
LONGEST_OCCASION = Delivery._meta.get_field("occasion").max_length


class CannotResend(Exception):
    """Nothing is sent again; the text says why and what to do."""


@dataclass
class Offer:
    """What sending again would do: who can be chosen, whom it would reach, and what it would cost."""

    counts: dict[str, int] = field(default_factory=dict)
    chosen: int = 0
    uncertain: int = 0
    will_send: int = 0
    will_hold: int = 0
    steps: list[Step] = field(default_factory=list)
    segments: int = 0
    cost: Decimal = Decimal(0)
    send_until: datetime | None = None
    obstacles: list[str] = field(default_factory=list)


def offer(
    messages: Sequence[Message], *, statuses: Collection[str], delivery_id: int | None = None, now: datetime
) -> Offer:
    """Count, price and explain what sending some messages again would do; changes nothing."""
    found = Offer(counts=dict.fromkeys(STATUSES, 0))
    for message in messages:
        found.obstacles += [words for words in obstacles(message) if words not in found.obstacles]
        counts = _counts(_open(message, STATUSES, delivery_id))
        for status, count in counts.items():
            found.counts[status] += count
        audience = _audience(_open(message, statuses, delivery_id))
        estimate = estimates.estimate(
            audience,
            variants=[(_text(message), audience)],
            channel=message.channel,
            purpose=message.purpose,
            cap_policy=message.cap_policy,
            now=now,
            send_at=now,
            is_small=sum(counts.get(status, 0) for status in statuses) <= SMALL,
        )
        found.will_send += estimate.will_send
        found.will_hold += estimate.will_hold
        found.segments += estimate.segments
        found.cost += estimate.cost
        found.steps = _merged(found.steps, estimate.steps)
        found.send_until = max(_window_ends(message, now), found.send_until or now)
    found.chosen = sum(found.counts[status] for status in STATUSES if status in statuses)
    found.uncertain = found.counts[DeliveryStatus.UNKNOWN] if DeliveryStatus.UNKNOWN in statuses else 0
    return found


def resend(
    messages: Sequence[Message],
    *,
    statuses: Collection[str],
    delivery_id: int | None = None,
    seen: int,
    by,
    now: datetime,
) -> list[Message]:
    """
    Send some messages again to those in the given states; answers the new messages.

    1. Lock the messages: a second click waits here, and then finds nobody left.
    2. Freeze a copy of each, for its own window.
    3. Plan it over exactly those customers: screened, capped and counted like any other message.

    `seen` is the number of people that was confirmed. Raises CannotResend.
    """
    try:
        with transaction.atomic():
            locked = _lock(messages)
            _refuse(locked, statuses, delivery_id, seen)
            twins = []
            for message in locked:
                chosen = _open(message, statuses, delivery_id)
                if chosen.exists():
                    twins.append(_again(message, chosen, _occasion(message, statuses, delivery_id), by=by, now=now))
            return twins
    except IntegrityError as collision:
        raise CannotResend(_("Somebody else is writing to the same people just now. Look again.")) from collision


def _lock(messages: Sequence[Message]) -> list[Message]:
    """Lock messages with all that they repeat, in the order of everybody else; answers them as they are now."""
    ids = [message.pk for message in messages]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE {EARLIER} SELECT FROM notifications_message"
            " WHERE id IN (SELECT id FROM earlier) ORDER BY id FOR UPDATE",
            [ids],
        )
    return list(Message.objects.filter(pk__in=ids).order_by("pk"))


def obstacles(message: Message) -> list[str]:
    """The sentences that stop a message from being sent again, in the reader's language."""
    stops = []
    if message.is_test:
        stops.append(_("This is a test. Send a new test instead."))
    if message.canceled_at is not None:
        stops.append(_("The message was canceled: nobody gets it any more."))
    elif message.paused_at is not None:
        stops.append(_("The message is paused. Find out why and let it go on, then send again."))
    if message.channel == Channel.SMS and not Signature.objects.filter(
        name=message.signature, status=SignatureStatus.APPROVED
    ):
        stops.append(_("The signature %s is not approved any more.") % message.signature)
    if gateways.account_for(message.channel) is None:
        stops.append(_("No provider account works on this channel. Set one up, or let the paused one go on."))
    return stops


def _refuse(messages: Sequence[Message], statuses: Collection[str], delivery_id: int | None, seen: int) -> None:
    stops = [words for message in messages for words in obstacles(message)]
    if stops:
        raise CannotResend(" ".join(dict.fromkeys(stops)))
    count = sum(_open(message, statuses, delivery_id).count() for message in messages)
    if not count:
        raise CannotResend(_("Nobody is left: everybody chosen was written to again, or was reached meanwhile."))
    if count != seen:
        words = ngettext(
            "Since you opened the page it has become %(count)s person. Look again.",
            "Since you opened the page it has become %(count)s people. Look again.",
            count,
        )
        raise CannotResend(words % {"count": f"{count:,}"})


def _open(message: Message, statuses: Collection[str], delivery_id: int | None = None) -> QuerySet[Delivery]:
    """A message's deliveries in these states to which no second message has gone out or is on its way."""
    again = Delivery.objects.filter(message__again_of=OuterRef("message_id"), customer_id=OuterRef("customer_id"))
    again = again.exclude(status__in=[DeliveryStatus.SKIPPED, DeliveryStatus.CANCELED])
    wanted = set(statuses) & set(STATUSES)
    # All of these have a reason, and its index leads past those who were skipped for others.
    reasons = DeliveryTally.objects.filter(message=message, status__in=wanted).values_list("reason", flat=True)
    chosen = Delivery.objects.filter(
        ~Exists(again),
        ~Q(reason=""),
        message=message,
        reason__in=set(reasons.distinct()),
        status__in=wanted,
        customer__isnull=False,
    )
    return chosen if delivery_id is None else chosen.filter(pk=delivery_id)


def _counts(chosen: QuerySet[Delivery]) -> dict[str, int]:
    return dict(chosen.order_by().values_list("status").annotate(count=Count("pk")))


def _audience(chosen: QuerySet[Delivery]) -> QuerySet[Customer]:
    return Customer.objects.filter(pk__in=chosen.order_by().values("customer_id"))


def _text(message: Message) -> Template:
    """What a message says, as the estimate reads it."""
    return Template(
        body=message.body,
        subject=message.subject,
        html=message.html,
        channel=message.channel,
        purpose=message.purpose,
        signature=Signature(name=message.signature),
        opt_out_wording=message.opt_out_wording,
    )


def _again(message: Message, chosen: QuerySet[Delivery], occasion: str, *, by, now: datetime) -> Message:
    audience = _audience(chosen)
    keep = _speaks_of_facts(message, chosen)
    twin = Message.objects.create(
        template_id=message.template_id,
        template_version=message.template_version,
        name=message.name,
        channel=message.channel,
        purpose=message.purpose,
        signature=message.signature,
        body=message.body,
        opt_out_wording=message.opt_out_wording,
        subject=message.subject,
        html=message.html,
        stop_when=message.stop_when,
        night=message.night,
        cap_policy=message.cap_policy,
        price=gateways.account_for(message.channel).price,
        send_after=now,
        send_until=_window_ends(message, now, chosen),
        again_of=message,
        created_at=now,
        created_by=by,
    )
    ids = list(chosen.values_list("pk", flat=True)) if keep else []
    deliveries.plan(twin, audience, occasion=occasion, now=now)
    if keep:
        with connection.cursor() as cursor:
            for statement in (SAME_VALUES, SAME_CONCERNS):
                cursor.execute(statement, {"twin": twin.pk, "message": message.pk, "chosen": ids})
    return twin


def _speaks_of_facts(message: Message, chosen: QuerySet[Delivery]) -> bool:
    """Whether its deliveries speak of orders or events, as those of reminders do."""
    return bool(message.stop_when) or chosen.filter(concerns__isnull=False).exists()


def _window_ends(message: Message, now: datetime, chosen: QuerySet[Delivery] | None = None) -> datetime:
    """When a second try is of no use any more: after as long as the first had."""
    window = message.send_until - message.send_after
    if chosen is not None:
        # The message of a reminder stays open for good; each of its deliveries has an hour of its own.
        own = chosen.aggregate(longest=Max(F("send_until") - F("created_at")))["longest"]
        window = own if own and own > timedelta(0) else window
    return now + (max(window, SHORTEST_WINDOW) if Purpose(message.purpose).needs_consent else window)


def _occasion(message: Message, statuses: Collection[str], delivery_id: int | None) -> str:
    """The old occasion and how many tries there were: a customer gets one message per try."""
    chosen = _open(message, statuses, delivery_id).aggregate(first=Min("occasion"), last=Max("occasion"))
    # A message of a reminder carries an occasion for each order; its tries are counted by message.
    common = chosen["first"] if chosen["first"] == chosen["last"] else f"message-{message.pk}"
    ending = f"/again-{_tries(message)}"
    return AGAIN.sub("", common)[: LONGEST_OCCASION - len(ending)] + ending


def _tries(message: Message) -> int:
    """How often a message has gone out, together with all that it repeats and that repeat it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE {EARLIER}, tries AS (
                SELECT id FROM earlier WHERE again_of_id IS NULL
                UNION ALL
                SELECT m.id FROM notifications_message m JOIN tries ON m.again_of_id = tries.id
            )
            SELECT count(*) FROM tries
            """,
            [[message.pk]],
        )
        return cursor.fetchone()[0]


def _merged(steps: Sequence[Step], more: Sequence[Step]) -> list[Step]:
    """The steps of two estimates, each reason once."""
    found = {step.code: step for step in steps}
    for step in more:
        known = found.get(step.code)
        found[step.code] = (
            step
            if known is None
            else Step(
                step.code, step.label, known.count + step.count, known.segments + step.segments, known.cost + step.cost
            )
        )
    return list(found.values())
