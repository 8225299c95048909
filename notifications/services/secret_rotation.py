"""Rotation: every stored secret encrypted anew under the newest key."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db.models import BinaryField, Model

from notifications import secrets

# The name by which a column says that it holds a secret.
ENCRYPTED = "encrypted_"


@dataclass
class Rotated:
    """How many secrets were encrypted anew, how many were so already, and which no key reads."""

    changed: int = 0
    unchanged: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate() -> Rotated:
    """Encrypt every secret under the newest key; one that changes meanwhile is left as it was entered."""
    rotated = Rotated()
    for model, name in encrypted_columns():
        for row in model._default_manager.exclude(**{name: b""}).order_by("pk"):
            _rotate(row, name, rotated)
    return rotated


def encrypted_columns() -> Iterator[tuple[type[Model], str]]:
    """Every column that holds secrets."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if isinstance(column, BinaryField) and column.name.startswith(ENCRYPTED):
                yield model, column.name


def _rotate(row: Model, name: str, rotated: Rotated) -> None:
    stored = getattr(row, name)
    if secrets.is_newest(stored):
        rotated.unchanged += 1
        return
    try:
        anew = secrets.encrypt(secrets.decrypt(stored))
    except secrets.Unreadable:
        rotated.unreadable.append(f"{row._meta.verbose_name}: {row}")
        return
    rotated.changed += type(row)._default_manager.filter(pk=row.pk, **{name: stored}).update(**{name: anew})
