"""The standing cast: Li Na allows everything, Wang Wei opted out, Zhang Min has e-mail only, Chen Jie is new."""

from datetime import datetime
from decimal import Decimal

from django.db import connection

from customers import clock
from customers.choices import Channel, ConsentStatus, Purpose
from customers.models import Consent, ContactPoint, Customer
from notifications.choices import SignatureStatus
from notifications.models import ProviderAccount, Signature, Template


def customer(name: str, *, phone: str = "", email: str = "", consent: str = "") -> Customer:
    """A customer; `consent` is granted, withdrawn or '' for every channel and class."""
    person = Customer.objects.create(name=name)
    for channel, address in ((Channel.SMS, phone), (Channel.EMAIL, email)):
        if address:
            ContactPoint.objects.create(customer=person, channel=channel, address=address)
        if consent:
            for purpose in (Purpose.CARE, Purpose.MARKETING):
                Consent.objects.create(
                    customer=person,
                    channel=channel,
                    purpose=purpose,
                    status=consent,
                    changed_at=clock.now(),
                )
    return person


def li_na() -> Customer:
    """VIP, allows everything."""
    return customer("李娜", phone="13800000001", consent=ConsentStatus.GRANTED)


def wang_wei() -> Customer:
    """Replied TD."""
    return customer("王伟", phone="13800000002", consent=ConsentStatus.WITHDRAWN)


def zhang_min() -> Customer:
    """Has e-mail only."""
    return customer("张敏", email="zhang.min@example.com", consent=ConsentStatus.GRANTED)


def chen_jie() -> Customer:
    """New: nothing allowed."""
    return customer("陈洁", phone="13800000004")


def crowd(size: int, *, first_phone: int = 13900000000) -> list[int]:
    """Customers by the thousand who allow everything; answers their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH people AS (
                INSERT INTO customers_customer (name, gender, city, province, external_id, note)
                SELECT '客户' || place, '', '', '', '', '' FROM generate_series(0, %(size)s - 1) AS place
                RETURNING id
            ), placed AS (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM people
            ), reached AS (
                INSERT INTO customers_contactpoint (customer_id, channel, address, is_primary)
                SELECT id, 'sms', (%(first)s + place)::text, true FROM placed
            ), allowed AS (
                INSERT INTO customers_consent (customer_id, channel, purpose, status, changed_at)
                SELECT id, 'sms', purpose, 'granted', hongyan_now()
                FROM placed CROSS JOIN unnest(ARRAY['care', 'marketing']) AS purpose
            )
            SELECT id FROM placed ORDER BY id
            """,
            {"size": size, "first": first_phone},
        )
        ids = [row[0] for row in cursor.fetchall()]
        # As an import does: a plan made for an empty table takes minutes for a full one.
        cursor.execute("ANALYZE customers_customer, customers_contactpoint, customers_consent")
        return ids


def signature(name: str = "鸿雁花店") -> Signature:
    """An approved signature."""
    return Signature.objects.get_or_create(name=name, defaults={"status": SignatureStatus.APPROVED})[0]


def template(
    body: str = '{{ name or "顾客" }},新年快乐!', *, purpose: str = Purpose.MARKETING, name: str = ""
) -> Template:
    """A template ready to send."""
    return Template.objects.create(
        name=name or f"{purpose} {body[:40]}", purpose=purpose, signature=signature(), body=body
    )


def letter(
    body: str = '{{ name or "顾客" }}，您好！', *, subject: str = "给{{ name or '您' }}的一封信", html: str = "",
    purpose: str = Purpose.MARKETING, channel: str = Channel.EMAIL, name: str = "",
) -> Template:  # fmt: skip
    """A template of an e-mail or of the inbox, ready to send."""
    return Template.objects.create(
        name=name or f"{channel} {purpose} {body[:30]}", purpose=purpose, signature=signature(), body=body,
        subject=subject, html=html, channel=channel,
    )  # fmt: skip


def mail_account(url: str, **columns) -> ProviderAccount:
    """A sandbox account at a mail server."""
    usual = {"from_address": "hello@shop.example", "from_name": "鸿雁花店", "price": Decimal("0.01"), "batch_size": 50}
    return ProviderAccount.objects.create(
        name=f"mail {url}", channel=Channel.EMAIL, gateway="smtp", url=url, is_sandbox=True,
        callback_token=f"mail-{abs(hash(url))}", **usual | columns,
    )  # fmt: skip


def inbox_account() -> ProviderAccount:
    """The account of the inbox."""
    return ProviderAccount.objects.create(
        name="站内信", channel=Channel.INBOX, gateway="inbox", price=0, is_sandbox=True, callback_token="inbox",
    )  # fmt: skip


def account(url: str, *, batch_size: int = 100) -> ProviderAccount:
    """A sandbox account at a gateway."""
    return ProviderAccount.objects.create(
        name=f"sandbox {url}",
        url=f"{url}/send",
        query_url=f"{url}/query",
        callback_token=f"token-{abs(hash(url))}",
        batch_size=batch_size,
        price=Decimal("0.045"),
        is_sandbox=True,
    )


def at(text: str) -> datetime:
    """A moment in the shop's zone, such as 2027-02-06 09:00."""
    return datetime.fromisoformat(text).replace(tzinfo=clock.shop_zone())
