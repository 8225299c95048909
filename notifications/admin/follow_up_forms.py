"""What staff enter about a call: what came of it, when to try again, and a call of their own."""

from datetime import datetime, timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from customers.choices import FollowUpOutcome
from customers.models import FollowUp
from customers.services import follow_ups

MOMENT = "%Y-%m-%dT%H:%M"
LATEST = timedelta(days=366)
LONGEST_NOTE = FollowUp._meta.get_field("note").max_length


class MomentInput(forms.DateTimeInput):
    """The browser's own picker of a day and an hour."""

    input_type = "datetime-local"

    def __init__(self):
        super().__init__({"class": "hy-input"}, format=MOMENT)


class FinishForm(forms.Form):
    """What came of a call; a wrong number wants the right one, and who was not reached may be called again."""

    outcome = forms.ChoiceField(
        choices=FollowUpOutcome.choices, error_messages={"required": _("Choose what came of the call.")}
    )
    note = forms.CharField(
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea({"class": "hy-input", "rows": 3}),
    )
    number = forms.CharField(
        required=False,
        max_length=60,
        widget=forms.TextInput({"class": "hy-input", "inputmode": "tel", "autocomplete": "off"}),
    )
    again_at = forms.DateTimeField(
        required=False,
        widget=MomentInput(),
        input_formats=[MOMENT],
        error_messages={"invalid": _("Choose a day and an hour.")},
    )

    def __init__(self, *args, now: datetime, **kwargs):
        super().__init__(*args, **kwargs)
        self.now = now

    def clean(self) -> dict:
        """Ask for what the outcome needs, and ignore what it does not."""
        cleaned = super().clean()
        outcome = cleaned.get("outcome")
        if outcome == FollowUpOutcome.WRONG_NUMBER and not cleaned.get("number"):
            self.add_error("number", _("Enter the right number, or choose “Not reached”."))
        if outcome not in follow_ups.CALLED_AGAIN:
            cleaned["again_at"] = None
        elif problem := _out_of_reach(cleaned.get("again_at"), self.now):
            self.add_error("again_at", problem)
        return cleaned


class CallForm(forms.Form):
    """A call that staff plan by themselves."""

    detail = forms.CharField(
        label=_("What it is about"),
        max_length=FollowUp._meta.get_field("detail").max_length,
        widget=forms.Textarea({"class": "hy-input", "rows": 2}),
        error_messages={"required": _("Say what the call is about.")},
    )
    due_at = forms.DateTimeField(
        label=_("To be done by"),
        widget=MomentInput(),
        input_formats=[MOMENT],
        error_messages={
            "required": _("Choose until when somebody should call."),
            "invalid": _("Choose a day and an hour."),
        },
    )
    is_mine = forms.BooleanField(label=_("I call myself"), required=False, initial=True)

    def __init__(self, *args, now: datetime, **kwargs):
        super().__init__(*args, **kwargs)
        self.now = now

    def clean_due_at(self) -> datetime:
        """A moment that is still to come."""
        if problem := _out_of_reach(self.cleaned_data["due_at"], self.now):
            raise forms.ValidationError(problem)
        return self.cleaned_data["due_at"]


def _out_of_reach(moment: datetime | None, now: datetime):
    """Why nobody can call at that moment; nothing where somebody can."""
    if moment is not None and moment <= now:
        return _("This moment is over. Choose a later one.")
    if moment is not None and moment > now + LATEST:
        return _("This is more than a year ahead. Choose an earlier moment.")
    return None
