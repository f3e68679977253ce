"""What the mall's offers look like: to members with what they are to them, to operators whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.coupon_templates import CouponTerms, template_loader
from graphql_schema.enums import Availability, LimitWindow, OfferKind, OfferStatus
from graphql_schema.nodes import Node, id_field
from graphql_schema.scalars import AssetCode, BigInt
from graphql_schema.tier_types import Level
from loyalty.actor import Grant
from rewards.coupons.models import CouponTemplate
from rewards.offers import terms
from rewards.offers.models import Offer
from rewards.offers.rules import Mine
from rewards.offers.terms import Part
from tiers.ladders import rules


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer, and what it is to the member who asks for what is on sale."""

    offer: Offer
    mine: Mine | None = None

    @property
    def id(self) -> UUID:
        return self.offer.id


@strawberry.type(description="So much of an asset; CASH is in fen.")
class AssetAmount:
    asset: AssetCode
    amount: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, Part | cls)


@strawberry.type(description="What a piece costs from a rank up; no parts: nothing.")
class OfferPrice:
    rank_min: int
    parts: list[AssetAmount]

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, terms.RankPrice | cls)


@strawberry.type(description="How many pieces a member may take in a window, from a rank up.")
class OfferLimit:
    window: LimitWindow
    rank_min: int
    times_max: int

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, terms.RankLimit | cls)


@strawberry.type(description="What an offer is to the calling member now.")
class MyOfferTerms:
    missing: list[AssetAmount] = strawberry.field(
        description="What its balances lack for one piece and the fee."
    )
    times_left: int | None = strawberry.field(
        description="How many pieces it may still take today by its limits; null: no end."
    )
    availability: Availability
    level_needed: rules.Level | None = strawberry.field(
        graphql_type=Level | None, description="RANK_TOO_LOW: the lowest level that may take it."
    )
    limit_reached: LimitWindow | None = strawberry.field(
        description="The longest window whose limit is used up: ALL for good, else until it ends."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, Mine | cls)

    @strawberry.field(graphql_type=list[AssetAmount], description="Of one piece, at its rank.")
    def price(self, row: strawberry.Parent[Mine]) -> Sequence[Part]:
        return row.access.price

    @strawberry.field(graphql_type=AssetAmount | None, description="Of an order; null: none.")
    def fee(self, row: strawberry.Parent[Mine]) -> Part | None:
        return row.access.fee

    @strawberry.field(
        description="When it opens to the member, or did; null: it was never closed to anybody."
    )
    def opens_at(self, row: strawberry.Parent[Mine]) -> datetime | None:
        return row.access.opens_at

    @strawberry.field(description="One piece and the fee.")
    def can_afford(self, row: strawberry.Parent[Mine]) -> bool:
        return not row.missing


@strawberry.type(
    description="What the coupons of an offer promise (兑换券). Both dates are included; usableDays"
    " counts from the day of issue."
)
class OfferCoupon(CouponTerms):
    code: str = strawberry.field(description="The template's.")
    usable_from: date | None
    usable_until: date | None
    usable_days: int | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, CouponTemplate | cls)


