"""The ledger's SQL. What is locked: member accounts, in the order of their owners."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, or_, select

from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.ledger.models import Account, Lot, Transfer
from loyalty.ledger.rules import AccountState, Movement

LOCK_ACCOUNTS = Statement(
    """
    SELECT a.brand_id, a.id, a.owner_id, a.asset, a.credits_posted - a.debits_posted,
        a.credits_pending
    FROM {owners} {locked:a accounts
        ON a.brand_id = owners.brand_id AND a.owner_id = owners.owner_id AND a.kind = 'MAIN'}
    """,
    sets={"owners": "brand_id uuid, owner_id uuid"},
    returns="brand_id uuid, id uuid, owner_id uuid, asset text, balance bigint, locked bigint",
)

FIND_ISSUANCE = Statement(
    """
    SELECT a.brand_id, a.id, a.owner_id, a.asset
    FROM {brands} {each:a accounts ON a.brand_id = brands.brand_id
        AND a.owner_id = brands.brand_id AND a.kind = 'ISSUANCE'}
    """,
    sets={"brands": "brand_id uuid"},
    returns="brand_id uuid, id uuid, owner_id uuid, asset text",
)

INSERT_ACCOUNTS = Statement(
    """
    INSERT INTO accounts (brand_id, id, owner_id, asset, kind, overdraft_allowed, credits_posted,
        debits_posted, credits_pending, debits_pending, created_at)
    SELECT brand_id, id, owner_id, asset, kind, overdraft_allowed, credits_posted, debits_posted,
        credits_pending, debits_pending, created_at FROM {rows} WHERE true
    ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, owner_id uuid, asset text, kind text,"
        " overdraft_allowed boolean, credits_posted bigint, debits_posted bigint,"
        " credits_pending bigint, debits_pending bigint, created_at timestamptz"
    },
    returns="id uuid",
)

MOVE_ACCOUNTS = Statement(
    """
    UPDATE accounts SET credits_posted = accounts.credits_posted + moved.credits_posted,
        debits_posted = accounts.debits_posted + moved.debits_posted,
        credits_pending = accounts.credits_pending + moved.credits_pending,
        debits_pending = accounts.debits_pending + moved.debits_pending
    FROM {moved} WHERE accounts.brand_id = moved.brand_id AND accounts.id = moved.id
        AND (accounts.overdraft_allowed OR accounts.credits_posted + moved.credits_posted
            >= accounts.debits_posted + moved.debits_posted
            + accounts.debits_pending + moved.debits_pending)
    RETURNING accounts.id
    """,
    sets={
        "moved": "brand_id uuid, id uuid, credits_posted bigint, debits_posted bigint,"
        " credits_pending bigint, debits_pending bigint"
    },
    returns="id uuid",
)

ADD_TO_LOTS = Statement(
    """
    INSERT INTO lots (brand_id, account_id, expires_on, locked, granted, remaining)
    SELECT brand_id, account_id, expires_on, locked, granted, remaining FROM {rows} WHERE true
    ON CONFLICT (brand_id, account_id, expires_on, locked) DO UPDATE SET
        granted = lots.granted + excluded.granted, remaining = lots.remaining + excluded.remaining
    """,
    sets={
        "rows": "brand_id uuid, account_id uuid, expires_on date, locked boolean, granted bigint,"
        " remaining bigint"
    },
)

TAKE_FROM_LOTS = Statement(
    """
    UPDATE lots SET granted = lots.granted + taken.granted,
        remaining = lots.remaining + taken.remaining
    FROM {taken} WHERE lots.brand_id = taken.brand_id AND lots.account_id = taken.account_id
        AND lots.expires_on = taken.expires_on AND lots.locked = taken.locked
        AND lots.remaining + taken.remaining >= 0
    RETURNING lots.account_id
    """,
    sets={
        "taken": "brand_id uuid, account_id uuid, expires_on date, locked boolean, granted bigint,"
        " remaining bigint"
    },
    returns="account_id uuid",
)

INSERT_TRANSFERS = insert_statement(
    Transfer,
    "brand_id uuid, id uuid, debit_account_id uuid, credit_account_id uuid, asset text,"
    " amount bigint, phase text, pending_id uuid, kind text, cause_kind text, cause_id uuid,"
    " campaign_id uuid, debit_expires_on date, credit_expires_on date, actor_kind text,"
    " actor_id uuid, reason text, occurred_at timestamptz, created_at timestamptz",
)


async def lock_accounts(tx: Tx, owners: Iterable[tuple[UUID, UUID]]) -> list[AccountState]:
    """The MAIN accounts of (brand_id, owner_id) pairs, locked until the transaction ends."""
    rows = await tx.fetch(LOCK_ACCOUNTS, owners=sorted(set(owners)))
    return [AccountState(*row) for row in rows]


async def find_issuance(tx: Tx, brand_ids: Iterable[UUID]) -> list[AccountState]:
    """The issuance accounts of brands: found, not locked; they move by sums at the very end."""
    rows = await tx.fetch(FIND_ISSUANCE, brands=[(brand_id,) for brand_id in sorted(brand_ids)])
    return [AccountState(row[0], row[1], row[2], row[3], is_brand=True) for row in rows]


async def list_free_lots(
    snapshot: Snapshot, brand_id: UUID, account_id: UUID
) -> list[tuple[date, int]]:
    """(expires_on, remaining) of an account's free lots that hold something, soonest first."""
    found = await snapshot.session.exec(
        select(col(Lot.expires_on), col(Lot.remaining))
        .where(
            col(Lot.brand_id) == brand_id,
            col(Lot.account_id) == account_id,
            col(Lot.locked).is_(False),
            col(Lot.remaining) > 0,
        )
        .order_by(col(Lot.expires_on))
    )
    return [(expires_on, remaining) for expires_on, remaining in found]


async def list_accounts(snapshot: Snapshot, brand_id: UUID, owner_id: UUID) -> list[Account]:
    """An owner's accounts, by asset."""
    found = await snapshot.session.exec(
        select(Account)
        .where(col(Account.brand_id) == brand_id, col(Account.owner_id) == owner_id)
        .order_by(col(Account.asset))
    )
    return list(found)


async def list_transfers(
    snapshot: Snapshot,
    brand_id: UUID,
    account_ids: list[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[Transfer]:
    """Transfers that touch any of the accounts, newest first, older than the id ``before``."""
    statement = select(Transfer).where(
        col(Transfer.brand_id) == brand_id,
        or_(
            col(Transfer.credit_account_id).in_(account_ids),
            # The partial index on debits knows that members are never debited by an EARN.
            col(Transfer.debit_account_id).in_(account_ids) & (col(Transfer.kind) != "EARN"),
        ),
    )
    if before is not None:
        statement = statement.where(col(Transfer.id) < before)
    found = await snapshot.session.exec(statement.order_by(col(Transfer.id).desc()).limit(limit))
    return list(found)


def transfer_row(movement: Movement, now: datetime) -> tuple[Any, ...]:
    """A movement as a row of INSERT_TRANSFERS."""
    cause = movement.cause
    return (
        movement.brand_id,
        movement.id,
        movement.debit.id,
        movement.credit.id,
        movement.credit.asset,
        movement.amount,
        movement.phase,
        movement.pending_id,
        movement.kind,
        cause.kind,
        cause.id,
        movement.campaign_id,
        movement.debit_expires_on,
        movement.credit_expires_on,
        cause.actor_kind,
        cause.actor_id,
        cause.reason,
        cause.occurred_at,
        now,
    )
