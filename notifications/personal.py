"""The personal values of a text's variables, as SQL over one customer."""

from collections.abc import Iterable, Mapping

from django.db import connection

from notifications import text
from notifications.models import Message
from notifications.rendering import LETTER_CHANNELS, OF_OCCASION, VARIABLES

# Aliases: c customer, t tier, a.address the address written to.
VALUE_SQL = {
    "name": "c.name",
    "title": "CASE c.gender WHEN 'female' THEN '女士' WHEN 'male' THEN '先生' ELSE '' END",
    "tier": "coalesce(t.name, '')",
    "city": "c.city",
    "birthday": (
        "CASE WHEN c.birth_month IS NULL THEN '' ELSE c.birth_month::text || '月' || c.birth_day::text || '日' END"
    ),
    "phone_tail": "right(a.address, 4)",
    # The shop's name is the message's signature.
    "shop": "''",
}
# What only an order or an event tells is frozen with the delivery; where there is none it is empty.
VALUE_SQL |= dict.fromkeys(OF_OCCASION, "''")
# An e-mail address has no last four digits, nor has an inbox: they are those of the phone.
PHONE_TAIL_OF_A_LETTER = """
coalesce((SELECT phone.tail FROM customers_contactpoint phone
    WHERE phone.customer_id = c.id AND phone.channel = 'sms' AND phone.is_primary), '')
"""
VALUE_SQL_OF_LETTERS = VALUE_SQL | {"phone_tail": PHONE_TAIL_OF_A_LETTER}
MAXIMUM = {name: variable.maximum for name, variable in VARIABLES.items()}
JOINS = "LEFT JOIN customers_tier t ON t.id = c.tier_id"


def cleaned(values: Mapping[str, str], message: Message) -> dict[str, str]:
    """Values as a text may carry them: no control characters, no 【】, cut to their maximum."""
    clean, maximum, signature = text.clean_value, MAXIMUM, message.signature
    return {key: signature if key == "shop" else clean(value, maximum[key]) for key, value in values.items()}


def has_clean_signature(message: Message) -> bool:
    """Whether what `cleaned` answers for a message needs no more cleaning: its signature is taken as it is."""
    return text.is_clean(message.signature, MAXIMUM["shop"])


def cleaned_value(variable: str, value: str) -> str:
    """One value as a text may carry it."""
    return text.clean_value(value, MAXIMUM[variable])


def value_sql(channel: str) -> Mapping[str, str]:
    """SQL for the value of each variable in a text on a channel."""
    return VALUE_SQL_OF_LETTERS if channel in LETTER_CHANNELS else VALUE_SQL


def columns(variables: Iterable[str], *, channel: str) -> str:
    """SQL for the values of some variables, in the order given, each as text."""
    found = value_sql(channel)
    return "".join(f", ({found[name]})::text" for name in variables)


def values_for(
    customer_ids: Iterable[int], *, channel: str, variables: Iterable[str] = tuple(VALUE_SQL)
) -> dict[int, dict[str, str]]:
    """The values of customers by their id."""
    names = list(variables)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.id{columns(names, channel=channel)}
            FROM customers_customer c {JOINS}
            LEFT JOIN customers_contactpoint p
                ON p.customer_id = c.id AND p.channel = %s AND p.is_primary
            CROSS JOIN LATERAL (SELECT coalesce(p.address, '') AS address) a
            WHERE c.id = ANY(%s)
            """,
            [channel, list(customer_ids)],
        )
        return {row[0]: dict(zip(names, row[1:], strict=True)) for row in cursor.fetchall()}
