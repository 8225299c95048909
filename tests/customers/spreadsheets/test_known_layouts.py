"""The exports of well-known systems: each recognized by its headers, whatever stands around them."""

import random

import pytest

from customers.spreadsheets import fields, layouts, rows
from customers.spreadsheets.layouts import BUNDLED, Layout, guess, recognize

BY_KEY = {layout.key: layout for layout in BUNDLED}

# The headers as the systems write them, old and new.
TAOBAO = (
    "订单编号,买家会员名,买家支付宝账号,支付单号,支付详情,买家应付货款,买家应付邮费,买家支付积分,总金额,"
    "返点积分,买家实际支付金额,买家实际支付积分,订单状态,买家留言,收货人姓名,收货地址 ,运送方式,"
    "联系电话 ,联系手机,订单创建时间,订单付款时间 ,宝贝标题 ,宝贝种类 ,物流单号 ,物流公司,订单备注,"
    "宝贝总数量,店铺Id,店铺名称,订单关闭原因,退款金额,预约门店,确认收货时间,打款商家金额,主订单编号"
)
TAOBAO_OLD = TAOBAO.replace("支付单号,支付详情,", "")
TAOBAO_2026 = (
    "订单编号,支付单号,支付详情,总金额,买家实付金额,订单状态,订单创建时间,订单付款时间,商品标题,"
    "卖家服务费,退款金额,发货时间"
)
TMALL_REPORT = "订单编号,总金额,买家实际支付金额,收货地址 ,订单创建时间,订单付款时间 ,退款金额"
DOUYIN = (
    "主订单编号,子订单编号,选购商品,商品规格,商品数量,商品ID,商家编码,订单应付金额,运费,收件人,"
    "收件人手机号,详细地址,订单提交时间,商家备注,支付完成时间,订单完成时间,订单状态,售后状态,取消原因,"
    "发货时间,达人ID,达人昵称"
)
PINDUODUO = (
    "商品,订单号,订单状态,商品总价(元),邮费(元),店铺优惠折扣(元),平台优惠折扣(元),多多支付立减金额(元),"
    "用户实付金额(元),商家实收金额(元),商品数量(件),支付时间,承诺发货时间,承诺送达时间,发货时间,"
    "确认收货时间,商品id,商品规格,快递单号,快递公司,省,市,区,街道/镇,售后状态,订单成交时间,用户购买手机号"
)
JD = (
    "订单号,商品ID,商品名称,订购数量,支付方式,下单时间,京东价,订单金额,结算金额,余额支付,应付金额,"
    "订单状态,订单类型,下单帐号,客户姓名,客户地址,联系电话,订单备注,发票类型,发票抬头,发票内容,商家备注,"
    "商家备注等级（等级1-5为由高到低）,运费金额,付款确认时间,增值税发票,货号,订单完成时间"
)
YOUZAN = (
    "客户姓名,客户昵称,客户手机号,客户生日,客户性别,标签,是否会员,成长值,客户储值余额,上次消费时间,"
    "来源渠道,来源方式,成为客户时间,微信地域"
)
YOUZAN_ORDERS = "订单号,订单创建时间,买家昵称,买家是否会员,买家手机号,交易成功时间,订单实收金额,销售渠道,订单来源"
WEIDIAN = (
    "订单编号,订单状态,下单时间,支付时间,发货时间,确认收货时间,支付方式,订单描述,商品名称,商品型号,"
    "商品编码,商品ID,型号编码,发货状态,商品件数,实付金额,收货人/提货人姓名,收货人/提货人手机号,省,市,区,"
    "收货/提货详细地址,下单模板信息,买家留言,下单账号,下单微信"
)
SHOPIFY = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,"
    "Default Address City,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,"
    "Note,Tax Exempt,Tags"
)
SHOPIFY_OLD = (
    "First Name,Last Name,Email,Accepts Email Marketing,Company,Address1,Address2,City,Province,"
    "Province Code,Country,Country Code,Zip,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Tags,"
    "Note,Tax Exempt"
)
SHOPIFY_ORDERS = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,"
    "Subtotal,Shipping,Taxes,Total,Discount Code,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem sku,Billing Name,Shipping Name,Shipping City,Shipping Province,"
    "Shipping Phone,Notes,Cancelled at,Refunded Amount,Vendor,Id,Tags"
)
MAILCHIMP = (
    "Email Address,First Name,Last Name,Phone Number,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,"
    "CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
)
LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at"
OLIST = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date"
)
ITEMS = "订单编号,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码"
OWN = (
    "姓名,手机号,邮箱,性别,生日,会员等级,标签,城市,省份,会员编号,短信营销,短信关怀,邮件营销,邮件关怀,"
    "备注,成为顾客的日期"
)
OWN_IN_ENGLISH = (
    "Name,Mobile number,E-mail,Gender,Birthday,Tier,Tags,City,Province,Member number,SMS marketing,"
    "SMS care,E-mail marketing,E-mail care,Note,Customer since"
)

