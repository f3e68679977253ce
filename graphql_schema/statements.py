"""Statements (对账): a member's past balances and entries, what expires soon, where a balance came
from; and the brand's books."""

from datetime import date, datetime, timedelta
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.entries import ENTRY_CURSOR, Entry
from graphql_schema.enums import EntryKind
from graphql_schema.faults import Invalid
from graphql_schema.pagination import Connection, Cursor, connection_of, page_of
from graphql_schema.permissions import HasGrant
from graphql_schema.scalars import AssetCode, BigInt
from graphql_schema.unspent_credits import CreditView, UnspentPart
from loyalty.actor import ActorKind, Grant
from loyalty.assets.models import Asset
from loyalty.clock import local_date, utc_now
from loyalty.errors import InvalidInput
from loyalty.ledger import history
from loyalty.ledger.history import BalanceAt as BalanceAtRow
from loyalty.ledger.history import BookOfAsset, EntryFilter
from loyalty.ledger.history import ExpiringLot as ExpiringLotRow
from loyalty.ledger.queries import EntryRow, read_entries
from loyalty.members.models import Member as MemberRow

WITHIN_DAYS, WITHIN_DAYS_MAX = 30, 3_660
LOT_CURSOR = Cursor(date, str)
CREDIT_CURSOR = Cursor(int, date, UUID, UUID)
_POINTS = AssetCode(Asset.POINTS.value)
_INSTANT = timedelta(microseconds=1)


@strawberry.type(description="What a member had of an asset at a time, by booking; CASH is in fen.")
class BalanceAt:
    asset: AssetCode
    balance: BigInt
    locked: BigInt = strawberry.field(description="Granted, and not the member's yet.")
    held: BigInt = strawberry.field(description="Of the balance: out of reach.")
    owed: BigInt = strawberry.field(description="What the member owed the brand.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, BalanceAtRow | cls)


@strawberry.type(description="What is good until the end of a local day, and no longer.")
class ExpiringLot:
    asset: AssetCode
    expires_on: date
    remaining: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ExpiringLotRow | cls)


# --- of a member -------------------------------------------------------------------------------


def _checked_time(at: datetime | None) -> datetime:
    if at is None:
        return utc_now()
    if at.tzinfo is None:
        raise Invalid("A time needs an offset: 2026-11-09T00:00:00+08:00.")
    if not history.EVER[0] <= at <= history.EVER[1]:
        raise Invalid("A time that no calendar of ours has.")
    return at


def _days(
    first: date | None, last: date | None, timezone: str, fields: tuple[str, str]
) -> tuple[datetime, datetime]:
    try:
        return history.booked_on(first, last, timezone, fields)
    except InvalidInput as refusal:
        raise Invalid(refusal.message("en")) from refusal


async def brand_days(
    context: Context, first: date | None, last: date | None
) -> tuple[datetime, datetime]:
    """The time of these local days of the caller's brand, for arguments ``from`` and ``until``:
    both included, open where None. The Fault INVALID for days that no calendar of ours has."""
    timezone = await context.timezone(context.caller.brand_id)
    return _days(first, last, timezone, ("from", "until"))


