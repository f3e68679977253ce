"""The SQL of campaigns, budgets and caps."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Text, case, cast, delete, update
from sqlmodel import col, func, select

from loyalty.db import Snapshot, Statement, Tx
from rewards.campaigns.caps import bonus_from_json, caps_from_json
from rewards.campaigns.models import (
    Campaign,
    CampaignBudget,
    CampaignDraft,
    CampaignStatus,
    CampaignVersion,
    EventKind,
    Gate,
    UnlockKind,
)
from rewards.campaigns.rules import (
    LiveCampaign,
    coupons_from_json,
    outcomes_from_json,
    policies_from_json,
)
from rewards.conditions.rules import load_condition
from rewards.draws.rules import compile_draw
from rewards.draws.terms import draw_from_json

FIND_BUDGETS = Statement(
    """
    SELECT b.brand_id, b.campaign_id, b.asset, b.allowed - b.spent - b.reserved
    FROM {campaigns} {each:b campaign_budgets
        ON b.brand_id = campaigns.brand_id AND b.campaign_id = campaigns.campaign_id}
    """,
    sets={"campaigns": "brand_id uuid, campaign_id uuid"},
    returns="brand_id uuid, campaign_id uuid, asset text, remaining bigint",
)

MOVE_BUDGETS = Statement(
    """
    UPDATE campaign_budgets SET spent = campaign_budgets.spent + moved.spent,
        reserved = campaign_budgets.reserved + moved.reserved
    FROM {moved} WHERE campaign_budgets.brand_id = moved.brand_id
        AND campaign_budgets.campaign_id = moved.campaign_id
        AND campaign_budgets.asset = moved.asset
        AND campaign_budgets.spent + campaign_budgets.reserved + moved.spent + moved.reserved
            <= campaign_budgets.allowed
    RETURNING campaign_budgets.asset
    """,
    sets={"moved": "brand_id uuid, campaign_id uuid, asset text, spent bigint, reserved bigint"},
    returns="asset text",
)

SET_BUDGET = Statement(
    """
    UPDATE campaign_budgets SET allowed = :allowed
    WHERE brand_id = :brand_id AND campaign_id = :campaign_id AND asset = :asset
        AND spent + reserved <= :allowed
    RETURNING asset
    """,
    params="allowed bigint, brand_id uuid, campaign_id uuid, asset text",
    returns="asset text",
)

FIND_COUNTERS = Statement(
    """
    SELECT c.brand_id, c.campaign_id, c.subject_kind, c.subject, c.window_key, c.used
    FROM {subjects} {each:c cap_counters
        ON c.brand_id = subjects.brand_id AND c.campaign_id = subjects.campaign_id
        AND c.subject_kind = subjects.subject_kind AND c.subject = subjects.subject
        AND c.window_key = subjects.window_key}
    """,
    sets={
        "subjects": "brand_id uuid, campaign_id uuid, subject_kind text, subject text,"
        " window_key text"
    },
    returns="brand_id uuid, campaign_id uuid, subject_kind text, subject text, window_key text,"
    " used bigint",
)

_COUNT = """
    INSERT INTO cap_counters
        (brand_id, campaign_id, subject_kind, subject, window_key, used, times_max)
    SELECT brand_id, campaign_id, subject_kind, subject, window_key, used, times_max
    FROM {rows} WHERE true
    ON CONFLICT (brand_id, campaign_id, subject_kind, subject, window_key) DO UPDATE
        SET used = cap_counters.used + excluded.used, times_max = excluded.times_max
        WHERE cap_counters.used + excluded.used <= excluded.times_max
    """
_COUNTED = {
    "rows": "brand_id uuid, campaign_id uuid, subject_kind text, subject text,"
    " window_key text, used bigint, times_max bigint"
}
COUNT_CAPS = Statement(f"{_COUNT} RETURNING used", sets=_COUNTED, returns="used bigint")
# The same, where somebody has to know where the counters stand now.
COUNT_AND_TELL = Statement(
    f"{_COUNT} RETURNING brand_id, campaign_id, subject_kind, subject, window_key, used",
    sets=_COUNTED,
    returns="brand_id uuid, campaign_id uuid, subject_kind text, subject text, window_key text,"
    " used bigint",
)

# One paid event less; a counter that counts nothing is none.
UNCOUNT_CAPS = Statement(
    """
    UPDATE cap_counters SET used = cap_counters.used - 1
    FROM {keys} WHERE cap_counters.brand_id = keys.brand_id
        AND cap_counters.campaign_id = keys.campaign_id
        AND cap_counters.subject_kind = keys.subject_kind AND cap_counters.subject = keys.subject
        AND cap_counters.window_key = keys.window_key AND cap_counters.used > 1
    RETURNING cap_counters.used
    """,
    sets={
        "keys": "brand_id uuid, campaign_id uuid, subject_kind text, subject text, window_key text"
    },
    returns="used bigint",
)

DELETE_LAST_COUNTS = Statement(
    """
    DELETE FROM cap_counters WHERE used = 1
        AND (brand_id, campaign_id, subject_kind, subject, window_key) IN
            (SELECT brand_id, campaign_id, subject_kind, subject, window_key FROM {keys})
    RETURNING used
    """,
    sets={
        "keys": "brand_id uuid, campaign_id uuid, subject_kind text, subject text, window_key text"
    },
    returns="used bigint",
)


async def list_versions(
    snapshot: Snapshot, brand_id: UUID, version_ids: Collection[UUID]
) -> list[tuple[Campaign, CampaignVersion]]:
    found = await snapshot.session.exec(
        select(Campaign, CampaignVersion)
        .join(
            CampaignVersion,
            (col(CampaignVersion.brand_id) == col(Campaign.brand_id))
            & (col(CampaignVersion.campaign_id) == col(Campaign.id)),
        )
        .where(
            col(CampaignVersion.brand_id) == brand_id,
            col(CampaignVersion.id).in_(sorted(version_ids)),
        )
    )
    return [(campaign, version) for campaign, version in found]


async def find_campaign(snapshot: Snapshot, brand_id: UUID, code: str) -> Campaign | None:
    found = await snapshot.session.exec(
        select(Campaign).where(col(Campaign.brand_id) == brand_id, col(Campaign.code) == code)
    )
    return found.first()


async def find_version(
    snapshot: Snapshot, brand_id: UUID, code: str, number: int | None
) -> tuple[Campaign, CampaignVersion] | None:
    """This version of the campaign with this code, or its newest; None if there is no such one."""
    statement = (
        select(Campaign, CampaignVersion)
        .join(
            CampaignVersion,
            (col(CampaignVersion.brand_id) == col(Campaign.brand_id))
            & (col(CampaignVersion.campaign_id) == col(Campaign.id)),
        )
        .where(col(Campaign.brand_id) == brand_id, col(Campaign.code) == code)
        .order_by(col(CampaignVersion.version).desc())
        .limit(1)
    )
    if number is not None:
        statement = statement.where(col(CampaignVersion.version) == number)
    found = (await snapshot.session.exec(statement)).first()
    return None if found is None else (found[0], found[1])


async def set_ended(tx: Tx, brand_id: UUID, campaign_id: UUID) -> None:
    await tx.session.exec(
        update(Campaign)
        .where(col(Campaign.brand_id) == brand_id, col(Campaign.id) == campaign_id)
        .values(status=CampaignStatus.ENDED.value, ended_at=tx.now)
        .execution_options(synchronize_session=False)
    )


async def find_draft_of(snapshot: Snapshot, brand_id: UUID, code: str) -> CampaignDraft | None:
    """The draft of the campaign with this code."""
    found = await snapshot.session.exec(
        select(CampaignDraft).where(
            col(CampaignDraft.brand_id) == brand_id, col(CampaignDraft.code) == code
        )
    )
    return found.first()


async def save_draft(tx: Tx, draft: CampaignDraft, revision: int) -> bool:
    """Write a draft over the one of this revision; False when that is not there any more."""
    saved = await tx.session.exec(
        update(CampaignDraft)
        .where(
            col(CampaignDraft.brand_id) == draft.brand_id,
            col(CampaignDraft.id) == draft.id,
            col(CampaignDraft.revision) == revision,
        )
        .values(
            revision=draft.revision,
            definition=draft.definition,
            saved_by=draft.saved_by,
            saved_at=draft.saved_at,
        )
        .execution_options(synchronize_session=False)
    )
    return saved.rowcount == 1


async def delete_draft(tx: Tx, brand_id: UUID, draft_id: UUID, revision: int) -> bool:
    """False when there is none of this revision."""
    gone = await tx.session.exec(
        delete(CampaignDraft)
        .where(
            col(CampaignDraft.brand_id) == brand_id,
            col(CampaignDraft.id) == draft_id,
            col(CampaignDraft.revision) == revision,
        )
        .execution_options(synchronize_session=False)
    )
    return gone.rowcount == 1


async def get_newest_version(tx: Tx, brand_id: UUID, campaign_id: UUID) -> int:
    """The newest version's number; 0 when there is none yet."""
    found = await tx.session.exec(
        select(func.max(CampaignVersion.version)).where(
            col(CampaignVersion.brand_id) == brand_id,
            col(CampaignVersion.campaign_id) == campaign_id,
        )
    )
    return found.one() or 0


