"""What staff may choose for a file beside its columns: the key, words of consent, what clears a field."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.choices import ImportKind, Platform
from customers.services.import_layouts import is_refusal
from customers.spreadsheets import cells
from customers.spreadsheets.fields import FIELD, consent_key
from customers.spreadsheets.layouts import Column, Layout
from customers.spreadsheets.options import CONSENT_MEANINGS, DAY_ORDERS, KEYS, TAG_MODES, Options
from customers.spreadsheets.reader import Sheet

# More different cells than these are no answers to a question, but another column.
LISTED_CELLS = 60
LONGEST_CLEAR_WORD = 20
# A column of a million different cells, taken for one of consent by mistake, must not fill the memory.
REMEMBERED_CELLS = 5_000
# The fields of the form that say what an answer means begin with this, and end with the answer.
ANSWER = "answer:"


class CannotChoose(Exception):
    """A choice that cannot be kept; the text is a sentence for staff."""


class Counted:
    """A sheet that counts the cells of its consent columns while somebody else reads its rows."""

    def __init__(self, sheet: Sheet, columns: Iterable[Column]):
        self._sheet = sheet
        self._indexes = [column.index for column in columns if is_consent(column.field)]
        self.cells: Counter[tuple[type, object]] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sheet, name)

    def rows(self) -> Iterator[tuple[int, list]]:
        """The rows of the sheet; whoever reads them twice counts them once."""
        if not self._indexes:
            return self._sheet.rows()
        self.cells.clear()
        return self._counted()

    def _counted(self) -> Iterator[tuple[int, list]]:
        indexes, found = self._indexes, self.cells
        for number, record in self._sheet.rows():
            for index in indexes:
                # True is 1 to a dictionary, and not to a person.
                answer = record[index].__class__, record[index]
                if len(found) < REMEMBERED_CELLS or answer in found:
                    found[answer] += 1
            yield number, record


def is_consent(field: str | None) -> bool:
    """Whether a column holds answers that are taken for a yes or a no."""
    return bool(field) and FIELD[field].kind == "consent"


def answers(found: Mapping[tuple[type, object], int], options: Options) -> list[dict[str, Any]]:
    """The different cells of the consent columns with what each is taken for, the most frequent first."""
    merged: dict[str, dict[str, Any]] = {}
    for (_type, raw), count in found.items():
        word = consent_key(cells.text(raw)[0])
        meaning = options.consent_words.get(word) or cells.consent(raw)[0]
        entry = merged.setdefault(word, {"cell": cells.shown(raw) if word else "", "meaning": meaning, "count": 0})
        entry |= {"word": word, "count": entry["count"] + count, "is_refusal": is_refusal(word)}
    ranked = sorted(merged.values(), key=lambda entry: (-entry["count"], entry["word"]))
    return ranked[:LISTED_CELLS]


def settle(
    chosen: Mapping[str, Any], *, layout: Layout | None, remembered: Mapping[str, Any], kind: str
) -> dict[str, Any]:
    """The options of a file: what staff chose, else what its layout says or was chosen last time."""
    words = {**(layout.consent_words if layout else {}), **remembered.get("consent_words", {})}
    words |= chosen.get("consent_words", {})
    safe = {
        word: cells.NO if meaning == cells.YES and is_refusal(word) else meaning for word, meaning in words.items()
    }
    settled = Options.from_json({**chosen, "consent_words": safe}).to_json()
    if kind == ImportKind.ORDERS:
        named = chosen.get("platform") or (layout.platform if layout else "") or remembered.get("platform")
        settled["platform"] = named if named in Platform.values else Platform.OTHER.value
    return settled


def remembered(options: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What is worth remembering for the next file with the same headers: nothing that could erase."""
    kept = {name: options[name] for name in ("consent_words", "platform") if options.get(name)}
    return {"kind": kind, **kept}


def chosen(
    form: Mapping[str, str], *, columns: Sequence[Column], before: Mapping[str, Any], listed: Sequence[Mapping]
) -> dict[str, Any]:
    """
    The options that a form asks for; what it does not mention stays as `before`.

    `listed` are the answers that the file holds. Raises CannotChoose.
    """
    options = dict(before)
    for name, known in (("key", KEYS), ("tags", TAG_MODES), ("day_order", DAY_ORDERS)):
        if name in form:
            options[name] = _one_of(form[name], known)
    if "platform" in form:
        options["platform"] = _one_of(form["platform"], Platform.values)
    if "clear_word" in form:
        word = form["clear_word"].replace("\0", "").strip()
        if len(word) > LONGEST_CLEAR_WORD:
            raise CannotChoose(_("The word that clears a field is too long; choose a short one, such as 清空."))
        options["clear_word"] = word
    options["consent_words"] = {**before.get("consent_words", {}), **_words(form, listed)}
    key = options.get("key", "auto")
    if key != "auto" and not any(column.field == key for column in columns):
        label = gettext(FIELD[key].label)
        raise CannotChoose(
            _("No column is read as “%(label)s”, so customers cannot be found by it; choose another key.")
            % {"label": label}
        )
    return options


def _words(form: Mapping[str, str], listed: Sequence[Mapping]) -> dict[str, str]:
    words = {}
    for answer in listed:
        meaning = form.get(f"{ANSWER}{answer['word']}")
        if meaning is None or not answer["word"]:
            continue
        _one_of(meaning, CONSENT_MEANINGS)
        if meaning == cells.YES and is_refusal(answer["word"]):
            raise CannotChoose(_("“%(cell)s” is never consent; choose no or opted out.") % {"cell": answer["cell"]})
        if meaning != answer["meaning"]:
            words[answer["word"]] = meaning
    return words


def _one_of(value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise CannotChoose(_("This page no longer fits the file. Nothing was saved; check the choices again."))
    return value
