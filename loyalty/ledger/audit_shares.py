"""What must hold of what stores, dealers and salespeople earn by purchases: invariant 6."""

from loyalty.ledger.audit_probe import LINKED, MERGED, Probe

SHARES = (
    Probe(
        6,
        "a rewarded purchase has a share for each role behind its place that its campaign pays",
        "已奖购买对每个渠道角色都有分成记录",
        "purchase_events WHERE campaign_version_id IS NOT NULL",
        """
        WITH pays AS MATERIALIZED (SELECT version_id, role FROM {purchase_channel})
        SELECT CAST(purchase_id AS text) AS id, 'of ' || role || ': ' || SUM(due) || ' due, '
            || SUM(made) || ' made' AS problem
        FROM (
            SELECT p.id AS purchase_id, y.role, 1 AS due, 0 AS made
            FROM purchase_events p JOIN pays y ON y.version_id = p.campaign_version_id
            WHERE p.brand_id = :brand
            UNION ALL
            SELECT purchase_id, role, 0, 1 FROM purchase_shares WHERE brand_id = :brand
        ) AS entries
        GROUP BY purchase_id, role HAVING SUM(due) <> SUM(made)
        """,
    ),
    Probe(
        6,
        "a purchase gave to whom its shares say, and to its buyer",
        "购买只发放给购买者与渠道分成记录中的会员",
        "purchase_shares",
        f"""
        WITH {MERGED}
        SELECT CAST(purchase_id AS text) AS id, 'to ' || CAST(member_id AS text) || ': '
            || SUM(says) || ' shares say so, ' || SUM(gave) || ' given' AS problem
        FROM (
            SELECT h.purchase_id, COALESCE(g.into_id, h.member_id) AS member_id, 1 AS says,
                0 AS gave
            FROM purchase_shares h LEFT JOIN merged g ON g.id = h.member_id
            WHERE h.brand_id = :brand AND h.unpaid_reason IS NULL
            UNION ALL
            SELECT DISTINCT t.cause_id, COALESCE(g.into_id, c.owner_id), 0, 1
            FROM transfers t
            JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
            JOIN purchase_events p ON p.brand_id = t.brand_id AND p.id = t.cause_id
            LEFT JOIN merged g ON g.id = c.owner_id
            LEFT JOIN merged b ON b.id = p.member_id
            WHERE t.brand_id = :brand AND t.cause_kind = 'PURCHASE' AND t.kind = 'EARN'
                AND t.phase IN ('POSTED', 'PENDING')
                AND COALESCE(g.into_id, c.owner_id) <> COALESCE(b.into_id, p.member_id)
            UNION
            SELECT DISTINCT c.cause_id, COALESCE(g.into_id, c.member_id), 0, 1
            FROM (
                SELECT cause_id, member_id FROM coupons
                WHERE brand_id = :brand AND cause_kind = 'PURCHASE'
                UNION ALL
                SELECT cause_id, member_id FROM locked_rewards
                WHERE brand_id = :brand AND coupon_template_id IS NOT NULL
                UNION ALL
                SELECT cause_id, member_id FROM draws
                WHERE brand_id = :brand AND cause_kind = 'PURCHASE'
            ) AS c
            JOIN purchase_events p ON p.brand_id = :brand AND p.id = c.cause_id
            LEFT JOIN merged g ON g.id = c.member_id
            LEFT JOIN merged b ON b.id = p.member_id
            WHERE COALESCE(g.into_id, c.member_id) <> COALESCE(b.into_id, p.member_id)
        ) AS entries
        GROUP BY purchase_id, member_id HAVING SUM(says) <> SUM(gave)
        """,
    ),
    Probe(
        6,
        "a share is of somebody in its role at a place, or says why not",
        "渠道分成属于该角色的会员或说明原因",
        "purchase_shares",
        """
        SELECT CAST(h.purchase_id AS text) AS id, 'the share of the ' || h.role || ' is '
            || COALESCE(h.unpaid_reason, 'paid') || CASE WHEN p.place_id IS NULL
                THEN ', at no place' ELSE '' END AS problem
        FROM purchase_shares h
        LEFT JOIN purchase_events p ON p.brand_id = h.brand_id AND p.id = h.purchase_id
        LEFT JOIN members m ON m.brand_id = h.brand_id AND m.id = h.member_id
        WHERE h.brand_id = :brand AND (p.id IS NULL OR m.role <> h.role
            OR p.place_id IS NULL AND COALESCE(h.unpaid_reason, '') <> 'NO_PLACE'
            OR h.unpaid_reason = 'CAP' AND h.role <> 'STORE')
        """,
    ),
    # As of the two rewards of a scan: two identities are one person from their merge on.
    Probe(
        6,
        "nobody behind a purchase's place is its buyer",
        "渠道分成人不是购买者本人",
        "purchase_shares WHERE unpaid_reason IS NULL",
        f"""
        WITH {LINKED}
        SELECT CAST(h.purchase_id AS text) AS id,
            'the buyer got what is for the ' || h.role AS problem
        FROM purchase_shares h
        JOIN purchase_events p ON p.brand_id = h.brand_id AND p.id = h.purchase_id
        JOIN members m ON m.brand_id = p.brand_id AND m.id = p.member_id
        JOIN members n ON n.brand_id = h.brand_id AND n.id = h.member_id
        LEFT JOIN linked l ON l.one_id = m.identity_id AND l.other_id = n.identity_id
            AND date(l.created_at) < date(p.created_at)
        WHERE h.brand_id = :brand AND h.unpaid_reason IS NULL
            AND (m.identity_id = n.identity_id OR l.one_id IS NOT NULL)
        """,
    ),
)
