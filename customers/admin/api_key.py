"""Keys to the API: made here, shown once, revoked with one click."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from customers import clock
from customers.choices import ApiScope
from customers.models import ApiKey
from customers.models.api_key import LARGEST_RATE
from customers.services import api_keys


class ApiKeyForm(forms.ModelForm):
    """What a key may do, and how often."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("May"),
        choices=ApiScope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("Give a program only what it needs: whoever finds its key can do the same."),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "rate"]
        help_texts = {
            "name": gettext_lazy("The program that will use it, such as “web shop”."),
            "rate": gettext_lazy("Further requests of the same minute are refused and can be sent again."),
        }

    def clean_rate(self) -> int:
        """A rate that somebody can keep."""
        rate = self.cleaned_data["rate"]
        if not 1 <= rate <= LARGEST_RATE:
            raise forms.ValidationError(_("Enter 1 to %s.") % f"{LARGEST_RATE:,}")
        return rate


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Keys to the API."""

    form = ApiKeyForm
    list_display = ["shown_name", "shown_prefix", "may", "rate", "last_used", "condition"]
    list_display_links = ["shown_name"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["-id"]
    sortable_by = ()
    fields = ["name", "scopes", "rate", "shown_prefix", "condition", "last_used", "created"]
    readonly_fields = ["shown_prefix", "condition", "last_used", "created"]
    actions = None
    actions_detail = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        """What can be known of a key that is being made."""
        return self.fields if obj else ["name", "scopes", "rate"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No filter: one that begins with a fingerprint would tell it byte by byte."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """The keys without their fingerprints."""
        return super().get_queryset(request).defer("fingerprint").select_related("created_by")

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | str | None = None) -> bool:
        """A revoked key stays as it was; the theme asks by the number in the address."""
        is_revoked = isinstance(obj, ApiKey) and obj.revoked_at is not None
        return super().has_change_permission(request, obj) and not is_revoked

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Keys are revoked; who could do what stays known."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ApiKeyForm, change: bool) -> None:
        """Make the key, and remember it for the one answer that shows it."""
        if change:
            ApiKey.objects.filter(pk=obj.pk).believed().update(
                **{name: form.cleaned_data[name] for name in ("name", "scopes", "rate")}
            )
            return
        told = form.cleaned_data
        key, request.new_api_key = api_keys.issue(
            name=told["name"], scopes=told["scopes"], rate=told["rate"], by=request.user, now=clock.now()
        )
        obj.pk = key.pk

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key this once; it must lie in no cookie, session or cache."""
        context = self.admin_site.each_context(request) | {
            "title": _("The new key"),
            "key": request.new_api_key,
            "name": obj.name,
            "docs": reverse("api:openapi-view"),
            "back": reverse("admin:customers_apikey_changelist"),
        }
        return TemplateResponse(
            request, "admin/customers/apikey/shown_once.html", context, headers={"Cache-Control": "no-store"}
        )

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list:
        """A key is revoked once."""
        key = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if key and not key.revoked_at else []

    @action(
        description=gettext_lazy("Revoke"),
        icon="key_off",
        permissions=["change"],
        dialog=ActionDialog(
            title=gettext_lazy("Believe this key no longer?"),
            description=gettext_lazy(
                "The program that uses it is refused from the next request on. A revoked key cannot be brought back; "
                "make a new one."
            ),
            form_class=BaseDialogForm,
            form_submit_text=gettext_lazy("Revoke"),
        ),
    )
    def revoke(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Believe the key no longer."""
        key = self.get_object(request, object_id)
        if key is None:
            raise Http404
        if api_keys.revoke(key.pk, now=clock.now()):
            self.log_change(request, key, str(_("Revoked.")))
        messages.success(request, _("The key is not believed any more."))
        page = reverse("admin:customers_apikey_change", args=[key.pk])
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": page})
        return redirect(page)

    @display(description=gettext_lazy("API key"))
    def shown_name(self, key: ApiKey) -> str:
        """Its name."""
        return key.name

    @display(description=gettext_lazy("Begins with"))
    def shown_prefix(self, key: ApiKey) -> SafeString:
        """By what its owner recognizes it."""
        return format_html('<code class="hy-copy">{}…</code>', key.prefix)

    @display(description=gettext_lazy("May"))
    def may(self, key: ApiKey) -> str:
        """What it may do, in words."""
        return "; ".join(str(ApiScope(scope).label) for scope in key.scopes if scope in ApiScope.values)

    @display(description=gettext_lazy("Last used"))
    def last_used(self, key: ApiKey) -> str:
        """To the minute."""
        return localtime(key.last_used_at).strftime("%Y-%m-%d %H:%M") if key.last_used_at else _("Never")

    @display(description=gettext_lazy("Made"))
    def created(self, key: ApiKey) -> str:
        """When, and by whom."""
        return f"{localtime(key.created_at):%Y-%m-%d %H:%M} {key.created_by or ''}".strip()

    @display(description=gettext_lazy("Condition"))
    def condition(self, key: ApiKey) -> SafeString:
        """Whether it is believed."""
        if key.revoked_at:
            when = localtime(key.revoked_at).strftime("%Y-%m-%d %H:%M")
            return format_html('<span class="hy-pill hy-pill-bad">{}</span> {}', _("Revoked"), when)
        return format_html('<span class="hy-pill hy-pill-good">{}</span>', _("Believed"))
