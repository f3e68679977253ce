"""What must hold of what operators do to balances by hand: holds and adjustments (invariants 3 and
4)."""

from loyalty.ledger.audit_probe import Probe

HOLDS = (
    Probe(
        3,
        "a hold's transfers are what it held and spent",
        "预占与流水一致",
        "holds",
        """
        SELECT CAST(hold_id AS text) AS id, asset || ' of ' || CAST(member_id AS text)
            || ': off by ' || SUM(held) || ' held, ' || SUM(spent)
            || ' spent and ' || SUM(kept) || ' still kept' AS problem
        FROM (
            SELECT id AS hold_id, member_id, asset, amount AS held, captured AS spent,
                CASE WHEN status = 'HELD' THEN amount ELSE 0 END AS kept
            FROM holds WHERE brand_id = :brand
            UNION ALL
            SELECT t.cause_id, d.owner_id, t.asset,
                CASE WHEN t.phase = 'PENDING' THEN -t.amount ELSE 0 END,
                CASE WHEN t.phase IN ('POST', 'POSTED') THEN -t.amount ELSE 0 END,
                CASE t.phase WHEN 'PENDING' THEN -t.amount WHEN 'POSTED' THEN 0 ELSE t.amount END
            FROM transfers t
            JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
            WHERE t.brand_id = :brand AND t.cause_kind = 'HOLD'
        ) AS entries
        GROUP BY hold_id, member_id, asset
        HAVING SUM(held) <> 0 OR SUM(spent) <> 0 OR SUM(kept) <> 0
        """,
    ),
    Probe(
        4,
        "a hold ends in its time, and lapses after it",
        "预占在期限内终结,逾期失效",
        "holds",
        """
        SELECT CAST(id AS text) AS id, status || ' at '
            || COALESCE(CAST(ended_at AS text), 'no time')
            || ', held until ' || CAST(held_until AS text) AS problem
        FROM holds WHERE brand_id = :brand AND (CASE status WHEN 'HELD' THEN ended_at IS NULL
            WHEN 'LAPSED' THEN ended_at >= held_until
            ELSE ended_at >= held_at AND ended_at < held_until END) IS NOT TRUE
        """,
    ),
    # What is given repays debts first: a transfer of its own, and no part of the adjustment.
    Probe(
        3,
        "an adjustment's transfers are what was decided",
        "调账与流水一致",
        "adjustments",
        """
        SELECT CAST(adjustment_id AS text) AS id, asset || ' of ' || CAST(member_id AS text)
            || ': off by ' || SUM(amount) AS problem
        FROM (
            SELECT id AS adjustment_id, member_id, asset,
                CASE WHEN status = 'APPLIED' THEN amount ELSE 0 END AS amount
            FROM adjustments WHERE brand_id = :brand
            UNION ALL
            SELECT t.cause_id, CASE d.kind WHEN 'MAIN' THEN d.owner_id ELSE c.owner_id END,
                t.asset, CASE d.kind WHEN 'MAIN' THEN t.amount ELSE -t.amount END
            FROM transfers t
            JOIN accounts d ON d.brand_id = t.brand_id AND d.id = t.debit_account_id
            JOIN accounts c ON c.brand_id = t.brand_id AND c.id = t.credit_account_id
            WHERE t.brand_id = :brand AND t.cause_kind = 'ADJUSTMENT' AND t.kind <> 'REPAY'
        ) AS entries
        GROUP BY adjustment_id, member_id, asset HAVING SUM(amount) <> 0
        """,
    ),
    Probe(
        4,
        "who proposed an adjustment did not decide on it",
        "调账提交人与审批人不同",
        "adjustments",
        """
        SELECT CAST(id AS text) AS id, CASE
            WHEN decided_by_id = proposed_by_id THEN 'decided by who proposed it'
            WHEN status = 'REJECTED' AND decided_by_id IS NULL THEN 'rejected by nobody'
            ELSE status || ' and ' || CASE WHEN decided_at IS NULL THEN 'not decided'
                ELSE 'decided' END END AS problem
        FROM adjustments WHERE brand_id = :brand AND (decided_by_id = proposed_by_id
            OR status = 'REJECTED' AND decided_by_id IS NULL
            OR (status = 'PROPOSED') <> (decided_at IS NULL))
        """,
    ),
)
