"""How log lines look: no phone numbers and no secrets of callback addresses, whoever wrote them."""

import logging
import re

PHONE_NUMBER = re.compile(r"(?<!\d)((?:\+?86)?1[3-9]\d)\d{4}(\d{4})(?!\d)")

CALLBACK_SECRET = re.compile(r"(/callbacks/)[^/\s]+")


class DiscreetFormatter(logging.Formatter):
    """Hides the middle of mainland mobile numbers, and whom a callback is for, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """The finished line."""
        line = PHONE_NUMBER.sub(r"\1****\2", super().format(record))
        return CALLBACK_SECRET.sub(r"\1…", line)
