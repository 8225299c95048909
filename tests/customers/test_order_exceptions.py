"""What goes wrong with orders: told once, settled once, and an order of which it is told stays."""

from datetime import UTC, datetime, timedelta

import pytest

from customers.models import Order, OrderException
from customers.services import order_exceptions, orders
from customers.services.order_facts import OrderFacts
from tests.customers.files import undone
from tests.customers.order_files import PAID, import_orders, taobao
from tests.customers.shop import staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """Uploaded files of this test alone."""
    settings.UPLOADS = tmp_path


NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.fixture
def order() -> Order:
    """An order that waits for its payment."""
    orders.record([OrderFacts("other", "A1", status="unpaid")], now=NOW)
    return Order.objects.get()


def test_what_went_wrong_is_written_down_once_and_settled_once(order):
    raised = order_exceptions.raise_exception(order, "payment_failed", note="余额不足", by=staff(), now=NOW)

    assert (raised.kind, raised.note, raised.happened_at) == ("payment_failed", "余额不足", NOW)
    assert order_exceptions.raise_exception(order, "payment_failed", happened_at=NOW, now=NOW) is None
    assert order_exceptions.resolve(order, "out_of_stock", now=NOW) == 0
    assert order_exceptions.resolve(order, now=NOW) == 1
    assert order_exceptions.resolve(order, now=NOW) == 0


def test_an_old_event_told_again_does_not_bring_back_what_was_settled_and_a_new_one_does(order):
    order_exceptions.raise_exception(order, "payment_failed", happened_at=NOW, now=NOW)
    order_exceptions.resolve(order, now=NOW)

    assert order_exceptions.raise_exception(order, "payment_failed", happened_at=NOW, now=NOW) is None
    later = NOW + timedelta(hours=1)
    assert order_exceptions.raise_exception(order, "payment_failed", happened_at=later, now=later)
    assert OrderException.objects.standing().count() == 1


def test_what_went_wrong_later_stands_when_something_earlier_is_settled(order):
    order_exceptions.raise_exception(order, "out_of_stock", happened_at=NOW, now=NOW)

    assert order_exceptions.resolve(order, happened_at=NOW - timedelta(hours=1), now=NOW) == 0


def test_something_that_cannot_go_wrong_with_an_order_is_refused_with_a_sentence(order):
    with pytest.raises(order_exceptions.CannotRaise, match="out_of_stock"):
        order_exceptions.raise_exception(order, "alien_abduction", now=NOW)


def test_nothing_is_written_about_an_order_that_is_gone(order):
    order.pk += 1

    with pytest.raises(order_exceptions.CannotRaise):
        order_exceptions.raise_exception(order, "out_of_stock", now=NOW)


def test_an_order_with_which_something_went_wrong_stays_when_its_file_is_taken_back():
    imported = import_orders([taobao("T1", PAID, 联系手机="13800000001")])
    order_exceptions.raise_exception(Order.objects.get(), "out_of_stock", now=NOW)

    assert undone(imported).undo_counts["orders:stay:exception"] == 1
    assert Order.objects.exists()
