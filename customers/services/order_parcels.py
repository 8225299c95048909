"""Keeps the parcel that an order's tracking number names: one per number, replaced while no carrier has told of it."""

# What a change of an order says of its parcel: `carried` holds orders as they are about to be.
CARRIED = """
    SELECT order_id, carrier, tracking_number, status, shipped_at, delivered_at
    FROM planned_order WHERE is_new AND tracking_number <> ''
    UNION ALL
    SELECT order_id, carrier, tracking_number, status, shipped_at, delivered_at
    FROM changed_order WHERE is_change AND tracking_number <> ''"""
ADD = """
INSERT INTO customers_shipment (
    order_id, carrier, number, status, shipped_at, delivered_at, moved_at, recorded_at, updated_at
)
SELECT order_id, left(carrier, 60), left(tracking_number, 100),
       CASE WHEN has_arrived THEN 'delivered' WHEN status = 'out_for_delivery' THEN status ELSE 'shipped' END,
       shipped_at, CASE WHEN has_arrived THEN coalesce(delivered_at, shipped_at, {now}) END,
       coalesce(delivered_at, shipped_at, {now}), {now}, {now}
FROM (
    SELECT *, status IN ('delivered', 'completed') OR delivered_at IS NOT NULL AS has_arrived
    FROM ({carried}) told
) carried
ORDER BY order_id
ON CONFLICT (order_id, number) DO NOTHING
"""
# A number that was corrected: the parcel of the old one would seem to stand still for ever.
REPLACE = """
DELETE FROM customers_shipment parcel
USING changed_order next JOIN customers_order known ON known.id = next.order_id
WHERE next.is_change AND next.tracking_number <> known.tracking_number AND known.tracking_number <> ''
  AND parcel.order_id = known.id AND parcel.number = known.tracking_number
  AND NOT EXISTS (SELECT FROM customers_shipmentevent told WHERE told.shipment_id = parcel.id)
"""
# All parcels of an order have arrived when the order has.
ARRIVE = """
UPDATE customers_shipment parcel SET status = 'delivered', updated_at = {now},
    delivered_at = coalesce(parcel.delivered_at, next.delivered_at, {now}),
    moved_at = greatest(parcel.moved_at, next.delivered_at)
FROM changed_order next JOIN customers_order known ON known.id = next.order_id
WHERE next.is_change AND next.status IN ('delivered', 'completed') AND known.status NOT IN ('delivered', 'completed')
  AND parcel.order_id = known.id AND parcel.status IN ('shipped', 'in_transit', 'out_for_delivery')
"""


def statements(now: str) -> tuple[str, str, str]:
    """The statements, to be run before the orders are changed; `now` is SQL for the moment that is written down."""
    return REPLACE, ARRIVE.format(now=now), ADD.format(now=now, carried=CARRIED)
