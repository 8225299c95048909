"""Estimates: whom a message will reach, who is left out and why, and what it will cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.functional import Promise

from customers import clock
from customers.models import Customer
from notifications import caps, personal, rendering, screening
from notifications.choices import CapPolicy
from notifications.models import Template
from notifications.rendering import VARIABLES, Length
from notifications.services import deliveries, gateways

# Where nothing has been sent lately to measure by.
USUAL_RATE = 1_000
# What cleaning certainly leaves as it is, and where one character is one UTF-16 unit: such values
# are counted by their length. All others are counted one by one, which is as exact, only slower.
PLAIN = "^[一-龥A-Za-z0-9·]*$"


@dataclass(frozen=True)
class Step:
    """People who leave the funnel for one reason, with what they would have cost."""

    code: str
    label: Promise
    count: int
    segments: int
    cost: Decimal


@dataclass
class Estimate:
    """The funnel from the audience to the people who will be written to."""

    total: int = 0
    steps: list[Step] = field(default_factory=list)
    will_send: int = 0
    will_hold: int = 0
    held_until: datetime | None = None
    segments: int = 0
    cost: Decimal = Decimal(0)
    segments_per_person: Counter = field(default_factory=Counter)
    seconds: int = 0
    ends_at: datetime | None = None


def estimate(
    audience: QuerySet[Customer],
    *,
    variants: Sequence[tuple[Template, QuerySet[Customer]]],
    channel: str,
    purpose: str,
    cap_policy: str,
    now: datetime,
    send_at: datetime,
    is_small: bool = False,
) -> Estimate:
    """
    Count, price and explain, from the predicates that decide at sending.

    `variants` holds each template with the part of the audience it is for. Segments are exact per
    person: people are grouped by what decides the length of their text, and one text per group
    is rendered.
    """
    account = gateways.account_for(channel)
    price = account.price if account else Decimal(0)
    left: Counter = Counter()
    segments: Counter = Counter()
    found = Estimate()
    rules = caps.rules_for(channel=channel, purpose=purpose)
    for template, part in variants:
        for code, frees_at, count, each in _measured(template, part, rules, send_at, is_small):
            if code == "" and frees_at and cap_policy == CapPolicy.HOLD:
                found.will_hold += count
                found.held_until = max(found.held_until or send_at, caps.moment(frees_at))
            elif code == "" and frees_at:
                code = screening.OVER_CAP.code
            left[code] += count
            segments[code] += count * each
            if code == "":
                found.segments_per_person[each] += count
    found.total = left.total()
    found.will_send = left[""]
    found.segments = segments[""]
    found.cost = segments[""] * price
    found.steps = [
        Step(reason.code, reason.label, left[reason.code], segments[reason.code], segments[reason.code] * price)
        for reason in screening.REASONS
        if left[reason.code]
    ]
    found.seconds = -(-found.will_send // _rate(channel, now))
    found.ends_at = max(now, send_at) + timedelta(seconds=found.seconds)
    return found


def _rate(channel: str, now: datetime) -> int:
    """Messages a second that the accounts of a channel will carry: what was seen lately, within their pace."""
    paces = gateways.paces(channel)
    rate = recent_rate(now)
    return min(rate, sum(paces)) if paces and all(paces) else rate


def recent_rate(now: datetime) -> int:
    """Messages a second that the deployment handed over lately."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT sum(size), extract(epoch FROM max(settled_at) - min(called_at))
            FROM (
                SELECT size, settled_at, called_at FROM notifications_submission
                WHERE status = 'settled' AND settled_at > %s ORDER BY id DESC LIMIT 500
            ) AS lately
            """,
            [now - timedelta(days=1)],
        )
        size, seconds = cursor.fetchone()
    if not size or size < 1_000 or not seconds:
        return USUAL_RATE
    return max(1, int(size / float(seconds)))


def _measured(template: Template, part: QuerySet[Customer], rules, send_at: datetime, is_small: bool):
    """(reason or '', frees_at, people, segments each) for each group of a variant's audience."""
    compiled = rendering.compiled(template)
    constant = {"shop": template.signature.name}
    is_registered = gateways.composes(template.channel)
    keys = _keys(compiled, template.channel, without=constant)
    for (code, frees_at), groups in _groups(template, part, rules, send_at, keys, is_small=is_small):
        for values, count in groups:
            (measured,) = compiled.measure(
                [(values | _used(constant, compiled), count)],
                signature=template.signature.name,
                opt_out=template.opt_out_wording,
                is_registered=is_registered,
            )
            if code == "" and measured.missing is not None:
                yield screening.MISSING_VALUE.code, None, count, 0
            elif code == "" and measured.unsuitable:
                yield measured.unsuitable, None, count, 0
            elif code == "" and measured.too_long:
                yield screening.TOO_LONG.code, None, count, 0
            else:
                yield code, frees_at, count, measured.segments


def _used(constant: Mapping[str, str], compiled) -> dict[str, str]:
    return {key: value for key, value in constant.items() if key in compiled.variables}


def _keys(compiled, channel: str, *, without: Mapping[str, str]) -> dict[str, str]:
    """For each variable the SQL of what of its value decides the length of the text."""
    keys, found = {}, personal.value_sql(channel)
    for name in compiled.variables:
        if name in without:
            continue
        value = f"({found[name]})::text"
        if name in compiled.printed_only:
            keys[name] = (
                f"CASE WHEN {value} ~ '{PLAIN}' AND length({value}) <= {VARIABLES[name].maximum}"
                f" THEN chr(1) || length({value}) ELSE {value} END"
            )
        elif name in compiled.tested_only:
            keys[name] = f"CASE WHEN {value} = '' THEN chr(1) || '0' ELSE chr(1) || '1' END"
        else:
            keys[name] = value
    return keys


def _groups(template: Template, part, rules, send_at, measures: dict[str, str], *, is_small: bool):
    """People by verdict and by what decides the length of their text."""
    names = [f"v{place}" for place in range(len(measures))]
    columns = "".join(f", {sql} AS {name}" for sql, name in zip(measures.values(), names, strict=True))
    sql, parameters = screening.audience(
        deliveries.customer_ids(part),
        channel=template.channel,
        purpose=template.purpose,
        rules=rules,
        now=send_at,
        zone=clock.shop_zone(),
        columns=columns,
        joins=personal.JOINS,
        is_small=is_small,
    )
    keys = "".join(f", {name}" for name in names)
    verdicts: dict[tuple, list] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute(
            f"SELECT first_reason, frees_at{keys}, count(*) FROM ({sql}) AS screened"
            f" GROUP BY first_reason, frees_at{keys}",
            parameters,
        )
        for code, frees_at, *values, count in cursor:
            verdicts.setdefault((code, frees_at), []).append((_values(list(measures), values), count))
    return verdicts.items()


def _values(names: list[str], found: Sequence[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, value in zip(names, found, strict=True):
        if value.startswith("\x01"):
            values[name] = Length(int(value[1:]))
        else:
            values[name] = personal.cleaned_value(name, value)
    return values
