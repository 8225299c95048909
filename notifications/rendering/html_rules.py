"""What the formatted text of an e-mail may hold: an allow-list, and a sentence for everything else."""

import re
from html import escape
from html.parser import HTMLParser

from jinja2 import Environment

from notifications.rendering.refusals import Refused

# Stand for a printed value and for the conditions while the markup around them is read; no source may hold them.
VALUE, IF, ELSE, ENDIF = "\x01", "\x02", "\x03", "\x04"
MARKS = re.compile(f"[{VALUE}{IF}{ELSE}{ENDIF}]")
KEYWORDS = {"if": IF, "elif": ELSE, "else": ELSE, "endif": ENDIF}

EVERYWHERE = frozenset({"style", "align", "dir", "lang", "title"})
CELL = frozenset({"width", "height", "colspan", "rowspan", "valign", "bgcolor"})
WORDS = (
    "p",
    "br",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "div",
    "span",
    "strong",
    "b",
    "em",
    "i",
    "u",
    "s",
    "small",
    "sub",
    "sup",
)
BLOCKS = ("ul", "ol", "li", "blockquote", "center", "tbody", "thead", "tfoot", "tr", "caption")
ALLOWED = {
    **dict.fromkeys([*WORDS, *BLOCKS], EVERYWHERE),
    "a": EVERYWHERE | {"href"},
    "img": EVERYWHERE | {"src", "alt", "width", "height", "border"},
    "font": EVERYWHERE | {"color", "size", "face"},
    "table": EVERYWHERE | {"width", "border", "cellpadding", "cellspacing", "bgcolor"},
    "td": EVERYWHERE | CELL,
    "th": EVERYWHERE | CELL,
}
VOID = frozenset({"br", "hr", "img"})
# Their values are words or the end of an address; everywhere else a customer's value could become markup.
MAY_HOLD_VALUES = frozenset({"href", "alt", "title"})
LINK = re.compile(rf"https?://[^\s/?#{VALUE}]+([/?#]\S*)?|(mailto|tel):\S+", re.IGNORECASE)
PICTURE = re.compile(r"https://[^\s/?#]+/\S*", re.IGNORECASE)
# What loads something, runs something or lays itself over the mail program.
STYLE = re.compile(r"url\s*\(|expression|@|\\|/\*|behaviou?r|binding|position|[<>{}]", re.IGNORECASE)
LONGEST_SHOWN = 40


def checked(source: str, environment: Environment) -> str:
    """
    The formatted text in its one spelling: what is read here is what mail programs read.

    `source` has passed the grammar of templates. Raises Refused.
    """
    marked, tags = _marked(source, environment)
    reader = _Reader()
    try:
        reader.feed(marked)
        reader.close()
    except AssertionError as trouble:
        # What the parser says of a declaration that nobody knows.
        raise reader.refused("html_comment") from trouble
    reader.finish()
    restored = iter(tags)
    return MARKS.sub(lambda _mark: next(restored), "".join(reader.written))


def _marked(source: str, environment: Environment) -> tuple[str, list[str]]:
    """The source with a mark in place of each tag of ours, and the tags in their order."""
    marked, tags = [], []
    inside, keyword = None, ""
    for _line, kind, word in environment.lex(source):
        if kind in ("variable_begin", "block_begin"):
            inside, keyword = [word], VALUE if kind == "variable_begin" else ""
        elif inside is not None:
            inside.append(word)
            if not keyword and kind == "name":
                keyword = KEYWORDS[word]
            if kind in ("variable_end", "block_end"):
                tags.append("".join(inside))
                # A tag over several lines leaves the numbers of the lines behind it true.
                marked.append(keyword + "\n" * "".join(inside).count("\n"))
                inside = None
        elif kind == "data":
            marked.append(word)
    return "".join(marked), tags


class _Reader(HTMLParser):
    """Reads markup, refuses what is not on the list, and writes the rest in one spelling."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.written: list[str] = []
        self.open: list[tuple[str, int]] = []
        # How many elements were open where each condition began.
        self.conditions: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if tag not in ALLOWED:
            raise self.refused("html_tag", tag=_shown(tag), known=" ".join(ALLOWED))
        words = "".join(f' {name}="{_written(self._value(tag, name, value or ""))}"' for name, value in attrs)
        self.written.append(f"<{tag}{words}>")
        if tag not in VOID:
            self.open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that is closed where it begins."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if tag in VOID:
            return
        if not self.open or self.open[-1][0] != tag:
            raise self.refused("html_closes_nothing", tag=_shown(tag))
        if self.conditions and len(self.open) <= self.conditions[-1]:
            raise self.refused("html_condition", tag=tag)
        self.open.pop()
        self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Words, with the marks of our own tags among them."""
        if "<" in data:
            raise self.refused("html_bracket")
        for mark in MARKS.findall(data):
            if mark in (ELSE, ENDIF) and len(self.open) != self.conditions[-1]:
                raise self.refused("html_condition", tag=self.open[-1][0])
            if mark == IF:
                self.conditions.append(len(self.open))
            elif mark == ENDIF:
                self.conditions.pop()
        self.written.append(data.replace(">", "&gt;"))

    def handle_entityref(self, name: str) -> None:
        """A character by its name."""
        self.written.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """A character by its number."""
        self.written.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        """Programs of one maker read instructions in comments."""
        raise self.refused("html_comment")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def finish(self) -> None:
        """Refuse what was never closed: it would swallow what is put behind the text."""
        if self.open:
            tag, line = self.open[-1]
            raise Refused("html_unclosed", {"line": line, "tag": tag})

    def _value(self, tag: str, name: str, value: str) -> str:
        if name.startswith("on"):
            raise self.refused("html_handler", attribute=_shown(name))
        others = value.replace(VALUE, "") if name in MAY_HOLD_VALUES else value
        if MARKS.search(name + others):
            raise self.refused("html_value_in_tag", tag=tag)
        if name not in ALLOWED[tag]:
            known = " ".join(sorted(ALLOWED[tag]))
            raise self.refused("html_attribute", attribute=_shown(name), tag=tag, known=known)
        value = value.strip()
        if name == "href" and not LINK.fullmatch(value):
            raise self.refused("html_link", address=_shown(value))
        if name == "src" and not PICTURE.fullmatch(value):
            raise self.refused("html_picture", address=_shown(value))
        if name == "style" and (found := STYLE.search(value)):
            raise self.refused("html_style", words=found[0])
        return value

    def refused(self, code: str, **values: object) -> Refused:
        """A refusal with the line that is being read."""
        return Refused(code, {"line": self.getpos()[0], **values})


def _written(value: str) -> str:
    """A value between quotes; braces that were written as characters never become a tag of ours."""
    return escape(value).replace("{", "&#123;")


def _shown(words: str) -> str:
    """Words of the source as a sentence can show them."""
    return MARKS.sub("…", words)[:LONGEST_SHOWN]
