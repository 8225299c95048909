"""Takes consent from a file: granted only by an explicit yes or a declaration, and never over an opt-out."""

from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.backends.utils import CursorWrapper

from customers.choices import CONSENT_PURPOSES, ConsentSource
from customers.services import consent, gate

# Whether the chunk may take back consent: only then do messages being handed over have to wait for it.
REFUSALS = """
SELECT EXISTS (
    SELECT FROM staged_row staged JOIN planned_row planned USING (number)
    WHERE (staged.sms_wish IN ('no', 'opt_out') OR staged.email_wish IN ('no', 'opt_out'))
      AND (planned.outcome IN ('matched', 'duplicate') OR 'opt_out' IN (staged.sms_wish, staged.email_wish))
)
"""

# A later row of the same customer may refuse what the first one allowed, and never the other way round.
WISHES = """
WITH wish AS MATERIALIZED (
    SELECT planned.number, planned.customer_id, given.channel, given.address, given.wish, planned.outcome
    FROM planned_row planned
    JOIN staged_row staged USING (number)
    CROSS JOIN LATERAL (VALUES
        ('sms', staged.phone, CASE WHEN staged.sms_wish = 'unknown' AND 'sms' = ANY(%(declared_channels)s)
                                   THEN 'declared' ELSE staged.sms_wish END),
        ('email', staged.email, CASE WHEN staged.email_wish = 'unknown' AND 'email' = ANY(%(declared_channels)s)
                                     THEN 'declared' ELSE staged.email_wish END)
    ) AS given (channel, address, wish)
    WHERE planned.customer_id IS NOT NULL AND (
        given.wish IN ('no', 'opt_out')
        OR given.wish IN ('yes', 'declared') AND given.address <> '' AND planned.outcome IN ('created', 'matched')
    )
), refusal AS (
    SELECT DISTINCT customer_id, channel FROM wish WHERE wish IN ('no', 'opt_out')
), closed AS MATERIALIZED (
    SELECT wish.channel, wish.address, unnest(%(all_purposes)s::text[]) AS purpose
    FROM wish JOIN customers_suppression shut ON shut.channel = wish.channel AND shut.address = wish.address
    WHERE wish.wish IN ('yes', 'declared')
    UNION
    SELECT wish.channel, wish.address, elsewhere.purpose
    FROM wish
    JOIN customers_contactpoint point ON point.channel = wish.channel AND point.address = wish.address
    JOIN customers_consent elsewhere
        ON elsewhere.customer_id = point.customer_id AND elsewhere.channel = point.channel
       AND elsewhere.status = 'withdrawn'
    WHERE wish.wish IN ('yes', 'declared')
)
INSERT INTO consent_wish (number, customer_id, channel, purpose, wish, effect)
SELECT wish.number, wish.customer_id, wish.channel, asked.purpose, wish.wish,
       CASE
           WHEN wish.wish = 'no' THEN CASE WHEN standing.status = 'granted' THEN 'withdraw' ELSE '' END
           WHEN wish.wish = 'opt_out' THEN CASE WHEN standing.status = 'withdrawn' THEN '' ELSE 'withdraw' END
           WHEN refusal.customer_id IS NOT NULL THEN ''
           WHEN standing.status = 'withdrawn' OR closed.address IS NOT NULL THEN 'kept'
           WHEN standing.status = 'granted' THEN ''
           ELSE 'grant'
       END
FROM wish
CROSS JOIN LATERAL unnest(
    CASE wish.wish WHEN 'declared' THEN %(declared_purposes)s::text[] ELSE %(all_purposes)s::text[] END
) AS asked (purpose)
LEFT JOIN customers_consent standing
    ON standing.customer_id = wish.customer_id AND standing.channel = wish.channel AND standing.purpose = asked.purpose
LEFT JOIN closed
    ON closed.channel = wish.channel AND closed.address = wish.address AND closed.purpose = asked.purpose
LEFT JOIN refusal ON refusal.customer_id = wish.customer_id AND refusal.channel = wish.channel
"""

