"""What the demo shop may send, how often, when and through which gateway."""

import secrets
from datetime import time, timedelta

from django.conf import settings

from customers.choices import Channel, Purpose
from notifications.choices import CapWindow, GatewayKind, SignatureStatus
from notifications.models import FrequencyCap, ProviderAccount, QuietHours, Signature

# Service reminders may come later in the evening than advertising, but wake nobody.
NIGHT = (time(22, 0), time(8, 0))


def caps() -> list[FrequencyCap]:
    """How many messages a customer gets at most."""
    return [
        FrequencyCap(
            name="营销短信每天最多 1 条",
            purpose=Purpose.MARKETING,
            channel=Channel.SMS,
            limit=1,
            window=CapWindow.CALENDAR_DAY,
        ),
        FrequencyCap(
            name="营销短信 7 天内最多 3 条",
            purpose=Purpose.MARKETING,
            channel=Channel.SMS,
            limit=3,
            window=CapWindow.DAYS,
            window_length=7,
        ),
        FrequencyCap(
            name="服务提醒每天最多 5 条",
            purpose=Purpose.SERVICE,
            limit=5,
            window=CapWindow.CALENDAR_DAY,
        ),
        FrequencyCap(
            name="任何消息每天最多 8 条，间隔至少 10 分钟",
            limit=8,
            window=CapWindow.CALENDAR_DAY,
            minimum_gap=timedelta(minutes=10),
        ),
    ]


def write() -> tuple[Signature, ProviderAccount]:
    """Store signatures, caps, quiet hours and the sandbox account; answers the approved signature and the account."""
    approved, _pending = Signature.objects.bulk_create(
        [
            Signature(name="鸿雁花店", status=SignatureStatus.APPROVED, note="营业执照全称：杭州鸿雁花店"),
            Signature(name="鸿雁花艺课堂", status=SignatureStatus.PENDING, note="已提交商标证明，等运营商审核"),
        ]
    )
    FrequencyCap.objects.bulk_create(caps())
    QuietHours.objects.bulk_create(
        [
            QuietHours(channel=Channel.SMS, purpose=Purpose.MARKETING),
            QuietHours(channel=Channel.SMS, purpose=Purpose.CARE),
            QuietHours(channel=Channel.SMS, purpose=Purpose.SERVICE, quiet_from=NIGHT[0], quiet_until=NIGHT[1]),
        ]
    )
    address = gateway_address()
    account = ProviderAccount.objects.create(
        name="沙箱网关",
        url=f"{address}/send",
        query_url=f"{address}/query",
        callback_token=secrets.token_urlsafe(32),
        price=settings.SMS_PRICE,
        is_sandbox=True,
    )
    ProviderAccount.objects.bulk_create([mail_account(), inbox_account()])
    return approved, account


def mail_account() -> ProviderAccount:
    """The account at the sandbox's own mail server: its letters end in the same ledger."""
    return ProviderAccount(
        name="沙箱邮件",
        channel=Channel.EMAIL,
        gateway=GatewayKind.SMTP,
        url=settings.SANDBOX_MAIL_URL or "smtp://127.0.0.1:9000",
        from_address="hello@hongyan.example",
        from_name="鸿雁花店",
        callback_token=secrets.token_urlsafe(32),
        batch_size=50,
        price=0,
        is_sandbox=True,
    )


def inbox_account() -> ProviderAccount:
    """The inbox that the shop's own site would show."""
    return ProviderAccount(
        name="站内信",
        channel=Channel.INBOX,
        gateway=GatewayKind.INBOX,
        callback_token=secrets.token_urlsafe(32),
        batch_size=200,
        price=0,
        is_sandbox=True,
    )


def gateway_address() -> str:
    """Where this deployment's sandbox gateway is; its usual place where nobody told, which `up` corrects."""
    return settings.SANDBOX_GATEWAY_URL.rstrip("/") or "http://127.0.0.1:8900"
