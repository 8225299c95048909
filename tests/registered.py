"""A shop that sends over Aliyun or Tencent Cloud, whose texts are approved before they may be sent."""

from notifications import secrets
from notifications.choices import GatewayKind
from notifications.models import ProviderAccount
from tests.gateways import aliyun, tencent


def account_at(service: aliyun.Aliyun, **fields) -> ProviderAccount:
    """The shop's account at a local Aliyun."""
    return ProviderAccount.objects.create(
        name="阿里云",
        gateway=GatewayKind.ALIYUN_SMS,
        url=service.url,
        key_id=aliyun.KEY_ID,
        encrypted_secret=secrets.encrypt(aliyun.KEY_SECRET),
        callback_token="token-aliyun",
        **fields,
    )


def account_at_tencent(service: tencent.Tencent, **fields) -> ProviderAccount:
    """The shop's account at a local Tencent Cloud."""
    return ProviderAccount.objects.create(
        name="腾讯云",
        gateway=GatewayKind.TENCENT_SMS,
        url=service.url,
        key_id=tencent.KEY_ID,
        app_id=tencent.APP_ID,
        encrypted_secret=secrets.encrypt(tencent.SECRET),
        callback_token="token-tencent",
        **fields,
    )
