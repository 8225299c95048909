"""Servers of one benchmark alone, as durable as a shop's, and what a process must know to reach them."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import embedded
from config.embedded_places import Places

ROOT = Path(__file__).resolve().parent.parent.parent
VAR = ROOT / "var"


@contextmanager
def own() -> Iterator[Path]:
    """Start PostgreSQL and Valkey on the disk that a shop's would use, and remove them in the end."""
    VAR.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="benchmark-", dir=VAR))
    place.chmod(VAR.stat().st_mode & 0o777)
    try:
        embedded.start(place)
        yield place
    finally:
        embedded.stop(place)
        places = Places(place)
        for folder in (places.sockets.parent, places.home, place):
            shutil.rmtree(folder, ignore_errors=True)


def environment(place: Path, *, settings: str) -> dict[str, str]:
    """The environment of every process of a benchmark."""
    return dict(os.environ) | {
        "DJANGO_SETTINGS_MODULE": settings,
        "DATABASE_URL": embedded.database_url(place),
        "REDIS_URL": embedded.redis_url(place),
        "SECRET_KEY": "only-for-benchmarks-" + "0123456789" * 5,
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "PUBLIC_URL": "http://localhost:8000",
        "HASHED_STATIC_FILES": "0",
        "REQUIRE_SECOND_FACTOR": "0",
        "UPLOADS": str(place / "uploads"),
        "LOG_LEVEL": "WARNING",
    }


def clean_up_when_told_to_end() -> None:
    """Leave on SIGTERM as on Ctrl-C: through every `finally`, so that no server stays behind."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
