"""Orders that shop systems push by themselves."""

from itertools import permutations

import pytest

from customers import clock, jobs
from customers.models import Customer, Integration, Order, WebhookCall
from customers.services import integrations
from tests.customers import pushes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_queue")]

PAID = {"financial_status": "paid", "updated_at": "2026-05-01T10:05:00+08:00"}
FULFILLED = {
    "financial_status": "paid",
    "fulfillment_status": "fulfilled",
    "updated_at": "2026-05-02T09:00:00+08:00",
    "fulfillments": [
        {"tracking_company": "SF Express", "tracking_number": "SF1", "created_at": "2026-05-02T09:00:00+08:00"}
    ],
}


def test_an_order_from_shopify_is_kept_at_once_and_worked_out_later():
    shop = pushes.integration()

    answer = pushes.shopify(shop, pushes.shopify_order())
    before = Order.objects.count()
    counts = jobs.apply_webhooks()

    order = Order.objects.get()
    assert (answer.status_code, before, counts) == (200, 0, {"created": 1})
    assert (order.platform, order.number, order.status, str(order.total)) == ("shopify", "#1001", "unpaid", "398.00")
    assert (order.receiver_name, order.city, order.lines.get().product) == ("李娜", "杭州市", "玫瑰")
    assert order.customer.contact_points.get(channel="sms").address == "13800000001"


def test_whatever_the_order_of_the_pushes_the_order_ends_where_it_is():
    told = [
        ("orders/create", pushes.shopify_order()),
        ("orders/paid", pushes.shopify_order(**PAID)),
        ("orders/fulfilled", pushes.shopify_order(**FULFILLED)),
    ]
    shop = pushes.integration()
    found = set()

    for place, arrived in enumerate(permutations(told)):
        for topic, order in [*arrived, *arrived]:
            pushes.shopify(shop, order | {"name": f"#{place}"}, topic=topic)
            jobs.apply_webhooks()
        order = Order.objects.get(number=f"#{place}")
        found.add((order.status, str(order.paid), order.paid_at, order.tracking_number, order.shipped_at))

    assert len(found) == 1
    assert next(iter(found))[0] == "shipped"
    assert Customer.objects.count() == 1


def test_an_order_canceled_at_shopify_is_closed_with_its_reason():
    shop = pushes.integration()
    pushes.shopify(shop, pushes.shopify_order())

    canceled = {"cancelled_at": "2026-05-01T11:00:00+08:00", "cancel_reason": "inventory"}
    told = pushes.shopify_order(updated_at="2026-05-01T11:00:00+08:00", financial_status="voided", **canceled)
    pushes.shopify(shop, told, topic="orders/cancelled")
    jobs.apply_webhooks()

    order = Order.objects.get()
    assert (order.status, order.closed_reason) == ("closed", "inventory")


def test_a_push_repeated_under_its_number_is_not_even_stored():
    shop = pushes.integration()

    for _ in range(3):
        assert pushes.shopify(shop, pushes.shopify_order(), number="b54557e4").status_code == 200

    assert WebhookCall.objects.count() == 1