GRANT = """
INSERT INTO customers_consent (customer_id, channel, purpose, status, changed_at)
SELECT customer_id, channel, purpose, 'granted', %(now)s FROM consent_wish WHERE effect = 'grant'
ON CONFLICT (customer_id, channel, purpose) DO NOTHING
"""

GRANT_EVIDENCE = """
INSERT INTO customers_consentchange (
    customer_id, channel, purpose, status, source, wording, happened_at, recorded_at, actor_id, spreadsheet_import_id
)
SELECT customer_id, channel, purpose, 'granted',
       CASE wish WHEN 'declared' THEN %(declaration)s ELSE %(column)s END,
       CASE WHEN wish = 'declared' THEN %(declared_wording)s
            WHEN channel = 'sms' THEN %(sms_wording)s ELSE %(email_wording)s END,
       CASE wish WHEN 'declared' THEN %(declared_at)s::timestamptz ELSE %(now)s::timestamptz END,
       %(now)s, CASE wish WHEN 'declared' THEN %(declared_by)s::int ELSE %(actor)s::int END, %(import)s
FROM consent_wish WHERE effect = 'grant'
"""

WITHDRAWALS = """
SELECT channel, array_agg(DISTINCT customer_id) FROM consent_wish WHERE effect = 'withdraw' GROUP BY channel
"""


@dataclass(frozen=True)
class Declaration:
    """What a person answers for: the customers of a file agreed, for these channels and purposes, in these words."""

    channels: list[str] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)
    wording: str = ""
    happened_at: datetime | None = None
    by: AbstractBaseUser | None = None


@dataclass(frozen=True)
class FileEvidence:
    """What the evidence of a file's consents says about where they came from; `wordings` by channel."""

    import_id: int | None = None
    by: AbstractBaseUser | None = None
    wordings: dict[str, str] = field(default_factory=dict)
    declaration: Declaration = field(default_factory=Declaration)


def close_or_pass_gate(cursor: CursorWrapper) -> None:
    """
    Stand against opt-outs that arrive at this moment, until the commit.

    An opt-out waits and then finds the customers of the file, or was committed first and is found by it.
    """
    cursor.execute(REFUSALS)
    if cursor.fetchone()[0]:
        gate.shut()
    else:
        gate.hold_open()


def wish(cursor: CursorWrapper, evidence: FileEvidence) -> None:
    """Work out what the planned rows say about consent, and what may come of it."""
    cursor.execute(
        WISHES,
        {
            "declared_channels": list(evidence.declaration.channels),
            "declared_purposes": list(evidence.declaration.purposes),
            "all_purposes": [purpose.value for purpose in CONSENT_PURPOSES],
        },
    )


def take(cursor: CursorWrapper, evidence: FileEvidence, *, now: datetime) -> None:
    """Record the consents and refusals that were worked out, each with its evidence."""
    declaration = evidence.declaration
    values = {
        "now": now,
        "declaration": ConsentSource.DECLARATION.value,
        "column": ConsentSource.IMPORT.value,
        "declared_wording": declaration.wording,
        "declared_at": declaration.happened_at or now,
        "sms_wording": evidence.wordings.get("sms", ""),
        "email_wording": evidence.wordings.get("email", ""),
        "declared_by": declaration.by.pk if declaration.by else None,
        "actor": evidence.by.pk if evidence.by else None,
        "import": evidence.import_id,
    }
    cursor.execute(GRANT, values)
    cursor.execute(GRANT_EVIDENCE, values)
    cursor.execute(WITHDRAWALS)
    for channel, customer_ids in cursor.fetchall():
        consent.withdraw(
            customer_ids,
            channels=[channel],
            source=ConsentSource.IMPORT,
            wording=evidence.wordings.get(channel, ""),
            now=now,
            by=evidence.by,
            import_id=evidence.import_id,
        )
