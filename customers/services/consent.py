"""Changes consent, and writes the evidence of each change in the same transaction."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from customers.choices import CONSENT_PURPOSES, Channel, ConsentSource, Purpose, SuppressionReason, SuppressionScope
from customers.services import gate

# Whether an address, or the record that holds it, is closed for a purpose; `asked` names the row in question.
OPTED_OUT = """
    EXISTS (
        SELECT FROM customers_consent standing
        WHERE standing.customer_id = {asked}.customer_id AND standing.channel = {asked}.channel
          AND standing.purpose = {asked}.purpose AND standing.status = 'withdrawn'
    ) OR EXISTS (
        SELECT FROM customers_suppression closed
        WHERE closed.channel = {asked}.channel AND closed.address = {asked}.address
    ) OR EXISTS (
        SELECT FROM customers_contactpoint shared
        JOIN customers_consent elsewhere ON elsewhere.customer_id = shared.customer_id
        WHERE shared.address = {asked}.address AND shared.channel = {asked}.channel
          AND elsewhere.channel = {asked}.channel AND elsewhere.purpose = {asked}.purpose
          AND elsewhere.status = 'withdrawn'
    )
"""

EVIDENCE = """
    INSERT INTO customers_consentchange
        (customer_id, channel, purpose, status, source, wording, happened_at, recorded_at, actor_id,
         spreadsheet_import_id)
    SELECT customer_id, channel, purpose, status, %(source)s, %(wording)s, %(happened_at)s, %(now)s, %(actor)s,
           %(import)s
    FROM changed
"""

GRANT = f"""
WITH present AS (
    -- Whoever is being removed by the undo of an import is waited for, and then not there.
    SELECT id FROM customers_customer
    WHERE id = ANY(%(customers)s) AND erased_at IS NULL ORDER BY id FOR KEY SHARE
), asked AS (
    SELECT present.id AS customer_id, channel, purpose
    FROM present, unnest(%(channels)s::text[]) channel, unnest(%(purposes)s::text[]) purpose
), open AS (
    SELECT asked.* FROM asked
    WHERE %(by_staff)s OR NOT EXISTS (
        SELECT FROM customers_contactpoint point
        CROSS JOIN LATERAL (SELECT asked.customer_id, asked.channel, asked.purpose, point.address) question
        WHERE point.customer_id = asked.customer_id AND point.channel = asked.channel
          AND ({OPTED_OUT.format(asked="question")})
    )
), changed AS (
    INSERT INTO customers_consent AS standing (customer_id, channel, purpose, status, changed_at)
    SELECT customer_id, channel, purpose, 'granted', %(now)s FROM open ORDER BY 1, 2, 3
    ON CONFLICT (customer_id, channel, purpose) DO UPDATE
        SET status = 'granted', changed_at = excluded.changed_at
        WHERE standing.status = 'withdrawn' AND %(by_staff)s
    RETURNING customer_id, channel, purpose, status
)
{EVIDENCE}
"""

WITHDRAW = f"""
WITH asked AS (
    SELECT DISTINCT customer_id, channel, unnest(%(purposes)s::text[]) AS purpose
    FROM (
        SELECT customer.id AS customer_id, channel
        FROM customers_customer customer, unnest(%(channels)s::text[]) channel
        WHERE customer.id = ANY(%(customers)s)
        UNION ALL
        SELECT twin.customer_id, twin.channel
        FROM customers_contactpoint own
        JOIN customers_contactpoint twin ON twin.address = own.address AND twin.channel = own.channel
        WHERE own.customer_id = ANY(%(customers)s) AND own.channel = ANY(%(channels)s)
    ) reached
), changed AS (
    INSERT INTO customers_consent AS standing (customer_id, channel, purpose, status, changed_at)
    SELECT customer_id, channel, purpose, 'withdrawn', %(now)s FROM asked ORDER BY 1, 2, 3
    ON CONFLICT (customer_id, channel, purpose) DO UPDATE
        SET status = 'withdrawn', changed_at = excluded.changed_at
        WHERE standing.status = 'granted'
    RETURNING customer_id, channel, purpose, status
)
{EVIDENCE}
"""

ADDRESSES = """
SELECT channel, array_agg(DISTINCT address) FROM customers_contactpoint
WHERE customer_id = ANY(%(customers)s) AND channel = ANY(%(channels)s) GROUP BY channel
"""
OWNERS = "SELECT DISTINCT customer_id FROM customers_contactpoint WHERE address = ANY(%s) AND channel = %s"

CLOSE_NOBODYS = """
INSERT INTO customers_suppression (channel, address, scope, reason, note, created_at, actor_id)
SELECT DISTINCT %(channel)s, address, %(scope)s, %(reason)s, '', %(now)s::timestamptz, %(actor)s::int
FROM unnest(%(addresses)s::text[]) AS told(address)
WHERE NOT EXISTS (
    SELECT FROM customers_contactpoint point WHERE point.address = told.address AND point.channel = %(channel)s
)
ON CONFLICT (channel, address) DO NOTHING
"""

CLOSE_OPTED_OUT = """
INSERT INTO customers_suppression (channel, address, scope, reason, note, created_at)
SELECT point.channel, point.address, %(scope)s, %(reason)s, '', %(now)s
FROM customers_contactpoint point
WHERE point.customer_id = %(customer)s AND point.channel = %(channel)s AND point.address = ANY(%(addresses)s)
  AND EXISTS (
      SELECT FROM customers_consent standing
      WHERE standing.customer_id = point.customer_id AND standing.channel = point.channel
        AND standing.status = 'withdrawn'
  )
