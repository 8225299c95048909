"""The sandbox gateway as its own process, and its ledger."""

import os
import subprocess
import sys
import time
from pathlib import Path

import requests


class Gateway:
    """A running sandbox gateway."""

    def __init__(self, directory: Path, *arguments: str, environment: dict[str, str] | None = None):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.sandbox_gateway", "--port", "0", "--directory", str(directory), *arguments],
            cwd=Path(__file__).resolve().parent.parent,
            env=environment or dict(os.environ),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._address()

    def _address(self) -> str:
        for line in self.process.stdout:
            for word in line.split():
                if word.startswith("http://"):
                    return word.rstrip("/.")
        raise RuntimeError("The sandbox gateway did not start.")

    @property
    def host(self) -> str:
        """What GATEWAY_PRIVATE_HOSTS must name."""
        return self.url.removeprefix("http://")

    def ledger(self) -> list[dict]:
        """Every message the gateway accepted."""
        found, after = [], 0
        while True:
            page = requests.get(f"{self.url}/ledger.json", params={"after": after}, timeout=10).json()
            found += page["messages"]
            if not page["messages"] or page["next"] is None or page["next"] == after:
                return found
            after = page["next"]

    def numbers(self) -> list[str]:
        """The numbers of the ledger, with repetitions."""
        return [entry["number"] for entry in self.ledger()]

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(timeout=10)


def wait_until(condition, *, seconds: float = 30, every: float = 0.1) -> bool:
    """Whether a condition came true in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(every)
    return False
