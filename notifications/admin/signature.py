"""Signatures and whether the carriers have registered them."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifications.admin.history import TranslatedHistory
from notifications.choices import SignatureStatus
from notifications.models import Signature

TONES = {
    SignatureStatus.APPROVED: "good",
    SignatureStatus.PENDING: "warn",
    SignatureStatus.REJECTED: "bad",
    SignatureStatus.DRAFT: "plain",
}


class SignatureForm(forms.ModelForm):
    """A signature without its brackets."""

    class Meta:
        model = Signature
        fields = ["name", "status", "note", "opt_out_words"]
        labels = {"name": gettext_lazy("Signature")}
        help_texts = {
            "name": gettext_lazy("2 to 16 characters; the brackets 【】 are put around it by themselves."),
            "opt_out_words": gettext_lazy(
                "TD, T, N, R, 退订 and their relatives are understood by themselves. Add what your texts tell people "
                "to reply beside them, separated by commas. Where a provider does not say which signature was "
                "answered, the words of all signatures count."
            ),
            "status": gettext_lazy("Carriers block every SMS whose signature they have not registered."),
        }

    def clean_name(self) -> str:
        """The bare name; typed brackets are taken off."""
        name = self.cleaned_data["name"].strip().strip("【】[]").strip()
        if not 2 <= len(name) <= 16 or any(mark in "【】[]" or mark.isspace() for mark in name):
            raise ValidationError(_("A signature has 2 to 16 characters, without blanks and brackets."))
        return name

    def clean(self) -> dict:
        """Ask for the reason of a rejection, so that the next try can mend it."""
        cleaned = super().clean()
        if cleaned.get("status") == SignatureStatus.REJECTED and not cleaned.get("note"):
            self.add_error("note", _("Write down why it was rejected, so that the next try can mend it."))
        return cleaned


@admin.register(Signature)
class SignatureAdmin(TranslatedHistory, ModelAdmin):
    """The names that open every SMS."""

    form = SignatureForm
    list_display = ["shown_name", "approval", "used_by", "note"]
    list_display_links = ["shown_name"]
    search_fields = ["name"]
    actions = None

    def get_queryset(self, request):
        """Signatures with the number of templates that use them."""
        return (
            super()
            .get_queryset(request)
            .annotate(templates_in_use=Count("templates", filter=Q(templates__archived_at=None)))
        )

    def has_delete_permission(self, request, obj=None):
        """A signature that a template uses stays."""
        if obj is not None and obj.templates.exists():
            return False
        return super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request, obj=None):
        """A signature in use keeps its name: templates and messages show it."""
        return ["name"] if obj and obj.templates.exists() else []

    @display(description=gettext_lazy("Signature"), ordering="name")
    def shown_name(self, signature: Signature) -> str:
        """With its brackets."""
        return str(signature)

    @display(description=gettext_lazy("Approval"), ordering="status")
    def approval(self, signature: Signature) -> SafeString:
        """The state of the registration."""
        return format_html(
            '<span class="hy-pill hy-pill-{}">{}</span>', TONES[signature.status], signature.get_status_display()
        )

    @display(description=gettext_lazy("Used by"))
    def used_by(self, signature: Signature) -> SafeString:
        """The number of templates, as a link to them."""
        words = _("%(count)s templates") % {"count": signature.templates_in_use}
        return format_html(
            '<a class="hy-link" href="../template/?signature__id__exact={}">{}</a>', signature.pk, words
        )
