"""Personal texts from templates: what a template may say, rendering, and exact prices before sending."""

from notifications.rendering.grammar import Refused
from notifications.rendering.measuring import Length, Measured
from notifications.rendering.preview import Preview, preview
from notifications.rendering.template import CompiledTemplate, MissingValue, TooLong, parse
from notifications.rendering.variables import VARIABLES, Variable, registry

__all__ = [
    "VARIABLES",
    "CompiledTemplate",
    "Length",
    "Measured",
    "MissingValue",
    "Preview",
    "Refused",
    "TooLong",
    "Variable",
    "parse",
    "preview",
    "registry",
]
