"""Signature and Template: what staff edit."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, Purpose
from notifications.choices import SignatureStatus


class Signature(models.Model):
    """The name in 【】 that opens every SMS; carriers block one they have not registered."""

    name = models.CharField(_("signature"), max_length=16, unique=True)
    status = models.CharField(_("status"), max_length=8, choices=SignatureStatus, default=SignatureStatus.DRAFT)
    note = models.CharField(_("note"), max_length=200, blank=True)
    opt_out_words = models.CharField(_("further opt-out words"), max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")
        constraints = [
            models.CheckConstraint(
                name="signature_is_2_to_16_characters_without_brackets",
                condition=Q(name__regex=r"^[^【】\[\]\s]{2,16}$"),
            ),
        ]

    def __str__(self):
        return f"【{self.name}】"


class Template(models.Model):
    """Editable text with variables; what was sent from it is frozen in a Message."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    purpose = models.CharField(_("class"), max_length=13, choices=Purpose, default=Purpose.MARKETING)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.SMS)
    signature = models.ForeignKey(Signature, models.PROTECT, related_name="templates", verbose_name=_("signature"))
    body = models.TextField(_("text"), max_length=20000)
    # Of an e-mail and of an item in the inbox; the text above is what programs without HTML show.
    subject = models.CharField(_("subject"), max_length=120, blank=True, default="", db_default="")
    html = models.TextField(_("formatted text"), max_length=20000, blank=True, default="", db_default="")
    opt_out_wording = models.CharField(_("opt-out wording"), max_length=30, blank=True, default="拒收请回复R")
    version = models.PositiveIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=models.functions.Now())
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="template_has_a_text", condition=~Q(body="")),
        ]

    def __str__(self):
        return self.name
