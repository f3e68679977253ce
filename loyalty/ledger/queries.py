"""The ledger's SQL. What is locked: member accounts, in the order of their owners."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Database, KeyedStatement, Snapshot, Statement, Tx, insert_statement
from loyalty.errors import MemberClosed
from loyalty.ledger.models import Account, AccountKind, Asset, Lot, LotExtension, Transfer
from loyalty.ledger.rules import AccountState, Movement

LOCK_ACCOUNTS = Statement(
    """
    SELECT a.brand_id, a.id, a.owner_id, a.asset, a.credits_posted - a.debits_posted,
        a.credits_pending, a.kind, a.debits_pending, a.closed_at
    FROM {owners} {locked:a accounts ON a.brand_id = owners.brand_id
        AND a.owner_id = owners.owner_id AND a.kind IN ('MAIN', 'PLACE', 'RECEIVABLE')}
    """,
    sets={"owners": "brand_id uuid, owner_id uuid"},
    returns="brand_id uuid, id uuid, owner_id uuid, asset text, balance bigint, locked bigint,"
    " kind text, held bigint, closed_at timestamptz",
)

CLOSE_ACCOUNTS = Statement(
    """
    UPDATE accounts SET closed_at = :now WHERE brand_id = :brand_id AND owner_id = :owner_id
    """,
    params="now timestamptz, brand_id uuid, owner_id uuid",
)

FIND_BOOKS = Statement(
    """
    SELECT a.brand_id, a.id, a.owner_id, a.asset
    FROM {brands} {each:a accounts ON a.brand_id = brands.brand_id
        AND a.owner_id = brands.brand_id AND a.kind = :kind}
    """,
    sets={"brands": "brand_id uuid"},
    params="kind text",
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

COUNT_REVERSALS = Statement(
    """
    INSERT INTO transfer_reversals (brand_id, transfer_id, amount, reversed)
    SELECT brand_id, transfer_id, amount, reversed FROM {rows} WHERE true
    ON CONFLICT (brand_id, transfer_id) DO UPDATE SET
        reversed = transfer_reversals.reversed + excluded.reversed
        WHERE transfer_reversals.reversed + excluded.reversed <= transfer_reversals.amount
    RETURNING transfer_id
    """,
    sets={"rows": "brand_id uuid, transfer_id uuid, amount bigint, reversed bigint"},
    returns="transfer_id uuid",
)

FIND_GOOD_LOTS = Statement(
    """
    SELECT l.brand_id, l.account_id, l.expires_on, l.remaining
    FROM {accounts} {each:l lots ON l.brand_id = accounts.brand_id
        AND l.account_id = accounts.account_id AND NOT l.locked
        AND l.expires_on >= accounts.today AND l.expires_on < accounts.until}
    ORDER BY l.brand_id, l.account_id, l.expires_on
    """,
    sets={"accounts": "brand_id uuid, account_id uuid, today date, until date"},
    returns="brand_id uuid, account_id uuid, expires_on date, remaining bigint",
)

FIND_FREE_LOTS = Statement(
    """
    SELECT l.account_id, l.expires_on, l.remaining
    FROM {accounts} {each:l lots ON l.brand_id = accounts.brand_id
        AND l.account_id = accounts.account_id AND NOT l.locked
        AND l.expires_on >= :today AND l.remaining > 0}
    """,
    sets={"accounts": "brand_id uuid, account_id uuid"},
    params="today date",
    returns="account_id uuid, expires_on date, remaining bigint",
)

INSERT_LOT_EXTENSIONS = insert_statement(
    LotExtension,
    "brand_id uuid, id uuid, account_id uuid, from_expires_on date, to_expires_on date,"
    " amount bigint, created_at timestamptz",
)

INSERT_TRANSFERS = insert_statement(
    Transfer,
    "brand_id uuid, id uuid, debit_account_id uuid, credit_account_id uuid, asset text,"
    " amount bigint, phase text, pending_id uuid, reverses_id uuid, kind text, cause_kind text,"
    " cause_id uuid,"
    " campaign_id uuid, debit_expires_on date, credit_expires_on date, actor_kind text,"
    " actor_id uuid, reason text, occurred_at timestamptz, created_at timestamptz",
)


async def lock_accounts(
    tx: Tx,
    owners: Iterable[tuple[UUID, UUID]],
    closed_owners: Collection[tuple[UUID, UUID]] = (),
) -> list[AccountState]:
    """The accounts of members (what they owe among them) and places, locked until the end of the
    transaction; MemberClosed where one is closed of an owner not known for it."""
    rows = await tx.fetch(LOCK_ACCOUNTS, owners=sorted(set(owners)))
    accounts = [AccountState(*row[:-1]) for row in rows]
    for account, row in zip(accounts, rows, strict=True):
        if row[-1] is not None and (account.brand_id, account.owner_id) not in closed_owners:
            raise MemberClosed()
    return accounts


async def open_partner_account(tx: Tx, brand_id: UUID, partner_id: UUID) -> UUID:
    """The account of what a brand owes another one in cash, made unless it is there: its id."""
    own = Account(
        brand_id=brand_id,
        owner_id=partner_id,
        asset=Asset.CASH.value,
        kind=AccountKind.PARTNER.value,
        overdraft_allowed=True,
        created_at=tx.now,
    )
    if await tx.insert_if_absent(own):
        return own.id
    found = await tx.session.exec(
        select(Account.id).where(
            col(Account.brand_id) == brand_id,
            col(Account.owner_id) == partner_id,
            col(Account.kind) == AccountKind.PARTNER.value,
        )
    )
    return found.one()


async def find_books(tx: Tx, brand_ids: Iterable[UUID], kind: AccountKind) -> list[AccountState]:
    """Brands' own accounts of one kind: found, not locked; they move by sums at the very end."""
    brands = [(brand_id,) for brand_id in sorted(set(brand_ids))]
    rows = await tx.fetch(FIND_BOOKS, brands=brands, kind=kind.value)
    return [
        AccountState(row[0], row[1], row[2], row[3], kind=kind.value, is_brand=True) for row in rows
    ]


