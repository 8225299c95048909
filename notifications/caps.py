"""Frequency caps as SQL: when the next message may go to somebody, read from RecentSends."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from customers.choices import CHANNEL_CODES, PURPOSE_CODES, Channel, Purpose
from notifications.choices import CapWindow
from notifications.models import FrequencyCap

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KIND_BITS = 8
KIND_MASK = (1 << KIND_BITS) - 1
# Of each kind so many are remembered whatever their age; no page makes a rule with a higher limit.
KEPT_AT_MOST = 16

# A person's subject is the customer's id. An address gets a negative hash: 63 bits collide once in
# 200,000 shops with ten million addresses, and a collision can only hold a message back.
ADDRESS_SUBJECT = "(-1 - (hashtextextended({channel} || ':' || {address}, 0) & 9223372036854775807))"


def milliseconds(moment: datetime) -> int:
    """A moment as whole milliseconds since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def moment(milliseconds: int) -> datetime:
    """Whole milliseconds since 1970 as a moment in UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def kind(channel: str, purpose: str) -> int:
    """The low bits of an element of RecentSends.sends."""
    return CHANNEL_CODES[Channel(channel)] << 4 | PURPOSE_CODES[Purpose(purpose)]


def pack(at: datetime, *, channel: str, purpose: str) -> int:
    """One element of RecentSends.sends: when, and what kind."""
    return milliseconds(at) << KIND_BITS | kind(channel, purpose)


def rules_for(*, channel: str, purpose: str) -> list[FrequencyCap]:
    """The active rules that hold back messages of this channel and class."""
    if not Purpose(purpose).obeys_caps:
        return []
    return rules_among(FrequencyCap.objects.filter(is_active=True), channel=channel, purpose=purpose)


def rules_among(rules: Iterable[FrequencyCap], *, channel: str, purpose: str) -> list[FrequencyCap]:
    """Those of some rules that hold back messages of this channel and class."""
    return [rule for rule in rules if rule.channel in ("", channel) and rule.purpose in ("", purpose)]


def counted_kinds(rule: FrequencyCap) -> list[int]:
    """The kinds of messages that use up a rule."""
    channels = [Channel(rule.channel)] if rule.channel else list(CHANNEL_CODES)
    purposes = [Purpose(rule.purpose)] if rule.purpose else list(PURPOSE_CODES)
    return [kind(c, p) for c in channels for p in purposes if p.obeys_caps]


def keep_since(rules: Sequence[FrequencyCap], *, now: datetime) -> datetime:
    """The oldest moment that any rule may still ask about."""
    longest = timedelta(days=8)
    for rule in rules:
        span = timedelta(days=rule.window_length)
        longest = max(longest, span, rule.minimum_gap or timedelta(0))
    return now - longest


def frees_at(rules: Sequence[FrequencyCap], *, sends: str, now: datetime, zone: ZoneInfo) -> str:
    """
    SQL for the millisecond at which all rules let the next message pass; NULL if they do now.

    `sends` is the SQL of an array of packed sends, oldest first. The text holds no parameters:
    every value in it is an integer made here.
    """
    moments = []
    for rule in rules:
        kinds = ",".join(str(code) for code in counted_kinds(rule))
        moments.append(_window_frees_at(rule, kinds, sends=sends, now=now, zone=zone))
        if rule.minimum_gap:
            gap = int(rule.minimum_gap.total_seconds() * 1000)
            moments.append(_rolling(1, gap, kinds, sends=sends, now=now))
    if not moments:
        return "NULL::bigint"
    return f"GREATEST({', '.join(moments)})"


def limit_frees_at(limit: int, *, channel: str, sends: str, now: datetime) -> str:
    """SQL for the millisecond at which a provider takes the next message of any class to a number; NULL for now."""
    kinds = ",".join(str(kind(channel, purpose)) for purpose in PURPOSE_CODES)
    return _rolling(limit, 86_400_000, kinds, sends=sends, now=now)


def _window_frees_at(rule, kinds: str, *, sends: str, now: datetime, zone: ZoneInfo) -> str:
    if rule.window == CapWindow.HOURS:
        return _rolling(rule.limit, rule.window_length * 3_600_000, kinds, sends=sends, now=now)
    if rule.window == CapWindow.DAYS:
        return _rolling(rule.limit, rule.window_length * 86_400_000, kinds, sends=sends, now=now)
    begins, ends = calendar_window(rule.window, now=now, zone=zone)
    nth = _nth(rule.limit, milliseconds(begins), kinds, sends=sends)
    return f"CASE WHEN {nth} >= {milliseconds(begins)} THEN {milliseconds(ends)} END"


def _rolling(limit: int, length: int, kinds: str, *, sends: str, now: datetime) -> str:
    oldest = milliseconds(now) - length
    nth = _nth(limit, oldest + 1, kinds, sends=sends)
    return f"CASE WHEN {nth} > {oldest} THEN {nth} + {length} END"


def _nth(limit: int, since: int, kinds: str, *, sends: str) -> str:
    """The limit-th latest send of these kinds; NULL at once where even any kind is too old."""
    last = f"{sends}[cardinality({sends}) - {limit - 1}]"
    return (
        f"(CASE WHEN {last} >= {since << KIND_BITS} THEN"
        f" (SELECT e >> {KIND_BITS} FROM unnest({sends}) AS e"
        f" WHERE e & {KIND_MASK} IN ({kinds}) ORDER BY e DESC OFFSET {limit - 1} LIMIT 1) END)"
    )


def calendar_window(window: str, *, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The shop's calendar day or week (from Monday) that holds a moment: its begin and its end."""
    local = now.astimezone(zone)
    days_in = local.weekday() if window == CapWindow.CALENDAR_WEEK else 0
    length = 7 if window == CapWindow.CALENDAR_WEEK else 1
    first = local.date() - timedelta(days=days_in)
    begins = datetime.combine(first, datetime.min.time(), zone)
    ends = datetime.combine(first + timedelta(days=length), datetime.min.time(), zone)
    return begins, ends
