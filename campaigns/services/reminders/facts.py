"""What a text may say of the order or event behind an occasion, as SQL."""

# Aliases: f found_due, o order, e event, r reminder. Texts cut to the length that a text may carry of them.
PRODUCTS = """
LEFT JOIN LATERAL (
    SELECT (array_agg(line.product ORDER BY line.id))[1] AS first, sum(coalesce(line.quantity, 1)) AS quantity
    FROM customers_orderline line WHERE line.order_id = f.order_id
) goods ON true
LEFT JOIN LATERAL (
    SELECT parcel.carrier, parcel.number FROM customers_shipment parcel
    WHERE parcel.order_id = f.order_id ORDER BY parcel.id DESC LIMIT 1
) parcel ON true
"""
# A new customer's apology can carry more than a regular one's.
IS_NEW = """NOT EXISTS (
    SELECT FROM customers_order earlier WHERE earlier.customer_id = f.customer_id
      AND earlier.id IS DISTINCT FROM f.order_id AND earlier.status NOT IN ('unpaid', 'closed', '')
)"""
DUE = "(coalesce(f.event_due_at, CASE WHEN r.trigger = 'order_date' THEN f.happened_at END) AT TIME ZONE %(zone)s)"
FACTS = f"""
UPDATE found_due f SET facts = jsonb_build_object(
    'order_number', coalesce(o.number, ''),
    'amount', coalesce(to_char(coalesce(o.total, o.paid), 'FM9999999990.00'), ''),
    'product', coalesce(left(goods.first, 20), ''),
    'product_count', coalesce(goods.quantity::text, ''),
    'order_count', CASE WHEN o.id IS NULL THEN '' ELSE '1' END,
    'carrier', coalesce(nullif(parcel.carrier, ''), o.carrier, ''),
    'tracking_number', coalesce(parcel.number, o.tracking_number, ''),
    'reason', left(coalesce(nullif(f.detail, ''), o.closed_reason, e."values" ->> 'reason', ''), 35),
    'due_date', coalesce(to_char({DUE}, 'FMMM"月"FMDD"日"'), ''),
    'due_time', coalesce(to_char({DUE}, 'HH24:MI'), ''),
    'due_on', coalesce({DUE}::date::text, ''),
    'days_left', coalesce(({DUE}::date - (%(now)s::timestamptz AT TIME ZONE %(zone)s)::date)::text, ''),
    'event_title', left(coalesce(e."values" ->> 'title', ''), 20),
    'event_place', left(coalesce(e."values" ->> 'place', ''), 20),
    'event_value', left(coalesce(e."values" ->> 'value', e."values" ->> 'amount', ''), 12),
    'code', left(coalesce(e."values" ->> 'code', ''), 20),
    'compensation', CASE WHEN NOT r.is_compensation_for_new OR {IS_NEW} THEN r.compensation ELSE '' END
)
FROM found_due due
JOIN campaigns_reminder r ON r.id = %(reminder)s
LEFT JOIN customers_order o ON o.id = due.order_id
LEFT JOIN customers_customerevent e ON e.id = due.event_id
{{products}}
WHERE f.place = due.place
"""
# In the statement above the lateral joins read the row that is joined, and not the one that is written.
FACTS = FACTS.format(products=PRODUCTS.replace("f.order_id", "due.order_id"))
# One message for several: the first order's facts, with the number of orders and their amount together.
TOGETHER = """
SELECT customer_id, text_id, min(due_at) AS due_at, min(valid_until) AS valid_until,
       left(md5(string_agg(keys, ',' ORDER BY keys)), 16) AS keys,
       (array_agg(facts ORDER BY due_at, place))[1] || jsonb_build_object(
           'order_count', count(*)::text,
           'amount', coalesce(to_char(sum(nullif(facts ->> 'amount', '')::numeric), 'FM9999999990.00'), ''),
           'product_count', coalesce(sum(nullif(facts ->> 'product_count', '')::numeric)::text, '')
       ) AS facts,
       array_agg(order_id ORDER BY order_id) AS orders
FROM (
    SELECT customer_id, text_id, order_id, min(due_at) AS due_at, min(valid_until) AS valid_until,
           min(place) AS place, string_agg(key, ',' ORDER BY key) AS keys,
           (array_agg(facts ORDER BY due_at, place))[1] AS facts
    FROM {table} GROUP BY customer_id, text_id, order_id
) per_order GROUP BY customer_id, text_id
"""
