"""Every code that can stand in a row's reason or problems: what is wrong, and what to do about it."""

from django.utils.translation import gettext, gettext_noop

from customers import phone
from customers.spreadsheets import cells, order_rows

REASONS: dict[str, tuple[str, str]] = {
    **cells.REASONS,
    **phone.REMEDIES,
    **order_rows.REASONS,
    "number_taken": (
        gettext_noop("Another customer already has this customer number"),
        gettext_noop("The row was imported without it; correct it in the file, or on the other customer's page."),
    ),
    "no_key": (
        gettext_noop("The cell by which customers are found is empty"),
        gettext_noop("Fill it in, or choose another column by which customers are found."),
    ),
    "not_clearable": (
        gettext_noop("A file cannot clear this field"),
        gettext_noop("Nothing was changed here; correct it on the customer's page."),
    ),
    "differs": (
        gettext_noop("An earlier row of the same customer says something else"),
        gettext_noop("The earlier row counts; delete the wrong one of the two and upload the file again."),
    ),
    "meets_another": (
        gettext_noop("By this cell the row would be another customer"),
        gettext_noop("Who is found by the phone counts, then by e-mail, then by the number; correct the cell."),
    ),
    "duplicate": (gettext_noop("The same customer as in an earlier row"), gettext_noop("Delete one of the two rows.")),
}
UNKNOWN_REASON = (gettext_noop("Cannot be read"), gettext_noop("Correct the cell in the file and upload it again."))


def words(code: str) -> tuple[str, str]:
    """What a code means and what to do, in the reader's language."""
    problem, remedy = REASONS.get(code, UNKNOWN_REASON)
    return gettext(problem), gettext(remedy)
