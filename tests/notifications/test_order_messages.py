"""What was written about an order: shown on its page, and a reason to keep it."""

from datetime import timedelta

import pytest
from django.urls import reverse

from customers import clock
from customers.models import Customer, Order
from notifications.models import Concern, Delivery
from notifications.services import deliveries, messages
from tests import cast, staff
from tests.customers.files import undone
from tests.customers.order_files import PAID, import_orders, taobao
from tests.customers.shop import sentences

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


def written_about(order: Order) -> None:
    """A notice about an order is on its way."""
    now = clock.now()
    message = messages.freeze(
        cast.template("您的包裹已发出", purpose="service"), name="发货提醒", price="0.045", send_after=now,
        send_until=now + timedelta(hours=4), by=None, now=now,
    )  # fmt: skip
    deliveries.plan(message, Customer.objects.filter(pk=order.customer_id), occasion="notice", now=now)
    Concern.objects.create(delivery=Delivery.objects.get(), order=order)


def test_what_was_written_about_an_order_stands_on_its_page(db):
    import_orders([taobao("T1", PAID, 联系手机="13800000001"), taobao("T2", PAID, 联系手机="13800000002")])
    told, other = Order.objects.order_by("number")
    written_about(told)
    clerk = staff.signed_in("clerk")

    def messages_about(order: Order) -> str:
        return sentences(clerk.get(reverse("admin:notifications_order_deliveries", args=[order.pk])))

    address = reverse("admin:notifications_order_deliveries", args=[told.pk])
    assert address in clerk.get(reverse("admin:customers_order_change", args=[told.pk])).content.decode()
    assert "发货提醒" in messages_about(told)
    assert "Nothing has been written about this order yet." in messages_about(other)


def test_an_order_that_was_written_about_stays_when_its_file_is_taken_back():
    imported = import_orders([taobao("T1", PAID, 联系手机="13800000001")])
    written_about(Order.objects.get())

    assert undone(imported).undo_counts["orders:stay:written"] == 1
    assert Order.objects.exists()
