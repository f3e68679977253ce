"""What must hold of value issued and given back, and who may give it: invariant 3."""

from loyalty.ledger.audit_probe import Probe

_POSTED = "t.phase IN ('POSTED', 'POST')"

_HOLDERS = "('MAIN', 'RECEIVABLE', 'PLACE')"
"""The kinds of accounts that hold what was issued; what is owed counts against it."""

_LEGAL = (
    # kind, debited, credited, in one step, in two
    ("EARN", "ISSUANCE", "MAIN", True, True),
    ("ADJUST", "ISSUANCE", "MAIN", True, False),
    ("ADJUST", "MAIN", "REVERSED", True, False),
    ("MOVE", "MAIN", "MAIN", True, False),
    ("MOVE", "RECEIVABLE", "RECEIVABLE", True, False),
    ("SPEND", "MAIN", "SPENT", True, True),
    ("SPEND", "MAIN", "FEES", True, False),
    ("SPEND", "MAIN", "ISSUANCE", True, False),  # as it was before there was a book for it
    ("EXPIRE", "MAIN", "EXPIRED", True, False),
    ("REVERSE", "MAIN", "REVERSED", True, False),
    ("REVERSE", "SPENT", "MAIN", True, False),
    ("REVERSE", "FEES", "MAIN", True, False),
    ("WITHHOLD", "MAIN", "TAX", True, False),
    ("REVERSE", "TAX", "REVERSED", True, False),
    ("REVERSE", "ISSUANCE", "MAIN", True, False),  # of a spend of that time
    ("REVERSE", "REVERSED", "MAIN", True, False),
    ("REVERSE", "EXPIRED", "MAIN", True, False),
    ("REVERSE", "MAIN", "MAIN", True, False),  # of a move
    ("OWE", "RECEIVABLE", "REVERSED", True, False),
    ("REPAY", "MAIN", "RECEIVABLE", True, False),
    ("REBATE", "ISSUANCE", "PLACE", False, True),
    ("PAYOUT", "PLACE", "PAYOUT", False, True),
    ("REVERSE", "PLACE", "ISSUANCE", True, False),
    ("CLEAR", "CLEARING", "PARTNER", True, False),
    ("CLEAR", "PARTNER", "CLEARING", True, False),
)
"""Every movement there is; no other may occur."""

_WAYS = ", ".join(
    f"('{kind}', '{debit}', '{credit}', '{way}')"
    for kind, debit, credit, at_once, two_phase in _LEGAL
    for way, exists in (("at once", at_once), ("in two phases", two_phase))
    if exists
)

ISSUANCE = (
    Probe(
        3,
        "issued = spent + expired + reversed + outstanding",
        "发行=消费+过期+冲回+结余",
        "transfers",
        f"""
        SELECT asset AS id, 'issued ' || SUM(issued) || ', spent ' || SUM(spent) || ', expired '
            || SUM(expired) || ', reversed ' || SUM(reversed) || ', outstanding '
            || SUM(outstanding) AS problem
        FROM (
            SELECT t.asset, CASE WHEN c.kind IN {_HOLDERS} AND t.kind <> 'REVERSE'
                    THEN t.amount ELSE 0 END AS issued,
                CASE WHEN d.kind IN {_HOLDERS} AND t.kind IN ('SPEND', 'PAYOUT', 'WITHHOLD')
                    THEN t.amount
                    WHEN t.kind = 'REVERSE' AND d.kind IN ('SPENT', 'FEES', 'ISSUANCE')
                        THEN -t.amount ELSE 0 END AS spent,
                CASE WHEN d.kind IN {_HOLDERS} AND t.kind = 'EXPIRE' THEN t.amount
                    WHEN t.kind = 'REVERSE' AND d.kind = 'EXPIRED' THEN -t.amount ELSE 0 END
                    AS expired,
                CASE WHEN d.kind IN {_HOLDERS} AND t.kind IN ('REVERSE', 'OWE', 'ADJUST')
                    THEN t.amount
                    WHEN t.kind = 'REVERSE' AND d.kind = 'REVERSED' THEN -t.amount
                    ELSE 0 END AS reversed,
                0 AS outstanding
            FROM transfers t
            JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
            JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
            WHERE t.brand_id = :brand AND {_POSTED}
                AND (d.kind IN {_HOLDERS}) <> (c.kind IN {_HOLDERS})
            UNION ALL
            SELECT asset, 0, 0, 0, 0, credits_posted - debits_posted
            FROM accounts WHERE brand_id = :brand AND kind IN {_HOLDERS}
        ) AS entries
        GROUP BY asset
        HAVING SUM(issued) <> SUM(spent) + SUM(expired) + SUM(reversed) + SUM(outstanding)
        """,
    ),
    Probe(
        3,
        "a reversal takes back no more than there was",
        "冲回不超过原流水",
        "transfers WHERE reverses_id IS NOT NULL",
        """
        SELECT CAST(r.reverses_id AS text) AS id, CASE
            WHEN MAX(t.amount) IS NULL THEN 'what it takes back does not exist'
            ELSE SUM(r.taken) || ' taken back of ' || MAX(t.amount) || ', counted '
                || SUM(r.counted) END AS problem
        FROM (
            SELECT reverses_id, amount AS taken, 0 AS counted FROM transfers
            WHERE brand_id = :brand AND reverses_id IS NOT NULL AND phase = 'POSTED'
            UNION ALL
            SELECT transfer_id, 0, reversed FROM transfer_reversals WHERE brand_id = :brand
        ) AS r
        LEFT JOIN transfers t ON t.brand_id = :brand AND t.id = r.reverses_id
            AND t.phase IN ('POSTED', 'POST')
        GROUP BY r.reverses_id
        HAVING MAX(t.amount) IS NULL OR SUM(r.taken) > MAX(t.amount)
            OR SUM(r.taken) <> SUM(r.counted)
        """,
    ),
    Probe(
        3,
        "a movement is of a kind that its accounts may make",
        "流水类型与账户种类相符",
        "transfers",
        f"""
        SELECT CAST(t.id AS text) AS id, t.kind || ' from ' || d.kind || ' to ' || c.kind || ' as '
            || t.phase || ' of ' || t.asset AS problem
        FROM transfers t
        JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
        JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
        WHERE t.brand_id = :brand AND ((t.kind, d.kind, c.kind, CASE t.phase
                WHEN 'POSTED' THEN 'at once' ELSE 'in two phases' END) NOT IN (VALUES {_WAYS})
            OR t.asset <> 'CASH'
                AND ('PLACE' IN (d.kind, c.kind) OR 'PARTNER' IN (d.kind, c.kind)))
        """,
    ),
    Probe(
        3,
        "a purchase granted what its transfers gave",
        "购买发放积分与流水一致",
        "purchase_events",
        """
        SELECT CAST(cause_id AS text) AS id,
            'recorded points exceed booked ones by ' || SUM(points) AS problem
        FROM (
            SELECT id AS cause_id, points_granted AS points FROM purchase_events
            WHERE brand_id = :brand
            UNION ALL
            SELECT t.cause_id, -t.amount
            FROM transfers t
            JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
            LEFT JOIN purchase_shares h ON h.brand_id = t.brand_id AND h.purchase_id = t.cause_id
                AND h.member_id = c.owner_id
            WHERE t.brand_id = :brand AND t.cause_kind = 'PURCHASE' AND t.kind = 'EARN'
                AND t.asset = 'POINTS' AND t.phase IN ('POSTED', 'POST') AND h.role IS NULL
        ) AS entries
        GROUP BY cause_id HAVING SUM(points) <> 0
        """,
    ),
)
