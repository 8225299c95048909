"""Integrations: which shop systems push their orders, what to paste where, and what was not understood."""

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
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
from unfold.widgets import UnfoldAdminPasswordWidget

from customers import clock, secrets
from customers.admin.large_list import LargeListMixin
from customers.choices import IntegrationKind, Platform
from customers.models import Integration, WebhookCall
from customers.services import integrations, webhook_calls
from customers.webhooks import mappings

SHOWN_CHARACTERS = 5_000
STEPS = {
    IntegrationKind.SHOPIFY: gettext_lazy(
        "In Shopify: Settings, Notifications, Webhooks. Create one for each of Order creation, Order payment, Order "
        "fulfillment and Order cancellation, format JSON, with the address above. Copy the key that Shopify shows "
        "below the list into the signing secret here."
    ),
    IntegrationKind.YOUZAN: gettext_lazy(
        "In the Youzan cloud console: your application, message push. Enter the address above, subscribe to the "
        "messages of trades, and copy client ID and client secret into the fields here."
    ),
    IntegrationKind.GENERIC: gettext_lazy(
        "Post JSON to the address above with the headers X-Hongyan-Timestamp (seconds since 1970), "
        "X-Hongyan-Signature (sha256= and the hex HMAC-SHA256 of time, point and body) and X-Hongyan-Event-Id. "
        "The fields are those of POST /api/v1/orders, unless you say below where they stand."
    ),
}


def asking(title: str, description: str, button: str) -> ActionDialog:
    """A question before an act."""
    return ActionDialog(title=title, description=description, form_class=BaseDialogForm, form_submit_text=button)


def done(request: HttpRequest, url: str, words: str) -> HttpResponse:
    """Say one sentence and show the page again."""
    messages.success(request, words)
    return HttpResponse(headers={"HX-Redirect": url}) if request.headers.get("HX-Request") else redirect(url)


def minute(moment) -> str:
    """A moment in the shop's zone, to the minute; a dash for none."""
    return localtime(moment).strftime("%Y-%m-%d %H:%M") if moment else "–"


class IntegrationForm(forms.ModelForm):
    """A shop system; its secret goes in and never comes out again."""

    secret = forms.CharField(
        label=gettext_lazy("Signing secret"),
        required=False,
        max_length=500,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
    )

    class Meta:
        model = Integration
        fields = ["name", "kind", "platform", "client_id", "mapping", "is_active"]
        help_texts = {
            "platform": gettext_lazy("Under which its orders stand; an order is known by this and its number."),
            "client_id": gettext_lazy("Of the application in the Youzan cloud; others have none."),
            "mapping": gettext_lazy(
                "Only where your system names the facts of an order differently; see docs/api.md."
            ),
        }

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        if "mapping" in self.fields:
            self.fields["mapping"].required = False
        if "secret" in self.fields and self.instance.encrypted_secret:
            words = _("It is stored, encrypted, and is not shown. Leave this empty to keep it.")
            self.fields["secret"].help_text = words

    def clean_mapping(self) -> dict:
        """A mapping that can be read, or none."""
        mapping = self.cleaned_data["mapping"] or {}
        try:
            if mapping:
                mappings.check(mapping)
        except mappings.CannotRead as refusal:
            raise ValidationError(_(str(refusal))) from refusal
        return mapping

    def clean(self) -> dict:
        """What each form needs."""
        cleaned = super().clean()
        if not cleaned.get("secret") and not self.instance.encrypted_secret:
            self.add_error("secret", _("Enter the secret: what is not signed with it is refused."))
        if cleaned.get("kind") == IntegrationKind.YOUZAN and not cleaned.get("client_id"):
            self.add_error("client_id", _("Enter the client ID: Youzan signs with it."))
        return cleaned


