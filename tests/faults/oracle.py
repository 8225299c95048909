"""The oracle: holds the gateway's ledger against the database, and names every promise that was broken."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Sum

from customers import clock
from customers.choices import Purpose
from notifications.choices import CapWindow
from notifications.models import Delivery, DeliveryTally, FrequencyCap, Submission
from notifications.services.progress import progress

# What one provider call may take at most; a message under way when an opt-out is saved still arrives within it.
ONE_CALL = timedelta(seconds=20)
AT_MOST = {Purpose.MARKETING: 1, Purpose.CARE: 1, Purpose.SERVICE: 3, Purpose.TRANSACTIONAL: 3}
HANDED_OVER = {"sent", "delivered", "undelivered", "unknown"}
SURELY_TAKEN = {"sent", "delivered", "undelivered"}
ROLLING = {CapWindow.HOURS: timedelta(hours=1), CapWindow.DAYS: timedelta(days=1)}


@dataclass(frozen=True)
class Entry:
    """One message that a gateway took: when, to whom, and the token of the call that brought it."""

    at: datetime
    number: str
    token: str


@dataclass(frozen=True)
class Sent:
    """An entry of a ledger with what the database knows of it."""

    entry: Entry
    delivery_id: int
    occasion: str
    purpose: str
    channel: str
    status: str
    called_at: datetime


def of_sandbox(lines: Iterable[dict]) -> list[Entry]:
    """The ledger of the sandbox gateway."""
    return [Entry(datetime.fromisoformat(it["time"]), it["number"], it["call_reference"]) for it in lines]


def of_aliyun(lines: Iterable[dict]) -> list[Entry]:
    """The ledger of a local Aliyun."""
    return [Entry(datetime.fromtimestamp(it["at"], UTC), it["number"], it["out_id"]) for it in lines]


def of_tencent(lines: Iterable[dict]) -> list[Entry]:
    """The ledger of a local Tencent Cloud."""
    return [Entry(datetime.fromtimestamp(it["at"], UTC), it["number"], it["session"]) for it in lines]


def violations(
    ledger: Iterable[Entry],
    *,
    audience: Mapping[int, int],
    opted_out: Mapping[str, datetime] | None = None,
    all_reached: bool = False,
) -> list[str]:
    """
    Every broken promise as a sentence; none where all were kept.

    `audience` is how many people each message (by id) was for. `opted_out` is when the opt-out of
    a number was saved. `all_reached`: the gateway worked long enough for everything to go out.
    """
    found, strangers = _known(ledger)
    return [
        *strangers,
        *_handed_over_too_often(found),
        *_sums(audience),
        *_states(found),
        *_caps(found),
        *_after_opt_out(found, opted_out or {}),
        *_still_at_it(),
        *(_not_reached(found) if all_reached else []),
    ]


def satisfied(ledger: Iterable[Entry], **conditions) -> None:
    """Raise AssertionError with the first broken promises."""
    broken = violations(ledger, **conditions)
    assert not broken, "\n".join(broken[:20])


def _known(ledger: Iterable[Entry]) -> tuple[list[Sent], list[str]]:
    """The entries with their deliveries, and a sentence for each that nobody here can have sent."""
    calls = {token.hex: (message, at) for token, message, at in
             Submission.objects.exclude(token=None).values_list("token", "message_id", "called_at")}  # fmt: skip
    rows = {
        (message, address): rest
        for message, address, *rest in Delivery.objects.exclude(address="").values_list(
            "message_id", "address", "id", "occasion", "message__purpose", "message__channel", "status"
        )
    }
    found, strangers = [], []
    for entry in ledger:
        message, called_at = calls.get(entry.token, (None, None))
        row = rows.get((message, entry.number))
        if row is None or called_at is None:
            strangers.append(f"The ledger holds {entry.number} of a call {entry.token[:8]} that nobody made.")
        else:
            found.append(Sent(entry, *row, called_at))
    return found, strangers


def _handed_over_too_often(found: list[Sent]) -> list[str]:
    times = Counter((sent.occasion, sent.entry.number, sent.purpose) for sent in found)
    return [
        f"{number} got {count} messages of {occasion} ({purpose})."
        for (occasion, number, purpose), count in times.items()
        if count > AT_MOST[Purpose(purpose)]
    ]


def _sums(audience: Mapping[int, int]) -> list[str]:
    broken = []
    for message_id, expected in audience.items():
        rows = Counter(Delivery.objects.filter(message_id=message_id).values_list("status", flat=True))
        tallied = dict(
            DeliveryTally.objects.filter(message_id=message_id)
            .values_list("status")
            .annotate(total=Sum("count"))
            .exclude(total=0)
        )
        shown = progress([message_id], now=clock.now())
        if rows.total() != expected:
            broken.append(f"Message {message_id} was for {expected} people and has {rows.total()} deliveries.")
        if dict(rows) != tallied:
            broken.append(f"Message {message_id}: the rows say {dict(rows)}, the tally {tallied}.")
        if shown.total != expected or sum(part.count for part in shown.parts) != expected:
            broken.append(f"Message {message_id}: the page adds up to {shown.total}, not {expected}.")
    return broken


def _states(found: list[Sent]) -> list[str]:
    broken = [
        f"{sent.entry.number} is in the ledger of {sent.occasion}, and its delivery is {sent.status}."
        for sent in found
        if sent.status not in HANDED_OVER
    ]
    in_ledger = {sent.delivery_id for sent in found}
    invented = [
        f"Delivery {id} is {status}, and no gateway has it."
        for id, status in Delivery.objects.filter(status__in=SURELY_TAKEN).values_list("id", "status")
        if id not in in_ledger
    ]
    return broken + invented


def _caps(found: list[Sent]) -> list[str]:
    """The caps, recomputed from the times in the ledger."""
    return [sentence for rule in FrequencyCap.objects.filter(is_active=True) for sentence in _cap(rule, found)]


def _cap(rule: FrequencyCap, found: list[Sent]) -> list[str]:
    by_number: dict[str, list[datetime]] = defaultdict(list)
    for sent in found:
        counts = Purpose(sent.purpose).obeys_caps and rule.purpose in ("", sent.purpose)
        if counts and rule.channel in ("", sent.channel):
            by_number[sent.entry.number].append(_moment(sent))
    broken = []
    for number, moments in by_number.items():
        moments.sort()
        if _most_in_a_window(rule, moments) > rule.limit:
            broken.append(f"{number} got more than {rule} allows: {[at.isoformat() for at in moments]}.")
    return broken


def _moment(sent: Sent) -> datetime:
    """When a message counts: its call's moment, which its ledger time must not belie by more than a call."""
    is_its_call = timedelta(seconds=-1) <= sent.entry.at - sent.called_at <= ONE_CALL
    return sent.called_at if is_its_call else sent.entry.at


