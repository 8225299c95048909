"""What can be changed in the sandbox gateway while it runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# Faults of every send call, whatever its numbers: HTTP status and answer, or "" for no answer at all.
FAULTS = {
    "": "",
    "down": "503 before anything is accepted",
    "drop": "the connection drops before anything is accepted",
    "error_after": "500 after everything was accepted",
    "drop_after": "the connection drops after everything was accepted",
    "throttled": "429, nothing accepted",
    "no_balance": "402, nothing accepted",
    "bad_key": "401, nothing accepted",
    "content_refused": "422, nothing accepted",
}
LONGEST_MS = 600_000


class BadSetting(ValueError):
    """A setting that does not exist or has a value it cannot have."""


@dataclass(slots=True)
class Settings:
    """The gateway's temper."""

    # How long an answer to a send call takes, after its messages were accepted.
    latency_ms: int = 0
    # A receipt follows after this time, plus up to the jitter.
    receipt_delay_ms: int = 1000
    receipt_jitter_ms: int = 1000
    # False holds all receipts back until it is True again.
    receipts: bool = True
    # False accepts the same call a second time, as Aliyun does.
    idempotent: bool = True
    # When set, every call must bring it; a change is a key rotation.
    api_key: str = ""
    fault: str = ""

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change settings, all or none. Raises BadSetting."""
        known = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        if not isinstance(changes, Mapping):
            raise BadSetting("Settings are a JSON object.")
        for name, value in changes.items():
            if name not in known:
                raise BadSetting(f"There is no setting {name!r}; there are {', '.join(known)}.")
            if type(value) is not known[name]:
                raise BadSetting(f"{name} must be of type {known[name].__name__}.")
            if known[name] is int and not 0 <= value <= LONGEST_MS:
                raise BadSetting(f"{name} must be from 0 to {LONGEST_MS} milliseconds.")
        if changes.get("fault", "") not in FAULTS:
            raise BadSetting(f"fault must be one of {', '.join(filter(None, FAULTS))}, or empty.")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """All settings for a reader; the key is only said to be there."""
        return asdict(self) | {"api_key": "***" if self.api_key else ""}

    def receipt_seconds(self, chance: float) -> float:
        """How long after acceptance a receipt follows, for a chance from 0 to 1."""
        return (self.receipt_delay_ms + self.receipt_jitter_ms * chance) / 1000
