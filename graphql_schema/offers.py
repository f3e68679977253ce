"""The points mall (积分商城): what is on sale to a member, and how operators make and change it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import LimitWindow, OfferKind, OfferStatus
from graphql_schema.loaders import row_loader
from graphql_schema.nodes import local_id
from graphql_schema.offer_types import MallOffer, OfferView
from graphql_schema.pagination import Connection, Cursor, connection_of, page_of
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, ActorKind, Grant, MemberRole
from loyalty.clock import local_date
from loyalty.db import Snapshot, Tx
from loyalty.ledger.queries import list_balances
from loyalty.members.queries import find_member
from rewards.coupons.queries import list_templates_by_ids
from rewards.offers import queries, service
from rewards.offers.rules import access, mine, window_keys
from rewards.offers.terms import OfferGives, OfferTerms, Part, RankLimit, RankPrice

CURSOR = Cursor(UUID)

offer_loader = row_loader(queries.list_offers_by_ids)


# --- what is on sale ---------------------------------------------------------------------------


async def list_mall(
    snapshot: Snapshot,
    actor: Actor,
    timezone: str,
    *,
    only_open: bool = True,
    ids: Sequence[UUID] | None = None,
    before: UUID | None = None,
    limit: int,
) -> list[OfferView]:
    """What the calling member may take now, or all that is on sale, with its own terms: so many
    statements for any number of offers."""
    brand_id, today = actor.brand_id, local_date(snapshot.now, timezone)
    member = await find_member(snapshot, brand_id, actor.id, actor.role)
    buyer = (
        await service.find_buyer(snapshot, member, today)
        if member
        else await service.find_newcomer(snapshot, brand_id, actor.role)
    )
    offers = await queries.list_offers_on_sale(
        snapshot,
        brand_id,
        rank=buyer.rank,
        privileges=buyer.privileges,
        opened_before=snapshot.now + timedelta(hours=buyer.privileges.early_hours),
        today=today,
        only_open=only_open,
        ids=ids,
        before=before,
        limit=limit,
    )
    if not offers:
        return []
    offer_ids = [offer.id for offer in offers]
    balances = await list_balances(snapshot, brand_id, member.id, today) if member else []
    keys = window_keys(today).values()
    used = await queries.find_used(snapshot, brand_id, member.id, offer_ids, keys) if member else {}
    taken = await queries.find_taken_on(snapshot, brand_id, offer_ids, today)
    templates = [offer.template_id for offer in offers if offer.template_id is not None]
    coupons_left = {
        template.id: template.stock_max - template.issued
        for template in await list_templates_by_ids(snapshot, brand_id, templates)
        if template.stock_max is not None
    }
    return [
        OfferView(
            offer,
            mine(
                offer,
                access(offer, buyer.rank, buyer.privileges, snapshot.now),
                {row.asset: row.spendable for row in balances},
                used.get(offer.id, {}),
                today,
                taken.get(offer.id, 0),
                coupons_left.get(offer.template_id) if offer.template_id else None,
                buyer.ladder,
            ),
        )
        for offer in offers
    ]


async def fetch_offer(context: Context, id: UUID) -> OfferView | None:
    """For ``node``: operators see the brand's offers, a consumer what is on sale."""
    actor = context.caller
    if Grant.READ in actor.grants:
        offer = await context.loader(offer_loader).load(id)
        return None if offer is None else OfferView(offer)
    if actor.kind is not ActorKind.MEMBER or actor.role != MemberRole.CONSUMER:
        return None
    timezone = await context.timezone(actor.brand_id)
    async with context.database.snapshot() as snapshot:
        views = await list_mall(snapshot, actor, timezone, only_open=False, ids=[id], limit=1)
    return views[0] if views else None


# --- what operators say ------------------------------------------------------------------------


@strawberry.input
class AssetAmountInput:
    asset: AssetCode
    amount: BigInt


@strawberry.input(description="No parts: nothing, from this rank up.")
class OfferPriceInput:
    rank_min: int = 0
    parts: list[AssetAmountInput]


@strawberry.input
class OfferLimitInput:
    window: LimitWindow
    times_max: int
    rank_min: int = 0


@strawberry.input(
    description="What a piece is, for good. COUPON: templateId; ASSET: asset and amount; GIFT: what"
    " the words say."
)
class OfferGivesInput:
    kind: OfferKind
    template_id: strawberry.ID | None = None
    asset: AssetCode | None = None
    amount: BigInt | None = None


@strawberry.input(
    description="All that can be changed of an offer; always given whole. It needs a price for rank"
    " 0; a price or a limit of a rank counts from that rank up. stockMax null: no end. It is there"
    " from startsAt until endsAt, to everyone from opensAt, to ranks of earlyRankMin or more"
    " earlyHours before that."
)
class OfferTermsInput:
    name_zh: str
    name_en: str
    description_zh: str = ""
    description_en: str = ""
    picture_url: str | None = strawberry.field(default=None, description="An https address.")
    prices: list[OfferPriceInput]
    fee: AssetAmountInput | None = strawberry.field(
        default=None, description="Of each order, for delivery or such."
    )
    stock_max: BigInt | None = None
    per_day_max: BigInt | None = None
    limits: list[OfferLimitInput] = strawberry.field(default_factory=list)
    rank_min: int = 0
    opens_at: datetime | None = None
    early_hours: int | None = None
    early_rank_min: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@strawberry.input
