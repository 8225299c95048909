"""Personal texts from templates: what a template may say, rendering, and exact prices before sending."""

from notifications.rendering.grammar import Refused
from notifications.rendering.letters import CHANNELS as LETTER_CHANNELS
from notifications.rendering.letters import MAXIMUM_LETTER, Letter, Said, compiled, letter, parse_html, parse_subject
from notifications.rendering.measuring import Length, Measured
from notifications.rendering.preview import Preview, preview
from notifications.rendering.template import CompiledTemplate, MissingValue, TooLong, parse
from notifications.rendering.variables import OF_CUSTOMER, OF_OCCASION, VARIABLES, Variable, registry

__all__ = [
    "LETTER_CHANNELS",
    "MAXIMUM_LETTER",
    "OF_CUSTOMER",
    "OF_OCCASION",
    "VARIABLES",
    "CompiledTemplate",
    "Length",
    "Letter",
    "Measured",
    "MissingValue",
    "Preview",
    "Refused",
    "Said",
    "TooLong",
    "Variable",
    "compiled",
    "letter",
    "parse",
    "parse_html",
    "parse_subject",
    "preview",
    "registry",
]
