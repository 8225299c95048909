"""How log lines look: no phone numbers, whoever wrote them."""

import logging
import re

PHONE_NUMBER = re.compile(r"(?<!\d)((?:\+?86)?1[3-9]\d)\d{4}(\d{4})(?!\d)")


class DiscreetFormatter(logging.Formatter):
    """Hides the middle of mainland mobile numbers, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """The finished line."""
        return PHONE_NUMBER.sub(r"\1****\2", super().format(record))
