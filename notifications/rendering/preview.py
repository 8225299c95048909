"""What one customer would read, with everything its author should know before sending."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifications import text
from notifications.rendering.letters import Letter
from notifications.rendering.template import CompiledTemplate, MissingValue, TooLong


def _(msgid: str) -> str:
    """Mark a sentence for translation; it is translated where it is shown."""
    return msgid


@dataclass(frozen=True)
class Preview:
    """
    One personal message: its text, its length and price, and remarks as sentences with values.

    A letter has a subject, may have a formatted text, and is one unit.
    """

    text: str
    units: int
    segments: int
    notes: tuple[text.Note, ...]
    beyond_limit: str = ""
    missing: str | None = None
    too_long: bool = False
    subject: str = ""
    html: str = ""

    @property
    def can_be_sent(self) -> bool:
        """Whether this person gets the message."""
        return self.missing is None and not self.too_long


def preview(
    template: CompiledTemplate | Letter, values: Mapping[str, str], *, signature: str, opt_out: str = ""
) -> Preview:
    """
    The message that the customer with these values would get; never raises for what the values are.

    `opt_out` is how it is stopped: the wording at the end of an SMS, the link at the end of a letter.
    """
    if isinstance(template, Letter):
        return _letter(template, values, opt_out)
    try:
        body = template.render(values)
        message = template.compose(values, signature=signature, opt_out=opt_out)
    except MissingValue as missing:
        return Preview("", 0, 0, (missing.note,), missing=missing.variable)
    except TooLong as refusal:
        return Preview("", 0, 0, (refusal.note,), too_long=True)
    units = text.utf16_length(message)
    beyond = text.beyond(message)
    notes = [*text.notes(message), *text.signature_notes(body, signature)]
    if beyond:
        notes.insert(0, (
            _("The message has %(units)s characters; at most %(maximum)s are possible. Shorten it by %(excess)s."),
            {"units": units, "maximum": text.MAXIMUM_LENGTH, "excess": units - text.MAXIMUM_LENGTH},
        ))  # fmt: skip
    return Preview(
        text=message,
        units=units,
        segments=text.segments_of_length(units),
        notes=tuple(notes),
        beyond_limit=beyond,
        too_long=bool(beyond),
    )


def _letter(letter: Letter, values: Mapping[str, str], link: str) -> Preview:
    try:
        said = letter.compose(values, unsubscribe_url=link)
    except MissingValue as missing:
        return Preview("", 0, 0, (missing.note,), missing=missing.variable)
    except TooLong as refusal:
        return Preview("", 0, 0, (refusal.note,), too_long=True)
    return Preview(said.text, text.utf16_length(said.text), 1, (), subject=said.subject, html=said.html)
