"""Filters that show money, shares and spans of time in the reader's language."""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications.providers import base

register = template.Library()


@register.filter
def yuan(amount: Decimal | None) -> str:
    """An amount of money with its sign, in whole fen."""
    return f"¥{Decimal(amount or 0).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


@register.filter
def grouped(number: int | None) -> str:
    """A count with its thousands set apart."""
    return f"{int(number or 0):,}"


@register.filter
def spoken(words: str) -> str:
    """Why a message or an account was paused, in the reader's language; what staff wrote stays as it is."""
    return base.spoken(words, gettext=_)


@register.filter
def share(part: int, whole: int) -> str:
    """A part of a whole in percent, one place after the point; a dash for a part of nothing."""
    return f"{100 * part / whole:.1f}%" if whole else "–"


@register.filter
def span(length: timedelta | None) -> str:
    """A length of time in its two largest units, with its sign."""
    if length is None:
        return ""
    seconds = int(abs(length).total_seconds())
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = [
        days and ngettext("%d day", "%d days", days) % days,
        hours and ngettext("%d hour", "%d hours", hours) % hours,
        minutes and ngettext("%d minute", "%d minutes", minutes) % minutes,
        seconds and ngettext("%d second", "%d seconds", seconds) % seconds,
    ]
    words = " ".join([part for part in parts if part][:2]) or _("no time")
    return f"−{words}" if length < timedelta(0) else words
