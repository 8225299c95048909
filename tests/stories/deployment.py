"""A deployment of a test's own: workers, timetable and supervisor as `up` starts them; all end with the test."""

import ctypes
import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import psutil
from redis import Redis, RedisError

from config import programs
from config.supervisor import TERMINATE_WITH_PARENT, Supervisor, living
from tests.gateway import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60
MARK = "DEPLOYMENT_OF_A_STORY"


class Deployment:
    """Workers, one per name of a queue, scheduler and pages, kept alive by the product's own supervisor."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.redis_url = environment["REDIS_URL"]
        self.environment = environment | {MARK: uuid.uuid4().hex}
        self.process: subprocess.Popen | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, queues: Sequence[str], *, pages: socket.socket | None = None) -> None:
        """Start a worker for each name, pages where they get a socket, and wait until the workers listen."""
        web = [str(pages.fileno())] if pages else []
        with (self.folder / "supervisor.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.stories.deployment", str(self.folder), *queues, *web],
                cwd=ROOT,
                env=self.environment,
                pass_fds=[int(name) for name in web],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        assert wait_until(lambda: self._listening() == len(queues), seconds=PATIENCE), self.said()

    def workers(self, queue: str, *, at_work: bool = False) -> list[psutil.Process]:
        """The living workers of a queue, or only those that have forked a work-horse."""
        state = self.folder / "state.json"
        known = json.loads(state.read_text())["programs"] if state.exists() else []
        found = [process for process in living(map(tuple, known)) if queue in process.cmdline()]
        return [process for process in found if _children(process)] if at_work else found

    def horses(self, queue: str) -> list[psutil.Process]:
        """The processes that carry out a job of the queue at this moment."""
        return [child for worker in self.workers(queue) for child in _children(worker)]

    def stop(self) -> None:
        """Ask everything to end, then end what does not, and what a killed worker left behind."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE)
        for process in self._leftovers():
            process.kill()
            process.wait(timeout=10)

    def said(self) -> str:
        """What the programs wrote."""
        return "\n".join(log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log")))

    def _listening(self) -> int:
        try:
            with Redis.from_url(self.redis_url) as redis:
                return redis.scard("rq:workers")
        except RedisError:
            return 0

    def _leftovers(self) -> list[psutil.Process]:
        return [
            process for process in psutil.process_iter() if _environment(process).get(MARK) == self.environment[MARK]
        ]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.Error:
        return []  # Ended meanwhile.


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}  # Ended, or somebody else's.


def main() -> None:
    """Run the programs until a signal, or until the test that wants them dies."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(*TERMINATE_WITH_PARENT)
    folder, *names = sys.argv[1:]
    queues = [name for name in names if not name.isdecimal()]
    Supervisor(
        programs=[
            *(programs.web(int(name)) for name in names if name.isdecimal()),
            *(programs.worker(f"{queue}-{number}", queue) for number, queue in enumerate(queues, 1)),
            programs.scheduler(),
        ],
        logs=Path(folder),
        state=Path(folder) / "state.json",
        about={},
        say=lambda sentence: print(sentence, flush=True),  # noqa: T201 - the log of the story
    ).run()


if __name__ == "__main__":
    main()
