"""Every address of the deployment, over a shop that has one of everything."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLResolver

from campaigns import gallery
from campaigns.models import Campaign
from campaigns.services.reminders import from_gallery
from customers import clock
from customers.models import Customer, Integration, Order, Suppression, Tag, Tier, WebhookCall
from customers.services import follow_ups
from customers.services.follow_ups import NewFollowUp
from notifications.models import Alert, AlertChannel, FrequencyCap, ProviderAccount, QuietHours
from tests import cast
from tests.campaigns import shop
from tests.customers import files, pushes
from tests.customers.callers import Caller

HOUR = timedelta(hours=1)
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# Django's own catch-all for addresses that lack their last slash.
CATCH_ALL = "(?P<url>.*)$"
MARKUP = "<img src=x onerror=alert(1)>"
# Counting what an undo or a reminder would do fills temporary tables.
NOT_ROWS = ("django_session", "axes_", "undone_", "found_due", "past_due")


@dataclass(frozen=True)
class Address:
    """One address, filled in with rows that exist, and the pattern that it came from."""

    pattern: str
    path: str
    name: str


def one_of_everything() -> None:
    """A shop in which every address of an object leads somewhere."""
    shop.account()
    cast.li_na(), cast.wang_wei()
    shop.draft(planned_for=clock.now())
    from_gallery.create(gallery.BY_KEY["unpaid"], signature=cast.signature(), by=None, now=clock.now())
    Tag.objects.create(name="老客")
    Tier.objects.create(name="金卡", rank=1)
    order = Order.objects.create(platform="taobao", number="1001", platform_status="没见过", status_at=clock.now())
    order.exceptions.create(kind="out_of_stock", note=MARKUP, happened_at=clock.now())
    parcel = order.shipments.create(number="SF1", carrier="顺丰速运", moved_at=clock.now())
    parcel.events.create(text=MARKUP, happened_at=clock.now())
    customer = Customer.objects.first()
    customer.events.create(kind="coupon", key="C1", values={"title": MARKUP}, happened_at=clock.now())
    call = NewFollowUp(Customer.objects.earliest("pk").pk, "order-1:late", "staff", due_at=clock.now() + HOUR)
    follow_ups.open_for([call], clock.now())
    Suppression.objects.create(channel="sms", address="13800000009", scope="all", reason="complained")
    FrequencyCap.objects.create(name="每天一条", limit=1, window="days")
    QuietHours.objects.create(purpose="marketing", channel="sms")
    AlertChannel.objects.create(name="值班群", kind="email", recipients="shop@example.com")
    Alert.objects.create(kind="balance", cause="account-1", words={"en": "No money left"}, raised_at=clock.now())
    Caller(name="webshop")
    WebhookCall.objects.create(
        integration=pushes.integration(), body=b"{}", fingerprint=b"1", received_at=clock.now(), look_after=clock.now()
    )
    files.imported(files.table({"姓名": "赵敏", "手机号": "13800000005", "短信同意": "是"}))
    files.uploaded(files.table({"姓名": "孙丽", "手机号": "13800000006"}))


def every_address(*, object_id: str = "") -> list[Address]:
    """All addresses; `object_id` stands in for the number of every object."""
    return [
        Address(pattern, _filled(pattern, object_id), name or "")
        for pattern, name in _patterns(get_resolver())
        if not pattern.endswith(CATCH_ALL)
    ]


def _filled(pattern: str, object_id: str) -> str:
    return "/" + PARAMETER.sub(lambda found: _value(pattern, found[1], object_id), pattern)


def _patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, str | None]]:
    for inner in resolver.url_patterns:
        pattern = before + _as_path(str(inner.pattern))
        if isinstance(inner, URLResolver):
            yield from _patterns(inner, pattern)
        else:
            yield pattern, inner.name


def _as_path(pattern: str) -> str:
    """A pattern in the way of `path`; the few regular expressions are those of the admin and of the queue."""
    if pattern == CATCH_ALL or not pattern.startswith("^"):
        return pattern
    plain = re.sub(r"\(\?P<app_label>[^)]*\)", "customers", pattern)
    return re.sub(r"\(\?P<token>[^)]*\)\?", "token", plain).strip("^$").replace("?", "")


def _value(pattern: str, parameter: str, object_id: str) -> str:
    if parameter == "content_type_id":
        return str(ContentType.objects.get_for_model(Customer).pk)
    fixed = {"code": "matched", "key": "unpaid", "queue_index": "0", "scheduler_index": "0", "connection_index": "0"}
    if parameter in fixed:
        return fixed[parameter]
    if object_id:
        return object_id
    if parameter == "token" and pattern.startswith("webhooks/"):
        return Integration.objects.values_list("token", flat=True).first() or "none"
    if parameter == "token":
        return ProviderAccount.objects.values_list("callback_token", flat=True).first() or "none"
    models = {"customer_id": Customer, "campaign_id": Campaign, "id": User}
    model = models.get(parameter) or _model_of(pattern)
    row = model and model.objects.order_by("-pk").first()
    return str(row.pk) if row else "1"


def _model_of(pattern: str) -> type | None:
    found = re.match(r"admin/(\w+)/(\w+)/", pattern)
    return apps.get_model(*found.groups()) if found and found[1] != "django_rq" else None


def fingerprint(*, without: tuple[str, ...] = ()) -> dict[str, str]:
    """The contents of each table, as a short text that changes with any of them."""
    prints = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if not table.startswith((*NOT_ROWS, *without)):
                cursor.execute(f"SELECT md5(string_agg(row::text, '|' ORDER BY row::text)) FROM {table} AS row")
                prints[table] = cursor.fetchone()[0]
    return prints


def ask(client: Client, method: str, path: str, fields: dict | None = None) -> int:
    """The status of an answer; an exception is a 500 as in production."""
    client.raise_request_exception = False
    return getattr(client, method)(path, fields or {}).status_code
