"""The layouts by which files are recognized: those that come with Hongyan, and the shop's own copies."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from customers.choices import ImportKind, Platform
from customers.models import ImportLayout
from customers.spreadsheets import cells, layouts
from customers.spreadsheets.faults import SENTENCES
from customers.spreadsheets.fields import FIELD, consent_key, fields_of
from customers.spreadsheets.header_words import normal
from customers.spreadsheets.layouts import OR, Column, Layout
from customers.spreadsheets.options import CONSENT_MEANINGS

LONGEST_HEADER = 100
MOST_COLUMNS = 300
# One column alone, say “Phone”, would take every file for this one.
FEWEST_REQUIRED = 2
REFUSALS = tuple(sorted({layout.refused_as for layout in layouts.BUNDLED if layout.refused_as}))


class CannotKeepLayout(Exception):
    """A layout that would not work; `sentences` say what to change."""

    def __init__(self, sentences: Sequence[str]):
        super().__init__(*sentences)
        self.sentences = list(sentences)

    def __str__(self) -> str:
        return " ".join(map(str, self.sentences))


def all_layouts() -> tuple[Layout, ...]:
    """
    The layouts in the order in which they are tried: the shop's own, then those that come with Hongyan.

    A layout that came with this version, and is not yet in a table made by an older one, holds all the same.
    """
    rows = list(ImportLayout.objects.in_turn())
    known = {row.key for row in rows}
    in_use = [row.as_layout() for row in rows if row.is_active]
    return (*in_use, *(layout for layout in layouts.BUNDLED if layout.key not in known))


def install_bundled() -> dict[str, int]:
    """Bring the layouts that come with Hongyan up to this version; the shop's own stay as they are."""
    rows = layouts.bundled_rows()
    with transaction.atomic():
        for row in rows:
            ImportLayout.objects.update_or_create(key=row["key"], defaults=row)
        gone = ImportLayout.objects.filter(is_bundled=True).exclude(key__in=[row["key"] for row in rows])
        removed, _of_each_kind = gone.delete()
    return {"layouts": len(rows), "removed": removed}


def copy(source: ImportLayout, *, by: AbstractBaseUser, now: datetime) -> ImportLayout:
    """A copy that the shop may change, in the language of who makes it; it is tried before its original."""
    label = str(source)
    notice = gettext(source.notice) % {"label": label} if source.is_bundled and source.notice else source.notice
    kept = {name: getattr(source, name) for name in ("kind", "platform", "required", "fields", "consent_words")}
    return ImportLayout.objects.create(
        key=_new_key(source.platform, source.kind),
        name=_free_name(gettext("%(name)s (our own)") % {"name": label}),
        notice=notice,
        advice=gettext(source.advice) if source.is_bundled and source.advice else source.advice,
        refused_as=source.refused_as,
        position=_next_place(),
        updated_at=now,
        updated_by=by,
        **kept,
    )


def blank(values: Mapping[str, Any]) -> ImportLayout:
    """A layout of the shop's own that is not stored yet."""
    kind, platform = values.get("kind") or ImportKind.CUSTOMERS.value, values.get("platform", "")
    platform = platform if platform in Platform.values else ""
    return ImportLayout(key=_new_key(platform, kind[:9]), kind=kind, position=_next_place())


def from_columns(
    columns: Sequence[Column],
    *,
    name: str,
    kind: str,
    platform: str,
    consent_words: Mapping[str, str],
    by: AbstractBaseUser,
    now: datetime,
) -> ImportLayout:
    """
    Keep the columns of a file as a layout of the shop's own.

    Raises CannotKeepLayout.
    """
    named = {normal(column.header): column for column in reversed(columns) if column.header}
    pairs = [[column.header, column.field or ""] for column in columns if named.get(normal(column.header)) is column]
    required = [column.header for column in columns if column.field and named.get(normal(column.header)) is column]
    values = {"name": name, "kind": kind, "platform": platform, "required": required, "fields": pairs}
    values |= {"consent_words": dict(consent_words), "notice": "", "advice": "", "refused_as": "", "is_active": True}
    return keep(blank(values), values, by=by, now=now)


def keep(
    layout: ImportLayout, values: Mapping[str, Any], *, by: AbstractBaseUser | None, now: datetime
) -> ImportLayout:
    """
    Store what staff wrote about a layout of the shop's own.

    Raises CannotKeepLayout with all there is to correct.
    """
    if layout.is_bundled:
        raise CannotKeepLayout([gettext("This layout comes with Hongyan and is not edited; copy it first.")])
    cleaned = _cleaned(values)
    sentences = _complaints(cleaned, other_than=layout.pk)
    if sentences:
        raise CannotKeepLayout(sentences)
    for name, value in cleaned.items():
        setattr(layout, name, value)
    layout.updated_at, layout.updated_by = now, by
    layout.save()
    return layout


