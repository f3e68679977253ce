"""What must hold of draws, seen from the rows alone: invariants 6 and 8. That their numbers are
what anybody computes of them is asked by ``audit_draw_receipts.py``."""

from loyalty.ledger.audit_probe import Probe

DRAWS = (
    Probe(
        6,
        "a paid scan of a campaign with a draw draws once, and no other does",
        "有抽奖的有奖扫码恰抽一次",
        "draws",
        """
        WITH drawing AS MATERIALIZED (SELECT DISTINCT version_id FROM {draw_prizes})
        SELECT CAST(scan_id AS text) AS id, SUM(due) || ' draws due, ' || SUM(made) || ' made'
            AS problem
        FROM (
            SELECT id AS scan_id, 1 AS due, 0 AS made FROM scan_events
            WHERE brand_id = :brand AND unpaid_reason IS NULL AND role = 'CONSUMER'
                AND campaign_version_id IN (SELECT version_id FROM drawing)
            UNION ALL
            SELECT scan_id, 0, 1 FROM draws WHERE brand_id = :brand
        ) AS entries
        GROUP BY scan_id HAVING SUM(due) <> SUM(made)
        """,
    ),
    Probe(
        6,
        "a draw is of its scan's member, item, version and moment",
        "抽奖与其扫码的会员、物品、版本、时间一致",
        "draws",
        """
        SELECT CAST(d.id AS text) AS id, 'drawn for another member, item, version or moment'
            AS problem
        FROM draws d
        JOIN scan_events e ON e.brand_id = d.brand_id AND e.id = d.scan_id
        JOIN campaign_versions v ON v.brand_id = d.brand_id AND v.id = d.campaign_version_id
        WHERE d.brand_id = :brand AND (d.member_id <> e.member_id
            OR d.campaign_version_id <> e.campaign_version_id
            OR d.campaign_id <> v.campaign_id OR d.occurred_at <> e.occurred_at
            OR d.claim <> CAST(e.item_no AS text) || ':REWARD:CONSUMER')
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
