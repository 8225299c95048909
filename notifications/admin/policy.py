"""Frequency caps and quiet hours, written as sentences."""

from datetime import time, timedelta

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from customers import clock
from customers.choices import Channel, Purpose
from notifications.admin.history import TranslatedHistory
from notifications.caps import KEPT_AT_MOST
from notifications.choices import CapWindow, HeldFor
from notifications.models import FrequencyCap, Hold, Message, QuietHours
from notifications.services import deliveries

CALENDAR = (CapWindow.CALENDAR_DAY, CapWindow.CALENDAR_WEEK)
CAPPED = [(purpose.value, purpose.label) for purpose in Purpose if purpose.obeys_caps]
EARLIEST, LATEST = time(8, 0), time(21, 0)


class FrequencyCapForm(forms.ModelForm):
    """A cap as one sentence: at most … in …, for … by …, and … hours apart."""

    gap_hours = forms.IntegerField(
        label=gettext_lazy("hours between two messages"),
        required=False,
        min_value=0,
        max_value=24 * 30,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    class Meta:
        model = FrequencyCap
        fields = ["name", "limit", "window_length", "window", "purpose", "channel", "is_active"]
        widgets = {"limit": UnfoldAdminIntegerFieldWidget, "window_length": UnfoldAdminIntegerFieldWidget}

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        # Those who may only look get a form without fields.
        if "window_length" in self.fields:
            self.fields["window_length"].required = False
        if self.instance.minimum_gap:
            self.initial["gap_hours"] = int(self.instance.minimum_gap.total_seconds() // 3600)

    def clean_limit(self) -> int:
        """At least one; zero reads as "off" to some and as "never" to others."""
        limit = self.cleaned_data["limit"]
        if limit < 1:
            raise ValidationError(
                _(
                    "0 would read as “no limit” to some and as “never” to others. Enter at least 1; to "
                    "lift the cap, switch it off; to stop messages, pause them."
                )
            )
        if limit > KEPT_AT_MOST:
            raise ValidationError(_("A cap can be at most %(most)s messages.") % {"most": KEPT_AT_MOST})
        return limit

    def clean(self) -> dict:
        """Calendar days and weeks are counted one at a time."""
        cleaned = super().clean()
        if cleaned.get("window") in CALENDAR:
            cleaned["window_length"] = 1
        elif not 1 <= (cleaned.get("window_length") or 0) <= 366:
            self.add_error("window_length", _("Enter a length from 1 to 366."))
        hours = cleaned.get("gap_hours")
        self.instance.minimum_gap = timedelta(hours=hours) if hours else None
        return cleaned


@admin.register(FrequencyCap)
class FrequencyCapAdmin(TranslatedHistory, ModelAdmin):
    """How many messages a customer may get."""

    form = FrequencyCapForm
    change_form_template = "admin/notifications/policy/cap_form.html"
    list_display = ["shown_name", "sentence", "affects", "active"]
    list_display_links = ["shown_name"]
    actions = None
    fieldsets = [
        (
            None,
            {"fields": ["name", "limit", "window_length", "window", "purpose", "channel", "gap_hours", "is_active"]},
        )
    ]

    def formfield_for_choice_field(self, db_field, request, **options):
        """Choices that read on in the sentence; transaction notices know no caps."""
        offered = {
            "purpose": [("", _("messages of every class that counts")), *CAPPED],
            "channel": [("", _("every channel")), *Channel.choices],
        }
        if db_field.name in offered:
            options["choices"] = offered[db_field.name]
        return super().formfield_for_choice_field(db_field, request, **options)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """The form, with what a change affects."""
        cap = self.get_object(request, object_id) if object_id else None
        context = {**(extra_context or {}), "effect": self.affects(cap) if cap else ""}
        return super().changeform_view(request, object_id, form_url, context)

    def save_model(self, request, obj, form, change):
        """Keep the rule, and let those whom the old one held pass if the new one allows it."""
        super().save_model(request, obj, form, change)
        deliveries.reconsider_holds(now=clock.now())

    def delete_model(self, request, obj):
        """Forget the rule, and let those whom it held pass."""
        super().delete_model(request, obj)
        deliveries.reconsider_holds(now=clock.now())

    @display(description=gettext_lazy("Name of the rule"))
    def shown_name(self, cap: FrequencyCap) -> str:
        """Its name."""
        return cap.name

    @display(description=gettext_lazy("In words"))
    def sentence(self, cap: FrequencyCap) -> str:
        """The rule in one sentence."""
        words = _("At most %(limit)s in %(window)s: %(what)s") % {
            "limit": ngettext("%d message", "%d messages", cap.limit) % cap.limit,
            "window": window_in_words(cap),
            "what": _("%(class)s by %(channel)s") % {
                "class": cap.get_purpose_display() or _("every class that counts"),
                "channel": cap.get_channel_display() or _("every channel"),
            },
        }  # fmt: skip
        if cap.minimum_gap:
            hours = int(cap.minimum_gap.total_seconds() // 3600)
            words += _("; at least %(hours)s hours apart") % {"hours": hours}
        return words

    @display(description=gettext_lazy("Affects"))
    def affects(self, cap: FrequencyCap) -> SafeString:
        """Messages still going out under this rule, and deliveries it holds."""
        governed = open_messages(cap.purpose, cap.channel)
        held = Hold.objects.filter(held_for=HeldFor.CAP, message__in=governed).count()
        return effect_in_words(governed, held=held)

    @display(description=gettext_lazy("Active"), boolean=True)
    def active(self, cap: FrequencyCap) -> bool:
        """Whether the rule holds."""
        return cap.is_active


class QuietHoursForm(forms.ModelForm):
    """Quiet hours as one sentence: … by … waits from … until …"""

    class Meta:
        model = QuietHours
        fields = ["purpose", "channel", "quiet_from", "quiet_until"]
        widgets = {
            name: forms.TimeInput(
                attrs={"class": "hy-input hy-number", "size": 5, "maxlength": 5, "placeholder": "20:30"},
                format="%H:%M",
            )
            for name in ("quiet_from", "quiet_until")
        }

    def clean(self) -> dict:
        """Refuse hours that are empty, or in which carriers take no marketing."""
        cleaned = super().clean()
        begins, ends = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if begins is None or ends is None:
            return cleaned
        if begins == ends:
            raise ValidationError(_("The quiet hours begin and end at the same moment. Enter two different times."))
        is_guarded = cleaned.get("channel") == Channel.SMS and cleaned.get("purpose") in (
            Purpose.CARE,
            Purpose.MARKETING,
        )
        covers_night = EARLIEST < begins <= LATEST and EARLIEST <= ends < begins
        if is_guarded and not covers_night:
            raise ValidationError(
                _(
                    "Carriers take marketing and customer care by SMS from 08:00 to 21:00 only. Begin at "
                    "21:00 or earlier, and end at 08:00 or later."
                )
            )
        return cleaned


@admin.register(QuietHours)
class QuietHoursAdmin(TranslatedHistory, ModelAdmin):
    """The hours in which messages wait."""

    form = QuietHoursForm
    change_form_template = "admin/notifications/policy/quiet_form.html"
    list_display = ["sentence", "affects"]
    list_display_links = ["sentence"]
    actions = None
    fieldsets = [(None, {"fields": ["purpose", "channel", "quiet_from", "quiet_until"]})]

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """The form, with what a change affects."""
        hours = self.get_object(request, object_id) if object_id else None
        context = {**(extra_context or {}), "effect": self.affects(hours) if hours else ""}
        return super().changeform_view(request, object_id, form_url, context)

    @display(description=gettext_lazy("Rule"))
    def sentence(self, hours: QuietHours) -> str:
        """The rule in one sentence."""
        overnight = hours.quiet_until < hours.quiet_from
        words = (
            _("%(class)s by %(channel)s waits from %(begin)s until %(end)s the next day")
            if overnight
            else _("%(class)s by %(channel)s waits from %(begin)s until %(end)s")
        )
        return words % {
            "class": hours.get_purpose_display(),
            "channel": hours.get_channel_display(),
            "begin": f"{hours.quiet_from:%H:%M}",
            "end": f"{hours.quiet_until:%H:%M}",
        }

    @display(description=gettext_lazy("Affects"))
    def affects(self, hours: QuietHours) -> SafeString:
        """Messages that are still going out under this rule."""
        return effect_in_words(open_messages(hours.purpose, hours.channel), held=0)


def window_in_words(cap: FrequencyCap) -> str:
    """The window of a cap."""
    if cap.window in CALENDAR:
        return cap.get_window_display()
    words = {
        CapWindow.HOURS: ngettext("%d hour", "%d hours", cap.window_length),
        CapWindow.DAYS: ngettext("%d day", "%d days", cap.window_length),
    }
    return words[cap.window] % cap.window_length


def open_messages(purpose: str, channel: str) -> QuerySet[Message]:
    """Messages whose window is not over and that a rule for this class and channel governs."""
    messages = Message.objects.open().filter(send_until__gt=clock.now(), is_test=False)
    if purpose:
        messages = messages.filter(purpose=purpose)
    if channel:
        messages = messages.filter(channel=channel)
    return messages.exclude(purpose=Purpose.TRANSACTIONAL)


def effect_in_words(messages: QuerySet[Message], *, held: int) -> SafeString:
    """How many messages a rule governs now, as a link to their deliveries."""
    ids = list(messages.order_by("-id").values_list("id", flat=True)[:50])
    if not ids:
        return format_html('<span class="hy-soft">{}</span>', _("nothing that is going out now"))
    words = ngettext("%d message going out now", "%d messages going out now", len(ids)) % len(ids)
    if held:
        words += _(", %(count)s deliveries held") % {"count": f"{held:,}"}
    link = reverse("admin:notifications_delivery_changelist")
    return format_html(
        '<a class="hy-link" href="{}?message={}&amp;state=queued,held">{}</a>', link, ",".join(map(str, ids)), words
    )
