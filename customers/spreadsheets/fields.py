"""What a customer file can fill, and the words that shops write above such columns, as data."""

import re
import unicodedata
from typing import NamedTuple

from customers.msgid import _


class Field(NamedTuple):
    """Something about a customer that a column can fill."""

    key: str
    label: str
    kind: str
    longest: int = 100


FIELDS: tuple[Field, ...] = (
    Field("phone", _("Mobile number"), "phone"),
    Field("email", _("E-mail address"), "email", 254),
    Field("name", _("Name"), "name"),
    Field("last_name", _("Family name"), "name", 50),
    Field("first_name", _("Given name"), "name", 50),
    Field("birthday", _("Birthday"), "birthday"),
    Field("gender", _("Gender"), "gender"),
    Field("tags", _("Tags"), "tags", 50),
    Field("tier", _("Tier"), "text", 50),
    Field("province", _("Province"), "text", 50),
    Field("city", _("City"), "text", 50),
    Field("region", _("Province and city"), "region"),
    Field("external_id", _("Customer number"), "text"),
    Field("note", _("Note"), "note", 2000),
    Field("consent", _("Allows marketing on every channel"), "consent"),
    Field("sms_consent", _("Allows marketing by SMS"), "consent"),
    Field("email_consent", _("Allows marketing by e-mail"), "consent"),
    Field("total_spent", _("Total spent"), "amount"),
    Field("created_on", _("Customer since"), "date"),
)

FIELD: dict[str, Field] = {field.key: field for field in FIELDS}

# Header words by field, the surest first; compared as `normal` writes them.
WORDS: dict[str, list[str]] = {
    "phone": [
        *[
            "手机号",
            "手机号码",
            "手机",
            "联系手机",
            "客户手机号",
            "会员手机号",
            "会员手机",
            "会员手机号码",
            "买家手机号",
        ],
        *[
            "顾客手机号",
            "收货人手机号",
            "收货人手机",
            "收件人手机号",
            "收件人手机",
            "收货人提货人手机号",
            "收货人/提货人手机号",
        ],
        *[
            "绑定手机",
            "绑定手机号",
            "注册手机号",
            "本人手机",
            "用户手机号",
            "用户购买手机号",
            "移动电话",
            "手机电话",
            "手机/电话",
        ],
        *["mobile", "mobilephone", "mobilenumber", "mobileno", "cellphone", "cell", "phone", "phonenumber", "phoneno"],
        *[
            "customerphone",
            "smsphone",
            "smsphonenumber",
            "whatsapp",
            "收货人电话",
            "收件人电话",
            "客户电话",
            "会员电话",
        ],
        *["电话", "电话号码", "联系方式", "联系电话", "telephone", "tel", "contactnumber", "contact", "billingphone"],
        *["shippingphone", "defaultaddressphone"],
    ],
    "email": [
        *[
            "邮箱",
            "电子邮箱",
            "邮箱地址",
            "电子邮件",
            "邮件",
            "email",
            "emailaddress",
            "e-mail",
            "mail",
            "客户邮箱",
            "会员邮箱",
        ],
        *["customeremail", "e-mailaddress"],
    ],
    "name": [
        *[
            "姓名",
            "客户姓名",
            "会员姓名",
            "顾客姓名",
            "真实姓名",
            "客户名称",
            "会员名称",
            "收货人姓名",
            "收件人姓名",
            "联系人",
        ],
        *[
            "名字",
            "名称",
            "收货人",
            "收件人",
            "客户",
            "会员",
            "顾客",
            "称呼",
            "客户名",
            "name",
            "fullname",
            "customername",
        ],
        *["customer", "membername", "收货人提货人姓名", "收货人/提货人姓名", "买家姓名"],
    ],
    "last_name": ["姓", "姓氏", "lastname", "familyname", "surname"],
    "first_name": ["名", "firstname", "givenname"],
    "birthday": [
        *["生日", "出生日期", "客户生日", "会员生日", "出生年月日", "顾客生日", "生日日期", "公历生日", "阳历生日"],
        *["birthday", "birthdate", "dateofbirth", "dob", "出生年月"],
    ],
    "gender": ["性别", "客户性别", "会员性别", "gender", "sex"],
    "tags": ["标签", "客户标签", "会员标签", "用户标签", "分组", "客户分组", "tags", "tag", "labels", "groups"],
    "tier": [
        *["会员等级", "等级", "客户等级", "会员级别", "级别", "会员卡等级", "会员类型", "tier", "level", "membership"],
        *["memberlevel", "viplevel", "vip等级", "loyaltytier"],
    ],
    "province": ["省", "省份", "所在省", "所在省份", "收货省", "province", "state", "defaultaddressprovince"],
    "city": ["市", "城市", "所在城市", "所在市", "收货市", "city", "town", "defaultaddresscity", "shippingcity"],
    "region": ["地区", "所在地", "所在地区", "省市", "地域", "微信地域", "区域", "region", "location"],
    "external_id": [
        *["客户编号", "会员编号", "会员号", "会员卡号", "卡号", "会员id", "客户id", "用户id", "客户号", "编号"],
        *["customerid", "memberid", "membernumber", "cardnumber", "userid", "externalid", "会员编码", "客户编码"],
    ],
    "note": [
        "备注",
        "客户备注",
        "会员备注",
        "说明",
        "note",
        "notes",
        "remark",
        "remarks",
        "comment",
        "comments",
        "memo",
    ],
    "consent": [
        *["营销同意", "同意营销", "是否同意营销", "接受营销", "接受推广", "是否接受营销", "接收营销", "接收营销信息"],
        *[
            "是否接收营销信息",
            "是否同意接收营销信息",
            "同意接收营销信息",
            "是否订阅",
            "订阅",
            "接收推送",
            "同意接收",
            "是否同意",
        ],
        *[
            "acceptsmarketing",
            "marketingconsent",
            "consent",
            "optin",
            "optedin",
            "subscribed",
            "marketing",
            "是否同意接收",
        ],
    ],
    "sms_consent": [
        *["短信同意", "同意短信", "是否同意短信", "接受短信", "接收短信", "是否接收短信", "是否接受短信", "短信订阅"],
        *[
            "短信营销",
            "同意接收短信",
            "是否同意接收短信",
            "接收短信营销",
            "是否接收营销短信",
            "同意接收营销短信",
            "接收营销短信",
        ],
        *["acceptssmsmarketing", "smsconsent", "smsoptin", "smsmarketing", "smssubscribed", "smsmarketingconsent"],
        *["允许短信", "允许发短信", "是否同意接收营销短信", "是否允许短信", "短信许可", "营销短信"],
    ],
    "email_consent": [
        *["邮件同意", "同意邮件", "是否同意邮件", "接受邮件", "接收邮件", "邮件订阅", "是否接收邮件", "同意接收邮件"],
        *["acceptsemailmarketing", "emailconsent", "emailoptin", "emailmarketing", "emailsubscribed"],
        *["emailmarketingconsent", "是否同意接收邮件", "允许邮件"],
    ],
    "total_spent": [
        *[
            "累计消费",
            "累计消费金额",
            "消费金额",
            "消费总额",
            "总消费",
            "累计金额",
            "总消费金额",
            "交易总额",
            "totalspent",
        ],
        *["lifetimevalue", "ltv", "amountspent"],
    ],
    "created_on": [
        *[
            "注册时间",
            "注册日期",
            "成为客户时间",
            "入会时间",
            "入会日期",
            "开卡时间",
            "开卡日期",
            "加入时间",
            "办卡日期",
        ],
        *["创建时间", "createdat", "created", "joined", "joindate", "registrationdate", "signupdate", "customersince"],
    ],
}

