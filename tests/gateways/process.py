"""A gateway of tests as a process of its own: started, steered while it runs, and ended."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import requests

from tests.gateways import ledger

ROOT = Path(__file__).resolve().parent.parent.parent
# Longer than anything here should take, shorter than anybody's patience.
PATIENCE = 20


class GatewayProcess:
    """A gateway that runs as `python -m module` and prints its address as the last word of its first line."""

    module: str

    def __init__(self, directory: Path, *, port: int = 0, **script):
        self.path = directory / "ledger.jsonl"
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, "--port", str(port), "--directory", str(directory)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().split()[-1]
        self.host = self.url.removeprefix("http://")
        self.set(**script)

    def set(self, **changes) -> dict:
        """Change the script; answers the whole of it, with the number of calls by action."""
        with requests.Session() as session:
            # No proxy of the environment knows this machine's ports.
            session.trust_env = False
            answer = session.put(f"{self.url}/test/script", data=json.dumps(changes).encode(), timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ledger(self) -> list[dict]:
        """Every message that was taken."""
        return ledger.read(self.path)

    def stop(self) -> int:
        """End the process, and tell how it ended."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code
