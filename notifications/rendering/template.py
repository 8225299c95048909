"""A template compiled once: it renders, measures, and knows which variables it needs."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifications import text
from notifications.rendering.filling import CUT, Form, check_rules, form_of
from notifications.rendering.grammar import MAXIMUM_SOURCE, Grammar, check_source
from notifications.rendering.measuring import Length, Measured
from notifications.rendering.refusals import Refused
from notifications.rendering.variables import VARIABLES, Variable

MAXIMUM_OUTPUT = 2_000


def _(msgid: str) -> str:
    """Mark a sentence for translation; it is translated where it is shown."""
    return msgid


class MissingValue(Exception):
    """The text would show a gap: this customer lacks a printed variable that has no default."""

    msgid = _("There is no value for “%(variable)s”, and the text gives no default.")

    def __init__(self, variable: str):
        super().__init__(variable)
        self.variable = variable

    @property
    def note(self) -> text.Note:
        """The sentence for staff and its values."""
        return self.msgid, {"variable": self.variable}


class TooLong(Exception):
    """The rendered text passes every limit; nothing of it is used."""

    msgid = _("With these values the text has more than %(maximum)s characters.")

    def __init__(self, maximum: int = MAXIMUM_OUTPUT):
        super().__init__(maximum)
        self.maximum = maximum

    @property
    def note(self) -> text.Note:
        """The sentence for staff and its values."""
        return self.msgid, {"maximum": self.maximum}


# The second wall: the grammar lets none of this through


class Missing(str):
    """An empty value that remembers whose it is, so that printing it can be refused."""

    variable: str

    @classmethod
    def of(cls, variable: str) -> "Missing":
        """The empty value of this variable."""
        empty = cls()
        empty.variable = variable
        return empty


def finalize(value: str) -> str:
    """Let text pass; raises MissingValue instead of printing nothing."""
    if type(value) is Missing:
        raise MissingValue(value.variable)
    return value


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment in which nothing can be called, looked into or calculated."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)

    def _refuse(self, *args: object, **kwargs: object):
        raise SecurityError("Templates only print variables and ask conditions.")

    call_binop = call_unop = call = getitem = getattr = _refuse


FILTERS = {
    "default": lambda value, otherwise: value or otherwise,
    "truncate": lambda value, length: value[:length].rstrip() if value else value,
    "upper": lambda value: value.upper() if value else value,
    "lower": lambda value: value.lower() if value else value,
    "trim": lambda value: value.strip() if value else value,
}


def sandbox(*, html: bool) -> Sandbox:
    """An environment with our filters and nothing else."""
    environment = Sandbox(undefined=StrictUndefined, finalize=finalize, autoescape=html, keep_trailing_newline=True)
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = dict(FILTERS)
    return environment


PLAIN = sandbox(html=False)
HTML = sandbox(html=True)


# Compiling


def parse(
    source: str, *, known: Mapping[str, Variable] = VARIABLES, html: bool = False, maximum: int = MAXIMUM_SOURCE
) -> "CompiledTemplate":
    """
    Check a template and compile it; `html` escapes the values, `maximum` is the longest source and text.

    Raises Refused with a sentence that names the place and the remedy. This is the only way to a
    template, so a text that was changed behind the admin's back is checked again before it is used.
    """
    if known is VARIABLES:
        return _parse_usual(source, html, maximum)
    return CompiledTemplate(source, known, html=html, maximum=maximum)


@lru_cache(maxsize=256)
def _parse_usual(source: str, html: bool, maximum: int) -> "CompiledTemplate":
    # Compiling takes a thousand times as long as rendering.
    return CompiledTemplate(source, VARIABLES, html=html, maximum=maximum)


def syntax_tree(source: str, environment: Sandbox) -> nodes.Template:
    """The parsed source; raises Refused where Jinja cannot read it."""
    try:
        return environment.parse(source)
    except TemplateSyntaxError as error:
        raise readable(error) from error
    except RecursionError as error:
        raise Refused("too_deep", {"line": 1, "maximum": 12}) from error


def readable(error: TemplateSyntaxError) -> Refused:
    """Jinja's complaint as one of our sentences."""
    message, line = error.message or "", error.lineno
    if message.startswith("unexpected char "):
        character = message.removeprefix("unexpected char ").partition(" at ")[0].strip("'\"")
        return Refused("bad_character", {"line": line, "character": character})
    if message.startswith("Encountered unknown tag "):
        return Refused("unknown_tag", {"line": line, "tag": message.split("'")[1]})
    if "nexpected end of template" in message or "Missing end of" in message:
        return Refused("unclosed", {"line": line})
    return Refused("syntax", {"line": line})


