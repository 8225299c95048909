"""The price before sending is the price of sending: groups are measured as if each person were rendered."""

from collections import Counter

import pytest
from django.db import connection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifications import text
from notifications.rendering import Length, Measured, MissingValue, Refused, TooLong, parse

SIGNATURE = "鸿雁花店"
OPT_OUT = "拒收请回复R"


def group_of(template, values):
    """The group a person falls into, as the GROUP BY of a campaign puts it."""
    lengths = {key: Length(text.utf16_length(values[key])) for key in template.printed_only}
    tested = {key: Length(int(values[key] != "")) for key in template.tested_only}
    exact = {key: values[key] for key in template.compared}
    return tuple({**lengths, **tested, **exact}.items())


def fate_of(template, values, opt_out):
    """What becomes of one person when she is rendered."""
    try:
        message = template.compose(values, signature=SIGNATURE, opt_out=opt_out)
    except MissingValue as missing:
        return Measured(1, missing=missing.variable)
    except TooLong:
        return Measured(1, too_long=True)
    units = len(message.encode("utf-16-le")) // 2
    return Measured(1, units, text.segments(message), too_long=units > 500)


def summed(measured):
    counts = Counter()
    for outcome in measured:
        counts[outcome.units, outcome.segments, outcome.missing, outcome.too_long] += outcome.count
    return counts


TRICKY = [
    "", "李娜", "李", "𠮷野", "🎂", "🎂🎂", "TD退订", "回T退订", "退订", "R", "T", "【鸿雁花店】", "【", "】",
    "a.cn", "https://a.cn/x", "娜！", "。", "ß", "ŉ",
    "{{7*7}}", "%s", "金卡", "银卡", "0", "李 娜", "\n", "\u200b", "娜" * 40, "e\u0301", "\ufffc", "，",
    "拒收请回复R", "[鸿雁花店]",
]  # fmt: skip
MAXIMUMS = {"name": 35, "tier": 30, "city": 20, "title": 8}
people = st.fixed_dictionaries(
    {
        key: st.one_of(st.sampled_from(TRICKY), st.text(max_size=12)).map(
            lambda typed, maximum=maximum: text.clean_value(typed, maximum)
        )
        for key, maximum in MAXIMUMS.items()
    }
)
words = st.sampled_from(
    [
        "亲爱的", "，", "！", "您好。", " ", "\n", "回复", "退订", "回T退订", "TD退订",
        "，拒收请回复R", "【鸿雁花店】",
        "【南门】", "见 https://a.cn/", "节" * 40, "🎂", "8折",
    ]
)  # fmt: skip
names = st.sampled_from(sorted(MAXIMUMS))
constants = st.sampled_from(["'顾客'", "''", "'𠮷'", "'金卡'", "'退'"])


@st.composite
def expressions(draw, depth=2):
    kind = draw(st.integers(0, 7 if depth else 1))
    match kind:
        case 0 | 1:
            return draw(names)
        case 2:
            return f"({draw(names)} or {draw(constants)})"
        case 3:
            return f"({draw(expressions(depth=depth - 1))} or {draw(expressions(depth=depth - 1))})"
        case 4:
            return (
                f"({draw(expressions(depth=depth - 1))} if {draw(conditions(depth=depth - 1))} else {draw(constants)})"
            )
        case 5:
            return f"{draw(names)}|{draw(st.sampled_from(['upper', 'lower', 'trim', 'truncate(3)']))}"
        case 6:
            return f"{draw(names)}|default({draw(constants)})"
    return f"({draw(names)} and {draw(expressions(depth=depth - 1))})"


@st.composite
def conditions(draw, depth=2):
    match draw(st.integers(0, 6 if depth else 3)):
        case 0:
            return draw(names)
        case 1:
            return f"{draw(names)} == {draw(constants)}"
        case 2:
            return f"{draw(names)} in ['金卡', '银卡', '']"
        case 3:
            return f"{draw(constants)} in {draw(names)}"
        case 4:
            return f"not ({draw(conditions(depth=depth - 1))})"
        case 5:
            return f"({draw(conditions(depth=depth - 1))} and {draw(names)} is defined)"
    return f"({draw(conditions(depth=depth - 1))} or {draw(names)} < {draw(names)})"


