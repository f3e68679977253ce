"""Campaigns, for operators."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.draw_inputs import CampaignDraw, DrawInput, shown, terms_of
from graphql_schema.effects import effect_once
from graphql_schema.enums import (
    CampaignStatus,
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    MemberRole,
    ReturnPolicy,
)
from graphql_schema.loaders import product_loader
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.outcomes import CouponOutcome, Outcome, OutcomeInput, outcome_of
from graphql_schema.pagination import Connection, Cursor, connection_of, page_of
from graphql_schema.permissions import HasGrant
from graphql_schema.products import Product
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.errors import InvalidInput
from loyalty.products.models import Product as ProductRow
from loyalty.text import checked_instant
from rewards.campaigns import rules, service
from rewards.campaigns.caps import bonus_from_json, caps_from_json, limiting
from rewards.campaigns.models import Campaign as CampaignRow
from rewards.campaigns.models import CampaignBudget, CampaignVersion
from rewards.draws.terms import draw_from_json

CURSOR = Cursor(UUID)


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign with its newest version and its budgets."""

    campaign: CampaignRow
    version: CampaignVersion
    budgets: list[CampaignBudget]

    @property
    def id(self) -> UUID:
        return self.campaign.id


@strawberry.type(description="How much may be taken back of what a beneficiary got.")
class BeneficiaryReturnPolicy:
    beneficiary: MemberRole
    policy: ReturnPolicy


@strawberry.type(description="At most so many paid events of one subject in one window.")
class Cap:
    subject: CapSubject
    window: CapWindow
    times_max: BigInt


@strawberry.type(
    description="Of a bonus campaign: of its group one at most pays on top of an event's first"
    " campaign. bestOf: the one that gives the event's member most of an asset, not the first."
)
class BonusTerms:
    group: str
    best_of: AssetCode | None


@strawberry.type(description="What a campaign may give of one asset; reserved is locked rewards.")
class Budget:
    asset: AssetCode
    allowed: BigInt
    spent: BigInt
    reserved: BigInt


