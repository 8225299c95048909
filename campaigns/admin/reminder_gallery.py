"""The gallery's pages: the shelves, and the one form between a card and a reminder."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns import gallery
from campaigns.admin import reminder_words
from campaigns.models import Reminder
from campaigns.services.reminders import from_gallery, ways
from customers import clock
from customers.choices import Channel, Purpose
from notifications import rendering, text
from notifications.choices import SignatureStatus
from notifications.models import Signature


class GalleryForm(forms.Form):
    """What an entry needs to become a reminder: a signature, channels and a language."""

    signature = forms.ModelChoiceField(Signature.objects.none(), widget=UnfoldAdminSelectWidget, empty_label=None)
    channels = forms.MultipleChoiceField(widget=UnfoldAdminCheckboxSelectMultipleWidget)
    language = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget, choices=gallery.LANGUAGES.items())
    with_optional = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget)

    def __init__(self, entry: gallery.Entry, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.entry = entry
        signatures = Signature.objects.exclude(status=SignatureStatus.REJECTED).order_by("-status", "pk")
        working = [channel for channel in entry.channels if not ways.waits_for(channel)]
        for name, label in (
            ("signature", _("Signature")), ("channels", _("Channels")), ("language", _("Language of the texts")),
        ):  # fmt: skip
            self.fields[name].label = label
        self.fields["signature"].queryset = signatures
        approved = signatures.filter(status=SignatureStatus.APPROVED).first()
        self.fields["signature"].initial = approved and approved.pk
        self.fields["channels"].choices = [(channel.value, channel.label) for channel in entry.channels]
        self.fields["channels"].initial = [channel.value for channel in working]
        self.fields["language"].initial = "zh-hans"
        if not any(step.is_optional for step in entry.steps):
            del self.fields["with_optional"]
        else:
            self.fields["with_optional"].label = _("With the second message")

    def clean_channels(self) -> list[str]:
        """The channels, each of which works."""
        chosen = self.cleaned_data["channels"]
        if waiting := [sentence for channel in chosen if (sentence := ways.waits_for(channel))]:
            raise forms.ValidationError(waiting)
        return chosen


@require_GET
def shelves(request: HttpRequest, admin: ModelAdmin) -> HttpResponse:
    """Every ready-made reminder, by shelf."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    used = set(Reminder.objects.exclude(kind="").values_list("kind", flat=True))
    waits = {channel: ways.waits_for(channel) for channel in ways.OFFERED}
    groups = [
        {
            "label": group.label,
            "cards": [_card(entry, waits, used) for entry in gallery.ENTRIES if entry.group == group],
        }
        for group in gallery.Group
    ]
    return _page(request, admin, "gallery", title=_("Gallery of reminders"), groups=groups, can_add=_may(request))


@require_http_methods(["GET", "POST"])
def choose(request: HttpRequest, admin: ModelAdmin, key: str) -> HttpResponse:
    """One entry with its texts, and the button that makes a reminder of it."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    entry = gallery.BY_KEY.get(key)
    if entry is None:
        raise Http404
    if request.method == "POST" and not _may(request):
        raise PermissionDenied
    form = GalleryForm(entry, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = from_gallery.create(
                entry,
                signature=form.cleaned_data["signature"],
                by=request.user,
                now=clock.now(),
                channels=form.cleaned_data["channels"],
                language=form.cleaned_data["language"],
                with_optional=form.cleaned_data.get("with_optional", False),
            )
        except from_gallery.CannotCreate as refusal:
            form.add_error(None, str(refusal))
        else:
            admin.log_addition(request, made, _("Taken from the gallery."))
            words = _("“%(name)s” is ready and still off. Look at what it would have done, then switch it on.")
            messages.success(request, words % {"name": made.name})
            return redirect("admin:campaigns_reminder_page", made.pk)
    return _page(
        request,
        admin,
        "choose",
        title=str(entry.title),
        entry=entry,
        form=form,
        card=_card(entry, {channel: ways.waits_for(channel) for channel in ways.OFFERED}, set()),
        has_signature=form.fields["signature"].queryset.exists(),
        steps=[_shown(entry, step) for step in entry.steps],
        facts=reminder_words.facts(_rule(entry)),
        class_label=Purpose(entry.purpose).label,
        can_add=_may(request),
    )


def _may(request: HttpRequest) -> bool:
    return request.user.has_perm("campaigns.add_reminder")


def _page(request: HttpRequest, admin: ModelAdmin, name: str, **context: Any) -> HttpResponse:
    frame = admin.admin_site.each_context(request) | {"opts": Reminder._meta, "media": admin.media}
    return render(request, f"admin/campaigns/reminder/{name}.html", frame | context)


def _card(entry: gallery.Entry, waits: dict[str, str], used: set[str]) -> dict[str, Any]:
    """What a card says: what it does, what works here, what it waits for."""
    working = [channel for channel in entry.channels if not waits[channel]]
    return {
        "key": entry.key,
        "title": entry.title,
        "does": entry.does,
        "purpose": Purpose(entry.purpose).label,
        "channels": [(Channel(channel).label, waits[channel]) for channel in entry.channels],
        "working": working,
        "waits_for": "" if working else waits[entry.channels[0]],
        "note": entry.refused_by_sms,
        "is_used": entry.key in used,
    }


def _rule(entry: gallery.Entry) -> Reminder:
    """The reminder that the entry would become."""
    same = {name: getattr(entry, name) for name in from_gallery.SAME}
    return Reminder(name=str(entry.title), stop_when=list(entry.stops), **same)


def _shown(entry: gallery.Entry, step: gallery.Step) -> dict[str, Any]:
    """A step in words, with its text as somebody would read it."""
    language = "en" if (get_language() or "").startswith("en") else "zh-hans"
    return {
        "when": reminder_words.looks_for(_rule(entry), step.delay),
        "is_optional": step.is_optional,
        "texts": [
            {"language": label, "said": _example(entry, step.text, code)}
            for code, label in sorted(gallery.LANGUAGES.items(), key=lambda item: item[0] != language)
        ],
        "merged": _example(entry, step.merged, language) if step.merged else "",
    }


def _example(entry: gallery.Entry, name: str, language: str) -> str:
    values = {variable.key: variable.example for variable in rendering.VARIABLES.values()}
    is_sms = Channel.SMS in entry.channels
    opt_out = text.DEFAULT_OPT_OUT if is_sms and entry.purpose.needs_consent else ""
    compiled = rendering.parse(gallery.text_of(name, language).body)
    return rendering.preview(compiled, values, signature=values["shop"] if is_sms else "", opt_out=opt_out).text
