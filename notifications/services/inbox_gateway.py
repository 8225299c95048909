"""The inbox as a gateway: a call writes the items, and what is written has arrived."""

from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError, connection
from psycopg.types.json import Jsonb

from customers.msgid import _
from notifications.providers.base import (
    Answer,
    Asked,
    NotFound,
    Outcome,
    Outgoing,
    RegisteredText,
    Replies,
    Reports,
    Withheld,
    nobody,
)
from notifications.providers.verdicts import for_all

NOT_WRITTEN = _("The inbox could not be written; the message waits and is tried again.")
NO_ANSWER = _("The inbox could not be looked into.")
NOBODYS = _("A test has no inbox: it belongs to no customer.")

# Written once per delivery, however often it is called.
WRITE = """
WITH told AS (
    SELECT * FROM jsonb_to_recordset(%s) AS told(id bigint, subject text, body text)
), written AS (
    INSERT INTO notifications_inboxitem (delivery_id, customer_id, subject, body, created_at)
    SELECT told.id, d.customer_id, told.subject, told.body, hongyan_now()
    FROM told JOIN notifications_delivery d ON d.id = told.id
    WHERE d.customer_id IS NOT NULL ORDER BY told.id
    ON CONFLICT (delivery_id) DO NOTHING
)
SELECT told.id FROM told JOIN notifications_delivery d ON d.id = told.id WHERE d.customer_id IS NOT NULL
"""
FIND = "SELECT delivery_id FROM notifications_inboxitem WHERE delivery_id = ANY(%s)"
LONGEST_SUBJECT = 120


class InboxGateway:
    """
    Our own tables behind the face of a provider.

    Each call has a connection of its own: its thread has none, and what it wrote stays written
    whatever becomes of the transaction in which the worker settles it.
    """

    needs_registered_text = False
    can_tell_not_found = True
    acknowledgement = b""

    def __init__(self, *, batch_size: int):
        self.batch_size = batch_size

    def close(self) -> None:
        """Nothing is kept between calls."""

    def send(
        self,
        batch: Sequence[Outgoing],
        *,
        call_reference: str,
        registered: RegisteredText | None = None,
        withheld: Withheld = nobody,
    ) -> list[Answer]:
        """Write the items; answers in the order of the batch."""
        told = [
            {"id": _id(one.reference), "subject": one.subject[:LONGEST_SUBJECT], "body": one.text} for one in batch
        ]
        found = _ask(WRITE, [Jsonb(told)])
        if found is None:
            return for_all([one.reference for one in batch], (Outcome.REFUSED_LATER, "not_written", NOT_WRITTEN))
        return [
            Answer(one.reference, Outcome.TAKEN, "", "", "", delivered=True)
            if _id(one.reference) in found
            else Answer(one.reference, Outcome.REFUSED_NUMBER, "", "no_customer", NOBODYS)
            for one in batch
        ]

    def query(self, asked: Sequence[Asked]) -> list[Answer | NotFound]:
        """Look whether the items of a call that was lost were written."""
        found = _ask(FIND, [[_id(one.reference) for one in asked]])
        if found is None:
            return for_all([one.reference for one in asked], (Outcome.UNKNOWN, "no_answer", NO_ANSWER))
        return [
            Answer(one.reference, Outcome.TAKEN, "", "", "", delivered=True)
            if _id(one.reference) in found
            else NotFound(one.reference)
            for one in asked
        ]

    def read_reports(self, body: bytes) -> Reports:
        """Nobody pushes anything."""
        return Reports([], [])

    def read_replies(self, body: bytes) -> Replies:
        """Nobody pushes anything."""
        return Replies([], [])


def _id(reference: str) -> int:
    """The delivery that a reference names."""
    return int(reference.rpartition("-")[2])


def _ask(statement: str, parameters: list) -> set[int] | None:
    """The ids that a statement answers, committed; None where PostgreSQL does not answer."""
    link = connection.copy()
    link.inc_thread_sharing()
    try:
        with link.cursor() as cursor:
            cursor.execute(statement, parameters)
            return {row[0] for row in cursor.fetchall()}
    except (DatabaseError, InterfaceError):
        return None
    finally:
        link.close()
