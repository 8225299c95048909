"""
Finds out whose the planned orders are: by phone number, by account at the platform, by e-mail address.

An order file makes known who ordered, and changes nothing about a customer who is known already. It never brings
consent. An account without a number is a customer of its own; when a file brings the number, the customer gets it, or,
where the number is somebody's already, its orders go to that customer and the nameless one is closed.
"""

from datetime import datetime

from django.db.backends.utils import CursorWrapper

ACCOUNTS = """
INSERT INTO chunk_account (platform, name, phone, email, account_id, customer_id, has_phone)
SELECT found.platform, found.buyer_name, coalesce(file.phone, ''), found.email, account.id, account.customer_id,
       EXISTS (
           SELECT FROM customers_contactpoint point
           WHERE point.customer_id = account.customer_id AND point.channel = 'sms'
       )
FROM (
    SELECT platform, buyer_name, max(email) AS email FROM planned_order WHERE buyer_name <> '' GROUP BY 1, 2
) found
LEFT JOIN file_account file ON file.platform = found.platform AND file.name = found.buyer_name
LEFT JOIN customers_customeraccount account ON account.name = found.buyer_name AND account.platform = found.platform
"""

# Whose numbers these are: of the customer who has it, first by main number, then by age.
PHONES = """
INSERT INTO chunk_phone (phone, customer_id, is_new, is_adopted)
SELECT asked.phone, owner.customer_id, false, false
FROM (
    SELECT phone FROM planned_order WHERE phone <> ''
    UNION SELECT phone FROM chunk_account WHERE phone <> '' AND NOT has_phone
) asked
LEFT JOIN LATERAL (
    SELECT point.customer_id
    FROM customers_contactpoint point JOIN customers_customer customer ON customer.id = point.customer_id
    WHERE point.address = asked.phone AND point.channel = 'sms' AND customer.erased_at IS NULL
    ORDER BY point.is_primary DESC, point.customer_id LIMIT 1
) owner ON true
"""

# A number that is nobody's goes to a customer whom only an account or an e-mail address made known, one for each.
ADOPT = """
UPDATE chunk_phone asked SET customer_id = wish.customer_id, is_adopted = true
FROM (
    SELECT phone, min(customer_id) AS customer_id
    FROM (
        SELECT DISTINCT ON (wanted.customer_id) wanted.customer_id, wanted.phone
        FROM (
            SELECT customer_id, phone FROM chunk_account
            WHERE customer_id IS NOT NULL AND NOT has_phone AND phone <> ''
            UNION ALL
            SELECT point.customer_id, planned.phone
            FROM planned_order planned
            JOIN customers_contactpoint point ON point.address = planned.email AND point.channel = 'email'
            JOIN customers_customer customer ON customer.id = point.customer_id AND customer.erased_at IS NULL
            WHERE planned.phone <> '' AND planned.email <> '' AND NOT EXISTS (
                SELECT FROM customers_contactpoint other
                WHERE other.customer_id = point.customer_id AND other.channel = 'sms'
            )
        ) wanted
        JOIN chunk_phone free ON free.phone = wanted.phone
        WHERE free.customer_id IS NULL
        ORDER BY wanted.customer_id, wanted.phone
    ) one_each
    GROUP BY phone
) wish
WHERE asked.phone = wish.phone AND asked.customer_id IS NULL
"""
NEW_PHONES = """
UPDATE chunk_phone SET customer_id = nextval('customers_customer_id_seq'), is_new = true WHERE customer_id IS NULL
"""

TARGETS = """
UPDATE chunk_account account
SET target = CASE WHEN account.has_phone OR account.phone = '' THEN account.customer_id ELSE known.customer_id END
FROM chunk_account itself LEFT JOIN chunk_phone known ON known.phone = itself.phone
WHERE itself.platform = account.platform AND itself.name = account.name
"""

EMAILS = """
INSERT INTO chunk_email (email, customer_id, is_new)
SELECT asked.email, coalesce(owner.customer_id, beside.customer_id), false
FROM (
    SELECT DISTINCT planned.email
    FROM planned_order planned
    LEFT JOIN chunk_account account ON account.platform = planned.platform AND account.name = planned.buyer_name
    WHERE planned.email <> '' AND planned.phone = '' AND account.target IS NULL
) asked
LEFT JOIN LATERAL (
    SELECT point.customer_id
    FROM customers_contactpoint point JOIN customers_customer customer ON customer.id = point.customer_id
    WHERE point.address = asked.email AND point.channel = 'email' AND customer.erased_at IS NULL
    ORDER BY point.is_primary DESC, point.customer_id LIMIT 1
) owner ON true
LEFT JOIN (
    SELECT DISTINCT ON (other.email) other.email, known.customer_id
    FROM planned_order other JOIN chunk_phone known ON known.phone = other.phone
    WHERE other.email <> '' ORDER BY other.email, other.first_number
) beside ON beside.email = asked.email
"""
NEW_EMAILS = """
UPDATE chunk_email SET customer_id = nextval('customers_customer_id_seq'), is_new = true WHERE customer_id IS NULL
"""
TARGETS_BY_EMAIL = """
UPDATE chunk_account account SET target = known.customer_id
FROM chunk_email known WHERE account.target IS NULL AND account.email <> '' AND known.email = account.email
"""
NEW_ACCOUNTS = """
UPDATE chunk_account SET target = nextval('customers_customer_id_seq') WHERE target IS NULL
"""

