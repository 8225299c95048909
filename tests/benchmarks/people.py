"""A shop with a million customers, made by PostgreSQL itself within a minute."""

from datetime import timedelta

from django.db import connection

from customers import clock
from customers.choices import Channel, Purpose
from notifications.choices import CapWindow
from notifications.models import FrequencyCap, Message, ProviderAccount, QuietHours
from notifications.services import clock as clock_service
from notifications.services import messages
from tests import cast
from tests.benchmarks import measuring, texts

FAMILY_NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
GIVEN_NAMES = "娜敏伟杰芳秀英强磊洋丽静艳军勇涛明超兰霞"
CITIES = "杭州 上海 北京 广州 深圳 成都 武汉 西安 南京 苏州 长沙 青岛"
TABLES = ("customers_customer", "customers_tag", "customers_tier", "customers_suppression", "customers_consentchange")

CUSTOMERS = """
INSERT INTO customers_customer (
    id, name, gender, city, province, external_id, note, birth_year, birth_month, birth_day, tier_id
)
SELECT i, substr(%(families)s, 1 + i %% 20, 1) || substr(%(givens)s, 1 + i / 20 %% 20, 1)
        || CASE WHEN i %% 3 > 0 THEN substr(%(givens)s, 1 + i / 400 %% 20, 1) ELSE '' END,
    CASE WHEN i %% 2 = 0 THEN 'female' ELSE 'male' END,
    CASE WHEN i %% 4 = 0 THEN '城市' || i %% 289 ELSE split_part(%(cities)s, ' ', 1 + i * 7 %% 12) END,
    '浙江省', 'C' || i, '', 1960 + i %% 45, 1 + i * 5 %% 12, 1 + i %% 28,
    CASE WHEN i %% 10 < 6 THEN 1 + i %% 10 %% 4 END
FROM generate_series(1, %(count)s) AS i
"""
# In a mixed crowd some have no number, some share one, some were never asked, some opted out, some are closed.
POINTS = """
INSERT INTO customers_contactpoint (customer_id, channel, address, is_primary)
SELECT i, 'sms', (13000000000 + CASE WHEN %(mixed)s AND i %% 97 = 0 AND i > 97 THEN i - 1 ELSE i END)::text, true
FROM generate_series(1, %(count)s) AS i WHERE NOT (%(mixed)s AND i %% 33 = 0)
UNION ALL
SELECT i, 'email', 'customer' || i || '@example.com', true
FROM generate_series(1, %(count)s) AS i WHERE %(mixed)s AND i %% 3 = 0
"""
CONSENTS = """
INSERT INTO customers_consent (customer_id, channel, purpose, status, changed_at)
SELECT i, 'sms', purpose, CASE WHEN %(mixed)s AND i %% 41 = 0 THEN 'withdrawn' ELSE 'granted' END, hongyan_now()
FROM generate_series(1, %(count)s) AS i CROSS JOIN (VALUES ('care'), ('marketing')) AS asked (purpose)
WHERE NOT (%(mixed)s AND i %% 12 = 0)
"""
EVIDENCE = """
INSERT INTO customers_consentchange (
    customer_id, channel, purpose, status, source, wording, happened_at, recorded_at
)
SELECT customer_id, channel, purpose, status, 'staff', '会员登记表', changed_at, changed_at FROM customers_consent
WHERE %(mixed)s AND purpose = 'marketing'
"""
CLOSED = """
INSERT INTO customers_suppression (channel, address, scope, reason, note)
SELECT 'sms', (13000000000 + i)::text, CASE WHEN i %% 2 = 0 THEN 'all' ELSE 'marketing' END, 'opted_out', ''
FROM generate_series(77, %(count)s, 77) AS i WHERE %(mixed)s
"""
TAGS = """
INSERT INTO customers_customertag (customer_id, tag_id)
SELECT i, 1 + i / 3 %% 12 FROM generate_series(1, %(count)s) AS i WHERE %(mixed)s AND i %% 3 = 0
UNION ALL
SELECT i, 13 FROM generate_series(1, %(count)s, 5000) AS i WHERE %(mixed)s
"""
GROUPS = """
INSERT INTO customers_tier (id, name, rank) SELECT i, '等级' || i, i FROM generate_series(1, 4) AS i;
INSERT INTO customers_tag (id, name) SELECT i, '标签' || i FROM generate_series(1, 13) AS i;
SELECT setval(pg_get_serial_sequence('customers_tier', 'id'), 100);
SELECT setval(pg_get_serial_sequence('customers_tag', 'id'), 100);
"""


