"""`manage.py watch`: tells staff what is wrong, also when nothing else runs."""

import logging
import signal
import threading

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections, connection

from config import watching

logger = logging.getLogger(__name__)
EVERY_SECONDS = 10
# After a start of everything the workers get this long before somebody is told that there are none.
FIRST_AFTER_SECONDS = 60


class Command(BaseCommand):
    """Look every few seconds until a signal."""

    help = "Raises alerts and sends them to the alert channels; run exactly one."

    def handle(self, **options) -> None:
        """Look, wait, and look again; a database that is away for a moment ends nothing."""
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_signal: stopping.set())
        pause = FIRST_AFTER_SECONDS
        while not stopping.wait(pause):
            pause = EVERY_SECONDS
            close_old_connections()
            try:
                watching.look()
            except DatabaseError as trouble:
                logger.warning("The watch sees nothing: %s", trouble)
                connection.close()
