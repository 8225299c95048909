"""Customer, and what the shop groups customers by: Tag and Tier."""

import unicodedata

from django.contrib.postgres.indexes import OpClass
from django.db import connection, models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers import phone
from customers.choices import BirthCalendar, Channel, ConsentStatus, Gender

# Walks the index from city to city: 4 ms for 300 cities among a million customers, where SELECT
# DISTINCT reads the whole table.
CITIES = """
WITH RECURSIVE cities AS (
    (SELECT city FROM customers_customer WHERE city > '' ORDER BY city LIMIT 1)
    UNION ALL
    SELECT (SELECT city FROM customers_customer WHERE city > cities.city ORDER BY city LIMIT 1)
    FROM cities WHERE cities.city IS NOT NULL
)
SELECT city FROM cities WHERE city IS NOT NULL LIMIT %s
"""


class Tier(models.Model):
    """A level of membership; the higher the rank, the dearer the customer."""

    name = models.CharField(_("name"), max_length=30, unique=True)
    rank = models.PositiveSmallIntegerField(_("rank"), default=0)
    # Who reaches one of the thresholds is in; without any, staff alone give the tier.
    minimum_spending = models.DecimalField(
        _("from a spending of"), max_digits=12, decimal_places=2, null=True, blank=True
    )
    minimum_orders = models.PositiveIntegerField(_("from so many orders"), null=True, blank=True)
    within_days = models.PositiveSmallIntegerField(
        _("within so many days"), default=365, db_default=365, help_text=_("Older orders do not count.")
    )
    is_vip = models.BooleanField(
        _("VIP"), default=False, db_default=False, help_text=_("A person calls them when something goes wrong.")
    )
    # The import that brought the tier: its undo removes it again, unless somebody uses it.
    brought_by = models.ForeignKey(
        "customers.SpreadsheetImport",
        models.DO_NOTHING,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("import"),
    )

    class Meta:
        ordering = ["-rank", "name"]
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")

    def __str__(self):
        return self.name

    @property
    def has_threshold(self) -> bool:
        """Whether customers come to it by what they bought; without, staff alone give it."""
        return self.minimum_spending is not None or self.minimum_orders is not None