async def list_place_accounts(
    snapshot: Snapshot, brand_id: UUID, place_ids: Sequence[UUID]
) -> list[Account]:
    """For loaders: the rebate accounts of places, in no order."""
    found = await snapshot.session.exec(
        select(Account).where(
            col(Account.brand_id) == brand_id,
            col(Account.owner_id).in_(place_ids),
            col(Account.kind) == AccountKind.PLACE.value,
        )
    )
    return list(found)


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


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """A member's balance of one asset; ``spendable`` leaves out lots past their date."""

    asset: str
    balance: int
    spendable: int
    locked: int


class EntryRow(NamedTuple):
    """A transfer as its member sees it: ``amount`` is signed. ``account`` is MAIN, or RECEIVABLE
    for what moves only what the member owes. A page has dozens: a tuple is made in a fifth of the
    time."""

    id: UUID
    asset: str
    amount: int
    phase: str
    kind: str
    cause_kind: str
    reason: str
    expires_on: date | None
    occurred_at: datetime
    account: str
    booked_at: datetime
    cause_id: UUID


READ_BALANCES = KeyedStatement(
    """
    SELECT a.asset, a.credits_posted - a.debits_posted,
        CAST(COALESCE((SELECT SUM(l.remaining) FROM lots l WHERE l.brand_id = a.brand_id
            AND l.account_id = a.id AND NOT l.locked AND l.expires_on >= :today), 0) AS bigint),
        a.credits_pending
    FROM accounts a
    WHERE a.brand_id = :brand_id AND a.owner_id = :owner_id AND a.kind = 'MAIN'
    ORDER BY a.asset
    """,
    keys="brand_id uuid, owner_id uuid, today date",
    returns="asset text, balance bigint, spendable bigint, locked bigint",
)

# Two lookups by index, the member's accounts first; the partial index on debits knows that an
# EARN never debits a member. A REPAY is told by the account that pays.
READ_ENTRIES = KeyedStatement(
    """
    SELECT t.id, t.asset, t.amount, t.phase, t.kind, t.cause_kind, t.reason, t.credit_expires_on,
        t.occurred_at, a.kind AS account, t.created_at, t.cause_id
    FROM accounts a
    {newest:t transfers UP TO :row_count_max ON t.brand_id = a.brand_id
        AND t.credit_account_id = a.id AND t.id < :before
        AND (a.kind = 'MAIN' OR t.kind <> 'REPAY')}
    WHERE a.brand_id = :brand_id AND a.owner_id = :owner_id
    UNION ALL
    SELECT t.id, t.asset, -t.amount, t.phase, t.kind, t.cause_kind, t.reason, t.debit_expires_on,
        t.occurred_at, a.kind, t.created_at, t.cause_id
    FROM accounts a
    {newest:t transfers UP TO :row_count_max ON t.brand_id = a.brand_id
        AND t.debit_account_id = a.id AND t.kind <> 'EARN' AND t.id < :before}
    WHERE a.brand_id = :brand_id AND a.owner_id = :owner_id
    ORDER BY 1 DESC LIMIT :row_count_max
    """,
    keys="brand_id uuid, owner_id uuid, before uuid, row_count_max bigint",
    returns="id uuid, asset text, amount bigint, phase text, kind text, cause_kind text,"
    " reason text, expires_on date, occurred_at timestamptz, account text, booked_at timestamptz,"
    " cause_id uuid",
)

NEWEST = UUID(int=2**128 - 1)


async def read_balances(
    db: Database, brand_id: UUID, owner_id: UUID, today: date
) -> list[BalanceRow]:
    """A member's balances, by asset; ``today`` is the brand's local day."""
    (rows,) = await db.read_each(READ_BALANCES, [(brand_id, owner_id, today)])
    return [BalanceRow(*row) for row in rows]


async def list_balances(
    snapshot: Snapshot, brand_id: UUID, owner_id: UUID, today: date
) -> list[BalanceRow]:
    """``read_balances`` inside a transaction: what the running one has written counts."""
    rows = await snapshot.fetch(
        READ_BALANCES.alone, brand_id=brand_id, owner_id=owner_id, today=today
    )
    return [BalanceRow(*row) for row in rows]


async def read_entries(
    db: Database, brand_id: UUID, owner_id: UUID, *, before: UUID | None, limit: int
) -> list[EntryRow]:
    """A member's entries, newest first, older than the id ``before``."""
    (rows,) = await db.read_each(READ_ENTRIES, [(brand_id, owner_id, before or NEWEST, limit)])
    return [EntryRow._make(row) for row in rows]


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
        movement.reverses_id,
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
