"""ImportLayout: how the files of one system are told by their headers, and what their columns mean."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.choices import ImportKind
from customers.spreadsheets import layouts
from customers.spreadsheets.layouts import Layout


class ImportLayoutQuerySet(models.QuerySet):
    """Layouts in the order in which they are tried."""

    def in_turn(self):
        """The shop's own before those that came with Hongyan, each in their places."""
        return self.order_by("is_bundled", "position", "pk")


class ImportLayout(models.Model):
    """
    The export of one system: a file with all the required headers is of this layout.

    Layouts that come with Hongyan are brought up to date by every version and never edited; a copy of one is tried
    first, so that it takes its place.
    """

    key = models.CharField(_("key"), max_length=80, unique=True)
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("holds"), max_length=9, choices=ImportKind, default=ImportKind.CUSTOMERS)
    platform = models.CharField(_("platform"), max_length=20, blank=True)
    # Each entry is one column; names divided by "|" are its names in several versions of the export.
    required = models.JSONField(_("columns by which a file is recognized"), default=list)
    # Pairs of header and field, in the order of preference: JSON objects forget their order.
    fields = models.JSONField(_("columns"), default=list)
    consent_words = models.JSONField(_("words of consent"), default=dict, blank=True)
    notice = models.TextField(_("notice"), max_length=500, blank=True)
    advice = models.TextField(_("what to export instead"), max_length=500, blank=True)
    refused_as = models.CharField(_("refused as"), max_length=40, blank=True)
    is_bundled = models.BooleanField(_("comes with Hongyan"), default=False)
    is_active = models.BooleanField(_("in use"), default=True)
    position = models.PositiveIntegerField(_("place"), default=0)
    updated_at = models.DateTimeField(_("updated at"), null=True, blank=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("updated by"),
    )

    objects = ImportLayoutQuerySet.as_manager()

    class Meta:
        verbose_name = _("import layout")
        verbose_name_plural = _("import layouts")
        constraints = [
            models.CheckConstraint(name="import_layout_has_a_kind", condition=Q(kind__in=ImportKind.values)),
            models.CheckConstraint(name="import_layout_has_a_name", condition=~Q(name="") & ~Q(key="")),
        ]

    def __str__(self):
        return gettext(self.name) if self.is_bundled else self.name

    def as_layout(self) -> Layout:
        """The layout as the plain rules take it."""
        return layouts.of_row(vars(self))
