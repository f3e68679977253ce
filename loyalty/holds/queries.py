"""The SQL of holds. Each step is one guarded update: who moves the row has taken the step."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlmodel import col

from loyalty import keyed
from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.holds.models import Hold, HoldStatus
from loyalty.holds.rules import HeldPart, as_at
from loyalty.ledger.rules import AccountState
from loyalty.statements import columns_of, names_of

_COLUMNS = columns_of(Hold)
_NAMES = names_of(_COLUMNS)

INSERT_HOLDS = insert_statement(Hold, _COLUMNS)

END_HOLD = Statement(
    f"""
    UPDATE holds SET status = :status, captured = :captured, ended_at = :now
    WHERE brand_id = :brand_id AND id = :id AND status = 'HELD' AND held_until > :now
    RETURNING {", ".join(_NAMES)}
    """,
    params="status text, captured bigint, now timestamptz, brand_id uuid, id uuid",
    returns=_COLUMNS,
)

LIST_DUE = Statement(
    """
    SELECT brand_id, id, member_id FROM holds WHERE status = 'HELD' AND held_until <= :now
    ORDER BY held_until LIMIT :row_count_max
    """,
    params="now timestamptz, row_count_max bigint",
    returns="brand_id uuid, id uuid, member_id uuid",
)

LAPSE_HOLDS = Statement(
    f"""
    UPDATE holds SET status = 'LAPSED', ended_at = :now
    FROM {{due}} WHERE holds.brand_id = due.brand_id AND holds.id = due.id
        AND holds.status = 'HELD' AND holds.held_until <= :now
    RETURNING {", ".join(names_of(_COLUMNS, "holds"))}
    """,
    sets={"due": "brand_id uuid, id uuid"},
    params="now timestamptz",
    returns=_COLUMNS,
)

# Ids of transfers sort after the hold's that they were made for: few of an account's are looked at.
FIND_PARTS = Statement(
    """
    SELECT t.cause_id, t.id, t.debit_expires_on, t.amount
    FROM {held} {each:t transfers ON t.brand_id = held.brand_id
        AND t.debit_account_id = held.account_id AND t.kind <> 'EARN' AND t.id > held.hold_id
        AND t.cause_id = held.hold_id AND t.phase = 'PENDING'}
    {maybe:e transfers ON e.brand_id = t.brand_id AND e.pending_id = t.id}
    WHERE e.id IS NULL
    """,
    sets={"held": "brand_id uuid, account_id uuid, hold_id uuid"},
    returns="hold_id uuid, id uuid, expires_on date, amount bigint",
)


def _hold(row: Sequence[Any]) -> Hold:
    return Hold(**dict(zip(_NAMES, row, strict=True)))


async def add_hold(tx: Tx, hold: Hold) -> None:
    await tx.fetch(INSERT_HOLDS, rows=[tuple(getattr(hold, name) for name in _NAMES)])


async def end_hold(
    tx: Tx, brand_id: UUID, hold_id: UUID, status: HoldStatus, captured: int
) -> Hold | None:
    """HELD to its end before it lapses; None for anything else."""
    rows = await tx.fetch(
        END_HOLD,
        status=status.value,
        captured=captured,
        now=tx.now,
        brand_id=brand_id,
        id=hold_id,
    )
    return _hold(rows[0]) if rows else None


async def list_due(tx: Tx, limit: int) -> list[tuple[UUID, UUID, UUID]]:
    """(brand_id, id, member_id) of holds that are over and not tidied yet."""
    return [tuple(row) for row in await tx.fetch(LIST_DUE, now=tx.now, row_count_max=limit)]


async def lapse_holds(tx: Tx, keys: Iterable[tuple[UUID, UUID]]) -> list[Hold]:
    """Those of these (brand_id, id) that are over to LAPSED; who ended meanwhile is left out."""
    return [_hold(row) for row in await tx.fetch(LAPSE_HOLDS, due=sorted(keys), now=tx.now)]


async def find_parts(
    tx: Tx, held: Iterable[tuple[Hold, AccountState]]
) -> dict[UUID, list[HeldPart]]:
    """What holds still have pending of their members' accounts, by hold."""
    rows = [(hold.brand_id, account.id, hold.id) for hold, account in held]
    parts: dict[UUID, list[HeldPart]] = {}
    for hold_id, *part in await tx.fetch(FIND_PARTS, held=sorted(rows)):
        parts.setdefault(hold_id, []).append(HeldPart(*part))
    return parts


async def list_holds(
    snapshot: Snapshot, brand_id: UUID, member_id: UUID, *, before: UUID | None, limit: int
) -> list[Hold]:
    """A member's holds as they are by now, newest first, older than the id ``before``."""
    of_member = col(Hold.member_id) == member_id
    rows = await keyed.list_newest(snapshot, Hold, brand_id, of_member, before=before, limit=limit)
    return [as_at(row, snapshot.now) for row in rows]


async def find_hold(snapshot: Snapshot, brand_id: UUID, hold_id: UUID) -> Hold | None:
    """A hold as it is by now."""
    hold = await keyed.find_row(snapshot, Hold, brand_id, hold_id)
    return None if hold is None else as_at(hold, snapshot.now)
