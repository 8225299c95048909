"""Provider accounts: where they are, what they cost, and why one is paused."""

import secrets as random_secrets

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget

from customers.choices import Channel
from customers.models import ClockOffset
from notifications import secrets
from notifications.admin import registered
from notifications.admin.dialogs import ask, done, number_in
from notifications.models import ProviderAccount
from notifications.providers.base import spoken
from notifications.providers.http import RefusedAddress, check_key, check_url
from notifications.providers.mapping import BadMapping, completed
from notifications.services import gateways


class ProviderAccountForm(forms.ModelForm):
    """An account; its secret goes in and never comes out again."""

    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        max_length=500,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
    )

    class Meta:
        model = ProviderAccount
        fields = [
            *("name", "channel", "gateway", "url", "query_url", "batch_size", "price"),
            *("field_names", "is_sandbox", "is_active"),
        ]

        labels = {"name": gettext_lazy("Name of the account")}

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        stored = bool(self.instance.encrypted_secret)
        self.fields["secret"].help_text = (
            _("A secret is stored, encrypted, and is not shown. Leave this empty to keep it.")
            if stored
            else _("The API key or token of the account. It is stored encrypted and never shown again.")
        )

    def clean_url(self) -> str:
        """An address outside this machine and its networks."""
        return checked_address(self.cleaned_data["url"])

    def clean_query_url(self) -> str:
        """An address outside this machine and its networks, or none."""
        return checked_address(self.cleaned_data["query_url"])

    def clean_batch_size(self) -> int:
        """As many numbers as a call may carry."""
        size = self.cleaned_data["batch_size"]
        if not 1 <= size <= 1000:
            raise ValidationError(_("One call can carry 1 to 1,000 numbers."))
        return size

    def clean_field_names(self) -> dict:
        """A table of names, as the gateway's documentation gives them."""
        names = self.cleaned_data["field_names"] or {}
        if not isinstance(names, dict):
            raise ValidationError(_('Write the names as pairs, such as {"number": "mobile"}, or leave this empty.'))
        try:
            completed(names)
        except BadMapping as refusal:
            sentence = _(refusal.words)
            raise ValidationError(sentence % refusal.name if refusal.name else sentence) from refusal
        return names

    def clean_secret(self) -> str:
        """A key that can be sent as one."""
        try:
            check_key(self.cleaned_data["secret"])
        except ValueError as refusal:
            raise ValidationError(_(str(refusal))) from refusal
        return self.cleaned_data["secret"]

    def clean(self) -> dict:
        """Refuse a real account while the clock is shifted; the database would, without a sentence."""
        cleaned = super().clean()
        is_shifted = ClockOffset.objects.exclude(offset=ClockOffset().offset).exists()
        if is_shifted and not cleaned.get("is_sandbox"):
            self.add_error(
                "is_sandbox",
                _(
                    "The clock of this deployment is shifted. Set it back under System status before a "
                    "real account is used."
                ),
            )
        return cleaned


def checked_address(url: str) -> str:
    """The address, or a sentence why it is not connected to."""
    if not url:
        return ""
    try:
        check_url(url, private_hosts=settings.GATEWAY_PRIVATE_HOSTS)
    except RefusedAddress as refusal:
        raise ValidationError(_(str(refusal))) from refusal
    return url


@admin.register(ProviderAccount)
class ProviderAccountAdmin(ModelAdmin):
    """Accounts at gateways."""

    form = ProviderAccountForm
    list_display = ["shown_name", "channel", "condition", "shown_price", "batch_size"]
    change_form_outer_after_template = "admin/notifications/provideraccount/registered.html"
    actions = None
    actions_detail = ["resume"]
    readonly_fields = ["condition", "callback"]
    fieldsets = [
        (None, {"fields": ["name", "condition", "channel", "gateway"]}),
        (
            gettext_lazy("Connection"),
            {"fields": ["url", "query_url", "secret", "callback", "field_names"]},
        ),
        (gettext_lazy("Price and pace"), {"fields": [("price", "batch_size")]}),
        (gettext_lazy("Use"), {"fields": ["is_active", "is_sandbox"]}),
    ]

    def formfield_for_choice_field(self, db_field, request, **options):
        """Channels that no gateway carries yet are not offered."""
        if db_field.name == "channel":
            options["choices"] = [(Channel.SMS.value, Channel.SMS.label)]
        return super().formfield_for_choice_field(db_field, request, **options)

    def get_form(self, request, obj=None, change=False, **options):
        """The form with its explanations."""
        form = super().get_form(request, obj, change, **options)
        helps = {
            "url": _(
                "Where messages are posted to. Private and loopback addresses are refused unless the "
                "deployment lists them."
            ),
            "query_url": _(
                "Where outcomes are asked for when an answer was lost. Leave empty if the gateway has none."
            ),
            "price": _("Yuan for one SMS of 70 characters; every estimate uses it."),
            "batch_size": _("How many numbers one call carries."),
            "field_names": _("Only if your gateway names its fields differently; see docs/gateway-protocol.md."),
            "is_sandbox": _("Practice: nothing is really sent. Only then may the clock be shifted."),
            "is_active": _("Switch it off to send over another account."),
        }
        for name, words in helps.items():
            if name in form.base_fields:
                form.base_fields[name].help_text = words
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
            (title, {**options, "fields": [name for name in options["fields"] if name not in ("secret", "callback")]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def has_delete_permission(self, request, obj=None):
        """An account that has sent stays as evidence; switch it off instead."""
        if obj is not None and (obj.submissions.exists() or obj.receipts.exists()):
            return False
        return super().has_delete_permission(request, obj)

    def save_model(self, request, obj, form, change):
        """Save, with the secret encrypted where one was entered."""
        if secret := form.cleaned_data.get("secret"):
            obj.encrypted_secret = secrets.encrypt(secret)
        if not obj.callback_token:
            obj.callback_token = random_secrets.token_urlsafe(32)
        super().save_model(request, obj, form, change)

    def get_actions_detail(self, request, object_id):
        """Resuming is offered where something is paused."""
        account = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if account and account.paused_for else []

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
        ProviderAccount.objects.filter(pk=number_in(object_id)).exclude(paused_for="").update(paused_for="")
        page = reverse("admin:notifications_provideraccount_change", args=[object_id])
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

    @display(description=gettext_lazy("Price per segment"), ordering="price")
    def shown_price(self, account: ProviderAccount) -> str:
        """In yuan."""
        return f"¥{account.price.normalize():f}"

    @display(description=gettext_lazy("Callback address"))
    def callback(self, account: ProviderAccount) -> SafeString:
        """Where the gateway reports to."""
        if not account.callback_token:
            return _("Appears here once the account is saved; enter it at the gateway for receipts and replies.")
        return format_html(
            '<code class="hy-copy" id="callback-address">{}</code><span class="hy-soft hy-small">{}</span>',
            gateways.callback_url(account.callback_token),
            _(
                "Enter this address at the gateway for receipts and replies. Whoever knows it can report "
                "in the gateway's name."
            ),
        )
