"""What must hold of limits and keys: invariants 8 and 9."""

from loyalty.ledger.audit_probe import LOCAL_DAYS, ON_LOCAL_DAY, Probe

LIMITS = (
    Probe(
        8,
        "a budget is never overrun",
        "预算不超支",
        "campaign_budgets",
        """
        SELECT CAST(campaign_id AS text) || ' ' || asset AS id, spent || ' spent and ' || reserved
            || ' reserved of ' || allowed AS problem
        FROM campaign_budgets WHERE brand_id = :brand
            AND (spent + reserved > allowed OR spent < 0 OR reserved < 0)
        """,
    ),
    Probe(
        8,
        "a budget says what its campaign's transfers gave",
        "预算与流水一致",
        "campaign_budgets",
        """
        SELECT CAST(campaign_id AS text) || ' ' || asset AS id, 'off by ' || SUM(spent)
            || ' spent and ' || SUM(reserved) || ' reserved' AS problem
        FROM (
            SELECT campaign_id, asset, spent, reserved FROM campaign_budgets
            WHERE brand_id = :brand
            UNION ALL
            SELECT t.campaign_id, t.asset,
                CASE WHEN t.kind IN ('REVERSE', 'OWE') THEN t.amount
                    WHEN t.phase IN ('POSTED', 'POST') THEN -t.amount ELSE 0 END,
                CASE WHEN t.phase = 'PENDING' THEN -t.amount
                    WHEN t.phase IN ('POST', 'VOID') THEN t.amount ELSE 0 END
            FROM transfers t JOIN campaign_budgets b ON b.brand_id = t.brand_id
                AND b.campaign_id = t.campaign_id AND b.asset = t.asset
            WHERE t.brand_id = :brand AND t.kind IN ('EARN', 'REVERSE', 'OWE')
        ) AS entries
        GROUP BY campaign_id, asset HAVING SUM(spent) <> 0 OR SUM(reserved) <> 0
        """,
    ),
    Probe(
        8,
        "a cap is never exceeded",
        "上限不被突破",
        "cap_counters",
        """
        WITH cap AS MATERIALIZED (
            SELECT campaign_id, subject_kind, window_kind, times_max FROM {caps}
        )
        SELECT CAST(c.campaign_id AS text) || ' ' || c.subject_kind || ' ' || c.window_key AS id,
            c.subject || ' used ' || c.used || ' of ' || COALESCE(CAST(cap.times_max AS text),
                'a cap that no version has') AS problem
        FROM cap_counters c LEFT JOIN cap ON cap.campaign_id = c.campaign_id
            AND cap.subject_kind = c.subject_kind AND cap.window_kind =
                CASE WHEN c.window_key = 'ALL' THEN 'CAMPAIGN' ELSE 'DAY' END
        WHERE c.brand_id = :brand AND (c.used > c.times_max
            OR c.subject_kind NOT IN ('PRIZE', 'DRAW', 'STAGE')
                AND (cap.times_max IS NULL OR c.used > cap.times_max))
        """,
    ),
    # A guide is counted by the pre-scan that locks its reward, else by the consumer's scan. What is
    # reversed is taken back from its member's counters; once it was not, and is counted for good.
    Probe(
        8,
        "a cap counts the scans that were paid",
        "上限计数与已奖扫码一致",
        "cap_counters",
        f"""
        WITH {LOCAL_DAYS}, cap AS MATERIALIZED (
            SELECT campaign_id, subject_kind, window_kind, every_version FROM {{caps}}
            WHERE counts_scans
        ), paid AS MATERIALIZED (
            SELECT v.campaign_id, e.id, e.item_no, e.role, e.occurred_at, e.member_id,
                e.device_hash, e.guide_member_id, e.guide_unpaid_reason,
                CASE WHEN r.id IS NULL THEN 1 ELSE 0 END AS stands
            FROM scan_events e JOIN campaign_versions v
                ON v.brand_id = e.brand_id AND v.id = e.campaign_version_id
            LEFT JOIN scan_reversals r ON r.brand_id = e.brand_id AND r.scan_id = e.id
            WHERE e.brand_id = :brand AND e.unpaid_reason IS NULL
                AND v.campaign_id IN (SELECT campaign_id FROM cap)
        ), stacked AS MATERIALIZED (
            SELECT b.campaign_id, e.occurred_at, e.member_id, e.device_hash, b.guide_member_id,
                CASE WHEN r.id IS NULL THEN 1 ELSE 0 END AS stands
            FROM bonuses b JOIN scan_events e ON e.brand_id = b.brand_id AND e.id = b.cause_id
            LEFT JOIN scan_reversals r ON r.brand_id = e.brand_id AND r.scan_id = e.id
            WHERE b.brand_id = :brand AND b.cause_kind = 'SCAN' AND b.unpaid_reason IS NULL
                AND b.campaign_id IN (SELECT campaign_id FROM cap)
        ), subjects AS MATERIALIZED (
            SELECT campaign_id, occurred_at, 'MEMBER' AS subject_kind,
                replace(CAST(member_id AS text), '-', '') AS subject, stands
            FROM paid WHERE role = 'CONSUMER'
            UNION ALL
            SELECT campaign_id, occurred_at, 'ALL', 'ALL', stands
            FROM paid WHERE role = 'CONSUMER'
            UNION ALL
            SELECT campaign_id, occurred_at, 'ALL', 'ALL', stands FROM stacked
            UNION ALL
            SELECT campaign_id, occurred_at, 'DEVICE', device_hash, 1
            FROM paid WHERE role = 'CONSUMER' AND device_hash IS NOT NULL
            UNION ALL
            SELECT campaign_id, occurred_at, 'GUIDE', replace(CAST(member_id AS text), '-', ''), 1
            FROM paid WHERE role = 'GUIDE'
            UNION ALL
            SELECT p.campaign_id, p.occurred_at, 'GUIDE',
                replace(CAST(p.guide_member_id AS text), '-', ''), 1
            FROM paid p
            JOIN claims g ON g.brand_id = :brand AND g.item_no = p.item_no
                AND g.purpose = 'REWARD' AND g.beneficiary_role = 'GUIDE' AND g.outcome = 'PAID'
            LEFT JOIN scan_events f ON f.brand_id = g.brand_id AND f.id = g.scan_id
                AND f.role = 'GUIDE' AND f.unpaid_reason IS NULL
            WHERE p.role = 'CONSUMER' AND p.guide_unpaid_reason IS NULL AND f.id IS NULL
            UNION ALL
            SELECT p.campaign_id, p.occurred_at, 'STORE',
                replace(CAST(h.member_id AS text), '-', ''), 1
            FROM paid p
            JOIN claims h ON h.brand_id = :brand AND h.item_no = p.item_no
                AND h.purpose = 'REWARD' AND h.beneficiary_role = 'STORE' AND h.outcome = 'PAID'
            WHERE p.role = 'CONSUMER'
            UNION ALL
            SELECT campaign_id, occurred_at, 'MEMBER', replace(CAST(member_id AS text), '-', ''),
                stands FROM stacked
            UNION ALL
            SELECT campaign_id, occurred_at, 'DEVICE', device_hash, 1
            FROM stacked WHERE device_hash IS NOT NULL
            UNION ALL
            SELECT campaign_id, occurred_at, 'GUIDE',
                replace(CAST(guide_member_id AS text), '-', ''), 1
            FROM stacked WHERE guide_member_id IS NOT NULL
        )
        SELECT CAST(n.campaign_id AS text) || ' ' || n.subject_kind || ' ' || n.window_key AS id,
            n.subject || ' counted ' || SUM(n.used) || ', paid ' || SUM(n.paid) AS problem
        FROM (
            SELECT campaign_id, subject_kind, subject, window_key, CASE WHEN window_key = 'ALL'
                THEN 'CAMPAIGN' ELSE 'DAY' END AS window_kind, used, 0 AS paid, 0 AS stands
            FROM cap_counters WHERE brand_id = :brand
            UNION ALL
            SELECT campaign_id, subject_kind, subject, 'ALL', 'CAMPAIGN', 0, 1, stands FROM subjects
            UNION ALL
            SELECT s.campaign_id, s.subject_kind, s.subject, day.day_key, 'DAY', 0, 1, s.stands
            FROM subjects s CROSS JOIN day WHERE {ON_LOCAL_DAY}
        ) AS n
        JOIN cap ON cap.campaign_id = n.campaign_id AND cap.subject_kind = n.subject_kind
            AND cap.window_kind = n.window_kind
        GROUP BY n.campaign_id, n.subject_kind, n.subject, n.window_key, cap.every_version
        HAVING SUM(n.used) > SUM(n.paid) OR cap.every_version AND SUM(n.used) < SUM(n.stands)
        """,
    ),
    Probe(
        8,
        "a standing is where its changes led",
        "会员等级与变动记录一致",
        "standings",
        """
        SELECT CAST(member_id AS text) AS id, 'stands at ' || SUM(held) || ', changes lead to '
            || SUM(led) AS problem
        FROM (
            SELECT member_id, rank AS held, 0 AS led FROM standings WHERE brand_id = :brand
            UNION ALL
            SELECT member_id, 0, to_rank - from_rank FROM standing_changes
            WHERE brand_id = :brand
        ) AS entries
        GROUP BY member_id HAVING SUM(held) <> SUM(led)
        """,
    ),
    Probe(
        8,
        "a level is the better of what was earned and what was given",
        "会员等级取所得与所授之高者",
        "standings",
        """
        SELECT CAST(member_id AS text) AS id, basis || ' ' || rank || ', earned ' || earned_rank
            || ', given ' || COALESCE(CAST(grant_rank AS text), 'none') AS problem
        FROM standings WHERE brand_id = :brand AND (
            rank <> CASE WHEN grant_rank > earned_rank THEN grant_rank ELSE earned_rank END
            OR CASE WHEN basis = 'EARNED' THEN COALESCE(grant_rank, 0) > earned_rank
                ELSE grant_rank IS NULL OR grant_rank < earned_rank OR basis <> grant_kind END
        )
        """,
    ),
)

