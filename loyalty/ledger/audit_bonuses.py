"""What must hold of bonus campaigns, which pay on top of others: invariant 6."""

from loyalty.ledger.audit_probe import Probe

NOT_OF_A_BONUS = """
    LEFT JOIN bonuses x ON x.brand_id = t.brand_id AND x.cause_id = t.cause_id
        AND x.campaign_id = t.campaign_id
"""
"""Joins to transfers ``t`` the bonus that gave them: none to those of the first campaign."""

BONUSES = (
    Probe(
        6,
        "a bonus was paid if and only if it says so, and of its own campaign's version",
        "加奖的发放与其记录一致",
        "bonuses",
        """
        SELECT CAST(b.cause_id AS text) || ' ' || b.bonus_group AS id, CASE
            WHEN v.id IS NULL THEN 'its version is of another campaign or group'
            WHEN b.unpaid_reason IS NULL THEN 'says that it was paid, and no transfer says so'
            ELSE b.unpaid_reason || ', and yet a transfer gave for it' END AS problem
        FROM bonuses b
        LEFT JOIN campaign_versions v ON v.brand_id = b.brand_id AND v.id = b.campaign_version_id
            AND v.campaign_id = b.campaign_id AND v.bonus ->> 'group' = b.bonus_group
        LEFT JOIN (
            SELECT DISTINCT t.cause_id, t.campaign_id FROM transfers t
            JOIN bonuses x ON x.brand_id = t.brand_id AND x.cause_id = t.cause_id
                AND x.campaign_id = t.campaign_id AND x.cause_kind = t.cause_kind
            WHERE t.brand_id = :brand AND t.kind = 'EARN' AND t.phase IN ('POSTED', 'PENDING')
        ) AS gave ON gave.cause_id = b.cause_id AND gave.campaign_id = b.campaign_id
        WHERE b.brand_id = :brand
            AND (v.id IS NULL OR (b.unpaid_reason IS NULL) <> (gave.cause_id IS NOT NULL))
        """,
    ),
    Probe(
        6,
        "a bonus is of an event that its first campaign paid",
        "加奖只随已发放的事件",
        "bonuses",
        """
        SELECT CAST(b.cause_id AS text) || ' ' || b.bonus_group AS id, CASE
            WHEN COALESCE(s.id, p.id, e.id) IS NULL THEN 'its event does not exist'
            ELSE 'its event was not paid, or by this very campaign' END AS problem
        FROM bonuses b
        LEFT JOIN scan_events s ON s.brand_id = b.brand_id AND s.id = b.cause_id
            AND b.cause_kind = 'SCAN' AND s.role = 'CONSUMER'
        LEFT JOIN purchase_events p ON p.brand_id = b.brand_id AND p.id = b.cause_id
            AND b.cause_kind = 'PURCHASE'
        LEFT JOIN earning_events e ON e.brand_id = b.brand_id AND e.id = b.cause_id
            AND b.cause_kind = 'EVENT'
        LEFT JOIN campaign_versions v ON v.brand_id = b.brand_id AND v.id = COALESCE(
            s.campaign_version_id, p.campaign_version_id, e.campaign_version_id)
        WHERE b.brand_id = :brand AND (v.id IS NULL OR v.campaign_id = b.campaign_id
            OR COALESCE(s.unpaid_reason, e.unpaid_reason) IS NOT NULL)
        """,
    ),
    Probe(
        6,
        "what an event gave is of its campaign, or of one of its bonuses",
        "事件的发放属于其活动或其加奖",
        "transfers WHERE kind = 'EARN'",
        """
        SELECT CAST(t.id AS text) AS id, 'it is of a campaign that its event does not name'
            AS problem
        FROM transfers t
        JOIN (
            SELECT id, campaign_version_id FROM purchase_events WHERE brand_id = :brand
            UNION ALL
            SELECT id, campaign_version_id FROM earning_events WHERE brand_id = :brand
        ) AS e ON e.id = t.cause_id
        JOIN campaign_versions v ON v.brand_id = :brand AND v.id = e.campaign_version_id
        LEFT JOIN bonuses b ON b.brand_id = t.brand_id AND b.cause_id = t.cause_id
            AND b.campaign_id = t.campaign_id
        WHERE t.brand_id = :brand AND t.kind = 'EARN' AND t.phase IN ('POSTED', 'PENDING')
            AND t.cause_kind IN ('PURCHASE', 'EVENT') AND t.campaign_id <> v.campaign_id
            AND b.cause_id IS NULL
        """,
    ),
)
