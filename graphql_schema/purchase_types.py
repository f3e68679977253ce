"""What callers see of purchases (消费) and their returns (退货)."""

from collections.abc import Sequence
from datetime import date, datetime
from operator import attrgetter
from uuid import UUID

import strawberry

from graphql_schema.acting import is_own
from graphql_schema.channel_shares import ChannelShare, Share, of_purchase
from graphql_schema.context import Context, Info
from graphql_schema.coupons import Coupon, coupons_given
from graphql_schema.draws import DrawReceipt, draws_given
from graphql_schema.enums import MemberRole, PurchaseSource
from graphql_schema.loaders import product_loader, row_loader, rows_loader
from graphql_schema.member_lists import page_of_member
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import Connection, encode_id
from graphql_schema.places import Place, place_loader
from graphql_schema.products import Product
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Grant
from loyalty.members.models import Member as MemberRow
from loyalty.places.models import Place as PlaceRow
from loyalty.products.models import Product as ProductRow
from rewards.coupons.states import CouponView
from rewards.draws.models import Draw
from rewards.purchases import queries
from rewards.purchases.models import PurchaseEvent
from rewards.purchases.models import PurchaseLine as LineRow
from rewards.returns import queries as return_queries
from rewards.returns.models import PurchaseReturn as ReturnRow
from rewards.returns.models import PurchaseReturnLine as ReturnLineRow
from rewards.returns.models import PurchaseReturnTaking as TakingRow

line_loader = rows_loader(queries.list_lines, parent=attrgetter("purchase_id"))
return_loader = rows_loader(return_queries.list_returns, parent=attrgetter("purchase_id"))
return_line_loader = rows_loader(return_queries.list_lines, parent=attrgetter("return_id"))
taking_loader = rows_loader(return_queries.list_takings, parent=attrgetter("return_id"))
share_loader = rows_loader(queries.list_shares, parent=attrgetter("purchase_id"))
purchase_loader = row_loader(queries.list_purchases_by_ids)


# --- types ---------------------------------------------------------------------------------------


@strawberry.type(description="One kind of thing that was bought, and how much of it came back.")
class PurchaseLine:
    line_no: int
    sku: str
    quantity: BigInt
    amount_fen: BigInt
    returned_quantity: BigInt
    returned_fen: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, LineRow | cls)

    @strawberry.field(graphql_type=Product | None, description="Null for other goods.")
    async def product(self, row: strawberry.Parent[LineRow], info: Info) -> ProductRow | None:
        if row.product_id is None:
            return None
        return await info.context.loader(product_loader).load(row.product_id)


@strawberry.type(description="What of a line a return gave back.")
class PurchaseReturnLine:
    line_no: int
    quantity: BigInt
    amount_fen: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ReturnLineRow | cls)


@strawberry.type(
    description="What a return took of one asset: from the balance, what is owed since, and what of"
    " locked rewards will not come."
)
class PurchaseReturnTaking:
    asset: AssetCode
    taken: BigInt
    owed: BigInt
    voided: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TakingRow | cls)


@strawberry.type(description="What a return took of one asset from one role behind the place.")
class ChannelTaking:
    role: MemberRole
    asset: AssetCode
    taken: BigInt
    owed: BigInt
    voided: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TakingRow | cls)


@strawberry.type(description="Some or all of a purchase given back.")
class PurchaseReturn:
    return_ref: str
    amount_fen: BigInt
    left_fen: BigInt = strawberry.field(description="What was left of the purchase after it.")
    reason: str

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ReturnRow | cls)

    @strawberry.field
    def returned_at(self, row: strawberry.Parent[ReturnRow]) -> datetime:
        return row.created_at

    @strawberry.field(graphql_type=list[PurchaseReturnLine])
    async def lines(self, row: strawberry.Parent[ReturnRow], info: Info) -> list[ReturnLineRow]:
        return await info.context.loader(return_line_loader).load(row.id)

    @strawberry.field(graphql_type=list[PurchaseReturnTaking], description="From the buyer.")
    async def takings(self, row: strawberry.Parent[ReturnRow], info: Info) -> list[TakingRow]:
        takings = await info.context.loader(taking_loader).load(row.id)
        return [each for each in takings if each.role == MemberRole.CONSUMER]

    @strawberry.field(
        graphql_type=list[ChannelTaking] | None,
        description="From who was behind the place; for operators.",
    )
    async def channel_takings(
        self, row: strawberry.Parent[ReturnRow], info: Info
    ) -> list[TakingRow] | None:
        if Grant.READ not in info.context.caller.grants:
            return None
        takings = await info.context.loader(taking_loader).load(row.id)
        return [each for each in takings if each.role != MemberRole.CONSUMER]


