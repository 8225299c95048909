"""Alerts, and the chats and mailboxes in which staff are told of them."""

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget

from notifications import secrets
from notifications.admin import states
from notifications.admin.dialogs import ask, done, number_in
from notifications.admin.history import TranslatedHistory
from notifications.choices import AlertChannelKind, AlertKind
from notifications.models import Alert, AlertChannel
from notifications.providers import bots
from notifications.providers.base import spoken
from notifications.providers.http import RefusedAddress
from notifications.services import telling

MOST_RECIPIENTS = 20


class AlertChannelForm(forms.ModelForm):
    """A channel; the bot's address and key go in and never come out again."""

    address = forms.CharField(
        label=gettext_lazy("Webhook address of the bot"),
        required=False,
        max_length=500,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}, render_value=False),
    )
    secret = forms.CharField(
        label=gettext_lazy("Signing key of the bot"),
        required=False,
        max_length=200,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
    )
    alert_kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Tells of"),
        choices=AlertKind.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=AlertKind.values,
    )

    class Meta:
        model = AlertChannel
        fields = ["name", "kind", "recipients", "alert_kinds", "language", "minimum_gap_minutes", "is_active"]

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        kept = _("It is stored, encrypted, and is not shown. Leave this empty to keep it.")
        self.fields["address"].help_text = (
            kept
            if self.instance.encrypted_address
            else _("Add a custom bot to the group and copy its address. Whoever knows it can write to the group.")
        )
        self.fields["secret"].help_text = (
            kept
            if self.instance.encrypted_secret
            else _("DingTalk and Feishu: choose signing as the bot's protection, and copy the key. WeCom has none.")
        )
        if "recipients" in self.fields:
            self.fields["recipients"].help_text = _("E-mail addresses, separated by commas.")

    def clean_recipients(self) -> str:
        """E-mail addresses, each of which can be one."""
        given = self.cleaned_data["recipients"].replace(";", ",").replace("，", ",").split(",")
        addresses = [address.strip() for address in given if address.strip()]
        for address in addresses:
            try:
                validate_email(address)
            except ValidationError as refusal:
                raise ValidationError(_("“%(address)s” is no e-mail address.") % {"address": address}) from refusal
        if len(addresses) > MOST_RECIPIENTS:
            raise ValidationError(_("At most %(most)d recipients. Use a mailing list.") % {"most": MOST_RECIPIENTS})
        return ", ".join(addresses)

    def clean(self) -> dict:
        """A bot needs an address of its maker, a mailbox its recipients."""
        cleaned = super().clean()
        kind, address = cleaned.get("kind"), cleaned.get("address", "")
        if kind == AlertChannelKind.EMAIL:
            if not cleaned.get("recipients") and "recipients" not in self.errors:
                self.add_error("recipients", _("Enter at least one e-mail address."))
        elif kind:
            is_moved = "kind" in self.changed_data
            if not address and (is_moved or not self.instance.encrypted_address):
                self.add_error("address", _("Enter the webhook address of the bot."))
            elif address:
                try:
                    bots.check_address(kind, address, private_hosts=settings.GATEWAY_PRIVATE_HOSTS)
                except RefusedAddress as refusal:
                    self.add_error("address", _(str(refusal)))
        return cleaned


