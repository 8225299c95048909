"""What every test stands on: real PostgreSQL and Valkey, the session's own, and the marks of slow tests."""

import fcntl
import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import django
import pytest
from django.apps import apps
from django.db.models.signals import post_migrate
from redis import Redis

from config import embedded
from config.embedded_places import Places

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def _own_servers() -> Path:
    """
    Start PostgreSQL and Valkey for this session alone, and lock their directory until it ends.

    The next session takes the directory over, with whatever a killed one left running: nothing piles up, and
    sessions that run side by side never see each other's rows or queues.
    """
    for number in count(1):
        place = ROOT / "var" / "tests" / str(number)
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
        lock = (place / "session").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        LOCKS.append(lock)
        embedded.start(place, durable=False)
        return place


# The lock lasts as long as the open file.
LOCKS: list = []
SERVERS = _own_servers()
# Never the servers of the environment: stories wipe the queue.
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DATABASE_URL": embedded.database_url(SERVERS),
    "REDIS_URL": embedded.redis_url(SERVERS),
    "SECRET_KEY": "only-for-tests-" + "0123456789" * 5,
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "PUBLIC_URL": "http://localhost:8000",
    "HASHED_STATIC_FILES": "0",
    "REQUIRE_SECOND_FACTOR": "0",
    "UPLOADS": str(SERVERS / "uploads"),
    # Every test client reads the whole directory anew: with the files of `make up` that is 0.2 s each.
    "STATIC_ROOT": str(SERVERS / "static"),
    "LAST_SEEN_FILE": str(SERVERS / "last_seen.json"),
    "LOG_LEVEL": "WARNING",
}
# The plugin sets Django up only where the settings are known before this file is read.
django.setup()


def _rows_of_migrations(**kwargs) -> None:
    """
    Bring back what migrations wrote into the tables, after a test with transactions of its own emptied them.

    Django's serialized rollback would save every permission anew, one by one, before each such test.
    """
    words = importlib.import_module("customers.migrations.0008_order_words_and_history")
    layouts = importlib.import_module("customers.migrations.0011_bundled_layouts")
    words.load_words(apps, None)
    layouts.bring_in(apps, None)


post_migrate.connect(_rows_of_migrations, sender=apps.get_app_config("customers"))


def pytest_unconfigure() -> None:
    """Stop the session's servers; their files stay, which makes the next start quick."""
    embedded.stop(SERVERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run; on the build machine a missing browser is a failure."""
    for item in items:
        if "real_data" in item.keywords and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the shop's real files are not beside this repository"))
        if "browser" in item.keywords and not BROWSER and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(autouse=True)
def quick_passwords(settings) -> None:
    """Hash passwords in no time; the real hash takes half a second of each log-in."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory of real files beside the repository."""
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium."""
    if not BROWSER:
        pytest.fail("Chromium is not installed. Run: apt-get install chromium fonts-noto-cjk")
    return BROWSER


@pytest.fixture(scope="session")
def remove_servers() -> Callable[[Path], None]:
    """Stops the servers of a folder and removes their files, also those that root's servers keep elsewhere."""

    def remove(var: Path) -> None:
        embedded.stop(var)
        places = Places(var)
        for directory in (places.sockets.parent, places.home):
            shutil.rmtree(directory)

    return remove


@pytest.fixture(scope="session")
def servers() -> Path:
    """The directory of the session's own PostgreSQL and Valkey."""
    return SERVERS


@pytest.fixture
def process_environment(transactional_db, settings) -> dict[str, str]:
    """The environment for processes that a test starts: they see the test's database, not an empty one."""
    name = settings.DATABASES["default"]["NAME"]
    url = embedded.database_url(SERVERS).replace(f"/{embedded.DATABASE}?", f"/{name}?")
    return dict(os.environ, DATABASE_URL=url)


@pytest.fixture
def empty_queue() -> Iterator[Redis]:
    """A queue without yesterday's jobs, and the client to look into it."""
    with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        redis.flushall()
        yield redis
        redis.flushall()