def _most_in_a_window(rule: FrequencyCap, moments: list[datetime]) -> int:
    if rule.window in ROLLING:
        span = ROLLING[rule.window] * rule.window_length
        return max(sum(at <= other < at + span for other in moments) for at in moments)
    days = [at.astimezone(clock.shop_zone()).date() for at in moments]
    periods = {
        CapWindow.CALENDAR_DAY: lambda day: day,
        CapWindow.CALENDAR_WEEK: lambda day: day.isocalendar()[:2],
    }
    return max(Counter(map(periods[rule.window], days)).values())


def _after_opt_out(found: list[Sent], opted_out: Mapping[str, datetime]) -> list[str]:
    return [
        f"{sent.entry.number} opted out at {opted_out[sent.entry.number]} and got a message at {sent.entry.at}."
        for sent in found
        if sent.entry.number in opted_out and sent.purpose in (Purpose.MARKETING, Purpose.CARE)
        if sent.entry.at > opted_out[sent.entry.number] + ONE_CALL
    ]


def _still_at_it() -> list[str]:
    left = Counter(Submission.objects.filter(status__in=["leased", "called"]).values_list("status", flat=True))
    return [f"{count} submissions are still {status}." for status, count in left.items()]


def _not_reached(found: list[Sent]) -> list[str]:
    """Transactional and service messages that never went out although they could."""
    in_ledger = {sent.delivery_id for sent in found}
    wanted = Delivery.objects.filter(message__purpose__in=[Purpose.TRANSACTIONAL, Purpose.SERVICE]).exclude(
        status__in=["skipped", "canceled"]
    )
    return [f"Delivery {id} never went out." for id in wanted.values_list("id", flat=True) if id not in in_ledger]