@admin.register(AlertChannel)
class AlertChannelAdmin(TranslatedHistory, ModelAdmin):
    """Where staff are told."""

    form = AlertChannelForm
    list_display = ["shown_name", "kind", "condition", "tells_of"]
    list_display_links = ["shown_name"]
    actions = None
    actions_detail = ["test"]
    readonly_fields = ["condition"]
    conditional_fields = {
        "address": "kind != 'email'",
        "secret": "kind == 'dingtalk' || kind == 'feishu'",
        "recipients": "kind == 'email'",
    }
    fieldsets = [
        (None, {"fields": ["name", "condition", "kind", "address", "secret", "recipients"]}),
        (
            gettext_lazy("What it tells"),
            {"fields": ["alert_kinds", ("language", "minimum_gap_minutes"), "is_active"]},
        ),
    ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No filter: one that begins with a secret would tell it letter by letter."""
        return False

    def get_fieldsets(self, request, obj=None):
        """Who may only look sees neither field of a secret."""
        if obj is None or self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": ["name", "condition", "kind", "language", "minimum_gap_minutes", "is_active"]})]

    def save_model(self, request, obj, form, change):
        """Save, with the bot's address and key encrypted where they were entered."""
        if obj.kind == AlertChannelKind.EMAIL:
            obj.encrypted_address = obj.encrypted_secret = b""
        else:
            obj.recipients = ""
        if "kind" in form.changed_data:
            # The key of one maker's bot is none of another's.
            obj.encrypted_secret = b""
        if address := form.cleaned_data.get("address"):
            obj.encrypted_address = secrets.encrypt(address)
        if secret := form.cleaned_data.get("secret"):
            obj.encrypted_secret = secrets.encrypt(secret)
        obj.problem = ""
        super().save_model(request, obj, form, change)

    @action(
        description=gettext_lazy("Send a test"),
        icon="send",
        permissions=["change"],
        dialog=ask(
            gettext_lazy("Send a test?"),
            gettext_lazy("One sentence is sent to this channel, and its answer is shown here."),
            gettext_lazy("Send a test"),
        ),
    )
    def test(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Say a sentence there, and tell the answer."""
        page = reverse("admin:notifications_alertchannel_change", args=[object_id])
        channel = AlertChannel.objects.filter(pk=number_in(object_id)).first()
        if channel is None:
            return done(
                request,
                reverse("admin:notifications_alertchannel_changelist"),
                said=_("This channel does not exist any more."),
                level=messages.ERROR,
            )
        try:
            telling.test(channel)
        except bots.NotTold as trouble:
            said = _("The test did not arrive: %(why)s") % {"why": spoken(str(trouble), gettext=_)}
            return done(request, page, said=said, level=messages.ERROR)
        self.log_change(request, channel, _("Sent a test."))
        return done(request, page, said=_("The channel took the test. Look for it there."))

    @display(description=gettext_lazy("Alert channel"), ordering="name")
    def shown_name(self, channel: AlertChannel) -> str:
        """Its name."""
        return channel.name

    @display(description=gettext_lazy("Condition"))
    def condition(self, channel: AlertChannel) -> SafeString | str:
        """Whether it works, and why not."""
        if channel.pk is None:
            return "–"
        if not channel.is_active:
            return format_html('<span class="hy-pill">{}</span>', _("Switched off"))
        if channel.problem:
            return format_html(
                '<span class="hy-pill hy-pill-bad">{}</span> <span class="hy-bad">{}</span>',
                _("Does not arrive"), telling.problem_in_words(channel),
            )  # fmt: skip
        return format_html('<span class="hy-pill hy-pill-good">{}</span>', _("Ready"))

    @display(description=gettext_lazy("Tells of"))
    def tells_of(self, channel: AlertChannel) -> str:
        """The kinds of alerts, in words."""
        if set(channel.alert_kinds) >= set(AlertKind.values):
            return _("everything")
        return _(", ").join(str(AlertKind(kind).label) for kind in channel.alert_kinds if kind in AlertKind.values)


@admin.register(Alert)
class AlertAdmin(ModelAdmin):
    """What was wrong and when, and who was told."""

    list_display = ["shown_kind", "what", "state", "raised", "told"]
    list_display_links = ["shown_kind"]
    list_filter = ["kind"]
    list_filter_sheet = False
    fields = ["shown_kind", "what", "state", "raised", "told"]
    readonly_fields = fields
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Alerts with who was told."""
        return super().get_queryset(request).prefetch_related("notices__channel")

    def has_add_permission(self, request):
        """The watch raises them."""
        return False

    def has_change_permission(self, request, obj=None):
        """They end when their cause is gone."""
        return False

    def has_delete_permission(self, request, obj=None):
        """They stay as evidence."""
        return False

    @display(description=gettext_lazy("Alert"), ordering="kind")
    def shown_kind(self, alert: Alert) -> str:
        """What kind of thing is wrong."""
        return alert.get_kind_display()

    @display(description=gettext_lazy("What is wrong"))
    def what(self, alert: Alert) -> SafeString:
        """The sentence, with a link to where it is seen."""
        words = format_html('<span class="hy-long">{}</span>', alert.in_words)
        link = format_html(' <a class="hy-link" href="{}">{}</a>', alert.page, _("Look")) if alert.page else ""
        return format_html("{}{}", words, link)

    @display(description=gettext_lazy("Condition"), ordering="ended_at")
    def state(self, alert: Alert) -> SafeString:
        """Open, or since when it is over."""
        if alert.ended_at is None:
            return format_html('<span class="hy-pill hy-pill-bad">{}</span>', _("Open"))
        words = _("Over since %(moment)s") % {"moment": states.moment(alert.ended_at)}
        return format_html('<span class="hy-pill hy-pill-plain">{}</span>', words)

    @display(description=gettext_lazy("Raised"), ordering="raised_at")
    def raised(self, alert: Alert) -> str:
        """When it was raised."""
        return states.moment(alert.raised_at)

    @display(description=gettext_lazy("Told"))
    def told(self, alert: Alert) -> SafeString | str:
        """The channels, and why one could not be told."""
        lines = [
            f"{notice.channel}: {spoken(notice.problem, gettext=_)}"
            if notice.problem
            else _("%(channel)s at %(moment)s") % {"channel": notice.channel, "moment": states.moment(notice.sent_at)}
            if notice.sent_at
            else _("%(channel)s: waits") % {"channel": notice.channel}
            for notice in alert.notices.all()
        ]
        if not lines:
            return _("nobody")
        return format_html('<span class="hy-long">{}</span>', format_html_join(SafeString("<br>"), "{}", zip(lines)))
