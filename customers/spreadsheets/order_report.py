"""Writes what was read of each row of an order file, in the columns that reports are compared by."""

import csv
from typing import TextIO

from customers.spreadsheets.order_rows import SKIP, OrderRow

HEAD = ("order_no", "status", "phone", "phone_problem", "created", "paid_at", "total", "paid", "refund", "meaning")


class Report:
    """A growing report; `status` is the platform's word, `meaning` ours, empty where it is not understood."""

    def __init__(self, handle: TextIO):
        self._writer = csv.writer(handle)
        self._writer.writerow(HEAD)
        self._first: OrderRow | None = None

    def add(self, row: OrderRow) -> None:
        """Write one row; the further rows of an order that say nothing of it repeat what its first one said."""
        if row.outcome == SKIP:
            return
        first = self._first
        if row.status is None and first and (first.platform, first.order_number) == (row.platform, row.order_number):
            row = first._replace(number=row.number)
        else:
            self._first = row
        total = row.sub_total if row.total is None else row.total
        moments = ["" if at is None else f"{at:%Y-%m-%d %H:%M:%S}" for at in (row.ordered_at, row.paid_at)]
        amounts = ["" if amount is None else str(amount) for amount in (total, row.paid, row.refund)]
        self._writer.writerow(
            [row.order_number, row.status_text, row.phone, row.reason, *moments, *amounts, row.status or ""]
        )
