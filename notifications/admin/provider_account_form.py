"""The form of a provider account: the fields of its kind, and a sentence for whatever cannot work."""

from dataclasses import dataclass

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from customers.choices import Channel
from customers.models import ClockOffset
from notifications.choices import GatewayKind
from notifications.models import ProviderAccount
from notifications.providers import aliyun_sms, tencent_api
from notifications.providers.addresses import is_listed, split_url
from notifications.providers.http import RefusedAddress, check_key, check_url
from notifications.providers.mail_letters import BadAddress
from notifications.providers.mail_letters import checked_address as checked_mail_address
from notifications.providers.mail_servers import BAD_PORT, READABLE, USUAL_PORTS, Security, checked_server, server_at
from notifications.providers.mapping import BadMapping, completed
from notifications.text import visible

LONGEST_CONNECT, LONGEST_WAIT = 10, 25


@dataclass(frozen=True)
class Cloud:
    """What a cloud needs of an account: its regions with their endpoints, and how many numbers a call carries."""

    regions: dict[str, str]
    usual_region: str
    largest_call: int


TENCENT_REGIONS = ("ap-guangzhou", "ap-beijing", "ap-nanjing")
CLOUDS = {
    GatewayKind.ALIYUN_SMS: Cloud(
        {region: f"https://{host}" for region, host in aliyun_sms.REGIONS.items()}, aliyun_sms.DEFAULT_REGION, 1000
    ),
    GatewayKind.TENCENT_SMS: Cloud(
        dict.fromkeys(TENCENT_REGIONS, tencent_api.ENDPOINT), tencent_api.DEFAULT_REGION, tencent_api.LARGEST_CALL
    ),
}
# What each kind has no use for; a form that was filled in for another kind must not leave it behind.
UNUSED = {
    GatewayKind.GENERIC_HTTP: {"key_id": "", "region": "", "app_id": ""},
    GatewayKind.ALIYUN_SMS: {"app_id": "", "query_url": "", "field_names": {}},
    GatewayKind.TENCENT_SMS: {"query_url": "", "field_names": {}},
    GatewayKind.SMTP: {"region": "", "app_id": "", "query_url": "", "field_names": {}},
    GatewayKind.INBOX: {"key_id": "", "region": "", "app_id": "", "query_url": "", "field_names": {}, "url": ""},
}
NO_SENDER = {"from_address": "", "from_name": ""}
# What each kind carries; the others carry texts by SMS.
CHANNELS = {GatewayKind.SMTP: Channel.EMAIL, GatewayKind.INBOX: Channel.INBOX}
LARGEST_MAIL_CALL = 200
# Shown only where the kind that is chosen has a use for it.
CONDITIONAL = {
    "query_url": "gateway == 'generic_http'",
    "field_names": "gateway == 'generic_http'",
    "key_id": "gateway != 'generic_http' && gateway != 'inbox'",
    "region": "gateway == 'aliyun_sms' || gateway == 'tencent_sms'",
    "app_id": "gateway == 'tencent_sms'",
    "url": "gateway != 'smtp' && gateway != 'inbox'",
    "secret": "gateway != 'inbox'",
    **dict.fromkeys(("mail_host", "mail_port", "mail_security", "from_address", "from_name"), "gateway == 'smtp'"),
}


SECURITY = [
    (Security.TLS.value, gettext_lazy("TLS from the first byte (usual port 465)")),
    (Security.STARTTLS.value, gettext_lazy("STARTTLS (usual port 587)")),
    (Security.NONE.value, gettext_lazy("None: only for a server beside this one")),
]