@strawberry.type(
    description="Something in the points mall (兑换商品). Of its prices, and of its limits of each"
    " window, the one with the highest rankMin counts that a member's rank meets."
)
class MallOffer(Node):
    id: strawberry.ID = id_field("MallOffer")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, OfferView | cls)

    @strawberry.field
    def code(self, row: strawberry.Parent[OfferView]) -> str:
        return row.offer.code

    @strawberry.field
    def name_zh(self, row: strawberry.Parent[OfferView]) -> str:
        return row.offer.name_zh

    @strawberry.field
    def name_en(self, row: strawberry.Parent[OfferView]) -> str:
        return row.offer.name_en

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[OfferView], info: Info) -> str:
        return row.offer.name_en if info.context.language == "en" else row.offer.name_zh

    @strawberry.field
    def description_zh(self, row: strawberry.Parent[OfferView]) -> str:
        return row.offer.description_zh

    @strawberry.field
    def description_en(self, row: strawberry.Parent[OfferView]) -> str:
        return row.offer.description_en

    @strawberry.field(description="An https address.")
    def picture_url(self, row: strawberry.Parent[OfferView]) -> str | None:
        return row.offer.picture_url

    @strawberry.field
    def kind(self, row: strawberry.Parent[OfferView]) -> OfferKind:
        return OfferKind(row.offer.kind)

    @strawberry.field(graphql_type=AssetAmount | None, description="ASSET: what a piece gives.")
    def gives(self, row: strawberry.Parent[OfferView]) -> Part | None:
        offer = row.offer
        if offer.given_asset is None or offer.given_amount is None:
            return None
        return Part(offer.given_asset, offer.given_amount)

    @strawberry.field(description="COUPON: the code of the template that a piece is a coupon of.")
    async def template_code(self, row: strawberry.Parent[OfferView], info: Info) -> str | None:
        if row.offer.template_id is None:
            return None
        template = await info.context.loader(template_loader).load(row.offer.template_id)
        return None if template is None else template.code

    @strawberry.field(graphql_type=OfferCoupon | None, description="COUPON: what a piece promises.")
    async def coupon(self, row: strawberry.Parent[OfferView], info: Info) -> CouponTemplate | None:
        if row.offer.template_id is None:
            return None
        return await info.context.loader(template_loader).load(row.offer.template_id)

    @strawberry.field(graphql_type=list[OfferPrice])
    def prices(self, row: strawberry.Parent[OfferView]) -> Sequence[terms.RankPrice]:
        return terms.prices_of(row.offer)

    @strawberry.field(graphql_type=AssetAmount | None, description="Of an order, unless waived.")
    def fee(self, row: strawberry.Parent[OfferView]) -> Part | None:
        return terms.fee_of(row.offer)

    @strawberry.field(graphql_type=list[OfferLimit])
    def limits(self, row: strawberry.Parent[OfferView]) -> Sequence[terms.RankLimit]:
        return terms.limits_of(row.offer)

    @strawberry.field(description="From this rank up.")
    def rank_min(self, row: strawberry.Parent[OfferView]) -> int:
        return row.offer.rank_min

    @strawberry.field(description="When it opens to everyone; null: with startsAt.")
    def opens_at(self, row: strawberry.Parent[OfferView]) -> datetime | None:
        return row.offer.opens_at

    @strawberry.field(description="To ranks of earlyRankMin or more it opens so much earlier.")
    def early_hours(self, row: strawberry.Parent[OfferView]) -> int | None:
        return terms.early_hours_of(row.offer)

    @strawberry.field
    def early_rank_min(self, row: strawberry.Parent[OfferView]) -> int | None:
        return row.offer.early_rank_min

    @strawberry.field
    def starts_at(self, row: strawberry.Parent[OfferView]) -> datetime | None:
        return row.offer.starts_at

    @strawberry.field
    def ends_at(self, row: strawberry.Parent[OfferView]) -> datetime | None:
        return row.offer.ends_at

    @strawberry.field
    def status(self, row: strawberry.Parent[OfferView]) -> OfferStatus:
        return OfferStatus(row.offer.status)

    @strawberry.field(description="For operators, as all that tells how much was taken.")
    def stock_max(self, row: strawberry.Parent[OfferView], info: Info) -> BigInt | None:
        return _told(info, row.offer.stock_max)

    @strawberry.field(description="Pieces a day of the brand; for operators.")
    def per_day_max(self, row: strawberry.Parent[OfferView], info: Info) -> BigInt | None:
        return _told(info, row.offer.per_day_max)

    @strawberry.field(description="Pieces taken, without cancelled ones; for operators.")
    def taken(self, row: strawberry.Parent[OfferView], info: Info) -> BigInt | None:
        return _told(info, row.offer.taken)

    @strawberry.field(description="How many there are left today; for members. Null: no end.")
    def stock_left(self, row: strawberry.Parent[OfferView]) -> BigInt | None:
        left = None if row.mine is None else row.mine.stock_left
        return None if left is None else BigInt(left)

    @strawberry.field(graphql_type=MyOfferTerms | None, description="For members, in the mall.")
    def mine(self, row: strawberry.Parent[OfferView]) -> Mine | None:
        return row.mine


def _told(info: Info, count: int | None) -> BigInt | None:
    is_operator = Grant.READ in info.context.caller.grants
    return BigInt(count) if is_operator and count is not None else None