EXPORTS = [
    (TAOBAO, "taobao_orders"),
    (TAOBAO_OLD, "taobao_orders"),
    (TAOBAO_2026, "taobao_orders_2026"),
    (TMALL_REPORT, "taobao_orders_report"),
    (ITEMS, "taobao_orders_items"),
    (DOUYIN, "douyin_orders"),
    (PINDUODUO, "pinduoduo_orders"),
    (JD, "jd_orders"),
    (YOUZAN, "youzan_customers"),
    (YOUZAN_ORDERS, "youzan_orders"),
    (WEIDIAN, "weidian_orders"),
    (SHOPIFY, "shopify_customers"),
    (SHOPIFY_OLD, "shopify_customers"),
    (SHOPIFY_ORDERS, "shopify_orders"),
    (MAILCHIMP, "mailchimp_audience"),
    (MAILCHIMP.replace("LAST_CHANGED", "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON"), "mailchimp_audience"),
    (MAILCHIMP.replace("LAST_CHANGED", "CLEAN_TIME,CLEAN_CAMPAIGN_ID"), "mailchimp_cleaned"),
    (LISTMONK, "listmonk_subscribers"),
    ("email,name,attributes", "listmonk_subscribers"),
    (OLIST, "olist_orders"),
    (OWN, "hongyan_customers"),
    (OWN_IN_ENGLISH, "hongyan_customers"),
]
IDS = [f"{key}-{place}" for place, (_line, key) in enumerate(EXPORTS)]


def mapping(line: str, kind: str | None = None) -> dict[str, str]:
    """Which header fills which field of an export."""
    headers = line.split(",")
    kind = kind or recognize(headers).kind
    return {column.field: column.header.strip() for column in guess(headers, [], kind=kind) if column.field}


@pytest.mark.parametrize(("line", "key"), EXPORTS, ids=IDS)
def test_an_export_is_recognized_as_it_comes(line, key):
    assert recognize(line.split(",")).key == key


@pytest.mark.parametrize(("line", "key"), EXPORTS, ids=IDS)
def test_an_export_is_recognized_in_whatever_order_and_dress_its_columns_come(line, key):
    dresses = ["* {}", "{} ", "　{}", "{}\n", "{}（必填）", "【{}】", "\ufeff{}", "{}*", "{}:", '"{}"']
    chance = random.Random(key)
    headers = [chance.choice(dresses).format(name.strip()) for name in line.split(",")]
    headers += ["店长批注", "Extra column", ""]
    chance.shuffle(headers)

    assert recognize(headers).key == key


@pytest.mark.parametrize(("line", "key"), EXPORTS, ids=IDS)
def test_each_field_of_an_export_is_filled_by_one_column(line, key):
    headers = line.split(",")
    for kind in ("customers", "orders"):
        chosen = [column.field for column in guess(headers, [], kind=kind) if column.field]
        offered = {field.key for field in fields.fields_of(kind)}

        assert len(chosen) == len(set(chosen))
        assert set(chosen) <= offered


@pytest.mark.parametrize("layout", BUNDLED, ids=lambda layout: layout.key)
def test_a_layout_says_of_its_own_columns_only_what_its_kind_can_hold(layout):
    named = {field for field in layout.fields.values() if field}
    # An order export may say whether its buyer agreed to marketing: of use where it is imported as customers.
    allowed = {field.key for field in fields.fields_of(layout.kind)} | {"email_consent"}

    assert named <= allowed
    assert set(layout.consent_words.values()) <= {"yes", "no", "opt_out", "unknown"}
    assert len(layout.required) >= 2


def test_an_order_export_fills_orders_or_customers():
    assert mapping(TAOBAO) == mapping(TAOBAO, "orders")
    assert mapping(TAOBAO, "orders")["receiver_name"] == "收货人姓名"
    assert mapping(TAOBAO, "orders")["paid"] == "买家实际支付金额"
    assert mapping(TAOBAO, "customers") == {"name": "收货人姓名", "phone": "联系手机"}
    assert mapping(DOUYIN, "customers") == {"name": "收件人", "phone": "收件人手机号"}


def test_every_order_export_names_number_and_time():
    for line, key in EXPORTS:
        if BY_KEY[key].kind == "orders" and key != "taobao_orders_items":
            found = mapping(line)
            assert "order_number" in found, key
            assert found.keys() & {"ordered_at", "paid_at"}, key
            assert "status" in found or key in ("taobao_orders_report", "youzan_orders"), key


def test_a_shopify_order_export_keeps_who_accepts_marketing_for_its_customers():
    found = mapping(SHOPIFY_ORDERS, "customers")

    assert found["email_consent"] == "Accepts Marketing"
    assert found["phone"] == "Shipping Phone"
    assert mapping(SHOPIFY_ORDERS, "orders")["order_number"] == "Name"
    assert "email_consent" not in mapping(SHOPIFY_ORDERS, "orders")


