"""What must hold of draws, seen from the rows alone: invariants 6 and 8. That their numbers are
what anybody computes of them is asked by ``audit_draw_receipts.py``."""

from loyalty.ledger.audit_probe import MERGED, Probe

_HEX = "replace(CAST({} AS text), '-', '')"
# Whom events paid, each in its role: beside a scan's consumer its item's claims say so, beside a
# buyer the purchase's shares.
_PAID = f"""
    paid AS MATERIALIZED (
        SELECT 'SCAN' AS kind, e.id, 'CONSUMER' AS role, e.member_id, e.campaign_version_id,
            e.occurred_at AS at, CAST(e.item_no AS text) || ':REWARD:' AS claim
        FROM scan_events e
        WHERE e.brand_id = :brand AND e.unpaid_reason IS NULL AND e.role = 'CONSUMER'
        UNION ALL
        SELECT 'SCAN', e.id, k.beneficiary_role, k.member_id, e.campaign_version_id,
            e.occurred_at, CAST(e.item_no AS text) || ':REWARD:'
        FROM claims k JOIN scan_events e ON e.brand_id = k.brand_id AND e.id = k.settled_scan_id
        WHERE k.brand_id = :brand AND k.outcome = 'PAID' AND k.beneficiary_role <> 'CONSUMER'
        UNION ALL
        SELECT 'PURCHASE', p.id, 'CONSUMER', p.member_id, p.campaign_version_id, p.created_at,
            'PURCHASE:' || {_HEX.format("p.id")} || ':'
        FROM purchase_events p WHERE p.brand_id = :brand AND p.campaign_version_id IS NOT NULL
        UNION ALL
        SELECT 'PURCHASE', p.id, h.role, h.member_id, p.campaign_version_id, p.created_at,
            'PURCHASE:' || {_HEX.format("p.id")} || ':'
        FROM purchase_shares h
        JOIN purchase_events p ON p.brand_id = h.brand_id AND p.id = h.purchase_id
        WHERE h.brand_id = :brand AND h.unpaid_reason IS NULL
        UNION ALL
        SELECT 'EVENT', e.id, m.role, e.member_id, e.campaign_version_id, e.created_at,
            'EVENT:' || {_HEX.format("e.id")} || ':'
        FROM earning_events e JOIN members m ON m.brand_id = e.brand_id AND m.id = e.member_id
        WHERE e.brand_id = :brand AND e.unpaid_reason IS NULL
    )
"""

