"""Opens a few calls that the demo shop owes its customers: some due, one overdue."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from customers.choices import FollowUpReason, OrderStatus
from customers.models import Order
from customers.services import follow_ups
from customers.services.follow_ups import NewFollowUp

# What happened, how long ago, and within how many hours of that somebody should call.
HAPPENED = (
    (FollowUpReason.ORDER_EXCEPTION, "仓库盘点发现缺货，预计三天后补到", 5, 4),
    (FollowUpReason.ORDER_EXCEPTION, "快递两天没有更新，已向承运商催件", 3, 4),
    (FollowUpReason.REMINDER, "订单金额较高，发货前电话确认地址", 1, 3),
    (FollowUpReason.STAFF, "上次来电问能否换颜色，说好今天答复", 2, 6),
    (FollowUpReason.ORDER_EXCEPTION, "包装破损，客户在评价里提到", 1, 24),
)


def write(orders: Sequence[Order], *, now: datetime) -> int:
    """Open them for the dearest customers with orders on their way; answers how many."""
    waiting = [order for order in orders if order.customer and order.status in (OrderStatus.PAID, OrderStatus.SHIPPED)]
    waiting.sort(key=lambda order: (-(order.customer.tier.rank if order.customer.tier else -1), order.number))
    opened = 0
    for (reason, detail, hours_ago, within), order in zip(HAPPENED, waiting, strict=False):
        begun = now - timedelta(hours=hours_ago)
        row = NewFollowUp(
            customer_id=order.customer_id,
            order_id=order.pk,
            occasion=f"demo:{order.number}",
            reason=reason,
            detail=detail,
            due_at=begun + timedelta(hours=within),
        )
        opened += follow_ups.open_for([row], begun)
    return opened
