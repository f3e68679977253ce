"""What must hold of coupons: invariant 7, and of their stock and limits: invariant 8."""

from loyalty.ledger.audit_probe import MERGED, Probe

_COUPON_DAYS = "ends AS MATERIALIZED (SELECT day, starts_at, ends_at FROM {coupon_days})"

COUPONS = (
    # A hold that has lapsed is none: its coupon may have expired before the redemption is tidied.
    Probe(
        7,
        "a coupon's status agrees with its redemptions",
        "优惠券状态与核销一致",
        "coupons",
        """
        SELECT CAST(c.id AS text) AS id, c.status || ' by '
            || COALESCE(CAST(c.redemption_id AS text), 'nobody') || ', and the live redemption is '
            || COALESCE(CAST(r.id AS text) || ' ' || r.status, 'none') AS problem
        FROM coupons c LEFT JOIN redemptions r ON r.coupon_brand_id = c.brand_id
            AND r.coupon_id = c.id
            AND r.status IN ('HELD', 'CAPTURED')
        WHERE c.brand_id = :brand AND (CASE c.status
            WHEN 'HELD' THEN r.status = 'HELD' AND r.id = c.redemption_id
                AND r.held_until = c.held_until
            WHEN 'REDEEMED' THEN r.status = 'CAPTURED' AND r.id = c.redemption_id
            ELSE c.redemption_id IS NULL AND (r.id IS NULL
                OR r.status = 'HELD' AND r.held_until <= c.ended_at) END) IS NOT TRUE
        """,
    ),
    Probe(
        7,
        "a coupon that ended says when",
        "已终结的优惠券有终结时间",
        "coupons",
        """
        SELECT CAST(id AS text) AS id, status || ' and ' || CASE WHEN ended_at IS NULL
            THEN 'no end' ELSE 'ended' END AS problem
        FROM coupons WHERE brand_id = :brand
            AND ((status IN ('REDEEMED', 'ORDERED', 'EXPIRED', 'VOID')) <> (ended_at IS NOT NULL)
                OR ended_at < issued_at)
        """,
    ),
    Probe(
        7,
        "a coupon expires after its last day",
        "优惠券到期后才过期",
        "coupons WHERE status = 'EXPIRED'",
        f"""
        WITH {_COUPON_DAYS}
        SELECT CAST(c.id AS text) AS id, 'expired on or before its last day, '
            || CAST(c.usable_until AS text) AS problem
        FROM coupons c CROSS JOIN ends
        WHERE c.brand_id = :brand AND c.status = 'EXPIRED'
            AND date(c.usable_until) = ends.day AND c.ended_at < ends.ends_at
        """,
    ),
    Probe(
        7,
        "a coupon is taken within its dates",
        "优惠券仅在有效期内占用",
        "redemptions",
        f"""
        WITH {_COUPON_DAYS}
        SELECT CAST(r.id AS text) AS id, 'taken after ' || CAST(c.usable_until AS text) AS problem
        FROM redemptions r
        JOIN coupons c ON c.brand_id = r.coupon_brand_id AND c.id = r.coupon_id
        CROSS JOIN ends
        WHERE c.brand_id = :brand AND date(c.usable_until) = ends.day
            AND r.held_at >= ends.ends_at
        UNION ALL
        SELECT CAST(r.id AS text), 'taken before ' || CAST(c.usable_from AS text)
        FROM redemptions r
        JOIN coupons c ON c.brand_id = r.coupon_brand_id AND c.id = r.coupon_id
        CROSS JOIN ends
        WHERE c.brand_id = :brand AND date(c.usable_from) = ends.day
            AND r.held_at < ends.starts_at
        """,
    ),
    Probe(
        7,
        "a coupon won is of a paid scan",
        "扫码所得优惠券对应有奖扫码",
        "coupons WHERE cause_kind = 'SCAN'",
        """
        SELECT CAST(c.id AS text) AS id, CASE WHEN e.id IS NULL THEN 'its scan does not exist'
            WHEN e.unpaid_reason IS NOT NULL THEN 'its scan was not paid: ' || e.unpaid_reason
            ELSE 'it was not issued with its scan' END AS problem
        FROM coupons c
        LEFT JOIN scan_events e ON e.brand_id = c.brand_id AND e.id = c.cause_id
        WHERE c.brand_id = :brand AND c.cause_kind = 'SCAN' AND (e.id IS NULL
            OR e.member_id IS NULL OR e.unpaid_reason IS NOT NULL OR c.issued_at <> e.created_at)
        """,
    ),
    # Whom a scan paid beside its consumer, the item's claims say; of a purchase, its shares.
    Probe(
        6,
        "a paid scan wins exactly the coupons that its campaign gives",
        "有奖扫码恰得活动所发优惠券",
        "scan_events WHERE unpaid_reason IS NULL AND role = 'CONSUMER'",
        f"""
        WITH {MERGED}, offer AS MATERIALIZED (
            SELECT version_id, beneficiary, template_id FROM {{coupon_outcomes}}
        ), paid AS MATERIALIZED (
            SELECT id, campaign_version_id, 'CONSUMER' AS role, member_id FROM scan_events
            WHERE brand_id = :brand AND unpaid_reason IS NULL AND role = 'CONSUMER'
            UNION ALL
            SELECT e.id, e.campaign_version_id, k.beneficiary_role, k.member_id
            FROM claims k
            JOIN scan_events e ON e.brand_id = k.brand_id AND e.id = k.settled_scan_id
            WHERE k.brand_id = :brand AND k.outcome = 'PAID' AND k.beneficiary_role <> 'CONSUMER'
        )
        SELECT CAST(cause_id AS text) AS id, 'of ' || CAST(COALESCE(m.into_id, member_id) AS text)
            || ': ' || SUM(due) || ' coupons of ' || CAST(template_id AS text) || ' due, '
            || SUM(won) || ' won' AS problem
        FROM (
            SELECT p.id AS cause_id, p.member_id, o.template_id, 1 AS due, 0 AS won
            FROM paid p CROSS JOIN offer o
            WHERE o.version_id = p.campaign_version_id AND o.beneficiary = p.role
            UNION ALL
            SELECT cause_id, member_id, coupon_template_id, 1, 0 FROM draws
            WHERE brand_id = :brand AND cause_kind = 'SCAN' AND coupon_template_id IS NOT NULL
            UNION ALL
            SELECT cause_id, member_id, template_id, 0, 1 FROM coupons
            WHERE brand_id = :brand AND cause_kind = 'SCAN'
            UNION ALL
            SELECT r.cause_id, r.member_id, r.coupon_template_id, 0, 1
            FROM locked_rewards r
            JOIN scan_events e ON e.brand_id = r.brand_id AND e.id = r.cause_id
            WHERE r.brand_id = :brand AND r.coupon_template_id IS NOT NULL
        ) AS entries LEFT JOIN merged m ON m.id = member_id
        GROUP BY cause_id, COALESCE(m.into_id, member_id), template_id
        HAVING SUM(due) <> SUM(won)
        """,
    ),
    Probe(
        6,
        "a rewarded purchase or event gives exactly the coupons that its campaign gives",
        "已奖购买与事件恰发活动所定优惠券",
        "coupons WHERE cause_kind IN ('PURCHASE', 'EVENT')",
        f"""
        WITH {MERGED}, offer AS MATERIALIZED (
            SELECT version_id, beneficiary, template_id FROM {{coupon_outcomes}}
        ), paid AS MATERIALIZED (
            SELECT id, campaign_version_id, 'CONSUMER' AS role, member_id, created_at
            FROM purchase_events WHERE brand_id = :brand AND campaign_version_id IS NOT NULL
            UNION ALL
            SELECT p.id, p.campaign_version_id, h.role, h.member_id, p.created_at
            FROM purchase_shares h
            JOIN purchase_events p ON p.brand_id = h.brand_id AND p.id = h.purchase_id
            WHERE h.brand_id = :brand AND h.unpaid_reason IS NULL
            UNION ALL
            SELECT e.id, e.campaign_version_id, m.role, e.member_id, e.created_at
            FROM earning_events e JOIN members m ON m.brand_id = e.brand_id AND m.id = e.member_id
            WHERE e.brand_id = :brand AND e.unpaid_reason IS NULL
        )
        SELECT CAST(cause_id AS text) AS id, 'of ' || CAST(COALESCE(m.into_id, member_id) AS text)
            || ': ' || SUM(due) || ' coupons of ' || CAST(template_id AS text) || ' due, '
            || SUM(given) || ' given' AS problem
        FROM (
            SELECT p.id AS cause_id, p.member_id, o.template_id, p.created_at AS at, 1 AS due,
                0 AS given
            FROM paid p CROSS JOIN offer o
            WHERE o.version_id = p.campaign_version_id AND o.beneficiary = p.role
            UNION ALL
            SELECT cause_id, member_id, coupon_template_id, occurred_at, 1, 0 FROM draws
            WHERE brand_id = :brand AND cause_kind <> 'SCAN' AND coupon_template_id IS NOT NULL
            UNION ALL
            SELECT cause_id, member_id, template_id, issued_at, 0, 1 FROM coupons
            WHERE brand_id = :brand AND cause_kind IN ('PURCHASE', 'EVENT')
            UNION ALL
            SELECT r.cause_id, r.member_id, r.coupon_template_id, r.created_at, 0, 1
            FROM locked_rewards r
            LEFT JOIN scan_events e ON e.brand_id = r.brand_id AND e.id = r.cause_id
            WHERE r.brand_id = :brand AND r.coupon_template_id IS NOT NULL AND e.id IS NULL
        ) AS entries LEFT JOIN merged m ON m.id = member_id
        GROUP BY cause_id, COALESCE(m.into_id, member_id), template_id, at
        HAVING SUM(due) <> SUM(given)
        """,
    ),
    Probe(
        7,
        "a coupon bought was paid for by its member",
        "积分兑换的优惠券由本人付清",
        "coupons WHERE cause_kind = 'BOUGHT'",
        f"""
        WITH {MERGED}
        SELECT CAST(coupon_id AS text) AS id, 'costs ' || SUM(price) || ', its member paid '
            || SUM(paid) || CASE WHEN SUM(for_sale) < SUM(bought) THEN ', and is not for sale'
            ELSE '' END AS problem
        FROM (
            SELECT c.id AS coupon_id, c.member_id, COALESCE(t.points_price, 0) AS price, 0 AS paid,
                1 AS bought, CASE WHEN t.points_price IS NULL THEN 0 ELSE 1 END AS for_sale
            FROM coupons c
            LEFT JOIN coupon_templates t ON t.brand_id = c.brand_id AND t.id = c.template_id
            WHERE c.brand_id = :brand AND c.cause_kind = 'BOUGHT'
            UNION ALL
            SELECT t.cause_id, a.owner_id, 0,
                CASE WHEN t.kind = 'SPEND' AND t.asset = 'POINTS' THEN t.amount END, 0, 0
            FROM transfers t
            JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.debit_account_id
            WHERE t.brand_id = :brand AND t.cause_kind = 'OFFER'
        ) AS entries LEFT JOIN merged m ON m.id = member_id
        GROUP BY coupon_id, COALESCE(m.into_id, member_id)
        HAVING SUM(price) <> SUM(paid) OR SUM(for_sale) < SUM(bought)
            OR COUNT(paid) < COUNT(*)
        """,
    ),
    Probe(
        8,
        "a template's stock counts the coupons there are",
        "券模板发放数与优惠券一致",
        "coupon_templates",
        """
        SELECT CAST(template_id AS text) AS id, 'counts ' || SUM(counted) || ' of '
            || COALESCE(CAST(MAX(stock_max) AS text), 'any number') || ', there are ' || SUM(made)
            AS problem
        FROM (
            SELECT id AS template_id, issued AS counted, stock_max, 0 AS made
            FROM coupon_templates WHERE brand_id = :brand
            UNION ALL
            SELECT template_id, 0, NULL, COUNT(*) FROM coupons WHERE brand_id = :brand
            GROUP BY template_id
            UNION ALL
            SELECT coupon_template_id, 0, NULL, COUNT(*) FROM locked_rewards
            WHERE brand_id = :brand AND status = 'LOCKED' AND coupon_template_id IS NOT NULL
            GROUP BY coupon_template_id
        ) AS entries
        GROUP BY template_id HAVING SUM(counted) <> SUM(made) OR SUM(made) > MAX(stock_max)
        """,
    ),
    # Coupons move with their member when it is merged, and counters stay: each of the members that
    # became one had a limit of its own.
    Probe(
        8,
        "a member buys no more coupons than its limit, and each is counted",
        "会员购券计数准确且不超限",
        "coupon_purchase_counters",
        f"""
        WITH {MERGED}
        SELECT CAST(template_id AS text) || ' '
            || CAST(COALESCE(m.into_id, member_id) AS text) AS id, 'counted ' || SUM(used)
            || ', bought ' || SUM(bought) || ', the limit is '
            || COALESCE(CAST(SUM(bought_max) AS text), 'none') AS problem
        FROM (
            SELECT n.template_id, n.member_id, n.used, 0 AS bought,
                CASE WHEN n.times_max = t.bought_per_member_max THEN 0 ELSE 1 END AS unlike,
                t.bought_per_member_max AS bought_max
            FROM coupon_purchase_counters n
            LEFT JOIN coupon_templates t ON t.brand_id = n.brand_id AND t.id = n.template_id
            WHERE n.brand_id = :brand
            UNION ALL
            SELECT c.template_id, c.member_id, 0, COUNT(*), 0, 0
            FROM coupons c
            JOIN coupon_templates t ON t.brand_id = c.brand_id AND t.id = c.template_id
            WHERE c.brand_id = :brand AND c.cause_kind = 'BOUGHT'
                AND t.bought_per_member_max IS NOT NULL
            GROUP BY c.template_id, c.member_id
        ) AS entries LEFT JOIN merged m ON m.id = member_id
        GROUP BY template_id, COALESCE(m.into_id, member_id)
        HAVING SUM(used) <> SUM(bought) OR SUM(bought) > SUM(bought_max) OR SUM(unlike) > 0
        """,
    ),
)
