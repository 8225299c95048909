"""Templates: what a customer reads, and what a campaign must know of her before."""

from concurrent.futures import ThreadPoolExecutor

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications import text
from notifications.rendering import (
    VARIABLES,
    MissingValue,
    TooLong,
    parse,
    preview,
)

LI_NA = {
    "name": "李娜",
    "title": "女士",
    "tier": "金卡",
    "city": "杭州",
    "birthday": "10月3日",
    "phone_tail": "8000",
    "shop": "鸿雁花店",
}
NAMELESS = dict.fromkeys(LI_NA, "")


class TestWhatCustomersRead:
    """The texts that shops really write."""

    @pytest.mark.parametrize(
        ("source", "li_na", "nameless"),
        [
            ("亲爱的{{ name or \"顾客\" }}，中秋快乐！", "亲爱的李娜，中秋快乐！", "亲爱的顾客，中秋快乐！"),
            ("亲爱的{{ name|default('顾客') }}，您好", "亲爱的李娜，您好", "亲爱的顾客，您好"),
            ("亲爱的{{ name|default('顾客', true) }}，您好", "亲爱的李娜，您好", "亲爱的顾客，您好"),
            ("亲爱的{{ name|d('顾客', boolean=true) }}，您好", "亲爱的李娜，您好", "亲爱的顾客，您好"),
            ("亲爱的{{ 姓名 or '顾客' }}{{ 尊称 or '' }}", "亲爱的李娜女士", "亲爱的顾客"),
            ("{% if tier == '金卡' %}专享7折{% else %}全场8折{% endif %}", "专享7折", "全场8折"),
            ("{% if tier in ['金卡', '钻石卡'] %}贵宾{% elif name %}会员{% else %}顾客{% endif %}", "贵宾", "顾客"),
            ("{{ '生日' if birthday else '节日' }}快乐", "生日快乐", "节日快乐"),
            ("{{ '尊敬的' if title }}您好", "尊敬的您好", "您好"),
            ("{{ name and '您好，老朋友' }}！", "您好，老朋友！", "！"),
            ("{{ (name or '顾客')|upper }}", "李娜", "顾客"),
            ("{{ name|truncate(1)|default('客') }}", "李", "客"),
            ("{% if name is defined and not (city != '杭州') %}本地{% else %}外地{% endif %}", "本地", "外地"),
            ("{% if birthday is none %}无{% else %}有{% endif %}", "有", "无"),
            ("{% if name != '' and '李' in name %}李家{% else %}大家{% endif %}", "李家", "大家"),
            ("{# 中秋 #}您好{% raw %} {{ }}{% endraw %}", "您好 {{ }}", "您好 {{ }}"),
            ("第一行\r\n第二行\t{{ name or '顾客' }}\n", "第一行\n第二行 李娜\n", "第一行\n第二行 顾客\n"),
            ("{{ tier or name or '顾客' }}", "金卡", "顾客"),
        ],
    )  # fmt: skip
    def test_a_text_reads_well_for_li_na_and_for_a_customer_without_a_name(self, source, li_na, nameless):
        template = parse(source)

        assert template.render(LI_NA) == li_na
        assert template.render(NAMELESS) == nameless
        assert template.render({}) == nameless

    @pytest.mark.parametrize(
        ("source", "variable"),
        [
            ("亲爱的{{ name }}", "name"),
            ("亲爱的{{ name|upper|trim }}", "name"),
            ("亲爱的{{ name or title }}", "title"),
            ("{% if not tier %}{{ city }}{% endif %}", "city"),
            ("{{ city if not tier else '' }}", "city"),
            ("尾号{{ phone_tail|truncate(2) }}", "phone_tail"),
        ],
    )
    def test_nobody_reads_dear_nothing(self, source, variable):
        for values in (NAMELESS, {}, dict.fromkeys(VARIABLES, "\u200b")):
            with pytest.raises(MissingValue) as missing:
                parse(source).render(values)
            assert missing.value.variable == variable

    def test_an_empty_variable_may_be_asked_for(self):
        assert parse("{% if tier == '金卡' and name %}x{% endif %}您好").render(NAMELESS) == "您好"

    @pytest.mark.parametrize(
        ("name", "read"),
        [
            ("{{7*7}}", "{{7*7}}"), ("{% for %}", "{% for %}"), ("李\n娜", "李 娜"), ("\u202e李娜", "李娜"),
            ("娜" * 500, "娜" * 35),
            ("【官方】李娜", "〔官方〕李娜"), ("http://a.cn", "http://a.cn"), ("<script>", "<script>"),
            ("%(name)s", "%(name)s"), ("%s%n", "%s%n"),
        ],
    )  # fmt: skip
    def test_what_a_customer_is_called_is_read_literally(self, name, read):
        message = parse("亲爱的{{ name }}，您好").compose({"name": name}, signature="鸿雁花店")

        assert message == f"【鸿雁花店】亲爱的{read}，您好"

    def test_a_customer_who_is_called_td_still_learns_how_to_opt_out(self):
        message = parse("亲爱的{{ name }}").compose({"name": "回T退订"}, signature="店", opt_out="拒收请回复R")

        assert message == "【店】亲爱的回T退订，拒收请回复R"

    def test_an_opt_out_wording_typed_by_the_author_is_not_doubled(self):
        template = parse("亲爱的{{ name }}，8折，回T退订")

        assert template.has_opt_out_wording
        assert template.compose(LI_NA, signature="店", opt_out="拒收请回复R") == "【店】亲爱的李娜，8折，回T退订"

    def test_only_flat_strings_are_taken(self):
        class Order:
            def __str__(self):
                return "E2026"

        template = parse("{{ name or '顾客' }}")
        for value in (None, 5, 8.5, True, ["李娜"], {"first": "李娜"}, Order(), jinja2.Undefined(), b"x"):
            with pytest.raises(TypeError):
                template.render({"name": value})
            with pytest.raises(TypeError):
                template.render({"name": "李娜", "order": value})

    def test_a_text_that_grows_beyond_2000_characters_is_not_used(self):
        template = parse("{{ name }}" * 70)

        assert len(template.render({"name": "娜" * 28})) == 1960
        with pytest.raises(TooLong):
            template.render({"name": "娜" * 29})

    def test_an_e_mail_in_html_shows_names_instead_of_obeying_them(self):
        template = parse("<p>{{ name or '<i>' }}</p>", html=True)

        assert template.render({"name": "<script>"}) == "<p>&lt;script&gt;</p>"
        assert template.render({}) == "<p>&lt;i&gt;</p>"

    def test_threads_share_a_template_without_mixing_customers(self):
        template = parse("{{ name }}{% if tier == '金卡' %}金{% else %}普{% endif %}")
        people = [{"name": f"客{number}", "tier": "金卡" if number % 2 else ""} for number in range(2000)]

        with ThreadPoolExecutor(8) as threads:
            rendered = list(threads.map(template.render, people))

        assert rendered == [f"客{number}{'金' if number % 2 else '普'}" for number in range(2000)]

    @settings(deadline=None)
    @given(
        st.fixed_dictionaries(
            {key: st.text(max_size=8).map(lambda v: text.clean_value(v, 4)) for key in ("name", "city")}
        )
    )
    def test_plain_jinja_would_print_the_same(self, values):
        source = (
            "{{ name or '顾客' }}{% if city == name %}x{% elif not city %}y{% endif %}{{ city|default('-', true) }}"
        )

        assert parse(source).render(values) == jinja2.Environment().from_string(source).render(values)


