"""
Every text a person sees, found in code and templates, held against the Chinese catalog.

`make messages` adds what is new to locale/zh_Hans/LC_MESSAGES/django.po and compiles
the catalog; it needs no GNU gettext.
"""

import ast
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import polib
from babel.messages.extract import extract_python
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
APPS = ("config", "customers", "notifications", "campaigns")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}

# What Django's templatize makes of {% translate %} and {% blocktranslate %}.
STRING = r"u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
CALL = re.compile(rf"\b(n?p?gettext)\(({STRING}(?:,\s*{STRING})?)")

PLACEHOLDER = re.compile(r"%\(\w+\)[-+0 #]*\d*\.?\d*[sdrf]|%[sd]|(?<!\{)\{\w+\}(?!\})")

Found = tuple[str | None, str, str | None]
Call = tuple[int, str, tuple]


def used(*folders: Path) -> dict[Found, str]:
    """(context, msgid, plural) of every text, with the first place that uses it; ours unless told."""
    found: dict[Found, str] = {}
    for path in files(*(folders or (ROOT / folder for folder in (*APPS, "templates")))):
        text = path.read_text(encoding="utf-8")
        calls = _in_template(text) if path.suffix == ".html" else _in_python(text)
        for line, function, arguments in calls:
            if (key := _key(function, arguments)) is not None:
                found.setdefault(key, f"{_short(path)}:{line}")
    return found


def files(*folders: Path) -> Iterator[Path]:
    """The code and the templates of some folders."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".html") and "migrations" not in path.parts:
                yield path


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _in_python(text: str) -> Iterator[Call]:
    for line, function, arguments, _comments in extract_python(
        BytesIO(text.encode()), KEYWORDS, [], {"encoding": "utf-8"}
    ):
        yield line, function, (arguments,) if isinstance(arguments, str) else tuple(arguments or ())


def _in_template(text: str) -> Iterator[Call]:
    for place, line in enumerate(templatize(text).splitlines(), start=1):
        for function, arguments in CALL.findall(line):
            yield place, function, tuple(ast.literal_eval(f"({arguments.rstrip(', ')},)"))


def _key(function: str, parts: tuple) -> Found | None:
    if not parts or not isinstance(parts[0], str):
        return None
    if function.startswith("pgettext"):
        return (parts[0], parts[1], None)
    if function.startswith("ngettext"):
        return (None, parts[0], parts[1])
    return (None, parts[0], None) if parts[0] else None


def gaps() -> list[str]:
    """Texts without a Chinese translation, each with the place that uses it."""
    catalog = {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(str(CATALOG))}
    missing = []
    for (context, msgid, _plural), place in used().items():
        entry = catalog.get((context, msgid))
        if entry is None or not entry.translated() or "fuzzy" in entry.flags:
            missing.append(f"{place}: {msgid}")
    return missing


def placeholders(text: str) -> list[str]:
    """The places of a text that are filled in: %(name)s, %s and {name}."""
    return PLACEHOLDER.findall(text.replace("%%", ""))


def update() -> list[str]:
    """Bring the catalog up to date with the code, compile it, and answer what is not translated."""
    catalog = polib.pofile(str(CATALOG), wrapwidth=100)
    known = {(entry.msgctxt, entry.msgid) for entry in catalog}
    for context, msgid, plural in used():
        if (context, msgid) not in known:
            plurals = {"msgid_plural": plural, "msgstr_plural": {0: ""}} if plural else {}
            catalog.append(polib.POEntry(msgctxt=context, msgid=msgid, **plurals))
    catalog.sort(key=lambda entry: (entry.msgid, entry.msgctxt or ""))
    catalog.save()
    catalog.save_as_mofile(str(CATALOG.with_suffix(".mo")))
    return gaps()


if __name__ == "__main__":
    settings.configure()
    left = update()
    sys.stdout.write("\n".join([*left, f"{len(left)} texts without a translation."]) + "\n")
    sys.exit(1 if left else 0)
