"""How a text is written for a provider that registers it, and whether one that is there already is the same."""

import re
from itertools import zip_longest

from django.utils.translation import gettext as _

from customers.choices import Channel, Purpose
from notifications import rendering, text
from notifications.models import Message, Template
from notifications.providers.base import Registry

NEUTRAL = re.compile(r"\{(\w+)\}")
# Stands for any parameter while two texts are compared; no text holds it.
ANY = "\x00"
# A place and a name that no text has, by which a provider's way to write a parameter is learned.
PLACE, NAME = 987654321, "anyparametername"
SHOWN_BEFORE, SHOWN_AFTER = 8, 24


class OtherText(Exception):
    """The text at the provider is another one; the words show where they part."""


def skeleton_of_message(message: Message) -> str:
    """What of a message would have to be registered, with {name} for each parameter. Raises rendering.Refused."""
    compiled = rendering.parse(message.body)
    return compiled.skeleton(_neutral, signature=message.signature, opt_out=message.opt_out_wording)


def skeleton_of(template: Template) -> str:
    """The same of a template as it stands. Raises rendering.Refused."""
    return rendering.parse(template.body).skeleton(
        _neutral, signature=template.signature.name, opt_out=opt_out_of(template)
    )


def written_for(template: Template, registry: Registry) -> str:
    """The text as a provider registers it; raises rendering.Refused where it would certainly not be approved."""
    return rendering.parse(template.body).skeleton(
        registry.placeholder,
        signature=template.signature.name,
        opt_out=opt_out_of(template),
        is_marketing=needs_opt_out(template),
    )


def needs_opt_out(template: Template) -> bool:
    """Whether carriers take the text for marketing."""
    return template.channel == Channel.SMS and Purpose(template.purpose).needs_consent


def opt_out_of(template: Template) -> str:
    """The wording that ends the text, if its class needs one."""
    return template.opt_out_wording if needs_opt_out(template) else ""


def names_of(theirs: str, *, ours: str, registry: Registry) -> list[str]:
    """
    How the provider calls the parameters of a text that is the same as ours, in the order of the text.

    Empty where it calls them as we do. Raises OtherText.
    """
    pattern = _pattern(registry)
    theirs, ours = theirs.strip(), ours.strip()
    if pattern.sub(ANY, theirs) != pattern.sub(ANY, ours):
        raise OtherText(_difference(theirs, ours, pattern))
    names, own_names = pattern.findall(theirs), pattern.findall(ours)
    if names == own_names:
        return []
    if _counts(registry) or len(set(names)) < len(names):
        # Then a value would stand at another place than in what staff saw.
        raise OtherText(_("Its parameters are not numbered in the order of the text."))
    return names


def is_same(theirs: str, skeleton: str, names: list[str], *, registry: Registry) -> bool:
    """Whether the text at the provider still is the one of a skeleton, with parameters of these names."""
    pattern = _pattern(registry)
    found = pattern.findall(theirs.strip())
    wanted = names or NEUTRAL.findall(skeleton)
    if _counts(registry):
        wanted = [str(place) for place in range(1, len(wanted) + 1)]
    return pattern.sub(ANY, theirs.strip()) == NEUTRAL.sub(ANY, skeleton).strip() and found == wanted


def _neutral(place: int, name: str) -> str:
    return f"{{{name}}}"


def _counts(registry: Registry) -> bool:
    """Whether the provider numbers parameters instead of naming them."""
    return NAME not in registry.placeholder(PLACE, NAME)


def _pattern(registry: Registry) -> re.Pattern[str]:
    """What matches a parameter in a text of this provider."""
    mark = re.escape(registry.placeholder(PLACE, NAME))
    return re.compile(mark.replace(NAME, r"(\w+)").replace(str(PLACE), r"(\d+)"))


def _difference(theirs: str, ours: str, pattern: re.Pattern[str]) -> str:
    """Both texts from a little before they part."""
    pairs = zip_longest(_aligned(theirs, pattern), _aligned(ours, pattern))
    start = next((place for place, (there, here) in enumerate(pairs) if there != here), 0)
    return _("There it goes on “%(theirs)s”, here “%(ours)s”.") % {
        "theirs": _from(theirs, start, pattern),
        "ours": _from(ours, start, pattern),
    }


def _aligned(written: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(ANY, written)


def _from(written: str, start: int, pattern: re.Pattern[str]) -> str:
    """A part of the text around a place of the aligned one, with the parameters as they are written."""
    aligned = _aligned(written, pattern)
    begins, ends = max(0, start - SHOWN_BEFORE), start + SHOWN_AFTER
    marks = [found[0] for found in pattern.finditer(written)]
    before = aligned[:begins].count(ANY)
    shown = "".join(
        marks.pop(before) if mark == ANY else mark
        for mark in text.cut(aligned[begins:ends], SHOWN_BEFORE + SHOWN_AFTER)
    )
    return ("…" if begins else "") + shown + ("…" if ends < len(aligned) else "")