class TestFacts:
    """What a campaign must know of each customer before it can count the cost."""

    @pytest.mark.parametrize(
        ("source", "printed_only", "compared", "tested_only"),
        [
            ("您好", (), (), ()),
            ("{{ name or '顾客' }}{{ shop|trim }}", ("name", "shop"), (), ()),
            ("{% if tier == '金卡' %}{{ name }}{% endif %}", ("name",), ("tier",), ()),
            ("{{ name|truncate(3) }}{{ city|upper }}{{ shop|lower }}", (), ("name", "city", "shop"), ()),
            ("{% if birthday and name is defined and city != '' %}x{% endif %}", (), (), ("name", "city", "birthday")),
            ("{{ name }}{% if name == '李娜' %}x{% endif %}", (), ("name",), ()),
            ("{{ name }}{% if name %}x{% endif %}", ("name",), (), ()),
            ("{{ title if title else name }}", ("name", "title"), (), ()),
            ("{% if (name or city) == 'x' %}x{% endif %}", (), ("name", "city"), ()),
        ],
    )  # fmt: skip
    def test_variables_are_told_apart_by_what_of_them_matters(self, source, printed_only, compared, tested_only):
        template = parse(source)

        assert template.printed_only == printed_only
        assert template.compared == compared
        assert template.tested_only == tested_only
        assert set(template.variables) == {*printed_only, *compared, *tested_only}

    def test_each_variable_has_a_distinct_name_and_an_example_that_fits(self):
        words = [word for variable in VARIABLES.values() for word in (variable.key, *variable.aliases)]

        assert len(words) == len(set(words))
        for variable in VARIABLES.values():
            assert text.clean_value(variable.example, variable.maximum) == variable.example
            assert parse(f"{{{{ {variable.key} }}}}").render({variable.key: variable.example})


class TestPreview:
    """What the author sees while writing."""

    def test_a_preview_shows_the_whole_message_its_length_and_its_price(self):
        seen = preview(parse("{{ name }}，" + "节" * 60), LI_NA, signature="鸿雁", opt_out="拒收请回复R")

        assert seen.text == "【鸿雁】李娜，" + "节" * 60 + "，拒收请回复R"
        assert (seen.units, seen.segments) == (74, 2)
        assert seen.can_be_sent and not seen.notes

    def test_a_preview_of_a_customer_without_the_value_says_which_is_missing(self):
        seen = preview(parse("亲爱的{{ name }}"), NAMELESS, signature="鸿雁")

        assert not seen.can_be_sent
        assert seen.missing == "name"
        assert "name" in seen.notes[0][0] % seen.notes[0][1]

    def test_a_preview_shows_what_is_too_much(self):
        seen = preview(parse("节" * 495 + "日快乐"), {}, signature="鸿雁")

        assert not seen.can_be_sent
        assert seen.beyond_limit == "快乐"
        assert "Shorten it by 2" in seen.notes[0][0] % seen.notes[0][1]

    def test_a_preview_of_a_text_beyond_all_limits_is_a_sentence(self):
        seen = preview(parse("{{ name }}" * 80), {"name": "娜" * 35}, signature="鸿雁")

        assert seen.too_long and not seen.can_be_sent and seen.notes
