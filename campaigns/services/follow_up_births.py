"""Calls that staff owe because of what became of messages: looked for in deliveries and replies, opened once each."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from customers.choices import FollowUpReason
from customers.models import FollowUp
from customers.services import follow_ups
from customers.services.follow_ups import NewFollowUp
from notifications.models import ProviderAccount
from notifications.providers.closing import Closing
from notifications.services import write_back

LOOKS_BACK = timedelta(days=3)
AT_ONCE = 500
# What befalls more people than this with one message is an outage, and no list of people to call.
ONE_BY_ONE = 50
# Yuan, where no reminder about canceled orders says otherwise.
VALUABLE = 1_000
CALL_WITHIN = {
    FollowUpReason.HIGH_VALUE: timedelta(hours=2),
    FollowUpReason.QUESTION: timedelta(hours=2),
    FollowUpReason.UNDELIVERED: timedelta(hours=4),
    FollowUpReason.HELD_TOO_LONG: timedelta(hours=4),
    FollowUpReason.BAD_ADDRESS: timedelta(hours=24),
}
QUESTION = (
    r"[?？]|吗|呢|什么|怎么|怎样|咋|哪|多少|多久|几时|几天|几号|为何|为啥|是不是|有没有|能不能|可不可以|可否|能否"
    r"|是否|请问|\m(how|what|when|where|why|who|which|can|could|is|are|do|does|did|will)\M.*\m(i|my|it|you|your|the)\M"
)

# A customer is called once about one thing: not while a call about it is open, nor where it was made after the fact.
NOT_CALLED = """NOT EXISTS (
    SELECT FROM customers_followup known
    WHERE known.customer_id = {customer} AND known.reason = {reason}
      AND (known.status = 'open' OR known.finished_at >= {moment})
)"""

# Nobody is called because an advertisement did not arrive.
DELIVERIES = f"""
WITH ended AS MATERIALIZED (
    SELECT d.id, d.customer_id, d.finished_at, d.message_id, d.reason AS code, coalesce(tier.is_vip, false) AS is_vip,
           CASE
               WHEN d.status = 'skipped' THEN 'held_too_long'
               WHEN d.reason = ANY(%(dead)s) THEN 'bad_address'
               ELSE 'undelivered'
           END AS reason,
           message.purpose
    FROM notifications_delivery d
    JOIN notifications_message message ON message.id = d.message_id
    JOIN customers_customer customer ON customer.id = d.customer_id
    LEFT JOIN customers_tier tier ON tier.id = customer.tier_id
    WHERE d.finished_at > %(since)s AND d.finished_at IS NOT NULL AND d.reason <> ''
      AND (d.status IN ('undelivered', 'failed') OR d.status = 'skipped' AND d.reason = 'too_late')
      AND message.purpose <> 'marketing' AND NOT message.is_test AND customer.erased_at IS NULL
      AND NOT EXISTS (
          SELECT FROM notifications_message again
          JOIN notifications_delivery other ON other.message_id = again.id AND other.customer_id = d.customer_id
          WHERE again.again_of_id = d.message_id
      )
), counted AS (
    SELECT ended.*, count(*) OVER (PARTITION BY message_id, reason, code) AS people
    FROM ended WHERE reason = 'bad_address' OR is_vip OR reason = 'held_too_long'
)
SELECT DISTINCT ON (counted.customer_id, counted.reason)
       counted.id, counted.customer_id, counted.reason, counted.code,
       (SELECT min(concern.order_id) FROM notifications_concern concern WHERE concern.delivery_id = counted.id)
FROM counted
WHERE (counted.reason <> 'held_too_long' OR counted.purpose IN ('transactional', 'service'))
  AND (counted.reason <> 'bad_address' OR counted.is_vip OR counted.purpose IN ('transactional', 'service'))
  AND (counted.reason = 'bad_address' OR counted.people <= %(one_by_one)s)
  AND {NOT_CALLED.format(customer="counted.customer_id", reason="counted.reason", moment="counted.finished_at")}
ORDER BY counted.customer_id, counted.reason, counted.finished_at DESC, counted.id DESC
LIMIT {AT_ONCE}
"""

REPLIES = f"""
SELECT DISTINCT ON (reply.customer_id) reply.id, reply.customer_id, 'question', reply.text, NULL::bigint
FROM notifications_reply reply
JOIN customers_customer customer ON customer.id = reply.customer_id AND customer.erased_at IS NULL
LEFT JOIN customers_tier tier ON tier.id = customer.tier_id
WHERE reply.handled_at IS NULL AND reply.meaning <> 'opt_out' AND reply.received_at > %(since)s
  AND (tier.is_vip OR reply.meaning = 'conversation' AND reply.text ~* %(question)s)
  AND {NOT_CALLED.format(customer="reply.customer_id", reason="'question'", moment="reply.received_at")}
