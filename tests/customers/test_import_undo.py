"""Taking an import back: what it removes, restores and leaves."""

import pytest
from django.contrib.auth.models import User

from customers import clock
from customers.choices import ImportStatus
from customers.models import Consent, ContactPoint, Customer, CustomerTag, ImportedChange, SpreadsheetImport, Tag, Tier
from customers.services import import_undo
from tests.customers.files import imported, table

LI_NA = {"姓名": "李娜", "手机号": "13800000001"}
YES = {"短信同意": "是", "邮件同意": "是"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


def undone(file: SpreadsheetImport, *, by: User | None = None) -> SpreadsheetImport:
    """An import that is taken back."""
    import_undo.start(file, by=by, now=clock.now())
    import_undo.run(file.pk, clock=clock.now)
    file.refresh_from_db()
    return file


def shop() -> dict[str, list]:
    """All that an import may touch, by what it means and not by its numbers."""
    return {
        "customers": list(Customer.objects.order_by("pk").values()),
        "addresses": list(
            ContactPoint.objects.order_by("pk").values("customer_id", "channel", "address", "is_primary", "created_at")
        ),
        "consents": sorted(Consent.objects.values_list("customer_id", "channel", "purpose", "status", "changed_at")),
        "tags": sorted(CustomerTag.objects.values_list("customer_id", "tag_id")),
        "words": [
            sorted(Tag.objects.values_list("name", flat=True)),
            sorted(Tier.objects.values_list("name", "rank")),
        ],
    }


def test_customers_that_the_import_created_are_removed_with_all_they_had(db):
    before = shop()
    file = imported(table({**LI_NA, **YES, "邮箱": "a@example.com", "标签": "VIP", "会员等级": "金卡"}))

    undone(file)

    assert file.status == ImportStatus.UNDONE
    assert shop() == before
    assert file.undo_counts == {"removed": 1, "consents": 1, "rows": 1, "tag_words": 1, "tiers": 1}


def test_what_the_import_changed_of_known_customers_is_as_it_was(db):
    imported(
        table({**LI_NA, "城市": "杭州", "标签": "老客", "会员等级": "银卡", "生日": "1990-05-31", "会员编号": "M1"})
    )
    before = shop()
    row = {
        "手机号": "13800000099",
        "会员编号": "M1",
        "姓名": "李小娜",
        "城市": "宁波",
        "标签": "VIP",
        "会员等级": "金卡",
    }
    file = imported(table({**row, "生日": "06-01", "邮箱": "li.na@example.com", **YES}))
    assert shop() != before

    undone(file)

    assert shop() == before
    assert not ImportedChange.objects.filter(spreadsheet_import=file).exists()
