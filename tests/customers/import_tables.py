"""What an import left behind, written so that two runs can be compared: without keys of the database and clocks."""

import csv
import io

from django.db import connection

from customers.models import Customer
from tests import cast

# Customers are named by the first row that speaks of them, and those that no row speaks of by what they are called.
NAMED = """
WITH named AS (
    SELECT customer.id, coalesce(min(told.number)::text, customer.name) AS who
    FROM customers_customer customer LEFT JOIN customers_importedrow told ON told.customer_id = customer.id
    GROUP BY customer.id
)
"""
TABLES = {
    "customers": """
        SELECT who, name, gender, birth_year, birth_month, birth_day, birth_calendar, city, province, external_id,
               note, (SELECT tier.name FROM customers_tier tier WHERE tier.id = customer.tier_id)
        FROM customers_customer customer JOIN named USING (id)""",
    "addresses": """
        SELECT who, channel, address, is_primary
        FROM customers_contactpoint point JOIN named ON named.id = point.customer_id""",
    "tags": """
        SELECT who, tag.name FROM customers_customertag held
        JOIN customers_tag tag ON tag.id = held.tag_id JOIN named ON named.id = held.customer_id""",
    "consents": """
        SELECT who, channel, purpose, status
        FROM customers_consent standing JOIN named ON named.id = standing.customer_id""",
    "evidence": """
        SELECT who, channel, purpose, status, source, wording, spreadsheet_import_id IS NOT NULL
        FROM customers_consentchange change JOIN named ON named.id = change.customer_id""",
    "closed": "SELECT channel, address, scope, reason FROM customers_suppression",
    "words": "SELECT name FROM customers_tag UNION ALL SELECT name FROM customers_tier",
    "rows": """
        SELECT number, kept.name, phone, email, external_id, outcome, reason, duplicate_of, opt_out_kept,
               has_conflict, who,
               (SELECT string_agg(concat_ws('=', told ->> 'column', told ->> 'cell', told ->> 'code'), ';')
                FROM jsonb_array_elements(problems) told)
        FROM customers_importedrow kept LEFT JOIN named ON named.id = kept.customer_id""",
    "changes": """
        SELECT number, who, (SELECT string_agg(key, ',' ORDER BY key) FROM jsonb_object_keys(after) key)
        FROM customers_importedchange change JOIN named ON named.id = change.customer_id""",
    "file": "SELECT status, rows_done, rows_total, counts::text FROM customers_spreadsheetimport",
}


def file_of(rows: int) -> bytes:
    """A messy file: customers who come again in later chunks with other names, addresses and answers."""
    handle = io.StringIO()
    writer = csv.writer(handle)
    writer.writerow(["手机号", "姓名", "邮箱", "会员编号", "标签", "会员等级", "生日", "短信同意"])
    answers = ("是", "否", "退订", "", "再说")
    for number in range(rows):
        # Every seventh is somebody from half a file before, by the phone, the e-mail address or the number.
        again = number - rows // 2 if number % 7 == 0 and number > rows // 2 else number
        cells = [str(13900000000 + again), f"顾客{number}", f"c{again}@example.com", f"C{again}"]
        for kept, place in ((0, 0), (1, 2), (2, 3)):
            if again != number and number // 7 % 3 != kept:
                cells[place] = ""
        cells += [
            "老客" if number % 3 else "新客,自提",
            f"等级{number % 4}",
            f"{1960 + number % 40}-05-{1 + number % 28:02}",
        ]
        writer.writerow([*cells, answers[number % 11 % 5]])
    return handle.getvalue().encode()


def know_some(rows: int) -> None:
    """Customers whom the shop knows before: some have opted out, some are in the file by their number alone."""
    for number in range(0, rows, max(rows // 60, 1)):
        phone = str(13900000000 + number) if number % 2 else ""
        person = cast.customer(f"老客{number}", phone=phone, consent=("granted", "withdrawn", "")[number % 3])
        Customer.objects.filter(pk=person.pk).update(external_id="" if phone else f"C{number}")


def forget() -> None:
    """Empty the tables that an import writes; nothing leads from an address or a consent to its customer."""
    names = (
        "customer contactpoint consent consentchange customertag tag tier suppression spreadsheetimport importedrow"
    )
    with connection.cursor() as cursor:
        tables = ", ".join(f"customers_{name}" for name in [*names.split(), "importedchange", "layoutmemory"])
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def fingerprints() -> dict[str, tuple[int, str]]:
    """How many rows each table has, and what they add up to."""
    found = {}
    with connection.cursor() as cursor:
        for name, query in TABLES.items():
            cursor.execute(
                f"{NAMED} SELECT count(*), coalesce(md5(string_agg(md5(line::text), '' ORDER BY md5(line::text))), '')"
                f" FROM ({query}) line"
            )
            found[name] = cursor.fetchone()
    return found
