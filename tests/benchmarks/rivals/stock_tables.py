"""
django-import-export in bulk mode into the tables that our own import fills.

Each table has a resource of its own, as bulk mode asks for: it writes neither relations nor tags. What a shop would
set for speed is set: `use_bulk`, `skip_diff`, and widgets that remember what a foreign key leads to. It writes less
than ours: no evidence of consent, no list of what became of each row.
"""

from pathlib import Path

from import_export import resources
from import_export.fields import Field
from import_export.formats.base_formats import XLSX
from import_export.widgets import CachedForeignKeyWidget, CharWidget
from tablib import Dataset

from customers import clock
from customers.choices import CONSENT_PURPOSES
from customers.models import Consent, ContactPoint, Customer, CustomerTag, Tag, Tier
from tests.benchmarks.workbooks import HEADERS

GENDERS = {"男": "male", "女": "female"}
NAME, PHONE, EMAIL, GENDER, BIRTHDAY, TAGS, TIER, PROVINCE, CITY, NUMBER, NOTE, CONSENT = HEADERS


def _text(attribute: str, header: str) -> Field:
    return Field(attribute, header, widget=CharWidget(coerce_to_string=True, allow_blank=True))


def _customer() -> Field:
    return Field("customer", NUMBER, widget=CachedForeignKeyWidget(Customer, "external_id"))


class Bulk:
    """What its documentation names for speed; known rows are still looked up, as an import must."""

    use_bulk = True
    skip_diff = True


class CustomerResource(resources.ModelResource):
    """The customers, known by the shop's own number."""

    name, province, city = _text("name", NAME), _text("province", PROVINCE), _text("city", CITY)
    note, external_id, gender = _text("note", NOTE), _text("external_id", NUMBER), _text("gender", GENDER)
    tier = Field("tier", TIER, widget=CachedForeignKeyWidget(Tier, "name"))

    class Meta(Bulk):
        model = Customer
        fields = ("name", "gender", "birth_year", "birth_month", "birth_day", "tier", "city", "province")
        fields += ("external_id", "note")
        import_id_fields = ("external_id",)

    def before_import_row(self, row, **kwargs):
        """Write gender and birthday as the table has them."""
        row[GENDER] = GENDERS.get(row[GENDER], "")
        row["birth_year"], row["birth_month"], row["birth_day"] = str(row[BIRTHDAY])[:10].split("-")


class ContactPointResource(resources.ModelResource):
    """The addresses."""

    customer = _customer()

    class Meta(Bulk):
        model = ContactPoint
        fields = ("customer", "channel", "address")
        import_id_fields = fields


class CustomerTagResource(resources.ModelResource):
    """The tags on customers."""

    customer = _customer()
    tag = Field("tag", "tag", widget=CachedForeignKeyWidget(Tag, "name"))

    class Meta(Bulk):
        model = CustomerTag
        fields = ("customer", "tag")
        import_id_fields = fields


class ConsentResource(resources.ModelResource):
    """The permissions."""

    customer = _customer()

    class Meta(Bulk):
        model = Consent
        fields = ("customer", "channel", "purpose", "status", "changed_at")
        import_id_fields = ("customer", "channel", "purpose")


def load(path: Path) -> None:
    """Load a workbook table by table. Raises what goes wrong."""
    found = XLSX().create_dataset(path.read_bytes())
    rows = found.dict
    tags = [(row[NUMBER], tag) for row in rows for tag in (row[TAGS] or "").split(",") if tag]
    # The few names that customers point at; nothing is measured by them.
    Tier.objects.bulk_create([Tier(name=name) for name in {row[TIER] for row in rows}], ignore_conflicts=True)
    Tag.objects.bulk_create([Tag(name=name) for name in {tag for _number, tag in tags}], ignore_conflicts=True)
    points = [(row[NUMBER], "sms", row[PHONE]) for row in rows] + [(row[NUMBER], "email", row[EMAIL]) for row in rows]
    now = clock.now()
    consents = [
        (row[NUMBER], "sms", purpose.value, "granted", now)
        for row in rows
        if row[CONSENT] == "是"
        for purpose in CONSENT_PURPOSES
    ]
    CustomerResource().import_data(found, raise_errors=True)
    for resource, columns, values in (
        (ContactPointResource, (NUMBER, "channel", "address"), points),
        (CustomerTagResource, (NUMBER, "tag"), tags),
        (ConsentResource, (NUMBER, "channel", "purpose", "status", "changed_at"), consents),
    ):
        resource().import_data(Dataset(*values, headers=columns), raise_errors=True)
