"""`make up` and `make down` for a stranger: a fresh folder, and a kill in the middle."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config.supervisor import living

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 90

pytestmark = [pytest.mark.stories, pytest.mark.slow]


class Shop:
    """A folder with the code of this one and nothing else, run as a stranger would."""

    def __init__(self, folder: Path):
        self.folder = folder
        left_out = shutil.ignore_patterns("var", ".venv", ".git", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, folder, ignore=left_out)
        self.environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment |= {"DEMO": "0", "PYTHONUNBUFFERED": "1"}
        self.output = folder.parent / "output"

    def up(self, **variables: str) -> subprocess.Popen:
        """Start everything and wait for the address."""
        with self.output.open("w") as output:
            process = self.manage("up", stdout=output, stderr=output, **variables)
        eventually(lambda: "鸿雁 is ready" in self.said() or process.poll() is not None)
        assert process.poll() is None, self.said()
        return process

    def manage(self, command: str, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **variables: str):
        """Start one command."""
        return subprocess.Popen(
            [sys.executable, "manage.py", command],
            cwd=self.folder,
            env=self.environment | variables,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def down(self) -> str:
        """Stop everything; what it said."""
        return self.manage("down").communicate(timeout=PATIENCE)[0]

    def said(self) -> str:
        """What stands on the terminal."""
        return self.output.read_text()

    def address(self) -> str:
        """Where it serves."""
        return json.loads((self.folder / "var" / "up.json").read_text())["address"]

    def workers(self) -> list[psutil.Process]:
        """The workers that `up` looks after; what they fork for a job is not among them."""
        programs = json.loads((self.folder / "var" / "up.json").read_text())["programs"]
        return [process for process in living(map(tuple, programs)) if "rqworker" in process.cmdline()]

    def processes(self) -> list[psutil.Process]:
        """Everything that runs from the folder."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE
            if str(self.folder) in " ".join(process.info["cmdline"] or []) or self._works_below(process)
        ]

    def _works_below(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()).is_relative_to((self.folder / "var" / "servers").resolve())
        except psutil.Error:
            return False


@pytest.fixture(scope="module")
def shop(tmp_path_factory, remove_servers) -> Iterator[Shop]:
    """A shop in a folder with a space in its name."""
    shop = Shop(tmp_path_factory.mktemp("up") / "my shop")
    yield shop
    shop.down()
    remove_servers(shop.folder / "var")


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait for something that other processes do."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "It never came."
        time.sleep(0.2)


def answer(url: str) -> tuple[int, str]:
    """Status and body of a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_a_stranger_gets_a_working_deployment(shop):
    shop.up()

    assert "Log in as admin with the password" in shop.said()
    assert answer(f"{shop.address()}/admin/login/")[0] == 200
    eventually(lambda: answer(f"{shop.address()}/readyz")[0] == 200)


def test_a_second_start_is_refused_with_the_address_of_the_first(shop):
    said, _nothing = shop.manage("up").communicate(timeout=PATIENCE)

    assert shop.address() in said and "make down" in said


def test_a_killed_worker_is_started_again(shop):
    eventually(lambda: len(shop.workers()) == 4)

    shop.workers()[0].kill()

    eventually(lambda: "it starts again" in shop.said())
    eventually(lambda: len(shop.workers()) == 4)


def test_killed_servers_are_started_again(shop):
    home = shop.folder / "var" / "servers"
    for note in (home / "postgres" / "data" / "postmaster.pid", home / "valkey" / "valkey.pid"):
        os.kill(int(note.read_text().split()[0]), signal.SIGKILL)

    eventually(lambda: "An embedded server has ended" in shop.said())
    eventually(lambda: answer(f"{shop.address()}/readyz")[0] == 200)


def test_a_killed_up_is_cleaned_away_by_the_next_one(shop):
    number, _created = json.loads((shop.folder / "var" / "up.lock").read_text())
    os.kill(number, signal.SIGKILL)

    again = shop.up()

    assert "(shown only this once)" not in shop.said()
    again.send_signal(signal.SIGINT)
    again.wait(timeout=PATIENCE)
    assert "Everything is stopped." in shop.said()
    assert shop.processes() == []


def test_down_stops_what_a_killed_up_left_running(shop):
    process = shop.up()
    process.kill()
    process.wait()

    assert "Everything is stopped." in shop.down()
    assert shop.processes() == []
    assert "Nothing was running." in shop.down()


def test_a_port_that_is_taken_is_told_in_a_sentence(shop):
    with socket.create_server(("127.0.0.1", 0)) as other:
        said, _nothing = shop.manage("up", PORT=str(other.getsockname()[1])).communicate(timeout=PATIENCE)

    assert "is taken" in said and "Traceback" not in said


def test_a_database_that_does_not_answer_is_told_in_a_sentence(shop):
    elsewhere = {"DATABASE_URL": "postgresql://hongyan:hunter2@127.0.0.1:1/hongyan", "SECRET_KEY": "0123456789" * 5}
    said, _nothing = shop.manage("up", **elsewhere).communicate(timeout=PATIENCE)

    assert "DATABASE_URL: PostgreSQL does not answer" in said
    assert "Traceback" not in said and "hunter2" not in said
