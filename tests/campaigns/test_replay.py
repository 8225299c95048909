"""Real orders lived through again: each rule meets the right orders, once, in whatever order they are told."""

import csv
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campaigns.models import Reminder, ReminderOccasion
from campaigns.services.reminders import running
from campaigns.services.reminders.backtest import backtest
from customers import clock
from customers.models import ClockOffset, Order
from customers.services import orders
from customers.services.order_facts import OrderFacts
from notifications.models import Delivery
from tests import cast
from tests.campaigns import shop
from tests.campaigns.reminding import rule, send
from tests.notifications.conftest import gateway  # noqa: F401 - a fixture

pytestmark = [pytest.mark.real_data, pytest.mark.slow]
SHANGHAI = ZoneInfo("Asia/Shanghai")
A_SECOND = timedelta(seconds=1)
TWENTY_MINUTES = timedelta(minutes=20)


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a file, with plain headers."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield {(name or "").strip(): (value or "").strip() for name, value in row.items()}


def moment(text: str) -> datetime | None:
    """A moment of a file, in the shop's zone."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI) if text else None


def go_to(now: datetime) -> None:
    """Set the deployment's clock."""
    ClockOffset.objects.update_or_create(id=1, defaults={"offset": timedelta(0)})
    ClockOffset.objects.update(offset=now - clock.now())


@pytest.fixture
def tmall(shared) -> list[tuple[str, datetime, datetime | None]]:
    """Number, time of the order and time of its payment, of two days of a shop."""
    (path,) = (shared / "data" / "tmall").glob("*.csv")
    found = [(row["订单编号"], moment(row["订单创建时间"]), moment(row["订单付款时间"])) for row in rows(path)]
    since, until = datetime(2020, 2, 18, tzinfo=SHANGHAI), datetime(2020, 2, 20, tzinfo=SHANGHAI)
    return [entry for entry in found if since <= entry[1] < until]


@pytest.mark.django_db(transaction=True)
def test_exactly_the_orders_unpaid_after_twenty_minutes_are_reminded(tmall, gateway, settings):  # noqa: F811
    settings.GATEWAY_PRIVATE_HOSTS = [gateway.host]
    cast.account(gateway.url)
    begins, ends = min(at for _, at, _ in tmall), max(at for _, at, _ in tmall) + timedelta(hours=1)
    go_to(begins)
    rule(night="send")
    phones = {number: str(13900000000 + place) for place, (number, _, _) in enumerate(tmall)}
    told = [(at, 0, number) for number, at, _ in tmall]
    told += [(paid, 1, number) for number, _, paid in tmall if paid]
    # A second after each order's twenty minutes, somebody looks.
    told += [(at + TWENTY_MINUTES + A_SECOND, 2, number) for number, at, _ in tmall]
    unpaid: set[str] = set()

    for at, group in groupby(sorted(told), key=lambda event: event[0]):
        events = list(group)
        unpaid |= {number for _, what, number in events if what == 0}
        unpaid -= {number for _, what, number in events if what == 1}
        if facts := [_facts(number, what, at, phones[number]) for _, what, number in events if what < 2]:
            go_to(at)
            orders.record(facts, now=at)
        if unpaid & {number for _, what, number in events if what == 2}:
            go_to(at)
            running.run(now=clock.now())
            send()

    due = {number for number, at, paid in tmall if not paid or paid > at + TWENTY_MINUTES + A_SECOND}
    sent = Delivery.objects.filter(status="sent")
    assert set(sent.values_list("concerns__order__number", flat=True)) == due
    assert sent.count() == len(due) == len(gateway.ledger())
    go_to(ends)
    forecast = backtest(Reminder.objects.get(), since=begins, until=ends, now=ends)
    assert forecast.total == len(due)


def _facts(number: str, what: int, at: datetime, phone: str) -> OrderFacts:
    status, times = ("paid", {"paid_at": at}) if what else ("unpaid", {"ordered_at": at})
    known = {"platform": "taobao", "number": number, "phone": phone, "total": Decimal(128)}
    return OrderFacts(**known, status=status, happened_at=at, **times)


@pytest.fixture
def olist(shared) -> list[dict[str, str]]:
    """The orders of a marketplace of which it is known what became of them."""
    path = shared / "data" / "olist" / "olist_orders.csv"
    return [row for row in rows(path) if row["order_status"] not in ("canceled", "unavailable")]


