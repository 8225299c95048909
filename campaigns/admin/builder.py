"""The segment builder: conditions built by clicking, and what the browser must know for it."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from campaigns import segmentation
from campaigns.models import Segment
from campaigns.segmentation.fields import OFFERED
from campaigns.segmentation.values import Choice, Choices, Number
from customers.models import Customer


class BuilderWidget(forms.Textarea):
    """Groups of conditions; the text area below them carries their JSON and stays out of sight."""

    template_name = "admin/campaigns/segment/builder.html"

    def get_context(self, name: str, value: Any, attrs: dict | None) -> dict[str, Any]:
        """The widget with the fields, operators and choices of this shop."""
        context = super().get_context(name, value, attrs)
        context["fields"] = described_fields()
        return context

    def format_value(self, value: Any) -> str:
        """The JSON as it was stored or sent."""
        return value if isinstance(value, str) else json.dumps(value or [])


class ConditionsField(forms.Field):
    """Conditions that are refused with the builder's own sentences."""

    widget = BuilderWidget

    def to_python(self, value: str | None) -> list:
        """The conditions in the form kept in the database."""
        try:
            return segmentation.stored(segmentation.from_json(value))
        except segmentation.BadConditions as refusal:
            raise ValidationError(str(refusal)) from refusal

    def has_changed(self, initial: Any, data: str | None) -> bool:
        """Whether other people would be found."""
        try:
            return self.to_python(data) != (initial or [])
        except ValidationError:
            return True


class SegmentForm(forms.ModelForm):
    """A segment's name and conditions."""

    conditions = ConditionsField(required=False, label="")
    # When it was last saved, as this page saw it.
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Segment
        fields = ["name", "conditions"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk and "seen" in self.fields:
            self.initial["seen"] = self.instance.updated_at.isoformat()

    def clean(self) -> dict[str, Any]:
        """Refuse to overwrite what somebody else saved; the row is locked until the page is saved."""
        cleaned = super().clean()
        if self.instance.pk:
            saved = (
                Segment.objects.select_for_update().filter(pk=self.instance.pk).values_list("updated_at", flat=True)
            )
            if cleaned.get("seen") not in [moment.isoformat() for moment in saved]:
                raise ValidationError(
                    _(
                        "Somebody else saved this segment while you were editing. Nothing of this page was saved: "
                        "open it again and make your change there."
                    )
                )
        return cleaned


def described_fields() -> list[dict[str, Any]]:
    """Every field with its operators and choices, as plain data for the browser."""
    offered: dict[Any, list] = {}
    return [
        {
            "key": field.key,
            "label": str(field.label),
            "group": str(field.group),
            "operators": [
                {
                    "key": operator.key,
                    "label": str(operator.label),
                    "kind": operator.value.kind,
                    **_described_value(operator.value, offered),
                }
                for operator in field.operators.values()
            ],
            "suggestions": Customer.objects.cities() if field.key == "city" else [],
        }
        for field in segmentation.FIELDS.values()
    ]


def _described_value(value: Any, offered: dict[Any, list]) -> dict[str, Any]:
    if isinstance(value, Number):
        return {"minimum": value.minimum, "maximum": value.maximum, "unit": _("days")}
    if isinstance(value, (Choice, Choices)):
        if value.options not in offered:
            choices = list(value.options())[:OFFERED]
            offered[value.options] = [{"key": str(key), "label": str(label)} for key, label in choices]
        return {"options": offered[value.options]}
    return {}
