"""Lengths of time in forms and words: a number and a unit, as staff say them."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

# Two years in minutes.
LONGEST_NUMBER = 1_051_200


class Unit(models.TextChoices):
    """What a length of time is counted in."""

    MINUTES = "minutes", gettext_lazy("minutes")
    HOURS = "hours", gettext_lazy("hours")
    DAYS = "days", gettext_lazy("days")

    @property
    def length(self) -> timedelta:
        """One of it."""
        return timedelta(**{self.value: 1})


def counted(length: timedelta) -> tuple[int, Unit]:
    """A length in its largest unit that leaves no rest, without its sign."""
    length = abs(length)
    for unit in (Unit.DAYS, Unit.HOURS):
        if length and not length % unit.length:
            return length // unit.length, unit
    return length // Unit.MINUTES.length, Unit.MINUTES


def in_words(length: timedelta) -> str:
    """A length as people say it, without its sign."""
    number, unit = counted(length)
    words = {
        Unit.DAYS: ngettext("%d day", "%d days", number),
        Unit.HOURS: ngettext("%d hour", "%d hours", number),
        Unit.MINUTES: ngettext("%d minute", "%d minutes", number),
    }
    return words[unit] % number


class SpanWidget(forms.MultiWidget):
    """A number and its unit, side by side."""

    template_name = "admin/campaigns/reminder/span.html"

    def __init__(self, attrs: dict | None = None):
        number = UnfoldAdminIntegerFieldWidget(attrs={"min": 0, "max": LONGEST_NUMBER})
        super().__init__([number, UnfoldAdminSelectWidget(choices=Unit.choices)], attrs)

    def get_context(self, name: str, value: Any, attrs: dict | None) -> dict[str, Any]:
        """Both parts without the theme's binding, by which the number would take the place of the unit."""
        self.attrs = {key: value for key, value in self.attrs.items() if not key.startswith("x-model")}
        return super().get_context(name, value, attrs)

    def decompress(self, value: timedelta | None) -> list[Any]:
        """The two parts of a stored length."""
        if value is None:
            return [None, Unit.MINUTES.value]
        number, unit = counted(value)
        return [number, unit.value]


class SpanField(forms.MultiValueField):
    """A length of time as a number and a unit; beyond the bounds it is refused with both."""

    widget = SpanWidget

    def __init__(self, *, minimum: timedelta = timedelta(0), maximum: timedelta, **options):
        self.minimum, self.maximum = minimum, maximum
        number = forms.IntegerField(min_value=0, max_value=LONGEST_NUMBER)
        fields = (number, forms.ChoiceField(choices=Unit.choices))
        super().__init__(fields, require_all_fields=True, **options)

    def compress(self, values: list) -> timedelta | None:
        """The length; None where nothing was entered."""
        if not values or values[0] is None:
            return None
        return values[0] * Unit(values[1]).length

    def clean(self, value: Any) -> timedelta | None:
        """The length within its bounds."""
        length = super().clean(value)
        if length is not None and not self.minimum <= length <= self.maximum:
            raise ValidationError(
                _("Choose a time from %(minimum)s to %(maximum)s.")
                % {"minimum": in_words(self.minimum), "maximum": in_words(self.maximum)}
            )
        return length
