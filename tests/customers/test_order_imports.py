"""Orders from spreadsheets: whose they are, and what the database keeps of them."""

import pytest
import xlsxwriter
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from customers.models import (
    Consent,
    ContactPoint,
    Customer,
    CustomerAccount,
    ImportedRow,
    Order,
    OrderChange,
    OrderStatusWord,
)
from customers.services import order_words, privacy
from tests.customers.files import SAMPLES, table
from tests.customers.order_files import (
    NOW,
    PAID,
    import_bytes,
    import_orders,
    jd,
    status_of,
    taobao,
)


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


# Whose it is ---------------------------------------------------------------------------------------


def test_the_receivers_number_says_whose_an_order_is(db):
    li_na = Customer.objects.create(name="李娜")
    ContactPoint.objects.create(customer=li_na, channel="sms", address="13800000001")

    import_orders([taobao("1001", PAID, 联系手机="'13800000001", 收货人姓名="李小娜")])

    assert Order.objects.get().customer == li_na
    li_na.refresh_from_db()
    assert li_na.name == "李娜"
    assert Customer.objects.count() == 1


def test_a_new_number_is_a_new_customer_who_has_agreed_to_nothing(db):
    import_orders([taobao("1001", PAID, 联系手机="13800000001", 收货人姓名="李娜")])

    customer = Customer.objects.get()
    assert customer.name == "李娜"
    assert list(customer.contact_points.values_list("channel", "address")) == [("sms", "13800000001")]
    assert not Consent.objects.exists()


@pytest.mark.parametrize("hidden", ["13800000001-9803", "138****0001", "$$657d7c62e07ebd$$", ""])
def test_a_hidden_number_is_never_stored_and_the_buyer_is_known_by_the_account(db, hidden):
    import_orders([taobao("1001", PAID, 联系手机=hidden, 买家会员名="tb76266")])

    order = Order.objects.get()
    assert order.customer.name == "tb76266"
    assert (order.account.platform, order.account.name) == ("taobao", "tb76266")
    assert not ContactPoint.objects.exists()
    assert not ImportedRow.objects.exclude(phone="").exists()


