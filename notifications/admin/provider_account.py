"""Provider accounts: where they are, what they cost, and why one is paused."""

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from customers import clock
from customers.choices import Channel
from notifications import secrets
from notifications.admin import account_gauges, guides, registered
from notifications.admin.callback_address import CallbackAddress
from notifications.admin.dialogs import ask, done, number_in
from notifications.admin.history import TranslatedHistory
from notifications.admin.provider_account_form import CONDITIONAL, ProviderAccountForm, help_texts
from notifications.choices import COMPOSING_GATEWAYS, GatewayKind
from notifications.models import ProviderAccount
from notifications.providers.base import spoken
from notifications.services import budgets, callback_tokens, connecting, deliveries, gateways

# The kinds that docs/connect-….md explains.
GUIDES = {GatewayKind.ALIYUN_SMS: "aliyun", GatewayKind.TENCENT_SMS: "tencent"}
CARRIED = (Channel.SMS, Channel.EMAIL, Channel.INBOX)
# Not for those who may only look: what signs a call, and the address by which receipts are believed.
SECRETS = {"key_id", "secret", "callback"}
# Fields of the form alone: an account keeps its mail server as one address.
MAIL_SERVER = ("mail_host", "mail_port", "mail_security")


@admin.register(ProviderAccount)
class ProviderAccountAdmin(TranslatedHistory, CallbackAddress, ModelAdmin):
    """Accounts at gateways."""

    form = ProviderAccountForm
    list_display = ["shown_name", "channel", "condition", "shown_price", "batch_size"]
    change_form_outer_after_template = "admin/notifications/provideraccount/registered.html"
    actions = None
    actions_detail = ["connect", "try_out", "resume", "change_callback", "end_old_callback"]
    readonly_fields = ["condition", "callback", "gauge_shown"]
    conditional_fields = CONDITIONAL
    fieldsets = [
        (None, {"fields": ["name", "condition", "gateway", "channel"]}),
        (
            gettext_lazy("Connection"),
            {
                "fields": [
                    *(MAIL_SERVER, "key_id", "secret", "app_id", "region"),
                    *(("from_address", "from_name"), "url", "query_url", "callback", "field_names"),
                ]
            },
        ),
        (
            gettext_lazy("Price and pace"),
            {"fields": [("price", "batch_size"), ("share", "pace"), ("daily_budget", "number_limit"), "gauge_shown"]},
        ),
        (gettext_lazy("Time-outs"), {"fields": [("connect_timeout", "read_timeout", "total_timeout")]}),
        (gettext_lazy("Use"), {"fields": ["is_active", "is_sandbox"]}),
    ]

    def formfield_for_choice_field(self, db_field, request, **options):
        """Channels that no gateway carries yet are not offered; which one it is follows from the kind."""
        if db_field.name == "channel":
            options["choices"] = [(channel.value, channel.label) for channel in CARRIED]
            options["required"] = False
        return super().formfield_for_choice_field(db_field, request, **options)

    def get_form(self, request, obj=None, change=False, **options):
        """The form with its explanations."""
        form = super().get_form(request, obj, change, **options)
        for name, words in help_texts().items():
            if name in form.base_fields:
                form.base_fields[name].help_text = words
        if "gateway" in form.base_fields:
            form.base_fields["gateway"].help_text = with_guides(help_texts()["gateway"])
        return form

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict | None = None):
        """The page, with the texts and signatures that the account has approved, or not."""
        extra = registered.of_account(self.get_object(request, object_id))
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No filter: one that begins with a secret would tell it letter by letter."""
        return False

    def get_fieldsets(self, request, obj=None):
        """The secret, and the address by which receipts are believed, stay with those who may change them."""
        if self.has_change_permission(request, obj) or obj is None:
            return super().get_fieldsets(request, obj)
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in {*SECRETS, MAIL_SERVER}]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def has_delete_permission(self, request, obj=None):
        """An account that has sent stays as evidence; switch it off instead."""
        if obj is not None and (obj.submissions.exists() or obj.receipts.exists() or obj.replies.exists()):
            return False
        return super().has_delete_permission(request, obj)

    def save_model(self, request, obj, form, change):
        """Save, with the secret encrypted where one was entered."""
        if secret := form.cleaned_data.get("secret"):
            obj.encrypted_secret = secrets.encrypt(secret)
        if not obj.callback_token:
            obj.callback_token = callback_tokens.new()
        super().save_model(request, obj, form, change)
        if {"daily_budget", "number_limit", "is_active", "price"} & set(form.changed_data):
            now = clock.now()
            budgets.release(obj, now=now)
            deliveries.reconsider_holds(now=now)

    def get_actions_detail(self, request, object_id):
        """Steps and a trial for clouds; resuming, and ending old addresses, where there is something to end."""
        account = self.get_object(request, object_id)
        if account is None:
            return []
        unoffered = set() if account.paused_for else {"resume"}
        if account.gateway not in COMPOSING_GATEWAYS:
            unoffered |= {"connect"} if account.gateway == GatewayKind.SMTP else {"connect", "try_out"}
        if not account.previous_callback_token:
            unoffered.add("end_old_callback")
        return [button for button in super().get_actions_detail(request, object_id) if button.path not in unoffered]

    @action(description=gettext_lazy("How to connect"), icon="menu_book", permissions=["change"])
    def connect(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The steps at the gateway and here, with the addresses to paste."""
        account = get_object_or_404(ProviderAccount, pk=number_in(object_id), gateway__in=GUIDES)
        addresses = {
            "receipts": gateways.callback_url(account.callback_token),
            "replies": gateways.replies_url(account.callback_token),
        }
        back = reverse("admin:notifications_provideraccount_change", args=[account.pk])
        return self._guide(request, GatewayKind(account.gateway), addresses, back=back)

    def get_urls(self) -> list:
        """The steps also for whoever has no account yet: the key has to be made before it can be entered."""
        guide = self.admin_site.admin_view(self.guide)
        return [path("guide/<str:gateway>/", guide, name="notifications_provideraccount_guide"), *super().get_urls()]

    def guide(self, request: HttpRequest, gateway: str) -> HttpResponse:
        """The steps of a kind, with example addresses."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if gateway not in GUIDES:
            raise Http404
        back = reverse("admin:notifications_provideraccount_add") + f"?gateway={gateway}"
        return self._guide(request, GatewayKind(gateway), {}, back=back)

    def _guide(self, request: HttpRequest, gateway: GatewayKind, addresses: dict, *, back: str) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": _("How to connect %s") % gateway.label,
            "guide": guides.guide(GUIDES[gateway], language=get_language(), addresses=addresses),
            "is_local": not settings.HTTPS,
            "public_url": settings.PUBLIC_URL,
            "back": back,
        }
        return render(request, "admin/notifications/provideraccount/connect.html", context)

    @action(
        description=gettext_lazy("Try the connection"),
        icon="network_check",
        permissions=["change"],
        dialog=ask(
            gettext_lazy("Ask the gateway whether the key works?"),
            gettext_lazy("One call that sends nothing and costs nothing."),
            gettext_lazy("Ask"),
        ),
    )
    def try_out(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Ask the gateway whether it knows the key."""
        can_be_tried = [*COMPOSING_GATEWAYS, GatewayKind.SMTP]
        account = get_object_or_404(ProviderAccount, pk=number_in(object_id), gateway__in=can_be_tried)
        trial = connecting.try_out(account)
        page = reverse("admin:notifications_provideraccount_change", args=[account.pk])
        level = messages.SUCCESS if trial.works else messages.ERROR
        return done(request, page, said=trial.words, level=level)

    @action(
        description=gettext_lazy("Resume"),
        icon="play_arrow",
        permissions=["change"],
        dialog=ask(
            gettext_lazy("Send over this account again?"),
            gettext_lazy(
                "What waits goes out at once, within quiet hours and caps. Make sure that the cause of the "
                "pause is gone."
            ),
            gettext_lazy("Resume"),
        ),
    )
    def resume(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Lift the pause."""
        account = get_object_or_404(ProviderAccount, pk=number_in(object_id))
        if ProviderAccount.objects.filter(pk=account.pk).exclude(paused_for="").update(paused_for=""):
            self.log_change(request, account, str(_("Resumed.")))
        page = reverse("admin:notifications_provideraccount_change", args=[account.pk])
        return done(request, page, said=_("The account sends again."))

    @display(description=gettext_lazy("Provider account"), ordering="name")
    def shown_name(self, account: ProviderAccount) -> str:
        """Its name."""
        return account.name

    @display(description=gettext_lazy("Condition"))
    def condition(self, account: ProviderAccount) -> SafeString:
        """Whether it sends, and why not."""
        if account.pk is None:
            return "–"
        if account.paused_for:
            return format_html(
                '<span class="hy-pill hy-pill-bad">{}</span> <span class="hy-bad">{}</span>',
                _("Paused"), spoken(account.paused_for, gettext=_),
            )  # fmt: skip
        if not account.is_active:
            return format_html('<span class="hy-pill">{}</span>', _("Switched off"))
        if account.is_sandbox:
            return format_html('<span class="hy-pill hy-pill-accent">{}</span>', _("Sandbox"))
        return format_html('<span class="hy-pill hy-pill-good">{}</span>', _("Sends"))

    @display(description=gettext_lazy("Today"))
    def gauge_shown(self, account: ProviderAccount) -> SafeString:
        """What it has spent, when its pace lets it call again, and how healthy it is."""
        return account_gauges.shown(account, now=clock.now())

    @display(description=gettext_lazy("Price per segment"), ordering="price")
    def shown_price(self, account: ProviderAccount) -> str:
        """In yuan."""
        return f"¥{account.price.normalize():f}"


def with_guides(words: str) -> SafeString:
    """Words, and behind them a link to the steps of each kind."""
    links = [
        (
            reverse("admin:notifications_provideraccount_guide", args=[gateway.value]),
            _("How to connect %s") % gateway.label,
        )
        for gateway in GUIDES
    ]
    return format_html("{} {}", words, format_html_join(" · ", '<a class="hy-link" href="{}">{}</a>', links))
