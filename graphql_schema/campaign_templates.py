"""Templates of campaigns, for operators."""

from datetime import datetime
from typing import Annotated

import strawberry

from graphql_schema.campaign_drafts import CampaignDraft, DraftView, view_of
from graphql_schema.context import Info
from graphql_schema.effects import row_once
from graphql_schema.enums import CampaignTemplateCode, EventKind
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.text import checked_instant
from rewards.campaigns import lives
from rewards.campaigns.catalogue import TEMPLATES
from rewards.campaigns.models import CampaignDraft as DraftRow
from rewards.campaigns.templates import definition_from


@strawberry.type(description="A campaign that many brands want, ready to be made into a draft.")
class CampaignTemplate:
    code: CampaignTemplateCode
    event: EventKind
    name_zh: str
    name_en: str
    description_zh: str
    description_en: str
    needs_budget: bool = strawberry.field(description="It gives cash: tell it of how much.")
    needs_window: bool = strawberry.field(description="What it gives changes over its window.")
    needs_coupon: bool = strawberry.field(description="It gives coupons: tell it which.")


@strawberry.input
class DraftFromTemplateInput:
    idempotency_key: strawberry.ID
    template: CampaignTemplateCode
    code: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    budget_fen: BigInt | None = None
    product_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only scans of this product; of scans alone."
    )
    coupon_template_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="What it gives, where it needs a coupon: own ones or what a partner has put"
        " into a pool. Of RAMP, if told: its last stage gives them in the place of cash.",
    )


@strawberry.type
class DraftFromTemplateReceipt:
    replayed: bool
    draft: DraftView = strawberry.field(
        graphql_type=CampaignDraft, description="To be changed, tried and published."
    )


DraftFromTemplateResult = Annotated[
    DraftFromTemplateReceipt | Refused, strawberry.union("DraftFromTemplateResult")
]


@strawberry.type
class CampaignTemplateQuery:
    @strawberry.field(extensions=[HasGrant(Grant.READ)])
    async def campaign_templates(self) -> list[CampaignTemplate]:
        """What campaigns can be made from."""
        return [
            CampaignTemplate(
                code=template.code,
                event=template.event,
                name_zh=template.name_zh,
                name_en=template.name_en,
                description_zh=template.description_zh,
                description_en=template.description_en,
                needs_budget=template.needs_budget,
                needs_window=template.needs_window,
                needs_coupon=template.needs_coupon,
            )
            for template in TEMPLATES.values()
        ]


@strawberry.type
class CampaignTemplateMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def draft_from_template(
        self, info: Info, input: DraftFromTemplateInput
    ) -> DraftFromTemplateResult:
        """A whole campaign as a draft."""
        definition = definition_from(
            input.template,
            input.code,
            starts_at=checked_instant(input.starts_at, "startsAt"),
            ends_at=checked_instant(input.ends_at, "endsAt"),
            budget_fen=None if input.budget_fen is None else int(input.budget_fen),
            product_id=None if input.product_id is None else local_id("Product", input.product_id),
            coupon_template_id=None
            if input.coupon_template_id is None
            else local_id("CouponTemplate", input.coupon_template_id),
        )

        async def step(tx: Tx, actor: Actor) -> DraftRow:
            return await lives.save_draft(tx, actor, definition)

        row, replayed = await row_once(info.context, "draftFromTemplate", input, DraftRow, step)
        return DraftFromTemplateReceipt(replayed=replayed, draft=view_of(row))