@strawberry.type(description="What a member bought: fen of the brand's currency.")
class Purchase(Node):
    id: strawberry.ID = id_field("Purchase")
    purchase_ref: str
    source: PurchaseSource
    purchased_on: date = strawberry.field(description="The day in the brand's time zone.")
    occurred_at: datetime
    quantity: BigInt
    amount_fen: BigInt
    returned_fen: BigInt
    points_granted: BigInt = strawberry.field(description="At once; returns took from them since.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PurchaseEvent | cls)

    @strawberry.field
    def recorded_at(self, row: strawberry.Parent[PurchaseEvent]) -> datetime:
        return row.created_at

    @strawberry.field(description="Who bought; what a merged member had, another has now.")
    def member_id(self, row: strawberry.Parent[PurchaseEvent]) -> strawberry.ID:
        return encode_id("Member", row.member_id)

    @strawberry.field(
        graphql_type=Place | None, description="Where it was made; null where nobody told."
    )
    async def place(self, row: strawberry.Parent[PurchaseEvent], info: Info) -> PlaceRow | None:
        if row.place_id is None:
            return None
        return await info.context.loader(place_loader).load(row.place_id)

    @strawberry.field(graphql_type=list[PurchaseLine], description="None where nobody told.")
    async def lines(self, row: strawberry.Parent[PurchaseEvent], info: Info) -> list[LineRow]:
        return await info.context.loader(line_loader).load(row.id)

    @strawberry.field(
        graphql_type=list[ChannelShare] | None,
        description="Of a purchase that was rewarded: one for each role behind its place that its"
        " campaign pays; for operators.",
    )
    async def channel(
        self, row: strawberry.Parent[PurchaseEvent], info: Info
    ) -> list[Share] | None:
        if Grant.READ not in info.context.caller.grants:
            return None
        return [of_purchase(each) for each in await info.context.loader(share_loader).load(row.id)]

    @strawberry.field(
        graphql_type=list[Coupon],
        description="What of coupons it gave: for operators to whomever, for a member its own.",
    )
    async def coupons(self, row: strawberry.Parent[PurchaseEvent], info: Info) -> list[CouponView]:
        return await coupons_given(info.context, row.id)

    @strawberry.field(
        graphql_type=list[DrawReceipt],
        description="Its draws: for operators whoever's they are, for a member its own.",
    )
    async def draws(self, row: strawberry.Parent[PurchaseEvent], info: Info) -> list[Draw]:
        return await draws_given(info.context, row.id)

    @strawberry.field(graphql_type=list[PurchaseReturn], description="Oldest first.")
    async def returns(self, row: strawberry.Parent[PurchaseEvent], info: Info) -> list[ReturnRow]:
        return await info.context.loader(return_loader).load(row.id)


async def _read_purchases(
    context: Context, member_ids: Sequence[UUID], before: UUID | None, limit: int
) -> list[tuple[UUID, PurchaseEvent]]:
    return await queries.read_purchases(
        context.database, context.caller.brand_id, member_ids, before=before, limit=limit
    )


async def purchases_of(
    context: Context, member_id: UUID, first: int | None, after: str | None
) -> Connection[PurchaseEvent]:
    """A page of what a member has bought; whoever sees the member may see it."""
    return await page_of_member(context, _read_purchases, member_id, first, after)


@strawberry.type
class MemberPurchases:
    """What a member's type has of purchases."""

    @strawberry.field(graphql_type=Connection[Purchase])
    async def purchases(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[PurchaseEvent]:
        """What this member has bought, recorded last first."""
        return await purchases_of(info.context, row.id, first, after)


async def fetch_purchase(context: Context, id: UUID) -> PurchaseEvent | None:
    """For ``node``: an operator sees the brand's purchases, a member its own and those of who was
    merged into it."""
    row = await context.loader(purchase_loader).load(id)
    if row is None or Grant.READ in context.caller.grants:
        return row
    return row if await is_own(context, row.member_id) else None
