"""The layout of the house, where neither the linter nor the import contracts can see it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parent.parent
HEIGHT = {"customers": 0, "notifications": 1, "campaigns": 2}
LONGEST_FILE = 400
SOURCES = sorted(
    path
    for app in [*HEIGHT, "config"]
    for path in (ROOT / app).rglob("*.py")
    if "migrations" not in path.parts and path.stat().st_size
)
# The pure rules take the moment as an argument; this is the only place that asks for it.
THE_CLOCK = ROOT / "customers" / "clock.py"
ASKING_THE_TIME = re.compile(r"\b(timezone\.now|datetime\.now|datetime\.utcnow|date\.today|time\.time)\(")


def own_models() -> Iterator[type[models.Model]]:
    """The models of the three apps."""
    return (model for app in HEIGHT for model in apps.get_app_config(app).get_models())


def named(path: Path) -> str:
    """A source file, as a person would call it."""
    return str(path.relative_to(ROOT))


def test_foreign_keys_point_down():
    upward = [
        f"{model._meta.label}.{field.name}"
        for model in own_models()
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and field.related_model._meta.app_label in HEIGHT
        if HEIGHT[model._meta.app_label] < HEIGHT[field.related_model._meta.app_label]
    ]

    assert upward == []


def test_every_status_has_a_label():
    fields = [field for model in own_models() for field in model._meta.get_fields() if getattr(field, "choices", None)]
    unnamed = [
        f"{field.model._meta.label}.{field.name}: {value!r}"
        for field in fields
        for value, label in field.flatchoices
        if not str(label).strip() or (value and str(label) == value)
    ]

    assert fields
    assert unnamed == []


def test_every_model_is_named_for_people():
    unnamed = [
        model._meta.label
        for model in own_models()
        # Without a name of its own, a model shows its class, which nobody translated.
        if isinstance(model._meta.verbose_name, str) or isinstance(model._meta.verbose_name_plural, str)
    ]

    assert unnamed == []


def test_constraints_and_indexes_are_named_by_people():
    # Django's own names end in a hash; the error that a broken constraint raises should say what was promised.
    hashed = [
        f"{model._meta.label}: {item.name}"
        for model in own_models()
        for item in [*model._meta.constraints, *model._meta.indexes]
        if re.search(r"_[0-9a-f]{6,8}(_idx|_uniq)?$", item.name)
    ]

    assert hashed == []


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_module_says_what_it_holds_and_stays_short(path):
    text = path.read_text()

    assert ast.get_docstring(ast.parse(text)), "opens with a sentence"
    assert len(text.splitlines()) <= LONGEST_FILE


def test_only_the_clock_knows_what_time_it_is():
    asking = [named(path) for path in SOURCES if path != THE_CLOCK and ASKING_THE_TIME.search(path.read_text())]

    assert [name for name in asking if not name.startswith("config/sandbox")] == []
