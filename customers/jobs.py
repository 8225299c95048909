"""The customers app's work in the background: reading and importing files, and forgetting them in time."""

import logging

from customers import clock
from customers.models import Export, MarkedFile, SpreadsheetImport
from customers.services import (
    api_answers,
    exports,
    import_undo,
    imports,
    marked_files,
    tiers,
    webhook_calls,
)

logger = logging.getLogger(__name__)

# Whatever else is on the queue waits so long; the next tick goes on with the work.
WEBHOOK_SECONDS = 2.0

# When nobody is at the counter.
HOUR_OF_TIERS = 3


def read_upload(*, import_id: int) -> dict[str, int]:
    """Read a large uploaded file for its review page."""
    return {"rows": imports.read_waiting(import_id, now=clock.now())}


def run_import(*, import_id: int) -> dict[str, int]:
    """Import the rows of one queued file."""
    return imports.run(import_id, now=clock.now)


def run_imports() -> dict[str, int]:
    """Take up every file that waits, or whose worker has died; the timetable calls this when no ring was heard."""
    done: dict[str, int] = {}
    for import_id in SpreadsheetImport.objects.startable(clock.now()).order_by("pk").values_list("pk", flat=True):
        done["imported"] = done.get("imported", 0) + bool(run_import(import_id=import_id))
    # Last, because a file that stops whoever reads it would stop it for an hour, and the imports behind it.
    for import_id in SpreadsheetImport.objects.unread().values_list("pk", flat=True):
        done["read"] = done.get("read", 0) + bool(read_upload(import_id=import_id)["rows"])
    return done


def purge_uploads() -> dict[str, int]:
    """Delete abandoned uploads, and blank the personal columns of old results."""
    return imports.purge(clock.now())


def run_export(*, export_id: int) -> dict[str, int]:
    """Write the file of one export that somebody asked for."""
    return exports.run(export_id, clock=clock.now)


def run_exports() -> dict[str, int]:
    """Take up every export that waits, or whose worker has died; the timetable calls this when no ring was heard."""
    written = 0
    for export_id in Export.objects.startable(clock.now()).order_by("pk").values_list("pk", flat=True):
        written += bool(run_export(export_id=export_id))
    return {"exports": written}


def purge_exports() -> dict[str, int]:
    """Delete exported files whose day is over."""
    return exports.purge(clock.now())


def undo_import(*, import_id: int) -> dict[str, int]:
    """Take one import back."""
    return import_undo.run(import_id, clock=clock.now)


def undo_imports() -> dict[str, int]:
    """Take up every undo that waits, or whose worker has died; the timetable calls this when no ring was heard."""
    undone = 0
    for import_id in SpreadsheetImport.objects.undo_waiting(clock.now()).order_by("-pk").values_list("pk", flat=True):
        undone += bool(undo_import(import_id=import_id))
    return {"undone": undone}


def write_marked_file(*, marked_id: int) -> dict[str, int]:
    """Write one marked file that somebody asked for."""
    return marked_files.write(marked_id, clock=clock.now)


def write_marked_files() -> dict[str, int]:
    """Take up every marked file that waits, or whose worker has died; the timetable calls this."""
    written = 0
    for marked_id in MarkedFile.objects.startable(clock.now()).order_by("pk").values_list("pk", flat=True):
        written += bool(write_marked_file(marked_id=marked_id))
    return {"marked files": written}


def purge_marked_files() -> dict[str, int]:
    """Delete marked files whose own file is gone."""
    return marked_files.purge(clock.now())


def recompute_tiers(*, at_once: bool = False) -> dict[str, int]:
    """Put customers on the tiers they reach: in the night, or at once when somebody asked for it."""
    now = clock.now()
    if not at_once and now.astimezone(clock.shop_zone()).hour != HOUR_OF_TIERS:
        return {}
    return {"moved": tiers.recompute(now=now).total()}


def apply_webhooks() -> dict[str, int]:
    """Work out what shop systems have pushed."""
    return dict(webhook_calls.apply(now=clock.now(), seconds=WEBHOOK_SECONDS))


def purge_api() -> dict[str, int]:
    """Forget answers of the API after a day, and old pushes of shop systems."""
    now = clock.now()
    return {"answers": api_answers.purge(now=now), "pushes": webhook_calls.purge(now=now)}
