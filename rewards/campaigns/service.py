"""Verbs of campaigns."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, MemberRole
from loyalty.assets.models import AssetStatus
from loyalty.assets.service import assets_by_code
from loyalty.brands.service import get_brand, touch_configuration
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import BudgetBelowSpent, CampaignStateWrong, InvalidInput
from loyalty.ledger.models import Asset
from loyalty.products.service import require_product
from loyalty.regions.service import require_regions
from rewards.campaigns import queries
from rewards.campaigns.caps import bonus_from_json, bonus_to_json, caps_to_json, with_counted
from rewards.campaigns.checks import check_budgets_used, check_definition, check_terms
from rewards.campaigns.models import (
    Campaign,
    CampaignBudget,
    CampaignStatus,
    CampaignVersion,
    EventKind,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import (
    CampaignDefinition,
    CampaignIndex,
    CouponOutcome,
    LiveCampaign,
    Outcome,
    index_campaigns,
    outcomes_to_json,
    policies_to_json,
)
from rewards.conditions.rules import Fields, load_condition
from rewards.coupons.service import require_templates
from rewards.draws import service as draws
from rewards.draws.rules import MEMBER_COUNTER, PRIZE_COUNTER
from rewards.draws.terms import awarded_assets, awarded_templates, draw_to_json
from rewards.event_types.rules import fields_from_json
from rewards.event_types.service import require_type

PURCHASE_CAMPAIGN_CODE = "purchase-points"


async def publish_campaign(
    tx: Tx, actor: Actor, definition: CampaignDefinition, keyring: Keyring | None = None
) -> tuple[Campaign, CampaignVersion]:
    """Publish the first or the next version of the campaign with this code. With ``keyring`` the
    first days' seeds of its draw are made at once; else the worker makes them, and it runs then.

    Refuses InvalidInput (with the field's path), NotFound (product, coupon template, event type),
    BudgetBelowSpent and CampaignStateWrong (it has ended).
    """
    if definition.bonus is not None:
        # Taken first: of two that are published at once, the second sees how the first chooses.
        await touch_configuration(tx, actor.brand_id)
    campaign, event_type = await check_campaign(tx, actor.brand_id, definition)
    is_new = campaign is None
    if campaign is None:
        campaign = Campaign(brand_id=actor.brand_id, code=definition.code, created_at=tx.now)
        if not await tx.insert_if_absent(campaign):
            raise RetryTransaction
    number = await queries.get_newest_version(tx, actor.brand_id, campaign.id) + 1
    version = version_of(
        definition, event_type, campaign=campaign, number=number, actor=actor, at=tx.now
    )
    if not await tx.insert_if_absent(version):
        raise RetryTransaction  # published at the same moment by someone else
    await _set_budgets(tx, campaign, definition.budgets, is_new)
    if definition.draw is not None and keyring is not None:
        timezone = (await get_brand(tx, actor.brand_id)).timezone
        window = (definition.starts_at, definition.ends_at)
        days = draws.days_of(
            actor.brand_id, campaign.id, timezone, window, tx.now, draws.DAYS_AT_ONCE
        )
        await draws.make_seeds(tx, keyring, days, len(days))
    await touch_configuration(tx, actor.brand_id)
    told: dict[str, Any] = {"version": number, "budgets": definition.budgets}
    await audit_log.record(tx, actor, "publishCampaign", campaign.id, code=campaign.code, **told)
    return campaign, version


def version_of(
    definition: CampaignDefinition,
    event_type: dict[str, Any] | None,
    *,
    campaign: Campaign,
    number: int,
    actor: Actor,
    at: datetime,
) -> CampaignVersion:
    """The row that a checked definition is published as."""
    return CampaignVersion(
        brand_id=campaign.brand_id,
        campaign_id=campaign.id,
        version=number,
        name_zh=definition.name_zh.strip(),
        name_en=definition.name_en.strip(),
        event=definition.event.value,
        gate=definition.gate.value,
        priority=definition.priority,
        product_id=definition.product_id,
        starts_at=definition.starts_at,
        ends_at=definition.ends_at,
        outcomes=outcomes_to_json(definition.outcomes),
        caps=caps_to_json(
            with_counted(definition.caps, _facts_read(definition, _fields_of(event_type)))
        ),
        return_policies=policies_to_json(definition.return_policies),
        condition=definition.condition,
        draw=None if definition.draw is None else draw_to_json(definition.draw),
        event_type=event_type,
        bonus=bonus_to_json(definition.bonus),
        regions=list(definition.regions),
        published_by=actor.id,
        published_at=at,
    )


async def check_campaign(
    tx: Tx, brand_id: UUID, definition: CampaignDefinition
) -> tuple[Campaign | None, dict[str, Any] | None]:
    """Everything that has to be right before it may be published; the campaign with this code, if
    there is one, and the type of custom events that it names. Refuses what ``publish_campaign``
    refuses."""
    event_type = await find_type(tx, brand_id, definition)
    check_definition(definition, _fields_of(event_type))
    brand = await get_brand(tx, brand_id)
    check_terms(definition, tx.now, brand.prize_ceiling_fen)
    await _check_assets(tx, brand_id, definition)
    await _check_group(tx, brand_id, definition)
    coupons = [o.template_id for o in definition.outcomes if isinstance(o, CouponOutcome)]
    if definition.draw is not None:
        coupons += awarded_templates(definition.draw)
    await require_templates(tx, brand_id, coupons)
    if definition.product_id is not None:
        await require_product(tx, brand_id, definition.product_id)
    await require_regions(tx, brand_id, definition.regions, "regions")
    campaign = await queries.find_campaign(tx, brand_id, definition.code)
    if campaign is None:
        check_budgets_used(definition)
    else:
        if campaign.status == CampaignStatus.ENDED:
            raise CampaignStateWrong(status=campaign.status, wanted="PUBLISHED")
        _check_changed(await queries.list_budgets(tx, brand_id, [campaign.id]), definition.budgets)
    return campaign, event_type


def _check_changed(stored: Iterable[CampaignBudget], budgets: dict[str, int]) -> None:
    rows = {row.asset: row for row in stored}
    if set(rows) != set(budgets):
        # A budget begun or dropped half-way would have to recount what running scans are paying.
        raise InvalidInput(field="budgets", problem="name the same assets as the first version did")
    for asset, allowed in sorted(budgets.items()):
        committed = rows[asset].spent + rows[asset].reserved
        if allowed < committed:
            raise BudgetBelowSpent(asset=asset, committed=committed)


async def find_type(
    snapshot: Snapshot, brand_id: UUID, definition: CampaignDefinition
) -> dict[str, Any] | None:
    """The type of custom events that it names, as its version keeps it. Refuses NotFound."""
    if definition.event is not EventKind.CUSTOM or definition.event_type is None:
        return None  # or what is wrong is for the checks to say
    found = await require_type(snapshot, brand_id, definition.event_type)
    kinds = {field.name: field.kind.value for field in fields_from_json(found.fields)}
    return {"id": found.id.hex, "code": found.code, "fields": kinds}


def _fields_of(event_type: dict[str, Any] | None) -> Fields:
    return () if event_type is None else tuple(sorted(event_type["fields"].items()))


def _facts_read(definition: CampaignDefinition, fields: Fields) -> set[str]:
    """What its condition and its draw read."""
    facts: set[str] = set()
    if definition.condition is not None:
        facts |= load_condition(definition.condition, definition.event, fields).facts
    if definition.draw is not None:
        facts.update(
            name
            for bonus in definition.draw.bonuses
            for name in load_condition(bonus.condition, definition.event, fields).facts
        )
    return facts


async def _check_assets(tx: Tx, brand_id: UUID, definition: CampaignDefinition) -> None:
    """Unknown or retired ones are given by no campaign. A budget may be of one that was retired
    since: which assets have budgets is settled by the first version."""
    assets = await assets_by_code(tx, brand_id)
    given = [
        (f"outcomes[{i}].asset", outcome.asset)
        for i, outcome in enumerate(definition.outcomes)
        if isinstance(outcome, Outcome)
    ]
    given += awarded_assets(definition.draw) if definition.draw else ()
    if definition.bonus is not None and definition.bonus.best_of is not None:
        given.append(("bonus.bestOf", definition.bonus.best_of))
    for field, code in given:
        asset = assets.get(code)
        if asset is None or asset.status == AssetStatus.RETIRED.value:
            problem = "no such asset" if asset is None else "a retired asset"
            raise InvalidInput(field=field, problem=problem)
    for code in sorted(definition.budgets):
        if code not in assets:
            raise InvalidInput(field=f"budgets.{code}", problem="no such asset")


async def _check_group(tx: Tx, brand_id: UUID, definition: CampaignDefinition) -> None:
    """The campaigns of a bonus group choose in the same way, those too that are paused and may run
    again. Refuses InvalidInput (bonus.bestOf)."""
    if definition.bonus is None:
        return
    for campaign, version in await queries.list_newest(tx, brand_id):
        theirs = bonus_from_json(version.bonus)
        if theirs is None or campaign.status == CampaignStatus.ENDED:
            continue
        if theirs.group != definition.bonus.group or campaign.code == definition.code:
            continue
        if theirs.best_of != definition.bonus.best_of:
            way = f"best of {theirs.best_of}" if theirs.best_of else "by priority"
            problem = f"{campaign.code} of the same group chooses {way}"
            raise InvalidInput(field="bonus.bestOf", problem=problem)


async def _set_budgets(tx: Tx, campaign: Campaign, budgets: dict[str, int], is_new: bool) -> None:
    if is_new:
        await tx.add(
            *(
                CampaignBudget(
                    brand_id=campaign.brand_id,
                    campaign_id=campaign.id,
                    asset=asset,
                    allowed=allowed,
                )
                for asset, allowed in budgets.items()
            )
        )
        return
    for asset, allowed in sorted(budgets.items()):
        moved = await tx.fetch(
            queries.SET_BUDGET,
            allowed=allowed,
            brand_id=campaign.brand_id,
            campaign_id=campaign.id,
            asset=asset,
        )
        if not moved:
            raise RetryTransaction  # spent since it was checked


async def live_campaigns(snapshot: Snapshot, brand_id: UUID) -> CampaignIndex:
    """The newest versions of a brand's running campaigns, indexed."""
    rows = await queries.list_newest(snapshot, brand_id, status=CampaignStatus.RUNNING)
    return index_campaigns(queries.as_live(campaign, version) for campaign, version in rows)


async def kinds_awaited(snapshot: Snapshot, brand_id: UUID) -> frozenset[UnlockKind]:
    """What of that which scans have to look for any version of a brand's campaigns, an old one too,
    makes rewards wait for: next scans, an item's INNER code, bottles of a box, or that a consumer
    has taken what it got."""
    return await queries.list_kinds_awaited(snapshot, brand_id)


async def find_versions(
    snapshot: Snapshot, brand_id: UUID, version_ids: Collection[UUID]
) -> dict[UUID, LiveCampaign]:
    """Versions as they were published, old ones too, by their ids: one statement, if any."""
    if not version_ids:
        return {}
    found = await queries.list_versions(snapshot, brand_id, version_ids)
    return {version.id: queries.as_live(campaign, version) for campaign, version in found}


async def list_campaigns(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    before: UUID | None = None,
    limit: int | None = None,
    only: UUID | None = None,
) -> list[tuple[Campaign, CampaignVersion]]:
    """Campaigns with their newest version, newest first; keyset by the campaign's id; or ``only``
    this one."""
    return await queries.list_newest(snapshot, brand_id, before=before, limit=limit, only=only)


async def list_budgets(
    snapshot: Snapshot, brand_id: UUID, campaign_ids: list[UUID]
) -> list[CampaignBudget]:
    """The budgets of campaigns."""
    return await queries.list_budgets(snapshot, brand_id, campaign_ids)


def purchase_campaign() -> CampaignDefinition:
    """What a new brand begins with: one point and one growth per whole unit of currency."""
    return CampaignDefinition(
        code=PURCHASE_CAMPAIGN_CODE,
        name_zh="消费积分",
        name_en="Points for purchases",
        event=EventKind.PURCHASE,
        outcomes=tuple(
            Outcome(MemberRole.CONSUMER, asset, OutcomeBasis.PER_CURRENCY_UNIT, 1)
            for asset in (Asset.POINTS, Asset.GROWTH)
        ),
    )


async def find_budgets(
    tx: Tx, campaigns: Iterable[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID, str], int]:
    """What is left, by (brand_id, campaign_id, asset), of (brand_id, campaign_id) pairs.

    Read without a lock: ``write_budgets`` refuses what no longer fits.
    """
    rows = await tx.fetch(queries.FIND_BUDGETS, campaigns=sorted(set(campaigns)))
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def write_budgets(tx: Tx, moves: dict[tuple[UUID, UUID, str], tuple[int, int]]) -> None:
    """Add (spent, reserved) to budgets; RetryTransaction if another process took the rest."""
    rows = sorted((*key, *move) for key, move in moves.items() if move != (0, 0))
    if rows:
        await tx.write(queries.MOVE_BUDGETS, expected=len(rows), moved=rows)


async def find_counters(
    tx: Tx, keys: Iterable[tuple[UUID, UUID, str, str, str]]
) -> dict[tuple[UUID, UUID, str, str, str], int]:
    """Paid events counted so far; a counter that is not there is 0 and left out. Unlocked."""
    rows = await tx.fetch(queries.FIND_COUNTERS, subjects=sorted(set(keys)))
    return {(row[0], row[1], row[2], row[3], row[4]): row[5] for row in rows}


async def write_counters(
    tx: Tx, moves: dict[tuple[UUID, UUID, str, str, str], tuple[int, int]]
) -> dict[tuple[UUID, UUID, str, str, str], int]:
    """Add (count, limit) to counters; RetryTransaction if another process filled one up. Where
    prizes or members' draws are counted, the answer is where the counters stand now, else it is
    empty."""
    rows = sorted((*key, *move) for key, move in moves.items())
    if not rows:
        return {}
    if not any(key[2] in (PRIZE_COUNTER, MEMBER_COUNTER) for key in moves):
        await tx.write(queries.COUNT_CAPS, expected=len(rows), rows=rows)
        return {}
    counted = await tx.fetch(queries.COUNT_AND_TELL, rows=rows)
    if len(counted) != len(rows):
        raise RetryTransaction
    return {(r[0], r[1], r[2], r[3], r[4]): r[5] for r in counted}


async def uncount_caps(tx: Tx, keys: Collection[tuple[UUID, UUID, str, str, str]]) -> None:
    """Take one paid event back from each of these counters, where it is still counted.
    RetryTransaction when another process counted in one of them at this moment."""
    wanted = sorted(set(keys))
    if not wanted:
        return
    await tx.fetch(queries.DELETE_LAST_COUNTS, keys=wanted)  # first, or it would count twice
    lowered = await tx.fetch(queries.UNCOUNT_CAPS, keys=wanted)
    if len(await find_counters(tx, wanted)) != len(lowered):
        raise RetryTransaction
