"""What must hold of purchases and what was given back of them: invariant 3."""

from loyalty.ledger.audit_probe import Probe

RETURNS = (
    Probe(
        3,
        "a purchase is the sum of its lines",
        "购买与其明细合计一致",
        "purchase_lines",
        """
        SELECT CAST(l.purchase_id AS text) AS id, 'lines come to ' || SUM(l.quantity) || ' for '
            || SUM(l.amount_fen) || ', the purchase says ' || COALESCE(MAX(p.quantity), 0)
            || ' for ' || COALESCE(MAX(p.amount_fen), 0) AS problem
        FROM purchase_lines l
        LEFT JOIN purchase_events p ON p.brand_id = l.brand_id AND p.id = l.purchase_id
        WHERE l.brand_id = :brand GROUP BY l.purchase_id
        HAVING COUNT(p.id) = 0 OR SUM(l.quantity) <> MAX(p.quantity)
            OR SUM(l.amount_fen) <> MAX(p.amount_fen)
        """,
    ),
    Probe(
        3,
        "what was returned of a purchase is the sum of its returns",
        "购买已退金额与退货单一致",
        "purchase_events",
        """
        SELECT CAST(id AS text) AS id, 'returned ' || SUM(said) || ' of ' || SUM(amount_fen)
            || ', its returns come to ' || SUM(given) || ' and leave ' || MIN(left_fen) AS problem
        FROM (
            SELECT id, returned_fen AS said, 0 AS given, amount_fen,
                amount_fen - returned_fen AS left_fen
            FROM purchase_events WHERE brand_id = :brand
            UNION ALL
            SELECT purchase_id, 0, amount_fen, 0, left_fen FROM purchase_returns
            WHERE brand_id = :brand
        ) AS entries
        GROUP BY id HAVING SUM(said) <> SUM(given) OR SUM(said) > SUM(amount_fen)
            OR MIN(left_fen) <> SUM(amount_fen) - SUM(said)
        """,
    ),
    Probe(
        3,
        "what was returned of a line is the sum of its returns",
        "购买明细已退数量与退货单一致",
        "purchase_lines",
        """
        SELECT CAST(purchase_id AS text) || ' ' || line_no AS id, 'returned ' || SUM(said_pieces)
            || ' for ' || SUM(said_fen) || ', its returns come to ' || SUM(pieces) || ' for '
            || SUM(fen) AS problem
        FROM (
            SELECT purchase_id, line_no, returned_quantity AS said_pieces, returned_fen AS said_fen,
                0 AS pieces, 0 AS fen, quantity, amount_fen
            FROM purchase_lines WHERE brand_id = :brand
            UNION ALL
            SELECT r.purchase_id, g.line_no, 0, 0, g.quantity, g.amount_fen, 0, 0
            FROM purchase_return_lines g
            JOIN purchase_returns r ON r.brand_id = g.brand_id AND r.id = g.return_id
            WHERE g.brand_id = :brand
        ) AS entries
        GROUP BY purchase_id, line_no
        HAVING SUM(said_pieces) <> SUM(pieces) OR SUM(said_fen) <> SUM(fen)
            OR SUM(pieces) > SUM(quantity) OR SUM(fen) > SUM(amount_fen)
        """,
    ),
    # What is locked anew is less by what was voided of it. What a merge of members locks anew once
    # more stands for what it has voided.
    Probe(
        3,
        "a return took what its transfers took",
        "退货扣回与流水一致",
        "purchase_returns",
        """
        SELECT CAST(return_id AS text) AS id, role || ' ' || asset || ': off by ' || SUM(taken)
            || ' taken, ' || SUM(owed) || ' owed and ' || SUM(voided) || ' voided' AS problem
        FROM (
            SELECT return_id, role, asset, taken, owed, voided FROM purchase_return_takings
            WHERE brand_id = :brand
            UNION ALL
            SELECT t.cause_id, m.role, t.asset,
                CASE WHEN t.kind = 'REVERSE' THEN -t.amount ELSE 0 END,
                CASE WHEN t.kind = 'OWE' THEN -t.amount ELSE 0 END,
                CASE WHEN t.kind <> 'EARN' THEN 0 WHEN t.phase = 'VOID' THEN -t.amount
                    ELSE t.amount END
            FROM transfers t
            JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
            JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
            LEFT JOIN withholdings w ON w.brand_id = t.brand_id AND w.id = t.reverses_id
            LEFT JOIN members m ON m.brand_id = t.brand_id
                AND m.id IN (d.owner_id, c.owner_id, w.member_id)
            LEFT JOIN transfers v ON v.brand_id = t.brand_id AND v.pending_id = t.id
                AND v.cause_kind = 'MERGE'
            WHERE t.brand_id = :brand AND t.cause_kind = 'PURCHASE_RETURN' AND v.id IS NULL
        ) AS entries
        GROUP BY return_id, role, asset
        HAVING SUM(taken) <> 0 OR SUM(owed) <> 0 OR SUM(voided) <> 0
        """,
    ),
)
