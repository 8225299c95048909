"""Texts of words and printed values alone: providers register these, and they are the fastest to fill."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jinja2 import nodes

from notifications import text
from notifications.rendering.refusals import Refused

# A text is cut here into the words around its values; no source may hold this character.
CUT = "\x00"


@dataclass(frozen=True)
class Form:
    """
    The words of a text around its parameters, one more than there are parameters.

    Printed values that stand side by side are one parameter, because no provider takes two without
    a word between; `widths` tells of how many values each one is made.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]
    widths: tuple[int, ...]
    printed: tuple[nodes.Expr, ...]

    @property
    def tree(self) -> nodes.Template:
        """A template that yields the printed values alone, each as one piece."""
        return nodes.Template([nodes.Output([node], lineno=node.lineno) for node in self.printed], lineno=1)

    @property
    def cut(self) -> str:
        """The words, cut where a parameter stands."""
        return CUT.join(self.words)

    def pattern(self, words: list[str]) -> str:
        """The words as a pattern for `%`, which takes the printed values."""
        escaped = [word.replace("%", "%%") for word in words]
        places = ["%s" * width for width in self.widths]
        return "".join(piece for pair in zip(escaped, [*places, ""], strict=True) for piece in pair)

    def parameters(self, pieces: tuple[str, ...]) -> dict[str, str]:
        """The value of each parameter, in the order of the text."""
        if len(pieces) == len(self.names):
            return dict(zip(self.names, pieces, strict=True))
        found, start = {}, 0
        for name, width in zip(self.names, self.widths, strict=True):
            found[name] = "".join(pieces[start : start + width])
            start += width
        return found


def form_of(tree: nodes.Template, constant: Callable[[nodes.Expr], str]) -> Form:
    """
    The form of a checked template; `constant` prints an expression without variables.

    Raises Refused where conditions choose between texts, or where a value could be empty or begin
    or end with a blank: what the provider composes would not be what staff saw.
    """
    words, runs = [""], []
    for piece in _pieces(tree):
        if isinstance(piece, nodes.TemplateData):
            words[-1] += piece.data
        elif not any(_names_in(piece)):
            words[-1] += constant(piece)
        elif runs and not words[-1]:
            runs[-1].append(piece)
        else:
            runs.append([piece])
            words.append("")
    for run in runs:
        _check(run)
    names: list[str] = []
    for run in runs:
        names.append(_unused(next(_names_in(run[0])), names))
    return Form(
        tuple(words), tuple(names), tuple(len(run) for run in runs), tuple(node for run in runs for node in run)
    )


def _pieces(tree: nodes.Template) -> Iterator[nodes.Expr]:
    """The words and the printed expressions in their order."""
    for statement in tree.body:
        if not isinstance(statement, nodes.Output):
            raise Refused("registered_condition", {"line": statement.lineno})
        yield from statement.nodes


def _names_in(node: nodes.Node) -> Iterator[str]:
    """The variables of an expression in the order in which its author wrote them."""
    if isinstance(node, nodes.Name):
        yield node.name
    children = [node.expr1, node.test, node.expr2] if isinstance(node, nodes.CondExpr) else node.iter_child_nodes()
    for child in children:
        yield from _names_in(child)


def _unused(name: str, names: list[str]) -> str:
    """The name, with a digit if an earlier parameter has it."""
    number, free = 1, name
    while free in names:
        number += 1
        free = f"{name}{number}"
    return free


def _check(run: list[nodes.Expr]) -> None:
    """Raises Refused if the value that these expressions print together could be empty or have blanks around it."""
    for node in run:
        for word in _printable_words(node):
            if word != word.strip():
                raise Refused("registered_blank", {"line": node.lineno, "word": word})
    if all(_may_be_empty(node) for node in run):
        raise Refused("registered_empty", {"line": run[0].lineno, "variable": next(_names_in(run[0]))})


def _printable_words(node: nodes.Expr) -> Iterator[str]:
    """The words between quotes that an expression may print."""
    match node:
        case nodes.Const():
            yield node.value
        case nodes.Or():
            yield from _printable_words(node.left)
            yield from _printable_words(node.right)
        case nodes.CondExpr():
            yield from _printable_words(node.expr1)
            yield from _printable_words(node.expr2)
        case nodes.Filter():
            yield from _printable_words(node.node)
            if node.name == "default":
                yield from _printable_words(node.args[0])


def _may_be_empty(node: nodes.Expr) -> bool:
    """Whether an expression may print nothing; a variable without a value is refused instead."""
    match node:
        case nodes.Const():
            return not node.value
        case nodes.Or():
            return _may_be_empty(node.right)
        case nodes.CondExpr():
            return _may_be_empty(node.expr1) or _may_be_empty(node.expr2)
        case nodes.Filter(name="default"):
            return _may_be_empty(node.args[0])
        case nodes.Filter():
            return _may_be_empty(node.node)
    return False


def check_rules(form: Form, skeleton: str, *, is_marketing: bool) -> None:
    """
    What every provider asks of a text before it looks at it.

    `skeleton` is the text as its readers get it, cut where a parameter stands. Raises Refused.
    """
    body = "".join(form.words)
    if not body.strip():
        raise Refused("registered_only_values", {})
    if "{" in body or "}" in body:
        raise Refused("registered_braces", {})
    wording = text.DEFAULT_OPT_OUT
    if is_marketing and not skeleton.endswith(wording):
        raise Refused("registered_without_opt_out", {"wording": wording})
    if not is_marketing and text.has_opt_out_wording(skeleton):
        raise Refused("registered_with_opt_out", {})
