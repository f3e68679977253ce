"""The published rules of what runs (活动规则), for everybody."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.draw_inputs import CampaignDraw, shown
from graphql_schema.enums import EventKind
from graphql_schema.permissions import Public
from loyalty.actor import ActorKind, MemberRole
from loyalty.assets.service import list_assets
from loyalty.brands.models import Brand
from loyalty.brands.service import find_brand_by_slug
from loyalty.db import Snapshot
from loyalty.products.service import products_by_id
from loyalty.regions.service import list_names
from loyalty.text import is_clean
from rewards.campaigns.models import Campaign, CampaignVersion
from rewards.campaigns.publicity import Names, Said, is_public, rules_page, shows_draw
from rewards.campaigns.rules import LiveCampaign
from rewards.campaigns.versions import find_published, list_running
from rewards.coupons.service import templates_by_id
from rewards.draws.terms import awarded_templates


@strawberry.type(
    description="A campaign that runs, and its rules in words: when, for what, what is given to"
    " whom, each prize with its number and odds, and what limits it."
)
class Promotion:
    code: str
    event: EventKind
    name: str = strawberry.field(description="In the caller's language.")
    version: int
    published_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    rules: list[str] = strawberry.field(description="A line each, in the caller's language.")
    draw: CampaignDraw | None = strawberry.field(
        description="Its draw in numbers, of which anybody computes the odds (docs/draws.md)."
    )


async def _names(snapshot: Snapshot, brand: Brand, campaigns: Sequence[LiveCampaign]) -> Names:
    """What all of them name, each kind read once."""
    wanted: set[UUID] = set()
    for campaign in campaigns:
        wanted.update(campaign.coupon_template_ids())
        wanted.update(awarded_templates(campaign.draw.terms) if campaign.draw is not None else ())
    templates = await templates_by_id(snapshot, brand.id, wanted)
    products = await products_by_id(snapshot, brand.id)
    return Names(
        brand.timezone,
        {row.code: Said(row.name_zh, row.name_en) for row in await list_assets(snapshot, brand.id)},
        {id: Said(template.name_zh, template.name_en) for id, template in templates.items()},
        {id: Said(product.name_zh, product.name_en) for id, product in products.items()},
        {row.code: Said(row.name_zh, row.name_en) for row in await list_names(snapshot, brand.id)}
        if any(campaign.regions for campaign in campaigns)
        else {},
    )


def _shown(
    context: Context,
    campaign: Campaign,
    version: CampaignVersion,
    live: LiveCampaign,
    names: Names,
    asker: MemberRole,
) -> Promotion:
    in_english = context.language == "en"
    lines = rules_page(live, names, asker)
    return Promotion(
        code=campaign.code,
        event=EventKind(version.event),
        name=version.name_en if in_english else version.name_zh,
        version=version.version,
        published_at=version.published_at,
        starts_at=version.starts_at,
        ends_at=version.ends_at,
        rules=[line.en if in_english else line.zh for line in lines],
        draw=shown(live.draw.terms) if live.draw and shows_draw(live, asker) else None,
    )


def _asker(context: Context, brand_id: UUID) -> MemberRole:
    """The role of a member of this brand who asks; anybody else asks as a consumer does."""
    actor = context.actor
    if actor is None or actor.kind is not ActorKind.MEMBER or actor.brand_id != brand_id:
        return MemberRole.CONSUMER
    return MemberRole(actor.role)


@strawberry.type
class PromotionQuery:
    @strawberry.field(extensions=[Public()])
    async def promotions(
        self, info: Info, brand: str, campaign: str | None = None, version: int | None = None
    ) -> list[Promotion]:
        """What a brand runs now or will for consumers, by code; of no brand nothing. Of one
        ``campaign``, by its code, what it was published as, in its newest or in this ``version``,
        also when it is over. A member who asks sees also those in which its role draws."""
        if not is_clean(campaign or ""):
            return []
        async with info.context.database.snapshot() as snapshot:
            found = await find_brand_by_slug(snapshot, brand)
            if found is None:
                return []
            if campaign is None:
                rows = await list_running(snapshot, found.id)
            else:
                published = await find_published(snapshot, found.id, campaign, version)
                rows = [] if published is None else [published]
            asker = _asker(info.context, found.id)
            rows = [row for row in rows if is_public(row[2], asker)]
            names = await _names(snapshot, found, [live for _, _, live in rows])
        return [_shown(info.context, *row, names, asker) for row in rows]
