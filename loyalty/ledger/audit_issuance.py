"""What must hold of value issued and given back, and who may give it: invariant 3."""

from loyalty.ledger.audit_probe import Probe

_POSTED = "t.phase IN ('POSTED', 'POST')"

_HOLDERS = "('MAIN', 'PLACE')"
"""The kinds of accounts that hold what was issued."""

_LEGAL = (
    # kind, debited, credited, in one step, in two
    ("EARN", "ISSUANCE", "MAIN", True, True),
    ("MOVE", "MAIN", "MAIN", True, False),
    ("SPEND", "MAIN", "ISSUANCE", True, False),
    ("EXPIRE", "MAIN", "ISSUANCE", True, False),
    ("REBATE", "ISSUANCE", "PLACE", False, True),
    ("PAYOUT", "PLACE", "PAYOUT", False, True),
    ("REVERSE", "PLACE", "ISSUANCE", True, False),
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
            SELECT t.asset, CASE WHEN c.kind IN {_HOLDERS} THEN t.amount ELSE 0 END AS issued,
                CASE WHEN d.kind IN {_HOLDERS} AND t.kind NOT IN ('EXPIRE', 'REVERSE')
                    THEN t.amount ELSE 0 END AS spent,
                CASE WHEN d.kind IN {_HOLDERS} AND t.kind = 'EXPIRE' THEN t.amount ELSE 0 END
                    AS expired,
                CASE WHEN d.kind IN {_HOLDERS} AND t.kind = 'REVERSE' THEN t.amount ELSE 0 END
                    AS reversed,
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
            OR t.asset <> 'CASH' AND 'PLACE' IN (d.kind, c.kind))
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
            SELECT cause_id, -amount FROM transfers
            WHERE brand_id = :brand AND cause_kind = 'PURCHASE' AND kind = 'EARN'
                AND asset = 'POINTS' AND phase IN ('POSTED', 'POST')
        ) AS entries
        GROUP BY cause_id HAVING SUM(points) <> 0
        """,
    ),
)
