"""The SQL of members' statements: what moved on their accounts, and what those held at a time.

Times are those of booking (``created_at``), so that a balance and the entries after it add up.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from loyalty.db import Snapshot, Statement
from loyalty.ledger.models import AccountKind
from loyalty.ledger.origins import LotMovement, LotProlonged
from loyalty.ledger.queries import EntryRow

EVER = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""A range that all times are in."""
BEFORE_ALL_IDS, AFTER_ALL_IDS = UUID(int=0), UUID(int=2**128 - 1)

_POSTED = "t.phase IN ('POSTED', 'POST')"
_PENDING = "CASE t.phase WHEN 'PENDING' THEN t.amount WHEN 'POSTED' THEN 0 ELSE -t.amount END"

READ_BALANCES_AT = Statement(
    f"""
    SELECT moves.asset,
        CAST(SUM(CASE moves.kind WHEN 'MAIN' THEN moves.posted ELSE 0 END) AS bigint),
        CAST(SUM(moves.locked) AS bigint), CAST(SUM(moves.held) AS bigint),
        CAST(-SUM(CASE moves.kind WHEN 'MAIN' THEN 0 ELSE moves.posted END) AS bigint)
    FROM (
        SELECT a.asset, a.kind, CASE WHEN {_POSTED} THEN t.amount ELSE 0 END AS posted,
            {_PENDING} AS locked, 0 AS held
        FROM {{owners}}
        {{each:a accounts ON a.brand_id = owners.brand_id AND a.owner_id = owners.owner_id
            AND a.kind IN ('MAIN', 'RECEIVABLE')}}
        {{each:t transfers ON t.brand_id = a.brand_id AND t.credit_account_id = a.id
            AND t.created_at <= :at}}
        UNION ALL
        SELECT a.asset, a.kind, CASE WHEN {_POSTED} THEN -t.amount ELSE 0 END, 0, {_PENDING}
        FROM {{payers}}
        {{each:a accounts ON a.brand_id = payers.brand_id AND a.owner_id = payers.owner_id
            AND a.kind IN ('MAIN', 'RECEIVABLE')}}
        {{each:t transfers ON t.brand_id = a.brand_id AND t.debit_account_id = a.id
            AND t.kind <> 'EARN' AND t.created_at <= :at}}
    ) AS moves
    GROUP BY moves.asset ORDER BY moves.asset
    """,
    sets={"owners": "brand_id uuid, owner_id uuid", "payers": "brand_id uuid, owner_id uuid"},
    params="at timestamptz",
    returns="asset text, balance bigint, locked bigint, held bigint, owed bigint",
)

LIST_OWN_ACCOUNTS = Statement(
    """
    SELECT a.id, a.kind, a.asset FROM accounts a
    WHERE a.brand_id = :brand_id AND a.owner_id = :owner_id AND a.kind IN ('MAIN', 'RECEIVABLE')
    ORDER BY a.kind, a.asset
    """,
    params="brand_id uuid, owner_id uuid",
    returns="id uuid, kind text, asset text",
)

LIST_EXPIRING_LOTS = Statement(
    """
    SELECT a.asset, l.expires_on, l.remaining
    FROM {owners}
    {each:a accounts ON a.brand_id = owners.brand_id AND a.owner_id = owners.owner_id
        AND a.kind = 'MAIN'}
    {each:l lots ON l.brand_id = a.brand_id AND l.account_id = a.id AND NOT l.locked
        AND l.expires_on >= :today AND l.expires_on <= :until AND l.remaining > 0}
    WHERE (l.expires_on, a.asset) > (:after_on, :after_asset)
    ORDER BY l.expires_on, a.asset LIMIT :row_count_max
    """,
    sets={"owners": "brand_id uuid, owner_id uuid"},
    params="today date, until date, after_on date, after_asset text, row_count_max bigint",
    returns="asset text, expires_on date, remaining bigint",
)

_MOVEMENT = """t.id, t.phase, t.kind, t.amount, t.debit_account_id, t.credit_account_id,
        t.debit_expires_on, t.credit_expires_on, t.pending_id, t.reverses_id, t.cause_kind,
        t.cause_id, t.campaign_id, t.reason, t.occurred_at, t.created_at"""