# Who has the phone is who ordered; then the account, then the e-mail address.
BUYERS = """
UPDATE planned_order planned SET customer_id = buyer.customer_id
FROM (
    SELECT asked.order_id, coalesce(by_phone.customer_id, account.target, by_email.customer_id) AS customer_id
    FROM planned_order asked
    LEFT JOIN chunk_phone by_phone ON by_phone.phone = asked.phone AND asked.phone <> ''
    LEFT JOIN chunk_account account ON account.platform = asked.platform AND account.name = asked.buyer_name
    LEFT JOIN chunk_email by_email ON by_email.email = asked.email AND asked.email <> ''
) buyer
WHERE planned.order_id = buyer.order_id
"""
# Taken for empty, each of these tables was read from end to end for every row of the next: minutes for 10,000 orders.
LOOK = "ANALYZE chunk_account, chunk_phone"
PLAN = (
    *(ACCOUNTS, PHONES, LOOK, ADOPT, NEW_PHONES, TARGETS, EMAILS, NEW_EMAILS, TARGETS_BY_EMAIL, NEW_ACCOUNTS),
    *("ANALYZE chunk_account, chunk_email", BUYERS),
)

# Without a name of a receiver, an account is known by the name it has at its platform.
CREATE = """
INSERT INTO customers_customer (id, name, gender, city, province, external_id, note, created_at, updated_at)
SELECT new.id, left(coalesce(nullif(first.receiver_name, ''), account.name, ''), 60), '',
       coalesce(first.city, ''), coalesce(first.province, ''), '', '', %(now)s, %(now)s
FROM (
    SELECT customer_id AS id FROM chunk_phone WHERE is_new
    UNION SELECT customer_id FROM chunk_email WHERE is_new
    UNION SELECT target FROM chunk_account WHERE account_id IS NULL AND NOT EXISTS (
        SELECT FROM customers_customer known WHERE known.id = target
    )
) new
LEFT JOIN (
    SELECT DISTINCT ON (customer_id) customer_id, receiver_name, city, province
    FROM planned_order WHERE customer_id IS NOT NULL ORDER BY customer_id, receiver_name = '', first_number
) first ON first.customer_id = new.id
LEFT JOIN (
    SELECT DISTINCT ON (target) target, name FROM chunk_account WHERE phone = '' AND email = '' ORDER BY target, name
) account ON account.target = new.id
ORDER BY new.id
"""
ADD_POINTS = """
INSERT INTO customers_contactpoint (customer_id, channel, address, is_primary, created_at)
SELECT customer_id, 'sms', phone, true, %(now)s FROM chunk_phone WHERE is_new OR is_adopted
UNION ALL
SELECT customer_id, 'email', email, true, %(now)s FROM chunk_email WHERE is_new
UNION ALL
SELECT DISTINCT ON (known.customer_id) known.customer_id, 'email', planned.email, true, %(now)s
FROM planned_order planned JOIN chunk_phone known ON known.phone = planned.phone
WHERE known.is_new AND planned.email <> '' AND NOT EXISTS (
    SELECT FROM customers_contactpoint other WHERE other.address = planned.email AND other.channel = 'email'
)
"""
# Somebody who is written to is called by a name, not by what a platform calls the account.
NAME_THE_ADOPTED = """
UPDATE customers_customer customer SET name = left(coalesce(first.receiver_name, ''), 60), updated_at = %(now)s
FROM chunk_phone known
LEFT JOIN (
    SELECT DISTINCT ON (customer_id) customer_id, receiver_name FROM planned_order
    WHERE receiver_name <> '' AND customer_id IS NOT NULL ORDER BY customer_id, first_number
) first ON first.customer_id = known.customer_id
WHERE known.is_adopted AND customer.id = known.customer_id AND EXISTS (
    SELECT FROM customers_customeraccount account
    WHERE account.customer_id = customer.id AND left(account.name, 60) = customer.name
)
"""