def test_an_account_is_linked_when_a_later_file_knows_its_number(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266")])
    nameless = Customer.objects.get()

    import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001", 收货人姓名="李娜")])

    assert [order.customer for order in Order.objects.order_by("id")] == [nameless, nameless]
    nameless.refresh_from_db()
    assert nameless.name == "李娜"
    assert nameless.contact_points.get().address == "13800000001"


def test_a_nameless_buyer_who_turns_out_to_be_known_joins_that_customer(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266")])
    shell = Customer.objects.get()
    li_na = Customer.objects.create(name="李娜")
    ContactPoint.objects.create(customer=li_na, channel="sms", address="13800000001")

    imported = import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001")])

    assert set(Order.objects.values_list("customer", flat=True)) == {li_na.pk}
    assert CustomerAccount.objects.get().customer == li_na
    shell.refresh_from_db()
    assert shell.merged_into == li_na
    assert list(Customer.objects.present()) == [li_na]
    assert imported.counts["customer:linked"] == 1


@pytest.mark.parametrize("known", ["address", "birthday"])
def test_a_buyer_of_whom_more_is_known_is_not_closed_only_the_account_moves(db, known):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266")])
    by_mail = Customer.objects.get()
    if known == "address":
        ContactPoint.objects.create(customer=by_mail, channel="email", address="na@example.com")
    else:
        Customer.objects.update(birth_month=8, birth_day=15, birth_calendar="lunar")
    li_na = Customer.objects.create(name="李娜")
    ContactPoint.objects.create(customer=li_na, channel="sms", address="13800000001")

    import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001")])

    by_mail.refresh_from_db()
    assert by_mail.erased_at is None
    assert set(Order.objects.values_list("customer", flat=True)) == {li_na.pk}


def test_two_rows_of_one_account_are_one_buyer_whichever_of_them_has_the_number(db):
    import_orders(
        [
            taobao("1001", PAID, 买家会员名="tb76266"),
            taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001"),
            taobao("1003", PAID, 买家会员名="tb76266", 联系手机="138****0001"),
        ]
    )

    assert Customer.objects.count() == 1
    assert Order.objects.filter(customer=Customer.objects.get()).count() == 3


def test_a_gift_goes_to_the_number_on_it_and_the_account_stays_where_it_was(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266", 联系手机="13800000001")])

    import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000002")])

    assert Customer.objects.count() == 2
    assert CustomerAccount.objects.get().customer.contact_points.get().address == "13800000001"


def test_masked_account_names_are_not_taken_for_one_buyer(db):
    import_orders([taobao("1001", PAID, 买家会员名="t**1"), taobao("1002", PAID, 买家会员名="t**1")])

    assert not CustomerAccount.objects.exists()
    assert set(Order.objects.values_list("customer", flat=True)) == {None}


# What the database keeps ---------------------------------------------------------------------------


def test_the_history_of_an_order_is_neither_changed_nor_deleted(db):
    import_orders([taobao("1001", PAID)])

    for wrong in (lambda: OrderChange.objects.update(to_status="paid"), OrderChange.objects.all().delete):
        with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
            wrong()


@pytest.mark.parametrize("wrong", [{"status": "sent"}, {"platform": "mars"}, {"number": ""}])
def test_the_database_refuses_an_impossible_order(db, wrong):
    import_orders([taobao("1001", PAID)])

    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.update(**wrong)


def test_an_order_has_its_number_once_at_its_platform(db):
    import_orders([taobao("1001", PAID)])

    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.create(number="1001", platform="taobao", status_at=NOW)


def test_nothing_of_the_file_is_left_in_the_connection(db):
    import_bytes((SAMPLES / "jd_orders_sample.csv").read_bytes())

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM staged_order_row")
        assert cursor.fetchone() == (0,)


def test_an_erased_customers_orders_stay_without_a_word_about_the_person(db, django_user_model):
    import_orders([taobao("1001", PAID, 联系手机="13800000001", 收货人姓名="李娜", 买家会员名="tb76266")])
    owner = django_user_model.objects.create_superuser("owner")

    privacy.erase(Customer.objects.get().pk, by=owner, now=NOW)

    order = Order.objects.get()
    assert (order.receiver_name, order.account, order.total) == ("", None, 98)
    assert not CustomerAccount.objects.exists()
    assert not ImportedRow.objects.exclude(name="", phone="").exists()


# Teaching words ------------------------------------------------------------------------------------


def test_a_taught_word_gives_its_status_to_the_orders_that_waited(db, django_user_model):
    import_orders([taobao("1001", "平台介入处理中"), taobao("1002", PAID), jd("9001", "平台介入处理中")][:2])
    clerk = django_user_model.objects.create_user("clerk")
    assert [(word.platform, word.text, word.orders) for word in order_words.unknown_words()] == [
        ("taobao", "平台介入处理中", 1)
    ]

    word = OrderStatusWord(platform="taobao", text="平台介入处理中", meaning="after_sale")
    told = order_words.teach(word, by=clerk, now=NOW)

    assert told == 1
    assert status_of("1001") == "after_sale"
    assert OrderChange.objects.get(actor=clerk).to_status == "after_sale"
    assert order_words.unknown_words() == []


def test_a_taught_word_is_understood_in_the_next_file(db, django_user_model):
    clerk = django_user_model.objects.create_user("clerk")
    word = OrderStatusWord(platform="taobao", text="预售，待付尾款", meaning="unpaid")
    order_words.teach(word, by=clerk, now=NOW)

    import_orders([taobao("1001", "预售,待付尾款")])

    assert status_of("1001") == "unpaid"


def test_a_row_with_more_cells_than_the_header_is_pointed_out(db):
    row = taobao("1001", PAID, 订单付款时间="2026-06-01 10:05:00", 宝贝总数量="1")
    content = table(row, head=list(row))
    imported = import_bytes(content.rstrip() + b",13800138000\r\n")

    assert [problem["code"] for problem in ImportedRow.objects.get(spreadsheet_import=imported).problems] == [
        "too_many_cells"
    ]


def test_a_serial_of_a_workbook_that_counts_from_1904_is_a_moment_of_its_own_calendar(db, tmp_path):
    row = taobao("1001", PAID)
    with xlsxwriter.Workbook(tmp_path / "orders.xlsx", {"date_1904": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(row))
        # 44,712.5 days after 1904-01-01, in a cell that is not formatted as a date.
        sheet.write_row(1, 0, [*row.values()])
        sheet.write_number(1, list(row).index("订单创建时间"), 44_712.5)

    import_bytes((tmp_path / "orders.xlsx").read_bytes(), name="orders.xlsx")

    assert f"{Order.objects.get().ordered_at:%Y-%m-%d %H:%M}" == "2026-06-01 04:00"


def test_a_time_with_a_zone_that_does_not_exist_costs_a_word_and_not_the_file(db):
    imported = import_orders([taobao("1001", PAID, 订单付款时间="2026-06-01 10:05:00 +2500"), taobao("1002", PAID)])

    assert (imported.counts["created"], imported.counts["problem:not_a_moment"]) == (2, 1)
