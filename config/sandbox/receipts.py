"""Pushes the sandbox gateway's receipts to the shop, patiently and beside the sending."""

import heapq
import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from config.sandbox.clock import DeploymentClock
from config.sandbox.ledger import Entry, Ledger
from config.sandbox.rules import Rule, rule_for
from config.sandbox.settings import Settings
from notifications.providers.http import CallFailed, HttpClient, Limits, RefusedAddress

logger = logging.getLogger(__name__)

RECEIPTS_PER_CALL = 500
# Seconds until the next try after each failure; then these receipts are given up, as real gateways do.
PAUSES = (1, 5, 10, 30, 60, 120, 300, 600)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Receipt(NamedTuple):
    """One receipt on its way; `line` is the number in the ledger, None for a repetition."""

    line: int | None
    reference: str
    number: str
    id: str
    status: str
    code: str

    def content(self, at: str) -> dict[str, str]:
        """The receipt as the protocol has it."""
        return {
            "reference": self.reference,
            "number": self.number,
            "id": self.id,
            "status": self.status,
            "code": self.code or self.status,
            "at": at,
        }


@dataclass(slots=True)
class Outbox:
    """What waits for one callback address, by the moment it is due."""

    url: str
    waiting: list[tuple[float, int, list[Receipt]]] = field(default_factory=list)
    failures: int = 0
    not_before: float = 0.0


class ReceiptPusher:
    """A thread that pushes due receipts and remembers, across restarts, which ones arrived."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        directory: Path,
        clock: DeploymentClock,
        settings: Settings,
        private_hosts: Iterable[str] = (),
    ):
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._callbacks = Callbacks(directory / "callbacks.jsonl")
        self._done_path = directory / "receipts.jsonl"
        self._client = HttpClient(
            private_hosts=(*LOOPBACK, *private_hosts), limits=Limits(connect=2.0, read=5.0, total=10.0)
        )
        self._outboxes: dict[str, Outbox] = {}
        self._sequence = itertools.count()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="receipts", daemon=True)

    def start(self) -> None:
        """Take up what an earlier run left unpushed, and begin."""
        self._take_up()
        self._thread.start()

    def stop(self) -> None:
        """Finish the call in hand; everything else is found again at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(15)
        self._client.close()

    def callback_number(self, url: str) -> int:
        """The number under which the ledger remembers a callback address."""
        return self._callbacks.number(url)

    def plan(self, url: str, entries: list[Entry], rules: list[Rule], *, first_line: int) -> None:
        """Queue the receipts of one call's accepted messages after the usual delay."""
        if not url:
            return
        due = time.monotonic() + self._settings.receipt_seconds(random.random())
        groups: dict[float, list[Receipt]] = {}
        for line, (entry, rule) in enumerate(zip(entries, rules, strict=True), first_line):
            for position, (status, code, later) in enumerate(rule.receipts):
                known = None if position else line
                receipt = Receipt(known, entry.reference, entry.number, entry.id, status, code)
                groups.setdefault(later, []).append(receipt)
        with self._changed:
            outbox = self._outboxes.setdefault(url, Outbox(url))
            for later, receipts in groups.items():
                heapq.heappush(outbox.waiting, (due + later, next(self._sequence), receipts))
            self._changed.notify()

    def push_early(self, url: str, entry: Entry) -> None:
        """Push one receipt now, before the answer to the send call leaves."""
        if url and self._settings.receipts:
            self._post(url, [Receipt(None, entry.reference, entry.number, entry.id, entry.outcome, "")])

    def callback_url(self, number: int) -> str:
        """The callback address of a number in the ledger, or nothing."""
        return self._callbacks.url(number)

    def push_reply(self, url: str, number: str, text: str) -> bool:
        """Push one reply of a customer now; whether the shop took it."""
        return self._post_items(url, [{"number": number, "text": text, "at": self._now()}])

    def waiting_count(self) -> int:
        """How many receipts wait to be pushed."""
        with self._changed:
            return sum(len(entry[2]) for box in self._outboxes.values() for entry in box.waiting)

    def settings_changed(self) -> None:
        """Look again: receipts may have been switched on."""
        with self._changed:
            self._changed.notify()

    def _take_up(self) -> None:
        done = bytearray(len(self._ledger))
        if self._done_path.exists():
            for line in self._done_path.read_bytes().splitlines():
                for first, last in read_ranges(line):
                    done[first : last + 1] = b"\x01" * (min(last + 1, len(done)) - first)
        number = done.find(0)
        while number != -1:
            end = done.find(1, number)
            end = len(done) if end == -1 else end
            for line, message in enumerate(self._ledger.messages(number, end), number):
                url = self._callbacks.url(message.get("callback", 0))
                entry = Entry(*(message[name] for name in Entry._fields))
                self.plan(url, [entry], [rule_for(entry.number, entry.text)], first_line=line)
            number = done.find(0, end)

    def _run(self) -> None:
        while True:
            with self._changed:
                while (work := self._next_work()) is None:
                    if self._stopping:
                        return
                    self._changed.wait(self._pause())
                if self._stopping:
                    return
            self._deliver(*work)

    def _next_work(self) -> tuple[Outbox, list[tuple[float, int, list[Receipt]]]] | None:
        if not self._settings.receipts:
            return None
        moment = time.monotonic()
        for outbox in self._outboxes.values():
            if outbox.not_before <= moment and outbox.waiting and outbox.waiting[0][0] <= moment:
                taken, count = [], 0
                while outbox.waiting and outbox.waiting[0][0] <= moment and count < RECEIPTS_PER_CALL:
                    taken.append(heapq.heappop(outbox.waiting))
                    count += len(taken[-1][2])
                return outbox, taken
        return None

    def _pause(self) -> float | None:
        if not self._settings.receipts:
            return None
        moments = [max(box.waiting[0][0], box.not_before) for box in self._outboxes.values() if box.waiting]
        return max(min(moments) - time.monotonic(), 0.001) if moments else None

    def _deliver(self, outbox: Outbox, taken: list[tuple[float, int, list[Receipt]]]) -> None:
        receipts = [receipt for _due, _sequence, part in taken for receipt in part]
        arrived = all(
            self._post(outbox.url, receipts[start : start + RECEIPTS_PER_CALL])
            for start in range(0, len(receipts), RECEIPTS_PER_CALL)
        )
        if arrived or outbox.failures >= len(PAUSES):
            if not arrived:
                logger.warning("Gave up on %d receipts.", len(receipts))
            outbox.failures = 0
            self._note_done(receipt.line for receipt in receipts if receipt.line is not None)
            return
        outbox.not_before = time.monotonic() + PAUSES[outbox.failures]
        outbox.failures += 1
        with self._changed:
            for entry in taken:
                heapq.heappush(outbox.waiting, entry)

    def _post(self, url: str, receipts: list[Receipt]) -> bool:
        at = self._now()
        return self._post_items(url, [receipt.content(at) for receipt in receipts])

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="milliseconds")

    def _post_items(self, url: str, items: list[dict[str, str]]) -> bool:
        body = json.dumps(items).encode()
        try:
            answer = self._client.post(url, body=body, headers={"Content-Type": "application/json"})
        except (CallFailed, RefusedAddress) as failure:
            logger.info("A push did not arrive: %s", failure)
            return False
        return 200 <= answer.status < 300

    def _note_done(self, lines: Iterable[int]) -> None:
        with open(self._done_path, "a", encoding="ascii") as file:
            file.write(json.dumps(ranges(sorted(lines))) + "\n")