# Two customers who turn out to be one: a customer of whom nothing but the account was known is closed.
SHELLS = """
INSERT INTO chunk_shell (customer_id, target)
SELECT DISTINCT ON (account.customer_id) account.customer_id, account.target
FROM chunk_account account JOIN customers_customer customer ON customer.id = account.customer_id
WHERE account.target <> account.customer_id AND customer.external_id = '' AND customer.note = ''
  AND customer.tier_id IS NULL AND customer.birth_month IS NULL
  AND NOT EXISTS (SELECT FROM customers_contactpoint point WHERE point.customer_id = customer.id)
  AND NOT EXISTS (SELECT FROM customers_consent answer WHERE answer.customer_id = customer.id)
  AND NOT EXISTS (SELECT FROM customers_customertag held WHERE held.customer_id = customer.id)
ORDER BY account.customer_id, account.target
"""
MOVE_ORDERS_OF_SHELLS = """
UPDATE customers_order moved SET customer_id = shell.target, updated_at = %(now)s
FROM chunk_shell shell WHERE moved.customer_id = shell.customer_id
"""
MOVE_ACCOUNTS_OF_SHELLS = """
UPDATE customers_customeraccount moved SET customer_id = shell.target
FROM chunk_shell shell WHERE moved.customer_id = shell.customer_id
"""
# What was due or is to be done goes with the person.
MOVE_EVENTS_OF_SHELLS = """
UPDATE customers_customerevent moved SET customer_id = shell.target, updated_at = %(now)s
FROM chunk_shell shell WHERE moved.customer_id = shell.customer_id
"""
MOVE_FOLLOW_UPS_OF_SHELLS = """
UPDATE customers_followup moved SET customer_id = shell.target
FROM chunk_shell shell WHERE moved.customer_id = shell.customer_id
"""
CLOSE_SHELLS = """
UPDATE customers_customer customer SET
    merged_into_id = shell.target, erased_at = %(now)s, updated_at = %(now)s, name = '', city = '', province = '',
    gender = '', birth_year = NULL, birth_month = NULL, birth_day = NULL
FROM chunk_shell shell WHERE customer.id = shell.customer_id
"""
# Of others only the account goes, with its orders and what is to be done about them.
MOVE_FOLLOW_UPS = """
UPDATE customers_followup moved SET customer_id = account.target
FROM chunk_account account JOIN customers_order known ON known.account_id = account.account_id
WHERE account.target <> account.customer_id AND moved.order_id = known.id AND moved.customer_id = account.customer_id
"""
MOVE_ORDERS = """
UPDATE customers_order moved SET customer_id = account.target, updated_at = %(now)s
FROM chunk_account account
WHERE account.target <> account.customer_id AND moved.account_id = account.account_id
  AND moved.customer_id = account.customer_id
"""
MOVE_ACCOUNTS = """
UPDATE customers_customeraccount moved SET customer_id = account.target
FROM chunk_account account
WHERE account.target <> account.customer_id AND moved.id = account.account_id AND moved.customer_id <> account.target
"""
ADD_ACCOUNTS = """
INSERT INTO customers_customeraccount (customer_id, platform, name, created_at)
SELECT target, platform, name, %(now)s FROM chunk_account WHERE account_id IS NULL
"""
KNOW_ACCOUNTS = """
UPDATE planned_order planned SET account_id = account.id
FROM customers_customeraccount account
WHERE planned.buyer_name <> '' AND account.name = planned.buyer_name AND account.platform = planned.platform
"""
WRITE = (
    *(CREATE, ADD_POINTS, NAME_THE_ADOPTED),
    *(SHELLS, MOVE_ORDERS_OF_SHELLS, MOVE_ACCOUNTS_OF_SHELLS, MOVE_EVENTS_OF_SHELLS, MOVE_FOLLOW_UPS_OF_SHELLS),
    *(CLOSE_SHELLS, MOVE_FOLLOW_UPS, MOVE_ORDERS, MOVE_ACCOUNTS),
    *(ADD_ACCOUNTS, KNOW_ACCOUNTS),
)
COUNT = """
SELECT (SELECT count(*) FROM chunk_phone WHERE is_new) + (SELECT count(*) FROM chunk_email WHERE is_new)
     + (SELECT count(DISTINCT account.target) FROM chunk_account account
        WHERE account.account_id IS NULL AND account.phone = '' AND account.email = ''),
       (SELECT count(*) FROM chunk_phone WHERE is_adopted)
     + (SELECT count(DISTINCT customer_id) FROM chunk_account WHERE target <> customer_id)
"""


def plan(cursor: CursorWrapper) -> None:
    """Decide for each planned order whose it is."""
    for statement in PLAN:
        cursor.execute(statement)


def write(cursor: CursorWrapper, *, now: datetime) -> None:
    """Store the people that the planned orders make known, and join those who turned out to be one."""
    for statement in WRITE:
        cursor.execute(statement, {"now": now})


def counts(cursor: CursorWrapper) -> dict[str, int]:
    """How many customers are new, and how many accounts found their number."""
    cursor.execute(COUNT)
    new, linked = cursor.fetchone()
    return {"customer:new": new, "customer:linked": linked}
