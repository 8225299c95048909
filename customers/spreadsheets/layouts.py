"""Guesses which column of a file fills which field: known layouts first, then header words, then contents."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from customers.msgid import _
from customers.spreadsheets import cells
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.fields import FIELD, FIELDS, NOT_CONTACT, PARTS, WORD_RANK, WORDS, normal

__all__ = ["FIELDS", "Column", "Layout", "guess", "key", "known_words", "recognize", "require_contact"]


class Column(NamedTuple):
    """What is proposed for one column, with a sentence for staff: `sentence` is a msgid, `values` fill it in.

    A value named `label` is itself a msgid.
    """

    index: int
    header: str
    field: str | None
    sentence: str
    values: dict[str, object]
    confidence: float


class Layout(NamedTuple):
    """The export of a well-known system: these headers together are it; other columns are not imported."""

    key: str
    label: str
    required: tuple[str, ...]
    fields: dict[str, str]
    notice: str = ""
    refused_as: str = ""


_ORDERS = _(
    "This is an order export of %(label)s; each order is a row, so buyers with several orders appear as duplicates."
)

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "youzan_customers",
        _("Youzan"),
        ("客户姓名", "客户昵称", "客户手机号", "成为客户时间"),
        {
            **{
                "客户姓名": "name",
                "客户手机号": "phone",
                "客户生日": "birthday",
                "客户性别": "gender",
                "标签": "tags",
            },
            **{"成为客户时间": "created_on", "微信地域": "region"},
        },
    ),
    Layout(
        "shopify_customers",
        _("Shopify"),
        ("First Name", "Last Name", "Email", "Accepts Email Marketing", "Total Spent"),
        {
            **{"Customer ID": "external_id", "First Name": "first_name", "Last Name": "last_name", "Email": "email"},
            **{"Accepts Email Marketing": "email_consent", "Accepts SMS Marketing": "sms_consent", "Phone": "phone"},
            **{"Default Address City": "city", "City": "city", "Total Spent": "total_spent", "Note": "note"},
            **{"Tags": "tags"},
        },
    ),
    Layout(
        "taobao_orders",
        _("Taobao"),
        ("订单编号", "买家会员名", "收货人姓名", "联系手机"),
        {"收货人姓名": "name", "联系手机": "phone"},
        _ORDERS,
    ),
    Layout(
        "douyin_orders",
        _("Douyin"),
        ("主订单编号", "子订单编号", "收件人", "收件人手机号"),
        {"收件人": "name", "收件人手机号": "phone", "省": "province", "市": "city"},
        _ORDERS,
    ),
    Layout(
        "jd_orders",
        _("JD"),
        ("订单号", "下单帐号", "客户姓名", "联系电话", "结算金额"),
        {"客户姓名": "name", "联系电话": "phone"},
        _ORDERS,
    ),
    Layout(
        "pinduoduo_orders",
        _("Pinduoduo"),
        ("订单号", "多多支付立减金额(元)", "用户实付金额(元)"),
        {"用户购买手机号": "phone", "省": "province", "市": "city"},
        _ORDERS,
        "pinduoduo_orders",
    ),
    Layout(
        "weidian_orders",
        _("Weidian"),
        ("订单编号", "收货人/提货人姓名", "收货人/提货人手机号"),
        {"收货人/提货人姓名": "name", "收货人/提货人手机号": "phone", "省": "province", "市": "city"},
        _ORDERS,
    ),
    Layout(
        "mailchimp_audience",
        _("Mailchimp"),
        ("Email Address", "MEMBER_RATING", "LEID"),
        {"Email Address": "email", "First Name": "first_name", "Last Name": "last_name", "Phone Number": "phone"}
        | {"Phone": "phone", "Birthday": "birthday", "NOTES": "note", "TAGS": "tags"},
    ),
)

_KNOWN = WORD_RANK.keys() | {normal(word) for layout in LAYOUTS for word in (*layout.required, *layout.fields)}

# Of the cells in a sample, so many must fit the field; names and notes fit anything and prove nothing.
_ENOUGH = 0.3
_TELLING = 0.8

_FITS = _("“%(header)s” is read as %(label)s: %(fitting)d of the first %(count)d cells fit.")
_EMPTY = _("“%(header)s” is read as %(label)s; its first cells are empty.")
_NAMED = _("“%(header)s” is read as %(label)s.")
_LOOKS = _("“%(header)s” is read as %(label)s because of its contents: %(fitting)d of the first %(count)d cells fit.")
_SECOND = _("“%(header)s” could be %(label)s too, but “%(other)s” is preferred.")
_UNFIT = _(
    "“%(header)s” is not imported: it is called %(label)s, but only %(fitting)d of the first %(count)d cells fit."
)
_IGNORED = _("“%(header)s” is not imported.")


def known_words(headers: Iterable[object]) -> int:
    """Count the cells that are words of a header."""
    return sum(1 for header in headers if isinstance(header, str) and header and normal(header) in _KNOWN)


def key(headers: Sequence[str]) -> str:
    """Name a layout by its headers, for remembering what staff chose."""
    return hashlib.sha256("\x1f".join(map(normal, headers)).encode("utf-8", "replace")).hexdigest()[:32]


def recognize(headers: Sequence[str]) -> Layout | None:
    """The well-known layout with these headers, if any."""
    present = set(map(normal, headers))
    for layout in LAYOUTS:
        if present.issuperset(map(normal, layout.required)):
            return layout
    return None


def guess(headers: Sequence[str], sample_rows: Sequence[Sequence[object]]) -> list[Column]:
    """Propose a field or none for every column, each with a sentence for staff."""
    proposals = _proposals(headers, sample_rows)
    proposals.sort(key=lambda proposal: -proposal.score)
    taken: dict[str, _Proposal] = {}
    columns: dict[int, Column] = {}
    for proposal in proposals:
        header = headers[proposal.index]
        values = {"header": header, "label": FIELD[proposal.field].label}
        values |= {"fitting": proposal.fitting, "count": proposal.count}
        if proposal.index in columns and columns[proposal.index].field:
            continue
        if proposal.score <= 0:
            columns.setdefault(proposal.index, Column(proposal.index, header, None, _UNFIT, values, 0.0))
        elif proposal.field in taken:
            values["other"] = headers[taken[proposal.field].index]
            columns.setdefault(proposal.index, Column(proposal.index, header, None, _SECOND, values, 0.0))
        else:
            taken[proposal.field] = proposal
            confidence = round(min(1.0, proposal.score / 100), 2)
            columns[proposal.index] = Column(
                proposal.index, header, proposal.field, proposal.sentence, values, confidence
            )
    return [
        columns.get(index) or Column(index, header, None, _IGNORED, {"header": header}, 0.0)
        for index, header in enumerate(headers)
    ]


def require_contact(columns: Sequence[Column], sample_rows: Sequence[Sequence[object]] = ()) -> None:
    """Refuse a file without a column for phone or e-mail, or of a kind that never fills it.

    Raises Unreadable.
    """
    contacts = [column for column in columns if column.field in ("phone", "email")]
    if not contacts:
        names = "、".join(column.header for column in columns if column.header)[:200]
        raise refusal("no_contact_column", headers=names or "–")
    layout = recognize([column.header for column in columns])
    if layout and layout.refused_as and sample_rows:
        filled = any(
            cells.text(row[column.index])[0] for row in sample_rows for column in contacts if column.index < len(row)
        )
        if not filled:
            raise refusal(layout.refused_as)


class _Proposal(NamedTuple):
    index: int
    field: str
    score: float
    sentence: str
    fitting: int
    count: int


def _proposals(headers: Sequence[str], sample_rows: Sequence[Sequence[object]]) -> list[_Proposal]:
    layout = recognize(headers)
    proposals = []
    for index, header in enumerate(headers):
        word = normal(header)
        contents = [row[index] for row in sample_rows if index < len(row) and row[index] not in ("", None)]
        named = _of_layout(layout, word) if layout else _named(word)
        for field, standing in named:
            proposals.append(_judge(index, field, standing, contents, trusted=layout is not None))
        if not named and not layout:
            proposals += _by_contents(index, contents)
    return proposals


def _of_layout(layout: Layout, word: str) -> list[tuple[str, float]]:
    return [(field, 100.0) for header, field in layout.fields.items() if normal(header) == word]


def _named(word: str) -> list[tuple[str, float]]:
    """The field a header word means, with its standing out of 100."""
    if word in WORD_RANK:
        field, rank = WORD_RANK[word]
        return [(field, 95.0 - 40.0 * rank / len(WORDS[field]))]
    for part, field in PARTS:
        if part in word and not any(other in word for other in NOT_CONTACT):
            return [(field, 40.0)]
    return []


def _judge(index: int, field: str, standing: float, contents: list, *, trusted: bool) -> _Proposal:
    """Let the contents support or contradict what the header says."""
    fitting, count = cells.fitting(FIELD[field].kind, contents)
    if count < 0:
        return _Proposal(index, field, standing, _NAMED, 0, 0)
    if count == 0:
        return _Proposal(index, field, standing if trusted else standing * 0.5, _EMPTY, 0, 0)
    share = fitting / count
    if share < _ENOUGH and count >= 3 and not trusted:
        return _Proposal(index, field, 0, _UNFIT, fitting, count)
    return _Proposal(index, field, standing if trusted else standing * (0.6 + 0.4 * share), _FITS, fitting, count)


def _by_contents(index: int, contents: list) -> list[_Proposal]:
    """Recognize phones and addresses below a header that says nothing."""
    found = []
    for field in ("phone", "email"):
        fitting, count = cells.fitting(FIELD[field].kind, contents)
        if count >= 3 and fitting / count >= _TELLING:
            found.append(_Proposal(index, field, 30.0 * fitting / count, _LOOKS, fitting, count))
    return found
