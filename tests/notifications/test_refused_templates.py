"""Templates that are refused: bombs, escapes, mistakes; each with a sentence that says where and what to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError, TemplateError

from notifications.rendering import VARIABLES, Refused, Variable, parse, registry
from notifications.rendering.template import PLAIN

BOMBS = [
    # T01: big results of small calculations
    "{{ 'a' * 1000000000 }}", "{{ 'a' * 10**9 }}", "{{ 9**(10**7) }}", "{{ 10**10**8 }}", "{{ 1 + 1 }}", "{{ -1 }}",
    "{{ 7 // 2 }}", "{{ 2 - 1 }}", "{{ 4 / 2 }}", "{{ name ~ name }}", "{{ [0] * 100000000 }}",
    "{{ ([0] * 99999) * 99999 }}",
    "{{ 9999999999999999999999999999999999999999 }}", "{{ 1e308 }}", "{{ ('a','b') * 99 }}",
    # T02: loops, recursion, growing values
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "{{ range(1000000) }}",
    "{% for a in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}", "{% for a in name %}{{ a }}{% endfor %}",
    "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(60) }}", "{% macro m() %}x{% endmacro %}{{ m() }}",
    "{% set x = 'aaaa' %}{% set x = x ~ x %}{{ x }}", "{% set x %}y{% endset %}{{ x }}",
    "{% set x = name|replace('a', 'aa') %}",
    "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{{ lipsum(9999) }}",
    "{% call name() %}x{% endcall %}", "{% with a = 1 %}{{ a }}{% endwith %}", "{% filter upper %}x{% endfilter %}",
    "{{ cycler('a').next() }}", "{{ joiner('a')() }}", "{{ [1].append(2) }}", "{{ dict(a=1) }}", "{{ {'a': 1} }}",
    "{% block b %}x{% endblock %}{{ self.b() }}", "{% autoescape true %}x{% endautoescape %}",
    # T03: widths
    "{{ 'a'|center(1000000000) }}", "{{ 'a'.center(10**9) }}", "{{ name.ljust(1000000000) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ '{:>1000000000}'.format(1) }}", "{{ '%1000000000d' % 1 }}", "{{ '%1000000000d'|format(1) }}",
    "{{ 'a'|indent(1000000000) }}",
    "{{ name|replace('', name) }}", "{{ [1]|batch(100000000, 0)|list }}", "{{ [1]|slice(100000000)|list }}",
    "{{ name|wordwrap(1) }}",
    "{{ name|join(name) }}", "{{ name|list }}", "{{ name|truncate(1000000000) }}", "{{ name|truncate(0) }}",
    "{{ name|truncate(-1) }}",
    "{{ name|truncate('9') }}", "{{ name|truncate(true) }}", "{{ name|truncate(1.5) }}",
    "{{ name|truncate(3, true, name) }}",
    "{{ name|urlize }}", "{{ name|tojson }}", "{{ name|pprint }}", "{{ name|xmlattr }}", "{{ name|safe }}",
    "{{ name|random }}",
    "{{ name|sort|list }}", "{{ name|default(name) }}", "{{ name|default(5) }}", "{{ name|default }}",
    "{{ name|upper(1) }}",
    "{{ name|default(*['x']) }}", "{{ name|default(**{'x': 1}) }}", "{{ name|default('x', maybe=true) }}",
    "{{ name|default('x', true, true) }}",
]  # fmt: skip
ESCAPES = [
    # T04
    "{{ name.__class__ }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ name['__class__'] }}",
    "{{ name|attr('__class__') }}",
    "{{ '{0.__class__}'.format(name) }}", "{% set f = '{0.__class__}'.format %}{{ f(name) }}",
    "{{ '{a.__class__}'.format_map({'a': name}) }}",
    "{{ [name]|map(attribute='__class__')|list }}", "{{ name|map('upper')|list }}",
    "{{ [name]|selectattr('upper')|list }}",
    "{{ [name]|groupby('__class__') }}", "{{ self }}", "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__ }}", "{{ get_flashed_messages.__globals__ }}", "{{ name.upper() }}", "{{ name[0] }}",
    "{{ name[::-1] }}",
    "{{ order.delete() }}", "{{ customer.name }}", "{{ request }}", "{{ config }}", "{{ settings.SECRET_KEY }}",
    "{{ caller() }}", "{{ varargs }}",
    "{{ name is callable }}", "{{ name is string }}", "{{ name is sameas name }}", "{{ name is divisibleby 3 }}",
    "{% if name is in ['a'] %}x{% endif %}",
    "{% do name.upper() %}", "{% debug %}", "{% trans %}x{% endtrans %}", "{% load x %}", "{% csrf_token %}",
    # T05
    "{% include 'etc/passwd' %}", "{% include name %}", "{% import 'x' as y %}", "{% from 'x' import y %}",
    "{% extends 'x' %}", "{% extends name %}",
]  # fmt: skip
TOO_BIG = [
    "{{ " + "(" * 950 + "name" + ")" * 950 + " }}",
    "{{ " + "not " * 490 + "name }}",
    "{{ " + "-" * 1900 + "1 }}",
    "{{ " + "[" * 980 + "]" * 980 + " }}",
    "{% if name %}" * 80 + "{% endif %}" * 80,
    "{{ name" + " or title" * 20 + " }}",
    "{{ name" + "|trim" * 30 + " }}",
    "{{name}}x" * 190,
    "a" * 2001,
]


def refusal(source: str) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(source)
    return caught.value


class TestWhatIsRefused:
    """A text that could hang a worker, read our memory or disgrace the shop is refused when it is saved."""

    @pytest.mark.parametrize("source", BOMBS)
    def test_a_text_that_could_hang_a_worker(self, source):
        assert refusal(source).sentence(str)

    @pytest.mark.parametrize("source", ESCAPES)
    def test_a_text_that_could_look_behind_the_scenes(self, source):
        assert refusal(source).sentence(str)

    @pytest.mark.parametrize("source", TOO_BIG, ids=range(len(TOO_BIG)))
    def test_a_text_that_is_too_long_too_deep_or_too_busy(self, source):
        assert refusal(source).code in {"too_long", "too_deep", "too_complex"}

    @settings(deadline=None)
    @given(st.text(alphabet=st.sampled_from("{}%#()[]|'\"., \n=*~-+<>!\\aortier89金【】\u202e"), max_size=40))
    def test_whatever_is_typed_is_either_refused_with_a_sentence_or_renders(self, source):
        try:
            template = parse("x" + source)
        except Refused as refused:
            assert str(refused)
        else:
            assert isinstance(template.render(dict.fromkeys(VARIABLES, "值")), str)

    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [
                    "{{", "}}", "{%", "%}", " name ", " tier ", " or ", " and ", " if ", " else ", "endif", "not ",
                    "(", ")", "|upper", "|d('x')", "'a'", "==", " in ", "['a','b']", "is defined", "text", "elif ",
                    "|", ",", "1",
                ]
            ),
            max_size=14,
        )
    )  # fmt: skip
    def test_whatever_is_put_together_from_tags_is_refused_with_a_sentence_or_renders(self, tokens):
        try:
            template = parse("x" + "".join(tokens))
        except Refused as refused:
            assert str(refused)
        else:
            rendered = template.render(dict.fromkeys(VARIABLES, "值"))
            assert "True" not in rendered and "None" not in rendered and "Missing" not in rendered


class TestSentences:
    """Each refusal names the place and the remedy."""

    @pytest.mark.parametrize(
        ("source", "code", "said"),
        [
            ("", "empty", "Write what the customer is to read"),
            (" \n\t", "empty", "Write what the customer is to read"),
            ("您好\n{{ nmae }}", "misspelled_variable", "Line 2: there is no variable “nmae”. Did you mean “name”?"),
            ("{{ coupon_code }}", "unknown_variable", "there is no variable “coupon_code”. You can use: name (Name)"),
            ("{{ name or “顾客” }}", "bad_character", "straight quotes"),
            ("{{ name", "unclosed", "a tag is not closed"),
            ("{{ name }您好", "syntax", "what stands between the braces is not understood"),
            ("{% if name %}您好", "unclosed", "{% endif %}"),
            ("您好{% endif %}", "unknown_tag", "{% endif %} is not possible here"),
            ("{% for a in name %}{% endfor %}", "not_allowed", "{% for %} is not possible"),
            ("{name}您好", "bare_variable", "“{name}” would be sent as it stands. Write {{ name }}."),
            ("｛｛姓名｝｝您好", "bare_variable", "Write {{ 姓名 }}."),
            ("%姓名%您好", "bare_variable", "Write {{ 姓名 }}."),
            ("您好\n亲爱的\u202e{{ name }}", "invisible", "Line 2, after “亲爱的”: an invisible character (U+202E)"),
            ("您好\x00", "invisible", "U+0000"),
            ("{{ name or '\\u202e' }}", "invisible_constant", "U+202E"),
            ("{{ name == '李娜' }}", "prints_condition", "True"),
            ("{% if tier > 5 %}x{% endif %}", "comparison", "a word between quotes"),
            ("{% if tier == ('a' or 'b') == 'a' %}x{% endif %}", "comparison", "a word between quotes"),
            ("{{ name|shout }}", "unknown_filter", "default, truncate, upper, lower, trim"),
            ("{{ name|truncate }}", "filter_arguments", "{{ name|truncate(10) }}"),
            ("{{ 5 }}", "number", "Put the number into the text"),
            ("【{{ shop }}】您好", "signature_pieces", "remove it here"),
            ("{{ name or '【奖】' }}", "signature_pieces", "remove it here"),
            ("您好{% if tier == '金卡' %}，回T退订{% endif %}", "opt_out_in_condition", "Move it to the end"),
            ("a" * 2001, "too_long", "2001"),
        ],
    )  # fmt: skip
    def test_a_refusal_names_the_place_and_the_remedy(self, source, code, said):
        refused = refusal(source)

        assert refused.code == code
        assert said in str(refused)

    def test_the_list_of_known_variables_is_translated_too(self):
        words = {"Name": "姓名", "City": "城市"}

        sentence = refusal("{{ nobody_knows }}").sentence(lambda msgid: words.get(msgid, msgid))

        assert "name (姓名)" in sentence and "city (城市)" in sentence

    def test_other_texts_may_have_other_variables(self):
        orders = registry(Variable("order_number", "Order number", "E2026", 35, ("订单号",)))

        template = parse("您的订单{{ 订单号 }}已发货", known=orders)

        assert template.render({"order_number": "E2026"}) == "您的订单E2026已发货"
        with pytest.raises(Refused):
            parse("{{ name }}", known=orders)


class TestTheSecondWall:
    """If the grammar had a hole, the sandbox would still refuse to call, look inside or calculate."""

    @pytest.mark.parametrize(
        "source",
        [
            "{{ 'a' * 9 }}", "{{ 9 ** 9 }}", "{{ '%9d' % 1 }}", "{{ -5 }}", "{{ name.upper() }}",
            "{{ name.upper }}", "{{ name['upper'] }}",
            "{{ range(9) }}", "{{ lipsum() }}", "{{ name|center(9) }}", "{{ nosuch }}", "{{ name is string }}",
            "{% include 'x' %}",
        ],
    )  # fmt: skip
    def test_the_sandbox_itself_refuses(self, source):
        with pytest.raises((SecurityError, TemplateError, TypeError)):
            PLAIN.from_string(source).render(name="李娜")
