"""The form of a campaign: what, to whom, when; and the check against stale tabs."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns import holidays
from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign, Variant
from customers import clock
from customers.choices import Channel
from notifications.models import Template
from notifications.services import gateways

DATES_SHOWN = 3


class CampaignForm(forms.ModelForm):
    """A draft; its status is never a field, because only services move it."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Campaign
        fields = [
            "name",
            "segment",
            "channel",
            "cap_policy",
            "timing",
            "planned_for",
            "holiday",
            "holiday_time",
            "valid_hours",
            "has_canary",
        ]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "name" not in self.fields:
            return  # Who may only look gets no fields.
        now = clock.now()
        self.fields["channel"].choices = _offered_channels(self.instance.channel)
        self.fields["timing"].widget = UnfoldAdminSelectWidget(choices=Timing.choices)
        self.fields["holiday"] = forms.ChoiceField(
            label=_("Holiday"),
            required=False,
            choices=[("", "---------"), *_coming_holidays(now)],
            widget=UnfoldAdminSelectWidget(),
            initial=self.instance.holiday,
        )
        self.fields["planned_for"] = forms.DateTimeField(
            label=_("Date and time"),
            required=False,
            widget=_Moment(attrs={"type": "datetime-local", "step": "60"}, format="%Y-%m-%dT%H:%M"),
            help_text=_("In the shop's time zone, %(zone)s.") % {"zone": clock.shop_zone()},
        )
        self.fields["holiday_time"] = forms.TimeField(
            label=_("Hour of the day"),
            required=False,
            widget=_Hour(attrs={"type": "time", "step": "60"}, format="%H:%M"),
        )
        self.fields["valid_hours"] = forms.IntegerField(
            label=_("May go out for (hours)"),
            min_value=1,
            max_value=720,
            initial=12,
            widget=UnfoldAdminIntegerFieldWidget(attrs={"min": 1, "max": 720}),
            help_text=_("Whoever cannot be written to within these hours is left out: a greeting is never late."),
        )
        self.fields["has_canary"].help_text = _(
            "The rest waits for the receipts of a small first part, and is not sent if too few of it arrive."
        )
        self.fields["cap_policy"].help_text = _(
            "Customers who have had enough messages lately are left out, or wait as long as the campaign may go out."
        )

    def clean(self) -> dict[str, Any]:
        """Ask for what the timing needs, and refuse to overwrite what somebody else saved."""
        cleaned = super().clean()
        self._refuse_stale(cleaned.pop("version", None))
        if cleaned.get("timing") == Timing.AT and not cleaned.get("planned_for") and "planned_for" not in self.errors:
            self.add_error("planned_for", _("Choose the date and time at which the campaign goes out."))
        if cleaned.get("timing") == Timing.HOLIDAY:
            if not cleaned.get("holiday"):
                self.add_error("holiday", _("Choose the holiday."))
            if not cleaned.get("holiday_time") and "holiday_time" not in self.errors:
                self.add_error("holiday_time", _("Choose the hour at which the campaign goes out."))
        return cleaned

    def _refuse_stale(self, version: int | None) -> None:
        """Lock the row until the page is saved, so that two tabs cannot both win."""
        if not self.instance.pk:
            return
        stored = Campaign.objects.select_for_update().values("version", "status").get(pk=self.instance.pk)
        if stored["status"] != CampaignStatus.DRAFT:
            raise ValidationError(
                _("The campaign is “%(status)s” by now and cannot be edited. Nothing of this page was saved.")
                % {"status": CampaignStatus(stored["status"]).label}
            )
        if stored["version"] != version:
            raise ValidationError(
                _(
                    "Somebody else saved this campaign while you were editing. Nothing of this page was saved: "
                    "open it again and make your change there."
                )
            )


class _Moment(forms.DateTimeInput):
    """A date and time in the look of the theme, picked by the browser's own calendar."""

    def __init__(self, attrs: dict | None = None, format: str | None = None):
        super().__init__(UnfoldAdminTextInputWidget(attrs).attrs, format)


class _Hour(forms.TimeInput):
    """An hour of the day in the look of the theme."""

    def __init__(self, attrs: dict | None = None, format: str | None = None):
        super().__init__(UnfoldAdminTextInputWidget(attrs).attrs, format)


class VariantFormSet(BaseInlineFormSet):
    """The texts of a campaign; their shares add up to a hundred."""

    def clean(self) -> None:
        """Refuse shares that leave people without a text, or with two."""
        super().clean()
        if any(self.errors):
            return
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        shares = [form.cleaned_data.get("share") or 0 for form in kept]
        if not kept:
            raise ValidationError(_("Choose the template that the campaign sends."))
        if sum(shares) != 100:
            raise ValidationError(
                _("The shares add up to %(total)d %%. They must add up to 100 %%.") % {"total": sum(shares)}
            )
        if len({form.cleaned_data["template"].purpose for form in kept}) > 1:
            raise ValidationError(
                _("The templates are of different classes, for which different rules hold. Choose one class.")
            )


class VariantForm(forms.ModelForm):
    """One text and its share."""

    share = forms.IntegerField(
        label=gettext_lazy("Share in percent"),
        min_value=1,
        max_value=100,
        initial=100,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"min": 1, "max": 100}),
    )

    class Meta:
        model = Variant
        fields = ["template", "share"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "template" in self.fields:
            offered = Template.objects.filter(archived_at=None) | Template.objects.filter(pk=self.instance.template_id)
            self.fields["template"].queryset = offered.select_related("signature")


class VariantInline(TabularInline):
    """The texts of a campaign, side by side."""

    model = Variant
    form = VariantForm
    formset = VariantFormSet
    fields = ["template", "share"]
    extra = 0
    min_num = 1
    verbose_name = gettext_lazy("text")
    verbose_name_plural = gettext_lazy("Texts and their shares")


def _offered_channels(current: str) -> list[tuple[str, str]]:
    """Channels that an account can carry, and the one that is chosen already."""
    return [
        (channel.value, channel.label)
        for channel in Channel
        if channel.value in (current, Channel.SMS) or gateways.account_for(channel)
    ]


def _coming_holidays(now: datetime) -> list[tuple[str, str]]:
    """Every holiday with its next days, soonest first."""
    offered = []
    today = clock.shop_date(now)
    for _day, holiday in holidays.coming(after=today):
        days = holidays.next_dates(holiday.key, after=today, count=DATES_SHOWN)
        offered.append((holiday.key, f"{holiday.name} – {', '.join(date_format(day, 'Y-m-d') for day in days)}"))
    return offered