@strawberry.type(description="A campaign (活动) as last published.")
class Campaign(Node):
    id: strawberry.ID = id_field("Campaign")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, CampaignView | cls)

    @strawberry.field
    def code(self, row: strawberry.Parent[CampaignView]) -> str:
        return row.campaign.code

    @strawberry.field
    def version(self, row: strawberry.Parent[CampaignView]) -> int:
        return row.version.version

    @strawberry.field
    def status(self, row: strawberry.Parent[CampaignView]) -> CampaignStatus:
        return CampaignStatus(row.campaign.status)

    @strawberry.field
    def ended_at(self, row: strawberry.Parent[CampaignView]) -> datetime | None:
        return row.campaign.ended_at

    @strawberry.field(description="What an event has to meet (docs/conditions.md).")
    def condition(self, row: strawberry.Parent[CampaignView]) -> str | None:
        return row.version.condition

    @strawberry.field(description="The code of the type of CUSTOM events that it is for.")
    def event_type(self, row: strawberry.Parent[CampaignView]) -> str | None:
        return None if row.version.event_type is None else row.version.event_type["code"]

    @strawberry.field(
        graphql_type=BonusTerms | None, description="Of one that pays on top (docs/stacking.md)."
    )
    def bonus(self, row: strawberry.Parent[CampaignView]) -> rules.BonusTerms | None:
        return bonus_from_json(row.version.bonus)

    @strawberry.field(description="Codes of the regions that it runs in; none: everywhere.")
    def regions(self, row: strawberry.Parent[CampaignView]) -> list[str]:
        return row.version.regions

    @strawberry.field(description="What each paid scan draws (docs/draws.md).")
    def draw(self, row: strawberry.Parent[CampaignView]) -> CampaignDraw | None:
        return None if row.version.draw is None else shown(draw_from_json(row.version.draw))

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[CampaignView], info: Info) -> str:
        return row.version.name_en if info.context.language == "en" else row.version.name_zh

    @strawberry.field
    def event(self, row: strawberry.Parent[CampaignView]) -> EventKind:
        return EventKind(row.version.event)

    @strawberry.field
    def gate(self, row: strawberry.Parent[CampaignView]) -> Gate:
        return Gate(row.version.gate)

    @strawberry.field
    def priority(self, row: strawberry.Parent[CampaignView]) -> int:
        return row.version.priority

    @strawberry.field
    def starts_at(self, row: strawberry.Parent[CampaignView]) -> datetime | None:
        return row.version.starts_at

    @strawberry.field
    def ends_at(self, row: strawberry.Parent[CampaignView]) -> datetime | None:
        return row.version.ends_at

    @strawberry.field
    def published_at(self, row: strawberry.Parent[CampaignView]) -> datetime:
        return row.version.published_at

    @strawberry.field(graphql_type=Product | None)
    async def product(self, row: strawberry.Parent[CampaignView], info: Info) -> ProductRow | None:
        if row.version.product_id is None:
            return None
        return await info.context.loader(product_loader).load(row.version.product_id)

    @strawberry.field(graphql_type=list[Outcome])
    def outcomes(self, row: strawberry.Parent[CampaignView]) -> list[rules.Outcome]:
        return list(rules.outcomes_from_json(row.version.outcomes))

    @strawberry.field(graphql_type=list[CouponOutcome])
    def coupon_outcomes(self, row: strawberry.Parent[CampaignView]) -> list[rules.CouponOutcome]:
        return list(rules.coupons_from_json(row.version.outcomes))

    @strawberry.field(graphql_type=list[Cap])
    def caps(self, row: strawberry.Parent[CampaignView]) -> list[rules.Cap]:
        return list(limiting(caps_from_json(row.version.caps)))

    @strawberry.field(description="For returns and reversals, of each beneficiary that it pays.")
    def return_policies(
        self, row: strawberry.Parent[CampaignView]
    ) -> list[BeneficiaryReturnPolicy]:
        paid = {MemberRole(part["beneficiary"]) for part in row.version.outcomes}
        return policies_shown(rules.policies_from_json(row.version.return_policies), paid)

    @strawberry.field
    def budgets(self, row: strawberry.Parent[CampaignView]) -> list[Budget]:
        return [
            Budget(
                asset=AssetCode(budget.asset),
                allowed=BigInt(budget.allowed),
                spent=BigInt(budget.spent),
                reserved=BigInt(budget.reserved),
            )
            for budget in row.budgets
        ]


def policies_shown(
    stored: Mapping[MemberRole, ReturnPolicy], paid: Iterable[MemberRole]
) -> list[BeneficiaryReturnPolicy]:
    """The policy of each beneficiary, said or not."""
    return [
        BeneficiaryReturnPolicy(
            beneficiary=role, policy=stored.get(role, rules.DEFAULT_RETURN_POLICY)
        )
        for role in sorted(paid)
    ]


async def fetch_campaign(context: Context, id: UUID) -> CampaignView | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    views = await _views(context, only=id)
    return views[0] if views else None


async def get_view(context: Context, reply: Mapping[str, Any]) -> CampaignView:
    """The campaign that an effect was on, as it is now."""
    view = await fetch_campaign(context, UUID(hex=reply["id"]))
    if view is None:
        raise LookupError("a campaign is gone")
    return view


async def _views(
    context: Context,
    *,
    after: UUID | None = None,
    limit: int | None = None,
    only: UUID | None = None,
) -> list[CampaignView]:
    brand_id = context.caller.brand_id
    async with context.database.snapshot() as snapshot:
        rows = await service.list_campaigns(
            snapshot, brand_id, before=after, limit=limit, only=only
        )
        budgets = await service.list_budgets(
            snapshot, brand_id, [campaign.id for campaign, _ in rows]
        )
    return [
        CampaignView(campaign, version, [b for b in budgets if b.campaign_id == campaign.id])
        for campaign, version in rows
    ]


@strawberry.input
class ReturnPolicyInput:
    beneficiary: MemberRole
    policy: ReturnPolicy


@strawberry.input
class CapInput:
    subject: CapSubject
    window: CapWindow
    times_max: BigInt


@strawberry.input
class BudgetInput:
    asset: AssetCode
    allowed: BigInt


@strawberry.input(description="The campaigns of one group choose in the same way.")
class BonusTermsInput:
    group: str
    best_of: AssetCode | None = None


