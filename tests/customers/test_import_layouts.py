"""Layouts as rows: what comes with Hongyan, the shop's own copies, and their pages."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import translation

from customers import clock
from customers.models import Customer, ImportLayout, LayoutMemory, SpreadsheetImport
from customers.services import import_layouts, imports
from customers.services.import_layouts import CannotKeepLayout
from customers.spreadsheets.layouts import BUNDLED
from tests import staff
from tests.customers.files import SAMPLES, table, uploaded

LIST = "/admin/customers/importlayout/"
YOUZAN = (SAMPLES / "youzan_customers_sample.csv").read_bytes()


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def bundled(db):
    """The layouts that come with Hongyan, in their table."""
    import_layouts.install_bundled()


@pytest.fixture
def clerk(bundled, empty_queue):
    """The browser of a clerk."""
    return staff.signed_in("clerk")


@pytest.fixture
def person(bundled):
    """Somebody who may do everything."""
    return staff.member("superuser")


def page_of(layout: ImportLayout) -> str:
    """The address of a layout."""
    return reverse("admin:customers_importlayout_change", args=[layout.pk])


def form(**changes) -> dict:
    """What the form of a layout posts."""
    return {
        "name": "收银台会员",
        "kind": "customers",
        "platform": "",
        "is_active": "on",
        "required": "卡号 | 会员卡\n电话",
        "header": ["卡号", "会员卡", "电话", "顾客", "短信", ""],
        "field": ["external_id", "external_id", "phone", "name", "sms_consent", ""],
        "cell": ["口头同意", ""],
        "meaning": ["yes", "unknown"],
        "notice": "",
        "advice": "",
        "refused_as": "",
        **changes,
    }


def values(**changes) -> dict:
    """A layout as plain values."""
    return {
        "name": "收银台会员",
        "kind": "customers",
        "platform": "",
        "required": ["卡号", "电话"],
        "fields": [["卡号", "external_id"], ["电话", "phone"]],
        "consent_words": {},
        "notice": "",
        "advice": "",
        "refused_as": "",
        "is_active": True,
        **changes,
    }


def test_a_new_deployment_knows_every_bundled_layout(bundled):
    rows = ImportLayout.objects.filter(is_bundled=True).in_turn()

    assert [row.as_layout() for row in rows] == list(BUNDLED)
    assert import_layouts.all_layouts() == BUNDLED


def test_a_new_version_brings_its_layouts_up_to_date_and_leaves_the_shops_own(person):
    copied = import_layouts.copy(ImportLayout.objects.get(key="youzan_customers"), by=person, now=clock.now())
    ImportLayout.objects.filter(key="jd_orders").update(required=["old"])
    ImportLayout.objects.create(key="gone_orders", name="Gone", is_bundled=True)
    ImportLayout.objects.filter(key="olist_orders").delete()

    counts = import_layouts.install_bundled()

    assert counts["removed"] == 1
    assert [layout for layout in import_layouts.all_layouts() if layout.is_bundled] == list(BUNDLED)
    assert ImportLayout.objects.get(pk=copied.pk).name == copied.name


def test_a_table_of_an_older_version_still_recognizes_what_is_new(bundled):
    ImportLayout.objects.filter(key="olist_orders").delete()

    assert "olist_orders" in {layout.key for layout in import_layouts.all_layouts()}


def test_a_copy_is_tried_before_the_layout_that_came_with_hongyan(person):
    source = ImportLayout.objects.get(key="youzan_customers")
    copied = import_layouts.copy(source, by=person, now=clock.now())
    changed = values(required=source.required, fields=[["客户手机号", "phone"], ["客户昵称", "name"]])

    import_layouts.keep(copied, changed, by=person, now=clock.now())
    file = uploaded(YOUZAN, name="youzan.csv")

    chosen = {column["field"]: column["header"] for column in file.mapping if column["field"]}
    assert chosen["name"] == "客户昵称"
    assert file.preview["layout"]["key"] == copied.key
    ImportLayout.objects.filter(pk=copied.pk).update(is_active=False)
    assert uploaded(YOUZAN, name="youzan.csv").preview["layout"]["key"] == "youzan_customers"


def test_two_copies_have_two_names(person):
    source = ImportLayout.objects.get(key="youzan_customers")

    names = {import_layouts.copy(source, by=person, now=clock.now()).name for _time in range(3)}

    assert len(names) == 3


def test_a_layout_changed_after_a_file_was_imported_is_stronger_than_memory(person):
    file = uploaded(YOUZAN, name="youzan.csv")
    LayoutMemory.objects.create(layout_key=file.layout_key, mapping=[None] * len(file.mapping), updated_at=clock.now())
    source = ImportLayout.objects.get(key="youzan_customers")

    assert uploaded(YOUZAN, name="youzan.csv").preview["blocked"]
    import_layouts.copy(source, by=person, now=clock.now())
    assert not uploaded(YOUZAN, name="youzan.csv").preview["blocked"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "  "}, "Give the layout a name."),
        ({"required": ["电话"]}, "Name at least two columns"),
        ({"required": ["电话", " 电话 *"]}, "Name at least two columns"),
        ({"fields": [["电话", "phone"], ["电话（必填）", "name"]]}, "stands here twice"),
        ({"fields": [["电话", "order_number"]]}, "cannot be Order number"),
        ({"fields": [["电话", "password"]]}, "cannot be password"),
        ({"fields": [["电话", ""]]}, "at least one column"),
        ({"kind": "suppliers"}, "Choose what the files hold"),
        ({"platform": "moon"}, "Choose what the files hold"),
        ({"refused_as": "encrypted"}, "Choose the sentence of refusal"),
        ({"consent_words": {"否": "yes"}}, "is never consent"),
        ({"consent_words": {"Ｎ": "yes"}}, "is never consent"),
        ({"consent_words": {"已退订": "yes"}}, "is never consent"),
        ({"consent_words": {"口头": "perhaps"}}, "Choose what"),
    ],
)
def test_a_layout_that_would_not_work_is_refused_with_a_sentence(person, changes, sentence):
    layout = import_layouts.blank({})

    with translation.override("en"), pytest.raises(CannotKeepLayout) as refusal:
        import_layouts.keep(layout, values(**changes), by=person, now=clock.now())

    assert sentence in str(refusal.value)
    assert not ImportLayout.objects.filter(is_bundled=False).exists()


def test_a_layout_needs_a_kind_and_a_name_in_the_table(db):
    for wrong in ({"kind": "suppliers"}, {"name": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ImportLayout.objects.create(**{"key": "own-1", "name": "x", "kind": "customers", **wrong})


def test_an_import_is_of_customers_or_of_orders(db):
    file = uploaded(table({"姓名": "李娜", "手机号": "13800000001"}))

    with pytest.raises(IntegrityError), transaction.atomic():
        SpreadsheetImport.objects.filter(pk=file.pk).update(kind="suppliers")


def test_a_clerk_copies_a_layout_with_one_click_and_changes_it(clerk):
    source = ImportLayout.objects.get(key="youzan_customers")
    assert "Copy" in clerk.get(LIST).content.decode()

    answer = clerk.post(reverse("admin:customers_importlayout_copy", args=[source.pk]))
    copied = ImportLayout.objects.get(is_bundled=False)
    shown = clerk.get(answer.url).content.decode()

    assert answer.url == page_of(copied)
    assert "客户手机号" in shown
    assert copied.name == "Youzan: customers (our own)"
    saved = clerk.post(answer.url, form(name="本店有赞"), follow=True).content.decode()
    copied.refresh_from_db()
    assert "Saved." in saved
    assert (copied.name, copied.required) == ("本店有赞", ["卡号 | 会员卡", "电话"])
    assert copied.consent_words == {"口头同意": "yes"}
    assert copied.updated_by.username == "clerk"


def test_what_comes_with_hongyan_is_shown_and_never_changed(clerk):
    source = ImportLayout.objects.get(key="youzan_customers")

    shown = clerk.get(page_of(source)).content.decode()

    assert "make a copy" in shown
    assert clerk.post(page_of(source), form()).status_code == 403
    assert clerk.post(reverse("admin:customers_importlayout_delete", args=[source.pk])).status_code == 403
    with pytest.raises(CannotKeepLayout):
        import_layouts.keep(source, values(), by=None, now=clock.now())


def test_an_auditor_reads_layouts_and_changes_none(bundled, empty_queue):
    auditor = staff.signed_in("auditor")
    source = ImportLayout.objects.get(key="youzan_customers")

    assert auditor.get(LIST).status_code == 200
    assert auditor.get(page_of(source)).status_code == 200
    assert auditor.get(LIST + "add/").status_code == 403
    assert auditor.post(reverse("admin:customers_importlayout_copy", args=[source.pk])).status_code == 403
    assert auditor.post(LIST + "add/", form()).status_code == 403


def test_a_new_layout_recognizes_the_next_file(clerk):
    assert clerk.post(LIST + "add/", form()).status_code == 302
    row = {"顾客": "李娜", "短信": "口头同意", " 电话 ": "13800000001", "* 卡号": "A1"}

    file = uploaded(table(row, head=list(row)))

    assert file.preview["layout"]["label"] == "收银台会员"
    assert {column["field"] for column in file.mapping} == {"name", "sms_consent", "phone", "external_id"}
    assert file.options["consent_words"] == {"口头同意": "yes"}


def test_a_form_with_faults_comes_back_with_all_that_was_written(clerk):
    shown = clerk.post(LIST + "add/", form(required="电话", name="收银台", cell=["否"], meaning=["yes"]))

    page = shown.content.decode()
    assert shown.status_code == 200
    assert "Name at least two columns" in page
    assert "is never consent" in page
    assert 'value="收银台"' in page
    assert 'value="会员卡"' in page


@pytest.mark.parametrize(
    "broken",
    [
        {"header": ["a"] * 900, "field": ["phone"]},
        {"kind": "x", "platform": "\0", "name": "\0" * 5},
        {"field": ["<script>"] * 6},
        {"cell": ["x" * 5000], "meaning": ["yes"]},
        {"required": "|\n||\n"},
        {"notice": "x" * 5000},
    ],
)
def test_a_tampered_form_is_answered_with_sentences(clerk, broken):
    assert clerk.post(LIST + "add/", form(**broken)).status_code in (200, 302)
    assert clerk.post(LIST + "add/", {}).status_code == 200


def test_the_columns_of_a_file_become_a_layout(clerk):
    uploader = staff.User.objects.get(username="clerk")
    file = uploaded(table({"姓名": "李娜", "手机号": "13800000001"}, head=["姓名", "手机号", "口味"]), by=uploader)
    address = reverse("admin:customers_spreadsheetimport_layout", args=[file.pk])

    clerk.post(address, {"layout_name": "门店名单"})

    layout = ImportLayout.objects.get(is_bundled=False)
    assert (layout.name, layout.required) == ("门店名单", ["姓名", "手机号"])
    again = uploaded(table({"手机号": "13800000002"}, head=["备注", "手机号", "姓名"]))
    assert again.preview["layout"]["label"] == "门店名单"
    assert "choose another name" in clerk.post(address, {"layout_name": "门店名单"}, follow=True).content.decode()
    assert "Give the layout a name" in clerk.post(address, {}, follow=True).content.decode()


def test_orders_recognized_as_such_may_come_in_as_customers(clerk):
    uploader = staff.User.objects.get(username="clerk")
    file = uploaded((SAMPLES / "jd_orders_sample.csv").read_bytes(), name="jd.csv", by=uploader)
    assert file.kind == "orders"
    assert file.options["platform"] == "jd"

    columns = {f"column-{column['index']}": column["field"] or "" for column in file.mapping}
    address = reverse("admin:customers_spreadsheetimport_review", args=[file.pk])
    clerk.post(address, {**columns, "kind": "customers", "action": "check"})
    file.refresh_from_db()

    assert file.kind == "customers"
    assert {column["field"] for column in file.mapping if column["field"]} == {"name", "phone"}
    assert any("each row is an order" in sentence for sentence, _values in file.notices)
    imports.start(file)
    imports.run(file.pk, now=clock.now)
    assert Customer.objects.count() == 35
