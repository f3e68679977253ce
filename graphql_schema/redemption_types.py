"""What a till sees of a coupon, and a redemption with its steps."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.coupons import Coupon, coupon_loader
from graphql_schema.enums import NotUsableReason, RedemptionStatus, RedemptionStep
from graphql_schema.loaders import member_loader, rows_loader, value_loader
from graphql_schema.members import Member
from graphql_schema.nodes import Node, id_field
from graphql_schema.places import Place, place_loader
from graphql_schema.products import Product
from graphql_schema.scalars import BigInt
from loyalty.actor import ActorKind, Grant
from loyalty.db import Snapshot
from loyalty.members.models import Member as MemberRow
from loyalty.places.models import Place as PlaceRow
from loyalty.products.models import Product as ProductRow
from rewards.alliances.queries import list_ever_in_force
from rewards.alliances.terms import terms_of
from rewards.coupons.states import CouponView
from rewards.redemptions import queries
from rewards.redemptions.models import Redemption as RedemptionRow
from rewards.redemptions.models import RedemptionEvent as EventRow
from rewards.redemptions.rules import CouponAtTill as AtTillRow
from rewards.redemptions.rules import PartnersCoupon as PartnersCouponRow
from rewards.redemptions.rules import Taken as TakenRow
from rewards.redemptions.rules import steps_to

# --- loaders -----------------------------------------------------------------------------------


async def _partners_by_template(
    snapshot: Snapshot, brand_id: UUID, template_ids: Sequence[UUID]
) -> dict[UUID, PartnersCouponRow]:
    wanted = set(template_ids)
    return {
        line.template_id: PartnersCouponRow(line.template_code, line.name_zh, line.name_en)
        for _, version in await list_ever_in_force(snapshot, brand_id)
        for line in terms_of(version.terms).lines
        if line.template_id in wanted
    }


partners_loader = value_loader(_partners_by_template)
event_loader = rows_loader(queries.list_events, parent=attrgetter("redemption_id"))
till_name_loader = value_loader(queries.list_till_names)
clerk_name_loader = value_loader(queries.list_clerk_names)


# --- types -------------------------------------------------------------------------------------


@strawberry.type(
    description="A step of a redemption. Its till and clerk are null where it was"
    " taken by an operator, or by itself (LAPSE)."
)
class RedemptionEvent:
    step: RedemptionStep
    actor_kind: str
    reason: str | None
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, EventRow | cls)

    @strawberry.field
    async def till_name(self, row: strawberry.Parent[EventRow], info: Info) -> str | None:
        if row.till_id is None:
            return None
        return await info.context.loader(till_name_loader).load(row.till_id)

    @strawberry.field
    async def clerk_name(self, row: strawberry.Parent[EventRow], info: Info) -> str | None:
        if row.actor_kind != ActorKind.CLERK.value:
            return None
        return await info.context.loader(clerk_name_loader).load(row.actor_id)


@strawberry.type(description="Another brand's coupon, by what its agreement names.")
class PartnersCoupon:
    template_code: str
    name_zh: str
    name_en: str

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PartnersCouponRow | cls)


@strawberry.type(
    description="A coupon taken at a till (核销单). discountFen is what the till takes off; payFen"
    " what the customer pays for the product; rebateFen what the store is credited once settled."
    " A hold that nobody captured before heldUntil is LAPSED."
)
class Redemption(Node):
    id: strawberry.ID = id_field("Redemption")
    status: RedemptionStatus
    basket_fen: BigInt | None
    discount_fen: BigInt
    pay_fen: BigInt | None
    rebate_fen: BigInt
    held_at: datetime
    held_until: datetime
    captured_at: datetime | None
    settled_at: datetime | None
    ended_at: datetime | None
    reason: str | None = strawberry.field(description="Why it was reversed.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, RedemptionRow | cls)

    @strawberry.field(graphql_type=Product | None, description="What the customer gets.")
    async def product(self, row: strawberry.Parent[RedemptionRow], info: Info) -> ProductRow | None:
        return None if row.product_id is None else await info.context.product(row.product_id)

    @strawberry.field(graphql_type=Coupon | None)
    async def coupon(self, row: strawberry.Parent[RedemptionRow], info: Info) -> CouponView | None:
        return await info.context.loader(coupon_loader).load(row.coupon_id)

    @strawberry.field(
        graphql_type=PartnersCoupon | None,
        description="What it is where it is another brand's: then coupon and member are null.",
    )
    async def partners_coupon(
        self, row: strawberry.Parent[RedemptionRow], info: Info
    ) -> PartnersCouponRow | None:
        if row.coupon_brand_id == row.brand_id:
            return None
        return await info.context.loader(partners_loader).load(row.template_id)

    @strawberry.field(graphql_type=Member | None, description="Null for all but operators.")
    async def member(self, row: strawberry.Parent[RedemptionRow], info: Info) -> MemberRow | None:
        if Grant.READ not in info.context.caller.grants:
            return None
        if row.member_id is None:
            return None
        return await info.context.loader(member_loader).load(row.member_id)

    @strawberry.field(graphql_type=Place)
    async def place(self, row: strawberry.Parent[RedemptionRow], info: Info) -> PlaceRow:
        return await info.context.loader(place_loader).load(row.place_id)

    @strawberry.field(description="The till that holds or held it.")
    async def till_name(self, row: strawberry.Parent[RedemptionRow], info: Info) -> str:
        return await info.context.loader(till_name_loader).load(row.till_id)

    @strawberry.field(description="Who took it there.")
    async def clerk_name(self, row: strawberry.Parent[RedemptionRow], info: Info) -> str:
        return await info.context.loader(clerk_name_loader).load(row.clerk_id)

    @strawberry.field(graphql_type=list[RedemptionEvent], description="First to last.")
    async def events(self, row: strawberry.Parent[RedemptionRow], info: Info) -> list[EventRow]:
        # Those that led to the status told: what a replay tells is older than the rows.
        steps = steps_to(RedemptionStatus(row.status))
        found = await info.context.loader(event_loader).load(row.id)
        return sorted(
            (event for event in found if event.step in steps),
            key=lambda event: steps.index(RedemptionStep(event.step)),
        )


@strawberry.type(
    description="Who has a coupon: HELD for some minutes, or CAPTURED. The names are null where it"
    " is another brand's coupon at another brand's till."
)
class CouponTakenBy:
    place_name: str | None
    till_name: str | None
    at: datetime
    status: RedemptionStatus

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TakenRow | cls)


@strawberry.type(
    description="What a coupon would do here, now and to this basket. Looking takes nothing. The"
    " amounts are null where it cannot be used: notUsableReason says why. It cannot be held either"
    " while takenBy is not null."
)
class CouponAtTill:
    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, AtTillRow | cls)

    @strawberry.field(graphql_type=Coupon | None)
    async def coupon(self, row: strawberry.Parent[AtTillRow], info: Info) -> CouponView | None:
        return await info.context.loader(coupon_loader).load(row.coupon.id)

    @strawberry.field(
        graphql_type=PartnersCoupon | None,
        description="What it is where it is another brand's: then coupon is null.",
    )
    def partners_coupon(self, row: strawberry.Parent[AtTillRow]) -> PartnersCouponRow | None:
        return row.partners

    @strawberry.field
    def not_usable_reason(self, row: strawberry.Parent[AtTillRow]) -> NotUsableReason | None:
        return row.reason

    @strawberry.field(description="What the till takes off.")
    def discount_fen(self, row: strawberry.Parent[AtTillRow]) -> BigInt | None:
        return None if row.quote is None else BigInt(row.quote.discount_fen)

    @strawberry.field(description="What the customer pays for the product.")
    def pay_fen(self, row: strawberry.Parent[AtTillRow]) -> BigInt | None:
        pay_fen = None if row.quote is None else row.quote.pay_fen
        return None if pay_fen is None else BigInt(pay_fen)

    @strawberry.field(graphql_type=Product | None, description="What the customer gets.")
    async def product(self, row: strawberry.Parent[AtTillRow], info: Info) -> ProductRow | None:
        product_id = None if row.quote is None else row.quote.product_id
        return None if product_id is None else await info.context.product(product_id)

    @strawberry.field(description="What the store is credited.")
    def rebate_fen(self, row: strawberry.Parent[AtTillRow]) -> BigInt | None:
        return None if row.quote is None else BigInt(row.quote.rebate_fen)

    @strawberry.field(graphql_type=CouponTakenBy | None)
    def taken_by(self, row: strawberry.Parent[AtTillRow]) -> TakenRow | None:
        return row.taken
