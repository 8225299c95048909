"""ApiKey, by which a program of the shop speaks to us; how much it asked, and what it was answered."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.choices import ApiScope

USUAL_RATE = 600
LARGEST_RATE = 60_000


class ApiKeyQuerySet(models.QuerySet):
    """Questions about keys that have a name, and the verb that ends them."""

    def believed(self):
        """Keys that nobody has revoked."""
        return self.filter(revoked_at=None)

    def revoke(self, now):
        """Believed → revoked; answers how many."""
        return self.believed().update(revoked_at=now)


class ApiKey(models.Model):
    """
    One key to the API: whose it is, what it may do, and how often.

    The key itself is shown once and kept nowhere. What is kept is its SHA-256: 256 random bits cannot be guessed,
    so a hash that is slow on purpose would protect nothing and cost every request a tenth of a second.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    prefix = models.CharField(_("begins with"), max_length=16)
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=ApiScope), verbose_name=_("may"))
    rate = models.PositiveIntegerField(_("requests a minute"), default=USUAL_RATE)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("created by"),
    )
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="api_key_may_ask_at_least_once_a_minute", condition=Q(rate__gte=1)),
            models.CheckConstraint(
                name="api_key_may_do_known_things", condition=Q(scopes__contained_by=ApiScope.values)
            ),
        ]

    def __str__(self):
        return self.name


class ApiUsage(models.Model):
    """
    How many requests a key has made in the running minute.

    The table is not logged: a crash of PostgreSQL empties it and gives every key a new minute, and counting
    costs no write to disk.
    """

    key = models.OneToOneField(
        ApiKey, models.CASCADE, primary_key=True, related_name="usage", db_constraint=False, verbose_name=_("API key")
    )
    minute = models.DateTimeField(_("minute"))
    used = models.PositiveIntegerField(_("requests"))

    class Meta:
        verbose_name = _("use of an API key")
        verbose_name_plural = _("uses of API keys")


class ApiAnswer(models.Model):
    """What a request was answered, kept for a day, so that the same request twice is done once."""

    key = models.ForeignKey(
        ApiKey,
        models.PROTECT,
        related_name="answers",
        db_constraint=False,
        db_index=False,
        verbose_name=_("API key"),
    )
    idempotency_key = models.CharField(_("idempotency key"), max_length=100)
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32)
    status = models.PositiveSmallIntegerField(_("status"))
    body = models.BinaryField(_("answer"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("answer of the API")
        verbose_name_plural = _("answers of the API")
        constraints = [
            models.UniqueConstraint(fields=["key", "idempotency_key"], name="api_answer_is_given_once"),
        ]
        indexes = [
            # purge(): what is older than a day.
            models.Index(fields=["created_at"], name="api_answer_age"),
        ]
