"""The SQL of what members held before, and of what took it from them at night."""

from loyalty.db import Statement

# What members held, and what growth they had, before an instant: the last move before it, and
# what was booked since taken off again.
FIND_HELD_BEFORE = Statement(
    """
    SELECT keys.member_id, COALESCE((
            SELECT c.to_rank FROM standing_changes c
            WHERE c.brand_id = keys.brand_id AND c.member_id = keys.member_id
                AND c.occurred_at < :before
            ORDER BY c.occurred_at DESC, c.id DESC LIMIT 1), 0),
        CAST(COALESCE((
            SELECT a.credits_posted - a.debits_posted
                - COALESCE((SELECT SUM(t.amount) FROM transfers t
                    WHERE t.brand_id = a.brand_id AND t.credit_account_id = a.id
                        AND t.phase IN ('POSTED', 'POST') AND t.created_at >= :before), 0)
                + COALESCE((SELECT SUM(t.amount) FROM transfers t
                    WHERE t.brand_id = a.brand_id AND t.debit_account_id = a.id
                        AND t.phase IN ('POSTED', 'POST') AND t.created_at >= :before), 0)
            FROM accounts a
            WHERE a.brand_id = keys.brand_id AND a.owner_id = keys.member_id
                AND a.asset = 'GROWTH' AND a.kind = 'MAIN'), 0) AS bigint)
    FROM {keys}
    """,
    params="before timestamptz",
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="member_id uuid, rank bigint, growth bigint",
)

# Growth that shrinks without an event behind it has expired: the newest transfer that says so.
FIND_EXPIRED = Statement(
    """
    SELECT keys.member_id, t.id, t.cause_kind, t.cause_id FROM {keys}
    {each:a accounts ON a.brand_id = keys.brand_id AND a.owner_id = keys.member_id
        AND a.asset = 'GROWTH' AND a.kind = 'MAIN'}
    {each:t transfers ON t.brand_id = a.brand_id AND t.id = (
        SELECT e.id FROM transfers e WHERE e.brand_id = a.brand_id AND e.debit_account_id = a.id
            AND e.kind = 'EXPIRE' ORDER BY e.id DESC LIMIT 1)}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="member_id uuid, transfer_id uuid, cause_kind text, cause_id uuid",
)
