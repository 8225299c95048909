"""Messages as they stand after their calls, without a gateway, and what providers report of them."""

import json
import uuid
from datetime import datetime

from django.db.models import F

from customers import clock
from customers.models import Customer
from notifications.choices import DeliveryStatus, GatewayKind, SubmissionStatus
from notifications.models import Delivery, ProviderAccount, Submission
from notifications.services import deliveries
from tests import cast
from tests.notifications.test_sending import freeze

ALIYUN = {"gateway": GatewayKind.ALIYUN_SMS, "key_id": "key", "batch_size": 100}
TENCENT = {
    "gateway": GatewayKind.TENCENT_SMS,
    "url": "https://sms.tencentcloudapi.com",
    "key_id": "key",
    "app_id": "1400006666",
    "batch_size": 100,
}


def account(name: str = "main", **values) -> ProviderAccount:
    """An account that nobody calls."""
    values = {"url": "https://gateway.example.com/send", "price": "0.045", "is_sandbox": True} | values
    return ProviderAccount.objects.create(name=name, callback_token=f"token-of-{name}", **values)


def sent(account: ProviderAccount, size: int, *, now: datetime, occasion: str = "greeting", **customers) -> list[int]:
    """Deliveries to a crowd that the provider took; answers their ids."""
    cast.crowd(size, **customers)
    # A cloud would want the text approved first, which is not what these tests are about.
    ProviderAccount.objects.filter(pk=account.pk).update(gateway=GatewayKind.GENERIC_HTTP)
    message = freeze(cast.template(name=occasion), now=now)
    ProviderAccount.objects.filter(pk=account.pk).update(gateway=account.gateway)
    deliveries.plan(message, Customer.objects.present(), occasion=occasion, now=now)
    call(message, account, now=now)
    Submission.objects.filter(message=message).update(status=SubmissionStatus.SETTLED, lease_until=None)
    Delivery.objects.filter(message=message, status="queued").update(status=DeliveryStatus.SENT, sent_at=now)
    return list(Delivery.objects.filter(message=message).order_by("id").values_list("id", flat=True))


def call(message, account: ProviderAccount, *, now: datetime) -> None:
    """Let every submission of a message be in the air."""
    for submission in Submission.objects.filter(message=message):
        Submission.objects.filter(pk=submission.pk).update(
            status=SubmissionStatus.CALLED,
            token=uuid.uuid4(),
            called_at=now,
            account=account,
            lease_until=now,
            queue=F("queue"),
        )


def named(delivery_id: int) -> tuple[str, str, str]:
    """The reference of a delivery's call, our reference of the delivery, and its number."""
    delivery = Delivery.objects.select_related("submission").get(pk=delivery_id)
    token = delivery.submission.token.hex
    return token, f"{token}-{delivery.pk}", delivery.address


def report(delivery_id: int, status: str, *, code: str = "", at: str | None = None) -> dict:
    """A receipt in the words of our own protocol."""
    _token, reference, number = named(delivery_id)
    return {"reference": reference, "number": number, "status": status, "code": code, "at": at}


def encoded(items: object, encoding: str = "utf-8") -> bytes:
    """A callback's body."""
    return json.dumps(items, ensure_ascii=False).encode(encoding)


def now() -> datetime:
    """The deployment's time."""
    return clock.now()