def test_a_push_with_a_wrong_signature_is_refused_and_the_page_says_so():
    shop = pushes.integration()

    answers = [
        pushes.shopify(shop, pushes.shopify_order(), secret="guessed"),
        pushes.post(shop, b"{}", {}),
        pushes.post(shop, b"{}", {"X-Shopify-Hmac-Sha256": "ü"}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert not WebhookCall.objects.exists()
    assert Integration.objects.get().refused_for == "The signature is not that of this secret."


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_push_that_was_overheard_is_worth_nothing_later(minutes):
    shop = pushes.integration("generic")
    at = int(clock.real_now().timestamp()) + 60 * minutes

    assert pushes.generic(shop, {"number": "1"}, at=at).status_code == 401
    assert "five minutes" in Integration.objects.get().refused_for


def test_a_system_of_ones_own_pushes_the_fields_of_the_api():
    shop = pushes.integration("generic")

    told = {"orders": [
        {"number": "A1", "status": "paid", "total": 12.5, "customer": {"phone": "13800000001"}},
        {"number": "A2", "status": "unpaid", "lines": [{"product": "茶", "quantity": 2}]},
    ]}  # fmt: skip
    pushes.generic(shop, told)

    assert jobs.apply_webhooks() == {"created": 2}
    assert dict(Order.objects.values_list("number", "status")) == {"A1": "paid", "A2": "unpaid"}


def test_a_mapping_says_where_the_facts_stand():
    mapping = {
        "items": "data.list",
        "fields": {"number": "no", "total": ["sum.pay", "sum.all"], "phone": "buyer.0.tel", "paid_at": "t"},
        "status": {"path": "state", "words": {"20": "paid"}},
    }
    shop = pushes.integration("generic", mapping=mapping)

    told = {"no": 77, "sum": {"all": "9.90"}, "buyer": [{"tel": "138 0000 0001"}], "state": 20, "t": 1777600800}
    pushes.generic(shop, {"data": {"list": [told]}})
    jobs.apply_webhooks()

    order = Order.objects.get()
    assert (order.number, order.status, str(order.total), order.paid_at.year) == ("77", "paid", "9.90", 2026)


def test_a_push_from_youzan_is_read_by_its_mapping():
    shop = pushes.integration("youzan")
    told = {
        "full_order_info": {
            "order_info": {
                "tid": "E20260501", "status": "WAIT_SELLER_SEND_GOODS", "status_str": "待发货",
                "created": "2026-05-01 10:00:00", "pay_time": "2026-05-01 10:05:00",
                "update_time": "2026-05-01 10:05:00",
            },
            "buyer_info": {"buyer_phone": "13800000001", "yz_open_id": "abc"},
            "pay_info": {"payment": "128.50", "post_fee": "0.00"},
            "address_info": {"receiver_name": "李娜", "delivery_city": "杭州市"},
            "orders": [{"oid": "1", "title": "玫瑰 11枝", "num": 1, "price": "128.50"}],
        }
    }  # fmt: skip

    answer = pushes.youzan(shop, told)
    jobs.apply_webhooks()

    order = Order.objects.get()
    assert answer.json() == {"code": 0, "msg": "success"}
    assert (order.number, order.status, str(order.total)) == ("E20260501", "paid", "128.50")
    assert order.ordered_at.astimezone(clock.shop_zone()).hour == 10
    assert order.lines.get().product == "玫瑰 11枝"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"orders": [{"status": "paid"}]}, "No order number stands in it."),
        ({"number": "1", "total": "viel"}, "An amount in it cannot be read."),
        ({"number": "1", "total": "1e400"}, "An amount in it cannot be read."),
        ({"number": "1", "paid_at": "gestern"}, "A time in it cannot be read."),
        ({"number": "1", "paid_at": "9" * 30}, "A time in it cannot be read."),
        (
            {"orders": [{"number": str(place)} for place in range(501)]},
            "It holds more than 500 orders; none was read.",
        ),
        ({"number": "x" * 65}, "订单号须为 1 到 64 个字符。"),
    ],
)
def test_what_cannot_be_understood_is_kept_with_its_reason(body, problem):
    pushes.generic(pushes.integration("generic"), body)

    counts = jobs.apply_webhooks()

    assert counts == {"problems": 1}
    assert WebhookCall.objects.get().problem == problem
    assert not Order.objects.exists()


def test_one_push_that_makes_no_sense_holds_up_no_other():
    shop = pushes.integration("generic")
    for told in ({"number": "1"}, {"nothing": 1}, {"number": "2", "note": "a\0b"}):
        pushes.generic(shop, told)

    assert jobs.apply_webhooks() == {"created": 2, "problems": 1}


def test_nobody_finds_the_address_and_a_changed_one_holds_for_a_week():
    shop = pushes.integration("generic")
    old = shop.token
    integrations.rotate(shop.pk, now=clock.now())
    shop.refresh_from_db()

    assert pushes.generic(shop, {"number": "1"}).status_code == 200
    shop.token = old
    assert pushes.generic(shop, {"number": "2"}).status_code == 200
    shop.token = "guessed"
    assert pushes.generic(shop, {"number": "3"}).status_code == 404


def test_a_body_that_is_too_large_is_refused_unread():
    shop = pushes.integration("generic")

    assert pushes.post(shop, b" " * (2 * 1024 * 1024 + 1), {}).status_code == 413
