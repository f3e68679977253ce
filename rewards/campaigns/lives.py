"""What operators do to drafts, and to campaigns that were published."""

from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands.service import touch_configuration
from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from loyalty.errors import (
    AlreadyExists,
    CampaignStateWrong,
    DraftChanged,
    InvalidInput,
    NotFound,
)
from loyalty.keyed import find_row, get_row, list_newest, lock_row, set_status
from loyalty.text import checked_text
from rewards.campaigns import queries
from rewards.campaigns.definitions import definition_from_json, definition_to_json
from rewards.campaigns.models import Campaign, CampaignDraft, CampaignStatus, CampaignVersion
from rewards.campaigns.rules import CampaignDefinition
from rewards.campaigns.service import check_campaign, publish_campaign

REASON_LENGTH_MAX = 500
_BEGINS_AT = {
    CampaignStatus.PAUSED: (CampaignStatus.RUNNING,),
    CampaignStatus.RUNNING: (CampaignStatus.PAUSED,),
    CampaignStatus.ENDED: (CampaignStatus.RUNNING, CampaignStatus.PAUSED),
}
_ACTIONS = {
    CampaignStatus.PAUSED: "campaign.pause",
    CampaignStatus.RUNNING: "campaign.resume",
    CampaignStatus.ENDED: "campaign.end",
}


async def save_draft(
    tx: Tx,
    actor: Actor,
    definition: CampaignDefinition,
    *,
    draft_id: UUID | None = None,
    revision: int | None = None,
) -> CampaignDraft:
    """A new draft, or the next revision of one, whose code stays.

    Refuses whatever ``publish_campaign`` would refuse, AlreadyExists (a draft with this code),
    NotFound (draft) and DraftChanged (it is at another revision).
    """
    if (draft_id is None) is not (revision is None):
        field = "revision" if revision is None else "draftId"
        raise InvalidInput(field=field, problem="a draft and the revision of it, or neither")
    await check_campaign(tx, actor.brand_id, definition)
    made = CampaignDraft(
        brand_id=actor.brand_id,
        code=definition.code,
        revision=(revision or 0) + 1,
        definition=definition_to_json(definition),
        created_by=actor.id,
        saved_by=actor.id,
        created_at=tx.now,
        saved_at=tx.now,
    )
    if draft_id is None:
        if not await tx.insert_if_absent(made):
            raise AlreadyExists(noun="draft", field="code")
    else:
        held = await _get_draft(tx, actor.brand_id, draft_id)
        if held.code != definition.code:
            raise InvalidInput(field="code", problem=f"this draft is of {held.code}")
        made.id, made.created_by, made.created_at = held.id, held.created_by, held.created_at
        if not await queries.save_draft(tx, made, revision or 0):
            raise await _changed(tx, made.brand_id, draft_id)
    await audit_log.record(
        tx, actor, "campaign.draft", made.id, code=made.code, revision=made.revision
    )
    return made


async def delete_draft(tx: Tx, actor: Actor, draft_id: UUID, revision: int) -> CampaignDraft:
    """What it was. Refuses NotFound (draft) and DraftChanged."""
    draft = await _take_draft(tx, actor.brand_id, draft_id, revision)
    await audit_log.record(tx, actor, "campaign.draft.delete", draft.id, code=draft.code)
    return draft


async def publish_draft(
    tx: Tx, actor: Actor, draft_id: UUID, revision: int, keyring: Keyring | None = None
) -> tuple[Campaign, CampaignVersion]:
    """Make a draft the first or the next version of the campaign with its code; it is gone then.
    ``keyring`` as in ``publish_campaign``. Refuses what that refuses, NotFound (draft) and
    DraftChanged."""
    draft = await _take_draft(tx, actor.brand_id, draft_id, revision)
    return await publish_campaign(tx, actor, definition_from_json(draft.definition), keyring)


async def _get_draft(tx: Tx, brand_id: UUID, draft_id: UUID) -> CampaignDraft:
    return await get_row(tx, CampaignDraft, brand_id, draft_id, "draft")


async def _take_draft(tx: Tx, brand_id: UUID, draft_id: UUID, revision: int) -> CampaignDraft:
    draft = CampaignDraft(**(await _get_draft(tx, brand_id, draft_id)).model_dump())
    if not await queries.delete_draft(tx, brand_id, draft_id, revision):
        raise await _changed(tx, brand_id, draft_id)
    return draft


async def _changed(tx: Tx, brand_id: UUID, draft_id: UUID) -> DraftChanged | NotFound:
    now_there = await find_row(tx, CampaignDraft, brand_id, draft_id)
    if now_there is None:
        return NotFound(noun="draft")
    return DraftChanged(revision=now_there.revision)


async def list_drafts(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[CampaignDraft]:
    """The brand's drafts, newest first; keyset by id."""
    return await list_newest(snapshot, CampaignDraft, brand_id, before=before, limit=limit)


async def find_draft(snapshot: Snapshot, brand_id: UUID, draft_id: UUID) -> CampaignDraft | None:
    return await find_row(snapshot, CampaignDraft, brand_id, draft_id)


async def move_campaign(
    tx: Tx, actor: Actor, campaign_id: UUID, wanted: CampaignStatus, reason: str
) -> Campaign:
    """Pause a running campaign, resume a paused one, or end either for good. What it has promised
    is kept. Refuses NotFound (campaign), CampaignStateWrong and InvalidInput (reason)."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    campaign = await lock_row(tx, Campaign, actor.brand_id, campaign_id)
    if campaign is None:
        raise NotFound(noun="campaign")
    if CampaignStatus(campaign.status) not in _BEGINS_AT[wanted]:
        raise CampaignStateWrong(status=campaign.status, wanted=wanted.value)
    if wanted is CampaignStatus.ENDED:
        await queries.set_ended(tx, actor.brand_id, campaign_id)
    else:
        await set_status(tx, Campaign, actor.brand_id, campaign_id, wanted.value)
    await touch_configuration(tx, actor.brand_id)
    await audit_log.record(tx, actor, _ACTIONS[wanted], campaign_id, reason, code=campaign.code)
    return campaign
