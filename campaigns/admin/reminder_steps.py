"""The steps of a reminder: how long after the fact, and what is said by which channel."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F, Q
from django.forms.models import BaseInlineFormSet
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import StackedInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.admin.spans import SpanField
from campaigns.choices import FollowUpUse, Receiver
from campaigns.models import Reminder, ReminderStep
from campaigns.services.reminders import editing, fitting, ways
from customers.choices import Channel
from notifications.models import AlertChannel, Template

BEFORE = "before"
SIDES = [("after", gettext_lazy("after")), (BEFORE, gettext_lazy("before"))]
# While positions are handed out anew, the old ones stand above every new one.
ASIDE = 1000
STAFF_CHANNEL = Channel.SMS


def _template_field(label, **options) -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        Template.objects.none(), label=label, required=False, widget=UnfoldAdminSelectWidget, **options
    )


class StepForm(forms.ModelForm):
    """One step with all its texts."""

    length = SpanField(label=gettext_lazy("Goes out"), maximum=timedelta(days=730), initial=timedelta(0))
    side = forms.ChoiceField(
        label=gettext_lazy("after or before"), choices=SIDES, widget=UnfoldAdminSelectWidget, initial="after"
    )
    first = forms.ChoiceField(
        label=gettext_lazy("Tried first"),
        widget=UnfoldAdminSelectWidget,
        required=False,
        help_text=gettext_lazy("Whoever cannot be reached by it gets the next one."),
    )
    sms = _template_field(gettext_lazy("SMS"))
    sms_several = _template_field(gettext_lazy("SMS for several at once"))
    email = _template_field(gettext_lazy("E-mail"))
    email_several = _template_field(gettext_lazy("E-mail for several at once"))
    inbox = _template_field(gettext_lazy("In-app inbox"))
    inbox_several = _template_field(gettext_lazy("In-app inbox for several at once"))
    second = _template_field(
        gettext_lazy("SMS to the second contact"),
        help_text=gettext_lazy("Goes out beside the message to the customer, where a second contact is known."),
    )
    bot = forms.ModelChoiceField(
        AlertChannel.objects.none(), label=gettext_lazy("Bot"), required=False, widget=UnfoldAdminSelectWidget
    )
    staff_text = forms.CharField(
        label=gettext_lazy("Text to staff"), required=False, max_length=500, widget=UnfoldAdminTextInputWidget
    )

    class Meta:
        model = ReminderStep
        fields: list[str] = []

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "length" not in self.fields:
            return  # Who may only look gets no fields.
        self.fields["side"].label = capfirst(self.fields["side"].label)
        said = {(text.receiver, text.channel): text for text in self._texts()}
        self._offer(said)
        if self.instance.pk:
            self.initial |= _initial(self.instance, said)

    def _texts(self) -> list:
        if not self.instance.pk:
            return []
        return list(self.instance.texts.select_related("template", "merged_template", "alert_channel"))

    def _offer(self, said: dict) -> None:
        """Templates in use on each channel, and those that are chosen already."""
        used = [template for text in said.values() for template in (text.template_id, text.merged_template_id)]
        for name, channel in _template_fields():
            offered = Template.objects.filter(Q(archived_at=None) | Q(pk__in=[one for one in used if one]))
            self.fields[name].queryset = offered.filter(channel=channel).order_by("name")
            self.fields[name].empty_label = _("none")
        bots = [text.alert_channel_id for text in said.values() if text.alert_channel_id]
        self.fields["bot"].queryset = AlertChannel.objects.filter(Q(is_active=True) | Q(pk__in=bots))
        self.fields["bot"].empty_label = _("none")
        self.fields["first"].choices = [(channel.value, channel.label) for channel in ways.OFFERED]

    @property
    def delay(self) -> timedelta:
        """How long after the fact; negative before a date."""
        length = self.cleaned_data["length"]
        return -length if self.cleaned_data["side"] == BEFORE else length

    def check(self, reminder: Reminder) -> None:
        """Refuse what does not fit the reminder, at the field where it stands."""
        if "length" in self.cleaned_data and "side" in self.cleaned_data:
            self._refuse("length", fitting.delay_refusal(reminder, self.delay))
        for name, channel in _template_fields():
            template = self.cleaned_data.get(name)
            if template is None:
                continue
            self._refuse(name, fitting.template_refusal(reminder, template, channel=channel))
            if name in self.changed_data:
                self._refuse(name, ways.waits_for(channel))
        for channel in ways.OFFERED:
            if self.cleaned_data.get(f"{channel}_several") and not self.cleaned_data.get(channel.value):
                self._refuse(f"{channel}_several", _("Choose the text for a single one as well."))
        is_said = any(self.cleaned_data.get(channel.value) for channel in ways.OFFERED)
        if not is_said and not self.errors and reminder.follow_up != FollowUpUse.INSTEAD:
            self._refuse("sms", _("Choose a template for at least one channel: this step would say nothing."))
        if bool(self.cleaned_data.get("bot")) != bool(self.cleaned_data.get("staff_text", "").strip()):
            self._refuse("staff_text", _("Choose the bot and write its text, or leave both empty."))

    def _refuse(self, name: str, sentence: str) -> None:
        if sentence:
            self.add_error(name, sentence)

    def wanted(self) -> list[editing.Wanted]:
        """The texts as they were chosen, in the order in which channels are tried."""
        chosen = self.cleaned_data
        order = sorted(ways.OFFERED, key=lambda channel: channel.value != chosen.get("first"))
        found = [
            editing.Wanted(Receiver.BUYER, channel, chosen[channel.value], chosen.get(f"{channel}_several"))
            for channel in order
            if chosen.get(channel.value)
        ]
        if chosen.get("second"):
            found.append(editing.Wanted(Receiver.SECOND, Channel.SMS, chosen["second"]))
        if chosen.get("bot"):
            words = chosen["staff_text"].strip()
            found.append(editing.Wanted(Receiver.STAFF, STAFF_CHANNEL, alert_channel=chosen["bot"], staff_text=words))
        return found


def _template_fields() -> Iterator[tuple[str, str]]:
    for channel in ways.OFFERED:
        yield channel.value, channel.value
        yield f"{channel}_several", channel.value
    yield "second", Channel.SMS.value


def _initial(step: ReminderStep, said: dict) -> dict[str, Any]:
    """A stored step as its form shows it."""
    found: dict[str, Any] = {"length": abs(step.delay), "side": BEFORE if step.delay < timedelta(0) else "after"}
    for channel in ways.OFFERED:
        if text := said.get((Receiver.BUYER, channel)):
            found |= {channel.value: text.template_id, f"{channel}_several": text.merged_template_id}
    to_buyers = [text for (receiver, _channel), text in said.items() if receiver == Receiver.BUYER]
    if to_buyers:
        found["first"] = min(to_buyers, key=lambda text: text.position).channel
    if text := said.get((Receiver.SECOND, Channel.SMS)):
        found["second"] = text.template_id
    if text := next((one for (receiver, _channel), one in said.items() if receiver == Receiver.STAFF), None):
        found |= {"bot": text.alert_channel_id, "staff_text": text.staff_text}
    return found


class StepFormSet(BaseInlineFormSet):
    """The steps of a reminder, kept in the order of their delays."""

    def clean(self) -> None:
        """Refuse steps that do not fit the reminder, and two at the same time."""
        super().clean()
        kept = self._kept()
        for form in kept:
            form.check(self.instance)
        if any(self.errors):
            return
        if not kept:
            raise ValidationError(_("Add a step with a text: without one nothing is sent."))
        if len({form.delay for form in kept}) < len(kept):
            raise ValidationError(_("Two steps would go out at the same time. Change one, or delete it."))

    def _kept(self) -> list[StepForm]:
        filled = [form for form in self.forms if hasattr(form, "cleaned_data") and form.cleaned_data]
        return [form for form in filled if not form.cleaned_data.get("DELETE")]

    @property
    def changes_the_rule(self) -> bool:
        """Whether steps came, went or moved; other texts alone do not count."""
        moved = [form for form in self._kept() if not form.instance.pk or {"length", "side"} & set(form.changed_data)]
        return bool(moved or self.deleted_forms)

    def save(self, commit: bool = True) -> list[ReminderStep]:
        """Write the steps and their texts."""
        gone = [form.instance for form in self.deleted_forms if form.instance.pk]
        ReminderStep.objects.filter(pk__in=[step.pk for step in gone]).delete()
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], gone
        ReminderStep.objects.filter(reminder=self.instance).update(position=F("position") + ASIDE)
        for place, form in enumerate(sorted(self._kept(), key=lambda form: form.delay), start=1):
            step = form.instance
            is_new = step.pk is None
            step.reminder, step.delay, step.position = self.instance, form.delay, place
            step.save()
            if is_new:
                self.new_objects.append(step)
            elif form.changed_data:
                self.changed_objects.append((step, form.changed_data))
            editing.write_texts(step, form.wanted(), among=[channel.value for channel in ways.OFFERED])
        return [form.instance for form in self._kept()]


class StepInline(StackedInline):
    """The steps, one below the other."""

    model = ReminderStep
    form = StepForm
    formset = StepFormSet
    fields = [
        ("length", "side", "first"),
        ("sms", "sms_several"),
        ("email", "email_several"),
        ("inbox", "inbox_several"),
        "second",
        ("bot", "staff_text"),
    ]
    extra = 0
    min_num = 1
    max_num = 10
    verbose_name = gettext_lazy("step")
    verbose_name_plural = gettext_lazy("Steps and their texts")
