"""What must hold of facts and of those who deliver them: invariant 10."""

from loyalty.ledger.audit_probe import LOCAL_DAYS, ON_LOCAL_DAY, Probe

_LIVE_PAYOUT = "status IN ('CREATED', 'SENT', 'PROCESSING')"

DELIVERIES = (
    Probe(
        10,
        "an outbox row is delivered, pending or dead",
        "发件箱记录状态明确",
        "outbox_events",
        """
        SELECT CAST(id AS text) AS id, CASE
            WHEN delivered_at IS NOT NULL AND dead_at IS NOT NULL THEN 'both delivered and dead'
            WHEN attempts < 0 OR attempts = 0 AND (delivered_at IS NOT NULL
                OR dead_at IS NOT NULL) THEN 'ended after ' || attempts || ' attempts'
            WHEN delivered_at IS NOT NULL OR dead_at IS NOT NULL THEN 'ended and still leased'
            WHEN due_at IS NULL THEN 'waits for no time'
            WHEN dead_at IS NOT NULL THEN 'dead of no error'
            ELSE 'half a lease' END AS problem
        FROM outbox_events WHERE brand_id = :brand AND (
            delivered_at IS NOT NULL AND dead_at IS NOT NULL
            OR attempts < 0
            OR attempts = 0 AND (delivered_at IS NOT NULL OR dead_at IS NOT NULL)
            OR lease_token IS NOT NULL AND (delivered_at IS NOT NULL OR dead_at IS NOT NULL)
            OR due_at IS NULL AND delivered_at IS NULL AND dead_at IS NULL
            OR dead_at IS NOT NULL AND last_error IS NULL
            OR (lease_token IS NULL) <> (leased_until IS NULL))
        """,
    ),
    Probe(
        10,
        "a rollup counts no more than happened",
        "汇总不超过实际扫码",
        "scan_rollups",
        f"""
        WITH {LOCAL_DAYS}
        SELECT CAST(product_id AS text) || ' ' || CAST(scanned_on AS text) AS id,
            'rolled up ' || SUM(scans) || ' scans too many, ' || SUM(first_scans)
                || ' first, ' || SUM(paid_scans) || ' paid'
            AS problem
        FROM (
            SELECT product_id, scanned_on, scans, first_scans, paid_scans, 1 AS rolled
            FROM scan_rollups WHERE brand_id = :brand
            UNION ALL
            SELECT s.product_id, day.day_on, -1, CASE WHEN i.kind IS NULL THEN 0 ELSE -1 END,
                CASE WHEN s.unpaid_reason IS NULL THEN -1 ELSE 0 END, 0
            FROM scan_events s CROSS JOIN day
            LEFT JOIN item_codes i ON i.brand_id = s.brand_id AND i.item_no = s.item_no
                AND i.kind = s.code_kind AND i.first_scan_id = s.id
            WHERE s.brand_id = :brand AND {ON_LOCAL_DAY}
        ) AS entries
        GROUP BY product_id, scanned_on
        HAVING SUM(rolled) > 0
            AND (SUM(scans) > 0 OR SUM(first_scans) > 0 OR SUM(paid_scans) > 0)
        """,
    ),
    Probe(
        10,
        "periodic work is leased wholly or not at all",
        "定时任务租约完整",
        "periodic_jobs",
        """
        SELECT name AS id, 'half a lease' AS problem FROM periodic_jobs
        WHERE (lease_token IS NULL) <> (leased_until IS NULL)
        """,
        per_brand=False,
    ),
    Probe(
        10,
        "a capture has its fact, which waits until it is settled",
        "核销事件保留至结算",
        "redemptions WHERE captured_at IS NOT NULL",
        """
        WITH fact AS MATERIALIZED (
            SELECT subject_id, COUNT(*) AS n,
                SUM(CASE WHEN delivered_at IS NULL THEN 1 ELSE 0 END) AS open
            FROM outbox_events WHERE brand_id = :brand AND topic = 'redemption.captured'
            GROUP BY subject_id
        )
        SELECT CAST(r.id AS text) AS id, CASE WHEN f.n = 1
            THEN 'its fact was delivered and it is not settled'
            ELSE COALESCE(f.n, 0) || ' facts of its capture' END AS problem
        FROM redemptions r LEFT JOIN fact f ON f.subject_id = r.id
        WHERE r.brand_id = :brand AND r.status IN ('CAPTURED', 'REVERSED')
            AND (COALESCE(f.n, 0) <> 1
                OR r.status = 'CAPTURED' AND r.settled_at IS NULL AND f.open = 0)
        """,
    ),
    Probe(
        10,
        "a live payout has a fact that waits or is dead",
        "在途付款有待办或死信事件",
        f"payouts WHERE {_LIVE_PAYOUT}",
        f"""
        WITH fact AS MATERIALIZED (
            SELECT DISTINCT subject_id FROM outbox_events
            WHERE brand_id = :brand AND topic IN ('payout.requested', 'payout.ask')
                AND delivered_at IS NULL
        )
        SELECT CAST(p.id AS text) AS id, p.status || ' and nothing waits to go on with it'
            AS problem
        FROM payouts p LEFT JOIN fact f ON f.subject_id = p.id
        WHERE p.brand_id = :brand AND p.{_LIVE_PAYOUT} AND f.subject_id IS NULL
        """,
    ),
)
