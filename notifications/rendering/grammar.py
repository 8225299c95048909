"""The little language of templates: everything that is not listed here is refused when a text is saved."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from jinja2 import nodes

from notifications import text
from notifications.rendering.refusals import NOTATIONS, KnownVariables, Refused
from notifications.rendering.variables import Variable

MAXIMUM_SOURCE = 2_000
MAXIMUM_NODES = 300
MAXIMUM_DEPTH = 12
MAXIMUM_NUMBER = 1_000

FILTERS = {
    "default": '{{ name|default("…") }}',
    "truncate": "{{ name|truncate(10) }}",
    "upper": "{{ name|upper }}",
    "lower": "{{ name|lower }}",
    "trim": "{{ name|trim }}",
}
SYNONYMS = {"d": "default"}
# These change the length or the letters of a value: only the value itself tells the result.
DEPENDS_ON_VALUE = {"truncate", "upper", "lower"}
# Where a personal value stands when the constant text is looked at alone.
SOMETHING = "\ufffc"


def constant(node: nodes.Expr) -> str:
    """The words of a constant piece of text; empty for everything else."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""


@dataclass
class Facts:
    """What is known of a template without rendering it."""

    printed: set[str] = field(default_factory=set)
    tested: set[str] = field(default_factory=set)
    compared: set[str] = field(default_factory=set)
    fixed_text: str = ""
    ends_in_value: bool = False


