"""What must hold of the mall's orders: what was paid and given for them (invariant 3), how they end
(4), their coupons (7), their stock and limits (8)."""

from loyalty.ledger.audit_probe import MERGED, Probe

_DAYS = "local AS MATERIALIZED (SELECT day, starts_at, ends_at FROM {coupon_days})"

_WINDOWS = " UNION ALL ".join(
    f"SELECT offer_id, member_id, {key}, 0, quantity, NULL FROM offer_orders"
    " WHERE brand_id = :brand AND status <> 'CANCELLED' AND coupon_id IS NULL"
    for key in (
        "'ALL'",
        "substr(CAST(ordered_on AS text), 1, 4)",
        "substr(CAST(ordered_on AS text), 1, 7)",
        "CAST(ordered_on AS text)",
    )
)
"""Each order once for every counter that it moves: its window key as the counters have it."""

OFFERS = (
    # Debts that a credit repays are no part of the order, nor what goes on to whom its member was
    # merged into.
    Probe(
        3,
        "an order's transfers are what was paid and given for it",
        "兑换单的支付与所得与流水一致",
        "offer_order_parts",
        """
        SELECT CAST(order_id AS text) AS id, purpose || ' of ' || asset || ': ' || SUM(said)
            || ' by the order, ' || SUM(booked) || ' by transfers of its member' AS problem
        FROM (
            SELECT p.order_id, o.member_id, p.purpose, p.asset, p.amount AS said, 0 AS booked
            FROM offer_order_parts p
            LEFT JOIN offer_orders o ON o.brand_id = p.brand_id AND o.id = p.order_id
            WHERE p.brand_id = :brand
            UNION ALL
            SELECT p.order_id, o.member_id, p.purpose || ' BACK', p.asset, p.amount, 0
            FROM offer_order_parts p
            JOIN offer_orders o ON o.brand_id = p.brand_id AND o.id = p.order_id
            WHERE p.brand_id = :brand AND o.status = 'CANCELLED'
            UNION ALL
            SELECT t.cause_id, CASE d.kind WHEN 'MAIN' THEN d.owner_id ELSE c.owner_id END,
                CASE WHEN t.kind = 'SPEND' AND c.kind = 'SPENT' THEN 'PRICE'
                    WHEN t.kind = 'SPEND' AND c.kind = 'FEES' THEN 'FEE'
                    WHEN t.kind = 'EARN' AND c.kind = 'MAIN' THEN 'GIVEN'
                    WHEN t.kind = 'REVERSE' AND d.kind = 'SPENT' THEN 'PRICE BACK'
                    WHEN t.kind = 'REVERSE' AND d.kind = 'FEES' THEN 'FEE BACK'
                    ELSE t.kind END, t.asset, 0, t.amount
            FROM transfers t
            JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
            JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
            WHERE t.brand_id = :brand AND t.cause_kind = 'ORDER'
                AND t.kind NOT IN ('REPAY', 'MOVE')
        ) AS entries
        GROUP BY order_id, member_id, purpose, asset HAVING SUM(said) <> SUM(booked)
        """,
    ),
    Probe(
        4,
        "an order that ended says when, and only gifts wait",
        "兑换单终结有时间,仅礼品待发放",
        "offer_orders",
        """
        SELECT CAST(o.id AS text) AS id, 'a ' || COALESCE(f.kind, 'nothing') || ' that is '
            || o.status || CASE WHEN o.fulfilled_at IS NULL AND o.cancelled_at IS NULL
            THEN ' and did not end' ELSE ' and ended' END AS problem
        FROM offer_orders o LEFT JOIN offers f ON f.brand_id = o.brand_id AND f.id = o.offer_id
        WHERE o.brand_id = :brand AND ((o.status = 'FULFILLED') <> (o.fulfilled_at IS NOT NULL)
            OR (o.status = 'CANCELLED') <> (o.cancelled_at IS NOT NULL)
            OR o.fulfilled_at < o.created_at OR o.cancelled_at < o.created_at
            OR f.kind <> 'GIFT' AND o.fulfilled_at <> o.created_at
            OR f.kind <> 'GIFT' AND o.status <> 'FULFILLED')
        """,
    ),
    Probe(
        7,
        "an order of coupons has as many as were taken, its member's",
        "兑换单的优惠券数量与归属一致",
        "coupons WHERE cause_kind = 'ORDER'",
        f"""
        WITH {MERGED}
        SELECT CAST(order_id AS text) AS id, SUM(taken) || ' taken, ' || SUM(made)
            || ' coupons of this template and member' AS problem
        FROM (
            SELECT o.id AS order_id, o.member_id, f.template_id, o.quantity AS taken, 0 AS made
            FROM offer_orders o
            JOIN offers f ON f.brand_id = o.brand_id AND f.id = o.offer_id AND f.kind = 'COUPON'
            WHERE o.brand_id = :brand
            UNION ALL
            SELECT c.cause_id, c.member_id, c.template_id, 0, 1 FROM coupons c
            WHERE c.brand_id = :brand AND c.cause_kind = 'ORDER'
        ) AS entries LEFT JOIN merged m ON m.id = member_id
        GROUP BY order_id, COALESCE(m.into_id, member_id), template_id
        HAVING SUM(taken) <> SUM(made)
        """,
    ),
    Probe(
        7,
        "a coupon for a gift is ordered once, by its member, for what it promises",
        "礼品券由本人兑换一次且为所承诺的礼品",
        "coupons WHERE status = 'ORDERED'",
        f"""
        WITH {MERGED}
        SELECT CAST(COALESCE(c.id, o.coupon_id) AS text) AS id, COALESCE(c.status, 'no coupon')
            || CASE WHEN o.id IS NULL THEN ', and no order of it'
            ELSE ', ordered by ' || CAST(o.id AS text) END AS problem
        FROM (
            SELECT id AS coupon_id FROM coupons WHERE brand_id = :brand AND status = 'ORDERED'
            UNION
            SELECT coupon_id FROM offer_orders
            WHERE brand_id = :brand AND coupon_id IS NOT NULL AND status <> 'CANCELLED'
        ) AS k
        LEFT JOIN coupons c ON c.brand_id = :brand AND c.id = k.coupon_id
        LEFT JOIN coupon_templates t ON t.brand_id = :brand AND t.id = c.template_id
        LEFT JOIN offer_orders o ON o.brand_id = :brand AND o.coupon_id = k.coupon_id
            AND o.status <> 'CANCELLED'
        LEFT JOIN merged m ON m.id = c.member_id
        LEFT JOIN merged n ON n.id = o.member_id
        WHERE (c.status = 'ORDERED' AND c.ended_at = o.created_at AND t.offer_id = o.offer_id
            AND COALESCE(m.into_id, c.member_id) = COALESCE(n.into_id, o.member_id)) IS NOT TRUE
        """,
    ),
    Probe(
        8,
        "an offer's stock counts its orders",
        "兑换商品库存与兑换单一致",
        "offers",
        """
        SELECT CAST(offer_id AS text) AS id, 'counts ' || SUM(counted) || ' of '
            || COALESCE(CAST(MAX(stock_max) AS text), 'any number') || ', its orders are of '
            || SUM(ordered) AS problem
        FROM (
            SELECT id AS offer_id, taken AS counted, stock_max, 0 AS ordered
            FROM offers WHERE brand_id = :brand
            UNION ALL
            SELECT offer_id, 0, NULL, quantity FROM offer_orders
            WHERE brand_id = :brand AND status <> 'CANCELLED' AND coupon_id IS NULL
        ) AS entries
        GROUP BY offer_id HAVING SUM(counted) <> SUM(ordered) OR SUM(ordered) > MAX(stock_max)
        """,
    ),
    Probe(
        8,
        "an offer's stock of a day counts the orders of that day",
        "兑换商品每日库存与当日兑换单一致",
        "offer_days",
        """
        SELECT CAST(offer_id AS text) || ' ' || CAST(day AS text) AS id, 'counts ' || SUM(counted)
            || ' of ' || COALESCE(CAST(MAX(taken_max) AS text), 'any number')
            || ', its orders are of ' || SUM(ordered) AS problem
        FROM (
            SELECT offer_id, day, taken AS counted, taken_max, 0 AS ordered
            FROM offer_days WHERE brand_id = :brand
            UNION ALL
            SELECT offer_id, ordered_on, 0, NULL, quantity FROM offer_orders
            WHERE brand_id = :brand AND status <> 'CANCELLED' AND coupon_id IS NULL
        ) AS entries
        GROUP BY offer_id, day HAVING SUM(counted) <> SUM(ordered) OR SUM(ordered) > MAX(taken_max)
        """,
    ),
    Probe(
        8,
        "a member takes no more of an offer than its limits, and each piece is counted",
        "会员兑换计数准确且不超限",
        "offer_counters",
        f"""
        SELECT CAST(offer_id AS text) || ' ' || CAST(member_id AS text) || ' ' || window_key AS id,
            'counted ' || SUM(used) || ', ordered ' || SUM(ordered) || ', the limit is '
            || COALESCE(CAST(MAX(times_max) AS text), 'none') AS problem
        FROM (
            SELECT offer_id, member_id, window_key, used, 0 AS ordered, times_max
            FROM offer_counters WHERE brand_id = :brand
            UNION ALL
            {_WINDOWS}
        ) AS entries
        GROUP BY offer_id, member_id, window_key
        HAVING SUM(used) <> SUM(ordered) OR SUM(ordered) > MAX(times_max)
        """,
    ),
    Probe(
        8,
        "an order is of the local day on which it was placed",
        "兑换单日期与下单时间一致",
        "offer_orders",
        f"""
        WITH {_DAYS}
        SELECT CAST(o.id AS text) AS id, 'is of ' || CAST(o.ordered_on AS text)
            || ' and was placed at ' || CAST(o.created_at AS text) AS problem
        FROM offer_orders o CROSS JOIN local
        WHERE o.brand_id = :brand AND date(o.ordered_on) = local.day
            AND (o.created_at < local.starts_at OR o.created_at >= local.ends_at)
        """,
    ),
)
