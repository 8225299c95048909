"""Starter texts: the templates a shop begins with, one file each."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from customers.choices import Purpose
from notifications import rendering
from notifications.models import Signature, Template

FOLDER = settings.ROOT / "templates" / "messages"


@dataclass(frozen=True)
class StarterText:
    """One text: its name in the list of templates, its class, what it says, and its subject as an e-mail."""

    name: str
    purpose: Purpose
    body: str
    subject: str = ""


def read(file: Path) -> StarterText:
    """
    One text from its file: a head of `word: value` lines, an empty line, the text.

    Raises ValueError for a head that lacks a word, and rendering.Refused for a text that no template may have.
    """
    head, _blank, body = file.read_text(encoding="utf-8").partition("\n\n")
    said = dict(line.split(": ", 1) for line in head.splitlines())
    if missing := {"name", "purpose"} - set(said):
        raise ValueError(f"{file.name}: the head does not tell {', '.join(sorted(missing))}.")
    source = rendering.parse(body.strip()).source
    return StarterText(said["name"], Purpose(said["purpose"]), source, said.get("subject", ""))


def read_all(folder: Path = FOLDER) -> list[StarterText]:
    """Every text, in the order of the files' names. Raises what `read` raises."""
    return [read(file) for file in sorted(folder.glob("*.txt"))]


def load(signature: Signature, *, now: datetime) -> list[Template]:
    """Add the texts of which there is no template by that name yet; answers the new templates."""
    taken = set(Template.objects.values_list("name", flat=True))
    return Template.objects.bulk_create(
        Template(
            name=text.name,
            purpose=text.purpose,
            signature=signature,
            body=text.body,
            created_at=now,
            updated_at=now,
        )
        for text in read_all()
        if text.name not in taken
    )
