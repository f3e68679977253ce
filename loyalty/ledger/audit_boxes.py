"""What must hold of boxes: which bottles are in them, and what waits until these are scanned."""

from loyalty.ledger.audit_probe import Probe

_SCANNED = """
    SELECT COUNT(*) FROM claims c WHERE c.brand_id = :brand AND c.item_no >= first_no
        AND c.item_no < first_no + per_box AND c.purpose = 'REWARD'
        AND c.beneficiary_role = 'CONSUMER'
"""
"""Bottles of a box, whose consumers' claims are consumed."""

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
    Probe(
        6,
        "a box has been counted as often as its bottles were scanned",
        "箱内已扫瓶数与领取记录一致",
        "box_counts",
        f"""
        SELECT CAST(box_item_no AS text) AS id, 'counted ' || bottles || ', scanned ' || scanned
            AS problem
        FROM (
            SELECT box_item_no, bottles, ({_SCANNED}) AS scanned
            FROM (
                SELECT n.box_item_no, n.bottles, p.per_box,
                    p.first_item_no + (n.box_item_no - p.first_box_item_no) * p.per_box AS first_no
                FROM box_counts n
                LEFT JOIN packings p ON p.brand_id = n.brand_id
                    AND p.last_box_item_no >= n.box_item_no AND p.first_box_item_no = (
                        SELECT MAX(q.first_box_item_no) FROM packings q
                        WHERE q.brand_id = n.brand_id AND q.first_box_item_no <= n.box_item_no)
                WHERE n.brand_id = :brand
            ) AS counted
        ) AS boxes
        WHERE bottles <> scanned
        """,
    ),
    # A bottle of no known box is the only one of its box.
    Probe(
        6,
        "what waits for bottles of a box is unlocked by so many, and by no fewer",
        "待同箱瓶数的奖励按瓶数解锁",
        "locked_rewards WHERE unlock_kind = 'BOX_BOTTLES'",
        f"""
        SELECT CAST(id AS text) AS id, 'it is ' || status || ', waits for ' || unlock_count
            || ' more of ' || wanted || ', and ' || scanned || ' were scanned' AS problem
        FROM (
            SELECT w.*, CASE WHEN box_item_no IS NULL THEN 1 ELSE ({_SCANNED}) END AS scanned,
                CASE WHEN box_item_no IS NULL THEN 1
                    ELSE ({_SCANNED} AND c.created_at < lapses_at) END AS in_time
            FROM (
                SELECT r.id, r.status, r.unlock_count, r.box_item_no, r.lapses_at, p.per_box,
                    CAST(r.unlock_key AS bigint) AS wanted, g.item_no AS granted_no,
                    p.first_item_no + (r.box_item_no - p.first_box_item_no) * p.per_box AS first_no,
                    (SELECT x.item_no FROM claims x WHERE x.brand_id = r.brand_id
                        AND x.scan_id = COALESCE(e.cause_id, r.resolved_by_id)
                        AND x.purpose = 'REWARD'
                        AND x.beneficiary_role = 'CONSUMER') AS opened_no
                FROM locked_rewards r
                LEFT JOIN scan_events g ON g.brand_id = r.brand_id AND g.id = r.cause_id
                LEFT JOIN transfers e ON e.brand_id = r.brand_id AND e.id = r.resolved_by_id
                    AND r.status = 'UNLOCKED' AND e.cause_kind = 'SCAN'
                LEFT JOIN packings p ON p.brand_id = r.brand_id
                    AND p.last_box_item_no >= r.box_item_no AND p.first_box_item_no = (
                        SELECT MAX(q.first_box_item_no) FROM packings q
                        WHERE q.brand_id = r.brand_id AND q.first_box_item_no <= r.box_item_no)
                WHERE r.brand_id = :brand AND r.unlock_kind = 'BOX_BOTTLES'
            ) AS w
        ) AS boxes
        WHERE (CASE status
            WHEN 'LOCKED' THEN unlock_count > 0 AND unlock_count = wanted - in_time
            WHEN 'UNLOCKED' THEN scanned >= wanted AND (box_item_no IS NOT NULL
                AND opened_no >= first_no AND opened_no < first_no + per_box
                OR box_item_no IS NULL AND opened_no = granted_no)
            WHEN 'LAPSED' THEN in_time < wanted
            ELSE true END AND (box_item_no IS NULL
                OR granted_no >= first_no AND granted_no < first_no + per_box)) IS NOT TRUE
        """,
    ),
)
