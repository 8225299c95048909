"""How many customers a segment holds: exact while that is quick, estimated and said so when it is not."""

import json
from dataclasses import dataclass

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from psycopg.errors import QueryCanceled

# The number stands beside the conditions while staff click them; nobody waits longer for it.
PATIENCE_MILLISECONDS = 3000


@dataclass(frozen=True)
class Count:
    """A number of customers; `is_exact` is False where PostgreSQL's planner guessed it."""

    number: int
    is_exact: bool


class TooSlow(Exception):
    """The database did not answer within the patience of a page."""


def count(people: QuerySet, *, patience: int = PATIENCE_MILLISECONDS) -> Count:
    """Count exactly, or estimate when counting takes longer than `patience` milliseconds."""
    try:
        return Count(within(patience, people.order_by().count), is_exact=True)
    except TooSlow:
        return Count(_guess(people), is_exact=False)


def within(patience: int, question):
    """Ask the database something with a limit in milliseconds. Raises TooSlow."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            before = cursor.fetchone()[0]
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(patience)])
            answer = question()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
            return answer
    except OperationalError as refusal:
        if isinstance(refusal.__cause__, QueryCanceled):
            raise TooSlow from refusal
        raise


def _guess(people: QuerySet) -> int:
    """The planner's number of rows."""
    plan = json.loads(people.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])
