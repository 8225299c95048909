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
    SELECT FROM planned_row
    WHERE (sms_wish IN ('no', 'opt_out') OR email_wish IN ('no', 'opt_out'))
      AND (outcome IN ('matched', 'duplicate') OR 'opt_out' IN (sms_wish, email_wish))
       OR purpose_wishes IS NOT NULL AND array_to_string(purpose_wishes, ' ') ~ ':(no|opt_out)'
)
"""

# A later row of the same customer may refuse what the first one allowed, and never the other way round. Whoever is new
# in this chunk has answered nothing yet, and is not looked up among the answers.
WISHES = """
WITH said (number, customer_id, outcome, channel, address, wish, purpose) AS (
    SELECT number, customer_id, outcome, 'sms', phone,
           CASE WHEN sms_wish = 'unknown' AND 'sms' = ANY(%(declared_channels)s) THEN 'declared'
                ELSE sms_wish END, NULL
    FROM planned_row
    UNION ALL
    SELECT number, customer_id, outcome, 'email', email,
           CASE WHEN email_wish = 'unknown' AND 'email' = ANY(%(declared_channels)s) THEN 'declared'
                ELSE email_wish END, NULL
    FROM planned_row
    UNION ALL
    -- A column for one purpose speaks for that alone.
    SELECT number, customer_id, outcome, given.parts[1],
           CASE given.parts[1] WHEN 'sms' THEN phone ELSE email END,
           CASE WHEN given.parts[3] = 'unknown' AND given.parts[1] = ANY(%(declared_channels)s)
                     AND given.parts[2] = ANY(%(declared_purposes)s) THEN 'declared'
                ELSE given.parts[3] END, given.parts[2]
    FROM planned_row
    CROSS JOIN LATERAL (SELECT string_to_array(told, ':') AS parts FROM unnest(purpose_wishes) told) given
    WHERE purpose_wishes IS NOT NULL
), wish AS MATERIALIZED (
    SELECT * FROM said
    WHERE customer_id IS NOT NULL AND (
        wish = 'opt_out' OR wish = 'no' AND outcome <> 'created'
        OR wish IN ('yes', 'declared') AND address <> '' AND outcome IN ('created', 'matched')
    )
), refusal AS (
    SELECT DISTINCT customer_id, channel FROM wish WHERE wish IN ('no', 'opt_out') AND outcome = 'duplicate'
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
    UNION
    -- An address that another row brings to somebody who opted out.
    SELECT wish.channel, wish.address, elsewhere.purpose
    FROM wish
    JOIN missing_point point ON point.channel = wish.channel AND point.address = wish.address
    JOIN customers_consent elsewhere
        ON elsewhere.customer_id = point.customer_id AND elsewhere.channel = point.channel
       AND elsewhere.status = 'withdrawn'
    WHERE wish.wish IN ('yes', 'declared')
), asked AS (
    SELECT wish.number, wish.customer_id, wish.outcome, wish.channel, wish.address, wish.wish,
           wish.purpose IS NOT NULL AS is_for_one_purpose, meant.purpose
    FROM wish CROSS JOIN LATERAL unnest(
        CASE WHEN wish.purpose IS NOT NULL THEN ARRAY[wish.purpose]
             WHEN wish.wish = 'declared' THEN %(declared_purposes)s::text[] ELSE %(all_purposes)s::text[] END
    ) AS meant (purpose)
), compared AS (
    SELECT asked.*, NULL AS status FROM asked WHERE outcome = 'created'
    UNION ALL
    SELECT asked.*, standing.status
    FROM asked LEFT JOIN customers_consent standing
        ON standing.customer_id = asked.customer_id AND standing.channel = asked.channel
       AND standing.purpose = asked.purpose
    WHERE outcome <> 'created'
), answered AS (
    SELECT compared.number, compared.customer_id, compared.channel, compared.purpose, compared.wish,
           CASE
               WHEN compared.wish = 'no' THEN CASE WHEN compared.status = 'granted' THEN 'withdraw' END
               WHEN compared.wish = 'opt_out' THEN
                   CASE WHEN compared.status IS DISTINCT FROM 'withdrawn' THEN 'withdraw' END
               WHEN refusal.customer_id IS NOT NULL THEN NULL
               WHEN compared.status = 'withdrawn' OR closed.address IS NOT NULL THEN 'kept'
               WHEN compared.status IS NULL THEN 'grant'
           END AS effect,
           compared.outcome = 'created' AS is_new, compared.is_for_one_purpose
    FROM compared
    LEFT JOIN closed
        ON closed.channel = compared.channel AND closed.address = compared.address
       AND closed.purpose = compared.purpose
    LEFT JOIN refusal ON refusal.customer_id = compared.customer_id AND refusal.channel = compared.channel
)
INSERT INTO consent_wish (number, customer_id, channel, purpose, wish, effect, is_new, is_for_one_purpose)
SELECT * FROM answered WHERE effect IS NOT NULL
"""

# Nobody else can have answered for a new customer, and looking for conflicts costs a third.
GRANT_NEW = """
INSERT INTO customers_consent (customer_id, channel, purpose, status, changed_at)
SELECT customer_id, channel, purpose, 'granted', %(now)s FROM consent_wish WHERE effect = 'grant' AND is_new
"""

GRANT = """
INSERT INTO customers_consent (customer_id, channel, purpose, status, changed_at)
SELECT customer_id, channel, purpose, 'granted', %(now)s FROM consent_wish WHERE effect = 'grant' AND NOT is_new
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
SELECT channel, purposes, array_agg(customer_id)
FROM (
    SELECT channel, customer_id,
           CASE WHEN bool_and(is_for_one_purpose) THEN array_agg(DISTINCT purpose ORDER BY purpose)
                ELSE %(all_purposes)s::text[] END AS purposes
    FROM consent_wish WHERE effect = 'withdraw' GROUP BY channel, customer_id
) refused
GROUP BY channel, purposes
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
        "all_purposes": [purpose.value for purpose in CONSENT_PURPOSES],
    }
    # The answer of the first is the one that is fetched.
    cursor.execute(";".join([WITHDRAWALS, GRANT_NEW, GRANT, GRANT_EVIDENCE]), values)
    for channel, purposes, customer_ids in cursor.fetchall():
        consent.withdraw(
            customer_ids,
            channels=[channel],
            purposes=purposes,
            source=ConsentSource.IMPORT,
            wording=evidence.wordings.get(channel, ""),
            now=now,
            by=evidence.by,
            import_id=evidence.import_id,
        )
