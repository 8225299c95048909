"""ProviderAccount: one account at a gateway."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel
from notifications.choices import GatewayKind


class ProviderAccount(models.Model):
    """
    One account at a gateway: where it is, what a segment costs, how many numbers a call carries.

    The secret is stored encrypted and never shown again. `url` is the address for sending, the scheme
    and endpoint of a cloud, or a mail server (smtps://host:465, smtp+starttls://host:587); the time-outs are in
    seconds. The inbox has neither address nor secret.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.SMS)
    gateway = models.CharField(_("gateway"), max_length=20, choices=GatewayKind, default=GatewayKind.GENERIC_HTTP)
    url = models.CharField(_("address for sending"), max_length=300, blank=True)
    query_url = models.CharField(_("address for queries"), max_length=300, blank=True, default="")
    key_id = models.CharField(_("key ID"), max_length=128, blank=True, default="", db_default="")
    encrypted_secret = models.BinaryField(_("secret"), blank=True, default=b"")
    region = models.CharField(_("region"), max_length=40, blank=True, default="", db_default="")
    app_id = models.CharField(_("application ID"), max_length=40, blank=True, default="", db_default="")
    from_address = models.CharField(_("sender's address"), max_length=254, blank=True, default="", db_default="")
    from_name = models.CharField(_("sender's name"), max_length=60, blank=True, default="", db_default="")
    field_names = models.JSONField(_("field names"), default=dict, blank=True)
    callback_token = models.CharField(_("callback token"), max_length=64, unique=True)
    # After a change both are believed until the moment named: the gateway's console is changed by hand.
    previous_callback_token = models.CharField(
        _("previous callback token"), max_length=64, blank=True, default="", db_default=""
    )
    previous_token_until = models.DateTimeField(_("previous token until"), null=True, blank=True)
    batch_size = models.PositiveSmallIntegerField(_("numbers per call"), default=100)
    connect_timeout = models.FloatField(_("seconds to connect"), default=3.0, db_default=3.0)
    read_timeout = models.FloatField(_("seconds without a byte"), default=10.0, db_default=10.0)
    total_timeout = models.FloatField(_("seconds for the whole call"), default=20.0, db_default=20.0)
    price = models.DecimalField(_("price per segment"), max_digits=8, decimal_places=4, default=Decimal("0.0450"))
    # Among the accounts of a channel that work, each carries its part of the calls.
    share = models.PositiveSmallIntegerField(_("share"), default=100, db_default=100)
    pace = models.PositiveIntegerField(_("messages a second"), null=True, blank=True)
    daily_budget = models.DecimalField(_("daily budget"), max_digits=12, decimal_places=2, null=True, blank=True)
    number_limit = models.PositiveSmallIntegerField(_("messages to one number in 24 hours"), null=True, blank=True)
    is_sandbox = models.BooleanField(_("sandbox"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    paused_for = models.CharField(_("paused because"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())

    class Meta:
        verbose_name = _("provider account")
        verbose_name_plural = _("provider accounts")
        constraints = [
            models.CheckConstraint(
                name="provider_account_sends_at_least_one_number_a_call",
                condition=Q(batch_size__range=(1, 1000)),
            ),
            models.CheckConstraint(name="provider_account_price_is_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(
                name="provider_account_of_a_cloud_names_its_key",
                condition=~Q(gateway__in=[GatewayKind.ALIYUN_SMS, GatewayKind.TENCENT_SMS]) | ~Q(key_id=""),
            ),
            models.CheckConstraint(
                name="provider_account_of_tencent_names_its_application",
                condition=~Q(gateway=GatewayKind.TENCENT_SMS) | ~Q(app_id=""),
            ),
            models.CheckConstraint(
                name="provider_account_of_a_mail_server_names_its_sender",
                condition=~Q(gateway=GatewayKind.SMTP) | Q(channel=Channel.EMAIL) & ~Q(from_address=""),
            ),
            models.CheckConstraint(
                name="provider_account_of_the_inbox_fills_the_inbox",
                condition=Q(gateway=GatewayKind.INBOX, channel=Channel.INBOX)
                | ~Q(gateway=GatewayKind.INBOX) & ~Q(channel=Channel.INBOX),
            ),
            models.CheckConstraint(
                name="provider_account_has_a_share_of_its_channel", condition=Q(share__range=(1, 1000))
            ),
            models.CheckConstraint(
                name="provider_account_limits_allow_something",
                condition=(Q(pace=None) | Q(pace__gte=1))
                & (Q(daily_budget=None) | Q(daily_budget__gt=0))
                & (Q(number_limit=None) | Q(number_limit__range=(1, 500))),
            ),
            # A call and the one that settles a refusal of it have to end within the lease of a minute.
            models.CheckConstraint(
                name="provider_account_waits_for_a_bounded_time",
                condition=Q(connect_timeout__range=(0.1, 10.0), read_timeout__range=(0.1, 25.0))
                & Q(total_timeout__range=(0.1, 25.0)),
            ),
        ]

    def __str__(self):
        return self.name
