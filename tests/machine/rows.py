"""What the engine's rows say, by name: of a whole brand after a step, and of single transfers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from loyalty.db import Database, Statement

Names = Mapping[UUID, str]
Credited = tuple[str, str, str, str]
"""What a transfer is known by: the member, the asset, what caused it, what had granted it."""
Spent = tuple[int, date]
"""The so-manieth spending, and the lot that it was paid from."""

_MEMBERS = Statement(
    """
    SELECT m.id, m.identity_id, m.role, m.status, m.invited_by_id, s.rank, m.merged_into_id
    FROM members m
    LEFT JOIN standings s ON s.brand_id = m.brand_id AND s.member_id = m.id
    WHERE m.brand_id = :brand
    """,
    params="brand uuid",
    returns="id uuid, identity_id uuid, role text, status text, invited_by_id uuid, rank bigint,"
    " merged_into_id uuid",
)
_ACCOUNTS = Statement(
    """
    SELECT owner_id, asset, kind, credits_posted - debits_posted, credits_pending FROM accounts
    WHERE brand_id = :brand AND kind IN ('MAIN', 'RECEIVABLE')
    """,
    params="brand uuid",
    returns="owner_id uuid, asset text, kind text, balance bigint, locked bigint",
)
_LOTS = Statement(
    """
    SELECT a.owner_id, a.asset, l.expires_on, l.locked, l.remaining FROM accounts a
    JOIN lots l ON l.brand_id = a.brand_id AND l.account_id = a.id
    WHERE a.brand_id = :brand AND l.remaining <> 0
    """,
    params="brand uuid",
    returns="owner_id uuid, asset text, expires_on date, locked boolean, remaining bigint",
)


def _of_campaigns(table: str, returns: str) -> Statement:
    """What a table has of each of a brand's campaigns, after the campaign's code."""
    columns = ", ".join(f"t.{column.split()[0]}" for column in returns.split(", "))
    return Statement(
        f"""
        SELECT c.code, {columns} FROM campaigns c
        JOIN {table} t ON t.brand_id = c.brand_id AND t.campaign_id = c.id
        WHERE c.brand_id = :brand
        """,
        params="brand uuid",
        returns=f"code text, {returns}",
    )


_BUDGETS = _of_campaigns(
    "campaign_budgets", "asset text, allowed bigint, spent bigint, reserved bigint"
)
_COUNTERS = _of_campaigns(
    "cap_counters", "subject_kind text, subject text, window_key text, used bigint"
)
_CREDITS = Statement(
    """
    SELECT t.id, a.owner_id, t.asset, t.cause_id, COALESCE(p.cause_id, t.cause_id)
    FROM transfers t JOIN accounts a ON a.brand_id = t.brand_id AND a.id = t.credit_account_id
    LEFT JOIN transfers p ON p.brand_id = t.brand_id AND p.id = t.pending_id
    WHERE t.brand_id = :brand AND t.kind = 'EARN' AND t.phase IN ('POSTED', 'POST')
    """,
    params="brand uuid",
    returns="id uuid, owner_id uuid, asset text, cause_id uuid, granted_by_id uuid",
)
_LOCKED = Statement(
    """
    SELECT id, member_id, asset, amount, cause_id, unlock_key, unlock_count, lapses_at
    FROM locked_rewards WHERE brand_id = :brand AND status = 'LOCKED'
    """,
    params="brand uuid",
    returns="id uuid, member_id uuid, asset text, amount bigint, cause_id uuid, key text,"
    " count bigint, lapses_at timestamptz",
)
_SPENDS = Statement(
    """
    SELECT t.id, t.cause_id, t.debit_expires_on FROM transfers t
    WHERE t.brand_id = :brand AND t.kind = 'SPEND'
    """,
    params="brand uuid",
    returns="id uuid, cause_id uuid, expires_on date",
)


async def read_state(
    db: Database, brand_id: UUID, people: Names, devices: Mapping[str, str]
) -> tuple[dict[UUID, str], dict[str, dict[Any, Any]]]:
    """The names of members, and everything that is compared."""
    members = await db.read(_MEMBERS, brand=brand_id)
    names = {row[0]: f"{people[row[1]]} {row[2]}" for row in members}
    found: dict[str, dict[Any, Any]] = {
        "members": {
            names[row[0]]: (row[3] == "FROZEN", row[5] or 0, names.get(row[4]), names.get(row[6]))
            for row in members
        },
        "balances": {},
        "debts": {},
        "lots": {},
        "locked": {},
    }
    for owner_id, asset, kind, balance, locked in await db.read(_ACCOUNTS, brand=brand_id):
        if kind == "MAIN" and (balance, locked) != (0, 0):
            found["balances"].setdefault(names[owner_id], {})[asset] = (balance, locked)
        if kind == "RECEIVABLE" and (balance, locked) != (0, 0):
            found["debts"].setdefault(names[owner_id], {})[asset] = -balance
    for owner_id, asset, expires_on, locked, remaining in await db.read(_LOTS, brand=brand_id):
        if locked:
            found["locked"].setdefault(names[owner_id], {})[asset] = remaining
        else:
            found["lots"].setdefault(names[owner_id], {})[asset, expires_on] = remaining
    found["waiting"] = dict(
        Counter(
            (names[row[1]], row[2], row[3], "scan" if row[5] == "NEXT_SCAN" else "item", *row[6:])
            for row in await db.read(_LOCKED, brand=brand_id)
        )
    )
    rows = await db.read(_BUDGETS, brand=brand_id)
    found["budgets"] = {(row[0], row[1]): tuple(row[2:]) for row in rows}
    found["counts"] = {
        (code, kind, devices[who] if kind == "DEVICE" else names[UUID(hex=who)], window): used
        for code, kind, who, window, used in await db.read(_COUNTERS, brand=brand_id)
    }
    return names, found


async def find_credits(
    db: Database, brand_id: UUID, names: Names, events: Names
) -> dict[Credited, UUID]:
    """The transfers that credited members."""
    return {
        (names[owner_id], asset, events[cause_id], events[granted_by_id]): id
        for id, owner_id, asset, cause_id, granted_by_id in await db.read(_CREDITS, brand=brand_id)
    }


async def find_locked(
    db: Database, brand_id: UUID, names: Names, events: Names
) -> dict[Credited, UUID]:
    """The transfers of what still waits."""
    return {
        (names[member_id], asset, events[cause_id], events[cause_id]): id
        for id, member_id, asset, _, cause_id, *_ in await db.read(_LOCKED, brand=brand_id)
    }


async def find_spends(db: Database, brand_id: UUID, commands: Sequence[UUID]) -> dict[Spent, UUID]:
    """The transfers of spending; ``commands`` are those that were spent by, in their order."""
    return {
        (commands.index(cause_id), expires_on): id
        for id, cause_id, expires_on in await db.read(_SPENDS, brand=brand_id)
    }