LIST_MOVEMENTS = Statement(
    f"""
    SELECT {_MOVEMENT} FROM {{credited}}
    {{each:t transfers ON t.brand_id = credited.brand_id
        AND t.credit_account_id = credited.account_id}}
    UNION ALL
    SELECT {_MOVEMENT} FROM {{debited}}
    {{each:t transfers ON t.brand_id = debited.brand_id
        AND t.debit_account_id = debited.account_id AND t.kind <> 'EARN'}}
    ORDER BY 1 LIMIT :row_count_max
    """,
    sets={
        "credited": "brand_id uuid, account_id uuid",
        "debited": "brand_id uuid, account_id uuid",
    },
    params="row_count_max bigint",
    returns="id uuid, phase text, kind text, amount bigint, debit_account_id uuid,"
    " credit_account_id uuid, debit_expires_on date, credit_expires_on date, pending_id uuid,"
    " reverses_id uuid, cause_kind text, cause_id uuid, campaign_id uuid, reason text,"
    " occurred_at timestamptz, created_at timestamptz",
)

LIST_EXTENSIONS = Statement(
    """
    SELECT e.id, e.account_id, e.from_expires_on, e.to_expires_on, e.amount FROM {accounts}
    {each:e lot_extensions ON e.brand_id = accounts.brand_id
        AND e.account_id = accounts.account_id}
    ORDER BY e.id
    """,
    sets={"accounts": "brand_id uuid, account_id uuid"},
    returns="id uuid, account_id uuid, from_expires_on date, to_expires_on date, amount bigint",
)

LIST_OWNERS = Statement(
    "SELECT a.id, a.owner_id FROM {keys}"
    " {each:a accounts ON a.brand_id = keys.brand_id AND a.id = keys.account_id}",
    sets={"keys": "brand_id uuid, account_id uuid"},
    returns="id uuid, owner_id uuid",
)


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """What a member had of one asset at a time. ``locked`` was not theirs yet; ``held`` is a part
    of the balance; ``owed`` they owed the brand."""

    asset: str
    balance: int
    locked: int
    held: int
    owed: int


@dataclass(frozen=True, slots=True)
class ExpiringLot:
    """What is good until a day and no longer."""

    asset: str
    expires_on: date
    remaining: int


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: of one asset, of these kinds (none: all), booked from ``since`` until just
    before ``until``."""

    asset: str | None = None
    kinds: tuple[str, ...] = ()
    since: datetime = EVER[0]
    until: datetime = EVER[1]

    @property
    def is_open(self) -> bool:
        """Whether it lets everything pass."""
        return self == EntryFilter()


@dataclass(frozen=True, slots=True)
class StatementLine:
    """An entry with the campaign that it is of."""

    entry: EntryRow
    campaign_id: UUID | None


async def list_balances_at(
    snapshot: Snapshot, brand_id: UUID, owner_id: UUID, at: datetime
) -> list[BalanceAt]:
    """A member's balances at a time, by asset: of each of which something had moved by then.
    Exact once what was begun by then is committed."""
    owner = [(brand_id, owner_id)]
    rows = await snapshot.fetch(READ_BALANCES_AT, owners=owner, payers=owner, at=at)
    return [BalanceAt(*row) for row in rows]


async def list_expiring_lots(
    snapshot: Snapshot,
    brand_id: UUID,
    owner_id: UUID,
    today: date,
    until: date,
    *,
    after: tuple[date, str] | None,
    limit: int,
) -> list[ExpiringLot]:
    """A member's free lots that are good today and end by a day, soonest first; by keyset."""
    after_on, after_asset = after or (today, "")
    rows = await snapshot.fetch(
        LIST_EXPIRING_LOTS,
        owners=[(brand_id, owner_id)],
        today=today,
        until=until,
        after_on=after_on,
        after_asset=after_asset,
        row_count_max=limit,
    )
    return [ExpiringLot(*row) for row in rows]


# --- entries -----------------------------------------------------------------------------------

_ENTRY = """
    SELECT * FROM (
        SELECT t.id, t.asset, {sign}t.amount AS amount, t.phase, t.kind, t.cause_kind, t.reason,
            t.{side}_expires_on AS expires_on, t.occurred_at, '{kind}' AS account,
            t.created_at, t.cause_id, t.campaign_id
        FROM transfers t
        WHERE t.brand_id = :brand_id AND t.{side}_account_id = :{account} AND t.id {after} :start
            AND t.created_at >= :since AND t.created_at < :until{only}
        ORDER BY t.id{order} LIMIT :row_count_max
    ) AS {account}_{side}"""
_NO_REPAY = " AND t.kind <> 'REPAY'"  # of which the account that paid tells


