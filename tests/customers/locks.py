"""Two people at once: what the second one does while the first is not done yet."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from tests.gateway import wait_until


def somebody_waits() -> bool:
    """Whether a statement is held up by another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


def at_once(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """What two people get of whom the second comes before the first one's work is committed."""
    answers: list[Any] = []

    def come_second() -> None:
        try:
            answers.append(second())
        finally:
            connection.close()

    with transaction.atomic():
        answer = first()
        other = threading.Thread(target=come_second)
        other.start()
        wait_until(lambda: somebody_waits() or not other.is_alive())
    other.join(30)
    return answer, answers[0]