def check_source(source: str, *, maximum: int = MAXIMUM_SOURCE) -> str:
    """
    The source with plain line ends and blanks, ready for the parser.

    Raises Refused if it is empty, too long or holds invisible characters.
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    if not source.strip():
        raise Refused("empty", {})
    if len(source) > maximum:
        raise Refused("too_long", {"length": len(source), "maximum": maximum})
    for position, mark in text.invisible_marks(source):
        line = source.count("\n", 0, position) + 1
        before = source[:position].rpartition("\n")[2]
        before = "".join(shown for shown in before if shown.isprintable())[-8:]
        raise Refused("invisible", {"line": line, "before": before, "character": f"U+{ord(mark):04X}"})
    return source


def check_size(tree: nodes.Template) -> None:
    """Raises Refused if the tree is too big or too deep to be walked without care."""
    count = 0
    waiting: list[tuple[nodes.Node, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > MAXIMUM_DEPTH:
            raise Refused("too_deep", {"line": node.lineno, "maximum": MAXIMUM_DEPTH})
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())
    if count > MAXIMUM_NODES:
        raise Refused("too_complex", {"count": count, "maximum": MAXIMUM_NODES})


class Grammar:
    """
    Walks a parsed template, refuses what is not allowed and gathers facts.

    Each method returns the node to use instead: aliases become keys, and the forms whose value would
    depend on Jinja's idea of undefined are written out.
    """

    def __init__(self, known: Mapping[str, Variable]):
        self.known = known
        self.facts = Facts()
        self.keys = {alias: key for key, variable in known.items() for alias in (key, *variable.aliases)}
        names = "|".join(sorted(map(re.escape, self.keys), key=len, reverse=True)) or "(?!)"
        self.bare = re.compile(rf"[{{｛]{{1,2}}\s*({names})\s*[}}｝]{{1,2}}|#({names})#|%({names})%")

    def template(self, tree: nodes.Template) -> nodes.Template:
        """The checked template."""
        check_size(tree)
        tree.body = [self.statement(node) for node in tree.body]
        self.facts.fixed_text = "".join(self._fixed(node) for node in tree.body)
        self.facts.ends_in_value = self.facts.fixed_text.rstrip().endswith(SOMETHING)
        if not text.has_opt_out_wording(self.facts.fixed_text):
            self._refuse_conditional_opt_out(tree)
        return tree

    # Statements

    def statement(self, node: nodes.Node) -> nodes.Node:
        """Plain text, a printed expression or a condition."""
        if isinstance(node, nodes.Output):
            node.nodes = [self.piece(child) for child in node.nodes]
        elif isinstance(node, nodes.If):
            node.test = self.condition(node.test)
            node.body = [self.statement(child) for child in node.body]
            node.elif_ = [self.statement(child) for child in node.elif_]
            node.else_ = [self.statement(child) for child in node.else_]
        else:
            raise self.not_allowed(node)
        return node

    def piece(self, node: nodes.Expr) -> nodes.Expr:
        """Constant text, or what stands between {{ and }}."""
        if not isinstance(node, nodes.TemplateData):
            return self.printed(node)
        bare = self.bare.search(node.data)
        if bare:
            variable = next(found for found in bare.groups() if found)
            raise self.refused("bare_variable", node, written=bare[0], variable=variable)
        if re.search("[【】]", re.sub("【[^【】]*】", "", node.data)):
            raise self.refused("signature_pieces", node)
        return node

    # Expressions

    def printed(self, node: nodes.Expr, marks: str = "printed") -> nodes.Expr:
        """An expression that yields text."""
        match node:
            case nodes.Name():
                return self.variable(node, marks)
            case nodes.Const():
                return self.word(node)
            case nodes.Or():
                node.left, node.right = self.printed(node.left, marks), self.printed(node.right, marks)
                return node
            case nodes.And():
                return self.either(self.condition(node.left), self.printed(node.right, marks), None, node)
            case nodes.CondExpr():
                otherwise = node.expr2 and self.printed(node.expr2, marks)
                return self.either(self.condition(node.test), self.printed(node.expr1, marks), otherwise, node)
            case nodes.Filter():
                return self.filtered(node, marks)
            case nodes.Compare() | nodes.Not() | nodes.Test():
                self.condition(node)  # Names an error inside it first.
                raise self.refused("prints_condition", node)
        raise self.not_allowed(node)

    def condition(self, node: nodes.Expr) -> nodes.Expr:
        """An expression that is only asked whether it is true or not empty."""
        match node:
            case nodes.And() | nodes.Or():
                node.left, node.right = self.condition(node.left), self.condition(node.right)
                return node
            case nodes.Not():
                node.node = self.condition(node.node)
                return node
            case nodes.Compare():
                return self.comparison(node)
            case nodes.Test():
                return self.test(node)
            case nodes.Filter():
                return self.filtered(node, "tested")
        return self.printed(node, "tested")

    def comparison(self, node: nodes.Compare) -> nodes.Expr:
        """Text against text; `in` also against a list of words."""
        operator, *further = node.ops
        if further:
            raise self.refused("comparison", node)
        words = operator.expr
        if operator.op in ("eq", "ne") and isinstance(words, nodes.Const) and words.value == "":
            node.expr = self.printed(node.expr, "tested")
            return node
        node.expr = self.operand(node.expr)
        if operator.op in ("in", "notin") and isinstance(words, (nodes.List, nodes.Tuple)):
            if not all(isinstance(item, nodes.Const) for item in words.items):
                raise self.refused("comparison", node)
            words.items = [self.word(item) for item in words.items]
        else:
            operator.expr = self.operand(words)
        return node

    def operand(self, node: nodes.Expr) -> nodes.Expr:
        """One side of a comparison."""
        if isinstance(node, (nodes.Name, nodes.Filter, nodes.Or)):
            return self.printed(node, "compared")
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            return self.word(node)
        raise self.refused("comparison", node)

    def test(self, node: nodes.Test) -> nodes.Expr:
        """`is defined`, `is undefined` and `is none` ask whether there is a value."""
        if not isinstance(node.node, nodes.Name) or node.args or node.kwargs:
            raise self.not_allowed(node)
        filled = self.variable(node.node, "tested")
        if node.name == "defined":
            return filled
        if node.name in ("undefined", "none"):
            return nodes.Not(filled, lineno=node.lineno, environment=node.environment)
        raise self.not_allowed(node)

    def filtered(self, node: nodes.Filter, marks: str) -> nodes.Expr:
        """One of our filters with constant arguments."""
        node.name = SYNONYMS.get(node.name, node.name)
        if node.name not in FILTERS:
            raise self.refused("unknown_filter", node, filter=node.name, known=", ".join(FILTERS))
        if node.node is None:
            raise self.not_allowed(node)
        node.args = self.arguments(node)
        node.kwargs = []
        node.node = self.printed(node.node, "compared" if node.name in DEPENDS_ON_VALUE else marks)
        return node

    def arguments(self, node: nodes.Filter) -> list[nodes.Expr]:
        """The one argument that `default` and `truncate` need, and none for the others."""
        wrong = self.refused("filter_arguments", node, filter=node.name, example=FILTERS[node.name])
        named = {pair.key: pair.value for pair in node.kwargs}
        if node.dyn_args or node.dyn_kwargs:
            raise wrong
        first = node.args[0] if node.args else None
        if node.name == "default":
            # Every variable has a value here, if only an empty one, so `true` is always meant.
            given = [*node.args[1:], *named.values()]
            plain = all(isinstance(flag, nodes.Const) and isinstance(flag.value, bool) for flag in given)
            if not isinstance(first, nodes.Const) or not plain or len(given) > 1 or set(named) - {"boolean"}:
                raise wrong
            return [self.word(first)]
        if node.name == "truncate":
            length = first.value if isinstance(first, nodes.Const) else None
            if len(node.args) != 1 or named or type(length) is not int or not 1 <= length <= MAXIMUM_NUMBER:
                raise wrong
            return [first]
        if node.args or named:
            raise wrong
        return []

    # Leaves

    def variable(self, node: nodes.Name, marks: str) -> nodes.Name:
        """A variable by its key."""
        key = self.keys.get(node.name)
        if key:
            getattr(self.facts, marks).add(key)
            return nodes.Name(key, "load", lineno=node.lineno, environment=node.environment)
        known = KnownVariables(self.known.values())
        nearest = get_close_matches(node.name, self.keys, n=1)
        if nearest:
            raise self.refused("misspelled_variable", node, variable=node.name, nearest=nearest[0], known=known)
        raise self.refused("unknown_variable", node, variable=node.name, known=known)

    def word(self, node: nodes.Const) -> nodes.Const:
        """A constant between quotes."""
        if not isinstance(node.value, str):
            raise self.refused("number", node)
        for _position, mark in text.invisible_marks(node.value):
            raise self.refused("invisible_constant", node, character=f"U+{ord(mark):04X}")
        if "【" in node.value or "】" in node.value:
            raise self.refused("signature_pieces", node)
        return node

    # Helpers

    def either(self, test: nodes.Expr, then: nodes.Expr, otherwise: nodes.Expr | None, node: nodes.Expr):
        """A choice between two texts; the second is empty if the author wrote none."""
        place = {"lineno": node.lineno, "environment": node.environment}
        return nodes.CondExpr(test, then, otherwise or nodes.Const("", **place), **place)

    def _fixed(self, node: nodes.Node) -> str:
        """The text that every reader sees, with a mark where something personal stands."""
        if not isinstance(node, nodes.Output):
            return SOMETHING
        return "".join(piece.data if isinstance(piece, nodes.TemplateData) else SOMETHING for piece in node.nodes)

    def _refuse_conditional_opt_out(self, tree: nodes.Template) -> None:
        """Raises Refused if only some readers would learn how to opt out."""
        for node in tree.find_all((nodes.TemplateData, nodes.Const)):
            if text.has_opt_out_wording(constant(node)):
                raise self.refused("opt_out_in_condition", node)

    def not_allowed(self, node: nodes.Node) -> Refused:
        """The refusal of a construct that no message needs."""
        name = type(node).__name__
        return self.refused("not_allowed", node, construct=NOTATIONS.get(name, name))

    def refused(self, code: str, node: nodes.Node, **values: object) -> Refused:
        """A refusal with the line of the node."""
        return Refused(code, {"line": node.lineno, **values})
