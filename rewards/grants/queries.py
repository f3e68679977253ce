"""The SQL of locked rewards and of bonuses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Database, Snapshot, Statement, Tx, insert_statement
from loyalty.statements import columns_of, names_of
from rewards.campaigns.models import Campaign, UnlockKind
from rewards.grants.models import Bonus, LockedReward, LockStatus
from rewards.grants.world import LockedState, MemberState, Unlock

_REWARD = columns_of(LockedReward)
_REWARD_NAMES = names_of(_REWARD)
_OWNED = 9
"""Columns of ``FIND_BOXES`` before those of the reward: of the box, and of its owner."""
_NEWEST = UUID(int=2**128 - 1)
_STATE = """l.brand_id, l.id, l.member_id, l.campaign_id, l.asset, l.amount, l.cause_id,
    l.unlock_kind, l.unlock_key, l.unlock_count, l.unlocks_at, l.lapses_at, l.box_item_no,
    l.coupon_template_id, l.draw_id"""
_STATE_RETURNS = (
    "brand_id uuid, id uuid, member_id uuid, campaign_id uuid, asset text, amount bigint,"
    " cause_id uuid, unlock_kind text, unlock_key text, unlock_count bigint,"
    " unlocks_at timestamptz, lapses_at timestamptz, box_item_no bigint, coupon_template_id uuid,"
    " draw_id uuid"
)
_BOX = "p.first_box_item_no + (keys.item_no - p.first_item_no) / p.per_box"
_FIRST = "p.first_item_no + (keys.item_no - p.first_item_no) / p.per_box * p.per_box"

# Of each bottle whose box is known the box, and once for each reward that waits for it that reward
# and its owner. One statement: what was counted and what waits are of one moment, so that whoever
# counts meanwhile is found out by the row's count.
FIND_BOXES = Statement(
    f"""
    SELECT keys.brand_id, keys.item_no, {_BOX}, n.bottles,
        (SELECT COUNT(*) FROM claims c WHERE c.brand_id = p.brand_id
            AND c.item_no >= {_FIRST} AND c.item_no < {_FIRST} + p.per_box
            AND c.purpose = 'REWARD' AND c.beneficiary_role = 'CONSUMER'),
        m.id, m.identity_id, m.role, m.status, {_STATE}
    FROM {{keys}} {{each:p packings ON p.brand_id = keys.brand_id AND p.first_item_no = (
            SELECT MAX(q.first_item_no) FROM packings q
            WHERE q.brand_id = keys.brand_id AND q.first_item_no <= keys.item_no)
        AND p.last_item_no >= keys.item_no}}
    {{maybe:n box_counts ON n.brand_id = p.brand_id AND n.box_item_no = {_BOX}}}
    {{maybe:l locked_rewards ON l.brand_id = p.brand_id AND l.box_item_no = {_BOX}
        AND l.status = 'LOCKED'}}
    {{maybe:m members ON m.brand_id = l.brand_id AND m.id = l.member_id}}
    ORDER BY keys.brand_id, keys.item_no, l.id
    """,
    sets={"keys": "brand_id uuid, item_no bigint"},
    returns="brand_id uuid, item_no bigint, box_item_no bigint, counted bigint, bottles bigint,"
    f" owner_id uuid, identity_id uuid, role text, status text, {_STATE_RETURNS}",
)

PUT_BOX_COUNTS = Statement(
    """
    INSERT INTO box_counts (brand_id, box_item_no, bottles)
    SELECT brand_id, box_item_no, bottles FROM {rows} WHERE true
    ON CONFLICT (brand_id, box_item_no) DO UPDATE SET bottles = excluded.bottles
        WHERE (box_counts.brand_id, box_counts.box_item_no, box_counts.bottles) IN (
            SELECT brand_id, box_item_no, counted_read FROM {read})
    RETURNING box_item_no
    """,
    sets={
        "rows": "brand_id uuid, box_item_no bigint, bottles bigint",
        "read": "brand_id uuid, box_item_no bigint, counted_read bigint",
    },
    returns="box_item_no bigint",
)

FIND_LOCKED_BY_ITEM = Statement(
    f"""
    SELECT {_STATE} FROM {{keys}} {{each:l locked_rewards ON l.brand_id = keys.brand_id
        AND l.unlock_key = keys.unlock_key AND l.status = 'LOCKED'
        AND l.unlock_kind IN ('ITEM', 'TAKEN')}}
    ORDER BY l.brand_id, l.id
    """,
    sets={"keys": "brand_id uuid, unlock_key text"},
    returns=_STATE_RETURNS,
)

# What guides have that waits until consumers have taken what they got, and what of that still
# waits: each of the guides' rewards, once for each of the consumer's of that scan, if one of the
# members named has a reward of that scan that may end now.
FIND_AWAITED = Statement(
    f"""
    SELECT DISTINCT m.id, m.identity_id, m.role, m.status, c.cause_id, c.id, c.status, {_STATE}
    FROM {{keys}} {{each:w locked_rewards ON w.brand_id = keys.brand_id
        AND w.member_id = keys.member_id AND w.status = 'LOCKED' AND w.unlock_kind <> 'TAKEN'}}
    {{each:s scan_events ON s.brand_id = w.brand_id AND s.id = w.cause_id}}
    {{each:l locked_rewards ON l.brand_id = s.brand_id AND l.status = 'LOCKED'
        AND l.unlock_key = 'item:' || CAST(s.item_no AS text) || ':consumer'
        AND l.unlock_kind IN ('ITEM', 'TAKEN')}}
    {{each:m members ON m.brand_id = l.brand_id AND m.id = l.member_id}}
    {{each:c locked_rewards ON c.brand_id = s.brand_id AND c.cause_id = s.id}}
    {{each:b members ON b.brand_id = c.brand_id AND b.id = c.member_id AND b.role = 'CONSUMER'}}
    WHERE l.unlock_kind = 'TAKEN' AND s.role = 'CONSUMER'
    ORDER BY l.brand_id, l.id, c.id
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="guide_id uuid, identity_id uuid, role text, status text, awaited_id uuid,"
    f" reward_id uuid, reward_status text, {_STATE_RETURNS.replace('cause_id', 'granted_by_id')}",
)

