"""Who runs this clone: one `up` at a time, found again after it was killed."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from config.supervisor import GRACE, identity, kill_processes, living, stop_processes

VAR = Path(__file__).resolve().parent.parent / "var"
LOCK = VAR / "up.lock"
STATE = VAR / "up.json"


class AlreadyRunning(Exception):
    """Another `up` has this clone; `address` is where it serves, if it got that far."""

    def __init__(self, address: str):
        super().__init__(address)
        self.address = address


@contextmanager
def claim() -> Iterator[int]:
    """
    Be the one `up` of this clone, and end what a killed one left behind; gives the number of those processes.

    Raises AlreadyRunning. The kernel frees the claim when its holder dies, however it dies.
    """
    with LOCK.open("a+") as file:
        if not _locked(file):
            raise AlreadyRunning(_state().get("address", ""))
        file.truncate(0)
        json.dump(identity(os.getpid()), file)
        file.flush()
        yield end_leftovers()


def stop_holder() -> bool:
    """Stop the `up` that holds this clone; whether there was one."""
    VAR.mkdir(exist_ok=True)
    with LOCK.open("a+") as file:
        if _locked(file):
            return False
        file.seek(0)
        holder = living([tuple(json.load(file))])
        for process in holder:
            process.terminate()
        _wait_for(file, holder)
        return True


def end_leftovers() -> int:
    """Stop the programs of an `up` that was killed; how many there were."""
    left = living(_state().get("programs", []))
    stop_processes(left)
    STATE.unlink(missing_ok=True)
    return len(left)


def _wait_for(file: IO, holder: list) -> None:
    # It stops its programs in two groups and then the servers.
    deadline = time.monotonic() + 2 * GRACE + 10
    while not _locked(file):
        if time.monotonic() > deadline:
            kill_processes(holder)
        time.sleep(0.1)


def _locked(file: IO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _state() -> dict:
    try:
        return json.loads(STATE.read_text())
    except (FileNotFoundError, ValueError):
        return {}
