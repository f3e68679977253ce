"""What must hold of money that leaves the house: invariant 11."""

from loyalty.ledger.audit_probe import Probe

_LIVE = "status IN ('CREATED', 'SENT', 'PROCESSING')"

PAYOUTS = (
    Probe(
        11,
        "a payout number is used once",
        "付款单号只用一次",
        "payouts",
        """
        SELECT number AS id, COUNT(*) || ' payouts' AS problem FROM payouts
        WHERE brand_id = :brand GROUP BY number HAVING COUNT(*) > 1
        """,
    ),
    Probe(
        11,
        "a place has one live payout at most",
        "网点至多一笔在途付款",
        f"payouts WHERE {_LIVE}",
        f"""
        SELECT CAST(place_id AS text) AS id, COUNT(*) || ' live payouts' AS problem FROM payouts
        WHERE brand_id = :brand AND {_LIVE} GROUP BY place_id HAVING COUNT(*) > 1
        """,
    ),
    # The text is what was sent, and not parsed here: one that is no JSON is an offender as well.
    Probe(
        11,
        "a payout's request names its number and amount",
        "付款请求写明单号与金额",
        "payouts",
        """
        SELECT CAST(id AS text) AS id, number || ' of ' || amount_fen || ' is not what '
            || request || ' asks for' AS problem
        FROM (
            SELECT id, number, amount_fen, request,
                replace(replace(request, ' ', ''), '}', ',') AS plain
            FROM payouts WHERE brand_id = :brand
        ) AS p
        WHERE plain NOT LIKE '%"number":"' || number || '",%'
            OR plain NOT LIKE '%"amount_fen":' || amount_fen || ',%'
        """,
    ),
    Probe(
        11,
        "a payout is its pending transfer, and ends with it",
        "付款与冻结流水一致并同时终结",
        "payouts",
        """
        SELECT CAST(p.id AS text) AS id, p.status || ' of ' || p.amount_fen || CASE
            WHEN t.id IS NULL THEN ', and its transfer does not exist'
            WHEN e.id IS NULL THEN ', and its transfer is pending, of ' || t.amount
            ELSE ', and its transfer of ' || t.amount || ' ended in a ' || e.phase END AS problem
        FROM payouts p
        LEFT JOIN transfers t ON t.brand_id = p.brand_id AND t.id = p.transfer_id
        LEFT JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
        LEFT JOIN transfers e ON e.brand_id = p.brand_id AND e.pending_id = p.transfer_id
        WHERE p.brand_id = :brand AND (t.phase = 'PENDING' AND t.kind = 'PAYOUT'
            AND t.cause_kind = 'PAYOUT' AND t.cause_id = p.id AND t.amount = p.amount_fen
            AND d.kind = 'PLACE' AND d.owner_id = p.place_id
            AND COALESCE(e.phase, 'PENDING') = CASE p.status WHEN 'PAID' THEN 'POST'
                WHEN 'FAILED' THEN 'VOID' ELSE 'PENDING' END) IS NOT TRUE
        UNION ALL
        SELECT CAST(t.id AS text), 'held for a payout that does not name it'
        FROM transfers t LEFT JOIN payouts p ON p.brand_id = t.brand_id AND p.id = t.cause_id
            AND p.transfer_id = t.id
        WHERE t.brand_id = :brand AND t.kind = 'PAYOUT' AND t.phase = 'PENDING' AND p.id IS NULL
        """,
    ),
    Probe(
        11,
        "a payout ends as its provider first reported",
        "付款结果以渠道首次终态回报为准",
        "payouts",
        """
        WITH told AS MATERIALIZED (
            SELECT payout_id, MIN(CASE WHEN state = 'PAID' THEN created_at END) AS paid_at,
                MIN(CASE WHEN state = 'FAILED' THEN created_at END) AS failed_at
            FROM payout_reports WHERE brand_id = :brand AND state IN ('PAID', 'FAILED')
            GROUP BY payout_id
        )
        SELECT CAST(p.id AS text) AS id, p.status || ', and the provider said ' || CASE
            WHEN w.failed_at < w.paid_at THEN 'FAILED, then PAID'
            WHEN w.paid_at < w.failed_at THEN 'PAID, then FAILED'
            WHEN w.paid_at IS NOT NULL THEN 'PAID' WHEN w.failed_at IS NOT NULL THEN 'FAILED'
            ELSE 'neither PAID nor FAILED' END AS problem
        FROM payouts p LEFT JOIN told w ON w.payout_id = p.id
        WHERE p.brand_id = :brand AND (CASE p.status
            WHEN 'PAID' THEN w.paid_at <= COALESCE(w.failed_at, w.paid_at)
            WHEN 'FAILED' THEN w.failed_at <= COALESCE(w.paid_at, w.failed_at)
            ELSE w.payout_id IS NULL END) IS NOT TRUE
        """,
    ),
    Probe(
        11,
        "a payout that was sent or ended says when",
        "付款发送与终结均有时间",
        "payouts",
        """
        SELECT CAST(id AS text) AS id, status || ', sent at ' || COALESCE(CAST(sent_at AS text),
            'no time') || ', ended at ' || COALESCE(CAST(resolved_at AS text), 'no time')
            AS problem
        FROM payouts WHERE brand_id = :brand AND (
            (status IN ('PAID', 'FAILED')) <> (resolved_at IS NOT NULL)
            OR (status = 'CREATED') <> (sent_at IS NULL)
            OR sent_at < created_at)
        """,
    ),
)
