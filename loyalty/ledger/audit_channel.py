"""What must hold of what stores, dealers and salespeople earn by scans: invariant 6.

That whoever has a PAID claim was given what it is due: ``audit_scans.py``, for every role alike."""

from loyalty.ledger.audit_probe import LINKED, Probe

_BEHIND = "('STORE', 'DEALER', 'SALESPERSON')"

CHANNEL = (
    Probe(
        6,
        "a scan decides a claim for each role behind the guide that its campaign pays",
        "每个渠道角色的领取权由扫码一并判定",
        "claims WHERE beneficiary_role = 'CONSUMER'",
        f"""
        WITH pays AS MATERIALIZED (
            SELECT version_id, beneficiary FROM {{outcomes}} WHERE beneficiary IN {_BEHIND}
            UNION
            SELECT version_id, beneficiary FROM {{locked_outcomes}}
            WHERE beneficiary IN {_BEHIND}
            UNION
            SELECT version_id, beneficiary FROM {{coupon_outcomes}}
            WHERE beneficiary IN {_BEHIND}
            UNION
            SELECT version_id, role FROM {{draw_roles}} WHERE role IN {_BEHIND}
        )
        SELECT CAST(item_no AS text) AS id, 'of ' || role || ': ' || SUM(due) || ' due, '
            || SUM(made) || ' made' AS problem
        FROM (
            SELECT c.item_no, p.beneficiary AS role, 1 AS due, 0 AS made
            FROM claims c JOIN scan_events e ON e.brand_id = c.brand_id AND e.id = c.scan_id
            CROSS JOIN pays p
            WHERE c.brand_id = :brand AND c.beneficiary_role = 'CONSUMER'
                AND p.version_id = e.campaign_version_id
            UNION ALL
            SELECT item_no, beneficiary_role, 0, 1 FROM claims
            WHERE brand_id = :brand AND beneficiary_role IN {_BEHIND}
        ) AS entries
        GROUP BY item_no, role HAVING SUM(due) <> SUM(made)
        """,
    ),
    Probe(
        6,
        "a claim from behind the guide is paid with its scan, or says why not",
        "渠道领取权随扫码发放或说明原因",
        f"claims WHERE beneficiary_role IN {_BEHIND}",
        f"""
        SELECT CAST(h.item_no AS text) AS id, 'the claim of the ' || h.beneficiary_role || ' is '
            || h.outcome || CASE WHEN h.member_id IS NULL THEN ' for nobody' ELSE '' END
            || ', the consumer''s ' || COALESCE(c.outcome, 'of another scan') AS problem
        FROM claims h
        LEFT JOIN scan_events e ON e.brand_id = h.brand_id AND e.id = h.scan_id
        LEFT JOIN claims c ON c.brand_id = h.brand_id AND c.item_no = h.item_no
            AND c.purpose = h.purpose AND c.beneficiary_role = 'CONSUMER'
            AND c.scan_id = h.scan_id
        LEFT JOIN members m ON m.brand_id = h.brand_id AND m.id = h.member_id
        WHERE h.brand_id = :brand AND h.beneficiary_role IN {_BEHIND} AND (
            c.scan_id IS NULL OR h.settled_scan_id IS NULL OR h.settled_scan_id <> h.scan_id
            OR m.role <> h.beneficiary_role
            OR NOT CASE
                WHEN c.outcome = 'BUDGET' THEN h.outcome = 'BUDGET'
                WHEN e.guide_member_id IS NULL
                    THEN h.outcome = 'NO_GUIDE' AND h.member_id IS NULL
                WHEN h.outcome IN ('NO_PLACE', 'VACANT', 'NOT_ENROLLED') THEN h.member_id IS NULL
                WHEN h.outcome = 'CAP'
                    THEN h.beneficiary_role = 'STORE' AND h.member_id IS NOT NULL
                ELSE h.outcome IN ('PAID', 'FROZEN', 'SELF_DEALING')
                    AND h.member_id IS NOT NULL END)
        """,
    ),
    # As of the two rewards of a scan: two identities are one person from their merge on.
    Probe(
        6,
        "nobody behind the guide is the consumer",
        "渠道受益人不是消费者本人",
        f"claims WHERE outcome = 'PAID' AND beneficiary_role IN {_BEHIND}",
        f"""
        WITH {LINKED}
        SELECT CAST(h.item_no AS text) AS id,
            'the consumer got what is for the ' || h.beneficiary_role AS problem
        FROM claims h
        JOIN claims c ON c.brand_id = h.brand_id AND c.item_no = h.item_no
            AND c.purpose = h.purpose AND c.beneficiary_role = 'CONSUMER'
        JOIN members m ON m.brand_id = c.brand_id AND m.id = c.member_id
        JOIN members n ON n.brand_id = h.brand_id AND n.id = h.member_id
        LEFT JOIN linked l ON l.one_id = m.identity_id AND l.other_id = n.identity_id
            AND date(l.created_at) < date(h.created_at)
        WHERE h.brand_id = :brand AND h.outcome = 'PAID' AND h.beneficiary_role IN {_BEHIND}
            AND (m.identity_id = n.identity_id OR l.one_id IS NOT NULL)
        """,
    ),
)