async def list_kinds_awaited(snapshot: Snapshot, brand_id: UUID) -> frozenset[UnlockKind]:
    """What of NEXT_SCAN, INNER_SCAN, BOX_BOTTLES and TAKEN any version makes rewards wait for. A
    kind's name is in the stored outcomes, where it can be nothing else but an asset of that name,
    or in what its draw waits for; TAKEN is a gate's."""
    outcomes = cast(col(CampaignVersion.outcomes), Text)
    draw = func.coalesce(cast(col(CampaignVersion.draw), Text), "")
    stored = outcomes + draw
    asked = {
        kind: stored.contains(f'"{kind.value}"', autoescape=True)
        for kind in (UnlockKind.NEXT_SCAN, UnlockKind.INNER_SCAN, UnlockKind.BOX_BOTTLES)
    }
    asked[UnlockKind.TAKEN] = col(CampaignVersion.gate) == Gate.CONSUMER_TAKEN.value
    scan, inner, box, taken = (func.max(case((has, 1), else_=0)) for has in asked.values())
    found = await snapshot.session.exec(
        select(scan, inner, box, taken).where(col(CampaignVersion.brand_id) == brand_id)
    )
    return frozenset(kind for kind, has in zip(asked, found.one(), strict=True) if has)


async def list_budgets(
    snapshot: Snapshot, brand_id: UUID, campaign_ids: list[UUID]
) -> list[CampaignBudget]:
    found = await snapshot.session.exec(
        select(CampaignBudget)
        .where(
            col(CampaignBudget.brand_id) == brand_id,
            col(CampaignBudget.campaign_id).in_(campaign_ids),
        )
        .order_by(col(CampaignBudget.campaign_id), col(CampaignBudget.asset))
    )
    return list(found)


