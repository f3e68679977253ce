"""The SQL of locked rewards."""

from loyalty.db import Statement, insert_statement
from rewards.grants.models import LockedReward

FIND_LOCKED = Statement(
    """
    SELECT l.brand_id, l.id, l.member_id, l.campaign_id, l.asset, l.amount, l.unlock_key
    FROM {keys} {each:l locked_rewards ON l.brand_id = keys.brand_id
        AND l.unlock_key = keys.unlock_key AND l.status = 'LOCKED'}
    ORDER BY l.brand_id, l.id
    """,
    sets={"keys": "brand_id uuid, unlock_key text"},
    returns="brand_id uuid, id uuid, member_id uuid, campaign_id uuid, asset text, amount bigint,"
    " unlock_key text",
)

INSERT_LOCKED = insert_statement(
    LockedReward,
    "brand_id uuid, id uuid, member_id uuid, campaign_id uuid, asset text, amount bigint,"
    " unlock_key text, status text, resolved_by_id uuid, created_at timestamptz",
)

RESOLVE_LOCKED = Statement(
    """
    UPDATE locked_rewards SET status = resolved.status, resolved_by_id = resolved.resolved_by_id
    FROM {resolved} WHERE locked_rewards.brand_id = resolved.brand_id
        AND locked_rewards.id = resolved.id AND locked_rewards.status = 'LOCKED'
    RETURNING locked_rewards.id
    """,
    sets={"resolved": "brand_id uuid, id uuid, status text, resolved_by_id uuid"},
    returns="id uuid",
)
