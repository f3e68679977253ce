"""What was published, or would be, read back: as a definition, as rules see it."""

from uuid import UUID

from loyalty.actor import system_actor
from loyalty.db import Snapshot
from rewards.campaigns import queries
from rewards.campaigns.definitions import definition_from_json, definition_published
from rewards.campaigns.models import Campaign, CampaignStatus, CampaignVersion
from rewards.campaigns.rules import CampaignDefinition, LiveCampaign
from rewards.campaigns.service import find_type, version_of


async def find_definition(
    snapshot: Snapshot, brand_id: UUID, campaign_id: UUID
) -> CampaignDefinition | None:
    """What the newest version of a campaign was published as; None if there is no such one."""
    found = await queries.list_newest(snapshot, brand_id, only=campaign_id)
    if not found:
        return None
    budgets = await queries.list_budgets(snapshot, brand_id, [campaign_id])
    return definition_published(*found[0], budgets)


async def find_newest_definition(
    snapshot: Snapshot, brand_id: UUID, code: str
) -> CampaignDefinition | None:
    """The draft with this code; if there is none what the campaign was published as; None if there
    is neither."""
    draft = await queries.find_draft_of(snapshot, brand_id, code)
    if draft is not None:
        return definition_from_json(draft.definition)
    campaign = await queries.find_campaign(snapshot, brand_id, code)
    return None if campaign is None else await find_definition(snapshot, brand_id, campaign.id)


async def as_if_published(
    snapshot: Snapshot, brand_id: UUID, definition: CampaignDefinition
) -> LiveCampaign:
    """A definition as rules would see it if it were published now; nothing is written. Refuses
    NotFound (event type)."""
    event_type = await find_type(snapshot, brand_id, definition)
    found = await queries.find_campaign(snapshot, brand_id, definition.code)
    campaign = found or Campaign(brand_id=brand_id, code=definition.code, created_at=snapshot.now)
    nobody = system_actor(brand_id)
    version = version_of(
        definition, event_type, campaign=campaign, number=0, actor=nobody, at=snapshot.now
    )
    return queries.as_live(campaign, version)


async def list_running(
    snapshot: Snapshot, brand_id: UUID
) -> list[tuple[Campaign, CampaignVersion, LiveCampaign]]:
    """The newest versions of campaigns that run, or will, by code."""
    rows = await queries.list_newest(snapshot, brand_id, status=CampaignStatus.RUNNING)
    return [
        (campaign, version, queries.as_live(campaign, version))
        for campaign, version in sorted(rows, key=lambda row: row[0].code)
        if version.ends_at is None or snapshot.now < version.ends_at
    ]


async def find_published(
    snapshot: Snapshot, brand_id: UUID, code: str, number: int | None = None
) -> tuple[Campaign, CampaignVersion, LiveCampaign] | None:
    """What a campaign was published as, in this version or its newest, whether it runs or not; None
    if there is no such one."""
    found = await queries.find_version(snapshot, brand_id, code, number)
    return None if found is None else (*found, queries.as_live(*found))