def _cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was written, without what cannot be stored or means nothing."""
    required = [OR.join(names) for entry in values["required"] if (names := _names(entry))]
    required = [f" {OR} ".join(entry.split(OR)) for entry in required]
    pairs = [[_line(header), field] for header, field in values["fields"] if _line(header)]
    words = {consent_key(_line(cell)): meaning for cell, meaning in values["consent_words"].items()}
    return {
        "name": _line(values["name"]),
        "kind": values["kind"],
        "platform": values["platform"],
        "required": required,
        "fields": pairs,
        "consent_words": {cell: meaning for cell, meaning in words.items() if cell},
        "notice": values["notice"].replace("\0", "").strip()[:500],
        "advice": values["advice"].replace("\0", "").strip()[:500],
        "refused_as": values["refused_as"],
        "is_active": bool(values["is_active"]),
    }


def _complaints(values: Mapping[str, Any], *, other_than: int | None) -> list[str]:
    """Everything that is wrong with a layout, each with what to do."""
    found = []
    if not values["name"]:
        found.append(gettext("Give the layout a name."))
    elif ImportLayout.objects.filter(name=values["name"]).exclude(pk=other_than).exists():
        found.append(gettext("Another layout is called “%(name)s”; choose another name.") % {"name": values["name"]})
    if values["kind"] not in ImportKind.values or values["platform"] not in ("", *Platform.values):
        found.append(gettext("Choose what the files hold, and their platform, from the lists."))
    if values["refused_as"] not in ("", *REFUSALS):
        found.append(gettext("Choose the sentence of refusal from the list."))
    if len({normal(entry.split(OR)[0]) for entry in values["required"]}) < FEWEST_REQUIRED:
        found.append(
            gettext(
                "Name at least two columns by which the file is recognized; "
                "one alone would take other files for this one."
            )
        )
    found += _complaints_about_columns(values["fields"], values["kind"])
    found += _complaints_about_consent(values["consent_words"])
    return found


def _complaints_about_columns(pairs: Sequence[Sequence[str]], kind: str) -> list[str]:
    found, seen = [], set()
    offered = {field.key for field in fields_of(kind)}
    if len(pairs) > MOST_COLUMNS:
        found.append(gettext("At most %(most)d columns fit in a layout.") % {"most": MOST_COLUMNS})
    for header, field in pairs:
        if normal(header) in seen:
            found.append(gettext("The column “%(header)s” stands here twice; delete one.") % {"header": header})
        seen.add(normal(header))
        if field and field not in offered:
            label = gettext(FIELD[field].label) if field in FIELD else field[:50]
            found.append(
                gettext("“%(header)s” cannot be %(label)s in a file of this kind; choose something else.")
                % {"header": header, "label": label}
            )
    if not any(field for _header, field in pairs):
        found.append(gettext("Say of at least one column what it is."))
    return found


def _complaints_about_consent(words: Mapping[str, str]) -> list[str]:
    found = []
    for cell, meaning in words.items():
        if meaning not in CONSENT_MEANINGS:
            found.append(gettext("Choose what “%(cell)s” means from the list.") % {"cell": cell})
        elif meaning == cells.YES and is_refusal(cell):
            found.append(gettext("“%(cell)s” is never consent; choose no or opted out.") % {"cell": cell})
    return found


def is_refusal(cell: str) -> bool:
    """Whether a cell says no by itself, whatever anybody takes it for."""
    word = consent_key(cell)
    return not word or word in cells.NO_WORDS or word in cells.OPT_OUT_WORDS


def refusal_choices() -> list[tuple[str, str]]:
    """The sentences by which a file of a layout can be refused as a customer list."""
    return [("", gettext("not refused")), *((code, gettext(SENTENCES[code])) for code in REFUSALS)]


def _names(entry: str) -> list[str]:
    return [name for part in entry.split(OR) if (name := _line(part))]


def _line(text: str) -> str:
    return cells.shown(text.replace("\0", ""))[:LONGEST_HEADER]


def _new_key(platform: str, kind: str) -> str:
    """Keys begin with the platform, and never meet one that comes with Hongyan."""
    return f"{platform or 'own'}_{kind}-{secrets.token_hex(6)}"


def _free_name(wanted: str) -> str:
    taken = set(ImportLayout.objects.filter(name__startswith=wanted[:90]).values_list("name", flat=True))
    number, name = 2, wanted[:100]
    while name in taken:
        name, number = f"{wanted[:94]} {number}", number + 1
    return name


def _next_place() -> int:
    return (ImportLayout.objects.filter(is_bundled=False).aggregate(last=Max("position"))["last"] or 0) + 10
