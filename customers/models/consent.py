"""Consent as it stands, and the evidence for every change of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.choices import CONSENT_PURPOSES, Channel, ConsentSource, ConsentStatus, EvidenceStatus, Purpose
from customers.models.customer import Customer


class Consent(models.Model):
    """
    Where a customer's permission stands for one channel and one purpose.

        (never asked) ──▶ granted ◀──▶ withdrawn

    Changed only by `customers.services.consent`, which writes a ConsentChange in the same
    transaction. The way from withdrawn to granted is open to staff with evidence, never to a file.
    """

    customer = models.ForeignKey(
        Customer,
        models.CASCADE,
        related_name="consents",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    purpose = models.CharField(_("purpose"), max_length=13, choices=[(p.value, p.label) for p in CONSENT_PURPOSES])
    status = models.CharField(_("status"), max_length=9, choices=ConsentStatus)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "channel", "purpose"],
                include=["status"],
                name="consent_is_one_answer_per_channel_and_purpose",
            ),
            models.CheckConstraint(
                name="consent_is_granted_or_withdrawn",
                condition=Q(status__in=ConsentStatus.values),
            ),
            models.CheckConstraint(
                name="consent_is_for_care_or_marketing",
                condition=Q(purpose__in=[p.value for p in CONSENT_PURPOSES]),
            ),
        ]
        indexes = [
            # The customer list's filter by consent, in the list's order, read backwards.
            models.Index(fields=["channel", "purpose", "status", "customer"], name="consent_holders"),
        ]

    def __str__(self):
        return f"{self.get_channel_display()} · {self.get_purpose_display()}: {self.get_status_display()}"


class ConsentChange(models.Model):
    """
    The evidence of one change of consent; a trigger refuses to change or delete it.

    It outlives the customer it speaks of: proof of consent is kept for at least five months after
    the relation ends (MIIT order 31).
    """

    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        related_name="consent_changes",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    purpose = models.CharField(_("purpose"), max_length=13, choices=Purpose)
    status = models.CharField(_("status"), max_length=9, choices=EvidenceStatus)
    source = models.CharField(_("source"), max_length=12, choices=ConsentSource)
    wording = models.TextField(_("wording"), blank=True)
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("recorded by"),
    )
    spreadsheet_import = models.ForeignKey(
        "customers.SpreadsheetImport",
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="consent_changes",
        verbose_name=_("import"),
    )

    class Meta:
        verbose_name = _("consent evidence")
        verbose_name_plural = _("consent evidence")
        indexes = [
            # The customer page, newest first: read backwards.
            models.Index(fields=["customer", "recorded_at"], name="consent_change_of_customer"),
            # The brake: who opted out lately. What files bring is no answer to a message and stays out.
            models.Index(
                fields=["recorded_at"],
                name="consent_withdrawn_lately",
                condition=Q(status=ConsentStatus.WITHDRAWN) & ~Q(source=ConsentSource.IMPORT),
            ),
        ]

    def __str__(self):
        return f"{self.get_channel_display()} · {self.get_purpose_display()}: {self.get_status_display()}"
