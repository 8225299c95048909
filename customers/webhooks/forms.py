"""The forms of shop systems as data: their headers, and where in a push the facts of an order stand."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from customers.webhooks.signatures import Signing


@dataclass(frozen=True)
class Form:
    """
    How one shop system pushes.

    `topic_header` and `id_header` name what happened and the push itself; `mapping` says where the facts stand (see
    `mappings.Mapping`).
    """

    signing: Signing
    topic_header: str
    id_header: str
    mapping: Any


# Shopify's order, API 2024-01 and later. What paid, fulfilled and canceled mean stands in the order itself.
SHOPIFY = {
    "happened_at": "updated_at",
    "status": {
        "when": [
            {"path": "cancelled_at", "is": "closed"},
            {"path": "financial_status", "in": {"refunded": "refunded", "voided": "closed"}},
            {"path": "fulfillment_status", "in": {"fulfilled": "shipped"}},
            {
                "path": "financial_status",
                "in": {"paid": "paid", "partially_refunded": "paid", "pending": "unpaid", "authorized": "unpaid",
                       "partially_paid": "unpaid", "expired": "closed"},
            },
        ]
    },
    "fields": {
        "number": ["name", "order_number", "id"],
        "platform_status": ["financial_status"],
        "external_id": ["customer.id"],
        "phone": ["phone", "customer.phone", "shipping_address.phone", "billing_address.phone"],
        "email": ["email", "contact_email", "customer.email"],
        "currency": ["currency"],
        "total": ["current_total_price", "total_price"],
        "freight": ["total_shipping_price_set.shop_money.amount"],
        "ordered_at": ["created_at"],
        "closed_at": ["cancelled_at"],
        "closed_reason": ["cancel_reason"],
        "carrier": ["fulfillments.0.tracking_company"],
        "tracking_number": ["fulfillments.0.tracking_number"],
        "shipped_at": ["fulfillments.0.created_at"],
        "receiver_name": ["shipping_address.name"],
        "province": ["shipping_address.province"],
        "city": ["shipping_address.city"],
        "note": ["note"],
    },
    # The order does not tell when it was paid; the push that says so does.
    "by_topic": {"orders/paid": {"paid_at": ["updated_at"], "paid": ["current_total_price", "total_price"]}},
    "lines": {
        "at": "line_items",
        "fields": {
            "key": ["id"],
            "product": ["title", "name"],
            "product_id": ["product_id"],
            "sku": ["sku", "variant_title"],
            "category": ["product_type", "vendor"],
            "quantity": ["quantity"],
            "price": ["price"],
        },
    },
    "ignored_topics": ["orders/delete", "app/uninstalled", "customers/redact", "shop/redact"],
}  # fmt: skip

# Youzan's push of trades: the order is JSON within the text "msg", escaped for an address.
YOUZAN = {
    "unwrap": "msg",
    "topic": "type",
    "event_id": "msg_id",
    "happened_at": "full_order_info.order_info.update_time",
    "status": {
        "path": ["full_order_info.order_info.status", "status"],
        "words": {
            "WAIT_BUYER_PAY": "unpaid", "TRADE_NO_CREATE_PAY": "unpaid", "WAIT_CONFIRM": "paid", "TRADE_PAID": "paid",
            "WAIT_SELLER_SEND_GOODS": "paid", "WAIT_BUYER_CONFIRM_GOODS": "shipped", "TRADE_BUYER_SIGNED": "delivered",
            "TRADE_SUCCESS": "completed", "TRADE_CLOSED": "closed", "TRADE_CLOSED_BY_USER": "closed",
        },
    },
    "fields": {
        "number": ["full_order_info.order_info.tid", "tid", "$.id"],
        "platform_status": ["full_order_info.order_info.status_str"],
        "account": ["full_order_info.buyer_info.yz_open_id", "full_order_info.buyer_info.outer_user_id"],
        "phone": ["full_order_info.buyer_info.buyer_phone", "full_order_info.address_info.receiver_tel"],
        "total": ["full_order_info.pay_info.payment", "full_order_info.pay_info.total_fee"],
        "freight": ["full_order_info.pay_info.post_fee"],
        "ordered_at": ["full_order_info.order_info.created"],
        "paid_at": ["full_order_info.order_info.pay_time"],
        "shipped_at": ["full_order_info.order_info.consign_time"],
        "completed_at": ["full_order_info.order_info.success_time"],
        "receiver_name": ["full_order_info.address_info.receiver_name"],
        "province": ["full_order_info.address_info.delivery_province"],
        "city": ["full_order_info.address_info.delivery_city"],
        "note": ["full_order_info.remark_info.buyer_message"],
    },
    "lines": {
        "at": "full_order_info.orders",
        "fields": {
            "key": ["oid"], "product": ["title"], "product_id": ["item_id"], "sku": ["outer_sku_id", "sku_id"],
            "quantity": ["num"], "price": ["price"],
        },
    },
    "ignored_topics": ["ITEM_STATE", "POINTS", "CARD", "SCRM_CUSTOMER_EVENT"],
}  # fmt: skip

# A system of one's own pushes the fields of POST /api/v1/orders; with a mapping, whatever it likes.
PLAIN: dict[str, Any] = {
    "happened_at": "happened_at",
    "items": "orders",
    "status": {"path": ["status"]},
    "fields": {
        name: [f"customer.{name}", name] if name in ("external_id", "phone", "email", "account") else [name]
        for name in (
            "number", "platform_status", "after_sale_status", "external_id", "phone", "email", "account", "shop_name",
            "currency", "total", "paid", "refund", "freight", "ordered_at", "paid_at", "shipped_at", "delivered_at",
            "completed_at", "closed_at", "ship_by_at", "promised_at", "closed_reason", "carrier", "tracking_number",
            "receiver_name", "province", "city", "note",
        )
    },
    "lines": {
        "at": "lines",
        "fields": {
            name: [name] for name in ("key", "product", "product_id", "sku", "category", "quantity", "price")
        },
    },
}  # fmt: skip

FORMS = MappingProxyType({
    "shopify": Form(
        Signing("base64", "X-Shopify-Hmac-Sha256"), "X-Shopify-Topic", "X-Shopify-Webhook-Id", SHOPIFY
    ),
    "youzan": Form(Signing("joined", "Event-Sign"), "Event-Type", "", YOUZAN),
    "generic": Form(
        Signing("timestamped", "X-Hongyan-Signature", "X-Hongyan-Timestamp"), "X-Hongyan-Topic", "X-Hongyan-Event-Id",
        PLAIN,
    ),
})  # fmt: skip
