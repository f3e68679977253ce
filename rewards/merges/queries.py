"""The SQL of merges: what else than value is one member's, told to be another's."""

from uuid import UUID

from loyalty.db import Statement, Tx
from loyalty.ledger.rules import Cause
from loyalty.statements import columns_of, names_of
from rewards.grants.models import LockedReward
from rewards.merges.rules import LockedAnew, WaitingCredit

FIND_WAITING = Statement(
    """
    SELECT l.id, l.campaign_id, l.asset, l.amount, t.cause_kind, t.cause_id, t.actor_kind,
        t.actor_id, t.reason, t.occurred_at
    FROM {members} {each:l locked_rewards ON l.brand_id = members.brand_id
        AND l.member_id = members.member_id AND l.status = 'LOCKED'}
    {each:t transfers ON t.brand_id = l.brand_id AND t.id = l.id}
    ORDER BY l.id
    """,
    sets={"members": "brand_id uuid, member_id uuid"},
    returns="id uuid, campaign_id uuid, asset text, amount bigint, cause_kind text, cause_id uuid,"
    " actor_kind text, actor_id uuid, reason text, occurred_at timestamptz",
)

_LOCKED = names_of(columns_of(LockedReward))
_CHANGED = {"id": "anew.new_id", "member_id": ":into_id", "created_at": ":now"}

LOCK_ANEW = Statement(
    f"""
    INSERT INTO locked_rewards ({", ".join(_LOCKED)})
    SELECT {", ".join(_CHANGED.get(name, f"l.{name}") for name in _LOCKED)}
    FROM {{anew}} {{each:l locked_rewards ON l.brand_id = anew.brand_id AND l.id = anew.id
        AND l.status = 'LOCKED'}}
    RETURNING id
    """,
    sets={"anew": "brand_id uuid, id uuid, new_id uuid"},
    params="into_id uuid, now timestamptz",
    returns="id uuid",
)

VOID_LOCKED = Statement(
    """
    UPDATE locked_rewards SET status = 'VOIDED', resolved_by_id = voided.by_id, resolved_at = :now
    FROM {voided} WHERE locked_rewards.brand_id = voided.brand_id
        AND locked_rewards.id = voided.id AND locked_rewards.status = 'LOCKED'
    RETURNING locked_rewards.id
    """,
    sets={"voided": "brand_id uuid, id uuid, by_id uuid"},
    params="now timestamptz",
    returns="id uuid",
)

MOVE_LOCKED_COUPONS = Statement(
    """
    UPDATE locked_rewards SET member_id = :into_id WHERE brand_id = :brand_id
        AND member_id = :from_id AND status = 'LOCKED' AND coupon_template_id IS NOT NULL
    RETURNING id
    """,
    params="into_id uuid, brand_id uuid, from_id uuid",
    returns="id uuid",
)

MOVE_COUPONS = Statement(
    """
    UPDATE coupons SET member_id = :into_id WHERE brand_id = :brand_id AND member_id = :from_id
    RETURNING id
    """,
    params="into_id uuid, brand_id uuid, from_id uuid",
    returns="id uuid",
)

_WAS = """
    was AS MATERIALIZED (
        SELECT m.id FROM members m WHERE m.brand_id = :brand_id AND m.id = :from_id
        UNION ALL
        SELECT m.id FROM members m WHERE m.brand_id = :brand_id AND m.merged_into_id = :from_id
    )
"""
"""A member and those who were merged into it: scans stay with whom they were made as."""

# Claims are not found by their members; the guide's scans lead to them.
MOVE_CLAIMS = Statement(
    f"""
    WITH {_WAS}, scanned AS MATERIALIZED (
        SELECT DISTINCT e.item_no FROM was CROSS JOIN scan_events e
        WHERE e.brand_id = :brand_id AND e.member_id = was.id AND e.role = 'GUIDE'
    )
    UPDATE claims SET member_id = :into_id
    WHERE brand_id = :brand_id AND item_no IN (SELECT item_no FROM scanned)
        AND purpose = 'REWARD' AND beneficiary_role = 'GUIDE' AND member_id = :from_id
        AND settled_scan_id IS NULL
    RETURNING item_no
    """,
    params="into_id uuid, brand_id uuid, from_id uuid",
    returns="item_no bigint",
)

