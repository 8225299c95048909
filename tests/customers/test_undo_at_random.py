"""Imports of random files over random customers, undone: the shop is as it was before."""

import random

import pytest

from customers.models import Consent, ContactPoint, Customer, CustomerTag, Suppression, Tag, Tier
from customers.services import import_run, import_undo
from tests.customers.files import imported, table, undone

PHONES = [f"1380000{place:04}" for place in range(24)]
EMAILS = [f"{letter}@example.com" for letter in "abcdefgh"]
CITIES = ["杭州", "宁波", "温州", ""]
WORDS = ["", "VIP", "老客", "VIP,大客户", "新客"]
NAMES = ["", "李娜", "王伟", "张敏", "陈洁"]
BIRTHDAYS = ["", "", "1990-05-31", "06-01", "1985-12-24"]
ANSWERS = ["", "", "是", "是", "否", "退订"]


@pytest.fixture(autouse=True)
def small_steps(settings, tmp_path, monkeypatch):
    """Chunks of a few rows, of different sizes on the way there and back."""
    settings.UPLOADS = tmp_path / "uploads"
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 5)
    monkeypatch.setattr(import_run, "FIRST_CHUNK_ROWS", 3)
    monkeypatch.setattr(import_undo, "CHUNK_ROWS", 4)


def file(chance: random.Random, *, answers: list[str]) -> bytes:
    """A file of some rows, with known and new people, doubles and rows without an address among them."""
    return table(
        *(
            {
                "手机号": chance.choice([*PHONES, *PHONES, ""]),
                "邮箱": chance.choice([*EMAILS, "", "", ""]),
                "会员编号": chance.choice(["", "", *(f"M{number}" for number in range(12))]),
                "姓名": chance.choice(NAMES),
                "城市": chance.choice(CITIES),
                "标签": chance.choice(WORDS),
                "会员等级": chance.choice(["", "金卡", "银卡"]),
                "生日": chance.choice(BIRTHDAYS),
                "短信同意": chance.choice(answers),
                "邮件同意": chance.choice(answers),
            }
            for _row in range(chance.randint(4, 22))
        )
    )


def shop() -> dict[str, list]:
    """All that an import may touch."""
    return {
        "customers": list(Customer.objects.order_by("pk").values()),
        "addresses": sorted(ContactPoint.objects.values_list("customer_id", "channel", "address", "is_primary")),
        "consents": sorted(Consent.objects.values_list("customer_id", "channel", "purpose", "status", "changed_at")),
        "tags": sorted(CustomerTag.objects.values_list("customer_id", "tag_id")),
        "tiers": sorted(Tier.objects.values_list("pk", "name")),
        "words": sorted(Tag.objects.values_list("pk", "name")),
        "closed": sorted(Suppression.objects.values_list("channel", "address")),
    }


@pytest.mark.parametrize("seed", range(3))
def test_undone_imports_leave_the_shop_as_it_was(db, seed):
    """No refusals in the files: those are never undone."""
    chance = random.Random(seed)
    imported(file(chance, answers=["", "是"]))
    before = shop()

    first = imported(file(chance, answers=["", "是"]))
    between = shop()
    second = imported(file(chance, answers=["", "是"]))

    undone(second)
    assert shop() == between
    undone(first)
    assert shop() == before


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_undone_no_opt_out_is_lost_and_nobody_hangs_in_the_air(db, seed):
    chance = random.Random(1000 + seed)
    files = [imported(file(chance, answers=ANSWERS)) for _file in range(4)]
    opted_out = {
        (point.channel, point.address)
        for point in ContactPoint.objects.all()
        if Consent.objects.filter(
            customer=point.customer_id, channel=point.channel, purpose="marketing", status="withdrawn"
        ).exists()
    }
    chance.shuffle(files)

    for done in files:
        undone(done)

    people = set(Customer.objects.values_list("pk", flat=True))
    for model in (ContactPoint, Consent, CustomerTag):
        assert set(model.objects.values_list("customer_id", flat=True)) <= people
    still_closed = set(Suppression.objects.values_list("channel", "address")) | {
        (point.channel, point.address)
        for point in ContactPoint.objects.all()
        if Consent.objects.filter(
            customer=point.customer_id, channel=point.channel, purpose="marketing", status="withdrawn"
        ).exists()
    }
    assert opted_out <= still_closed
    for customer in Customer.objects.all():
        for channel in ("sms", "email"):
            points = ContactPoint.objects.filter(customer=customer, channel=channel)
            assert not points or points.filter(is_primary=True).count() == 1
