"""Which column is guessed to be what, and how that is said."""

import pytest

from customers.spreadsheets import fields, header_words, layouts
from customers.spreadsheets.faults import Unreadable
from customers.spreadsheets.layouts import guess


def mapping(headers, rows=()):
    return {column.field: column.header for column in guess(headers, rows) if column.field}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("手机号", "phone"),
        ("* 手机号码（必填）", "phone"),
        ("收货人手机", "phone"),
        ("联系电话 ", "phone"),
        ("Phone Number", "phone"),
        ("MOBILE", "phone"),
        ("会员\n姓名", "name"),
        ("电子邮箱", "email"),
        ("E-mail", "email"),
        ("出生日期", "birthday"),
        ("Date of Birth", "birthday"),
        ("性别", "gender"),
        ("客户标签", "tags"),
        ("会员等级", "tier"),
        ("所在城市", "city"),
        ("省份", "province"),
        ("会员卡号", "external_id"),
        ("备注", "note"),
        ("是否同意接收短信", "sms_consent"),
        ("Accepts SMS Marketing", "sms_consent"),
        ("Accepts Email Marketing", "email_consent"),
        ("是否接受营销", "consent"),
        ("累计消费金额(元)", "total_spent"),
        ("注册时间", "created_on"),
        ("是否手机订单", None),
        ("手机归属地", None),
        ("店铺电话", None),
        ("成长值", None),
    ],
)
def test_a_header_is_understood_in_both_languages(header, field):
    assert [column.field for column in guess([header], [])] == [field]


def test_the_mobile_column_is_preferred_to_the_telephone_column():
    columns = guess(["联系电话 ", "联系手机"], [["0571-88886666", "13800138000"]] * 5)

    assert [column.field for column in columns] == [None, "phone"]
    assert columns[0].sentence % columns[0].values == (
        "“联系电话 ” could be Mobile number too, but “联系手机” is preferred."
    )
    assert columns[1].sentence % columns[1].values == (
        "“联系手机” is read as Mobile number: 5 of the first 5 cells fit."
    )


def test_contents_that_contradict_the_header_win():
    rows = [["手机订单", "13800138000"]] * 10

    assert mapping(["手机", "号码"], rows) == {"phone": "号码"}
    assert guess(["手机", "号码"], rows)[0].confidence == 0


def test_contents_support_a_guess():
    empty = guess(["手机号"], [[""]])[0]
    full = guess(["手机号"], [["13800138000"]] * 3)[0]

    assert full.confidence > empty.confidence > 0
    assert empty.sentence % empty.values == "“手机号” is read as Mobile number; its first cells are empty."


def test_contents_alone_can_tell_a_phone_and_an_address():
    rows = [["a", "13800138000", "a@example.com"]] * 4

    assert mapping(["列1", "列2", "列3"], rows) == {"phone": "列2", "email": "列3"}


def test_each_field_is_filled_by_one_column():
    assert sorted(mapping(["手机号", "手机", "电话", "姓名", "客户姓名", "标签", "Tags"])) == ["name", "phone", "tags"]


def test_youzan_and_shopify_are_recognized_whatever_else_the_file_holds():
    youzan = ["客户姓名", "客户昵称", "客户手机号", "客户生日", "客户性别", "标签", "是否会员", "成为客户时间"]
    shopify = ["First Name", "Last Name", "Email", "Accepts Email Marketing", "Total Spent"]
    shopify += ["Default Address Phone", "Phone", "Accepts SMS Marketing"]

    assert layouts.recognize(youzan).key == "youzan_customers"
    assert "是否会员" not in mapping(youzan).values()
    assert layouts.recognize(shopify).key == "shopify_customers"
    assert mapping(shopify)["phone"] == "Phone"
    assert layouts.recognize(["姓名", "手机号"]) is None


def test_a_layout_maps_only_to_fields_that_exist():
    for layout in layouts.BUNDLED:
        assert set(layout.fields.values()) <= {"", *fields.FIELD}
    assert {*header_words.WORDS, *header_words.ORDER_WORDS} <= fields.FIELD.keys()
    assert {field for _, field in header_words.PARTS} <= fields.FIELD.keys()


def test_a_file_without_any_contact_is_refused_with_its_headers():
    columns = guess(["姓名", "成长值"], [["王", "5"]])

    with pytest.raises(Unreadable) as refusal:
        layouts.require_contact(columns)

    assert refusal.value.code == "no_contact_column"
    assert "姓名、成长值" in str(refusal.value)


def test_a_file_with_addresses_only_is_welcome():
    layouts.require_contact(guess(["Email"], [["a@example.com"]]))


def test_the_order_export_of_pinduoduo_is_refused_for_what_it_is():
    headers = ["订单号", "多多支付立减金额(元)", "用户实付金额(元)", "用户购买手机号"]
    rows = [["260605-834133413552561", "0.00\t", "27.90\t", ""]]

    with pytest.raises(Unreadable) as refusal:
        layouts.require_contact(guess(headers, rows), rows)
    assert refusal.value.code == "pinduoduo_orders"

    filled = [[*rows[0][:3], "13800138000"]]
    layouts.require_contact(guess(headers, filled), filled)


def test_the_name_of_a_layout_depends_on_the_columns_and_their_order_only():
    assert layouts.key(["姓名", "手机号"]) == layouts.key([" 姓名", "手机号*"]) != layouts.key(["手机号", "姓名"])
    assert len(layouts.key(["姓名"])) == 32
