"""
Every reason not to send, as SQL predicates in order of precedence.

The same predicates count the waterfall before a campaign, decide its rows when it is planned, and
decide again in the statement that writes `called_at`. They read these aliases:
c customer · a.address the address written to · k consent · s suppression.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.functional import Promise, lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, Purpose
from notifications import caps, stops, text
from notifications.models import FrequencyCap
from notifications.providers.base import spoken, unknown_code
from notifications.providers.callbacks import RECEIPT_CODES
from notifications.providers.carrier_words import CARRIER_WORDS


@dataclass(frozen=True)
class Reason:
    """One reason not to send: its code, its words for staff, what they can do, and its SQL."""

    code: str
    label: Promise
    remedy: Promise
    predicate: str
    needs_consent_only: bool = False


ERASED = Reason(
    "erased",
    _("Customer was erased"),
    _("Nothing to do: the customer asked to be forgotten."),
    "c.erased_at IS NOT NULL",
)
NO_CONSENT = Reason(
    "no_consent",
    _("Has not agreed to receive this"),
    _("Ask for consent, or declare it for the import if it was given elsewhere."),
    "k.status IS NULL",
    needs_consent_only=True,
)
OPTED_OUT = Reason(
    "opted_out",
    _("Opted out"),
    _("Nothing to do: the customer does not want this."),
    "k.status = 'withdrawn'",
    needs_consent_only=True,
)
SUPPRESSED = Reason(
    "suppressed",
    _("Address is on the suppression list"),
    _("Look the address up under suppressed addresses to see why."),
    "s.scope = 'all'",
)
SUPPRESSED_FOR_MARKETING = Reason(
    SUPPRESSED.code,
    SUPPRESSED.label,
    SUPPRESSED.remedy,
    "s.scope = 'marketing'",
    needs_consent_only=True,
)
NO_ADDRESS = Reason(
    "no_address",
    _("No usable address on this channel"),
    _("Add a phone number, or write on another channel."),
    "a.address = ''",
)
PREDICATES = [ERASED, NO_CONSENT, OPTED_OUT, SUPPRESSED, SUPPRESSED_FOR_MARKETING, NO_ADDRESS]

DUPLICATE_ADDRESS = Reason(
    "duplicate_address",
    _("Another customer with the same address gets it"),
    _("Nothing to do: two records share one phone, and one message is enough."),
    "",
)
MISSING_VALUE = Reason(
    "missing_value",
    _("A value the text needs is empty"),
    _('Give the variable a default, such as {{ name or "顾客" }}.'),
    "",
)
TOO_LONG = Reason(
    "too_long",
    _("The text is too long with this customer's values"),
    _("Shorten the text or the value."),
    "",
)
VALUE_TOO_LONG = Reason(
    text.VALUE_TOO_LONG,
    _("A value is longer than the provider takes"),
    _("Shorten the value, or cut it in the text: {{ name|truncate(10) }}."),
    "",
)
VALUE_WITH_LINK = Reason(
    text.VALUE_WITH_LINK,
    _("A value holds a web address, which the provider refuses"),
    _("Take the address out of the customer's record; a link belongs into the text itself."),
    "",
)
OVER_CAP = Reason(
    "over_cap",
    _("Would exceed a frequency cap"),
    _("Send it later, or let the campaign wait for the cap."),
    "",
)
PROVIDER_LIMIT = Reason(
    "provider_limit",
    _("The provider takes no more messages for this number today"),
    _("Send it tomorrow, or let the campaign wait for the cap; the limit stands at the provider account."),
    "",
)
TOO_LATE = Reason(
    "too_late",
    _("Its time was over"),
    _("Give the campaign a longer window, or send again."),
    "",
)

# In the order in which the waterfall shows them.
REASONS = [
    ERASED,
    NO_CONSENT,
    OPTED_OUT,
    SUPPRESSED,
    NO_ADDRESS,
    DUPLICATE_ADDRESS,
    MISSING_VALUE,
    TOO_LONG,
    VALUE_TOO_LONG,
    VALUE_WITH_LINK,
    OVER_CAP,
    PROVIDER_LIMIT,
    TOO_LATE,
]

# What became of a delivery at the provider; the codes stand in Delivery.reason.
OUTCOMES = {
    "refused_number": _("The provider refused the number"),
    "refused_content": _("The provider refused the text"),
    "gave_up": _("The provider put us off too often"),
    "no_answer": _("The provider's answer is not known"),
    "ambiguous": _("The provider may or may not have taken it"),
    "not_found": _("The provider did not know it when asked; it is asked once more"),
    "not_taken": _("The provider never took it"),
    "cannot_tell": _("The provider cannot tell whether it took it"),
    "staff": _("Canceled by staff"),
    "rule_changed": _("The reminder was changed; who still needs it gets it under the new one"),
    "switched_off": _("The reminder was switched off"),
    "undelivered": _("The carrier could not deliver it"),
}
# What carriers report; an unknown code stands for itself.
REPORTED = {code: _(words) for code, words in RECEIPT_CODES.items() if words}
LABELS = {reason.code: reason.label for reason in REASONS} | stops.LABELS | OUTCOMES | REPORTED
# Too many to choose among: the filter of the sending records offers only those above.
_FROM_CARRIERS = {code: _(words) for code, words in CARRIER_WORDS.items()}
REMEDIES = {reason.code: reason.remedy for reason in REASONS} | {
    "not_taken": _("Send it again if it still matters."),
    "no_answer": _("Wait: the provider is asked for it."),
    "ambiguous": _("Wait: the provider is asked for it."),
    "not_found": _("Wait some minutes: the second answer decides."),
    "cannot_tell": _("Look it up at the provider. If you send it again, it may reach the customer twice."),
}

# The joins that the predicates read; parameters: channel, purpose, channel.
JOINS = """
LEFT JOIN customers_consent k
    ON k.customer_id = c.id AND k.channel = %s AND k.purpose = %s
