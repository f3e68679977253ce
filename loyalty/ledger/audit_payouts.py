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
    # Which of two opposite reports came first is not told by their times: each has that of its
    # transaction's begin, and who began first may come to the payout last. The one that ended the
    # payout did so in its own transaction, at the same time to the microsecond.
    Probe(
        11,
        "a payout ends with a report of its provider that says so",
        "付款随渠道同时同果的回报终结",
        "payouts",
        """
        WITH told AS MATERIALIZED (
            SELECT r.payout_id, MIN(r.state) AS state, MAX(CASE WHEN r.state = p.status
                AND r.created_at = p.resolved_at THEN 1 ELSE 0 END) AS ended_it
            FROM payout_reports r
            JOIN payouts p ON p.brand_id = r.brand_id AND p.id = r.payout_id
            WHERE r.brand_id = :brand AND r.state IN ('PAID', 'FAILED')
            GROUP BY r.payout_id
        )
        SELECT CAST(p.id AS text) AS id, p.status || ', and its provider ' || CASE
            WHEN w.payout_id IS NULL THEN 'said neither PAID nor FAILED'
            WHEN p.status NOT IN ('PAID', 'FAILED') THEN 'said ' || w.state
            ELSE 'did not say so when it ended' END AS problem
        FROM payouts p LEFT JOIN told w ON w.payout_id = p.id
        WHERE p.brand_id = :brand AND (CASE WHEN p.status IN ('PAID', 'FAILED')
            THEN w.ended_it = 1 ELSE w.payout_id IS NULL END) IS NOT TRUE
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