async def list_newest(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    before: UUID | None = None,
    limit: int | None = None,
    status: CampaignStatus | None = None,
    only: UUID | None = None,
) -> list[tuple[Campaign, CampaignVersion]]:
    """Campaigns with their newest version, newest campaign first; those in this ``status``;
    ``only`` this one."""
    newest = (
        select(CampaignVersion.campaign_id, func.max(CampaignVersion.version).label("version"))
        .where(col(CampaignVersion.brand_id) == brand_id)
        .group_by(col(CampaignVersion.campaign_id))
        .subquery()
    )
    statement = (
        select(Campaign, CampaignVersion)
        .join(newest, newest.c.campaign_id == Campaign.id)
        .join(
            CampaignVersion,
            (col(CampaignVersion.brand_id) == col(Campaign.brand_id))
            & (col(CampaignVersion.campaign_id) == col(Campaign.id))
            & (col(CampaignVersion.version) == newest.c.version),
        )
        .where(col(Campaign.brand_id) == brand_id)
        .order_by(col(Campaign.id).desc())
    )
    if status is not None:
        statement = statement.where(col(Campaign.status) == status.value)
    if only is not None:
        statement = statement.where(col(Campaign.id) == only)
    if before is not None:
        statement = statement.where(col(Campaign.id) < before)
    if limit is not None:
        statement = statement.limit(limit)
    found = await snapshot.session.exec(statement)
    return [(campaign, version) for campaign, version in found]


def as_live(campaign: Campaign, version: CampaignVersion) -> LiveCampaign:
    """The rows as the value that rules work on."""
    event, custom = EventKind(version.event), version.event_type
    fields = () if custom is None else tuple(sorted(custom["fields"].items()))
    draw = version.draw and compile_draw(
        draw_from_json(version.draw), version.starts_at, version.ends_at, event, fields
    )
    return LiveCampaign(
        campaign.id,
        version.id,
        campaign.code,
        event,
        Gate(version.gate),
        version.priority,
        version.product_id,
        version.starts_at,
        version.ends_at,
        outcomes_from_json(version.outcomes),
        caps_from_json(version.caps),
        coupons_from_json(version.outcomes),
        policies_from_json(version.return_policies),
        None if version.condition is None else load_condition(version.condition, event, fields),
        draw or None,
        None if custom is None else UUID(hex=custom["id"]),
        bonus_from_json(version.bonus),
        tuple(version.regions),
    )
