"""Tiers in the admin: thresholds, a look before computing, and a customer's own tier."""

import pytest
from django.urls import reverse

from customers import clock
from customers.models import Customer, Order, Tier
from tests import cast, staff
from tests.customers import shop

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customers_tier_changelist")
COMPUTE = reverse("admin:customers_tier_compute")
STARTERS = reverse("admin:customers_tier_starters")


def said(response):
    return [str(sentence) for sentence in response.context["messages"]]


def bought(customer, amount):
    now = clock.now()
    Order.objects.create(
        platform="taobao", number=str(customer.pk), customer=customer, status="completed", status_at=now,
        ordered_at=now, total=amount,
    )  # fmt: skip


@pytest.fixture
def owner():
    return staff.signed_in("owner")


@pytest.fixture
def vip():
    return Tier.objects.create(name="VIP", rank=3, minimum_spending=5000, is_vip=True)


def test_the_list_says_who_is_in_and_offers_to_compute(owner, vip):
    Tier.objects.create(name="老客", rank=2, minimum_spending=1000, minimum_orders=3)
    Tier.objects.create(name="朋友", rank=1)
    cast.li_na()

    page = owner.get(LIST).content.decode()

    for words in ("¥5,000 spent within 365 days", "¥1,000 spent or 3 orders within 365 days", "whom staff choose"):
        assert words in page
    assert "Compute tiers for 1 customer now" in page


def test_one_sees_who_would_move_before_anybody_does(owner, vip):
    li_na = cast.li_na()
    bought(li_na, 6000)

    forecast = owner.get(COMPUTE).content.decode()
    before = Customer.objects.get().tier
    answer = owner.post(COMPUTE, follow=True)

    assert "Move 1 customer" in forecast
    assert before is None
    assert said(answer) == ["1 customer moved."]
    assert Customer.objects.get().tier == vip


def test_a_big_shop_is_computed_by_a_worker(owner, vip, empty_queue, monkeypatch):
    monkeypatch.setattr("customers.admin.tier.COMPUTED_AT_ONCE", 0)
    bought(cast.li_na(), 6000)

    answer = owner.post(COMPUTE, follow=True)

    assert said(answer) == ["The tiers are being computed; it takes about a minute."]
    assert Customer.objects.get().tier is None


def test_a_new_shop_is_offered_three_tiers_once(owner):
    offered = "Begin with new, regular and VIP customers" in owner.get(LIST).content.decode()

    answers = [said(owner.post(STARTERS, follow=True)) for _ in range(2)]

    assert offered
    assert list(Tier.objects.values_list("name", flat=True)) == ["VIP customer", "Regular customer", "New customer"]
    assert answers[1] == ["There are tiers already. Give them thresholds instead."]


def test_without_a_threshold_there_is_nothing_to_compute(owner):
    assert said(owner.get(COMPUTE, follow=True))[0].startswith("No tier has a threshold yet.")


@pytest.mark.parametrize("role", ["clerk", "marketer", "auditor"])
def test_tiers_are_the_owners(role, vip):
    person = staff.signed_in(role)

    assert {person.post(address).status_code for address in (COMPUTE, STARTERS)} == {403}


@pytest.mark.parametrize(
    "field, value", [("minimum_spending", "-1"), ("minimum_orders", "-3"), ("within_days", "0"), ("rank", "-1")]
)
def test_thresholds_that_cannot_be_are_refused(owner, vip, field, value):
    fields = {"name": "金卡", "rank": "2", "minimum_spending": "", "minimum_orders": "", "within_days": "365"}

    answer = owner.post(reverse("admin:customers_tier_add"), fields | {field: value})

    assert answer.status_code == 200
    assert Tier.objects.get() == vip


# A customer's own tier --------------------------------------------------------------------------------


def save(client, customer, **fields):
    page = client.get(shop.page_of(customer))
    return client.post(shop.page_of(customer), shop.form_of(page) | fields, follow=True)


def test_a_tier_chosen_on_the_page_is_the_customers_own(owner, vip):
    li_na = cast.li_na()

    save(owner, li_na, tier=vip.pk)

    li_na.refresh_from_db()
    assert (li_na.tier, li_na.has_own_tier) == (vip, True)


def test_saving_something_else_leaves_the_tier_to_be_computed(owner, vip):
    li_na = cast.li_na()
    Customer.objects.update(tier=vip)

    save(owner, li_na, city="杭州")

    li_na.refresh_from_db()
    assert (li_na.tier, li_na.has_own_tier, li_na.city) == (vip, False, "杭州")


def test_a_tier_can_be_given_back_to_be_computed(owner, vip):
    li_na = cast.li_na()
    bought(li_na, 6000)
    Customer.objects.update(tier=Tier.objects.create(name="朋友", rank=9), has_own_tier=True)

    save(owner, li_na, computed_again="on")

    li_na.refresh_from_db()
    assert (li_na.tier, li_na.has_own_tier) == (vip, False)


def test_choosing_and_computing_at_once_is_refused(owner, vip):
    li_na = cast.li_na()
    Customer.objects.update(has_own_tier=True)

    answer = save(owner, li_na, computed_again="on", tier=vip.pk)

    assert "Either choose a tier or let it be computed, not both." in answer.content.decode()
    li_na.refresh_from_db()
    assert li_na.tier is None


def test_only_an_own_tier_can_be_given_back(owner, vip):
    page = owner.get(shop.page_of(cast.li_na())).content.decode()

    assert "Compute the tier again" not in page
