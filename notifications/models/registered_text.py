"""RegisteredText and RegisteredSignature: what a provider has approved, or not, per account."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.choices import RegistrationState
from notifications.models.provider_account import ProviderAccount
from notifications.models.template import Signature, Template


class RegisteredText(models.Model):
    """
    A text handed in at an account: its fixed words with a place for each parameter.

    A new version of a template with the same words keeps its row; with other words it needs
    another. `skeleton` writes a parameter as {name}; `names` are those that the provider knows, in
    the order of the text. A row that is unclear may have been handed in or not.
    """

    account = models.ForeignKey(
        ProviderAccount, models.CASCADE, related_name="registered_texts", verbose_name=_("provider account")
    )
    template = models.ForeignKey(Template, models.CASCADE, related_name="registered_texts", verbose_name=_("template"))
    skeleton = models.TextField(_("text"))
    names = models.JSONField(_("names of the parameters"), default=list, blank=True)
    code = models.CharField(_("code at the provider"), max_length=64, blank=True, default="")
    status = models.CharField(_("status"), max_length=9, choices=RegistrationState, default=RegistrationState.UNKNOWN)
    words = models.CharField(_("reason of the provider"), max_length=300, blank=True, default="")
    submitted_at = models.DateTimeField(_("handed in at"))
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("handed in by"),
    )
    checked_at = models.DateTimeField(_("checked at"), null=True, blank=True)
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())

    class Meta:
        verbose_name = _("registered text")
        verbose_name_plural = _("registered texts")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["account", "template", "skeleton"],
                name="registered_text_stands_once_per_account_and_template",
            ),
            models.CheckConstraint(
                name="registered_text_that_the_provider_has_is_known_by_its_code",
                condition=~Q(status__in=[RegistrationState.IN_REVIEW, RegistrationState.APPROVED]) | ~Q(code=""),
            ),
        ]

    def __str__(self):
        return f"{self.template} · {self.account}"


class RegisteredSignature(models.Model):
    """How far a signature is at an account; none is handed in from here, because that takes the shop's licence."""

    account = models.ForeignKey(
        ProviderAccount, models.CASCADE, related_name="registered_signatures", verbose_name=_("provider account")
    )
    signature = models.ForeignKey(Signature, models.CASCADE, related_name="registrations", verbose_name=_("signature"))
    status = models.CharField(_("status"), max_length=9, choices=RegistrationState)
    words = models.CharField(_("reason of the provider"), max_length=300, blank=True, default="")
    checked_at = models.DateTimeField(_("checked at"))

    class Meta:
        verbose_name = _("registered signature")
        verbose_name_plural = _("registered signatures")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["account", "signature"], name="registered_signature_stands_once_per_account"
            ),
        ]

    def __str__(self):
        return f"{self.signature} · {self.account}"
