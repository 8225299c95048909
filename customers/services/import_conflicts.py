"""The rows of an import that contradict another row of the same customer, or would be somebody else."""

from django.db.models import QuerySet

from customers.models import ImportedRow, SpreadsheetImport

# The codes of problems that are contradictions; what decides them is said by their remedies.
CODES = ("differs", "meets_another", "number_taken")


def of(imported: SpreadsheetImport) -> QuerySet[ImportedRow]:
    """The rows that contradict, in the order of the file."""
    return ImportedRow.objects.filter(spreadsheet_import=imported, has_conflict=True).order_by("number")
