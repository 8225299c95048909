"""The pages of orders: the list, an order's story, the words that are taught, and the import's own pages."""

import pytest
from django.urls import reverse

from customers import clock, jobs
from customers.models import Customer, Order, OrderStatusWord, SpreadsheetImport
from tests.customers.files import SAMPLES
from tests.customers.order_files import NOW, PAID, import_orders, taobao
from tests.customers.shop import browser, sentences, staff

LIST = "/admin/customers/order/"


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


@pytest.fixture
def clerk(db):
    """A clerk's browser."""
    rights = ("view_order", "view_customer", "view_spreadsheetimport", "import_customer", "add_spreadsheetimport")
    rights += ("view_orderstatusword", "add_orderstatusword", "change_spreadsheetimport", "view_importedrow")
    return browser(staff(*rights))


def numbers_in(response) -> list[str]:
    """The orders the list shows, from top to bottom."""
    return [order.number for order in response.context["cl"].result_list]


@pytest.mark.parametrize("term", ["1001", "13800000001", "0001", "tb76266", "李娜"])
def test_an_order_is_found_by_its_number_and_by_its_buyer(clerk, term):
    import_orders([taobao("1001", PAID, 联系手机="13800000001", 收货人姓名="李娜", 买家会员名="tb76266")])
    import_orders([taobao("1002", PAID, 联系手机="13800000002", 收货人姓名="王伟")])

    assert numbers_in(clerk.get(LIST, {"q": term})) == ["1001"]


def test_orders_that_are_not_understood_are_a_filter_of_their_own(clerk):
    import_orders([taobao("1001", "平台介入处理中"), taobao("1002", PAID)])

    assert numbers_in(clerk.get(LIST, {"status": "unknown"})) == ["1001"]
    assert numbers_in(clerk.get(LIST, {"status": "paid"})) == ["1002"]
    assert numbers_in(clerk.get(LIST, {"platform": "jd"})) == []


def test_an_orders_page_tells_its_story(clerk):
    import_orders([taobao("1001", "等待买家付款", 联系手机="13800000001", 收货人姓名="李娜")])
    import_orders([taobao("1001", PAID, 订单付款时间="2026-05-31 10:00:00", 宝贝标题="护手霜")])

    page = sentences(clerk.get(reverse("admin:customers_order_change", args=[Order.objects.get().pk])))

    assert "Waiting for payment → Paid" in page
    assert "earlier than the step before it" in page
    assert "护手霜" in page
    assert "李娜" in page


def test_an_order_is_changed_by_nobody(clerk):
    import_orders([taobao("1001", PAID)])
    address = reverse("admin:customers_order_change", args=[Order.objects.get().pk])

    assert clerk.post(address, {"status": "closed"}).status_code == 403
    assert clerk.get(f"{LIST}add/").status_code == 403
    assert Order.objects.get().status == "paid"


def test_a_customers_page_shows_the_orders_and_the_name_at_the_platform(clerk):
    import_orders([taobao("1001", PAID, 联系手机="13800000001", 买家会员名="tb76266")])

    page = sentences(clerk.get(reverse("admin:customers_customer_change", args=[Customer.objects.get().pk])))

    assert "1001" in page
    assert "tb76266" in page


def test_a_clerk_teaches_a_word_and_its_orders_follow(clerk):
    import_orders([taobao("1001", "平台介入，处理中")])
    assert "平台介入，处理中" in sentences(clerk.get("/admin/customers/orderstatusword/"))

    form = {"platform": "taobao", "text": "平台介入， 处理中", "meaning": "after_sale"}
    page = clerk.post("/admin/customers/orderstatusword/add/", form, follow=True)

    assert "1 order is understood now." in sentences(page)
    assert Order.objects.get().status == "after_sale"
    assert OrderStatusWord.objects.filter(platform="taobao", text="平台介入,处理中").exists()


def test_who_may_not_see_orders_sees_none(db):
    import_orders([taobao("1001", PAID, 联系手机="13800000001", 买家会员名="tb76266")])
    stranger = browser(staff("view_customer"))

    assert stranger.get(LIST).status_code == 403
    page = sentences(stranger.get(reverse("admin:customers_customer_change", args=[Customer.objects.get().pk])))
    assert "1001" not in page


def test_an_order_file_goes_from_upload_to_result(clerk):
    with (SAMPLES / "jd_orders_sample.csv").open("rb") as handle:
        clerk.post("/admin/customers/spreadsheetimport/add/", {"file": handle})
    imported = SpreadsheetImport.objects.get()
    assert imported.kind == "orders"
    page = clerk.get(reverse("admin:customers_spreadsheetimport_change", args=[imported.pk]))
    assert "Import 60 orders" in sentences(page)

    form = {f"column-{column['index']}": column["field"] or "" for column in imported.mapping}
    address = reverse("admin:customers_spreadsheetimport_review", args=[imported.pk])
    clerk.post(address, form | {"action": "import", "kind": "orders"})
    jobs.run_import(import_id=imported.pk)

    page = sentences(clerk.get(reverse("admin:customers_spreadsheetimport_change", args=[imported.pk])))
    assert "60 customers are new." in page
    assert "brings no consent" in page
    rows = clerk.get("/admin/customers/importedrow/", {"spreadsheet_import": imported.pk})
    assert "Same order as row" in sentences(rows)
    assert Order.objects.count() == 60
    assert clock.now() > NOW.replace(year=2020)
