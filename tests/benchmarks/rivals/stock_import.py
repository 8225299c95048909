"""django-import-export at its fastest: rows in bulk, no differences worked out, no row looked up."""

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


class Options:
    """What makes it fast."""

    model = PlainCustomer
    fields = ATTRIBUTES
    import_id_fields = ("phone",)
    use_bulk = True
    skip_diff = True
    force_init_instance = True


PlainCustomerResource = type("PlainCustomerResource", (resources.ModelResource,), {"Meta": Options, **_columns()})


def load(path: Path) -> None:
    """Load a workbook. Raises what goes wrong."""
    dataset = XLSX().create_dataset(path.read_bytes())
    PlainCustomerResource().import_data(dataset, raise_errors=True)