def load(count: int, *, is_mixed: bool) -> None:
    """
    Fill the empty customer tables; the ids are 1 to `count`, the number of i is 13000000000 + i.

    Of a mixed crowd about four fifths may get marketing by SMS, of the other everybody.
    """
    values = {
        "count": count,
        "mixed": is_mixed,
        "families": FAMILY_NAMES,
        "givens": GIVEN_NAMES,
        "cities": CITIES,
    }
    measuring.empty(*TABLES)
    with connection.cursor() as cursor:
        cursor.execute(GROUPS)
        for statement in (CUSTOMERS, POINTS, CONSENTS, EVIDENCE, CLOSED, TAGS):
            cursor.execute(statement, values)
        cursor.execute("SELECT setval(pg_get_serial_sequence('customers_customer', 'id'), %s)", [count])
        cursor.execute("VACUUM ANALYZE")


def remember_sends(count: int, *, sends: int) -> int:
    """
    Give customers and their numbers a past of so many sends in 30 days, unevenly; answers how many rows.

    A send counts once for the person and once for the number.
    """
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notifications_recentsends")
        cursor.execute(
            """
            WITH past AS (
                SELECT 1 + (random() * (%(count)s - 1))::bigint AS customer_id,
                    (extract(epoch FROM hongyan_now() - random() * interval '30 days') * 1000)::bigint << 8
                        | 16 | CASE WHEN i %% 4 = 0 THEN 3 ELSE 4 END AS packed
                FROM generate_series(1, %(sends)s) AS i
            ), person AS (
                SELECT customer_id, array_agg(packed ORDER BY packed) AS sends FROM past GROUP BY customer_id
            )
            INSERT INTO notifications_recentsends (subject, sends)
            SELECT customer_id, sends FROM person
            UNION ALL
            SELECT -1 - (hashtextextended('sms:' || (13000000000 + customer_id)::text, 0) & 9223372036854775807), sends
            FROM person
            """,
            {"count": count, "sends": sends},
        )
        rows = cursor.rowcount
        cursor.execute("VACUUM ANALYZE notifications_recentsends")
    return rows


def open_shop(gateway_url: str = "http://127.0.0.1:9") -> ProviderAccount:
    """An account, caps of one a day and three a week, quiet hours, and noon on the clock."""
    FrequencyCap.objects.all().delete()
    for name, limit, days in (("One a day", 1, 1), ("Three a week", 3, 7)):
        FrequencyCap.objects.create(
            name=name, purpose=Purpose.MARKETING, limit=limit, window=CapWindow.DAYS, window_length=days
        )
    QuietHours.objects.get_or_create(channel=Channel.SMS, purpose=Purpose.MARKETING)
    account = cast.account(gateway_url)
    set_noon()
    return account


def set_noon() -> None:
    """Set the deployment's clock to noon in the shop, whatever the machine's says."""
    clock_service.shift(timedelta(0))
    now = clock.now()
    clock_service.shift(now.astimezone(clock.shop_zone()).replace(hour=12, minute=0) - now)


def message(name: str, *, body: str = texts.BODY, **options) -> Message:
    """A frozen text that may go out for the next four hours."""
    now = clock.now()
    template = cast.template(body, name=name)
    return messages.freeze(
        template,
        name=name,
        price="0.045",
        send_after=now,
        send_until=now + timedelta(hours=4),
        by=None,
        now=now,
        **options,
    )