class ProviderAccountForm(forms.ModelForm):
    """An account; its secret goes in and never comes out again."""

    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        max_length=500,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
    )

    mail_host = forms.CharField(
        label=gettext_lazy("Mail server"), required=False, max_length=250, widget=UnfoldAdminTextInputWidget
    )
    mail_port = forms.IntegerField(label=gettext_lazy("Port"), required=False, widget=UnfoldAdminIntegerFieldWidget)
    mail_security = forms.ChoiceField(
        label=gettext_lazy("Encryption"), required=False, choices=SECURITY, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = ProviderAccount
        fields = [
            *("name", "channel", "gateway", "url", "query_url", "key_id", "region", "app_id", "batch_size", "price"),
            *("share", "pace", "daily_budget", "number_limit"),
            *("connect_timeout", "read_timeout", "total_timeout", "field_names", "is_sandbox", "is_active"),
            *("from_address", "from_name"),
        ]

        labels = {"name": gettext_lazy("Name of the account")}

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        stored = bool(self.instance.encrypted_secret)
        self.fields["secret"].help_text = (
            _("A secret is stored, encrypted, and is not shown. Leave this empty to keep it.")
            if stored
            else _("The API key, AccessKey secret or SecretKey. It is stored encrypted and never shown again.")
        )
        for name in ("url", "share", "connect_timeout", "read_timeout", "total_timeout"):
            if name in self.fields:
                self.fields[name].required = False
        if self.instance.gateway == GatewayKind.SMTP and self.instance.url:
            server = server_at(self.instance.url)
            self.initial |= {
                "mail_host": server.host,
                "mail_port": server.port,
                "mail_security": server.security.value,
            }

    def clean_gateway(self) -> str:
        """The kind, which an account that has sent keeps: its receipts are read by it."""
        gateway = self.cleaned_data["gateway"]
        stored = self.instance.pk and ProviderAccount.objects.get(pk=self.instance.pk)
        if stored and gateway != stored.gateway and (stored.submissions.exists() or stored.receipts.exists()):
            raise ValidationError(_("This account has sent already and keeps its kind. Add another account instead."))
        return gateway

    def clean_query_url(self) -> str:
        """An address outside this machine and its networks, or none."""
        return checked_address(self.cleaned_data["query_url"])

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
        return checked_key(self.cleaned_data["secret"])

    def clean_key_id(self) -> str:
        """A key that can be sent as one."""
        key_id = checked_key(self.cleaned_data["key_id"].strip())
        if set(key_id) & set(" ,/=;"):
            raise ValidationError(_("The key ID holds characters that it cannot have; copy it anew."))
        return key_id

    def clean_share(self) -> int:
        """The weight, or the usual one."""
        share = self.cleaned_data["share"]
        if share is None:
            return ProviderAccount._meta.get_field("share").default
        if not 1 <= share <= 1000:
            raise ValidationError(_("Enter a share from 1 to 1,000; switch the account off to send nothing over it."))
        return share

    def clean_connect_timeout(self) -> float:
        """Long enough to connect, and short enough that the next call is not late."""
        return self._checked_seconds("connect_timeout", LONGEST_CONNECT)

    def clean_read_timeout(self) -> float:
        """Long enough to be answered, and shorter than the lease of a batch."""
        return self._checked_seconds("read_timeout", LONGEST_WAIT)

    def clean_total_timeout(self) -> float:
        """Long enough for a whole call, and shorter than the lease of a batch."""
        return self._checked_seconds("total_timeout", LONGEST_WAIT)

    def clean(self) -> dict:
        """Check what depends on the kind, and take out what the kind has no use for."""
        cleaned = super().clean()
        gateway = cleaned.get("gateway")
        if gateway in UNUSED:
            cleaned |= {name: value for name, value in UNUSED[gateway].items() if name in self.fields}
            for name in UNUSED[gateway]:
                self._errors.pop(name, None)
        if gateway != GatewayKind.SMTP:
            cleaned |= NO_SENDER
        if gateway and "channel" in self.fields:
            cleaned["channel"] = CHANNELS.get(gateway, Channel.SMS)
        if cloud := CLOUDS.get(gateway):
            self._check_cloud(cleaned, cloud, gateway)
        elif gateway == GatewayKind.SMTP:
            self._check_mail(cleaned)
        elif gateway != GatewayKind.INBOX:
            self._check(cleaned, "url", checked_address, cleaned.get("url") or "", needed=True)
        largest = cloud.largest_call if cloud else LARGEST_MAIL_CALL if gateway == GatewayKind.SMTP else 1000
        size = cleaned.get("batch_size")
        if size is not None and not 1 <= size <= largest:
            self.add_error("batch_size", _("One call can carry 1 to %s numbers.") % f"{largest:,}")
        self._check_limits(cleaned)
        self._check_clock(cleaned)
        return cleaned

    def _check_limits(self, cleaned: dict) -> None:
        budget, limit = cleaned.get("daily_budget"), cleaned.get("number_limit")
        if cleaned.get("pace") == 0:
            self.add_error("pace", _("Enter at least 1, or switch the account off."))
        if budget is not None and budget <= 0:
            self.add_error("daily_budget", _("Enter more than 0, or switch the account off."))
        if limit is not None and not 1 <= limit <= 500:
            self.add_error("number_limit", _("Enter 1 to 500, or leave it empty."))

    def _check_cloud(self, cleaned: dict, cloud: Cloud, gateway: str) -> None:
        cleaned["region"] = region = (cleaned.get("region") or "").strip() or cloud.usual_region
        if region not in cloud.regions:
            self.add_error("region", _("There is no such region. Enter one of: %s") % ", ".join(cloud.regions))
            return
        url = (cleaned.get("url") or "").strip() or cloud.regions[region]
        self._check(cleaned, "url", checked_endpoint, url, needed=True)
        if "key_id" not in self.errors and not cleaned.get("key_id"):
            self.add_error("key_id", _("Enter the ID of the key: AccessKey ID at Aliyun, SecretId at Tencent Cloud."))
        if "secret" not in self.errors and not (cleaned.get("secret") or self.instance.encrypted_secret):
            self.add_error("secret", _("Enter the secret of the key; without it no call can be signed."))
        app_id = cleaned.get("app_id") or ""
        if gateway == GatewayKind.TENCENT_SMS and not (app_id.isascii() and app_id.isdigit()):
            self.add_error("app_id", _(tencent_api.BAD_APP_ID))

    def _check_mail(self, cleaned: dict) -> None:
        """The server as one address, and a sender that letters can come from."""
        self._errors.pop("url", None)
        security = Security(cleaned.get("mail_security") or Security.TLS)
        host, port = cleaned.get("mail_host") or "", cleaned.get("mail_port")
        port = USUAL_PORTS[security] if port is None else port
        if not host and "mail_host" not in self.errors:
            self.add_error("mail_host", _("Enter the name of the mail server, such as smtp.exmail.qq.com."))
        elif "mail_port" not in self.errors and "mail_host" not in self.errors:
            try:
                server = checked_server(security, host, port, private_hosts=settings.GATEWAY_PRIVATE_HOSTS)
                cleaned["url"] = server.url
            except RefusedAddress as refusal:
                field = {BAD_PORT: "mail_port", READABLE: "mail_security"}.get(str(refusal), "mail_host")
                self.add_error(field, _(str(refusal)))
        if "from_address" not in self.errors:
            try:
                cleaned["from_address"] = checked_mail_address(cleaned.get("from_address") or "")
            except BadAddress as refusal:
                self.add_error("from_address", _(str(refusal)))
        name = cleaned.get("from_name") or ""
        if name != visible(name):
            self.add_error("from_name", _("The name holds an invisible character; retype it."))
        has_secret = cleaned.get("secret") or self.instance.encrypted_secret
        if cleaned.get("key_id") and not has_secret and "secret" not in self.errors:
            words = _("Enter the password of this user; many providers call it an authorization code.")
            self.add_error("secret", words)

    def _check(self, cleaned: dict, name: str, check, value: str, *, needed: bool) -> None:
        if name in self.errors:
            return
        try:
            cleaned[name] = check(value)
        except ValidationError as refusal:
            self.add_error(name, refusal)
            return
        if needed and not value:
            self.add_error(name, _("Enter the address of the gateway, such as https://gateway.example.com/send."))

    def _checked_seconds(self, name: str, most: int) -> float:
        seconds = self.cleaned_data[name]
        if seconds is None:
            return ProviderAccount._meta.get_field(name).default
        if not 0.1 <= seconds <= most:
            raise ValidationError(_("Enter 0.1 to %d seconds.") % most)
        return seconds

    def _check_clock(self, cleaned: dict) -> None:
        """Refuse a real account while the clock is shifted; the database would, without a sentence."""
        is_shifted = ClockOffset.objects.exclude(offset=ClockOffset().offset).exists()
        if is_shifted and not cleaned.get("is_sandbox"):
            self.add_error(
                "is_sandbox",
                _(
                    "The clock of this deployment is shifted. Set it back under System status before a "
                    "real account is used."
                ),
            )


def checked_key(key: str) -> str:
    """The key, or a sentence why it cannot be one."""
    try:
        check_key(key)
    except ValueError as refusal:
        raise ValidationError(_(str(refusal))) from refusal
    return key


def checked_address(url: str) -> str:
    """The address, or a sentence why it is not connected to."""
    if not url:
        return ""
    try:
        check_url(url, private_hosts=settings.GATEWAY_PRIVATE_HOSTS)
    except RefusedAddress as refusal:
        raise ValidationError(_(str(refusal))) from refusal
    return url


def checked_endpoint(url: str) -> str:
    """Scheme and host of a cloud, or a sentence why they cannot be those."""
    checked_address(url)
    address = split_url(url)
    if address.path != "/":
        raise ValidationError(_("Enter scheme and host alone, such as https://dysmsapi.aliyuncs.com."))
    if not (address.secure or is_listed(address, private_hosts=settings.GATEWAY_PRIVATE_HOSTS)):
        raise ValidationError(_("Begin with https://: names and numbers of customers would travel readable."))
    return url.rstrip("/")


def help_texts() -> dict[str, str]:
    """What staff should know about each field."""
    return {
        "gateway": _("Which gateway this account is at; it decides what else is asked for."),
        "url": _(
            "Where messages are posted to. For Aliyun and Tencent Cloud leave it empty, unless a proxy of your own "
            "stands between. Private and loopback addresses are refused unless the deployment lists them."
        ),
        "query_url": _("Where outcomes are asked for when an answer was lost. Leave empty if the gateway has none."),
        "key_id": _(
            "AccessKey ID at Aliyun, SecretId at Tencent Cloud, the user at a mail server. Use a key that may do "
            "nothing but send."
        ),
        "region": _("Leave empty for the usual one: cn-hangzhou at Aliyun, ap-guangzhou at Tencent Cloud."),
        "app_id": _("The SdkAppId that the SMS console shows, such as 1400006666."),
        "price": _("Yuan for one SMS of 70 characters, or for one e-mail; every estimate uses it."),
        "batch_size": _(
            "How many numbers one call carries. Aliyun takes 100 with personal texts, 1,000 with equal ones; "
            "Tencent Cloud 200."
        ),
        "share": _(
            "The weight of this account among all of its channel: 70 beside 30 carries seven calls of ten. "
            "While calls fail or are slow it counts for less."
        ),
        "pace": _(
            "What your contract allows, such as 200. All workers keep it together; codes and notices go first. "
            "Leave it empty for as fast as it goes."
        ),
        "daily_budget": _(
            "Yuan a day, counted in the shop's time by the price above. What does not fit goes over another account, "
            "or waits until tomorrow. Leave it empty for none."
        ),
        "number_limit": _(
            "How many messages the provider takes for one number in 24 hours, all classes together: usually 50 at "
            "Aliyun, 10 at Tencent Cloud. Leave it empty if it has no such limit."
        ),
        "connect_timeout": _("Nothing was sent when this runs out: the message waits and is tried again."),
        "read_timeout": _("When this runs out the message may have been taken: what became of it is asked for."),
        "total_timeout": _("Also for a gateway that answers byte by byte."),
        "field_names": _("Only if your gateway names its fields differently; see docs/gateway-protocol.md."),
        "mail_host": _("Such as smtp.exmail.qq.com or smtpdm.aliyun.com; your provider tells it."),
        "mail_port": _("Leave it empty for the usual one."),
        "from_address": _("Whom letters come from. The server must let this user send from it."),
        "from_name": _("What customers see as the sender, such as the name of the shop."),
        "is_sandbox": _("Practice: nothing is really sent. Only then may the clock be shifted."),
        "is_active": _("Switch it off to send over another account."),
    }
