"""A shop that sends over Aliyun, whose texts are approved before they may be sent."""

from notifications import secrets
from notifications.choices import GatewayKind
from notifications.models import ProviderAccount
from tests.gateways import aliyun


def account_at(service: aliyun.Aliyun) -> ProviderAccount:
    """The shop's account at a local Aliyun."""
    return ProviderAccount.objects.create(
        name="阿里云",
        gateway=GatewayKind.ALIYUN_SMS,
        url=service.url,
        key_id=aliyun.KEY_ID,
        encrypted_secret=secrets.encrypt(aliyun.KEY_SECRET),
        callback_token="token-aliyun",
    )
