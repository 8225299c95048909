"""Preparing: the text of each delivery, rendered and counted, before anything is decided."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from jinja2 import TemplateError

from customers import clock
from notifications import caps, hot, personal, rendering, screening, text
from notifications.models import Message
from notifications.providers.base import RegisteredText
from notifications.services import unsubscribing


@dataclass(slots=True)
class Prepared:
    """One delivery ready to be handed over: its text, and what of it is kept as evidence."""

    id: int
    submission_id: int
    customer_id: int | None
    address: str
    # What the caps know the address by.
    cap_subject: int
    text: str
    segments: int
    values: dict | None
    # In the order of the registered text, where the provider composes it; the adapter knows its names.
    parameters: dict[str, str] | None = None
    # Of a letter; the link is put in where its class needs consent.
    subject: str = ""
    html: str = ""
    unsubscribe_url: str = ""


# SQL: the deliveries that are rendered, by the ids of their submissions or their own.
CARRIED = "d.submission_id = ANY(%s::bigint[]) AND d.status = 'queued'"
NAMED = "d.id = ANY(%s::bigint[])"


class Unrenderable(Exception):
    """The text of the message is none that may be rendered: it was written past the admin, or under older rules."""


def prepare(
    message: Message, submission_ids: Sequence[int], *, registered: RegisteredText | None = None
) -> tuple[list[Prepared], dict[int, str]]:
    """
    Render the queued deliveries of some submissions of one message, for a registered text if there is one.

    Answers those that can be sent, and for the others the reason by delivery id. Raises
    Unrenderable where the text itself is refused, by the grammar or by the sandbox behind it.
    """
    try:
        return _rendered(message, CARRIED, submission_ids, registered)
    except (rendering.Refused, TemplateError) as trouble:
        raise Unrenderable(str(trouble)) from trouble


def once_more(message: Message, delivery_ids: Sequence[int]) -> list[Prepared]:
    """What deliveries said that were handed over long ago, as far as it can still be told."""
    try:
        return _rendered(message, NAMED, delivery_ids, None)[0]
    except (rendering.Refused, TemplateError):
        return []


def _rendered(
    message: Message, condition: str, ids: Sequence[int], registered: RegisteredText | None
) -> tuple[list[Prepared], dict[int, str]]:
    if message.channel in rendering.LETTER_CHANNELS:
        return _letters(message, condition, ids)
    template = rendering.parse(message.body)
    compose, signature, opt_out = template.compose, message.signature, message.opt_out_wording
    are_clean = personal.has_clean_signature(message)
    variables = sorted(template.variables)
    prepared: list[Prepared] = []
    unsendable: dict[int, str] = {}
    for row in _load(message, condition, ids, variables):
        delivery_id, submission_id, customer_id, address, cap_subject, frozen, *found = row
        if frozen is None:
            values = personal.cleaned(dict(zip(variables, found, strict=True)), message)
        else:
            values = _with_facts(json.loads(frozen), dict(zip(variables, found, strict=True)), message)
        try:
            if registered is None:
                said = compose(values, signature=signature, opt_out=opt_out, are_clean=are_clean)
                parameters = None
            else:
                said, parameters = template.compose_with_parameters(values, signature=signature, opt_out=opt_out)
                if reason := text.unsuitable(parameters):
                    unsendable[delivery_id] = reason
                    continue
        except rendering.MissingValue:
            unsendable[delivery_id] = screening.MISSING_VALUE.code
            continue
        except rendering.TooLong:
            unsendable[delivery_id] = screening.TOO_LONG.code
            continue
        length = text.utf16_length(said)
        if length > text.MAXIMUM_LENGTH:
            unsendable[delivery_id] = screening.TOO_LONG.code
            continue
        prepared.append(
            Prepared(
                delivery_id,
                submission_id,
                customer_id,
                address,
                cap_subject,
                said,
                text.segments_of_length(length),
                values or None,
                parameters,
            )
        )
    return prepared, unsendable


def _letters(message: Message, condition: str, ids: Sequence[int]) -> tuple[list[Prepared], dict[int, str]]:
    """The letters of some deliveries: one unit each, whatever their length."""
    letter = rendering.compiled(message)
    variables = sorted(letter.variables)
    offers_link = unsubscribing.is_offered(message)
    prepared: list[Prepared] = []
    unsendable: dict[int, str] = {}
    for row in _load(message, condition, ids, variables):
        delivery_id, submission_id, customer_id, address, cap_subject, frozen, *found = row
        facts = {} if frozen is None else json.loads(frozen)
        values = _with_facts(facts, dict(zip(variables, found, strict=True)), message)
        link = unsubscribing.link(delivery_id) if offers_link else ""
        try:
            said = letter.compose(values, unsubscribe_url=link)
        except rendering.MissingValue:
            unsendable[delivery_id] = screening.MISSING_VALUE.code
            continue
        except rendering.TooLong:
            unsendable[delivery_id] = screening.TOO_LONG.code
            continue
        carried = (delivery_id, submission_id, customer_id, address, cap_subject)
        prepared.append(
            Prepared(*carried, said.text, 1, values or None, None, said.subject, said.html, unsubscribe_url=link)
        )
    return prepared, unsendable


def _with_facts(facts: dict[str, str], found: dict[str, str], message: Message) -> dict[str, str]:
    """What was frozen when the delivery was planned, and of the customer what was not; only what the text uses."""
    if found.get("days_left") is not None and facts.get("due_on"):
        # Planned in the evening and read in the morning, it is a day less.
        left = date.fromisoformat(facts["due_on"]) - clock.shop_date(clock.now())
        facts = facts | {"days_left": str(left.days)}
    return personal.cleaned(found | {name: fact for name, fact in facts.items() if name in found}, message)


def _load(message: Message, condition: str, ids: Sequence[int], variables: Sequence[str]) -> list[tuple]:
    subject = caps.ADDRESS_SUBJECT.format(channel="%s::text", address="d.address")
    with hot.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT d.id, d.submission_id, d.customer_id, d.address, {subject}, d.values
                {personal.columns(variables, channel=message.channel)}
            FROM notifications_delivery d
            LEFT JOIN customers_customer c ON c.id = d.customer_id
            {personal.JOINS}
            CROSS JOIN LATERAL (SELECT d.address) AS a
            WHERE {condition}
            ORDER BY d.id
            """,
            [str(message.channel), hot.integers(ids)],
        )
        return cursor.fetchall()
