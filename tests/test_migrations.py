"""Migrations let the workers of yesterday go on beside those of today."""

from collections.abc import Iterator

from django.db.migrations import AddField, CreateModel, DeleteModel, Migration, RemoveField, RenameField, RenameModel
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED, ManyToManyField

APPS = {"customers", "notifications", "campaigns"}


def steps() -> Iterator[tuple[Migration, object]]:
    """Every operation on tables that were there before, in our own migrations."""
    for (app, _name), migration in MigrationLoader(None).disk_migrations.items():
        if app in APPS and not migration.initial:
            made = {operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)}
            for operation in migration.operations:
                if getattr(operation, "model_name_lower", None) not in made:
                    yield migration, operation


def test_a_column_that_is_added_needs_nothing_of_code_that_does_not_know_it():
    demanding = [
        f"{migration}: {operation.model_name}.{operation.name}"
        for migration, operation in steps()
        if isinstance(operation, AddField) and not isinstance(operation.field, ManyToManyField)
        if not operation.field.null and operation.field.db_default is NOT_PROVIDED
    ]

    assert demanding == []


def test_nothing_that_older_code_reads_is_taken_away():
    taken = [
        f"{migration}: {operation.describe()}"
        for migration, operation in steps()
        if isinstance(operation, RemoveField | DeleteModel | RenameField | RenameModel)
    ]

    assert taken == []