DRAWS = (
    Probe(
        6,
        "a paid event draws once for each whom it pays and who draws, and no other does",
        "有奖事件为每个参与抽奖的受益人恰抽一次",
        "draws",
        f"""
        WITH {_PAID}, drawing AS MATERIALIZED (SELECT version_id, role FROM {{draw_roles}})
        SELECT CAST(cause_id AS text) || ' ' || role AS id, SUM(due) || ' draws due, '
            || SUM(made) || ' made' AS problem
        FROM (
            SELECT p.kind, p.id AS cause_id, p.role, 1 AS due, 0 AS made
            FROM paid p JOIN drawing g ON g.version_id = p.campaign_version_id AND g.role = p.role
            UNION ALL
            SELECT cause_kind, cause_id, role, 0, 1 FROM draws WHERE brand_id = :brand
        ) AS entries
        GROUP BY kind, cause_id, role HAVING SUM(due) <> SUM(made)
        """,
    ),
    Probe(
        6,
        "a draw is of its event's member, claim, version and moment",
        "抽奖与其事件的会员、领取键、版本、时间一致",
        "draws",
        f"""
        WITH {_PAID}, {MERGED}
        SELECT CAST(d.id AS text) AS id, 'drawn for another member, claim, version or moment'
            AS problem
        FROM draws d
        JOIN paid p ON p.kind = d.cause_kind AND p.id = d.cause_id AND p.role = d.role
        JOIN campaign_versions v ON v.brand_id = d.brand_id AND v.id = d.campaign_version_id
        LEFT JOIN merged m ON m.id = d.member_id
        LEFT JOIN merged n ON n.id = p.member_id
        WHERE d.brand_id = :brand AND (
            COALESCE(m.into_id, d.member_id) <> COALESCE(n.into_id, p.member_id)
            OR d.campaign_version_id <> p.campaign_version_id
            OR d.campaign_id <> v.campaign_id OR d.occurred_at <> p.at
            OR d.claim <> p.claim || d.role)
        """,
    ),
    Probe(
        6,
        "a draw is by a seed whose hash was known before",
        "抽奖所用种子的摘要事先公布",
        "draws",
        """
        SELECT CAST(d.id AS text) AS id, CASE WHEN s.seed_hash IS NULL THEN 'its day has no seed'
            WHEN s.seed_hash <> d.seed_hash THEN 'its day has another seed'
            ELSE 'its seed was made later' END AS problem
        FROM draws d LEFT JOIN draw_seeds s ON s.brand_id = d.brand_id
            AND s.campaign_id = d.campaign_id AND s.drawn_on = d.drawn_on
        WHERE d.brand_id = :brand AND (s.seed_hash IS NULL OR s.seed_hash <> d.seed_hash
            OR s.made_at > d.occurred_at)
        """,
    ),
    Probe(
        8,
        "a prize's counters say how many were given",
        "奖品计数与发放一致",
        "cap_counters WHERE subject_kind = 'PRIZE'",
        """
        SELECT CAST(campaign_id AS text) || ' ' || prize || ' ' || window_key AS id,
            'counted ' || SUM(used) || ', given ' || SUM(given) AS problem
        FROM (
            SELECT campaign_id, subject AS prize, window_key, used, 0 AS given FROM cap_counters
            WHERE brand_id = :brand AND subject_kind = 'PRIZE'
            UNION ALL
            SELECT campaign_id, given_prize, 'ALL', 0, 1 FROM draws
            WHERE brand_id = :brand AND given_prize IS NOT NULL
            UNION ALL
            SELECT campaign_id, given_prize, CAST(drawn_on AS text), 0, 1 FROM draws
            WHERE brand_id = :brand AND given_prize IS NOT NULL
        ) AS entries
        GROUP BY campaign_id, prize, window_key HAVING SUM(used) <> SUM(given)
        """,
    ),
    Probe(
        8,
        "each piece of a prize is given once, and there are no more than its stock and quota",
        "每份奖品只发一次且不超库存与日限",
        "draws",
        """
        WITH prize AS MATERIALIZED (SELECT version_id, prize, stock, quota FROM {draw_prizes})
        SELECT CAST(campaign_id AS text) || ' ' || given_prize || ' ' || CAST(ordinal AS text)
            AS id, 'given ' || COUNT(*) || ' times' AS problem
        FROM draws WHERE brand_id = :brand AND given_prize IS NOT NULL
        GROUP BY campaign_id, given_prize, ordinal HAVING COUNT(*) > 1
        UNION ALL
        SELECT CAST(campaign_id AS text) || ' ' || given_prize || ' ' || CAST(drawn_on AS text)
            || ' ' || CAST(day_ordinal AS text), 'given ' || COUNT(*) || ' times in a day'
        FROM draws WHERE brand_id = :brand AND given_prize IS NOT NULL
        GROUP BY campaign_id, given_prize, drawn_on, day_ordinal HAVING COUNT(*) > 1
        UNION ALL
        SELECT CAST(d.id AS text), CASE WHEN d.ordinal IS NULL OR d.day_ordinal IS NULL
            THEN 'a prize without an ordinal' WHEN p.prize IS NULL
            THEN 'a prize that its version does not have: ' || d.given_prize
            ELSE d.given_prize || ' number ' || d.ordinal || ', ' || d.day_ordinal
                || ' of the day: over its limit' END
        FROM draws d LEFT JOIN prize p
            ON p.version_id = d.campaign_version_id AND p.prize = d.given_prize
        WHERE d.brand_id = :brand AND d.given_prize IS NOT NULL
            AND (d.ordinal IS NULL OR d.day_ordinal IS NULL OR p.prize IS NULL
                OR d.ordinal > p.stock OR d.day_ordinal > p.quota)
        """,
    ),
    Probe(
        8,
        "what a stage has given is counted, and within its budget",
        "阶段发放与计数一致且不超阶段预算",
        "cap_counters WHERE subject_kind = 'STAGE'",
        """
        SELECT CAST(campaign_id AS text) || ' ' || subject AS id,
            'counted ' || SUM(used) || ' of ' || MAX(most) || ', given ' || SUM(given) AS problem
        FROM (
            SELECT campaign_id, subject, used, times_max AS most, 0 AS given FROM cap_counters
            WHERE brand_id = :brand AND subject_kind = 'STAGE' AND window_key = 'ALL'
            UNION ALL
            SELECT campaign_id, CAST(stage AS text) || ':' || asset, 0, 0, amount FROM draws
            WHERE brand_id = :brand AND amount IS NOT NULL
        ) AS entries
        GROUP BY campaign_id, subject HAVING SUM(used) <> SUM(given) OR SUM(given) > MAX(most)
        """,
    ),
    Probe(
        8,
        "a member's draws are numbered as they were counted",
        "会员抽奖序号与计数一致",
        "cap_counters WHERE subject_kind = 'DRAW'",
        """
        SELECT CAST(campaign_id AS text) || ' ' || subject AS id, 'counted ' || SUM(used)
            || ', numbered ' || COUNT(number) || ' up to ' || COALESCE(MAX(number), 0) AS problem
        FROM (
            SELECT campaign_id, subject, used, NULL AS number FROM cap_counters
            WHERE brand_id = :brand AND subject_kind = 'DRAW'
            UNION ALL
            SELECT campaign_id, replace(CAST(member_id AS text), '-', ''), 0, member_draw_no
            FROM draws WHERE brand_id = :brand AND member_draw_no IS NOT NULL
        ) AS entries
        GROUP BY campaign_id, subject HAVING SUM(used) <> COUNT(number)
            OR SUM(used) <> COALESCE(MAX(number), 0) OR COUNT(DISTINCT number) <> COUNT(number)
        """,
    ),
)
