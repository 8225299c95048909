"""Texts that a provider composes: what it fills in is to the character what staff saw."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifications import text
from notifications.rendering import MissingValue, Refused, TooLong, parse, preview
from notifications.text import LONGEST_PARAMETER
from tests.notifications.test_measure import expressions, parse_or_skip, people, words

SIGNATURE = "鸿雁花店"
OPT_OUT = "拒收请回复R"
LI_NA = {"name": "李娜", "title": "女士", "tier": "金卡", "city": "杭州"}


def by_name(place, name):
    """How Aliyun writes a parameter."""
    return f"${{{name}}}"


def by_place(place, name):
    """How Tencent Cloud writes one."""
    return f"{{{place}}}"


def filled(skeleton, parameters):
    """What a provider composes: each placeholder of the registered text replaced once."""
    return re.sub(r"\$\{(\w+)\}", lambda found: parameters[found[1]], skeleton)


@st.composite
def texts_with_a_form(draw):
    pieces = ["值"]
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            pieces.append(draw(words))
        else:
            expression = draw(st.one_of(st.just("name or '顾客'"), expressions()))
            pieces.append(f"{{{{ {expression} }}}}")
    return "".join(pieces[draw(st.integers(0, 1)) :])


@settings(max_examples=600, deadline=None)
@given(texts_with_a_form(), st.lists(people, min_size=1, max_size=6), st.sampled_from(["", OPT_OUT, "，回T退订"]))
@example("{{ name }}{{ title or '' }}您好", [LI_NA | {"title": ""}], OPT_OUT)
@example("【鸿雁花店】{{ name }}，到期", [LI_NA], OPT_OUT)
@example("您好 {{ name }} ", [LI_NA | {"name": "娜！"}, LI_NA | {"name": "a.cn"}], OPT_OUT)
@example("100%s{{ name }}", [LI_NA | {"name": "%s%n"}], OPT_OUT)
@example("您好{{ '，老朋友' }}{{ name }}{{ name|upper }}", [LI_NA | {"name": "ß"}], "")
@example("{{ name }} {{ city if tier == '金卡' else '外地' }}", [LI_NA, LI_NA | {"tier": ""}], OPT_OUT)
@example("回复{{ name }}退订", [LI_NA | {"name": "${name}"}], OPT_OUT)
def test_what_the_provider_composes_is_what_staff_saw(source, customers, opt_out):
    template = parse_or_skip(source)
    if template is None:
        return
    try:
        skeleton = template.skeleton(by_name, signature=SIGNATURE, opt_out=opt_out)
    except Refused as refusal:
        assert refusal.code in {"registered_empty", "registered_blank"}
        return

    for values in customers:
        try:
            message = template.compose(values, signature=SIGNATURE, opt_out=opt_out)
        except (MissingValue, TooLong):
            continue
        parameters = template.parameters(values)

        assert f"【{SIGNATURE}】{filled(skeleton, parameters)}" == message
        assert list(parameters) == re.findall(r"\$\{(\w+)\}", skeleton)
        assert all(value and value == value.strip() for value in parameters.values())
        assert template.compose_with_parameters(values, signature=SIGNATURE, opt_out=opt_out) == (message, parameters)
        assert preview(template, values, signature=SIGNATURE, opt_out=opt_out).text == message


@settings(max_examples=300, deadline=None)
@given(texts_with_a_form(), people)
def test_a_text_with_a_form_reads_as_its_words_and_values_one_after_the_other(source, values):
    template = parse_or_skip(source)
    if template is None:
        return
    try:
        body = template.render(values)
        message = template.compose(values, signature=SIGNATURE)
    except (MissingValue, TooLong):
        return

    assert message == text.compose(body, signature=SIGNATURE)


class TestSkeletons:
    """What is handed in for approval."""

    @pytest.mark.parametrize(
        ("source", "skeleton"),
        [
            ("您好", "您好，拒收请回复R"),
            ("{{ name or '顾客' }}，您好！", "${name}，您好！拒收请回复R"),
            ("{{ name }}，{{ name }}，{{ name }}", "${name}，${name2}，${name3}，拒收请回复R"),
            ("亲爱的{{ name or '顾客' }}{{ title or '' }}，您好", "亲爱的${name}，您好，拒收请回复R"),
            ("{{ '生日' if birthday else '节日' }}快乐", "${birthday}快乐，拒收请回复R"),
            ("{{ name if tier else '顾客' }}您好", "${name}您好，拒收请回复R"),
            ("【鸿雁花店】您{{ '好' }}{# 备注 #}！", "您好！拒收请回复R"),
            ("{{ name }}您好，回T退订", "${name}您好，回T退订"),
        ],
    )
    def test_each_printed_value_becomes_a_parameter(self, source, skeleton):
        assert parse(source).skeleton(by_name, signature=SIGNATURE, opt_out=OPT_OUT) == skeleton

    def test_a_provider_that_counts_its_parameters_gets_numbers(self):
        template = parse("{{ name }}，{{ city }}有雨")

        assert template.skeleton(by_place) == "{1}，{2}有雨"
        assert list(template.parameters(LI_NA).values()) == ["李娜", "杭州"]

    def test_values_that_stand_together_are_one_parameter(self):
        template = parse("{{ name or '顾客' }}{{ title or '' }}，您好")

        assert template.parameters(LI_NA) == {"name": "李娜女士"}
        assert template.parameters({}) == {"name": "顾客"}

    @pytest.mark.parametrize(
        ("source", "is_marketing", "code"),
        [
            ("您好{% if city %}，{{ city }}{% endif %}", True, "registered_condition"),
            ("您好{{ name or '' }}", True, "registered_empty"),
            ("您好{{ name and '，老朋友' }}", True, "registered_empty"),
            ("您好{{ name|default('') }}", True, "registered_empty"),
            ("Dear {{ name or 'customer ' }}!", True, "registered_blank"),
            ("{{ name }} {{ city }}", False, "registered_only_values"),
            ("您好${ticket}", True, "registered_braces"),
            ("{1}您好", True, "registered_braces"),
            ("回T退订，您好{{ name }}", True, "registered_without_opt_out"),
            ("您好，回T退订", False, "registered_with_opt_out"),
            ("节" * 495, True, "registered_too_long"),
        ],
    )
    def test_a_text_that_would_be_refused_is_not_handed_in(self, source, is_marketing, code):
        with pytest.raises(Refused) as refused:
            parse(source).skeleton(by_name, opt_out=OPT_OUT if is_marketing else "", is_marketing=is_marketing)

        assert refused.value.code == code
        assert "%" not in str(refused.value).replace("{%", "").replace("%}", "")

    def test_a_notice_and_an_advertisement_that_keep_the_rules_are_handed_in(self):
        assert parse("您的包裹已到{{ city }}").skeleton(by_name, is_marketing=False) == "您的包裹已到${city}"
        assert parse("8折").skeleton(by_name, opt_out=OPT_OUT, is_marketing=True) == "8折，拒收请回复R"

    def test_a_text_with_conditions_has_no_parameters(self):
        template = parse("您好{% if city %}，{{ city }}{% endif %}")

        with pytest.raises(Refused, match="cannot be registered"):
            template.parameters(LI_NA)
        with pytest.raises(Refused, match="cannot be registered"):
            template.compose_with_parameters(LI_NA, signature=SIGNATURE)


class TestValues:
    """Values that a provider refuses cost a call; they are found before it."""

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("娜" * LONGEST_PARAMETER, ""),
            ("娜" * (LONGEST_PARAMETER + 1), text.VALUE_TOO_LONG),
            ("🎂" * 18, text.VALUE_TOO_LONG),
            ("花店 a.cn", text.VALUE_WITH_LINK),
            ("https://example", text.VALUE_WITH_LINK),
            ("3.5折", ""),
            ("10:30", ""),
        ],
    )
    def test_a_value_that_the_provider_would_refuse_has_a_reason(self, value, reason):
        assert text.unsuitable({"city": "杭州", "name": value}) == reason
