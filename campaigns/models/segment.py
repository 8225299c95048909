"""Segment: a saved question whose answer is customers."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Segment(models.Model):
    """
    Conditions as data; `campaigns.segmentation` compiles them to one query.

    `conditions` is a list of groups of which all must hold; a group is a list of
    {field, operator, value} of which one must hold. An empty list means every customer.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    conditions = models.JSONField(_("conditions"), default=list, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=models.functions.Now())

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="segment_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self):
        return self.name