class Callbacks:
    """Callback addresses by number: they hold secrets, so the ledger shows only the number."""

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        path.touch(mode=0o600)
        self._urls: list[str] = [json.loads(line) for line in complete_lines(path)]
        self._numbers = {url: number for number, url in enumerate(self._urls, 1)}

    def number(self, url: str) -> int:
        """The number of an address, new or known; 0 for none."""
        if not url:
            return 0
        number = self._numbers.get(url)
        if number is not None:
            return number
        with self._lock:
            if url not in self._numbers:
                with open(self._path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(url) + "\n")
                self._urls.append(url)
                self._numbers[url] = len(self._urls)
            return self._numbers[url]

    def url(self, number: int) -> str:
        """The address of a number, or nothing."""
        return self._urls[number - 1] if 0 < number <= len(self._urls) else ""


def complete_lines(path: Path) -> list[bytes]:
    """The lines of a file, without one that a kill cut short, which is cut off."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    return whole.splitlines()


def ranges(numbers: list[int]) -> list[list[int]]:
    """Sorted numbers as [first, last] pairs."""
    pairs: list[list[int]] = []
    for number in numbers:
        if pairs and number == pairs[-1][1] + 1:
            pairs[-1][1] = number
        else:
            pairs.append([number, number])
    return pairs


def read_ranges(line: bytes) -> list[list[int]]:
    """The pairs of one line; a line cut short by a kill means receipts pushed again, which is harmless."""
    try:
        return json.loads(line)
    except ValueError:
        return []