ON CONFLICT (channel, address) DO NOTHING
"""


class CannotGrant(Exception):
    """Consent that may not be recorded; the text is a sentence for staff."""


def grant(
    customer_ids: Sequence[int],
    *,
    channels: Sequence[str],
    purposes: Sequence[str],
    source: ConsentSource,
    wording: str,
    now: datetime,
    happened_at: datetime | None = None,
    by: AbstractBaseUser | None = None,
) -> int:
    """
    Record that customers agreed, and return how many permissions changed.

    Only staff may grant again what was withdrawn, and only with the words in which the customer agreed;
    from every other source an opt-out, or a closed address, stays as it is. Erased customers are left out.
    Raises CannotGrant when staff give no wording, or when a file tries to come in this way.
    """
    if source in (ConsentSource.IMPORT, ConsentSource.DECLARATION):
        raise CannotGrant(_("Consent from a file is recorded by the import itself."))
    by_staff = source == ConsentSource.STAFF
    if by_staff and not (by and wording.strip()):
        raise CannotGrant(_("Write down when, where and in what words the customer agreed."))
    evidence = _evidence(source, wording, happened_at, now, by, None)
    asked = _asked(customer_ids, channels, purposes)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(GRANT, evidence | asked | {"by_staff": by_staff})
        return cursor.rowcount


def withdraw(
    customer_ids: Sequence[int],
    *,
    channels: Sequence[str],
    source: ConsentSource,
    now: datetime,
    purposes: Sequence[str] = tuple(CONSENT_PURPOSES),
    wording: str = "",
    happened_at: datetime | None = None,
    by: AbstractBaseUser | None = None,
    import_id: int | None = None,
) -> int:
    """
    Record that customers opted out, on every record that shares an address with theirs.

    Returns how many permissions changed; a customer who was never asked is opted out as well. The addresses of one who
    is removed at this moment, by the undo of an import, are closed.
    """
    evidence = _evidence(source, wording, happened_at, now, by, import_id)
    asked = _asked(customer_ids, channels, purposes)
    closing = {"scope": SuppressionScope.MARKETING, "reason": SuppressionReason.OPTED_OUT}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ADDRESSES, asked)
        addresses = cursor.fetchall()
        gate.shut()
        cursor.execute(WITHDRAW, evidence | asked)
        changed = cursor.rowcount
        for channel, known in addresses:
            cursor.execute(CLOSE_NOBODYS, evidence | closing | {"channel": channel, "addresses": known})
            changed += cursor.rowcount
        return changed


def withdraw_everywhere(
    address: str,
    *,
    channel: Channel,
    source: ConsentSource,
    now: datetime,
    wording: str = "",
    happened_at: datetime | None = None,
    by: AbstractBaseUser | None = None,
) -> int:
    """
    Opt an address out of marketing and care, whoever owns it.

    An address nobody owns is closed by a suppression, so that a later file cannot open it.
    Returns how many permissions changed, counting a new suppression as one.
    """
    return withdraw_addresses(
        [address], channel=channel, source=source, now=now, wording=wording, happened_at=happened_at, by=by
    )


def withdraw_addresses(
    addresses: Sequence[str],
    *,
    channel: Channel,
    source: ConsentSource,
    now: datetime,
    wording: str = "",
    happened_at: datetime | None = None,
    by: AbstractBaseUser | None = None,
) -> int:
    """Opt several addresses out as `withdraw_everywhere` does, for the same reason in the same words."""
    evidence = _evidence(source, wording, happened_at, now, by, None)
    closing = {"scope": SuppressionScope.MARKETING, "reason": SuppressionReason.OPTED_OUT}
    with transaction.atomic(), connection.cursor() as cursor:
        gate.shut()
        cursor.execute(OWNERS, [list(addresses), channel])
        owners = [owner for (owner,) in cursor.fetchall()]
        changed = 0
        if owners:
            cursor.execute(WITHDRAW, evidence | _asked(owners, [channel], CONSENT_PURPOSES))
            changed = cursor.rowcount
        cursor.execute(CLOSE_NOBODYS, evidence | closing | {"channel": channel, "addresses": list(addresses)})
        return changed + cursor.rowcount


def keep_closed(customer_id: int, *, channel: Channel, addresses: Sequence[str], now: datetime) -> int:
    """
    Close the addresses that a customer who opted out is about to lose; returns how many.

    The opt-out stands with the customer; a later file would take the address for one that never refused.
    """
    values = {"customer": customer_id, "channel": channel, "addresses": list(addresses), "now": now}
    values |= {"scope": SuppressionScope.MARKETING, "reason": SuppressionReason.OPTED_OUT}
    with connection.cursor() as cursor:
        cursor.execute(CLOSE_OPTED_OUT, values)
        return cursor.rowcount


def _asked(customer_ids: Sequence[int], channels: Sequence[str], purposes: Sequence[str]) -> dict[str, list]:
    """The parameters that say whose permission is meant; a purpose that needs none is a mistake of the caller."""
    if unknown := {Purpose(purpose) for purpose in purposes} - set(CONSENT_PURPOSES):
        raise ValueError(f"No consent is kept for {', '.join(unknown)}")
    return {
        "customers": list(customer_ids),
        "channels": [Channel(channel).value for channel in channels],
        "purposes": [Purpose(purpose).value for purpose in purposes],
    }


def _evidence(
    source: ConsentSource,
    wording: str,
    happened_at: datetime | None,
    now: datetime,
    by: AbstractBaseUser | None,
    import_id: int | None,
) -> dict[str, object]:
    """The parameters that say where a change came from."""
    return {
        "source": ConsentSource(source).value,
        "wording": wording.strip().replace("\0", ""),
        "happened_at": happened_at or now,
        "now": now,
        "actor": by.pk if by else None,
        "import": import_id,
    }
