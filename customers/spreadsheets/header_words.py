"""The words that shops write above the columns of a file, by the field that they mean, as data."""

import re
import unicodedata

# Header words of customer files, the surest of each field first; compared as `normal` writes them.
_CUSTOMER_WORDS = {
    "phone": (
        "手机号 手机号码 手机 联系手机 客户手机号 会员手机号 会员手机 会员手机号码 买家手机号 "
        "顾客手机号 收货人手机号 收货人手机 收件人手机号 收件人手机 收货人提货人手机号 "
        "收货人/提货人手机号 绑定手机 绑定手机号 注册手机号 本人手机 用户手机号 用户购买手机号 "
        "移动电话 手机电话 手机/电话 mobile mobilephone mobilenumber mobileno cellphone cell "
        "phone phonenumber phoneno customerphone smsphone smsphonenumber whatsapp 收货人电话 "
        "收件人电话 客户电话 会员电话 电话 电话号码 联系方式 联系电话 telephone tel contactnumber "
        "contact billingphone shippingphone defaultaddressphone"
    ),
    "email": (
        "邮箱 电子邮箱 邮箱地址 电子邮件 邮件 email emailaddress e-mail mail 客户邮箱 会员邮箱 "
        "customeremail e-mailaddress"
    ),
    "name": (
        "姓名 客户姓名 会员姓名 顾客姓名 真实姓名 客户名称 会员名称 收货人姓名 收件人姓名 联系人 "
        "名字 名称 收货人 收件人 客户 会员 顾客 称呼 客户名 name fullname customername customer "
        "membername 收货人提货人姓名 收货人/提货人姓名 买家姓名"
    ),
    "last_name": "姓 姓氏 lastname familyname surname",
    "first_name": "名 firstname givenname",
    "birthday": (
        "生日 出生日期 客户生日 会员生日 出生年月日 顾客生日 生日日期 公历生日 阳历生日 birthday "
        "birthdate dateofbirth dob 出生年月"
    ),
    "lunar_birthday": "农历生日 阴历生日 生日农历 旧历生日 lunarbirthday",
    "gender": "性别 客户性别 会员性别 gender sex",
    "tags": "标签 客户标签 会员标签 用户标签 分组 客户分组 tags tag labels groups",
    "tier": (
        "会员等级 等级 客户等级 会员级别 级别 会员卡等级 会员类型 tier level membership "
        "memberlevel viplevel vip等级 loyaltytier"
    ),
    "province": "省 省份 所在省 所在省份 收货省 province state defaultaddressprovince",
    "city": "市 城市 所在城市 所在市 收货市 city town defaultaddresscity shippingcity",
    "region": "地区 所在地 所在地区 省市 地域 微信地域 区域 region location",
    "external_id": (
        "客户编号 会员编号 会员号 会员卡号 卡号 会员id 客户id 用户id 客户号 编号 customerid "
        "memberid membernumber cardnumber userid externalid 会员编码 客户编码"
    ),
    "note": "备注 客户备注 会员备注 说明 note notes remark remarks comment comments memo",
    "consent": (
        "营销同意 同意营销 是否同意营销 接受营销 接受推广 是否接受营销 接收营销 接收营销信息 "
        "是否接收营销信息 是否同意接收营销信息 同意接收营销信息 是否订阅 订阅 接收推送 同意接收 "
        "是否同意 acceptsmarketing marketingconsent consent optin optedin subscribed marketing "
        "是否同意接收"
    ),
    "sms_consent": (
        "短信同意 同意短信 是否同意短信 接受短信 接收短信 是否接收短信 是否接受短信 短信订阅 "
        "短信营销 同意接收短信 是否同意接收短信 接收短信营销 是否接收营销短信 同意接收营销短信 "
        "接收营销短信 acceptssmsmarketing smsconsent smsoptin smsmarketing smssubscribed "
        "smsmarketingconsent 允许短信 允许发短信 是否同意接收营销短信 是否允许短信 短信许可 "
        "营销短信"
    ),
    "email_consent": (
        "邮件同意 同意邮件 是否同意邮件 接受邮件 接收邮件 邮件订阅 是否接收邮件 同意接收邮件 "
        "acceptsemailmarketing emailconsent emailoptin emailmarketing emailsubscribed "
        "emailmarketingconsent 是否同意接收邮件 允许邮件"
    ),
    # Only names that say it of the customer: 黑名单 and 状态 may mean anything.
    "opted_out_at": (
        "退订时间 退订日期 是否退订 是否已退订 已退订 退订 短信退订 是否退订短信 退订状态 拒收时间 "
        "是否拒收 是否拒收短信 拒收短信 拒收营销短信 拒收 取消订阅时间 是否取消订阅 unsubscribed "
        "isunsubscribed unsubscribedat unsubscribetime unsubtime optedout optout optedoutat optoutat "
        "optouttime optoutdate smsoptout donotcontact donotsms"
    ),
    "total_spent": (
        "累计消费 累计消费金额 消费金额 消费总额 总消费 累计金额 总消费金额 交易总额 totalspent "
        "lifetimevalue ltv amountspent"
    ),
    "created_on": (
        "注册时间 注册日期 成为客户时间 入会时间 入会日期 开卡时间 开卡日期 加入时间 办卡日期 "
        "创建时间 createdat created joined joindate registrationdate signupdate customersince"
    ),
}

