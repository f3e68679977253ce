"""Drafts of campaigns, for operators."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.campaigns import (
    BeneficiaryReturnPolicy,
    BonusTerms,
    Campaign,
    CampaignView,
    Cap,
    PublishCampaignInput,
    definition_of,
    get_view,
    policies_shown,
)
from graphql_schema.context import Context, Info
from graphql_schema.draw_inputs import CampaignDraw, shown
from graphql_schema.effects import effect_once, row_once
from graphql_schema.enums import EventKind, Gate
from graphql_schema.loaders import product_loader
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.outcomes import CouponOutcome, Outcome
from graphql_schema.pagination import Connection, Cursor, connection_of, page_of
from graphql_schema.permissions import HasGrant
from graphql_schema.products import Product
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.products.models import Product as ProductRow
from rewards.campaigns import lives, rules
from rewards.campaigns.definitions import definition_from_json
from rewards.campaigns.models import CampaignDraft as DraftRow

CURSOR = Cursor(UUID)


@dataclass(frozen=True, slots=True)
class DraftView:
    """A draft, and what it says."""

    row: DraftRow
    definition: rules.CampaignDefinition

    @property
    def id(self) -> UUID:
        return self.row.id


def view_of(row: DraftRow) -> DraftView:
    """The row as it is shown."""
    return DraftView(row, definition_from_json(row.definition))


@strawberry.type(description="What a campaign may give of one asset.")
class DraftBudget:
    asset: AssetCode
    allowed: BigInt


@strawberry.type(
    description="A campaign that is being written. A save names the revision that it was made from."
)
class CampaignDraft(Node):
    id: strawberry.ID = id_field("CampaignDraft")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, DraftView | cls)

    @strawberry.field
    def code(self, view: strawberry.Parent[DraftView]) -> str:
        return view.row.code

    @strawberry.field
    def revision(self, view: strawberry.Parent[DraftView]) -> int:
        return view.row.revision

    @strawberry.field
    def created_at(self, view: strawberry.Parent[DraftView]) -> datetime:
        return view.row.created_at

    @strawberry.field
    def saved_at(self, view: strawberry.Parent[DraftView]) -> datetime:
        return view.row.saved_at

    @strawberry.field
    def name_zh(self, view: strawberry.Parent[DraftView]) -> str:
        return view.definition.name_zh

    @strawberry.field
    def name_en(self, view: strawberry.Parent[DraftView]) -> str:
        return view.definition.name_en

    @strawberry.field
    def event(self, view: strawberry.Parent[DraftView]) -> EventKind:
        return view.definition.event

    @strawberry.field
    def gate(self, view: strawberry.Parent[DraftView]) -> Gate:
        return view.definition.gate

    @strawberry.field
    def priority(self, view: strawberry.Parent[DraftView]) -> int:
        return view.definition.priority

    @strawberry.field
    def starts_at(self, view: strawberry.Parent[DraftView]) -> datetime | None:
        return view.definition.starts_at

    @strawberry.field
    def ends_at(self, view: strawberry.Parent[DraftView]) -> datetime | None:
        return view.definition.ends_at

    @strawberry.field
    def condition(self, view: strawberry.Parent[DraftView]) -> str | None:
        return view.definition.condition

    @strawberry.field(description="The code of the type of CUSTOM events that it is for.")
    def event_type(self, view: strawberry.Parent[DraftView]) -> str | None:
        return view.definition.event_type

    @strawberry.field(
        graphql_type=BonusTerms | None, description="Of one that pays on top (docs/stacking.md)."
    )
    def bonus(self, view: strawberry.Parent[DraftView]) -> rules.BonusTerms | None:
        return view.definition.bonus

    @strawberry.field(description="Codes of the regions that it runs in; none: everywhere.")
    def regions(self, view: strawberry.Parent[DraftView]) -> list[str]:
        return list(view.definition.regions)

    @strawberry.field(description="What each paid scan draws (docs/draws.md).")
    def draw(self, view: strawberry.Parent[DraftView]) -> CampaignDraw | None:
        return None if view.definition.draw is None else shown(view.definition.draw)

    @strawberry.field(graphql_type=Product | None)
    async def product(self, view: strawberry.Parent[DraftView], info: Info) -> ProductRow | None:
        if view.definition.product_id is None:
            return None
        return await info.context.loader(product_loader).load(view.definition.product_id)

    @strawberry.field(graphql_type=list[Outcome])
    def outcomes(self, view: strawberry.Parent[DraftView]) -> list[rules.Outcome]:
        return [o for o in view.definition.outcomes if isinstance(o, rules.Outcome)]

    @strawberry.field(graphql_type=list[CouponOutcome])
    def coupon_outcomes(self, view: strawberry.Parent[DraftView]) -> list[rules.CouponOutcome]:
        return [o for o in view.definition.outcomes if isinstance(o, rules.CouponOutcome)]

    @strawberry.field(graphql_type=list[Cap])
    def caps(self, view: strawberry.Parent[DraftView]) -> list[rules.Cap]:
        return list(view.definition.caps)

    @strawberry.field
    def budgets(self, view: strawberry.Parent[DraftView]) -> list[DraftBudget]:
        return [
            DraftBudget(asset=AssetCode(asset), allowed=BigInt(allowed))
            for asset, allowed in sorted(view.definition.budgets.items())
        ]

    @strawberry.field
    def return_policies(self, view: strawberry.Parent[DraftView]) -> list[BeneficiaryReturnPolicy]:
        paid = {outcome.beneficiary for outcome in view.definition.outcomes}
        return policies_shown(view.definition.return_policies, paid)


async def fetch_draft(context: Context, id: UUID) -> DraftView | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        row = await lives.find_draft(snapshot, context.caller.brand_id, id)
    return None if row is None else view_of(row)


@strawberry.input(
    description="A whole campaign. Without ``draftId`` a new draft; with it and its ``revision``"
    " the next revision of that one."
)
class SaveCampaignDraftInput(PublishCampaignInput):
    draft_id: strawberry.ID | None = None
    revision: int | None = None


@strawberry.input
class CampaignDraftInput:
    idempotency_key: strawberry.ID
    draft_id: strawberry.ID
    revision: int


@strawberry.input
class DeleteCampaignDraftInput(CampaignDraftInput):
    pass


@strawberry.input
class PublishCampaignDraftInput(CampaignDraftInput):
    pass


@strawberry.type
class SaveCampaignDraftReceipt:
    replayed: bool
    draft: DraftView = strawberry.field(
        graphql_type=CampaignDraft, description="As it was right after the save."
    )


@strawberry.type
class DeleteCampaignDraftReceipt:
    replayed: bool
    draft: DraftView = strawberry.field(graphql_type=CampaignDraft, description="What it was.")


@strawberry.type
class PublishCampaignDraftReceipt:
    replayed: bool
    campaign: CampaignView = strawberry.field(graphql_type=Campaign)


SaveCampaignDraftResult = Annotated[
    SaveCampaignDraftReceipt | Refused, strawberry.union("SaveCampaignDraftResult")
]
DeleteCampaignDraftResult = Annotated[
    DeleteCampaignDraftReceipt | Refused, strawberry.union("DeleteCampaignDraftResult")
]
PublishCampaignDraftResult = Annotated[
    PublishCampaignDraftReceipt | Refused, strawberry.union("PublishCampaignDraftResult")
]


@strawberry.type
class CampaignDraftQuery:
    @strawberry.field(graphql_type=Connection[CampaignDraft], extensions=[HasGrant(Grant.READ)])
    async def campaign_drafts(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[DraftView]:
        """What the brand's operators are working on, newest first."""
        page = page_of(CURSOR, first, after)
        async with info.context.database.snapshot() as snapshot:
            rows = await lives.list_drafts(
                snapshot,
                info.context.caller.brand_id,
                before=page.start[0] if page.start else None,
                limit=page.limit,
            )
        views = [view_of(row) for row in rows]
        return connection_of(views, page, CURSOR, key=lambda view: (view.id,))


