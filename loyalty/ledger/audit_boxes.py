"""What must hold of boxes: which bottles are in them."""

from loyalty.ledger.audit_probe import Probe

BOXES = (
    Probe(
        12,
        "a packing is of bottles and boxes that were ordered",
        "瓶箱关联只涉及已订码的瓶和箱",
        "packings",
        """
        SELECT CAST(p.id AS text) AS id, 'its ' || b.kind || ' are not all bottles of its batch,'
            || ' or its ' || x.kind || ' not all boxes of its own' AS problem
        FROM packings p
        JOIN code_batches b ON b.brand_id = p.brand_id AND b.id = p.bottle_batch_id
        JOIN code_batches x ON x.brand_id = p.brand_id AND x.id = p.box_batch_id
        WHERE p.brand_id = :brand AND NOT (
            b.kind IN ('INNER', 'OUTER') AND x.kind IN ('BOX_INNER', 'BOX_OUTER')
            AND p.first_item_no / 1099511627776 = b.series_no
            AND p.last_item_no / 1099511627776 = b.series_no
            AND p.last_item_no % 1099511627776 < b.quantity
            AND p.first_box_item_no / 1099511627776 = x.series_no
            AND p.last_box_item_no / 1099511627776 = x.series_no
            AND p.last_box_item_no % 1099511627776 < x.quantity
            AND p.last_item_no - p.first_item_no + 1
                = p.per_box * (p.last_box_item_no - p.first_box_item_no + 1))
        """,
    ),
    Probe(
        12,
        "a bottle is in one box, and a box is packed once",
        "一瓶只在一箱，一箱只装一次",
        "packings",
        """
        SELECT CAST(id AS text) AS id, 'another packing has its bottles or its boxes' AS problem
        FROM (
            SELECT id, first_item_no AS first_no, MAX(last_item_no) OVER (ORDER BY first_item_no, id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_no
            FROM packings WHERE brand_id = :brand
            UNION ALL
            SELECT id, first_box_item_no, MAX(last_box_item_no) OVER (ORDER BY first_box_item_no, id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            FROM packings WHERE brand_id = :brand
        ) AS ranges
        WHERE before_no >= first_no
        """,
    ),
)
