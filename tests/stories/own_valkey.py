"""A Valkey of a story's own, to be frozen, killed and started again without its data."""

import os
import shutil
import signal
from pathlib import Path

from redis import Redis, RedisError

from config import embedded
from config.embedded_places import Places
from tests.gateway import wait_until


class Valkey:
    """The server, in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.url = embedded.redis_url(folder)
        self.start()

    @property
    def home(self) -> Path:
        """Where it keeps its data."""
        return Places(self.folder).home / "valkey"

    def start(self) -> None:
        """Start it, or start it again."""
        embedded.start(self.folder, postgres=False)

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal, such as the one that freezes it."""
        os.kill(int((self.home / "valkey.pid").read_text()), number)

    def kill(self) -> None:
        """Kill it, with everything it knew."""
        self.signal(signal.SIGKILL)
        assert wait_until(lambda: not self._answers(), seconds=5)
        shutil.rmtree(self.home)

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as redis:
                return redis.ping()
        except (OSError, RedisError):
            return False