@strawberry.type
class CampaignDraftMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def save_campaign_draft(
        self, info: Info, input: SaveCampaignDraftInput
    ) -> SaveCampaignDraftResult:
        """Keep a campaign that is being written. Everything is checked that publishing checks."""
        definition = definition_of(input)
        draft_id = None if input.draft_id is None else local_id("CampaignDraft", input.draft_id)

        async def step(tx: Tx, actor: Actor) -> DraftRow:
            return await lives.save_draft(
                tx, actor, definition, draft_id=draft_id, revision=input.revision
            )

        row, replayed = await row_once(info.context, "saveCampaignDraft", input, DraftRow, step)
        return SaveCampaignDraftReceipt(replayed=replayed, draft=view_of(row))

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def delete_campaign_draft(
        self, info: Info, input: DeleteCampaignDraftInput
    ) -> DeleteCampaignDraftResult:
        """Throw a draft away."""
        draft_id = local_id("CampaignDraft", input.draft_id)

        async def step(tx: Tx, actor: Actor) -> DraftRow:
            return await lives.delete_draft(tx, actor, draft_id, input.revision)

        row, replayed = await row_once(info.context, "deleteCampaignDraft", input, DraftRow, step)
        return DeleteCampaignDraftReceipt(replayed=replayed, draft=view_of(row))

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def publish_campaign_draft(
        self, info: Info, input: PublishCampaignDraftInput
    ) -> PublishCampaignDraftResult:
        """Make a draft the first or the next version of the campaign with its code; the draft is
        gone then."""
        draft_id = local_id("CampaignDraft", input.draft_id)
        keyring = info.context.keyring

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            campaign, _ = await lives.publish_draft(tx, actor, draft_id, input.revision, keyring)
            return {"id": campaign.id.hex}

        reply, replayed = await effect_once(info.context, "publishCampaignDraft", input, verb)
        view = await get_view(info.context, reply)
        return PublishCampaignDraftReceipt(replayed=replayed, campaign=view)
