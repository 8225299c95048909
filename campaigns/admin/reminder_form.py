"""The form of a reminder: what it looks for, for whom, when it stops; and the check against stale tabs."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.admin.spans import SpanField
from campaigns.choices import FirstOrder, FollowUpUse, Goal, OrderDate, ReminderTrigger
from campaigns.models import Reminder
from campaigns.services.reminders import fitting
from customers.choices import EventKind, OrderStatus, Platform
from notifications import stops
from notifications.choices import NightPolicy

DAY = timedelta(days=1)
LONGEST_CATEGORIES = 600
# Which field each trigger asks for; the others are emptied.
ASKED_BY = {
    # Beside a date it may be left open: the date then counts whatever the order's status is.
    "order_status": (ReminderTrigger.STATUS_LASTS, ReminderTrigger.STATUS_REACHED, ReminderTrigger.ORDER_DATE),
    "exception_kind": (ReminderTrigger.EXCEPTION,),
    "order_date": (ReminderTrigger.ORDER_DATE,),
    "event_kind": (ReminderTrigger.EVENT, ReminderTrigger.EVENT_DATE),
}
MAY_BE_OPEN = {("order_status", ReminderTrigger.ORDER_DATE)}
# A change of these changes neither what is looked for nor when something goes out.
HARMLESS = frozenset({"name", "call_script", "goal", "goal_within", "held_out_percent", "version"})


def shown_for(*triggers: ReminderTrigger) -> str:
    """The condition of the theme's form under which a field is shown."""
    return " || ".join(f"trigger == '{trigger.value}'" for trigger in triggers)


class Categories(forms.CharField):
    """Names with commas between them, kept as a list."""

    def prepare_value(self, value: Any) -> Any:
        """The list as staff write it."""
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        """The names without blanks around them, each once."""
        words = super().to_python(value).replace("，", ",").replace("、", ",").split(",")
        names = list(dict.fromkeys(word.strip() for word in words if word.strip()))
        if any(len(name) > 60 for name in names):
            raise ValidationError(_("A category has at most 60 characters. Put commas between them."))
        return names


class ReminderForm(forms.ModelForm):
    """A rule; whether it is on is never a field, because only services switch it."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    stop_when = forms.MultipleChoiceField(
        label=gettext_lazy("is not sent once"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    platforms = forms.MultipleChoiceField(
        label=gettext_lazy("only from"),
        required=False,
        choices=Platform.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    categories = Categories(
        label=gettext_lazy("only with goods of"),
        required=False,
        max_length=LONGEST_CATEGORIES,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Categories, with commas between them; empty for all goods."),
    )
    valid_for = SpanField(
        label=gettext_lazy("of use for"),
        minimum=timedelta(minutes=1),
        maximum=60 * DAY,
        initial=DAY,
        help_text=gettext_lazy("What could not go out by then is left out."),
    )
    merge_within = SpanField(
        label=gettext_lazy("several within"),
        maximum=timedelta(hours=1),
        initial=timedelta(0),
        help_text=gettext_lazy(
            "So long a first notice waits for others to the same customer; they become one message. 0: never."
        ),
    )
    goal_within = SpanField(
        label=gettext_lazy("counted within"), minimum=timedelta(minutes=1), maximum=90 * DAY, initial=DAY
    )
    call_within = SpanField(
        label=gettext_lazy("call within"), minimum=timedelta(minutes=1), maximum=60 * DAY, initial=timedelta(hours=4)
    )

    class Meta:
        model = Reminder
        fields = [
            *("name", "purpose", "trigger", "order_status", "exception_kind", "event_kind", "order_date", "at_hour"),
            *("segment", "minimum_amount", "maximum_amount", "platforms", "categories", "first_order"),
            *("stop_when", "valid_for", "night", "cap_policy", "merge_within"),
            *("compensation", "is_compensation_for_new", "goal", "goal_within", "held_out_percent"),
            *("follow_up", "follow_up_for", "valuable_from", "call_within", "call_script"),
        ]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "trigger" not in self.fields:
            return  # Who may only look gets no fields.
        for name in self.declared_fields:
            self.fields[name].label = capfirst(self.fields[name].label)
        self.fields["stop_when"].choices = stops.CHOICES
        self._choose("trigger", ReminderTrigger.choices)
        known = [choice for choice in OrderStatus.choices if choice[0] not in ("", OrderStatus.LOCKED)]
        self._choose("order_status", [("", "---------"), *known])
        self._choose("order_date", [("", "---------"), *OrderDate.choices])
        self._choose("event_kind", [("", "---------"), *EventKind.choices])
        self._choose("first_order", FirstOrder.choices)
        self._choose("goal", Goal.choices)
        self._choose("follow_up", FollowUpUse.choices)
        self._choose("night", NightPolicy.choices)
        self.fields["at_hour"].widget = forms.TimeInput(
            UnfoldAdminTextInputWidget({"type": "time", "step": "60"}).attrs, format="%H:%M"
        )
        self.fields["call_script"].widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "maxlength": 2000})
        self.fields["held_out_percent"].help_text = _(
            "So many customers get none, so that you see what the message achieves. 10 is a good start, 0 for nobody."
        )

    def _choose(self, name: str, choices: list) -> None:
        field = self.fields[name]
        chosen = forms.TypedChoiceField(
            label=field.label,
            required=field.required,
            help_text=field.help_text,
            choices=choices,
            initial=field.initial,
            widget=UnfoldAdminSelectWidget(),
            empty_value="",
        )
        self.fields[name] = chosen

    def clean(self) -> dict[str, Any]:
        """Ask for what the trigger needs, and refuse what does not fit it or was saved by somebody else."""
        cleaned = super().clean()
        self._refuse_stale(cleaned.pop("version", None))
        trigger = cleaned.get("trigger")
        for name, triggers in ASKED_BY.items():
            if trigger not in triggers:
                cleaned[name] = ""
                self.errors.pop(name, None)
            elif not cleaned.get(name) and name not in self.errors and (name, trigger) not in MAY_BE_OPEN:
                self.add_error(name, _("Choose what the reminder looks for."))
        if trigger not in fitting.OF_DATES:
            cleaned["at_hour"] = None
            self.errors.pop("at_hour", None)
        if not self.errors:
            for name, sentences in fitting.rule_refusals(self._as_cleaned(cleaned)).items():
                for sentence in sentences:
                    self.add_error(name, sentence)
        return cleaned

    def _as_cleaned(self, cleaned: dict[str, Any]) -> Reminder:
        """The reminder as it would be saved."""
        return Reminder(**{name: cleaned[name] for name in self.Meta.fields if name in cleaned})

    @property
    def changes_the_rule(self) -> bool:
        """Whether other customers, moments or stops would be chosen than before."""
        return bool(set(self.changed_data) - HARMLESS)

    def _refuse_stale(self, version: int | None) -> None:
        """Lock the row until the page is saved, so that two tabs cannot both win."""
        if not self.instance.pk:
            return
        stored = Reminder.objects.select_for_update().values_list("version", flat=True).get(pk=self.instance.pk)
        if stored != version:
            raise ValidationError(
                _(
                    "Somebody else saved or switched this reminder while you were editing. Nothing of this page was "
                    "saved: open it again and make your change there."
                )
            )