@lru_cache(maxsize=64)
def entries_statement(kinds_of_accounts: str, of_kinds: bool, oldest_first: bool) -> Statement:
    """The entries of so many accounts (a letter each, M of MAIN and R of RECEIVABLE): each looked
    up by its own index in the order of the page, no more than a page of it."""
    parts = []
    names = []
    for number, letter in enumerate(kinds_of_accounts):
        names.append(f"account_{number}")
        kind = AccountKind.MAIN if letter == "M" else AccountKind.RECEIVABLE
        for side, sign in (("credit", ""), ("debit", "-")):
            # The partial index on debits knows that an EARN never debits a member.
            only = " AND t.kind <> 'EARN'" if side == "debit" else ""
            only += _NO_REPAY if side == "credit" and letter == "R" else ""
            only += " AND t.kind IN (SELECT kind FROM {kinds})" if of_kinds else ""
            parts.append(
                _ENTRY.replace("{sign}", sign)
                .replace("{side}", side)
                .replace("{kind}", kind.value)
                .replace("{account}", names[-1])
                .replace("{after}", ">" if oldest_first else "<")
                .replace("{order}", "" if oldest_first else " DESC")
                .replace("{only}", only)
            )
    order = "ORDER BY 1" if oldest_first else "ORDER BY 1 DESC"
    accounts = "".join(f", {name} uuid" for name in names)
    return Statement(
        f"{' UNION ALL '.join(parts)} {order} LIMIT :row_count_max",
        sets={"kinds": "kind text"} if of_kinds else {},
        params="brand_id uuid, start uuid, since timestamptz, until timestamptz,"
        f" row_count_max bigint{accounts}",
        returns="id uuid, asset text, amount bigint, phase text, kind text, cause_kind text,"
        " reason text, expires_on date, occurred_at timestamptz, account text,"
        " created_at timestamptz, cause_id uuid, campaign_id uuid",
    )


async def list_entries(
    snapshot: Snapshot,
    brand_id: UUID,
    owner_id: UUID,
    wanted: EntryFilter,
    *,
    start: UUID | None,
    limit: int,
    oldest_first: bool = False,
) -> list[StatementLine]:
    """A page of a member's entries by keyset, newest first unless told otherwise. Each transfer is
    told once; those that move what the member owes are of the account RECEIVABLE."""
    accounts = [
        (id, kind)
        for id, kind, asset in await snapshot.fetch(
            LIST_OWN_ACCOUNTS, brand_id=brand_id, owner_id=owner_id
        )
        if wanted.asset in (None, asset)
    ]
    if not accounts:
        return []
    values: dict[str, Any] = {f"account_{n}": id for n, (id, _) in enumerate(accounts)}
    if wanted.kinds:
        values["kinds"] = [(kind,) for kind in wanted.kinds]
    rows = await snapshot.fetch(
        entries_statement(
            "".join(kind[0] for _, kind in accounts), bool(wanted.kinds), oldest_first
        ),
        brand_id=brand_id,
        start=start or (BEFORE_ALL_IDS if oldest_first else AFTER_ALL_IDS),
        since=wanted.since,
        until=wanted.until,
        row_count_max=limit,
        **values,
    )
    return [StatementLine(EntryRow(*row[:12]), row[12]) for row in rows]


# --- what became of credits --------------------------------------------------------------------


async def find_main_account(
    snapshot: Snapshot, brand_id: UUID, owner_id: UUID, asset: str
) -> UUID | None:
    """The account of what a member has of an asset."""
    rows = await snapshot.fetch(LIST_OWN_ACCOUNTS, brand_id=brand_id, owner_id=owner_id)
    own = [id for id, kind, of in rows if kind == AccountKind.MAIN and of == asset]
    return own[0] if own else None


async def list_movements(
    snapshot: Snapshot, brand_id: UUID, account_ids: Collection[UUID], limit: int
) -> list[LotMovement]:
    """What moved on accounts, oldest first, up to ``limit`` sides; moves between two of them are
    told twice."""
    keys = [(brand_id, id) for id in sorted(account_ids)]
    rows = await snapshot.fetch(LIST_MOVEMENTS, credited=keys, debited=keys, row_count_max=limit)
    return [LotMovement(*row) for row in rows]


async def list_prolonged(
    snapshot: Snapshot, brand_id: UUID, account_ids: Collection[UUID]
) -> list[LotProlonged]:
    """What activity moved to later lots, oldest first."""
    keys = [(brand_id, id) for id in sorted(account_ids)]
    rows = await snapshot.fetch(LIST_EXTENSIONS, accounts=keys)
    return [LotProlonged(*row) for row in rows]


async def owners_of(
    snapshot: Snapshot, brand_id: UUID, account_ids: Collection[UUID]
) -> dict[UUID, UUID]:
    """Whose each account is."""
    keys = [(brand_id, id) for id in sorted(account_ids)]
    return dict(await snapshot.fetch(LIST_OWNERS, keys=keys))