class CreateOfferInput:
    idempotency_key: strawberry.ID
    code: str
    gives: OfferGivesInput
    terms: OfferTermsInput


@strawberry.input
class UpdateOfferInput:
    idempotency_key: strawberry.ID
    offer_id: strawberry.ID
    terms: OfferTermsInput
    status: OfferStatus


@strawberry.type
class CreateOfferReceipt:
    replayed: bool
    offer: OfferView = strawberry.field(graphql_type=MallOffer)


@strawberry.type
class UpdateOfferReceipt:
    replayed: bool
    offer: OfferView = strawberry.field(graphql_type=MallOffer)


CreateOfferResult = Annotated[CreateOfferReceipt | Refused, strawberry.union("CreateOfferResult")]
UpdateOfferResult = Annotated[UpdateOfferReceipt | Refused, strawberry.union("UpdateOfferResult")]


def _part(given: AssetAmountInput) -> Part:
    return Part(given.asset, given.amount)


def _gives_of(given: OfferGivesInput) -> OfferGives:
    template_id = given.template_id
    return OfferGives(
        kind=given.kind,
        template_id=None if template_id is None else local_id("CouponTemplate", template_id),
        asset=given.asset,
        amount=given.amount,
    )


def _terms_of(given: OfferTermsInput) -> OfferTerms:
    """The input as the value that rules check."""
    return OfferTerms(
        name_zh=given.name_zh,
        name_en=given.name_en,
        description_zh=given.description_zh,
        description_en=given.description_en,
        picture_url=given.picture_url,
        prices=tuple(
            RankPrice(price.rank_min, tuple(_part(part) for part in price.parts))
            for price in given.prices
        ),
        fee=None if given.fee is None else _part(given.fee),
        stock_max=given.stock_max,
        per_day_max=given.per_day_max,
        limits=tuple(
            RankLimit(limit.window, limit.rank_min, limit.times_max) for limit in given.limits
        ),
        rank_min=given.rank_min,
        opens_at=given.opens_at,
        early_hours=given.early_hours,
        early_rank_min=given.early_rank_min,
        starts_at=given.starts_at,
        ends_at=given.ends_at,
    )


async def _offer(context: Context, id: str) -> OfferView:
    async with context.database.snapshot() as snapshot:
        return OfferView(await queries.get_offer(snapshot, context.caller.brand_id, UUID(hex=id)))


@strawberry.type
class OfferQuery:
    @strawberry.field(
        graphql_type=Connection[MallOffer], extensions=[IsMember(MemberRole.CONSUMER)]
    )
    async def mall(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        available_only: Annotated[
            bool,
            strawberry.argument(
                description="False: also what is sold out for good, above the caller's level or not"
                " open to it yet; mine.availability says which. Never what is paused, over, before"
                " its startsAt, or gives what is no longer given."
            ),
        ] = True,
    ) -> Connection[OfferView]:
        """What is on sale to the caller for points, cash or chances (积分商城), newest first, with
        its own price, limits and what it lacks."""
        page = page_of(CURSOR, first, after)
        actor = info.context.caller
        timezone = await info.context.timezone(actor.brand_id)
        async with info.context.database.snapshot() as snapshot:
            views = await list_mall(
                snapshot,
                actor,
                timezone,
                only_open=available_only,
                before=page.start[0] if page.start else None,
                limit=page.limit,
            )
        return connection_of(views, page, CURSOR, key=lambda view: (view.id,))

    @strawberry.field(graphql_type=Connection[MallOffer], extensions=[HasGrant(Grant.READ)])
    async def mall_offers(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[OfferView]:
        """All of the mall's offers, newest first."""
        page = page_of(CURSOR, first, after)
        async with info.context.database.snapshot() as snapshot:
            rows = await queries.list_offers(
                snapshot,
                info.context.caller.brand_id,
                before=page.start[0] if page.start else None,
                limit=page.limit,
            )
        views = [OfferView(row) for row in rows]
        return connection_of(views, page, CURSOR, key=lambda view: (view.id,))


@strawberry.type
class OfferMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def create_offer(self, info: Info, input: CreateOfferInput) -> CreateOfferResult:
        """Put something into the points mall; on sale at once, as its terms say."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            gives, terms = _gives_of(input.gives), _terms_of(input.terms)
            offer = await service.create_offer(tx, actor, input.code, gives, terms)
            return {"id": offer.id.hex}

        reply, replayed = await effect_once(info.context, "createOffer", input, verb)
        return CreateOfferReceipt(replayed=replayed, offer=await _offer(info.context, reply["id"]))

    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def update_offer(self, info: Info, input: UpdateOfferInput) -> UpdateOfferResult:
        """Change what an offer costs, its stock, limits, times and words, pause it or go on. The
        stock is never less than what is taken; orders stay as they are."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            offer_id = local_id("MallOffer", input.offer_id)
            terms = _terms_of(input.terms)
            offer = await service.update_offer(tx, actor, offer_id, terms, input.status)
            return {"id": offer.id.hex}

        reply, replayed = await effect_once(info.context, "updateOffer", input, verb)
        return UpdateOfferReceipt(replayed=replayed, offer=await _offer(info.context, reply["id"]))
