"""Shop systems that push to us in the tests."""

import base64
import hashlib
import hmac
import json
from urllib.parse import quote

from django.http import HttpResponse
from django.test import Client

from customers import clock, secrets
from customers.models import Integration
from customers.services import integrations

SECRET = "a-secret-of-the-shop-system"


def integration(kind: str = "shopify", **told) -> Integration:
    """A shop system that may push."""
    platform = {"shopify": "shopify", "youzan": "youzan"}.get(kind, "other")
    return Integration.objects.create(
        **{"name": kind, "kind": kind, "platform": platform, "client_id": "client-1"}
        | told
        | {"token": integrations.new_token(), "encrypted_secret": secrets.encrypt(SECRET)}
    )


def shopify(to: Integration, order: dict, *, topic: str = "orders/create", number: str = "", secret: str = SECRET):
    """Push as Shopify does."""
    body = json.dumps(order).encode()
    signed = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    headers = {"X-Shopify-Hmac-Sha256": signed, "X-Shopify-Topic": topic}
    return post(to, body, headers | ({"X-Shopify-Webhook-Id": number} if number else {}))


def generic(to: Integration, told: dict, *, at: int | None = None, number: str = "", secret: str = SECRET):
    """Push as a system of one's own does."""
    body = json.dumps(told).encode()
    seconds = str(int(clock.real_now().timestamp()) if at is None else at)
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Hongyan-Timestamp": seconds, "X-Hongyan-Signature": f"sha256={signed}"}
    return post(to, body, headers | ({"X-Hongyan-Event-Id": number} if number else {}))


def youzan(to: Integration, order: dict, *, kind: str = "trade_TradePaid", number: str = "1"):
    """Push as Youzan does: the order escaped within a text."""
    told = {"type": kind, "msg_id": number, "kdt_id": 1, "msg": quote(json.dumps(order, ensure_ascii=False))}
    body = json.dumps(told).encode()
    signed = hashlib.md5(b"client-1" + body + SECRET.encode()).hexdigest()
    return post(to, body, {"Event-Sign": signed})


def post(to: Integration, body: bytes, headers: dict) -> HttpResponse:
    """Post a body to the address of an integration."""
    client = Client(enforce_csrf_checks=True)
    return client.post(f"/webhooks/{to.token}", body, content_type="application/json", headers=headers)


def shopify_order(**told) -> dict:
    """An order as Shopify pushes it."""
    return {
        "id": 820982911946154508,
        "name": "#1001",
        "email": "jon@example.com",
        "phone": None,
        "created_at": "2026-05-01T10:00:00+08:00",
        "updated_at": "2026-05-01T10:00:00+08:00",
        "cancelled_at": None,
        "cancel_reason": None,
        "currency": "CNY",
        "total_price": "398.00",
        "current_total_price": "398.00",
        "financial_status": "pending",
        "fulfillment_status": None,
        "note": None,
        "customer": {"id": 115310627314723954, "email": "jon@example.com", "phone": "+8613800000001"},
        "shipping_address": {"name": "李娜", "province": "浙江省", "city": "杭州市", "phone": "13800000001"},
        "line_items": [
            {"id": 866550311766439020, "title": "玫瑰", "product_id": 632910392, "sku": "R11", "quantity": 1,
             "price": "199.00"}
        ],
        "fulfillments": [],
    } | told  # fmt: skip
