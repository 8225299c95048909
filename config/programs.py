"""The command lines of a deployment, the same wherever it is started."""

import sys
from pathlib import Path

from config.supervisor import Program

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]


def web(listener: int) -> Program:
    """The pages, on a socket that is open already."""
    gunicorn = [
        *("-m", "gunicorn", "config.wsgi", "--bind", f"fd://{listener}", "--workers", "2", "--threads", "4"),
        *("--timeout", "60", "--graceful-timeout", "10", "--no-control-socket", "--log-level", "warning"),
    ]
    return Program("web", [sys.executable, *gunicorn], ROOT, keeps_open=(listener,))


def worker(name: str, queue: str) -> Program:
    """One worker of one queue: on two, RQ loses a job when it dies between taking and noting it."""
    return Program(name, [*MANAGE, "rqworker", queue, "--verbosity", "0"], ROOT)


def scheduler() -> Program:
    """The timetable."""
    return Program("scheduler", [*MANAGE, "rqcron", "config.cron", "--logging-level", "WARNING"], ROOT)


def watch() -> Program:
    """The one that tells staff when the others fail."""
    return Program("watch", [*MANAGE, "watch"], ROOT)


def gateway(port: int, mail_port: int, directory: Path) -> Program:
    """The sandbox gateway and its mail server, with their ledger in a directory."""
    ports = ["--port", str(port), "--mail-port", str(mail_port)]
    command = ["-m", "config.sandbox_gateway", *ports, "--directory", str(directory)]
    return Program("gateway", [sys.executable, *command], ROOT)
