"""The time of the deployment, for a process that knows no Django."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg

logger = logging.getLogger(__name__)

FRESH_SECONDS = 0.2
PATIENCE_SECONDS = 0.25
PAUSE_AFTER_FAILURE_SECONDS = 2.0


class DeploymentClock:
    """
    PostgreSQL's hongyan_now(), asked at most five times a second and only when somebody asks.

    The answer is kept as an offset to this machine's time, so that a database which is down or
    frozen costs nobody more than a quarter of a second, and no jump in the ledger.
    """

    def __init__(self, database_url: str | None):
        self._database_url = database_url
        self._offset = timedelta(0)
        self._fresh_until = float("-inf")
        self._wanted = threading.Event()
        self._answered = threading.Condition()
        if database_url:
            threading.Thread(target=self._keep_asking, name="clock", daemon=True).start()

    def now(self) -> datetime:
        """The deployment's time, in UTC."""
        if self._database_url and time.monotonic() > self._fresh_until:
            with self._answered:
                self._wanted.set()
                self._answered.wait(PATIENCE_SECONDS)
        return datetime.now(UTC) + self._offset

    def _keep_asking(self) -> None:
        while True:
            try:
                with psycopg.connect(self._database_url, autocommit=True, connect_timeout=2) as connection:
                    while True:
                        self._wanted.wait()
                        self._wanted.clear()
                        self._ask(connection)
            except psycopg.Error as failure:
                # Not there yet, being migrated, or gone: the last offset holds until it is back.
                logger.warning("The deployment's clock is out of reach: %s", type(failure).__name__)
                self._note(fresh_seconds=PAUSE_AFTER_FAILURE_SECONDS)
                time.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    def _ask(self, connection: psycopg.Connection) -> None:
        before = datetime.now(UTC)
        (theirs,) = connection.execute("SELECT hongyan_now()").fetchone()
        self._offset = theirs - before
        self._note(fresh_seconds=FRESH_SECONDS)

    def _note(self, *, fresh_seconds: float) -> None:
        with self._answered:
            self._fresh_until = time.monotonic() + fresh_seconds
            self._answered.notify_all()