LEFT JOIN customers_suppression s
    ON s.channel = %s AND s.address = a.address
"""
# The address that a customer has now, where `p` is the contact point of the channel. Everybody has an inbox: it is
# found by the number in the shop's own system, or by ours.
ADDRESS = "coalesce(p.address, '')"
ADDRESS_OF_INBOX = "CASE WHEN left(c.external_id, 1) IN ('', '#') THEN '#' || c.id ELSE c.external_id END"
# The same from delivery `d`; parameters: channel, channel, purpose, channel.
_DELIVERY_JOINS = """
JOIN customers_customer c ON c.id = d.customer_id
LEFT JOIN customers_contactpoint p
    ON p.customer_id = d.customer_id AND p.channel = %s AND p.address = d.address
CROSS JOIN LATERAL (SELECT {address} AS address) a
{joins}
"""
DELIVERY_JOINS = _DELIVERY_JOINS.format(address=ADDRESS, joins=JOINS)
# An inbox stays the customer's, whatever number the shop's own system has given them since.
DELIVERY_JOINS_OF_INBOX = _DELIVERY_JOINS.format(address="d.address", joins=JOINS)


def label_of(reason: str) -> Promise | str:
    """A reason in words; of a code that nobody knows they say so."""
    return LABELS.get(reason) or _FROM_CARRIERS.get(reason) or (reason and _unknown(reason))


_unknown = lazy(lambda reason: spoken(unknown_code(reason), gettext=gettext), str)


def address_on(channel: str) -> str:
    """SQL for the address of customer `c` on a channel, where `p` is their contact point there."""
    return ADDRESS_OF_INBOX if channel == Channel.INBOX else ADDRESS


def delivery_joins(channel: str) -> str:
    """The joins of a delivery on a channel; parameters: channel, channel, purpose, channel."""
    return DELIVERY_JOINS_OF_INBOX if channel == Channel.INBOX else DELIVERY_JOINS


def first_reason(purpose: str) -> str:
    """SQL for the code of the first reason that holds, '' if none does."""
    cases = " ".join(
        f"WHEN {reason.predicate} THEN '{reason.code}'"
        for reason in PREDICATES
        if Purpose(purpose).needs_consent or not reason.needs_consent_only
    )
    return f"CASE {cases} ELSE '' END"


def cap_frees_at(rules: Sequence[FrequencyCap], *, now: datetime, zone: ZoneInfo) -> str:
    """SQL for the millisecond at which person and address may get the next one; NULL for now."""
    if not rules:
        return "NULL::bigint"
    by_person = caps.frees_at(rules, sends="person.sends", now=now, zone=zone)
    by_address = caps.frees_at(rules, sends="place.sends", now=now, zone=zone)
    return f"GREATEST({by_person}, {by_address})"


def cap_joins(rules: Sequence[FrequencyCap], *, customer: str, address: str, channel: str) -> str:
    """
    SQL that joins what a person and an address lately got, where any rule asks.

    Persons have positive subjects and addresses negative ones, which lets PostgreSQL hash half of them for each.
    """
    if not rules:
        return ""
    subject = caps.ADDRESS_SUBJECT.format(channel=f"'{Channel(channel).value}'", address=address)
    return f"""
    LEFT JOIN notifications_recentsends person ON person.subject = {customer} AND person.subject > 0
    LEFT JOIN notifications_recentsends place ON place.subject = {subject} AND place.subject < 0
    """


def audience(
    members: tuple[str, Sequence],
    *,
    channel: str,
    purpose: str,
    rules: Sequence[FrequencyCap],
    now: datetime,
    zone: ZoneInfo,
    occasion: str = "",
    columns: str = "",
    joins: str = "",
    is_small: bool = False,
) -> tuple[str, list]:
    """
    SQL and parameters that decide every customer of an audience.

    `members` is SQL, with its parameters, that selects customer ids. Answers customer_id, address,
    first_reason ('' for none), frees_at (a millisecond, or NULL for now), and the caller's own
    `columns`. Of customers who share an address the one with the smallest id gets the message;
    nobody does where an earlier message of the same occasion went to that address.

    `is_small` looks for shared addresses among the members alone: among all a million customers it takes
    0.4 s, which is little beside deciding on all of them and much beside deciding on a thousand.
    """
    members_sql, members_parameters = members
    among = f" AND customer_id IN ({members_sql})" if is_small else ""
    sql = f"""
    WITH shared AS MATERIALIZED (
        -- Not the primary ones alone: whom the address leads to is asked of these few, and an index answers for all.
        SELECT address FROM customers_contactpoint
        WHERE channel = %s{among} GROUP BY address HAVING count(*) > 1
    ), screened AS (
        SELECT c.id AS customer_id, a.address, {first_reason(purpose)} AS reason{columns}
        FROM ({members_sql}) AS members(id)
        JOIN customers_customer c ON c.id = members.id
        {joins}
        LEFT JOIN customers_contactpoint p
            ON p.customer_id = c.id AND p.channel = %s AND p.is_primary
        CROSS JOIN LATERAL (SELECT {address_on(channel)} AS address) a
        {JOINS}
    ), rivals AS MATERIALIZED (
        SELECT address, min(customer_id) AS customer_id, EXISTS (
            SELECT FROM notifications_delivery other
            WHERE other.occasion = %s AND other.address = screened.address AND other.address <> ''
        ) AS is_served
        FROM screened WHERE reason = '' AND address IN (SELECT address FROM shared)
        GROUP BY address
    )
    SELECT screened.*,
        CASE WHEN reason = '' AND rivals.address IS NOT NULL
                AND (rivals.is_served OR rivals.customer_id <> screened.customer_id)
            THEN '{DUPLICATE_ADDRESS.code}' ELSE reason END AS first_reason,
        {cap_frees_at(rules, now=now, zone=zone)} AS frees_at
    FROM screened LEFT JOIN rivals USING (address)
    {cap_joins(rules, customer="screened.customer_id", address="screened.address", channel=channel)}
    """
    once_more = members_parameters if is_small else []
    return sql, [channel, *once_more, *members_parameters, channel, channel, purpose, channel, occasion]
