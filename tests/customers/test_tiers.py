"""Tiers: computed from spending and orders, unless somebody gave them by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest

from customers.models import Customer, ImportedChange, Order, Tier
from customers.services import tiers
from tests import cast
from tests.customers import files

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return cast.at("2026-05-06 03:00")


@pytest.fixture
def ladder():
    """New from one order, regular from 1,000 yuan or three orders, VIP from 5,000; and friends, chosen by staff."""
    Tier.objects.create(name="新客", rank=1, minimum_orders=1)
    Tier.objects.create(name="老客", rank=2, minimum_spending=1000, minimum_orders=3)
    Tier.objects.create(name="VIP", rank=3, minimum_spending=5000, is_vip=True)
    Tier.objects.create(name="老板的朋友", rank=9)


def buy(customer, *amounts, now, status="completed", days_ago=10, **facts):
    for amount in amounts:
        Order.objects.create(
            platform="taobao", number=f"{customer.pk}-{Order.objects.count()}", customer=customer, status=status,
            status_at=now, total=amount, ordered_at=now - timedelta(days=days_ago), **facts,
        )  # fmt: skip


def tier_of(customer):
    customer.refresh_from_db()
    return customer.tier and customer.tier.name


@pytest.mark.parametrize(
    "amounts, facts, tier",
    [
        ([], {}, None),
        ([10], {}, "新客"),
        ([999], {}, "新客"),
        ([400, 600], {}, "老客"),
        ([1, 1, 1], {}, "老客"),
        ([5000], {}, "VIP"),
        ([5000], {"refund": Decimal(4001)}, "新客"),
        ([5000], {"paid": Decimal(4999)}, "老客"),
        ([5000], {"status": "unpaid"}, None),
        ([5000], {"status": "closed"}, None),
        ([5000], {"status": "refunded"}, None),
        ([5000], {"status": ""}, None),
        ([5000], {"status": "after_sale"}, "VIP"),
        ([5000], {"days_ago": 364}, "VIP"),
        ([5000], {"days_ago": 366}, None),
        ([5000], {"is_deleted": True}, None),
        ([5000], {"currency": "USD"}, "新客"),
    ],
)
def test_the_highest_tier_that_is_reached_counts(ladder, now, amounts, facts, tier):
    li_na = cast.li_na()
    buy(li_na, *amounts, now=now, **facts)

    tiers.recompute(now=now)

    assert tier_of(li_na) == tier


def test_who_no_longer_reaches_a_tier_falls_to_the_next_or_to_none(ladder, now):
    li_na = cast.li_na()
    buy(li_na, 6000, now=now, days_ago=300)
    buy(li_na, 1200, now=now, days_ago=1)

    found = []
    for days in (0, 100, 400):
        tiers.recompute(now=now + timedelta(days=days))
        found.append(tier_of(li_na))

    assert found == ["VIP", "老客", None]


def test_a_tier_given_by_hand_is_left_alone(ladder, now):
    li_na, wang_wei = cast.li_na(), cast.wang_wei()
    Customer.objects.filter(pk=li_na.pk).update(tier=Tier.objects.get(name="VIP"), has_own_tier=True)
    Customer.objects.filter(pk=wang_wei.pk).update(has_own_tier=True)
    buy(wang_wei, 9000, now=now)

    tiers.recompute(now=now)

    assert (tier_of(li_na), tier_of(wang_wei)) == ("VIP", None)


def test_a_tier_without_thresholds_is_nobodys_but_the_staffs(ladder, now):
    li_na = cast.li_na()
    Customer.objects.filter(pk=li_na.pk).update(tier=Tier.objects.get(name="老板的朋友"))
    buy(li_na, 9000, now=now)

    tiers.recompute(now=now)

    assert tier_of(li_na) == "老板的朋友"


def test_a_tier_that_asks_for_nothing_is_reached_without_orders(ladder, now):
    Tier.objects.create(name="会员", rank=0, minimum_orders=0)
    li_na, wang_wei = cast.li_na(), cast.wang_wei()
    buy(li_na, 5000, now=now)

    tiers.recompute(now=now)

    assert (tier_of(li_na), tier_of(wang_wei)) == ("VIP", "会员")


def test_erased_customers_stay_without_a_tier(ladder, now):
    li_na = cast.li_na()
    buy(li_na, 9000, now=now)
    Customer.objects.filter(pk=li_na.pk).update(erased_at=now)

    tiers.recompute(now=now)

    assert tier_of(li_na) is None


def test_the_forecast_says_what_computing_then_does(ladder, now):
    buy(cast.li_na(), 5000, now=now)
    buy(cast.wang_wei(), 1, now=now)
    Customer.objects.filter(pk=cast.chen_jie().pk).update(tier=Tier.objects.get(name="VIP"))
    Customer.objects.filter(pk=cast.zhang_min().pk).update(has_own_tier=True)

    forecast = tiers.foresee(now=now)
    moved = tiers.recompute(now=now)

    told = [(move.before and move.before.name, move.after and move.after.name, move.count) for move in forecast.moves]
    assert told == [(None, "VIP", 1), (None, "新客", 1), ("VIP", None, 1)]
    assert (forecast.customers, forecast.by_hand, forecast.moving) == (3, 1, 3)
    assert sum(moved.values()) == 3
    assert tiers.foresee(now=now).moves == []


def test_computing_is_no_change_by_hand(ladder, now):
    li_na = cast.li_na()
    buy(li_na, 5000, now=now)
    before = Customer.objects.get().updated_at

    tiers.recompute(now=now)

    assert Customer.objects.get().updated_at == before


def test_any_number_of_customers_costs_three_questions(ladder, now, django_assert_num_queries):
    for pk in cast.crowd(300):
        buy(Customer(pk=pk), 5000, now=now)

    with django_assert_num_queries(5):  # the ends, savepoint, lock, move, release
        tiers.recompute(now=now)

    assert Customer.objects.filter(tier__name="VIP").count() == 300


def test_many_customers_are_computed_part_by_part(ladder, now, monkeypatch):
    monkeypatch.setattr(tiers, "CUSTOMERS_AT_ONCE", 7)
    for pk in cast.crowd(30):
        buy(Customer(pk=pk), 5000, now=now)

    assert tiers.recompute(now=now) == {Tier.objects.get(name="VIP").pk: 30}


def test_one_customer_is_computed_alone(ladder, now):
    li_na, wang_wei = cast.li_na(), cast.wang_wei()
    buy(li_na, 5000, now=now)
    buy(wang_wei, 5000, now=now)

    tiers.recompute(now=now, only=li_na)

    assert (tier_of(li_na), tier_of(wang_wei)) == ("VIP", None)


def test_a_new_shop_begins_with_three_tiers_and_an_old_one_keeps_its_own():
    tiers.offer_starters()

    with pytest.raises(tiers.CannotOffer):
        tiers.offer_starters()
    assert list(Tier.objects.values_list("is_vip", flat=True)) == [True, False, False]


# Imports ------------------------------------------------------------------------------------------


@pytest.fixture
def uploads(settings, tmp_path):
    settings.UPLOADS = tmp_path / "uploads"


def test_a_tier_from_a_file_is_given_by_hand_and_a_file_without_tiers_gives_none(uploads):
    files.imported(files.table({"姓名": "李娜", "手机号": "13800000001", "会员等级": "金卡"}))
    files.imported(files.table({"姓名": "王伟", "手机号": "13800000002", "城市": "宁波"}))
    files.imported(files.table({"姓名": "李娜", "手机号": "13800000001", "城市": "宁波"}))

    assert set(Customer.objects.values_list("name", "has_own_tier")) == {("李娜", True), ("王伟", False)}


def test_a_file_that_names_the_computed_tier_leaves_it_computed(uploads):
    files.imported(files.table({"姓名": "李娜", "手机号": "13800000001"}))
    Customer.objects.update(tier=Tier.objects.create(name="金卡", minimum_orders=1))
    file = files.table({"姓名": "李娜", "手机号": "13800000001", "会员等级": "金卡"})

    counts = files.imported(file).counts

    assert not Customer.objects.get().has_own_tier
    assert counts.get("unchanged") == 1


def test_taking_a_file_back_gives_the_tier_back_to_be_computed(uploads):
    files.imported(files.table({"姓名": "李娜", "手机号": "13800000001"}))
    vip = Tier.objects.create(name="VIP", minimum_orders=1)
    Customer.objects.update(tier=vip)
    second = files.imported(files.table({"姓名": "李娜", "手机号": "13800000001", "会员等级": "金卡"}))

    files.undone(second)

    assert Customer.objects.values_list("tier", "has_own_tier").get() == (vip.pk, False)


def test_taking_a_file_back_leaves_what_staff_chose_since(uploads):
    files.imported(files.table({"姓名": "李娜", "手机号": "13800000001"}))
    second = files.imported(files.table({"姓名": "李娜", "手机号": "13800000001", "会员等级": "金卡"}))
    chosen = Tier.objects.create(name="VIP", minimum_orders=1)
    Customer.objects.update(tier=chosen, has_own_tier=True)

    files.undone(second)

    assert Customer.objects.values_list("tier", "has_own_tier").get() == (chosen.pk, True)


def test_a_file_from_before_tiers_were_computed_is_taken_back_as_ever(uploads):
    files.imported(files.table({"姓名": "李娜", "手机号": "13800000001"}))
    second = files.imported(files.table({"姓名": "李娜", "手机号": "13800000001", "会员等级": "金卡"}))
    for change in ImportedChange.objects.all():
        change.before.pop("has_own_tier"), change.after.pop("has_own_tier")
        change.save()

    files.undone(second)

    assert Customer.objects.get().tier is None


def test_a_tier_that_got_a_threshold_outlives_its_file(uploads):
    first = files.imported(files.table({"姓名": "李娜", "手机号": "13800000001", "会员等级": "金卡"}))
    Tier.objects.update(minimum_orders=5)

    files.undone(first)

    assert Tier.objects.get().name == "金卡"