# Each device that a member has scanned with is in a scan; by member alone devices are not found.
COPY_DEVICES = Statement(
    f"""
    WITH {_WAS}, seen AS MATERIALIZED (
        SELECT e.device_hash, MIN(e.occurred_at) AS first_seen_at
        FROM was CROSS JOIN scan_events e
        WHERE e.brand_id = :brand_id AND e.member_id = was.id AND e.device_hash IS NOT NULL
        GROUP BY e.device_hash
    )
    INSERT INTO member_devices (brand_id, device_hash, member_id, first_seen_at)
    SELECT :brand_id, device_hash, :into_id, first_seen_at FROM seen WHERE true
    ON CONFLICT DO NOTHING
    """,
    params="brand_id uuid, from_id uuid, into_id uuid",
)

# One that both have taken stays with each: what counts is when the other one took it.
MOVE_TAKINGS = Statement(
    """
    UPDATE task_takings SET member_id = :into_id
    WHERE brand_id = :brand_id AND member_id = :from_id AND NOT EXISTS (
        SELECT 1 FROM task_takings k WHERE k.brand_id = task_takings.brand_id
            AND k.member_id = :into_id AND k.task_id = task_takings.task_id)
    """,
    params="into_id uuid, brand_id uuid, from_id uuid",
)


COPY_SEGMENTS = Statement(
    """
    INSERT INTO segment_members (brand_id, segment_id, member_id, added_at)
    SELECT m.brand_id, m.segment_id, :into_id, m.added_at FROM segment_members m
    WHERE m.brand_id = :brand_id AND m.member_id = :from_id
    ON CONFLICT (brand_id, segment_id, member_id) DO NOTHING
    """,
    params="into_id uuid, brand_id uuid, from_id uuid",
)

CLEAR_SEGMENTS = Statement(
    "DELETE FROM segment_members WHERE brand_id = :brand_id AND member_id = :from_id",
    params="brand_id uuid, from_id uuid",
)


async def list_waiting(tx: Tx, brand_id: UUID, member_id: UUID) -> list[WaitingCredit]:
    """A member's locked rewards, oldest first; its accounts are locked."""
    rows = await tx.fetch(FIND_WAITING, members=[(brand_id, member_id)])
    return [
        WaitingCredit(id, campaign_id, asset, amount, Cause(*cause))
        for id, campaign_id, asset, amount, *cause in rows
    ]


async def lock_anew(tx: Tx, brand_id: UUID, into_id: UUID, anew: list[LockedAnew]) -> bool:
    """Write rewards that were locked anew for another member under the same conditions; False
    when one of them was no longer locked."""
    if not anew:
        return True
    again = sorted((brand_id, one.id, one.new_id) for one in anew)
    written = await tx.fetch(LOCK_ANEW, anew=again, into_id=into_id, now=tx.now)
    voided = sorted((brand_id, one.id, one.voided_by_id) for one in anew)
    ended = await tx.fetch(VOID_LOCKED, voided=voided, now=tx.now)
    return len(written) == len(ended) == len(anew)


async def move_possessions(tx: Tx, brand_id: UUID, from_id: UUID, into_id: UUID) -> int:
    """Give a member's coupons, also those that wait, claims that wait, devices, tasks and
    segments to another; how many coupons, without those that wait."""
    both = {"brand_id": brand_id, "from_id": from_id, "into_id": into_id}
    coupons = await tx.fetch(MOVE_COUPONS, **both)
    await tx.fetch(MOVE_LOCKED_COUPONS, **both)
    await tx.fetch(MOVE_CLAIMS, **both)
    await tx.fetch(COPY_DEVICES, **both)
    await tx.fetch(MOVE_TAKINGS, **both)
    await tx.fetch(COPY_SEGMENTS, **both)
    await tx.fetch(CLEAR_SEGMENTS, brand_id=brand_id, from_id=from_id)
    return len(coupons)
