"""Keeps a set of programs running: starts again what dies, and stops all of them together."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

TICK = 0.3
# A job in hand may be in the middle of a call to a provider; it gets this long to note the answer.
GRACE = 20
LONGEST_PAUSE = 30
# A program that has lived this long starts anew with a short pause.
SETTLED = 60
LARGEST_LOG = 20 * 1024 * 1024
TERMINATE_WITH_PARENT = (1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@dataclass
class Program:
    """One process to keep alive."""

    name: str
    command: list[str]
    directory: Path
    keeps_open: tuple[int, ...] = ()
    process: subprocess.Popen | None = None
    started_at: float = 0.0
    deaths: int = 0
    start_after: float = 0.0
    read_until: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """
    Runs programs until it is told to stop.

    Their output goes straight to files, so that nobody waits for a terminal that is not read; what appears there is
    repeated on ours. `logs` is the directory of the files, `state` the file that names the living processes for
    whoever cleans up after a killed supervisor.
    """

    programs: list[Program]
    logs: Path
    state: Path
    about: dict
    say: Callable[[str], None]
    each_tick: Callable[[], None] = lambda: None
    stopping: int = field(default=0, init=False)

    def run(self) -> None:
        """Start everything, look after it, and return when a signal has stopped it all."""
        previous = {number: signal.signal(number, self._ask_to_stop) for number in _stop_signals()}
        try:
            while not self.stopping:
                for program in self.programs:
                    self._look_after(program)
                # One at a time: what pages come from is ready seconds earlier on a small machine.
                self._start_next()
                self.each_tick()
                time.sleep(TICK)
        finally:
            self._stop_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _ask_to_stop(self, *_signal) -> None:
        self.stopping += 1

    def _look_after(self, program: Program) -> None:
        self._repeat_output(program)
        if program.process is not None and not program.is_alive:
            self._plan_restart(program, time.monotonic())

    def _start_next(self) -> None:
        now = time.monotonic()
        waiting = (program for program in self.programs if program.process is None and now >= program.start_after)
        if program := next(waiting, None):
            self._start(program, now)

    def _plan_restart(self, program: Program, now: float) -> None:
        program.deaths = 1 if now - program.started_at > SETTLED else program.deaths + 1
        pause = min(2 ** (program.deaths - 1), LONGEST_PAUSE)
        self.say(f"{program.name} ended ({_reason(program.process.returncode)}); it starts again in {pause} s.")
        program.start_after = now + pause
        program.process = None

    def _start(self, program: Program, now: float) -> None:
        log = self.logs / f"{program.name}.log"
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            program.read_until = output.tell()
            program.process = subprocess.Popen(
                program.command,
                cwd=program.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for us alone: we pass it on in order.
                start_new_session=True,
                pass_fds=program.keeps_open,
                preexec_fn=_end_with(os.getpid()),
            )
        program.started_at = now
        self._write_state()

    def _repeat_output(self, program: Program) -> None:
        log = self.logs / f"{program.name}.log"
        if not program.started_at or log.stat().st_size <= program.read_until:
            return
        with log.open("rb") as file:
            file.seek(program.read_until)
            text = file.read(64 * 1024)
        whole = text[: text.rfind(b"\n") + 1] or (text if len(text) == 64 * 1024 else b"")
        program.read_until += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self.say(f"{program.name:<10}| {line}")

    def _write_state(self) -> None:
        living = [program.process.pid for program in self.programs if program.is_alive]
        draft = self.state.with_suffix(".new")
        draft.write_text(json.dumps(self.about | {"programs": [identity(pid) for pid in living]}))
        draft.replace(self.state)

    def _stop_all(self) -> None:
        """Stop the first program last: the others may be in the middle of a call to it."""
        for group in (self.programs[1:], self.programs[:1]):
            stop_processes(
                [psutil.Process(program.process.pid) for program in group if program.is_alive],
                impatient=lambda: self.stopping > 1,
            )
            for program in group:
                if program.process is not None:
                    program.process.wait()
                    self._repeat_output(program)
        self.state.unlink(missing_ok=True)


def identity(pid: int) -> tuple[int, float]:
    """A process, told from a later one with the same number."""
    return pid, psutil.Process(pid).create_time()


def living(identities: Iterable[tuple[int, float]]) -> list[psutil.Process]:
    """Those of the processes that still run."""
    found = []
    for pid, created in identities:
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 0.1 and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue  # It has ended, which is what the caller wants to know.
    return found


def stop_processes(processes: list[psutil.Process], *, impatient: Callable[[], bool] = lambda: False) -> None:
    """Ask the processes to end; kill them, and whatever they started, when they do not."""
    family = [child for process in processes for child in _children(process)]
    for process in processes:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    waiting = processes
    while waiting and time.monotonic() < deadline and not impatient():
        _gone, waiting = psutil.wait_procs(waiting, timeout=0.2)
    if waiting:
        kill_processes([*waiting, *family, *(child for process in waiting for child in _children(process))])
        psutil.wait_procs(waiting, timeout=5)


def kill_processes(processes: Iterable[psutil.Process]) -> None:
    """End the processes without asking."""
    for process in processes:
        _signal(process, signal.SIGKILL)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _stop_signals() -> list[signal.Signals]:
    return [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def _end_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it begins on Linux: ask the kernel to end it when its parent is killed."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def before_exec() -> None:
        prctl(*TERMINATE_WITH_PARENT)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