def test_the_phone_of_the_customer_is_preferred_to_that_of_an_address():
    assert mapping(SHOPIFY)["phone"] == "Phone"
    assert mapping(SHOPIFY.replace(",Phone,", ","))["phone"] == "Default Address Phone"


def test_a_mailchimp_export_of_those_who_left_says_when():
    left = MAILCHIMP.replace("LAST_CHANGED", "UNSUB_TIME")

    assert mapping(left)["opted_out_at"] == "UNSUB_TIME"
    assert "opted_out_at" not in mapping(MAILCHIMP)
    assert "region" not in mapping(MAILCHIMP)


def test_the_words_of_mailing_tools_are_known_and_an_open_account_is_no_consent():
    assert BY_KEY["listmonk_subscribers"].consent_words["blocklisted"] == "opt_out"
    assert BY_KEY["listmonk_subscribers"].consent_words["enabled"] == "unknown"
    assert BY_KEY["mailchimp_audience"].consent_words["unsubscribed"] == "opt_out"


def test_hongyans_own_export_says_of_each_channel_and_purpose_what_was_answered():
    for line in (OWN, OWN_IN_ENGLISH):
        found = mapping(line)
        assert {"sms_marketing", "sms_care", "email_marketing", "email_care"} <= found.keys()
        assert len(found) == 16
    assert mapping("姓名,手机号,短信营销", "customers")["sms_consent"] == "短信营销"


def test_a_column_that_the_shop_added_to_an_export_is_understood_too():
    found = mapping(YOUZAN + ",是否同意接收短信,会员卡号")

    assert found["sms_consent"] == "是否同意接收短信"
    assert found["external_id"] == "会员卡号"
    assert "客户昵称" not in found.values()


def test_the_shops_own_layout_wins_over_the_one_it_was_copied_from():
    own = Layout(
        key="youzan_customers-1",
        label="有赞（本店）",
        required=("客户姓名", "客户手机号"),
        fields={"客户手机号": "phone", "客户昵称": "name"},
        is_bundled=False,
    )

    columns = guess(YOUZAN.split(","), [], layouts=(own, *BUNDLED))

    assert recognize(YOUZAN.split(","), (own, *BUNDLED)) is own
    assert {column.field: column.header for column in columns if column.field}["name"] == "客户昵称"


def test_one_of_several_names_is_enough_to_recognize_a_column():
    own = Layout("own_customers-1", "收银台", ("会员号 | 卡号", "电话"), {"会员号": "external_id"}, is_bundled=False)

    assert recognize(["卡号", "电话"], [own]) is own
    assert recognize(["会员号", "电话"], [own]) is own
    assert recognize(["电话"], [own]) is None
    assert recognize(["电话"], [Layout("own_customers-2", "空", (), {})]) is None


def test_a_list_that_nobody_knows_is_recognized_as_nothing():
    for headers in (["姓名", "手机号"], ["Name", "Email", "Phone"], ["订单号", "姓名", "手机号"], []):
        assert recognize(headers) is None


def test_the_columns_of_an_unknown_order_list_are_guessed_by_their_words():
    headers = ["下单日期", "订单号", "商品", "数量", "实付款", "收货人", "手机", "状态", "运单号"]

    found = {column.field: column.header for column in guess(headers, [], kind="orders") if column.field}

    assert found["order_number"] == "订单号"
    assert found["receiver_name"] == "收货人"
    assert found["phone"] == "手机"
    assert found["tracking_number"] == "运单号"
    assert found["status"] == "状态"
    assert found["paid"] == "实付款"


def test_the_bundled_rows_are_the_bundled_layouts():
    assert tuple(map(layouts.of_row, layouts.bundled_rows())) == BUNDLED
    assert len({layout.key for layout in BUNDLED}) == len(BUNDLED)


def test_dates_that_nobody_can_tell_are_dates_all_the_same():
    columns = guess(["手机号", "生日"], [["13800000001", "5/3/1990"], ["13800000002", "4/2/1991"]] * 3)

    assert [column.field for column in columns] == ["phone", "birthday"]


def test_a_field_of_customers_is_read_or_waits_for_its_place():
    assert {field.key for field in fields.FIELDS if field.key in rows.READ_FIELDS} >= {"phone", "birthday", "tags"}


def test_of_the_columns_for_the_number_shopify_fills_one():
    headers = ["Name", "Financial Status", "Fulfillment Status", "Lineitem name", "Created at", "Billing Phone"]
    headers += ["Shipping Phone", "Phone"]
    row = ["#1001", "paid", "fulfilled", "茶", "2026-05-01 10:00:00 +0200", "", "13800138000", ""]

    for kind in ("orders", "customers"):
        found = {column.field: column.header for column in layouts.guess(headers, [row], kind=kind)}
        assert found["phone"] == "Shipping Phone"
    assert layouts.recognize(headers).key == "shopify_orders"
