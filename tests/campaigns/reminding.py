"""Orders, rules and time for the tests of reminders, through the engine and a real gateway."""

from collections import Counter
from datetime import datetime, timedelta

from django.db import connection

from campaigns.choices import ReminderTrigger
from campaigns.models import Reminder, ReminderOccasion, ReminderStep, ReminderText
from campaigns.services.reminders import running
from customers import clock
from customers.choices import OrderStatus, Platform, Purpose
from customers.models import Customer, Order, OrderChange
from notifications.services import sending
from tests import cast

UNPAID = "{{ name|default('顾客') }}，订单{{ order_number }}（{{ amount }}元）还未付款，请尽快付款。"


def order(customer: Customer | None, number: str, *, status: str = "unpaid", at: datetime, **columns) -> Order:
    """An order that reached its status at a moment, with the line of history that says so."""
    times = {"unpaid": "ordered_at", "paid": "paid_at", "shipped": "shipped_at", "delivered": "delivered_at"}
    columns.setdefault("ordered_at", at)
    columns.setdefault("total", "128.00")
    if status in times:
        columns.setdefault(times[status], at)
    made = Order.objects.create(
        platform=Platform.OTHER, number=number, status=status, status_at=at, customer=customer, **columns
    )
    OrderChange.objects.create(order=made, to_status=status, happened_at=at, recorded_at=clock.now())
    return made


def pay(*orders: Order) -> None:
    """Payments, as everything that writes an order records them: the row first, then the moment."""
    for found in orders:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT FROM customers_order WHERE id = %s FOR UPDATE", [found.pk])
            cursor.execute(
                "UPDATE customers_order SET status = 'paid', paid_at = hongyan_now(), status_at = hongyan_now()"
                " WHERE id = %s",
                [found.pk],
            )
            cursor.execute(
                "INSERT INTO customers_orderchange"
                " (order_id, from_status, to_status, before, after, happened_at, recorded_at)"
                " VALUES (%s, 'unpaid', 'paid', '{}', '{}', hongyan_now(), hongyan_now())",
                [found.pk],
            )
            cursor.execute("COMMIT")


def rule(
    text: str = UNPAID,
    *,
    on: bool = True,
    delays: tuple[timedelta, ...] = (timedelta(minutes=20),),
    merged: str = "",
    since: timedelta = timedelta(days=1),
    channel: str = "sms",
    **columns,
) -> Reminder:
    """A reminder about unpaid orders, or about what the columns say, on since yesterday."""
    columns = {
        "name": "待付款",
        "purpose": Purpose.SERVICE,
        "trigger": ReminderTrigger.STATUS_LASTS,
        "order_status": OrderStatus.UNPAID,
        "stop_when": ["paid", "closed"],
        **columns,
    }
    made = Reminder.objects.create(activated_at=clock.now() - since if on else None, **columns)
    template = cast.template(text, purpose=columns["purpose"], name=f"{made.name} 短信")
    several = cast.template(merged, purpose=columns["purpose"], name=f"{made.name} 多单") if merged else None
    for place, delay in enumerate(delays, start=1):
        since_then = {"created_at": made.activated_at} if on else {}
        step = ReminderStep.objects.create(reminder=made, position=place, delay=delay, **since_then)
        ReminderText.objects.create(step=step, channel=channel, template=template, merged_template=several)
    return made


def remind() -> Counter:
    """One look of the reminders."""
    return running.run(now=clock.now())


def send(queue: str = "urgent") -> Counter:
    """What a worker sends."""
    return sending.drain(queue, seconds=20, clock=clock.now)


def met() -> Counter:
    """The occasions, by outcome and what became of their deliveries."""
    rows = ReminderOccasion.objects.values_list("outcome", "delivery__status", "delivery__reason")
    return Counter(" ".join(filter(None, row)) for row in rows)
