"""Why a template is refused: one sentence each, with the place and the remedy."""

from collections.abc import Callable, Mapping

from notifications.rendering.variables import Variable


def _(msgid: str) -> str:
    """Mark a sentence for translation; it is translated where it is shown."""
    return msgid


class KnownVariables(tuple[Variable, ...]):
    """Variables as they are listed inside a sentence."""

    def __str__(self) -> str:
        return self.listed(str)

    def listed(self, translate: Callable[[str], str]) -> str:
        """The names to write, each with what it means."""
        return ", ".join(variable.described(translate) for variable in self)


class Refused(Exception):
    """The template cannot be used; `msgid % values` says where and what to do."""

    def __init__(self, code: str, values: Mapping[str, object]):
        self.code = code
        self.msgid = SENTENCES[code]
        self.values = dict(values)
        super().__init__(code)

    def __str__(self) -> str:
        return self.sentence(str)

    def sentence(self, translate: Callable[[str], str]) -> str:
        """The whole sentence in the reader's language; pass `gettext`."""
        values = {
            name: value.listed(translate) if isinstance(value, KnownVariables) else value
            for name, value in self.values.items()
        }
        return translate(self.msgid) % values


SENTENCES = {
    "empty": _("The text is empty. Write what the customer is to read."),
    "too_long": _("The text has %(length)s characters; at most %(maximum)s are possible. Shorten it."),
    "too_complex": _(
        "The text has too many tags and conditions (%(count)s of at most %(maximum)s). Make two texts of it."
    ),
    "too_deep": _(
        "Line %(line)s: conditions or brackets are nested too deeply (at most %(maximum)s "
        "levels). Make two texts of it."
    ),
    "invisible": _(
        "Line %(line)s, after “%(before)s”: an invisible character (%(character)s) came along, "
        "probably by copying. Delete and retype this spot."
    ),
    "invisible_constant": _(
        "Line %(line)s: an invisible character (%(character)s) stands between quotes. Delete and retype this spot."
    ),
    "bad_character": _(
        "Line %(line)s: “%(character)s” is not understood inside a tag. Use half-width signs "
        'there: straight quotes " and half-width brackets.'
    ),
    "unclosed": _("Line %(line)s: a tag is not closed. Each {{ needs its }}, and each {%% if %%} its {%% endif %%}."),
    "unknown_tag": _(
        "Line %(line)s: {%% %(tag)s %%} is not possible here. Only {%% if %%}, {%% elif %%}, {%% "
        "else %%} and {%% endif %%} are, in this order."
    ),
    "syntax": _(
        "Line %(line)s: what stands between the braces is not understood. Write {{ name }}, or {{"
        ' name or "…" }} with a word for those without a name.'
    ),
    "not_allowed": _(
        "Line %(line)s: %(construct)s is not possible in a message. Use only variables such as {{"
        " name }} and conditions with {%% if %%} and {%% endif %%}."
    ),
    "unknown_variable": _("Line %(line)s: there is no variable “%(variable)s”. You can use: %(known)s."),
    "misspelled_variable": _(
        "Line %(line)s: there is no variable “%(variable)s”. Did you mean “%(nearest)s”? You can use: %(known)s."
    ),
    "bare_variable": _("Line %(line)s: “%(written)s” would be sent as it stands. Write {{ %(variable)s }}."),
    "unknown_filter": _("Line %(line)s: there is no filter “%(filter)s”. You can use: %(known)s."),
    "filter_arguments": _("Line %(line)s: the filter “%(filter)s” is used like this: %(example)s."),
    "number": _(
        "Line %(line)s: a bare number or yes/no value is not possible here. Put the number into "
        "the text itself, or between quotes."
    ),
    "prints_condition": _(
        "Line %(line)s: this would print “True” or “False”. Write {%% if … %%}text{%% endif %%} instead."
    ),
    "comparison": _('Line %(line)s: compare a variable with a word between quotes, as in {%% if tier == "gold" %%}.'),
    "signature_pieces": _(
        "Line %(line)s: 【 and 】 must stand around plain words, without a tag between. The "
        "signature is put in front by itself: remove it here."
    ),
    "opt_out_in_condition": _(
        "Line %(line)s: the opt-out wording stands inside a condition, so some customers would "
        "not see it. Move it to the end of the text."
    ),
    # What only providers ask that approve every text before it is sent.
    "registered_condition": _(
        "Line %(line)s: a text with {%% if %%} cannot be registered, because the provider approves "
        "one fixed text. Make a template of each case, or choose between words inside the braces: "
        '{{ "…" if tier else "…" }}.'
    ),
    "registered_empty": _(
        "Line %(line)s: what stands for {{ %(variable)s }} could be empty, which the provider "
        'refuses. Give a word for that case: {{ %(variable)s or "…" }}.'
    ),
    "registered_blank": _(
        "Line %(line)s: the word “%(word)s” begins or ends with a blank, which the provider cuts "
        "off. Put the blank outside the braces."
    ),
    "registered_only_values": _(
        "A text of nothing but variables cannot be registered. Write fixed words around them."
    ),
    "registered_braces": _(
        "The characters { and } cannot be registered, because the provider takes them for a "
        "variable. Use other brackets."
    ),
    "registered_without_opt_out": _(
        "Marketing and customer care are approved only if the text ends with “%(wording)s”. Take "
        "other opt-out wordings out of the text, and enter this one below it."
    ),
    "registered_with_opt_out": _(
        "The provider takes a text with an opt-out wording for marketing. Take the wording out, or "
        "change the class to marketing."
    ),
    "registered_too_long": _(
        "With the marks of its variables the text has %(length)s characters; at most %(maximum)s "
        "can be registered. Shorten it."
    ),
    # Of letters.
    "subject_empty": _("Write a subject: it is what the customer sees first."),
    "subject_lines": _("A subject is one line. Take the line breaks out."),
    "html_tag": _("Line %(line)s: <%(tag)s> is not possible in a letter. You can use: %(known)s."),
    "html_attribute": _("Line %(line)s: “%(attribute)s” is not possible in <%(tag)s>. You can use: %(known)s."),
    "html_handler": _("Line %(line)s: “%(attribute)s” would run a script, and no mail program does. Take it out."),
    "html_value_in_tag": _(
        "Line %(line)s: inside <%(tag)s> a variable can stand only in href, alt and title, and a condition "
        "nowhere. Put it between the tags."
    ),
    "html_link": _(
        "Line %(line)s: the link “%(address)s” must begin with https://, http://, mailto: or tel:, and a variable "
        "can stand only behind the name of the site."
    ),
    "html_picture": _(
        "Line %(line)s: the address of the picture, “%(address)s”, must begin with https:// and hold no variable."
    ),
    "html_style": _(
        "Line %(line)s: “%(words)s” is not possible in style, because it loads or covers something. Take it out."
    ),
    "html_bracket": _("Line %(line)s: “<” begins no tag here. Write &lt; for the sign itself, or close the tag."),
    "html_comment": _("Line %(line)s: comments and declarations such as <!-- … --> are not possible. Take them out."),
    "html_closes_nothing": _(
        "Line %(line)s: </%(tag)s> closes nothing that was opened last. Close the tags in the opposite order."
    ),
    "html_unclosed": _("Line %(line)s: <%(tag)s> is never closed. Write </%(tag)s> where it ends."),
    "html_condition": _(
        "Line %(line)s: <%(tag)s> begins or ends inside a condition, but not both. Put {%% if %%} and {%% endif %%} "
        "around the whole of it."
    ),
}

NOTATIONS = {
    "For": "{% for %}", "Assign": "{% set %}", "AssignBlock": "{% set %}", "Macro": "{% macro %}",
    "CallBlock": "{% call %}", "FilterBlock": "{% filter %}", "With": "{% with %}",
    "Block": "{% block %}", "Extends": "{% extends %}", "Include": "{% include %}",
    "Import": "{% import %}", "FromImport": "{% from %}", "Getattr": "a.b", "Getitem": "a[b]",
    "Call": "a( )", "Concat": "~", "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//",
    "Mod": "%", "Pow": "**", "Neg": "-", "Pos": "+", "List": "[ ]", "Tuple": "( , )",
    "Dict": "{ : }", "Test": "is", "Slice": "a[b:c]",
}  # fmt: skip
