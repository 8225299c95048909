"""Writes the demo shop's orders of the last two months: on their way, finished, and one nobody understands."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from config.demo.people import SEED
from customers.choices import OrderStatus, Platform
from customers.models import Customer, Order, OrderChange, OrderLine

COUNT = 320
GOODS = (
    *(
        ("护手霜三支装", "个护", 39),
        ("保温杯 500ml", "家居", 89),
        ("羊毛围巾", "服饰", 168),
        ("明前龙井 100g", "茶饮", 128),
    ),
    *(("手工曲奇礼盒", "零食", 76), ("儿童绘本套装", "图书", 98)),
)
WORDS = {
    OrderStatus.UNPAID: "等待买家付款",
    OrderStatus.PAID: "买家已付款，等待卖家发货",
    OrderStatus.SHIPPED: "卖家已发货，等待买家确认",
    OrderStatus.COMPLETED: "交易成功",
    OrderStatus.CLOSED: "交易关闭",
    OrderStatus.UNKNOWN: "平台介入处理中",
}
# One in seven is never paid, as in a real shop.
SHARES = {OrderStatus.COMPLETED: 60, OrderStatus.CLOSED: 14, OrderStatus.SHIPPED: 16, OrderStatus.PAID: 10}
CARRIERS = ("顺丰速运", "中通快递", "圆通速递", "韵达快递")
NOT_UNDERSTOOD = 17


def write(customers: Sequence[Customer], *, now: datetime) -> list[Order]:
    """Store the orders with what was bought; answers them."""
    chance = random.Random(SEED)
    buyers = chance.sample(list(customers), min(COUNT, len(customers)))
    orders = [_order(index, buyer, chance, now) for index, buyer in enumerate(buyers)]
    orders.sort(key=lambda order: order.ordered_at)
    Order.objects.bulk_create(orders)
    lines = []
    for order in orders:
        product, category, price = GOODS[int(order.number) % len(GOODS)]
        quantity = int(order.total / price)
        lines.append(
            OrderLine(
                order=order, key=f"{product}#1", product=product, category=category, quantity=quantity, price=price
            )
        )
    OrderLine.objects.bulk_create(lines)
    OrderChange.objects.bulk_create(
        OrderChange(order=order, to_status=order.status, happened_at=order.status_at, recorded_at=now)
        for order in orders
    )
    return orders


def _order(index: int, buyer: Customer, chance: random.Random, now: datetime) -> Order:
    status = chance.choices(list(SHARES), list(SHARES.values()))[0]
    ordered = now - timedelta(days=chance.uniform(8, 60))
    if status in (OrderStatus.SHIPPED, OrderStatus.PAID):
        ordered = now - timedelta(days=chance.uniform(0.2, 3))
    if index % 40 == 0:
        status, ordered = OrderStatus.UNPAID, now - timedelta(minutes=chance.uniform(5, 600))
    if index == NOT_UNDERSTOOD:
        status = OrderStatus.UNKNOWN
    number = 4_100_000_000_000_000_000 + index * 7_919
    total = Decimal(GOODS[number % len(GOODS)][2] * chance.choice((1, 1, 1, 2)))
    is_paid = status not in (OrderStatus.UNPAID, OrderStatus.CLOSED)
    paid_at = ordered + timedelta(seconds=chance.uniform(5, 120)) if is_paid else None
    is_sent = status in (OrderStatus.SHIPPED, OrderStatus.COMPLETED)
    shipped_at = paid_at + (now - paid_at) * 0.2 if is_sent else None
    completed_at = shipped_at + (now - shipped_at) * 0.5 if status == OrderStatus.COMPLETED else None
    return Order(
        platform=Platform.TAOBAO,
        number=str(number),
        shop_name="鸿雁演示旗舰店",
        status=status,
        status_at=completed_at or shipped_at or paid_at or ordered,
        platform_status=WORDS[status],
        total=total,
        paid=total if is_paid else Decimal(0),
        ordered_at=ordered,
        paid_at=paid_at,
        shipped_at=shipped_at,
        completed_at=completed_at,
        carrier=chance.choice(CARRIERS) if is_sent else "",
        tracking_number=f"SF{number % 10**12:012d}" if is_sent else "",
        customer=buyer,
        receiver_name=buyer.name,
        province=buyer.province,
        city=buyer.city,
        as_of=now,
        recorded_at=now,
        updated_at=now,
    )
