"""Raffles (开奖制抽奖) as everybody sees them: what was announced, who entered, who won, and
whatever it takes to compute the winners again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from graphql_schema.context import Context, Info
from graphql_schema.coupon_templates import template_loader
from graphql_schema.enums import NoCoupon, RaffleStatus
from graphql_schema.loaders import row_loader
from graphql_schema.member_lists import page_of_member
from graphql_schema.nodes import Node, id_field
from graphql_schema.offer_types import AssetAmount, OfferCoupon
from graphql_schema.pagination import (
    Connection,
    Cursor,
    Page,
    connection_of,
    encode_id,
    page_of,
)
from graphql_schema.scalars import AssetCode, BigInt
from graphql_schema.withheld import WithheldTax, withheld_of
from loyalty.members.models import Member as MemberRow
from rewards.coupons.models import CouponTemplate
from rewards.raffles import queries, rules
from rewards.raffles.models import Raffle as RaffleRow
from rewards.raffles.models import RaffleEntry as EntryRow
from rewards.raffles.models import RaffleWinner as WinnerRow

WINNER_CURSOR = Cursor(int)

raffle_loader = row_loader(queries.list_raffles_by_ids)
winner_loader = row_loader(queries.list_winners_of_entries, key=lambda row: row.entry_id)


async def _raffle(info: Info, raffle_id: UUID) -> RaffleRow:
    raffle = await info.context.loader(raffle_loader).load(raffle_id)
    if raffle is None:
        raise LookupError("an entry without its raffle")
    return raffle


def _template_id(id: UUID | None) -> strawberry.ID | None:
    return None if id is None else encode_id("CouponTemplate", id)


def _in_language(info: Info, zh: str, en: str) -> str:
    return en if info.context.language == "en" else zh


@strawberry.type(
    description="What each of so many winners gets: the amount (CASH is in fen); or a coupon, and"
    " the amount in its place where none is left."
)
class RafflePrize:
    name_zh: str
    name_en: str
    winners: int
    asset: AssetCode
    amount: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, rules.Prize | cls)

    @strawberry.field
    def coupon_template_id(self, row: strawberry.Parent[rules.Prize]) -> strawberry.ID | None:
        return _template_id(row.coupon_template_id)

    @strawberry.field(graphql_type=OfferCoupon | None, description="What such a coupon promises.")
    async def coupon(
        self, row: strawberry.Parent[rules.Prize], info: Info
    ) -> CouponTemplate | None:
        if row.coupon_template_id is None:
            return None
        return await info.context.loader(template_loader).load(row.coupon_template_id)

    @strawberry.field(description="In the caller's language.")
    def name(self, row: strawberry.Parent[rules.Prize], info: Info) -> str:
        return _in_language(info, row.name_zh, row.name_en)


@strawberry.type(
    description="The prizes of a pool of at least so many entrants, first prize first."
)
class RaffleStep:
    pool_min: int
    prizes: list[RafflePrize]

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, rules.Step | cls)


def _prize_of(raffle: RaffleRow, prize_no: int) -> rules.Prize:
    step = rules.step_of(rules.table_from_json(raffle.prize_table), raffle.entrants or 0)
    if step is None:
        raise LookupError("a winner of an empty pool")
    return step.prizes[prize_no]


@strawberry.type(description="What an entry won: the place among all entrants, from 1.")
class RaffleWinner:
    place: int
    asset: AssetCode
    amount: BigInt
    paid_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, WinnerRow | cls)

    @strawberry.field(description="Of a prize that is a coupon, and the winner's unless noCoupon.")
    def coupon_template_id(self, row: strawberry.Parent[WinnerRow]) -> strawberry.ID | None:
        return _template_id(row.coupon_template_id)

    @strawberry.field(description="Why it got the amount in place of the coupon.")
    def no_coupon(self, row: strawberry.Parent[WinnerRow]) -> NoCoupon | None:
        return None if row.no_coupon is None else NoCoupon(row.no_coupon)

    @strawberry.field
    def entry_id(self, row: strawberry.Parent[WinnerRow]) -> strawberry.ID:
        return encode_id("RaffleEntry", row.entry_id)

    @strawberry.field(description="Of a cash prize of which tax was withheld, once it is paid.")
    async def withheld(self, row: strawberry.Parent[WinnerRow], info: Info) -> WithheldTax | None:
        return await withheld_of(info.context, row.id)

    @strawberry.field(graphql_type=RafflePrize)
    async def prize(self, row: strawberry.Parent[WinnerRow], info: Info) -> rules.Prize:
        return _prize_of(await _raffle(info, row.raffle_id), row.prize_no)


@strawberry.type(
    description="One entry (参与记录). It says nothing of who entered but which entries are one"
    " member's."
)
class RaffleEntry:
    @strawberry.field
    def id(self, row: strawberry.Parent[EntryRow]) -> strawberry.ID:
        return encode_id("RaffleEntry", row.id)

    @strawberry.field(description="What the seed makes its HMAC of, which puts entries in order.")
    def message(self, row: strawberry.Parent[EntryRow]) -> str:
        return rules.message_of(row.brand_id, row.raffle_id, row.id)

    @strawberry.field(description="The same for all entries of one member to this raffle.")
    def entrant(self, row: strawberry.Parent[EntryRow], info: Info) -> str:
        # Under the brand's key: ids of members are known to others here and there.
        told = f"{row.raffle_id.hex}|{row.entrant_id.hex}"
        return info.context.keyring.lookup_hash(row.brand_id, "raffle entrant", told)[:32]

    @strawberry.field
    def entered_at(self, row: strawberry.Parent[EntryRow]) -> datetime:
        return row.created_at

    @strawberry.field(description="When what it cost was given back: of a cancelled raffle.")
    def returned_at(self, row: strawberry.Parent[EntryRow]) -> datetime | None:
        return row.returned_at

    @strawberry.field(graphql_type=RaffleWinner | None, description="What it won.")
    async def won(self, row: strawberry.Parent[EntryRow], info: Info) -> WinnerRow | None:
        return await info.context.loader(winner_loader).load(row.id)

    @strawberry.field
    async def raffle_code(self, row: strawberry.Parent[EntryRow], info: Info) -> str:
        return (await _raffle(info, row.raffle_id)).code


@strawberry.type(
    description="Entries gathered over a period, and winners drawn at its end (开奖制抽奖). The"
    " seed is secret until the winners are drawn; its SHA-256 is public from the beginning. How to"
    " compute the winners: docs/raffles.md."
)
class Raffle(Node):
    id: strawberry.ID = id_field("Raffle")
    code: str
    name_zh: str
    name_en: str
    status: RaffleStatus
    opens_at: datetime
    closes_at: datetime
    entries_max: int = strawberry.field(description="Of each member.")
    condition: str | None = strawberry.field(description="Whose entries it takes, in CEL.")
    seed_hash: str
    seed: str | None = strawberry.field(description="In hexadecimal, once the winners are drawn.")
    reason: str | None = strawberry.field(description="Why it was cancelled.")
    created_at: datetime
    closed_at: datetime | None = strawberry.field(description="When the entries were counted.")
    drawn_at: datetime | None
    cancelled_at: datetime | None
    settled_at: datetime | None = strawberry.field(
        description="When the last winner was paid, or the last entry given back."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, RaffleRow | cls)

    @strawberry.field(description="In the caller's language.")
    def name(self, row: strawberry.Parent[RaffleRow], info: Info) -> str:
        return _in_language(info, row.name_zh, row.name_en)

    @strawberry.field(description="Of an entry; null: nothing.")
    def cost(self, row: strawberry.Parent[RaffleRow]) -> AssetAmount | None:
        if row.cost_asset is None or row.cost_amount is None:
            return None
        return _amount(row.cost_asset, row.cost_amount)

    @strawberry.field(
        graphql_type=list[RaffleStep],
        description="By the number of entrants: the last step whose poolMin they reach.",
    )
    def prize_table(self, row: strawberry.Parent[RaffleRow]) -> rules.PrizeTable:
        return rules.table_from_json(row.prize_table)

    @strawberry.field(description="The most that winners can get, whatever the pool, by asset.")
    def worst_case(self, row: strawberry.Parent[RaffleRow]) -> list[AssetAmount]:
        worst = rules.worst_case(rules.table_from_json(row.prize_table))
        return [_amount(asset, amount) for asset, amount in worst.items()]

    @strawberry.field(description="What the worst case was to stay within, of these assets.")
    def budgets(self, row: strawberry.Parent[RaffleRow]) -> list[AssetAmount]:
        return [_amount(budget["asset"], budget["amount"]) for budget in row.budgets]

    @strawberry.field(description="How many entries took part, once it is closed.")
    def entries_count(self, row: strawberry.Parent[RaffleRow]) -> BigInt | None:
        return None if row.entries is None else BigInt(row.entries)

    @strawberry.field(description="Of how many members: the size of the pool.")
    def entrants_count(self, row: strawberry.Parent[RaffleRow]) -> BigInt | None:
        return None if row.entrants is None else BigInt(row.entrants)

    @strawberry.field(description="What the messages of its entries begin with.")
    def message_start(self, row: strawberry.Parent[RaffleRow]) -> str:
        return rules.message_start(row.brand_id, row.id)

    @strawberry.field(graphql_type=Connection[RaffleEntry])
    async def entries(
        self,
        row: strawberry.Parent[RaffleRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[EntryRow]:
        """Everybody's entries, newest first."""
        return await page_of_member(info.context, _ReadEntriesOfRaffle(), row.id, first, after)

    @strawberry.field(graphql_type=Connection[RaffleWinner])
    async def winners(
        self,
        row: strawberry.Parent[RaffleRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[WinnerRow]:
        """The winners, by their places."""
        page = page_of(WINNER_CURSOR, first, after)
        rows = await info.context.loader(_WinnerPages(page)).load(row.id)
        return connection_of(rows, page, WINNER_CURSOR, key=lambda winner: (winner.place,))


def _amount(asset: str, amount: int) -> AssetAmount:
    return AssetAmount(asset=AssetCode(asset), amount=BigInt(amount))


@dataclass(frozen=True)
class _ReadEntriesOfRaffle:
    """All entries to a raffle, of whatever member."""

    async def __call__(
        self, context: Context, raffle_ids: Sequence[UUID], before: UUID | None, limit: int
    ) -> list[tuple[UUID, EntryRow]]:
        async with context.database.snapshot() as snapshot:
            rows = await queries.list_entries_of_raffles(
                snapshot, context.caller.brand_id, raffle_ids, before=before, limit=limit
            )
        return [(row.raffle_id, row) for row in rows]


@dataclass(frozen=True)
class _WinnerPages:
    """Makes the loader of many raffles' winners, this page of each."""

    page: Page

    def __call__(self, context: Context) -> DataLoader[UUID, list[WinnerRow]]:
        after: int = self.page.start[0] if self.page.start else 0

        async def load(raffle_ids: list[UUID]) -> list[list[WinnerRow]]:
            async with context.database.snapshot() as snapshot:
                rows = await queries.list_winners(
                    snapshot,
                    context.caller.brand_id,
                    raffle_ids,
                    after=after,
                    limit=self.page.limit,
                )
            lists: dict[UUID, list[WinnerRow]] = {id: [] for id in raffle_ids}
            for row in rows:
                lists[row.raffle_id].append(row)
            return [lists[id] for id in raffle_ids]

        return DataLoader(load_fn=load)


@dataclass(frozen=True)
class _ReadEntries:
    """All entries of a member, to whatever raffle."""

    async def __call__(
        self, context: Context, member_ids: Sequence[UUID], before: UUID | None, limit: int
    ) -> list[tuple[UUID, EntryRow]]:
        async with context.database.snapshot() as snapshot:
            rows = await queries.list_entries_of_members(
                snapshot, context.caller.brand_id, member_ids, before=before, limit=limit
            )
        return [(row.member_id, row) for row in rows]


@strawberry.type
class MemberRaffles:
    """Of a member, for whoever sees it."""

    @strawberry.field(graphql_type=Connection[RaffleEntry])
    async def raffle_entries(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[EntryRow]:
        """This member's entries to raffles (参与记录), newest first."""
        return await page_of_member(info.context, _ReadEntries(), row.id, first, after)
