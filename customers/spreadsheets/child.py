"""The child process that parses a workbook: bounded memory and time, rows to standard output."""

import contextlib
import pickle
import resource
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import python_calamine

from customers.spreadsheets import biff, markup, opendocument, spreadsheetml
from customers.spreadsheets.faults import Unreadable
from customers.spreadsheets.row_buffer import ROWS_PER_FRAME, RowBuffer

SECONDS = 300
MOST_MERGED = 10_000
# Formats that are read here as a stream; the others by calamine.
STREAMED = {"ods": opendocument, "html": markup, "xml": spreadsheetml}


def main(path: str, kind: str, index: str, memory: str) -> None:
    """Write frames: what is known about the sheet, lists of rows, what was found out, then "end" or a refusal.

    With the index "list" the only frame is a list of (name, visible, holds cells) of all sheets. A number among
    the rows stands for so many empty ones.
    """
    _limit(int(memory))
    try:
        for frame in _sheets(Path(path), kind) if index == "list" else _frames(Path(path), kind, int(index)):
            _write(frame)
        _write("end")
    except Unreadable as refusal:
        _write((refusal.code, refusal.values))
    except python_calamine.PasswordError:
        _write(("encrypted", {}))
    except (MemoryError, RecursionError):
        _write(("bomb", {}))
    except (python_calamine.CalamineError, OSError, ValueError):
        _write(("damaged", {}))
    sys.stdout.buffer.flush()


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Where memory runs out all the same, the kernel ends this process and not the worker.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _sheets(path: Path, kind: str) -> Iterator[list[tuple[str, bool, bool]]]:
    if kind in STREAMED:
        yield [(name, visible, True) for name, visible in STREAMED[kind].sheets(path)]
    else:
        yield biff.OldWorkbook(path).sheets


def _frames(path: Path, kind: str, index: int) -> Iterator[object]:
    if kind in STREAMED:
        yield {}
        for frame in STREAMED[kind].frames(path, index):
            yield _noted(frame) if isinstance(frame, RowBuffer) else frame
        return
    counted = {}
    if kind == "xls":
        records = biff.OldWorkbook(path)
        extent = records.extents()[index]
        counted = {"is_1904": records.is_1904, "hidden_rows": extent.hidden_rows, "filled_row": extent.last_row}
        del records
    with path.open("rb") as handle, _workbook(handle) as workbook:
        sheet = workbook.get_sheet_by_index(index)
        yield _about(sheet) | counted
        rows = sheet.iter_rows() if sheet.start is not None else iter(())
        while frame := list(islice(rows, ROWS_PER_FRAME)):
            yield frame
    yield {}


def _workbook(handle: BinaryIO) -> python_calamine.CalamineWorkbook:
    # calamine believes the name of a file; under this one it looks at the bytes.
    return python_calamine.CalamineWorkbook.from_path(f"/dev/fd/{handle.fileno()}")


def _about(sheet: python_calamine.CalamineSheet) -> dict:
    first_row, first_column = sheet.start or (0, 0)
    last_row = sheet.end[0] + 1 if sheet.end is not None else 0
    # How far down cells were merged over several rows; only their first row has the value.
    merged = [last[0] + 1 for first, last in sheet.merged_cell_ranges or () if last[0] > first[0]]
    wide = [first[0] + 1 for first, last in sheet.merged_cell_ranges or () if last[1] > first[1]]
    about = {"merged": merged[:MOST_MERGED], "wide": frozenset(wide[:MOST_MERGED])}
    return about | {"first_row": first_row, "first_column": first_column, "last_row": last_row}


def _noted(buffer: RowBuffer) -> dict:
    return {"hidden_rows": buffer.hidden_rows, "merged": buffer.merged[:MOST_MERGED]}


def _write(answer: object) -> None:
    frame = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.write(len(frame).to_bytes(8, "big"))
    sys.stdout.buffer.write(frame)


if __name__ == "__main__":
    main(*sys.argv[1:])
