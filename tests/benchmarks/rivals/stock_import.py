"""django-import-export in bulk mode: rows written by the thousand, no differences worked out."""

from pathlib import Path

from import_export import resources
from import_export.fields import Field
from import_export.formats.base_formats import XLSX
from import_export.widgets import CharWidget

from tests.benchmarks.rivals.models import PlainCustomer
from tests.benchmarks.workbooks import HEADERS

ATTRIBUTES = ("name", "phone", "email", "gender", "birthday", "tags", "tier", "province", "city")
ATTRIBUTES += ("external_id", "note", "sms_consent")


def _columns() -> dict[str, Field]:
    """A field for each column; an empty cell is an empty text."""
    empty_is_text = CharWidget(coerce_to_string=True, allow_blank=True)
    return {
        attribute: Field(attribute, header, widget=empty_is_text)
        for attribute, header in zip(ATTRIBUTES, HEADERS, strict=True)
    }


class Bulk:
    """What its documentation names for speed; known customers are still looked up, as an import must."""

    model = PlainCustomer
    fields = ATTRIBUTES
    import_id_fields = ("phone",)
    use_bulk = True
    skip_diff = True


class Blind(Bulk):
    """No row is looked up either: a customer who is known already would stop the import."""

    force_init_instance = True


BulkResource = type("BulkResource", (resources.ModelResource,), {"Meta": Bulk, **_columns()})
BlindResource = type("BlindResource", (resources.ModelResource,), {"Meta": Blind, **_columns()})


def load(path: Path, resource: type[resources.ModelResource]) -> None:
    """Load a workbook. Raises what goes wrong."""
    dataset = XLSX().create_dataset(path.read_bytes())
    resource().import_data(dataset, raise_errors=True)