class Tag(models.Model):
    """A word the shop sticks on customers."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    # The import that brought the tag: its undo removes it again, unless somebody uses it.
    brought_by = models.ForeignKey(
        "customers.SpreadsheetImport",
        models.DO_NOTHING,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("import"),
    )

    class Meta:
        ordering = ["name"]
        verbose_name = _("tag")
        verbose_name_plural = _("tags")

    def __str__(self):
        return self.name


class CustomerQuerySet(models.QuerySet):
    """Questions about customers that have a name."""

    def present(self):
        """Customers whose personal fields have not been erased."""
        return self.filter(erased_at=None)

    def reached_at(self, channel: str, address: str):
        """Customers who have this address on this channel."""
        return self.filter(contact_points__channel=channel, contact_points__address=address)

    def tagged(self, tag_id: int):
        """Customers who carry a tag."""
        return self.filter(customertag__tag=tag_id)

    def answered(self, channel: str, purpose: str, status: str):
        """Customers whose consent for a channel and a purpose stands so."""
        return self.filter(consents__channel=channel, consents__purpose=purpose, consents__status=status)

    def never_asked(self, channel: str, purpose: str):
        """Customers of whom no answer is known for a channel and a purpose."""
        answers = self.model._meta.get_field("consents").related_model.objects.filter(
            customer=OuterRef("pk"), channel=channel, purpose=purpose
        )
        # One question per answer lets PostgreSQL walk the index in the list's order: 10 ms at a
        # million customers, where one question for both read the whole table in 470 ms.
        return self.filter(*[~Exists(answers.filter(status=status)) for status in ConsentStatus.values])

    def found_by(self, term: str):
        """
        Customers whom a term of the search box means.

        It is a whole phone number in any way of writing, its last four digits, an e-mail address,
        the number in the shop's own system, or the beginning of a name; each is answered by one
        index.
        """
        term = unicodedata.normalize("NFKC", term).replace("\0", "").strip()
        number = phone.normalize(term).number
        if number:
            return self.reached_at(Channel.SMS, number)
        if len(term) == 4 and term.isascii() and term.isdigit():
            return self.filter(contact_points__channel=Channel.SMS, contact_points__tail=term).distinct()
        if "@" in term:
            return self.reached_at(Channel.EMAIL, term.lower())
        spellings = {term, term.lower(), term.upper(), term.title()}
        begins = Q(external_id=term)
        for spelling in sorted(spellings):
            begins |= Q(name__startswith=spelling)
        return self.filter(begins)

    def cities(self, *, at_most: int = 500) -> list[str]:
        """The cities customers live in, in the order of a Chinese dictionary."""
        with connection.cursor() as cursor:
            cursor.execute(CITIES, [at_most])
            found = [city for (city,) in cursor.fetchall()]
        # GB 2312 lists the common characters by pinyin; Unicode does not.
        return sorted(found, key=lambda city: city.encode("gb18030", "replace"))


class Customer(models.Model):
    """
    A person the shop knows, reachable or not.

    A birthday is kept in parts, because many customers tell the day and not the year, and by the
    calendar they keep it in. A customer is erased, never deleted: a trigger sees to it, which is why
    what belongs to a customer is not checked for its parent row by row (checking cost a third of an
    import). Tiers, tags and the authors of evidence can go: triggers check for them once for each
    statement (row by row, they took a fifth of an import).
    """

    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=60, blank=True)
    gender = models.CharField(_("gender"), max_length=6, choices=Gender, blank=True, default="")
    birth_year = models.PositiveSmallIntegerField(_("year of birth"), null=True, blank=True)
    birth_month = models.PositiveSmallIntegerField(_("month of birth"), null=True, blank=True)
    birth_day = models.PositiveSmallIntegerField(_("day of birth"), null=True, blank=True)
    birth_calendar = models.CharField(
        _("calendar of the birthday"), max_length=5, choices=BirthCalendar, blank=True, default="", db_default=""
    )
    # No index of its own: `customer_in_tier` begins with it.
    tier = models.ForeignKey(
        Tier,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="customers",
        db_constraint=False,
        db_index=False,
        verbose_name=_("tier"),
    )
    tags = models.ManyToManyField(
        Tag, through="CustomerTag", related_name="customers", blank=True, verbose_name=_("tags")
    )
    # Given by a person: computing tiers leaves it alone.
    has_own_tier = models.BooleanField(_("tier given by hand"), default=False, db_default=False)
    city = models.CharField(_("city"), max_length=60, blank=True)
    province = models.CharField(_("province"), max_length=60, blank=True)
    external_id = models.CharField(_("number in the shop's own system"), max_length=100, blank=True, default="")
    note = models.TextField(_("note"), blank=True, max_length=2000)
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=models.functions.Now())
    erased_at = models.DateTimeField(_("erased at"), null=True, blank=True)
    # Known only by an account at a platform, until a file told whose it is: blanked, and pointing at that customer.
    merged_into = models.ForeignKey(
        "self",
        models.DO_NOTHING,
        null=True,
        editable=False,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("joined with"),
    )

    objects = CustomerQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        permissions = [
            ("view_full_address", _("Can see full phone numbers and addresses")),
            ("export_customer", _("Can export customers")),
            ("import_customer", _("Can import customers")),
            ("declare_consent", _("Can declare consent for a whole file")),
            ("erase_customer", _("Can erase a customer")),
        ]
        constraints = [
            models.CheckConstraint(
                name="customer_birthday_has_month_and_day_or_neither",
                condition=Q(birth_month=None, birth_day=None, birth_year=None)
                | Q(birth_month__range=(1, 12), birth_day__range=(1, 31)),
            ),
            models.UniqueConstraint(
                name="customer_number_in_the_shops_system_is_unique",
                fields=["external_id"],
                condition=~Q(external_id=""),
            ),
        ]
        indexes = [
            # The customer list, and its last page, without reading a row.
            models.Index(fields=["id"], condition=Q(erased_at=None), name="customer_present"),
            # The customer list's search by the first characters of a name.
            models.Index(OpClass(F("name"), "varchar_pattern_ops"), name="customer_name_prefix"),
            # The customer list's filters; id keeps the list's order within each value. Read backwards: new customers
            # at the end of each value leave full pages behind, and an index half the size.
            models.Index(fields=["tier", "id"], name="customer_in_tier"),
            models.Index(fields=["city", "id"], name="customer_in_city"),
            # Birthday greetings, and the list's filter by month.
            models.Index(fields=["birth_month", "birth_day", "id"], name="customer_birthday"),
        ]

    def __str__(self):
        return self.name or _("Customer %(number)s") % {"number": self.pk}


class CustomerTag(models.Model):
    """One tag on one customer."""

    customer = models.ForeignKey(
        Customer, models.CASCADE, db_constraint=False, db_index=False, verbose_name=_("customer")
    )
    tag = models.ForeignKey(Tag, models.CASCADE, db_constraint=False, db_index=False, verbose_name=_("tag"))

    class Meta:
        verbose_name = _("tag of a customer")
        verbose_name_plural = _("tags of customers")
        constraints = [
            models.UniqueConstraint(fields=["customer", "tag"], name="customer_has_a_tag_once"),
        ]
        indexes = [
            # The customer list's filter by tag, in the list's order, read backwards.
            models.Index(fields=["tag", "customer"], name="customer_tag_members"),
        ]

    def __str__(self):
        return str(self.tag)