KEYS = (
    Probe(
        9,
        "an idempotency key has one record",
        "幂等键唯一",
        "idempotency_records",
        """
        SELECT CAST(actor_id AS text) AS id, operation || ' has ' || COUNT(*)
            || ' records under one key' AS problem
        FROM idempotency_records WHERE brand_id = :brand
        GROUP BY actor_id, operation, key HAVING COUNT(*) > 1
        """,
    ),
    Probe(
        9,
        "a stored scan receipt is of one scan, its own",
        "扫码回执对应唯一扫码",
        "idempotency_records WHERE operation = 'scanCode'",
        """
        SELECT COALESCE(scan_id, CAST(person_id AS text)) AS id,
            SUM(receipts) || ' receipts of ' || SUM(scans) || ' scans by this person' AS problem
        FROM (
            SELECT replace(reply ->> 'scan_id', '-', '') AS scan_id, actor_id AS person_id,
                1 AS receipts, 0 AS scans
            FROM idempotency_records WHERE brand_id = :brand AND operation = 'scanCode'
            UNION ALL
            SELECT replace(CAST(id AS text), '-', ''), identity_id, 0, 1 FROM scan_events
            WHERE brand_id = :brand
        ) AS entries
        GROUP BY scan_id, person_id HAVING SUM(receipts) > SUM(scans)
        """,
    ),
)