# Those of order files, beside the addresses and places, which are called as in a customer file.
_ORDER_WORDS = {
    "order_number": (
        "订单编号 订单号 主订单编号 主订单号 订单id 订单流水号 交易编号 交易单号 ordernumber orderno orderid"
    ),
    "sub_order_number": "子订单编号 子订单号 子订单id 明细编号 suborderid itemid orderitemid",
    "status": "订单状态 交易状态 订单状态名称 orderstatus financialstatus 状态 status",
    "after_sale_status": "售后状态 退款状态 售后单状态 退款/售后状态 售后/退款状态 aftersalestatus refundstatus",
    "buyer_name": (
        "买家会员名 买家昵称 下单帐号 下单账号 买家账号 买家帐号 买家id 用户昵称 买家 会员昵称 "
        "buyernick buyer customerid"
    ),
    "total": (
        "总金额 订单总金额 订单金额 订单总额 订单应付金额 商品总价 应付金额 应付总额 合计金额 "
        "total ordertotal totalprice amount"
    ),
    "paid": (
        "买家实际支付金额 买家实付金额 用户实付金额 实付金额 实付款 订单实付金额 订单实收金额 "
        "实收金额 支付金额 付款金额 结算金额 amountpaid paidamount paymentvalue"
    ),
    "refund": "退款金额 已退款金额 退款总额 refundedamount refundamount refund",
    "ordered_at": (
        "订单创建时间 下单时间 订单提交时间 订单成交时间 拍下时间 订购时间 创建时间 下单日期 "
        "订单时间 orderedat ordertime orderdate orderpurchasetimestamp createdat"
    ),
    "paid_at": (
        "订单付款时间 付款时间 支付时间 支付完成时间 付款确认时间 付款日期 paidat paymenttime orderapprovedat"
    ),
    "shipped_at": ("发货时间 订单发货时间 发货日期 fulfilledat shippedat shippingtime orderdeliveredcarrierdate"),
    "delivered_at": "签收时间 送达时间 妥投时间 deliveredat deliverytime orderdeliveredcustomerdate",
    "completed_at": "确认收货时间 交易成功时间 订单完成时间 完成时间 交易完成时间 交易结束时间 completedat",
    "closed_at": "订单关闭时间 关闭时间 取消时间 订单取消时间 cancelledat canceledat closedat",
    "closed_reason": "订单关闭原因 关闭原因 取消原因 订单取消原因 cancelreason cancellationreason",
    "product": (
        "宝贝标题 商品标题 商品名称 选购商品 宝贝名称 产品名称 商品信息 商品 品名 productname "
        "product lineitemname itemname title"
    ),
    "product_id": "商品id 宝贝id 商品编号 产品编号 productid sku lineitemsku 商家编码 商品编码 货号",
    "category": "宝贝种类 商品类目 类目 商品分类 品类 category productcategoryname",
    "quantity": "宝贝总数量 商品数量 订购数量 购买数量 商品件数 数量 件数 quantity lineitemquantity qty",
    "price": "商品单价 单价 京东价 商品价格 售价 price lineitemprice unitprice",
    "carrier": "物流公司 快递公司 承运商 物流名称 快递名称 carrier trackingcompany shippingcarrier",
    "tracking_number": ("物流单号 快递单号 运单号 运单编号 物流编号 快递编号 trackingnumber trackingno waybillnumber"),
    "receiver_name": (
        "收货人姓名 收件人姓名 收货人 收件人 收货人/提货人姓名 客户姓名 买家姓名 姓名 "
        "shippingname receivername recipient"
    ),
    "shop_name": "店铺名称 店铺 网店名称 shopname store storename",
}

WORDS: dict[str, list[str]] = {field: words.split() for field, words in _CUSTOMER_WORDS.items()}
ORDER_WORDS: dict[str, list[str]] = {
    **{field: words.split() for field, words in _ORDER_WORDS.items()},
    **{field: WORDS[field] for field in ("phone", "email", "province", "city", "note")},
}

# Words inside a longer header that still say what it is, with a lower standing.
PARTS: list[tuple[str, str]] = [
    *[("手机号", "phone"), ("手机", "phone"), ("mobile", "phone"), ("email", "email"), ("邮箱", "email")],
    *[
        ("公历", "birthday"),
        ("阳历", "birthday"),
        ("农历", "lunar_birthday"),
        ("阴历", "lunar_birthday"),
        ("生日", "birthday"),
        ("出生", "birthday"),
        ("birth", "birthday"),
        ("性别", "gender"),
        ("姓名", "name"),
    ],
    *[("标签", "tags"), ("等级", "tier"), ("联系电话", "phone"), ("电话", "phone"), ("phone", "phone")],
]

# Words that make a header mean something else although it holds one of the words above.
NOT_CONTACT = (
    *("订单", "是否", "时间", "状态", "归属", "运营商", "店铺", "门店", "品牌", "型号", "备注"),
    *("同意", "订阅", "接收", "接受"),
)

# Taken in full-width form too, since every header is brought to NFKC first.
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|<[^<>]*>|\{[^{}]*\}")
_NOISE = re.compile(r"[\s*:;\"'`=_\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x1f]+")


def _ranks(table: dict[str, list[str]]) -> dict[str, tuple[str, int]]:
    return {word: (field, rank) for field, words in table.items() for rank, word in reversed(list(enumerate(words)))}


WORD_RANK = _ranks(WORDS)
ORDER_WORD_RANK = _ranks(ORDER_WORDS)


def normal(header: object) -> str:
    """Write a header as the tables compare it: NFKC, lower case, without white space, `*` and brackets."""
    text = unicodedata.normalize("NFKC", str(header)).lower()
    bare = _NOISE.sub("", _BRACKETS.sub("", text))
    return bare or _NOISE.sub("", text.strip("()[]【】<>{}"))
