"""The history of a record, with the names of its fields as every reader's language has them."""

from typing import Any

from django.utils.translation import override


class TranslatedHistory:
    """
    Keeps changed fields by the names that the catalog knows.

    Django keeps the labels of the form, which begin with a capital: "Numbers per call" has no translation,
    "numbers per call" has.
    """

    def construct_change_message(self, request, form, formsets, add: bool = False) -> list[dict[str, Any]]:
        """What was changed, as it is stored."""
        message = super().construct_change_message(request, form, formsets, add)
        with override(None):
            names = {str(field.verbose_name): field for field in self.model._meta.fields}
            known = {name[:1].upper() + name[1:]: name for name in names}
        for entry in message:
            if fields := entry.get("changed", {}).get("fields"):
                entry["changed"]["fields"] = [known.get(label, label) for label in fields]
        return message
