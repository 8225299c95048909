"""Letters: what an e-mail or an item in the inbox says, in a subject, plain words and formatted ones."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Protocol

from notifications import text
from notifications.rendering.html_rules import checked
from notifications.rendering.measuring import Length, Measured
from notifications.rendering.refusals import Refused
from notifications.rendering.template import HTML, CompiledTemplate, MissingValue, TooLong, parse
from notifications.rendering.variables import VARIABLES

# The channels whose messages are letters: no 【signature】, no segments, one unit each.
CHANNELS = frozenset({"email", "inbox"})
MAXIMUM_LETTER = 20_000
MAXIMUM_SUBJECT = 100
# With its values; mail programs show less.
LONGEST_SUBJECT = 200
# Commercial mail in China begins its subject with this (互联网电子邮件服务管理办法, 2006, article 13).
MARK = "（广告）"
MARKED = re.compile(r"\W*(广告|AD\b)", re.IGNORECASE)
PLAIN_FOOTER = "{body}\n\n--\n不想再收到这类邮件，请打开此链接退订 / Unsubscribe:\n{link}\n"
HTML_FOOTER = (
    '<p style="margin-top:32px;font-size:12px;color:#777777">不想再收到这类邮件？'
    '<a href="{link}" style="color:#777777">退订 / Unsubscribe</a></p>'
)
PAGE = (
    '<!DOCTYPE html><html><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>{body}{footer}</body></html>'
)


@dataclass(frozen=True, slots=True)
class Said:
    """What one person reads; `html` is "" where the letter has no formatted text."""

    subject: str
    text: str
    html: str


class Letter:
    """
    A checked subject, text and formatted text, ready to be rendered many times and by several threads.

    `variables` are grouped as those of a CompiledTemplate, so that an audience is measured in the same way.
    """

    def __init__(self, subject: str, body: str, html: str, *, is_advertising: bool = False):
        self.is_advertising = is_advertising
        self.subject = parse_subject(subject)
        self.body = parse(body, maximum=MAXIMUM_LETTER)
        self.html = parse_html(html) if html else None
        parts = [part for part in (self.subject, self.body, self.html) if part]
        used = {name for part in parts for name in part.variables}
        compared = {name for part in parts for name in part.compared}
        printed = {name for part in parts for name in part.printed_only} - compared
        self.variables = tuple(name for name in VARIABLES if name in used)
        self.compared = tuple(name for name in self.variables if name in compared)
        self.printed_only = tuple(name for name in self.variables if name in printed)
        self.tested_only = tuple(name for name in self.variables if name not in compared | printed)

    def compose(self, values: Mapping[str, str], *, unsubscribe_url: str = "") -> Said:
        """The letter for one person; raises MissingValue and TooLong."""
        subject = text.visible(self.subject.render(values)).strip()
        if self.is_advertising and not MARKED.match(subject):
            subject = MARK + subject
        if len(subject) > LONGEST_SUBJECT:
            raise TooLong(LONGEST_SUBJECT)
        words = self.body.render(values)
        html = self.html.render(values) if self.html else ""
        if unsubscribe_url:
            words = PLAIN_FOOTER.format(body=words, link=unsubscribe_url)
        if html:
            footer = HTML_FOOTER.format(link=escape(unsubscribe_url)) if unsubscribe_url else ""
            html = PAGE.format(body=html, footer=footer)
        return Said(subject, words, html)

    def measure(
        self,
        groups: Iterable[tuple[Mapping[str, str | Length], int]],
        *,
        signature: str,
        opt_out: str = "",
        is_registered: bool = False,
    ) -> list[Measured]:
        """What becomes of each group of people; a letter is one unit, whatever its length."""
        return [self._measured(group, count) for group, count in groups]

    def _measured(self, group: Mapping[str, str | Length], count: int) -> Measured:
        values = {
            name: value.filler(VARIABLES[name].maximum) if isinstance(value, Length) else value
            for name, value in group.items()
        }
        try:
            said = self.compose(values)
        except MissingValue as missing:
            return Measured(count, missing=missing.variable)
        except TooLong:
            return Measured(count, too_long=True)
        return Measured(count, units=text.utf16_length(said.text), segments=1)


class Written(Protocol):
    """A template or a message: what stands in it, and where it goes."""

    channel: str
    purpose: str
    subject: str
    body: str
    html: str


def compiled(written: Written) -> CompiledTemplate | Letter:
    """What a template or message says, as it is rendered on its channel; raises Refused."""
    if written.channel in CHANNELS:
        is_advertising = written.channel == "email" and written.purpose == "marketing"
        return letter(written.subject, written.body, written.html, is_advertising=is_advertising)
    return parse(written.body)


@lru_cache(maxsize=256)
def letter(subject: str, body: str, html: str, *, is_advertising: bool = False) -> Letter:
    """Check and compile a letter; raises Refused with a sentence that names the place and the remedy."""
    return Letter(subject, body, html, is_advertising=is_advertising)


def parse_subject(source: str) -> CompiledTemplate:
    """A subject of one line; raises Refused."""
    if not source.strip():
        raise Refused("subject_empty", {})
    if "\n" in source or "\r" in source:
        raise Refused("subject_lines", {})
    return parse(source.strip(), maximum=MAXIMUM_SUBJECT)


def parse_html(source: str) -> CompiledTemplate:
    """A formatted text in its one spelling, values escaped; raises Refused."""
    grammatical = parse(source, html=True, maximum=MAXIMUM_LETTER)
    return parse(checked(grammatical.source, HTML), html=True, maximum=2 * MAXIMUM_LETTER)