# Words inside a longer header that still say what it is, with a lower standing.
PARTS: list[tuple[str, str]] = [
    ("手机号", "phone"),
    ("手机", "phone"),
    ("mobile", "phone"),
    ("email", "email"),
    ("邮箱", "email"),
    ("生日", "birthday"),
    ("出生", "birthday"),
    ("birth", "birthday"),
    ("性别", "gender"),
    ("姓名", "name"),
    ("标签", "tags"),
    ("等级", "tier"),
    ("联系电话", "phone"),
    ("电话", "phone"),
    ("phone", "phone"),
]

# Words that make a header mean something else although it holds one of the words above.
NOT_CONTACT = (
    "订单",
    "是否",
    "时间",
    "状态",
    "归属",
    "运营商",
    "店铺",
    "门店",
    "品牌",
    "型号",
    "备注",
    "同意",
    "订阅",
    "接收",
    "接受",
)

# Taken in full-width form too, since every header is brought to NFKC first.
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|<[^<>]*>|\{[^{}]*\}")
_NOISE = re.compile(r"[\s*:;\"'`=_\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x1f]+")

WORD_RANK: dict[str, tuple[str, int]] = {
    word: (field, rank) for field, words in WORDS.items() for rank, word in reversed(list(enumerate(words)))
}


def normal(header: object) -> str:
    """Write a header as the tables compare it: NFKC, lower case, without white space, `*` and brackets."""
    text = unicodedata.normalize("NFKC", str(header)).lower()
    bare = _NOISE.sub("", _BRACKETS.sub("", text))
    return bare or _NOISE.sub("", text.strip("()[]【】<>{}"))
