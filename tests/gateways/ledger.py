"""The append-only record of what a gateway of tests has taken, and of nothing else."""

import json
import threading
from json.encoder import encode_basestring as quoted
from pathlib import Path


class Ledger:
    """Lines of JSON; what is in it is on disk before the call is answered, and survives a kill."""

    def __init__(self, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "ledger.jsonl"
        self._lock = threading.Lock()
        self._file = self.path.open("ab", buffering=0)

    def append(self, entries: list[dict]) -> None:
        """Write the entries of one call in one piece."""
        content = "".join(map(line_of, entries)).encode()
        with self._lock:
            self._file.write(content)

    def entries(self) -> list[dict]:
        """Everything that was taken."""
        return read(self.path)

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> list[dict]:
    """The entries of a ledger; a line that is still being written is left out."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def line_of(entry: dict) -> str:
    """One line; json.dumps would take half of a server's time."""
    pairs = (f"{quoted(name)}: {quoted(value) if isinstance(value, str) else value}" for name, value in entry.items())
    return f"{{{', '.join(pairs)}}}\n"
