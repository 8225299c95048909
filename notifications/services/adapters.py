"""Adapters: which one speaks to an account, made once for as long as the account stays as it is."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from django.conf import settings

from customers.msgid import _
from notifications import secrets
from notifications.choices import GatewayKind
from notifications.models import ProviderAccount
from notifications.providers.aliyun_sms import AliyunSettings, AliyunSms
from notifications.providers.base import Provider
from notifications.providers.generic_http import GatewaySettings, GenericHttp
from notifications.providers.http import HttpClient, Limits
from notifications.providers.mail_letters import Sender, checked_address
from notifications.providers.mail_servers import server_at
from notifications.providers.smtp import MailSettings, Smtp
from notifications.providers.tencent_api import DEFAULT_REGION, TencentSettings
from notifications.providers.tencent_sms import TencentSms
from notifications.services.inbox_gateway import InboxGateway

NO_ADAPTER = _("This version cannot speak to gateways of this kind.")


@dataclass(frozen=True)
class Connection:
    """What an adapter needs to know of an account: as plain values, which tell whether one can be used again."""

    gateway: str
    name: str
    url: str
    query_url: str
    key_id: str
    region: str
    app_id: str
    encrypted_secret: bytes = field(repr=False)
    callback_url: str = field(repr=False)
    batch_size: int
    field_names: str
    limits: Limits
    private_hosts: frozenset[str]
    from_address: str = ""
    from_name: str = ""


def connection_of(account: ProviderAccount, *, callback_url: str) -> Connection:
    """The values of an account that make its adapter."""
    return Connection(
        gateway=account.gateway,
        name=account.name,
        url=account.url,
        query_url=account.query_url,
        key_id=account.key_id,
        region=account.region,
        app_id=account.app_id,
        encrypted_secret=bytes(account.encrypted_secret),
        callback_url=callback_url,
        batch_size=account.batch_size,
        field_names=json.dumps(account.field_names, sort_keys=True),
        limits=Limits(connect=account.connect_timeout, read=account.read_timeout, total=account.total_timeout),
        private_hosts=frozenset(settings.GATEWAY_PRIVATE_HOSTS),
        from_address=account.from_address,
        from_name=account.from_name,
    )


# Every account makes two: one that sends, and one without its secret that reads callbacks.
@lru_cache(maxsize=64)
def adapter(connection: Connection) -> Provider:
    """
    The adapter of a connection, with its connections kept from call to call.

    Raises secrets.Unreadable where the secret cannot be read, and ValueError with a sentence where
    the settings make no adapter.
    """
    build = BUILDERS.get(connection.gateway)
    if build is None:
        raise ValueError(NO_ADAPTER)
    return build(connection, secrets.decrypt(connection.encrypted_secret) if connection.encrypted_secret else "")


def generic_http(connection: Connection, secret: str) -> Provider:
    """JSON over HTTP."""
    return GenericHttp(
        GatewaySettings(
            send_url=connection.url,
            query_url=connection.query_url,
            account=connection.name,
            api_key=secret,
            callback_url=connection.callback_url,
            batch_size=connection.batch_size,
            private_hosts=connection.private_hosts,
            mapping=json.loads(connection.field_names),
            limits=connection.limits,
        )
    )


def aliyun_sms(connection: Connection, secret: str) -> Provider:
    """Aliyun SMS."""
    return AliyunSms(
        AliyunSettings(
            key_id=connection.key_id,
            key_secret=secret,
            endpoint=connection.url,
            batch_size=connection.batch_size,
            private_hosts=connection.private_hosts,
            limits=connection.limits,
        )
    )


def tencent_sms(connection: Connection, secret: str) -> Provider:
    """Tencent Cloud SMS."""
    return TencentSms(
        TencentSettings(
            key_id=connection.key_id,
            secret=secret,
            app_id=connection.app_id,
            url=connection.url,
            region=connection.region or DEFAULT_REGION,
            batch_size=connection.batch_size,
            private_hosts=connection.private_hosts,
            limits=connection.limits,
        )
    )


def smtp(connection: Connection, secret: str) -> Provider:
    """A mail server."""
    return Smtp(
        MailSettings(
            server=server_at(connection.url),
            sender=Sender(checked_address(connection.from_address), connection.from_name),
            user=connection.key_id,
            password=secret,
            batch_size=connection.batch_size,
        ),
        client=HttpClient(private_hosts=connection.private_hosts, limits=connection.limits),
    )


def inbox(connection: Connection, _secret: str) -> Provider:
    """The inbox that the shop's own site shows: our own tables."""
    return InboxGateway(batch_size=connection.batch_size)


# A builder takes the connection and its secret in the clear ("" for one that only reads callbacks), calls
# nobody, and raises ValueError with a sentence for staff.
BUILDERS: dict[str, Callable[[Connection, str], Provider]] = {
    GatewayKind.GENERIC_HTTP: generic_http,
    GatewayKind.ALIYUN_SMS: aliyun_sms,
    GatewayKind.TENCENT_SMS: tencent_sms,
    GatewayKind.SMTP: smtp,
    GatewayKind.INBOX: inbox,
}