OF_USE = timedelta(days=60)
A_DAY = timedelta(days=1)
RULES = {
    "unpaid_24h": (A_DAY, OF_USE, {"trigger": "status_lasts", "order_status": "unpaid", "stop_when": ["paid"]}),
    "not_shipped_24h_after_payment": (
        A_DAY,
        OF_USE,
        {"trigger": "status_lasts", "order_status": "paid", "stop_when": ["shipped", "delivered"]},
    ),
    "in_transit_past_estimate": (
        timedelta(0),
        OF_USE,
        {
            "trigger": "order_date",
            "order_date": "promised_at",
            "order_status": "shipped",
            "stop_when": ["delivered"],
        },
    ),
    "review_request_day7": (
        timedelta(days=7),
        A_DAY,
        {"trigger": "status_reached", "order_status": "delivered", "stop_when": []},
    ),
    "shipped_last_24h": (
        timedelta(0),
        A_DAY,
        {"trigger": "status_reached", "order_status": "shipped", "stop_when": []},
    ),
}
STEPS = [
    ("order_purchase_timestamp", "unpaid", "ordered_at"),
    ("order_approved_at", "paid", "paid_at"),
    ("order_delivered_carrier_date", "shipped", "shipped_at"),
    ("order_delivered_customer_date", "delivered", "delivered_at"),
]


def known_of(row: dict[str, str], as_of: datetime) -> dict[str, datetime]:
    """The times of an order that were known at a moment."""
    times = {name: moment(row[name]) for name, _, _ in STEPS}
    return {name: at for name, at in times.items() if at and at <= as_of}


def events_of(row: dict[str, str], as_of: datetime) -> list[OrderFacts]:
    """What was known of an order at a moment, as single events."""
    known, promised = known_of(row, as_of), moment(row["order_estimated_delivery_date"])
    return [
        OrderFacts(
            platform="olist",
            number=row["order_id"],
            status=status,
            external_id=row["customer_id"],
            happened_at=known[name],
            promised_at=promised,
            **{column: known[name]},
        )
        for name, status, column in STEPS
        if name in known
    ]


def is_due(name: str, row: dict[str, str], as_of: datetime) -> bool:
    """The rule's definition, over the times known at a moment."""
    known = known_of(row, as_of)
    bought, approved, carrier, delivered = (known.get(column) for column, _, _ in STEPS)
    a_day_ago, promised = as_of - A_DAY, moment(row["order_estimated_delivery_date"])
    match name:
        case "unpaid_24h":
            return bool(bought and bought <= a_day_ago and not approved and not carrier and not delivered)
        case "not_shipped_24h_after_payment":
            return bool(approved and approved <= a_day_ago and not carrier and not delivered)
        case "in_transit_past_estimate":
            return bool(carrier and not delivered and promised < as_of)
        case "review_request_day7":
            return bool(delivered and as_of - timedelta(days=8) < delivered <= as_of - timedelta(days=7))
        case _:
            return bool(carrier and a_day_ago < carrier <= as_of)


@pytest.mark.django_db
@pytest.mark.parametrize("as_of", ["2017-05-15 10:00:00", "2018-06-01 10:00:00"])
@pytest.mark.parametrize("name", RULES)
def test_each_rule_meets_its_orders_once_in_any_order_of_events(olist, name, as_of):
    now = moment(as_of)
    shop.account()
    near = [row for row in olist if abs(moment(row["order_purchase_timestamp"]) - now) < timedelta(days=55)]
    events = [event for row in near for event in events_of(row, now)]
    random.Random(3).shuffle(events)
    delay, valid_for, columns = RULES[name]
    made = rule(on=False, delays=(delay,), name=name, valid_for=valid_for, **columns)
    Reminder.objects.filter(pk=made.pk).update(activated_at=now - timedelta(days=100))
    made.steps.update(created_at=now - timedelta(days=100))
    for begin in (*range(0, len(events), 500), *range(0, len(events), 500)):
        orders.record(events[begin : begin + 500], now=now)

    first, again = running.run(now=now), running.run(now=now)

    too_late = ReminderOccasion.objects.filter(outcome="too_late")
    assert all(row.due_at <= now - valid_for for row in too_late)
    met = list(ReminderOccasion.objects.exclude(outcome="too_late").values_list("order__number", flat=True))
    assert sorted(met) == sorted(row["order_id"] for row in near if is_due(name, row, now))
    assert (sum(first.values()) - too_late.count(), again) == (len(met), {})
    assert Order.objects.count() == len({event.number for event in events})
