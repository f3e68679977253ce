"""What must hold of what brands owe each other: invariant 5."""

from loyalty.ledger.audit_probe import Probe

CLEARING = (
    Probe(
        5,
        "a position is its account, and the sum of its entries",
        "往来余额与账户、明细一致",
        "clearing_positions",
        """
        SELECT CAST(partner_id AS text) AS id, 'owed by its accounts ' || SUM(booked)
            || ', by its positions ' || SUM(owed) || ', by its entries ' || SUM(entered)
            || ', in ' || SUM(known) || ' positions' AS problem
        FROM (
            SELECT owner_id AS partner_id, credits_posted - debits_posted AS booked, 0 AS owed,
                0 AS entered, 0 AS known
            FROM accounts WHERE brand_id = :brand AND kind = 'PARTNER'
            UNION ALL
            SELECT partner_id, 0, owed_fen, 0, 1 FROM clearing_positions WHERE brand_id = :brand
            UNION ALL
            SELECT partner_id, 0, 0, owed_fen, 0 FROM clearing_entries WHERE brand_id = :brand
        ) AS entries
        GROUP BY partner_id
        HAVING SUM(booked) <> SUM(owed) OR SUM(entered) <> SUM(owed) OR SUM(known) <> 1
        """,
    ),
    Probe(
        5,
        "a clearing entry is one transfer to or from its partner's account",
        "往来明细与流水一致",
        "clearing_entries",
        """
        SELECT CAST(e.id AS text) AS id, e.kind || ' of ' || e.owed_fen || ', and '
            || COUNT(t.id) || ' transfers of ' || COALESCE(SUM(t.amount), 0) AS problem
        FROM clearing_entries e
        LEFT JOIN transfers t ON t.brand_id = e.brand_id AND t.cause_kind = 'CLEARING'
            AND t.cause_id = e.id
        LEFT JOIN accounts a ON a.brand_id = t.brand_id AND a.kind = 'PARTNER'
            AND a.owner_id = e.partner_id
            AND a.id = CASE WHEN e.owed_fen > 0 THEN t.credit_account_id
                ELSE t.debit_account_id END
        WHERE e.brand_id = :brand
        GROUP BY e.id, e.kind, e.owed_fen
        HAVING COUNT(t.id) <> 1 OR COUNT(a.id) <> 1 OR SUM(t.amount) <> abs(e.owed_fen)
        """,
    ),
    Probe(
        5,
        "a redemption under an agreement comes to what it says is owed",
        "联盟核销与往来明细一致",
        "redemptions",
        """
        SELECT CAST(id AS text) AS id, 'off by ' || SUM(owed) AS problem
        FROM (
            SELECT id, CASE WHEN status <> 'CAPTURED' THEN 0 ELSE partner_owes_fen
                - CASE WHEN issuer_id = brand_id THEN redeem_fee_fen ELSE -redeem_fee_fen END END
                AS owed
            FROM redemptions WHERE brand_id = :brand
            UNION ALL
            SELECT redemption_id, owed_fen FROM clearing_entries e
            WHERE brand_id = :brand AND EXISTS (SELECT 1 FROM redemptions r
                WHERE r.brand_id = e.brand_id AND r.id = e.redemption_id)
        ) AS entries
        GROUP BY id HAVING SUM(owed) <> 0
        """,
    ),
    Probe(
        5,
        "a statement goes on where the last one closed, and closes by its entries",
        "对账单期初承上期，期末等于期初加明细",
        "clearing_statements",
        """
        SELECT CAST(s.id AS text) AS id, 'opens at ' || s.opening_fen || ' after '
            || COALESCE(CAST(p.closing_fen AS text), 'nothing') || ', closes at ' || s.closing_fen
            || ', and its ' || COUNT(e.id) || ' entries come to ' || COALESCE(SUM(e.owed_fen), 0)
            AS problem
        FROM clearing_statements s
        LEFT JOIN clearing_statements p ON p.brand_id = s.brand_id
            AND p.partner_id = s.partner_id AND p.number = s.number - 1
        LEFT JOIN clearing_entries e ON e.brand_id = s.brand_id AND e.statement_id = s.id
            AND e.partner_id = s.partner_id
        WHERE s.brand_id = :brand
        GROUP BY s.id, s.number, s.opening_fen, s.closing_fen, s.entry_count, s.starts_at,
            p.closing_fen, p.ends_at
        HAVING s.opening_fen <> COALESCE(p.closing_fen, 0)
            OR s.closing_fen <> s.opening_fen + COALESCE(SUM(e.owed_fen), 0)
            OR s.entry_count <> COUNT(e.id) OR s.number > 1 AND p.closing_fen IS NULL
            OR s.starts_at <> p.ends_at
        """,
    ),
    Probe(
        5,
        "both brands have a statement alike, minus one another's",
        "双方对账单互为相反数",
        "clearing_statements",
        """
        SELECT CAST(s.id AS text) AS id, COUNT(*) || ' copies, which close at '
            || SUM(s.closing_fen) || ' together' AS problem
        FROM clearing_statements s
        LEFT JOIN clearing_statements o ON o.brand_id = s.partner_id AND o.id = s.id
            AND o.partner_id = s.brand_id
        GROUP BY s.id
        HAVING COUNT(*) <> 2 OR COUNT(o.id) <> 2 OR SUM(s.closing_fen) <> 0
            OR SUM(s.opening_fen) <> 0 OR COUNT(DISTINCT s.number) <> 1
            OR COUNT(DISTINCT s.entry_count) <> 1
            OR SUM(CASE WHEN s.confirmed_at IS NULL THEN 1 ELSE 0 END)
                <> SUM(CASE WHEN o.partner_confirmed_at IS NULL THEN 1 ELSE 0 END)
        """,
        per_brand=False,
    ),
    Probe(
        5,
        "what is owed is told by both brands, minus one another's",
        "双方往来互为相反数",
        "clearing_entries",
        """
        SELECT CAST(e.id AS text) AS id, CASE WHEN COUNT(*) = 1 THEN 'only one brand has it'
            ELSE 'the copies differ' END AS problem
        FROM clearing_entries e
        GROUP BY e.id
        HAVING COUNT(*) <> 2 OR SUM(e.owed_fen) <> 0 OR COUNT(DISTINCT e.kind) <> 1
            OR MIN(CAST(e.brand_id AS text)) <> MIN(CAST(e.partner_id AS text))
            OR MAX(CAST(e.brand_id AS text)) <> MAX(CAST(e.partner_id AS text))
            OR COUNT(DISTINCT e.statement_id) > 1
            OR COUNT(e.statement_id) NOT IN (0, 2)
            OR COUNT(DISTINCT e.created_at) <> 1
        UNION ALL
        SELECT CAST(p.brand_id AS text), 'owes ' || p.owed_fen || ', and its partner '
            || COALESCE(CAST(o.owed_fen AS text), 'has no position')
        FROM clearing_positions p LEFT JOIN clearing_positions o ON o.brand_id = p.partner_id
            AND o.partner_id = p.brand_id
        WHERE o.brand_id IS NULL OR o.owed_fen <> -p.owed_fen
        """,
        per_brand=False,
    ),
)