@strawberry.type
class MemberStatements:
    """What a ``Member`` has of statements."""

    @strawberry.field(graphql_type=Connection[Entry])
    async def entries(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        asset: AssetCode | None = None,
        kinds: list[EntryKind] | None = None,
        booked_from: date | None = None,
        booked_until: date | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[EntryRow]:
        """What moved on this member's accounts, newest first: all of it, or of one asset, of some
        kinds, booked on the brand's days from bookedFrom to bookedUntil, both included."""
        context = info.context
        page = page_of(ENTRY_CURSOR, first, after)
        start = page.start[0] if page.start else None
        if not (asset or kinds or booked_from or booked_until):
            rows = await read_entries(
                context.database, row.brand_id, row.id, before=start, limit=page.limit
            )
            return connection_of(rows, page, ENTRY_CURSOR, key=lambda entry: (entry.id,))
        timezone = await context.timezone(row.brand_id)
        since, until = _days(booked_from, booked_until, timezone, ("bookedFrom", "bookedUntil"))
        wanted = EntryFilter(asset, tuple(kind.value for kind in kinds or ()), since, until)
        async with context.database.snapshot() as snapshot:
            lines = await history.list_entries(
                snapshot, row.brand_id, row.id, wanted, start=start, limit=page.limit
            )
        rows = [line.entry for line in lines]
        return connection_of(rows, page, ENTRY_CURSOR, key=lambda entry: (entry.id,))

    @strawberry.field(graphql_type=list[BalanceAt])
    async def balances_at(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        at: datetime | None = None,
        asset: AssetCode | None = None,
    ) -> list[BalanceAtRow]:
        """What this member had at a time (now, if none is named), by when it was booked: of each
        asset of which anything had moved by then, or of one."""
        async with info.context.database.snapshot() as snapshot:
            found = await history.list_balances_at(
                snapshot, row.brand_id, row.id, _checked_time(at)
            )
        return [balance for balance in found if asset in (None, balance.asset)]

    @strawberry.field(graphql_type=Connection[ExpiringLot])
    async def expiring_lots(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        within_days: int = WITHIN_DAYS,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[ExpiringLotRow]:
        """What this member loses within so many days from today unless it is spent (即将过期),
        soonest first."""
        if not 0 <= within_days <= WITHIN_DAYS_MAX:
            raise Invalid(f"withinDays: 0 to {WITHIN_DAYS_MAX}.")
        page = page_of(LOT_CURSOR, first, after)
        today = local_date(utc_now(), await info.context.timezone(row.brand_id))
        start = (page.start[0], page.start[1]) if page.start else None
        async with info.context.database.snapshot() as snapshot:
            rows = await history.list_expiring_lots(
                snapshot,
                row.brand_id,
                row.id,
                today,
                today + timedelta(days=within_days),
                after=start,
                limit=page.limit,
            )
        return connection_of(rows, page, LOT_CURSOR, key=lambda lot: (lot.expires_on, lot.asset))

    @strawberry.field(graphql_type=Connection[UnspentPart])
    async def explain(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        asset: AssetCode = _POINTS,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[CreditView]:
        """Where what this member has of an asset came from (来源追溯): lot by lot, soonest expiry
        first and what is locked last, the credits that are still unspent, oldest first."""
        page = page_of(CREDIT_CURSOR, first, after)
        async with info.context.database.snapshot() as snapshot:
            try:
                found = await history.explain(snapshot, row.brand_id, row.id, asset)
            except history.HistoryTooLong as error:
                raise Invalid(
                    "Too much has moved here. On the host: loyalty ledger explain."
                ) from (error)
        credits = found.credits if found else []
        owner_of = found.owner_of if found else {}
        is_operator = info.context.caller.kind is ActorKind.OPERATOR
        rest = [part for part in credits if page.start is None or part.key > page.start]
        views = []
        for part in rest[: page.limit]:
            owner_id = owner_of.get(part.credit.credit_account_id)
            views.append(CreditView(part, owner_id, owner_id == row.id, is_operator))
        return connection_of(views, page, CREDIT_CURSOR, key=lambda view: view.part.key)


# --- of the brand ------------------------------------------------------------------------------


@strawberry.type(
    description="The brand's books of one asset (发行与负债): issued = spent + expired + reversed +"
    " outstanding; CASH is in fen. Outstanding is what members and stores have, less what members"
    " owe."
)
class BrandBook:
    asset: AssetCode
    issued: BigInt
    spent: BigInt
    expired: BigInt
    reversed: BigInt
    outstanding: BigInt
    owed: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, BookOfAsset | cls)


@strawberry.type
class StatementQuery:
    @strawberry.field(graphql_type=list[BrandBook], extensions=[HasGrant(Grant.LEDGER)])
    async def books(
        self, info: Info, at: datetime | None = None, on: date | None = None
    ) -> list[BookOfAsset]:
        """The brand's books at a time, or at the end of one of its days; now, if none is named."""
        context = info.context
        brand_id = context.caller.brand_id
        if at is not None and on is not None:
            raise Invalid("Either a time or a day.")
        if on is None:
            until = _checked_time(at) + _INSTANT
        else:
            _, until = _days(None, on, await context.timezone(brand_id), ("on", "on"))
        async with context.database.snapshot() as snapshot:
            books = await history.books_between(snapshot, brand_id, until, until)
        return [book for _, _, book in books]
