"""The append-only record of every message the sandbox gateway accepted; it survives restarts."""

import fcntl
import json
import os
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import Any, NamedTuple

# Every line begins with the reference and the account, so that both are found without parsing.
REFERENCE_START = b'{"reference": '
ACCOUNT_START = b'", "account": '


class LedgerInUse(Exception):
    """Another gateway writes into this directory."""


class Entry(NamedTuple):
    """One accepted message; `outcome` was decided when it was accepted and never changes."""

    reference: str
    number: str
    text: str
    outcome: str
    id: str


class Ledger:
    """Lines of JSON, one per accepted message, numbered from 0. Raises LedgerInUse."""

    def __init__(self, directory: Path):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_file = open(directory / "lock", "w")  # noqa: SIM115 - open until the process ends
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock_file.close()
            raise LedgerInUse(directory) from None
        self._path = directory / "ledger.jsonl"
        self._lock = threading.Lock()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        # Where each line starts; 8 bytes a message, so that a million cost 8 MB.
        self._starts = array("Q")
        self._end = 0
        self._accounts: Counter[bytes] = Counter()
        self._load()

    def __len__(self) -> int:
        return len(self._starts)

    def count(self, account: str | None = None) -> int:
        """How many messages were accepted, of one account or of all."""
        return len(self) if account is None else self._accounts[account_key(account)]

    def append(self, entries: list[Entry], *, account: str, time: str, call_reference: str, callback: int) -> int:
        """Write the accepted messages of one call, all or none, and return the number of the first."""
        shared = f'"account": {quoted(account)}, "time": {quoted(time)}'
        end = f'"call_reference": {quoted(call_reference)}, "callback": {callback}}}\n'
        lines = [line_of(entry, shared, end).encode("utf-8", "replace") for entry in entries]
        with self._lock:
            first = len(self._starts)
            # One write: a killed process leaves whole lines, but for the last, which loading cuts off.
            self._write(b"".join(lines))
            for line in lines:
                self._starts.append(self._end)
                self._end += len(line)
            self._accounts[account_key(account)] += len(lines)
        return first

    def lines(self, after: int = 0, until: int | None = None) -> Iterator[bytes]:
        """Raw lines from number `after` up to, but not with, number `until`."""
        with self._lock:
            last = len(self._starts) if until is None else min(until, len(self._starts))
            if after >= last:
                return
            start = self._starts[after]
        with open(self._path, "rb") as file:
            file.seek(start)
            for _number in range(last - after):
                yield file.readline()

    def messages(self, after: int = 0, until: int | None = None) -> Iterator[dict[str, Any]]:
        """Messages from number `after` up to, but not with, number `until`."""
        return map(json.loads, self.lines(after, until))

    def page(self, *, after: int, limit: int, account: str | None) -> tuple[list[bytes], int]:
        """Up to `limit` raw lines from number `after` on, and the number to go on with."""
        if account is None:
            lines = list(self.lines(after, after + limit))
            return lines, after + len(lines)
        wanted, found, number = account_key(account), [], after
        for line in self.lines(after):
            number += 1
            if account_of(line) == wanted:
                found.append(line)
                if len(found) == limit:
                    break
        return found, number

    def find(self, references: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """All messages of these references, in one pass: queries are rare, memory is not free."""
        wanted = {quoted(reference).encode("utf-8", "replace") for reference in references}
        found: dict[str, list[dict[str, Any]]] = {}
        for line in self.lines():
            if reference_of(line) in wanted:
                message = json.loads(line)
                found.setdefault(message["reference"], []).append(message)
        return found

    def close(self) -> None:
        """Close the files and let another process have the directory."""
        os.close(self._file)
        self._lock_file.close()

    def _write(self, content: bytes) -> None:
        try:
            while content:
                content = content[os.write(self._file, content) :]
        except OSError:
            # Disk full: half a line would spoil the next one.
            os.ftruncate(self._file, self._end)
            raise

    def _load(self) -> None:
        with open(self._path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    # Killed in the middle of the write: nobody was told of this line.
                    os.truncate(self._path, self._end)
                    break
                self._starts.append(self._end)
                self._end += len(line)
                self._accounts[account_of(line)] += 1


def line_of(entry: Entry, shared: str, end: str) -> str:
    """One line; written by hand because a JSON encoder per message was half the gateway's work."""
    return (
        f'{{"reference": {quoted(entry.reference)}, {shared}, "number": {quoted(entry.number)}, '
        f'"text": {quoted(entry.text)}, "outcome": "{entry.outcome}", "id": "{entry.id}", {end}'
    )


def reference_of(line: bytes) -> bytes:
    """The reference of a raw line, in quotes, as JSON writes it."""
    return line[len(REFERENCE_START) : line.index(ACCOUNT_START) + 1]


def account_of(line: bytes) -> bytes:
    """The account of a raw line, in quotes, as JSON writes it."""
    start = line.index(ACCOUNT_START) + len(ACCOUNT_START)
    return line[start : line.index(b'", "', start) + 1]


def account_key(account: str) -> bytes:
    """An account as `account_of` finds it."""
    return quoted(account).encode("utf-8", "replace")