class CompiledTemplate:
    """
    A checked text, ready to be rendered many times and by several threads.

    `variables` are all it uses, in registry order, and each is in one of three groups:
    `compared` (its very value decides what is printed), `printed_only` (only its length and whether it
    is empty show in the length of the text) and `tested_only` (only whether it is empty).
    """

    def __init__(self, source: str, known: Mapping[str, Variable], *, html: bool, maximum: int = MAXIMUM_SOURCE):
        self.source = check_source(source, maximum=maximum)
        self.maximum_output = max(maximum, MAXIMUM_OUTPUT)
        environment = HTML if html else PLAIN
        grammar = Grammar(known)
        tree = grammar.template(syntax_tree(self.source, environment))
        facts = grammar.facts
        used = facts.printed | facts.tested | facts.compared
        self.variables = tuple(key for key in known if key in used)
        self.compared = tuple(key for key in self.variables if key in facts.compared)
        self.printed_only = tuple(key for key in self.variables if key in facts.printed and key not in facts.compared)
        self.tested_only = tuple(key for key in self.variables if key not in facts.printed | facts.compared)
        self.fixed_text = facts.fixed_text
        self.ends_in_value = facts.ends_in_value
        self.maximums = {key: known[key].maximum for key in self.variables}
        self._used = tuple((key, known[key].maximum, Missing.of(key)) for key in self.variables)
        self._environment = environment
        self._refusal: Refused | None = None
        self._form = None
        try:
            self._form = form_of(tree, self._constant)
        except Refused as refusal:
            # Without its traceback, which would hold on to the tree.
            self._refusal = refusal.with_traceback(None)
        self._root = environment.from_string(self._form.tree if self._form else tree).root_render_func
        self._body = self._form and self._form.pattern(list(self._form.words))
        self._patterns = lru_cache(maxsize=16)(self._pattern)

    def _constant(self, node: nodes.Expr) -> str:
        """What an expression without variables prints."""
        template = nodes.Template([nodes.Output([node], lineno=node.lineno)], lineno=1)
        return self._environment.from_string(template).render()

    @property
    def has_opt_out_wording(self) -> bool:
        """Whether every reader is told how to opt out by the text itself."""
        return text.has_opt_out_wording(self.fixed_text)

    # Rendering

    def render(self, values: Mapping[str, str]) -> str:
        """
        The body for one person.

        Values are cleaned (`text.clean_value`) and inserted literally. Raises MissingValue if something
        printed is empty and has no default, TooLong above 2,000 characters (a letter: its own maximum),
        and TypeError if `values` holds anything but strings.
        """
        pieces = self._pieces(values)
        body = self._body % pieces if self._form else "".join(pieces)
        if len(body) > self.maximum_output:
            raise TooLong(self.maximum_output)
        return body

    def _pieces(self, values: Mapping[str, str], *, are_clean: bool = False) -> tuple[str, ...]:
        """The printed values of a text that has a form, the whole text in pieces of every other."""
        used = self._named(values) if are_clean else self.cleaned(values)
        # A context of one's own costs a microsecond and lets threads share the template.
        return tuple(self._root(Context(self._environment, used, None, {})))

    def _named(self, values: Mapping[str, str]) -> dict[str, str]:
        """Clean values that the text uses, the empty ones remembering their names."""
        return {key: values.get(key) or missing for key, _maximum, missing in self._used}

    def cleaned(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values that the text uses, clean, the empty ones remembering their names."""
        for value in values.values():
            if type(value) is not str:
                raise TypeError(f"A template takes strings only, not {type(value).__name__}.")
        clean = text.clean_value
        return {key: clean(values.get(key, ""), maximum) or missing for key, maximum, missing in self._used}

    # The whole message

    def compose(self, values: Mapping[str, str], *, signature: str, opt_out: str = "", are_clean: bool = False) -> str:
        """
        The message for one person as it is sent; raises what `render` raises.

        Use this instead of `text.compose`: whether the opt-out wording was typed is decided by what
        the author wrote, never by what a customer is called. Values that `text.clean_value` has just
        made `are_clean`: doing it twice took a tenth of the time.
        """
        if not self._form:
            return self._around(self.render(values), signature, opt_out)
        return self._filled(self._pieces(values, are_clean=are_clean), signature, opt_out)

    def _filled(self, pieces: tuple[str, ...], signature: str, opt_out: str) -> str:
        message = self._patterns(signature, opt_out) % pieces
        if len(message) > MAXIMUM_OUTPUT:
            raise TooLong
        return message

    def _pattern(self, signature: str, opt_out: str) -> str:
        """The message as a pattern that takes the printed values."""
        return self._form.pattern(self._around(self._form.cut, signature, opt_out).split(CUT))

    def _around(self, body: str, signature: str, opt_out: str) -> str:
        """The message around a body that this template rendered."""
        return text.compose(
            body,
            signature=signature.replace(CUT, ""),
            opt_out=opt_out.replace(CUT, ""),
            typed_opt_out=bool(opt_out) and _says(self.fixed_text, opt_out),
            ends_in_value=self.ends_in_value,
        )

    # Registered with a provider

    def skeleton(
        self,
        placeholder: Callable[[int, str], str],
        *,
        signature: str = "",
        opt_out: str = "",
        is_marketing: bool | None = None,
    ) -> str:
        """
        The message without its signature, as a provider registers it.

        `placeholder` writes the parameter at a place (from 1) by its name. `is_marketing` adds the
        rules of providers for that class of text, None leaves them out. Raises Refused.
        """
        form = self._has_form()
        cut = self._around(form.cut, signature, opt_out)
        cut = cut.removeprefix(f"【{text.bare_signature(signature)}】")
        if is_marketing is not None:
            check_rules(form, cut, is_marketing=is_marketing)
        words = cut.split(CUT)
        marks = [placeholder(place, name) for place, name in enumerate(form.names, start=1)]
        skeleton = "".join(piece for pair in zip(words, [*marks, ""], strict=True) for piece in pair)
        length = text.utf16_length(skeleton)
        if is_marketing is not None and length > text.MAXIMUM_LENGTH:
            raise Refused("registered_too_long", {"length": length, "maximum": text.MAXIMUM_LENGTH})
        return skeleton

    def parameters(self, values: Mapping[str, str]) -> dict[str, str]:
        """What fills the skeleton for one person, in its order; raises Refused and what `render` raises."""
        return self._has_form().parameters(self._pieces(values))

    def compose_with_parameters(
        self, values: Mapping[str, str], *, signature: str, opt_out: str = ""
    ) -> tuple[str, dict[str, str]]:
        """The message for one person and what fills its skeleton; raises Refused and what `render` raises."""
        form = self._has_form()
        pieces = self._pieces(values)
        return self._filled(pieces, signature, opt_out), form.parameters(pieces)

    def _has_form(self) -> Form:
        if not self._form:
            raise Refused(self._refusal.code, self._refusal.values)
        return self._form

    def measure(
        self,
        groups: Iterable[tuple[Mapping[str, str | Length], int]],
        *,
        signature: str,
        opt_out: str = "",
        is_registered: bool = False,
    ) -> list[Measured]:
        """
        What becomes of each group of people, exactly as if each person were rendered.

        A group is made of people with the same value of every `compared` variable, the same length of
        every `printed_only` variable and the same emptiness of every `tested_only` variable. A string
        stands for itself, `Length` for all values of that many UTF-16 units, which the query must
        guarantee to be clean: `text.clean_value` leaves them as they are. Values that may not be clean
        (or are longer than the variable's maximum) are grouped by themselves, as strings. `text.UTF16_LENGTH_IN_SQL`
        counts in the query.

        `is_registered` asks also what a provider that composes the message itself would refuse of the values.

        Raises ValueError for a length beyond the maximum, TypeError for a length of a compared variable.
        """
        return [
            self._measured(
                self._representative(group), count, signature=signature, opt_out=opt_out, is_registered=is_registered
            )
            for group, count in groups
        ]

    def _representative(self, group: Mapping[str, str | Length]) -> dict[str, str]:
        """Values of somebody who could belong to the group."""
        values = {}
        for key in self.variables:
            value = group.get(key, "")
            if isinstance(value, Length):
                if key in self.compared:
                    raise TypeError(f"The text compares {key}: it must be grouped by its value.")
                value = value.filler(self.maximums[key])
            values[key] = value
        return values

    def _measured(
        self, values: Mapping[str, str], count: int, *, signature: str, opt_out: str, is_registered: bool
    ) -> Measured:
        unsuitable = ""
        try:
            if is_registered and self._form:
                message, parameters = self.compose_with_parameters(values, signature=signature, opt_out=opt_out)
                unsuitable = text.unsuitable(parameters)
            else:
                message = self.compose(values, signature=signature, opt_out=opt_out)
        except MissingValue as missing:
            return Measured(count, missing=missing.variable)
        except TooLong:
            return Measured(count, too_long=True)
        units = text.utf16_length(message)
        return Measured(
            count,
            units=units,
            segments=text.segments_of_length(units),
            too_long=units > text.MAXIMUM_LENGTH,
            unsuitable=unsuitable,
        )


_says = lru_cache(maxsize=1024)(text.says)
