"""How long a limit lasts that a provider names by its code: a try before it is over is refused for sure."""

from datetime import datetime, timedelta
from enum import StrEnum

from notifications.providers.json_values import CHINA

MARKETING_OPENS = 8


class Rest(StrEnum):
    """What the next try waits for."""

    # The account's own limit for a day or a month: one try an hour costs nothing, and finds out by itself
    # that staff have raised the limit in the provider's console.
    ACCOUNT = "account"
    # The hours of marketing: others of the account may go on.
    MARKETING_HOURS = "marketing_hours"


def ends_at(rest: Rest, *, now: datetime) -> datetime:
    """When the next try is worth its call."""
    local = now.astimezone(CHINA)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    if rest is Rest.ACCOUNT:
        return min(midnight, now + timedelta(hours=1))
    opens = local.replace(hour=MARKETING_OPENS, minute=0, second=0, microsecond=0)
    return opens if opens > local else opens + timedelta(days=1)
