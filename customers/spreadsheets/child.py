"""The child process that parses a workbook: bounded memory and time, rows to standard output."""

import pickle
import resource
import sys
from itertools import islice

import python_calamine

ROWS_PER_FRAME = 2_000
SECONDS = 300
MOST_MERGED = 10_000


def main(path: str, index: str, memory: str) -> None:
    """Write frames: a dictionary about the sheet, lists of rows, then "end" or the code of a refusal."""
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as workbook:
            sheet = workbook.get_sheet_by_index(int(index))
            _write(_about(sheet))
            rows = sheet.iter_rows() if sheet.start is not None else iter(())
            while frame := list(islice(rows, ROWS_PER_FRAME)):
                _write(frame)
        _write("end")
    except python_calamine.PasswordError:
        _write("encrypted")
    except MemoryError:
        _write("bomb")
    except (python_calamine.CalamineError, OSError, ValueError):
        _write("damaged")
    sys.stdout.buffer.flush()


def _about(sheet: python_calamine.CalamineSheet) -> dict:
    first_row, first_column = sheet.start or (0, 0)
    last_row = sheet.end[0] + 1 if sheet.end is not None else 0
    # How far down cells were merged over several rows; only their first row has the value.
    merged = [last[0] + 1 for first, last in sheet.merged_cell_ranges or () if last[0] > first[0]]
    return {"merged": merged[:MOST_MERGED], "first_row": first_row, "first_column": first_column, "last_row": last_row}


def _write(answer: object) -> None:
    frame = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.write(len(frame).to_bytes(8, "big"))
    sys.stdout.buffer.write(frame)


if __name__ == "__main__":
    main(*sys.argv[1:])