@strawberry.input
class PublishCampaignInput:
    idempotency_key: strawberry.ID
    code: str
    name_zh: str
    name_en: str
    outcomes: list[OutcomeInput]
    event: EventKind = EventKind.SCAN
    gate: Gate = Gate.NONE
    priority: int = 0
    product_id: strawberry.ID | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    caps: list[CapInput] = strawberry.field(default_factory=list)
    budgets: list[BudgetInput] = strawberry.field(default_factory=list)
    return_policies: list[ReturnPolicyInput] = strawberry.field(
        default_factory=list, description="WITHIN_BALANCE for whoever is not named."
    )
    condition: str | None = strawberry.field(
        default=None, description="What an event has to meet, in CEL (docs/conditions.md)."
    )
    draw: DrawInput | None = strawberry.field(
        default=None, description="What each paid scan draws (docs/draws.md)."
    )
    event_type: str | None = strawberry.field(
        default=None, description="Of CUSTOM events: the code of their type (docs/events.md)."
    )
    bonus: BonusTermsInput | None = strawberry.field(
        default=None, description="It pays on top of an event's first campaign (docs/stacking.md)."
    )
    regions: list[str] = strawberry.field(
        default_factory=list,
        description="Codes of the regions that it runs in (docs/regions.md); none: everywhere.",
    )


@strawberry.type
class PublishCampaignReceipt:
    replayed: bool
    campaign: CampaignView = strawberry.field(graphql_type=Campaign)


PublishCampaignResult = Annotated[
    PublishCampaignReceipt | Refused, strawberry.union("PublishCampaignResult")
]


def definition_of(input: PublishCampaignInput) -> rules.CampaignDefinition:
    """The input as the value that rules check; refuses a budget named twice and naive times."""
    budgets: dict[str, int] = {}
    for i, budget in enumerate(input.budgets):
        if budget.asset in budgets:
            raise InvalidInput(field=f"budgets[{i}]", problem="one budget per asset")
        budgets[budget.asset] = budget.allowed
    policies: dict[MemberRole, ReturnPolicy] = {}
    for i, given in enumerate(input.return_policies):
        if given.beneficiary in policies:
            raise InvalidInput(field=f"returnPolicies[{i}]", problem="one policy per beneficiary")
        policies[given.beneficiary] = given.policy
    return rules.CampaignDefinition(
        code=input.code,
        name_zh=input.name_zh,
        name_en=input.name_en,
        event=input.event,
        outcomes=tuple(outcome_of(f"outcomes[{i}]", o) for i, o in enumerate(input.outcomes)),
        gate=input.gate,
        priority=input.priority,
        product_id=None if input.product_id is None else local_id("Product", input.product_id),
        starts_at=checked_instant(input.starts_at, "startsAt"),
        ends_at=checked_instant(input.ends_at, "endsAt"),
        caps=tuple(rules.Cap(c.subject, c.window, c.times_max) for c in input.caps),
        budgets=budgets,
        return_policies=policies,
        condition=input.condition,
        draw=None if input.draw is None else terms_of(input.draw),
        event_type=input.event_type,
        bonus=None
        if input.bonus is None
        else rules.BonusTerms(input.bonus.group, input.bonus.best_of),
        regions=tuple(input.regions),
    )


@strawberry.type
class CampaignQuery:
    @strawberry.field(graphql_type=Connection[Campaign], extensions=[HasGrant(Grant.READ)])
    async def campaigns(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[CampaignView]:
        """The brand's campaigns, newest first, each in its newest version."""
        page = page_of(CURSOR, first, after)
        views = await _views(
            info.context, after=page.start[0] if page.start else None, limit=page.limit
        )
        return connection_of(views, page, CURSOR, key=lambda view: (view.campaign.id,))


@strawberry.type
class CampaignMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def publish_campaign(
        self, info: Info, input: PublishCampaignInput
    ) -> PublishCampaignResult:
        """Publish the first or the next version of the campaign with this code."""
        definition = definition_of(input)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            campaign, _ = await service.publish_campaign(
                tx, actor, definition, info.context.keyring
            )
            return {"id": campaign.id.hex}

        reply, replayed = await effect_once(info.context, "publishCampaign", input, verb)
        view = await get_view(info.context, reply)
        return PublishCampaignReceipt(replayed=replayed, campaign=view)
