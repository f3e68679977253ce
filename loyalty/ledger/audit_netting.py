"""What must hold of runs that net what several brands owe one another: invariant 5."""

from loyalty.ledger.audit_probe import Probe

NETTING = (
    Probe(
        5,
        "a netting run leaves each brand's net as it was",
        "轧差不改变各品牌净额",
        "netting_runs",
        """
        SELECT CAST(r.id AS text) AS id, 'net of ' || r.net_fen || ', owed '
            || COALESCE(SUM(l.owed_fen), 0) || ', pays ' || COALESCE(SUM(l.pays_fen), 0) AS problem
        FROM netting_runs r
        LEFT JOIN netting_legs l ON l.brand_id = r.brand_id AND l.run_id = r.id
        WHERE r.brand_id = :brand
        GROUP BY r.id, r.net_fen
        HAVING COALESCE(SUM(l.owed_fen), 0) <> r.net_fen
            OR COALESCE(SUM(l.pays_fen), 0) <> r.net_fen
        """,
    ),
    Probe(
        5,
        "netting entries are what their posted runs say",
        "轧差明细与已过账的轧差一致",
        "netting_legs",
        """
        SELECT CAST(run_id AS text) AS id, 'with ' || CAST(partner_id AS text) || ': '
            || SUM(entered) || ' posted, of ' || SUM(planned) AS problem
        FROM (
            SELECT l.run_id, l.partner_id, 0 AS entered,
                CASE WHEN r.status = 'POSTED' THEN l.pays_fen - l.owed_fen ELSE 0 END AS planned
            FROM netting_legs l
            JOIN netting_runs r ON r.brand_id = l.brand_id AND r.id = l.run_id
            WHERE l.brand_id = :brand
            UNION ALL
            SELECT netting_run_id, partner_id, owed_fen, 0 FROM clearing_entries
            WHERE brand_id = :brand AND netting_run_id IS NOT NULL
        ) AS legs
        GROUP BY run_id, partner_id HAVING SUM(entered) <> SUM(planned)
        """,
    ),
    Probe(
        5,
        "all brands have the same netting run, each its own part",
        "各品牌轧差副本一致",
        "netting_runs",
        """
        SELECT CAST(id AS text) AS id, COUNT(*) || ' copies, which differ' AS problem
        FROM netting_runs
        GROUP BY id
        HAVING COUNT(DISTINCT status) <> 1 OR COUNT(DISTINCT proposed_at) <> 1
            OR COUNT(DISTINCT COALESCE(CAST(decided_at AS text), '')) <> 1
            OR COUNT(DISTINCT COALESCE(reason, '')) <> 1 OR SUM(net_fen) <> 0
            OR SUM(CASE WHEN is_ours THEN 1 ELSE 0 END) <> 1
            OR MIN(status) = 'POSTED' AND COUNT(approved_at) <> COUNT(*)
            OR MIN(status) = 'PROPOSED' AND COUNT(approved_at) = COUNT(*)
        UNION ALL
        SELECT CAST(l.run_id AS text), CASE WHEN o.run_id IS NULL THEN 'a leg has no other side'
            ELSE 'a leg has two sides that differ' END
        FROM netting_legs l
        JOIN netting_runs r ON r.brand_id = l.brand_id AND r.id = l.run_id
        LEFT JOIN netting_legs o ON o.brand_id = l.partner_id AND o.run_id = l.run_id
            AND o.partner_id = l.brand_id
        WHERE o.run_id IS NULL OR o.owed_fen <> -l.owed_fen OR o.pays_fen <> -l.pays_fen
            OR l.is_open <> (r.status = 'PROPOSED' AND l.owed_fen <> 0)
        """,
        per_brand=False,
    ),
)
