"""What must hold of coupons that partners issue: invariant 5, and 12 across the two brands."""

from loyalty.ledger.audit_probe import Probe

ISSUING = (
    Probe(
        12,
        "what a partner issued is a coupon of its host's, and no other coupon is a partner's",
        "联盟发券与券一一对应",
        "partner_issues",
        """
        SELECT CAST(i.id AS text) AS id, 'is no coupon of its host''s' AS problem
        FROM partner_issues i LEFT JOIN coupons c ON c.brand_id = i.host_id
            AND c.id = i.coupon_id AND c.cause_kind = 'PARTNER' AND c.cause_id = i.id
            AND c.template_id = i.template_id
        WHERE i.brand_id = :brand AND c.id IS NULL
        UNION ALL
        SELECT CAST(c.id AS text), 'no partner has issued it'
        FROM coupons c
        WHERE c.brand_id = :brand AND c.cause_kind = 'PARTNER' AND NOT EXISTS (
            SELECT 1 FROM coupon_templates t
            JOIN agreements a ON a.brand_id = t.brand_id AND a.id = t.agreement_id
            JOIN partner_issues i ON i.brand_id = a.partner_id AND i.id = c.cause_id
                AND i.host_id = c.brand_id AND i.coupon_id = c.id AND i.agreement_id = a.id
            WHERE t.brand_id = c.brand_id AND t.id = c.template_id)
        """,
    ),
    Probe(
        5,
        "what is reserved is what the coupons that are out were reserved for",
        "预留额度等于未核销联盟券之和",
        "clearing_positions",
        """
        SELECT CAST(partner_id AS text) AS id, 'its position has ' || SUM(reserved)
            || ', its coupons ' || SUM(needed) AS problem
        FROM (
            SELECT partner_id, reserved_fen AS reserved, 0 AS needed
            FROM clearing_positions WHERE brand_id = :brand
            UNION ALL
            SELECT i.host_id, 0, i.reserved_fen
            FROM partner_issues i JOIN coupons c ON c.brand_id = i.host_id AND c.id = i.coupon_id
            WHERE i.brand_id = :brand AND c.status IN ('ISSUED', 'HELD')
            UNION ALL
            SELECT own.partner_id, 0, p.reserve_fen * (t.stock_max - t.issued + (
                SELECT COUNT(*) FROM coupons c WHERE c.brand_id = t.brand_id
                AND c.template_id = t.id
                AND c.status IN ('ISSUED', 'HELD')) + (
                SELECT COUNT(*) FROM locked_rewards l WHERE l.brand_id = t.brand_id
                AND l.coupon_template_id = t.id AND l.status = 'LOCKED'))
            FROM agreements own
            JOIN coupon_pools p ON p.brand_id = own.partner_id AND p.agreement_id = own.id
            JOIN coupon_templates t ON t.brand_id = p.brand_id AND t.id = p.template_id
            WHERE own.brand_id = :brand
        ) AS funds
        GROUP BY partner_id HAVING SUM(reserved) <> SUM(needed)
        """,
    ),
    Probe(
        5,
        "the fee of issuing is owed once for each coupon",
        "发券费逐张入账",
        "partner_issues",
        """
        SELECT CAST(coupon_id AS text) AS id, 'a fee of ' || SUM(agreed) || ', and entries of '
            || SUM(entered) AS problem
        FROM (
            SELECT coupon_id, fee_fen AS agreed, 0 AS entered
            FROM partner_issues WHERE brand_id = :brand
            UNION ALL
            SELECT e.coupon_id, 0, e.owed_fen
            FROM clearing_entries e
            JOIN partner_issues i ON i.brand_id = e.brand_id AND i.coupon_id = e.coupon_id
            WHERE e.brand_id = :brand AND e.kind = 'FEE' AND e.redemption_id IS NULL
        ) AS fees
        GROUP BY coupon_id HAVING SUM(agreed) <> SUM(entered)
        """,
    ),
    Probe(
        5,
        "a pool has what was put into it, and its fees are owed",
        "券池库存与发券费等于投放",
        "coupon_pools",
        """
        SELECT CAST(template_id AS text) AS id, 'its stock is off by ' || SUM(stock)
            || ', its fees by ' || SUM(fee) AS problem
        FROM (
            SELECT p.template_id, t.stock_max AS stock, 0 AS fee
            FROM coupon_pools p JOIN coupon_templates t
                ON t.brand_id = p.brand_id AND t.id = p.template_id
            WHERE p.brand_id = :brand
            UNION ALL
            SELECT template_id, -count, fee_fen FROM pool_moves WHERE host_id = :brand
            UNION ALL
            SELECT e.template_id, 0, e.owed_fen
            FROM clearing_entries e JOIN coupon_pools p
                ON p.brand_id = e.brand_id AND p.template_id = e.template_id
            WHERE e.brand_id = :brand AND e.kind = 'FEE' AND e.coupon_id IS NULL
        ) AS parts
        GROUP BY template_id HAVING SUM(stock) <> 0 OR SUM(fee) <> 0
        """,
    ),
    Probe(
        5,
        "a template of codes has a coupon for each code, and a code is of its coupon's template",
        "第三方券码库存与券一致",
        "coupon_templates WHERE kind = 'CODE'",
        """
        SELECT CAST(t.id AS text) AS id, COALESCE(t.stock_max, -1) || ' in stock, '
            || COUNT(o.id) || ' codes, ' || COUNT(c.id) || ' of '
            || COUNT(o.coupon_id) || ' given to coupons of its' AS problem
        FROM coupon_templates t
        LEFT JOIN outside_codes o ON o.brand_id = t.brand_id AND o.template_id = t.id
        LEFT JOIN coupons c ON c.brand_id = o.brand_id AND c.id = o.coupon_id
            AND c.template_id = t.id
        WHERE t.brand_id = :brand AND t.kind = 'CODE'
        GROUP BY t.id, t.stock_max
        HAVING COUNT(o.id) <> COALESCE(t.stock_max, -1) OR COUNT(c.id) <> COUNT(o.coupon_id)
        """,
    ),
    Probe(
        5,
        "a quota's counters are the coupons that were issued",
        "发放额度计数与实发一致",
        "issue_counters",
        """
        WITH issued AS (
            SELECT agreement_id, template_id, campaign, COUNT(*) AS number
            FROM partner_issues WHERE brand_id = :brand
            GROUP BY agreement_id, template_id, campaign
            UNION ALL
            SELECT agreement_id, template_id, campaign, SUM(count)
            FROM pool_moves WHERE brand_id = :brand AND count > 0
            GROUP BY agreement_id, template_id, campaign
        )
        SELECT CAST(k.template_id AS text) AS id, k.counted || ' counted by ' || k."window"
            || ' ' || k.campaign || ', ' || COALESCE(SUM(n.number), 0) || ' issued' AS problem
        FROM (
            SELECT agreement_id, template_id, "window", campaign, SUM(used) AS counted
            FROM issue_counters WHERE brand_id = :brand
            GROUP BY agreement_id, template_id, "window", campaign
        ) AS k LEFT JOIN issued n ON n.agreement_id = k.agreement_id
            AND n.template_id = k.template_id AND (k.campaign = '' OR n.campaign = k.campaign)
        GROUP BY k.agreement_id, k.template_id, k."window", k.campaign, k.counted
        HAVING k.counted > COALESCE(SUM(n.number), 0)
        """,
    ),
    Probe(
        5,
        "a list has come to what its rows say",
        "发券名单进度与明细一致",
        "issue_lists",
        """
        SELECT CAST(l.id AS text) AS id, l.status || ' with ' || l.issued_count || ' issued of '
            || l.done_count || ', and rows that say ' || COUNT(r.issue_id) || ' of '
            || COUNT(CASE WHEN r.row_no <= l.done_count THEN r.code END) AS problem
        FROM issue_lists l LEFT JOIN issue_list_rows r ON r.brand_id = l.brand_id
            AND r.list_id = l.id
        WHERE l.brand_id = :brand
        GROUP BY l.id, l.status, l.issued_count, l.done_count, l.row_count
        HAVING COUNT(r.issue_id) <> l.issued_count
            OR COUNT(DISTINCT r.issue_id) <> l.issued_count
            OR COUNT(CASE WHEN r.row_no <= l.done_count THEN r.code END) <> l.done_count
            OR l.status IN ('OPEN', 'DONE') AND COUNT(r.row_no) <> l.row_count
        """,
    ),
)
"""Of a quota that was agreed on later fewer are counted than were issued; never more."""
