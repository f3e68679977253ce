"""Recording purchases (消费) and taking them back (退货), and the brand's list of them."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.bonuses import Bonus, bonuses_of
from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import PurchaseSource
from graphql_schema.ledger import Balance
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import local_id
from graphql_schema.pagination import Connection, Cursor, find_id_of
from graphql_schema.permissions import HasGrant
from graphql_schema.purchase_types import Purchase, PurchaseReturnTaking, purchases_of
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty import keyed
from loyalty.actor import Actor, Grant
from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.ledger.queries import BalanceRow, list_balances
from rewards.purchases import queries, service
from rewards.purchases.models import PurchaseEvent
from rewards.purchases.reading import LineReport, PurchaseReport
from rewards.purchases.service import BuyerReport, Recorded
from rewards.returns.rules import LineRequest, ReturnRequest
from rewards.returns.service import ReturnResult, return_purchase
from tiers.ladders.rules import Level

CURSOR = Cursor(UUID)


@strawberry.input(description="A product of the brand by its id, or anything by its SKU.")
class PurchaseLineInput:
    line_no: int
    quantity: BigInt
    amount_fen: BigInt
    sku: str | None = None
    product_id: strawberry.ID | None = None


@strawberry.input(
    description="The buyer by memberId, externalRef or phone; of the last two one who is no member"
    " yet is enrolled. Lines, where there are any, come to quantity and amountFen."
)
class RecordPurchaseInput:
    idempotency_key: strawberry.ID
    purchase_ref: str = strawberry.field(description="The till's or the shop's own number of it.")
    occurred_at: datetime
    amount_fen: BigInt
    quantity: BigInt
    source: PurchaseSource
    member_id: strawberry.ID | None = None
    external_ref: str | None = None
    phone: str | None = None
    lines: list[PurchaseLineInput] = strawberry.field(default_factory=list)
    currency: str | None = strawberry.field(
        default=None, description="Refused unless it is the brand's."
    )
    place_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Where it was made; campaigns may run in some regions alone, and pay the store"
        " and the channel behind it.",
    )


@strawberry.input(description="Pieces of a line, an amount of it, or so many pieces for an amount.")
class ReturnLineInput:
    line_no: int
    quantity: BigInt | None = None
    amount_fen: BigInt | None = None


@strawberry.input(
    description="The purchase by its id or reference. Lines, or an amount, or, where neither is"
    " named, all that is left."
)
class ReturnPurchaseInput:
    idempotency_key: strawberry.ID
    return_ref: str = strawberry.field(description="The till's or the shop's own number of it.")
    reason: str = strawberry.field(description="Shown to the member, in its entries.")
    purchase_id: strawberry.ID | None = None
    purchase_ref: str | None = None
    amount_fen: BigInt | None = None
    lines: list[ReturnLineInput] = strawberry.field(default_factory=list)


@strawberry.type(description="One reward of a purchase. Locked: it waits for a named thing.")
class PurchaseReward:
    asset: AssetCode
    amount: BigInt
    locked: bool


@strawberry.type(description="The level held at that moment.")
class PurchaseTier:
    rank: int
    code: str
    name_zh: str
    name_en: str


@strawberry.type(description="What a purchase did. alreadyRecorded: another request had done it.")
class RecordPurchaseReceipt:
    replayed: bool
    already_recorded: bool
    purchase: PurchaseEvent = strawberry.field(graphql_type=Purchase)
    earned: list[PurchaseReward] = strawberry.field(description="What the first campaign gave.")
    tier_before: PurchaseTier | None
    tier_after: PurchaseTier | None
    balances: list[BalanceRow] = strawberry.field(graphql_type=list[Balance])

    @strawberry.field(description="What bonus campaigns gave on top.")
    async def bonuses(self, info: Info) -> list[Bonus]:
        return await bonuses_of(info.context, self.purchase.id)


@strawberry.type(description="What a return did. alreadyRecorded: another request had done it.")
class ReturnPurchaseReceipt:
    replayed: bool
    already_recorded: bool
    purchase: PurchaseEvent = strawberry.field(graphql_type=Purchase)
    amount_fen: BigInt
    taken: list[PurchaseReturnTaking]
    tier_before: PurchaseTier | None
    tier_after: PurchaseTier | None
    balances: list[BalanceRow] = strawberry.field(graphql_type=list[Balance])


RecordPurchaseResult = Annotated[
    RecordPurchaseReceipt | Refused, strawberry.union("RecordPurchaseResult")
]
ReturnPurchaseResult = Annotated[
    ReturnPurchaseReceipt | Refused, strawberry.union("ReturnPurchaseResult")
]


def _tier_json(level: Level | None) -> dict[str, Any] | None:
    if level is None:
        return None
    return {
        "rank": level.rank,
        "code": level.code,
        "name_zh": level.name_zh,
        "name_en": level.name_en,
    }


def _tier(stored: Mapping[str, Any] | None) -> PurchaseTier | None:
    return None if stored is None else PurchaseTier(**stored)


async def _purchase(context: Context, id: str) -> PurchaseEvent:
    key = (context.caller.brand_id, UUID(hex=id))
    async with context.database.snapshot() as snapshot:
        return await keyed.get_row(snapshot, PurchaseEvent, *key, "purchase")


async def _balances(tx: Tx, brand_id: UUID, member_id: UUID, timezone: str) -> list[dict[str, Any]]:
    today = local_date(tx.now, timezone)
    return [asdict(row) for row in await list_balances(tx, brand_id, member_id, today)]


def _report(input: RecordPurchaseInput) -> PurchaseReport:
    lines = tuple(
        LineReport(
            line.line_no,
            line.quantity,
            line.amount_fen,
            line.sku,
            None if line.product_id is None else local_id("Product", line.product_id),
        )
        for line in input.lines
    )
    return PurchaseReport(
        input.purchase_ref,
        input.occurred_at,
        input.quantity,
        input.amount_fen,
        input.source,
        lines,
        input.currency,
        None if input.place_id is None else local_id("Place", input.place_id),
    )


def _request(input: ReturnPurchaseInput) -> ReturnRequest:
    lines = tuple(LineRequest(line.line_no, line.quantity, line.amount_fen) for line in input.lines)
    return ReturnRequest(input.return_ref, input.reason, input.amount_fen, lines)


@strawberry.type
class PurchaseQuery:
    @strawberry.field(graphql_type=Connection[Purchase], extensions=[HasGrant(Grant.READ)])
    async def purchases(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        member_id: strawberry.ID | None = None,
    ) -> Connection[PurchaseEvent]:
        """What the brand's members have bought, recorded last first; of one of them, if named, and
        none of a member that the brand does not have."""
        context = info.context
        if member_id is not None:
            member = find_id_of("Member", member_id) or UUID(int=0)
            return await purchases_of(context, member, first, after)
        return await page_of_brand(context, queries.list_purchases, first, after)


@strawberry.type
class PurchaseMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.PURCHASES)])
    async def record_purchase(self, info: Info, input: RecordPurchaseInput) -> RecordPurchaseResult:
        """Record what a member bought, with what it earns by the campaigns of its time. A known
        purchaseRef with the same content has no second effect. A frozen member earns nothing."""
        context = info.context
        timezone = await context.timezone(context.caller.brand_id)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            member_id = None
            if input.member_id is not None:
                member_id = local_id("Member", input.member_id)
            done: Recorded = await service.record_purchase(
                tx,
                actor,
                context.keyring,
                _report(input),
                BuyerReport(member_id, input.external_ref, input.phone),
                context.services.configurations,
            )
            return {
                "id": done.purchase_id.hex,
                "again": not done.is_new,
                "earned": [asdict(one) for one in done.earned],
                "before": _tier_json(done.level_before),
                "after": _tier_json(done.level_after),
                "balances": await _balances(tx, actor.brand_id, done.member_id, timezone),
            }

        reply, replayed = await effect_once(context, "recordPurchase", input, verb)
        return RecordPurchaseReceipt(
            replayed=replayed,
            already_recorded=reply["again"],
            purchase=await _purchase(context, reply["id"]),
            earned=[PurchaseReward(**one) for one in reply["earned"]],
            tier_before=_tier(reply["before"]),
            tier_after=_tier(reply["after"]),
            balances=[BalanceRow(**row) for row in reply["balances"]],
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.PURCHASES)])
    async def return_purchase(self, info: Info, input: ReturnPurchaseInput) -> ReturnPurchaseResult:
        """Take back what was earned by what came back: of each reward its share, by the return
        policy of its campaign. A known returnRef with the same content has no second effect."""
        context = info.context
        timezone = await context.timezone(context.caller.brand_id)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            purchase_id = None
            if input.purchase_id is not None:
                purchase_id = local_id("Purchase", input.purchase_id)
            done: ReturnResult = await return_purchase(
                tx,
                actor,
                _request(input),
                purchase_id=purchase_id,
                purchase_ref=input.purchase_ref,
                cache=context.services.configurations,
            )
            takings = [{"asset": asset, **asdict(one)} for asset, one in done.takings.items()]
            return {
                "id": done.row.purchase_id.hex,
                "again": not done.is_new,
                "amount_fen": done.row.amount_fen,
                "taken": takings,
                "before": _tier_json(done.level_before),
                "after": _tier_json(done.level_after),
                "balances": await _balances(tx, actor.brand_id, done.owner_id, timezone),
            }

        reply, replayed = await effect_once(context, "returnPurchase", input, verb)
        return ReturnPurchaseReceipt(
            replayed=replayed,
            already_recorded=reply["again"],
            purchase=await _purchase(context, reply["id"]),
            amount_fen=reply["amount_fen"],
            taken=[PurchaseReturnTaking(**one) for one in reply["taken"]],
            tier_before=_tier(reply["before"]),
            tier_after=_tier(reply["after"]),
            balances=[BalanceRow(**row) for row in reply["balances"]],
        )