ORDER BY reply.customer_id, reply.id DESC
LIMIT {AT_ONCE}
"""

# The shop took a valuable order away: somebody says so in person, whatever reminders there are.
CANCELED = f"""
SELECT wrong.id, canceled.customer_id, 'high_value', canceled.number, canceled.id
FROM customers_orderexception wrong
JOIN customers_order canceled ON canceled.id = wrong.order_id
JOIN customers_customer customer ON customer.id = canceled.customer_id AND customer.erased_at IS NULL
WHERE wrong.kind = 'canceled_by_shop' AND wrong.resolved_at IS NULL AND wrong.recorded_at > %(since)s
  AND coalesce(canceled.total, canceled.paid) >= coalesce((
      SELECT min(rule.valuable_from) FROM campaigns_reminder rule WHERE rule.exception_kind = 'canceled_by_shop'
  ), %(valuable)s)
  AND NOT EXISTS (
      SELECT FROM customers_followup known WHERE known.order_id = canceled.id AND known.reason = 'high_value'
  )
ORDER BY wrong.id
LIMIT {AT_ONCE}
"""

# Answered in the list of replies, arrived after all, or nobody's business any more.
SETTLED = """
SELECT call.id FROM customers_followup call
JOIN notifications_reply reply ON reply.id = substring(call.occasion FROM '^reply-([0-9]{1,18})$')::bigint
WHERE call.status = 'open' AND call.reason = 'question' AND reply.handled_at IS NOT NULL
UNION
SELECT call.id FROM customers_followup call
JOIN notifications_delivery d ON d.id = substring(call.occasion FROM '^delivery-([0-9]{1,18})$')::bigint
WHERE call.status = 'open' AND call.reason IN ('undelivered', 'bad_address', 'held_too_long')
  AND call.called_at IS NULL AND (d.status = 'delivered' OR EXISTS (
      SELECT FROM notifications_message again
      JOIN notifications_delivery other ON other.message_id = again.id AND other.customer_id = d.customer_id
      WHERE again.again_of_id = d.message_id AND other.status = 'delivered'
  ))
UNION
SELECT call.id FROM customers_followup call
JOIN customers_orderexception wrong ON wrong.id = substring(call.occasion FROM 'exception-([0-9]{1,18})$')::bigint
WHERE call.status = 'open' AND call.reason IN ('order_exception', 'high_value') AND call.called_at IS NULL
  AND wrong.resolved_at IS NOT NULL
UNION
SELECT call.id FROM customers_followup call
JOIN customers_customer customer ON customer.id = call.customer_id
WHERE call.status = 'open' AND customer.erased_at IS NOT NULL
"""


def run(*, now: datetime) -> Counter:
    """
    Open the calls that the facts of the last days ask for, and drop those that need none any more.

    Valuable orders that the shop canceled, VIPs whom a message did not reach, numbers that do not work, messages
    whose time was over before they could go out, and questions in replies. Each fact opens one call, however often
    this looks. Answers counts.
    """
    settled = [pk for (pk,) in _rows(SETTLED, {})]
    found = Counter(dropped=FollowUp.objects.filter(pk__in=settled).drop(now) if settled else 0)
    values = {"since": now - LOOKS_BACK, "dead": _codes_of_dead_numbers(), "one_by_one": ONE_BY_ONE}
    born = [_call("delivery", row, now) for row in _rows(DELIVERIES, values)]
    born += [_call("exception", row, now) for row in _rows(CANCELED, values | {"valuable": VALUABLE})]
    born += [_call("reply", row, now) for row in _rows(REPLIES, values | {"question": QUESTION})]
    found["opened"] = follow_ups.open_for(born, now)
    return +found


def _call(kind: str, row: Sequence[Any], now: datetime) -> NewFollowUp:
    number, customer_id, reason, detail, order_id = row
    return NewFollowUp(
        customer_id=customer_id,
        occasion=f"{kind}-{number}",
        reason=reason,
        detail=detail,
        order_id=order_id,
        due_at=follow_ups.call_by(now, CALL_WITHIN[FollowUpReason(reason)]),
    )


def _codes_of_dead_numbers() -> list[str]:
    """What the providers of this shop say of a number that does not work."""
    codes = [write_back.codes_of(account) for account in ProviderAccount.objects.all()]
    return sorted({code for table in codes for code, closing in table.items() if closing == Closing.DEAD})


def _rows(sql: str, values: dict[str, object]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
