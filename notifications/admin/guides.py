"""Guides: the connect-….md files of docs/ as pages of the admin, with the addresses of an account in them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
EXAMPLE = re.compile(r"https://[^`|\n]*?/callbacks/[^/`|\s]+/(receipts|replies)")
ITEM = re.compile(r"(\d+\.|-)\s+(.*)")
RULER = re.compile(r"\|[\s:|-]+\|")
CODE = re.compile(r"(`[^`]+`)")
INLINE = (
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![*\w.])\*([^*\s][^*]*)\*(?![*\w])"), r"<em>\1</em>"),
    (re.compile(r"\[([^\]]+)\]\((https://[^)\s]+)\)"), r'<a class="hy-link" href="\2" rel="noreferrer">\1</a>'),
    (re.compile(r"\[([^\]]+)\]\([^)]+\)"), r"\1"),
)


def guide(name: str, *, language: str, addresses: Mapping[str, str]) -> SafeString:
    """
    A guide as HTML, in Chinese for readers of Chinese; "" where there is none.

    `addresses` are the account's own for receipts and replies, in place of the examples.
    """
    text = read(f"connect-{name}{'.zh-CN' if language.startswith('zh') else ''}.md")
    return as_html(EXAMPLE.sub(lambda example: addresses.get(example[1], example[0]), text))


@lru_cache
def read(name: str) -> str:
    """A file of docs/, or "" where there is none."""
    path = DOCS / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def as_html(text: str) -> SafeString:
    """The Markdown that our guides are written in; the first heading is the title of the page and left out."""
    parts = []
    for kind, group in groupby(blocks(text), key=lambda block: block[0]):
        inside = [words for _kind, words in group]
        match kind:
            case "ol" | "ul":
                items = "".join(f"<li>{inline(words)}</li>" for words in inside)
                parts.append(f'<{kind} class="hy-steps">{items}</{kind}>')
            case "table":
                parts.append(as_table(inside))
            case "code":
                parts += [f'<code class="hy-copy">{escape(words)}</code>' for words in inside]
            case "h2":
                parts += [f'<h2 class="hy-card-title">{inline(words)}</h2>' for words in inside]
            case "quote":
                parts.append(f'<blockquote class="hy-copy">{inline(" ".join(inside))}</blockquote>')
            case "p":
                parts += [f"<p>{inline(words)}</p>" for words in inside]
    return mark_safe("\n".join(parts))


def as_table(rows: list[str]) -> str:
    """A table; its second row is the ruler below the head."""
    cells = [[inline(cell.strip()) for cell in row.strip("|").split("|")] for row in rows if not RULER.fullmatch(row)]
    head = "".join(f"<th>{cell}</th>" for cell in cells[0])
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells[1:])
    return f'<div class="hy-scroll"><table class="hy-table"><thead><tr>{head}</tr></thead>{body}</table></div>'


def blocks(text: str) -> list[tuple[str, str]]:
    """Kind and words of each paragraph, item, row and heading; a line that goes on is joined to the one before."""
    found: list[tuple[str, str]] = []
    is_fenced, goes_on = False, False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("```"):
            is_fenced = not is_fenced
            goes_on = False
        elif is_fenced:
            found.append(("code", line))
        elif not line:
            # Two paragraphs, or lists, that follow each other stay apart.
            found += [("gap", "")] if found and found[-1][0] in ("ol", "ul", "table", "quote") else []
            goes_on = False
        else:
            kind, words = kind_of(line)
            if kind == "p" and goes_on:
                before = found[-1]
                found[-1] = (before[0], before[1] + joint(before[1], words) + words)
            else:
                found.append((kind, words))
            goes_on = kind in ("p", "ol", "ul")
    return found


def kind_of(line: str) -> tuple[str, str]:
    """What a line begins, and its words."""
    if item := ITEM.match(line):
        return ("ul" if item[1] == "-" else "ol"), item[2]
    if line.startswith("#"):
        return ("title" if line.startswith("# ") else "h2"), line.lstrip("# ")
    if line.startswith("|"):
        return "table", line
    if line.startswith(">"):
        return "quote", line.lstrip("> ")
    return "p", line


def joint(before: str, after: str) -> str:
    """A space between two lines, except between Chinese ones."""
    return "" if max(before[-1], after[0]) > "\u2e80" else " "


def inline(text: str) -> str:
    """Code, bold, italics and links of one paragraph; everything else is text."""
    # Signs that stand in code mean nothing; what bold and links hold is put back behind a sign of its own.
    codes = CODE.findall(text)
    html = str(escape(CODE.sub("\x00", text)))
    for pattern, replacement in INLINE:
        html = pattern.sub(replacement, html)
    for code in codes:
        html = html.replace("\x00", f'<code class="hy-word">{escape(code.strip("`"))}</code>', 1)
    return html