@admin.register(Integration)
class IntegrationAdmin(ModelAdmin):
    """Shop systems that push their orders to us."""

    form = IntegrationForm
    list_display = ["shown_name", "kind", "platform", "received", "condition"]
    list_display_links = ["shown_name"]
    list_per_page = 50
    sortable_by = ()
    actions = None
    actions_detail = ["change_address"]
    conditional_fields = {"client_id": "kind == 'youzan'", "mapping": "kind == 'generic'"}
    readonly_fields = ["address", "steps", "received", "condition", "pushes"]
    fieldsets = [
        (None, {"fields": ["name", "kind", "platform", "client_id", "secret", "mapping", "is_active"]}),
        (gettext_lazy("At the shop system"), {"fields": ["address", "steps"]}),
        (gettext_lazy("What came"), {"fields": ["received", "condition", "pushes"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Integration | None = None) -> list:
        """The address is made when the integration is saved."""
        return super().get_fieldsets(request, obj)[: None if obj else 1]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict:
        """A Shopify store, as most."""
        return {"kind": IntegrationKind.SHOPIFY, "platform": Platform.SHOPIFY}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No filter: one that begins with a token would tell it letter by letter."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Integration | None = None) -> bool:
        """One that has pushed stays as evidence; switch it off instead."""
        return super().has_delete_permission(request, obj) and not (obj and obj.calls.exists())

    def save_model(self, request: HttpRequest, obj: Integration, form: IntegrationForm, change: bool) -> None:
        """Save, with the secret encrypted where one was entered."""
        if secret := form.cleaned_data.get("secret"):
            obj.encrypted_secret = secrets.encrypt(secret)
        if not change:
            obj.token, obj.created_by, obj.created_at = integrations.new_token(), request.user, clock.now()
        super().save_model(request, obj, form, change)

    @action(
        description=gettext_lazy("Change the address"),
        icon="key",
        permissions=["change"],
        dialog=asking(
            gettext_lazy("Make a new address?"),
            gettext_lazy("Enter it at the shop system within seven days; until then the old one is believed as well."),
            gettext_lazy("Make a new one"),
        ),
    )
    def change_address(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Make a new secret address; the old one holds for some days."""
        integration = self.get_object(request, object_id)
        if integration is None:
            raise Http404
        until = integrations.rotate(integration.pk, now=clock.now())
        self.log_change(request, integration, str(_("Changed the address.")))
        page = reverse("admin:customers_integration_change", args=[integration.pk])
        words = _("Enter the new address at the shop system. The old one is believed until %s.")
        return done(request, page, words % minute(until))

    @display(description=gettext_lazy("Integration"))
    def shown_name(self, integration: Integration) -> str:
        """Its name."""
        return integration.name

    @display(description=gettext_lazy("Address to push to"))
    def address(self, integration: Integration) -> SafeString:
        """What to paste at the shop system."""
        url = settings.PUBLIC_URL.rstrip("/") + reverse("customers:webhook", args=[integration.token])
        return format_html('<code class="hy-copy hy-break" id="webhook-address">{}</code>', url)

    @display(description=gettext_lazy("What to do there"))
    def steps(self, integration: Integration) -> str:
        """The steps at the shop system."""
        return str(STEPS[IntegrationKind(integration.kind)])

    @display(description=gettext_lazy("Last received"))
    def received(self, integration: Integration) -> str:
        """When something was last believed."""
        return minute(integration.last_received_at)

    @display(description=gettext_lazy("Condition"))
    def condition(self, integration: Integration) -> SafeString:
        """Whether it is believed, and why the last push was not."""
        if not integration.is_active:
            return format_html('<span class="hy-pill">{}</span>', _("Switched off"))
        refused, received = integration.refused_at, integration.last_received_at
        if refused and (received is None or refused > received):
            words = _("Refused %(moment)s: %(reason)s")
            reason = _(integration.refused_for)
            return format_html('<span class="hy-bad">{}</span>', words % {"moment": minute(refused), "reason": reason})
        if received is None:
            return format_html('<span class="hy-pill hy-pill-warn">{}</span>', _("Nothing has come yet"))
        return format_html('<span class="hy-pill hy-pill-good">{}</span>', _("Works"))

    @display(description=gettext_lazy("Pushes"))
    def pushes(self, integration: Integration) -> SafeString:
        """The way to what it has pushed."""
        link = f"{reverse('admin:customers_webhookcall_changelist')}?show=problems"
        count = integration.calls.exclude(problem="").count()
        return format_html('<a class="hy-link" href="{}">{}</a>', link, _("%s not understood") % f"{count:,}")


class ProblemFilter(SimpleListFilter):
    """Pushes that were not understood, or wait."""

    title = gettext_lazy("Show")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple]:
        """Two kinds that somebody looks for."""
        return [("problems", gettext_lazy("With a problem")), ("waiting", gettext_lazy("Waiting"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The chosen pushes; each choice walks an index."""
        match self.value():
            case "problems":
                return queryset.exclude(problem="")
            case "waiting":
                return queryset.filter(applied_at=None)
        return queryset


@admin.register(WebhookCall)
class WebhookCallAdmin(LargeListMixin, ModelAdmin):
    """What shop systems pushed, as it came; deleted after some weeks."""

    list_display = ["received", "integration", "topic", "condition"]
    list_display_links = ["received"]
    list_filter = [ProblemFilter]
    fields = ["received", "integration", "topic", "condition", "tries", "raw"]
    readonly_fields = fields
    actions = None
    actions_detail = ["again"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Shop systems write pushes."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: WebhookCall | None = None) -> bool:
        """What was pushed stays as it came."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: WebhookCall | None = None) -> bool:
        """A job deletes what is old."""
        return False

    def has_again_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Who may change integrations may have their pushes looked at again."""
        return request.user.has_perm("customers.change_integration")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The filter of this list; other columns in the address would read the whole table."""
        return lookup == ProblemFilter.parameter_name

    def get_fields(self, request: HttpRequest, obj: WebhookCall | None = None) -> list[str]:
        """The body holds whole numbers: it is for those who may see them."""
        may_read = request.user.has_perm("customers.view_full_address")
        return [name for name in self.fields if may_read or name != "raw"]

    def rows_of_page(self, request: HttpRequest, keys) -> list[WebhookCall]:
        """The rows of a page without their bodies."""
        rows = WebhookCall.objects.filter(pk__in=keys).defer("body").select_related("integration")
        return list(rows.order_by("-pk"))

    @action(
        description=gettext_lazy("Look at it again"),
        icon="replay",
        permissions=["again"],
        dialog=asking(
            gettext_lazy("Work this push out again?"),
            gettext_lazy("Do this after you have put a mapping or a status word right."),
            gettext_lazy("Look at it again"),
        ),
    )
    def again(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Let the job look at it once more."""
        call = self.get_object(request, object_id)
        if call is None:
            raise Http404
        page = reverse("admin:customers_webhookcall_change", args=[call.pk])
        if webhook_calls.retry(call.pk, now=clock.now()):
            return done(request, page, _("It is looked at within seconds."))
        return done(request, page, _("It was understood already, or waits."))

    @display(description=gettext_lazy("Received at"))
    def received(self, call: WebhookCall) -> str:
        """When it came."""
        return minute(call.received_at)

    @display(description=gettext_lazy("Condition"))
    def condition(self, call: WebhookCall) -> SafeString:
        """Whether it was understood."""
        if call.problem:
            return format_html('<span class="hy-bad">{}</span>', _(call.problem))
        if call.applied_at is None:
            return format_html('<span class="hy-pill hy-pill-warn">{}</span>', _("Waiting"))
        return format_html('<span class="hy-pill hy-pill-good">{}</span>', _("Understood"))

    @display(description=gettext_lazy("As it came"))
    def raw(self, call: WebhookCall) -> SafeString:
        """The beginning of the body."""
        text = bytes(call.body[: 4 * SHOWN_CHARACTERS]).decode("utf-8", "replace")[:SHOWN_CHARACTERS]
        return format_html('<code class="hy-copy hy-break">{}</code>', text.replace("\0", ""))
