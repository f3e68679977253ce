"""What must hold of what the law asks for: ages that were stated, tax withheld."""

from loyalty.ledger.audit_probe import Probe

LAWFUL = (
    Probe(
        6,
        "what is known of a person's age is what it stated",
        "年龄以本人确认为准",
        "age_statements",
        """
        SELECT CAST(i.id AS text) AS id, CASE
            WHEN i.born_by IS NULL THEN 'has stated an age, and none is known'
            ELSE 'is known to be born by ' || CAST(i.born_by AS text)
                || ', and stated nothing that says so' END AS problem
        FROM identities i
        WHERE i.brand_id = :brand AND (
            i.born_by IS NULL AND EXISTS (SELECT 1 FROM age_statements s
                WHERE s.brand_id = i.brand_id AND s.identity_id = i.id)
            OR i.born_by IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM age_statements s
                WHERE s.brand_id = i.brand_id AND s.born_by = i.born_by
                    AND (s.identity_id = i.id OR s.identity_id IN (SELECT j.id FROM identities j
                        WHERE j.brand_id = i.brand_id AND j.person_id = i.person_id))))
        """,
    ),
    Probe(
        3,
        "tax books have what was withheld, less what went back",
        "税款账户与代扣记录一致",
        "withholdings",
        """
        SELECT 'TAX' AS id, 'the book has ' || SUM(has) || ', withheld were ' || SUM(says)
            AS problem
        FROM (
            SELECT credits_posted - debits_posted AS has, 0 AS says FROM accounts
            WHERE brand_id = :brand AND kind = 'TAX'
            UNION ALL
            SELECT 0, tax_fen FROM withholdings WHERE brand_id = :brand
            UNION ALL
            SELECT 0, -t.amount FROM withholdings w JOIN transfers t ON t.brand_id = w.brand_id
                AND t.reverses_id = w.id AND t.kind = 'REVERSE'
            WHERE w.brand_id = :brand
        ) AS entries
        HAVING SUM(has) <> SUM(says)
        """,
    ),
    Probe(
        3,
        "a withholding is the tax of its prize",
        "代扣税额与奖金、税率一致",
        "withholdings",
        """
        SELECT CAST(w.id AS text) AS id, CASE
            WHEN t.id IS NULL OR t.kind <> 'WITHHOLD' OR t.amount <> w.tax_fen
                THEN 'no transfer kept it back'
            WHEN c.id IS NULL OR c.kind <> 'EARN' OR c.amount <> w.gross_fen
                OR c.cause_id <> t.cause_id THEN 'there was no such prize'
            ELSE w.tax_fen || ' of ' || w.gross_fen || ' at ' || w.rate_percent || ' % over '
                || w.threshold_fen END AS problem
        FROM withholdings w
        LEFT JOIN transfers t ON t.brand_id = w.brand_id AND t.id = w.id
        LEFT JOIN transfers c ON c.brand_id = w.brand_id AND c.id = w.credit_id
        WHERE w.brand_id = :brand AND (t.id IS NULL OR c.id IS NULL OR t.kind <> 'WITHHOLD'
            OR t.amount <> w.tax_fen OR c.kind <> 'EARN' OR c.amount <> w.gross_fen
            OR c.cause_id <> t.cause_id OR w.gross_fen <= w.threshold_fen
            OR w.tax_fen <> (w.gross_fen * w.rate_percent + 50) / 100)
        UNION ALL
        SELECT CAST(t.id AS text), 'kept back, and not on record'
        FROM transfers t LEFT JOIN withholdings w ON w.brand_id = t.brand_id AND w.id = t.id
        WHERE t.brand_id = :brand AND t.kind = 'WITHHOLD' AND w.id IS NULL
        """,
    ),
)