@st.composite
def templates(draw):
    pieces = ["值"]
    for _ in range(draw(st.integers(1, 5))):
        match draw(st.integers(0, 3)):
            case 0 | 1:
                pieces.append(draw(words))
            case 2:
                pieces.append(f"{{{{ {draw(expressions())} }}}}")
            case _:
                chosen = [draw(st.sampled_from(["甲！", "【鸿雁花店】", "{{ name }}", ""])) for _ in range(2)]
                pieces.append(f"{{% if {draw(conditions())} %}}{chosen[0]}{{% else %}}{chosen[1]}{{% endif %}}")
    return "".join(pieces[draw(st.integers(0, 1)) :])


@settings(max_examples=400, deadline=None)
@given(templates(), st.lists(people, min_size=1, max_size=12), st.sampled_from(["", OPT_OUT, "，回T退订"]))
@example("{{ name|upper }}", [{"name": "ß", "tier": "", "city": "", "title": ""}], OPT_OUT)
@example("{{ name|truncate(3) }}", [{"name": "🎂🎂🎂", "tier": "", "city": "", "title": ""}], OPT_OUT)
@example("{{ name }}", [{"name": "娜！", "tier": "", "city": "", "title": ""}], OPT_OUT)
@example("{{ name or '' }}【鸿雁花店】您好", [{"name": "", "tier": "", "city": "", "title": ""}], OPT_OUT)
@example("回复{{ name }}退订", [{"name": "TD", "tier": "", "city": "", "title": ""}], OPT_OUT)
def test_groups_measure_exactly_as_each_person_rendered(source, customers, opt_out):
    template = parse_or_skip(source)
    if template is None:
        return
    groups = Counter(group_of(template, values) for values in customers)

    measured = template.measure(
        ((dict(group), count) for group, count in groups.items()), signature=SIGNATURE, opt_out=opt_out
    )

    assert summed(measured) == summed(fate_of(template, values, opt_out) for values in customers)


def parse_or_skip(source):
    """The template, unless the draw made one that the shop could not save."""
    try:
        return parse(source)
    except Refused as refusal:
        assert refusal.code in {"empty", "too_deep", "opt_out_in_condition", "comparison"}, (source, str(refusal))
        return None


def test_a_greeting_to_a_million_customers_is_priced_from_a_handful_of_groups():
    template = parse("亲爱的{{ name }}，" + "节" * 52)
    groups = [
        ({"name": Length(2)}, 600_000),
        ({"name": Length(3)}, 390_000),
        ({"name": Length(0)}, 10_000),
    ]

    measured = template.measure(groups, signature=SIGNATURE, opt_out=OPT_OUT)

    assert measured == [
        Measured(600_000, 71, 2),
        Measured(390_000, 72, 2),
        Measured(10_000, missing="name"),
    ]


def test_one_character_of_a_name_decides_between_one_and_two_sms():
    template = parse("{{ name }}" + "节" * 55)

    measured = template.measure(
        [({"name": Length(2)}, 5), ({"name": Length(3)}, 7)], signature=SIGNATURE, opt_out=OPT_OUT
    )

    assert [(outcome.units, outcome.segments) for outcome in measured] == [(70, 1), (71, 2)]


def test_people_whose_text_is_too_long_are_told_apart():
    template = parse("{{ name }}" + "节" * 490)

    short, long = template.measure([({"name": Length(4)}, 5), ({"name": Length(5)}, 7)], signature=SIGNATURE)

    assert (short.units, short.can_be_sent) == (500, True)
    assert (long.units, long.can_be_sent) == (501, False)


def test_an_overlong_value_is_grouped_by_itself_and_cut_as_in_the_message():
    template = parse("{{ name }}")

    (measured,) = template.measure([({"name": "娜" * 60}, 3)], signature=SIGNATURE)

    assert measured.units == 35 + 6
    with pytest.raises(ValueError, match="0 to 35"):
        template.measure([({"name": Length(60)}, 3)], signature=SIGNATURE)


def test_a_compared_variable_cannot_be_grouped_by_its_length():
    template = parse("{% if tier == '金卡' %}贵宾{% endif %}您好")

    with pytest.raises(TypeError, match="tier"):
        template.measure([({"tier": Length(2)}, 3)], signature=SIGNATURE)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [*TRICKY[:-8], "𠮷野家🎂x", "\uffff\U00010000\U0010ffff"])
def test_the_database_counts_characters_as_carriers_do(value):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {text.UTF16_LENGTH_IN_SQL.format(value='%(value)s::text')}", {"value": value})

        assert cursor.fetchone() == (text.utf16_length(value),)