FIND_WAITING = Statement(
    f"""
    SELECT {_STATE} FROM {{keys}} {{each:l locked_rewards ON l.brand_id = keys.brand_id
        AND l.member_id = keys.member_id AND l.unlock_key = keys.unlock_key
        AND l.status = 'LOCKED'}}
    ORDER BY l.brand_id, l.id
    """,
    sets={"keys": "brand_id uuid, member_id uuid, unlock_key text"},
    returns=_STATE_RETURNS,
)

FIND_LOCKED = Statement(
    f"""
    SELECT {_STATE} FROM {{keys}} {{each:l locked_rewards ON l.brand_id = keys.brand_id
        AND l.id = keys.id AND l.status = 'LOCKED'}}
    ORDER BY l.brand_id, l.id
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns=_STATE_RETURNS,
)

FIND_LOCKED_BY_CAUSE = Statement(
    f"""
    SELECT {_STATE} FROM {{keys}} {{each:l locked_rewards ON l.brand_id = keys.brand_id
        AND l.cause_id = keys.cause_id AND l.status = 'LOCKED'}}
    ORDER BY l.brand_id, l.id
    """,
    sets={"keys": "brand_id uuid, cause_id uuid"},
    returns=_STATE_RETURNS,
)

# Those whose time has come, and those whose time is over, the longest ago first. The conditions
# are the indexes' own.
FIND_UNLOCKING = Statement(
    """
    SELECT l.brand_id, l.id, l.member_id, l.unlocks_at FROM locked_rewards l
    WHERE l.status = 'LOCKED' AND l.unlocks_at IS NOT NULL AND l.unlocks_at <= :now
    ORDER BY l.unlocks_at LIMIT :row_count_max
    """,
    params="now timestamptz, row_count_max bigint",
    returns="brand_id uuid, id uuid, member_id uuid, due_at timestamptz",
)

FIND_LAPSING = Statement(
    """
    SELECT l.brand_id, l.id, l.member_id, l.lapses_at FROM locked_rewards l
    WHERE l.status = 'LOCKED' AND l.lapses_at IS NOT NULL AND l.lapses_at <= :now
    ORDER BY l.lapses_at LIMIT :row_count_max
    """,
    params="now timestamptz, row_count_max bigint",
    returns="brand_id uuid, id uuid, member_id uuid, due_at timestamptz",
)

# Newest first, a page of each member. One that waited for too long has lapsed, swept or not.
READ_LOCKED_REWARDS = Statement(
    f"""
    SELECT {", ".join(names_of(_REWARD, "r"))}
    FROM (
        SELECT l.*, row_number() OVER (PARTITION BY l.member_id ORDER BY l.id DESC) AS turn
        FROM {{members}} {{each:l locked_rewards ON l.brand_id = members.brand_id
            AND l.member_id = members.member_id AND l.id < :before}}
        WHERE CASE :status WHEN '' THEN true
            WHEN 'LOCKED' THEN l.status = 'LOCKED' AND (l.lapses_at IS NULL OR l.lapses_at > :now)
            WHEN 'LAPSED' THEN l.status = 'LAPSED' OR l.status = 'LOCKED' AND l.lapses_at <= :now
            ELSE l.status = :status END
    ) AS r
    WHERE r.turn <= :row_count_max ORDER BY r.id DESC
    """,
    sets={"members": "brand_id uuid, member_id uuid"},
    params="before uuid, status text, now timestamptz, row_count_max bigint",
    returns=_REWARD,
)

INSERT_LOCKED = insert_statement(LockedReward, _REWARD)

_BONUS = (
    "brand_id uuid, cause_id uuid, bonus_group text, cause_kind text, campaign_id uuid,"
    " campaign_version_id uuid, guide_member_id uuid, unpaid_reason text, rewards jsonb,"
    " created_at timestamptz"
)
INSERT_BONUSES = insert_statement(Bonus, _BONUS)

RESOLVE_LOCKED = Statement(
    """
    UPDATE locked_rewards SET status = resolved.status, unlock_count = resolved.unlock_count,
        resolved_by_id = resolved.resolved_by_id, resolved_at = :now
    FROM {resolved} WHERE locked_rewards.brand_id = resolved.brand_id
        AND locked_rewards.id = resolved.id AND locked_rewards.status = 'LOCKED'
    RETURNING locked_rewards.id
    """,
    sets={
        "resolved": "brand_id uuid, id uuid, status text, unlock_count bigint, resolved_by_id uuid"
    },
    params="now timestamptz",
    returns="id uuid",
)

COUNT_LOCKED = Statement(
    """
    UPDATE locked_rewards SET unlock_count = counted.unlock_count
    FROM {counted} WHERE locked_rewards.brand_id = counted.brand_id
        AND locked_rewards.id = counted.id AND locked_rewards.status = 'LOCKED'
        AND locked_rewards.unlock_count = counted.count_read
    RETURNING locked_rewards.id
    """,
    sets={"counted": "brand_id uuid, id uuid, unlock_count bigint, count_read bigint"},
    returns="id uuid",
)


async def list_locked_by_item(tx: Tx, keys: Sequence[tuple[UUID, str]]) -> list[LockedState]:
    return await _list(tx, FIND_LOCKED_BY_ITEM, keys)


async def list_waiting(tx: Tx, keys: Sequence[tuple[UUID, UUID, str]]) -> list[LockedState]:
    return await _list(tx, FIND_WAITING, keys)


async def list_locked_by_cause(tx: Tx, keys: Sequence[tuple[UUID, UUID]]) -> list[LockedState]:
    return await _list(tx, FIND_LOCKED_BY_CAUSE, keys)


async def list_boxes(tx: Tx, items: Sequence[tuple[UUID, int]]) -> list[Sequence[Any]]:
    """As ``FIND_BOXES`` says: (brand_id, item_no, box_item_no, counted or None, bottles, owner's
    id, identity, role and status, and its reward) of (brand_id, item_no) bottles, in their order.
    Without a reward that waits there is no owner, and None is told of it."""
    return [
        (*row[:_OWNED], None if row[5] is None else _state(row[_OWNED:]))
        for row in await tx.fetch(FIND_BOXES, keys=items)
    ]


async def list_awaited(
    tx: Tx, members: Sequence[tuple[UUID, UUID]]
) -> list[tuple[MemberState, UUID, UUID, LockStatus, LockedState]]:
    """As ``FIND_AWAITED`` says, of (brand_id, member_id) members: the guide, the consumer's scan,
    one of its rewards and that one's status, and what the guide has waiting."""
    found = []
    for row in await tx.fetch(FIND_AWAITED, keys=members):
        guide_id, identity_id, role, status, awaited_id, reward_id, reward_status = row[:7]
        state = _state(row[7:])
        guide = MemberState(state.brand_id, guide_id, identity_id, role, status)
        found.append((guide, awaited_id, reward_id, LockStatus(reward_status), state))
    return found


async def list_locked(tx: Tx, keys: Sequence[tuple[UUID, UUID]]) -> list[LockedState]:
    return await _list(tx, FIND_LOCKED, keys)


async def read_locked_rewards(
    db: Database,
    brand_id: UUID,
    member_ids: Sequence[UUID],
    *,
    status: LockStatus | None,
    now: datetime,
    before: UUID | None,
    limit: int,
) -> list[LockedReward]:
    """Up to ``limit`` locked rewards of each of some members, newest first, older than the id
    ``before``; only those that are shown in a status (``rules.shown_status``) if one is named."""
    rows = await db.read(
        READ_LOCKED_REWARDS,
        members=[(brand_id, member_id) for member_id in member_ids],
        before=before or _NEWEST,
        status="" if status is None else status.value,
        now=now,
        row_count_max=limit,
    )
    return [LockedReward(**dict(zip(_REWARD_NAMES, row, strict=True))) for row in rows]


async def list_granted(
    snapshot: Snapshot, brand_id: UUID, cause_ids: Collection[UUID]
) -> list[LockedReward]:
    found = await snapshot.session.exec(
        select(LockedReward)
        .where(
            col(LockedReward.brand_id) == brand_id,
            col(LockedReward.cause_id).in_(sorted(cause_ids)),
        )
        .order_by(col(LockedReward.id))
    )
    return list(found)


async def list_bonuses(
    snapshot: Snapshot, brand_id: UUID, cause_ids: Collection[UUID]
) -> list[Bonus]:
    """Of scans, purchases or events: each one's by group."""
    found = await snapshot.session.exec(
        select(Bonus)
        .where(col(Bonus.brand_id) == brand_id, col(Bonus.cause_id).in_(sorted(cause_ids)))
        .order_by(col(Bonus.cause_id), col(Bonus.bonus_group))
    )
    return list(found)


@dataclass(frozen=True, slots=True)
class BonusView:
    """What became of a bonus campaign, and its code."""

    bonus: Bonus
    code: str


async def list_bonus_views(
    snapshot: Snapshot, brand_id: UUID, cause_ids: Collection[UUID]
) -> list[BonusView]:
    """Of scans, purchases or events: each one's by group."""
    found = await snapshot.session.exec(
        select(Bonus, Campaign.code)
        .join(
            Campaign,
            (col(Campaign.brand_id) == col(Bonus.brand_id))
            & (col(Campaign.id) == col(Bonus.campaign_id)),
        )
        .where(col(Bonus.brand_id) == brand_id, col(Bonus.cause_id).in_(sorted(cause_ids)))
        .order_by(col(Bonus.cause_id), col(Bonus.bonus_group))
    )
    return [BonusView(bonus, code) for bonus, code in found]


async def list_due(tx: Tx, now: datetime, limit: int) -> list[tuple[UUID, UUID, UUID, datetime]]:
    """(brand_id, id, member_id, due_at) of rewards, of any brand, that are to be unlocked by now,
    or else have lapsed. Not locked."""
    unlocking = await tx.fetch(FIND_UNLOCKING, now=now, row_count_max=limit)
    room = limit - len(unlocking)
    lapsing = await tx.fetch(FIND_LAPSING, now=now, row_count_max=room) if room else []
    return [(row[0], row[1], row[2], row[3]) for row in (*unlocking, *lapsing)]


async def _list(tx: Tx, statement: Statement, keys: Sequence[tuple[Any, ...]]) -> list[LockedState]:
    """What is still locked of what the keys name, oldest first; no statement without a key."""
    return [_state(row) for row in await tx.fetch(statement, keys=keys)] if keys else []


def _state(row: Sequence[Any]) -> LockedState:
    brand_id, id, member_id, campaign_id, asset, amount, cause_id = row[:7]
    kind, key, count, unlocks_at, lapses_at, box_item_no, template_id, draw_id = row[7:]
    unlock = Unlock(UnlockKind(kind), key, count, unlocks_at, lapses_at, box_item_no)
    earned = (campaign_id, asset, amount, cause_id)
    return LockedState(brand_id, id, member_id, *earned, unlock, count, count, template_id, draw_id)
