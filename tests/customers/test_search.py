"""The search box and the filters of the customer list."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import clock
from customers.choices import Channel, ImportStatus, RowOutcome
from customers.models import ContactPoint, Customer, CustomerTag, ImportedRow, SpreadsheetImport, Tag, Tier
from tests import cast
from tests.customers import shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(db):
    return shop.browser(shop.staff("view_customer"))


def found(clerk, **question) -> list[str]:
    return shop.names_in(clerk.get(shop.LIST, question))


@pytest.mark.parametrize(
    "typed",
    ["13800000001", "138 0000 0001", "+86 138-0000-0001", "0086138 0000 0001", "\t13800000001", "手机:13800000001"],
)
def test_a_whole_number_is_found_however_it_is_written(clerk, typed):
    cast.li_na()
    cast.wang_wei()

    assert found(clerk, q="13800000001") == ["李娜"]
    assert found(clerk, q=typed) == ["李娜"]


def test_full_width_digits_are_the_same_number(clerk):
    cast.li_na()

    assert found(clerk, q="１３８０００００００１") == ["李娜"]


def test_the_last_four_digits_find_everybody_whose_number_ends_so(clerk):
    cast.li_na()
    cast.customer("赵敏", phone="13911110001")
    cast.wang_wei()

    assert found(clerk, q="0001") == ["赵敏", "李娜"]


def test_a_customer_with_two_numbers_of_the_same_ending_is_listed_once(clerk):
    person = cast.li_na()
    ContactPoint.objects.create(customer=person, channel=Channel.SMS, address="13911110001", is_primary=False)

    assert found(clerk, q="0001") == ["李娜"]


def test_a_name_is_found_by_its_beginning_and_not_by_its_end(clerk):
    cast.li_na()

    assert found(clerk, q="李") == ["李娜"]
    assert found(clerk, q="娜") == []


@pytest.mark.parametrize("typed", ["anna", "ANNA", "Anna s"])
def test_latin_names_are_found_in_capitals_or_not(clerk, typed):
    cast.customer("Anna Smith")

    assert found(clerk, q=typed) == ["Anna Smith"]


def test_an_email_address_is_found_in_capitals_or_not(clerk):
    cast.zhang_min()

    assert found(clerk, q="Zhang.Min@Example.com") == ["张敏"]


def test_a_number_of_the_shops_own_system_is_found(clerk):
    Customer.objects.create(name="孙丽", external_id="VIP-77")

    assert found(clerk, q="VIP-77") == ["孙丽"]


def test_a_part_of_a_number_is_answered_with_advice(clerk):
    response = clerk.get(shop.LIST, {"q": "138000"})

    assert "by all its eleven digits or by the last four" in shop.sentences(response)


@pytest.mark.parametrize(
    "typed", ["x" * 10_000, "%", "_", "'; DROP TABLE customers_customer; --", "{{7*7}}", "\\", "李\x00"]
)
def test_strange_searches_find_nobody_and_break_nothing(clerk, typed):
    cast.li_na()

    response = clerk.get(shop.LIST, {"q": typed})

    assert response.status_code == 200
    assert shop.names_in(response) in ([], ["李娜"] if "\x00" in typed else [])


def test_too_long_a_search_is_refused_with_a_sentence(clerk):
    assert "The search is too long" in shop.sentences(clerk.get(shop.LIST, {"q": "x" * 10_000}))


def test_tag_tier_city_and_birthday_narrow_the_list(clerk):
    gold, tag = Tier.objects.create(name="金卡"), Tag.objects.create(name="老客")
    person = cast.li_na()
    Customer.objects.filter(pk=person.pk).update(tier=gold, city="杭州市", birth_month=5, birth_day=4)
    CustomerTag.objects.create(customer=person, tag=tag)
    cast.wang_wei()

    for question in ({"tag": tag.pk}, {"tier": gold.pk}, {"city": "杭州市"}, {"birth_month": 5}):
        assert found(clerk, **question) == ["李娜"]
    assert found(clerk, birth_month="unknown") == ["王伟"]
    assert found(clerk, tag=tag.pk, tier=gold.pk, city="杭州市", birth_month=5, q="李") == ["李娜"]


@pytest.mark.parametrize(
    ("answer", "names"),
    [("granted", ["李娜"]), ("withdrawn", ["王伟"]), ("never", ["陈洁", "张敏"])],
)
def test_consent_narrows_the_list_to_one_answer(clerk, answer, names):
    for person in (cast.li_na, cast.wang_wei, cast.zhang_min, cast.chen_jie):
        person()
    # Who has no number was asked about e-mail only.
    Customer.objects.get(name="张敏").consents.filter(channel=Channel.SMS).delete()

    assert found(clerk, consent=f"sms.marketing.{answer}") == names


def test_the_customers_of_a_file_are_listed(clerk):
    person, now = cast.li_na(), clock.now()
    cast.wang_wei()
    file = SpreadsheetImport.objects.create(
        file_name="会员.xlsx", status=ImportStatus.DONE, created_at=now, finished_at=now
    )
    ImportedRow.objects.create(spreadsheet_import=file, number=2, outcome=RowOutcome.CREATED, customer=person)

    assert found(clerk, **{"import": file.pk}) == ["李娜"]


@pytest.mark.parametrize(
    "question",
    [
        {"tag": "abc"},
        {"tag": "9" * 40},
        {"tier": "-1"},
        {"consent": "sms.marketing"},
        {"consent": "sms.transactional.granted"},
        {"consent": "x.y.z"},
        {"birth_month": "13"},
        {"import": "１"},
        {"city": "x" * 300},
        {"last_contact": "within_99999"},
    ],
)
def test_a_filter_value_without_meaning_shows_nobody_and_says_so(clerk, question):
    cast.li_na()

    response = clerk.get(shop.LIST, question)

    assert shop.names_in(response) == []
    assert "does not know this value" in shop.sentences(response)


@pytest.mark.parametrize("look_up", ["contact_points__address__startswith", "tier__customers__note", "password"])
def test_other_tables_cannot_be_read_through_the_address(clerk, look_up):
    cast.li_na()

    assert clerk.get(shop.LIST, {look_up: "1"}).status_code in (400, 302)


def test_the_list_is_never_counted_nor_sorted_by_a_column(clerk):
    cast.crowd(120)

    with CaptureQueriesContext(connection) as captured:
        response = clerk.get(shop.LIST, {"o": "1", "p": "2", "all": ""})

    statements = [query["sql"] for query in captured if "customers_customer" in query["sql"]]
    assert not [sql for sql in statements if "COUNT(" in sql and "LIMIT" not in sql]
    assert not [sql for sql in statements if "DISTINCT" in sql or 'ORDER BY "customers_customer"."name"' in sql]
    assert len(response.context["cl"].result_list) == 50


def test_the_number_of_queries_does_not_grow_with_the_page(clerk):
    cast.crowd(3)
    with CaptureQueriesContext(connection) as few:
        clerk.get(shop.LIST)

    cast.crowd(45, first_phone=13700000000)
    with CaptureQueriesContext(connection) as many:
        clerk.get(shop.LIST)

    assert len(many) <= len(few)


def test_pages_follow_each_other_without_gap_or_repetition(clerk):
    cast.crowd(120)

    pages = [shop.names_in(clerk.get(shop.LIST, {"p": number})) for number in (1, 2, 3)]

    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({name for page in pages for name in page}) == 120


def test_a_page_behind_the_last_shows_the_last(clerk):
    cast.crowd(60)

    assert len(shop.names_in(clerk.get(shop.LIST, {"p": "99999999"}))) == 10


def test_the_list_says_how_many_there_are(clerk):
    cast.li_na()

    assert "1 customer" in shop.sentences(clerk.get(shop.LIST))


def test_cities_are_suggested_in_the_order_of_a_chinese_dictionary(clerk):
    for city in ("上海市", "北京市", "杭州市", "北京市", ""):
        Customer.objects.create(name="客户", city=city)

    assert Customer.objects.cities() == ["北京市", "杭州市", "上海市"]


def test_the_present_filter_is_handed_to_a_new_segment_by_those_who_may_make_one():
    marketer = shop.browser(shop.staff("view_customer", "add_segment", name="marketer"))
    clerk = shop.browser(shop.staff("view_customer"))

    offered = marketer.get(shop.LIST, {"city": "杭州市", "q": "李", "p": "2"}).context["segment_url"]

    question = parse_qs(parse_qs(urlsplit(offered).query)["from"][0])
    assert question == {"city": ["杭州市"], "q": ["李"]}
    assert clerk.get(shop.LIST, {"city": "杭州市"}).context["segment_url"] == ""
    assert marketer.get(shop.LIST).context["segment_url"] == ""
