"""Pure: what a scan of a code comes to.

``decide`` folds one scan over a ``ScanWorld``: it sees what earlier scans of the same batch did,
notes what is to be written, and answers with the reply. No I/O, no clock, no session.
"""

from collections.abc import Iterable
from functools import partial

from loyalty.actor import MemberRole
from loyalty.codes.models import BatchStatus, CodeKind, CodePurpose
from loyalty.codes.rules import item_no
from loyalty.errors import CodeUnknown, IdempotencyConflict, Refusal
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject, Gate
from rewards.campaigns.rules import LiveCampaign
from rewards.draws.drawing import Turn, draw_all
from rewards.draws.rules import claim_of_scan
from rewards.grants import rules as grants
from rewards.grants.channel import credits_of
from rewards.grants.rules import BrandConfiguration, Credit, MemberState
from rewards.grants.stacking import give_bonuses
from rewards.grants.world import ScannedItem
from rewards.scans import receipts
from rewards.scans.channel import plan_channel
from rewards.scans.claims import Outcome, cause_of, note_claims
from rewards.scans.guides import find_guide, lock_gated, pay_guide, plan_guide
from rewards.scans.models import ClaimOutcome, UnpaidReason, Verdict
from rewards.scans.receipts import Sightings
from rewards.scans.stacking import plan_of_scan
from rewards.scans.world import (
    CONSUMER,
    GUIDE,
    REWARD,
    BatchView,
    ClaimState,
    ItemCodeState,
    ScanReply,
    ScanRequest,
    ScanRow,
    ScanWorld,
    choose_campaign,
    find_batch,
    inner_key,
    is_old_enough,
    is_same_person,
    scan_facts,
    unlock_key,
)


def decide(world: ScanWorld, request: ScanRequest) -> ScanReply | Refusal:
    """Fold one scan over the world: the reply, or the refusal that leaves nothing behind."""
    actor = request.actor
    key = (actor.brand_id, actor.id, request.idempotency_key)
    stored = world.replies.get(key)
    if stored is not None:
        if stored[0] != request.body_hash:
            return IdempotencyConflict()
        return ScanReply(stored[1], replayed=True)
    batch = find_batch(world, request)
    if batch is None:
        world.unknown.append(request)
        return CodeUnknown()
    item = item_no(batch.series_no, request.serial)
    member = world.members.get((actor.brand_id, actor.id, actor.role))
    code = world.item_codes.get((actor.brand_id, item, batch.kind))
    verdict = verdict_of(batch.status, code is not None)
    rank_before = _rank(world, member)
    outcome = _outcome(world, request, batch, item, member)
    _note_device(world, request, member)
    sightings = _note_item_code(world, request, batch, item)
    reply = receipts.receipt(
        world.grants,
        scan_id=request.scan_id,
        product_id=batch.product_id,
        member=member,
        verdict=verdict.value,
        outcome=outcome,
        sightings=sightings,
        rank_before=rank_before,
    )
    world.scans.append(
        ScanRow(
            request,
            batch,
            item,
            member.id if member else None,
            verdict.value,
            outcome.unpaid.value if outcome.unpaid else None,
            outcome.guide.id if outcome.guide else None,
            outcome.guide_unpaid.value if outcome.guide_unpaid else None,
            outcome.campaign.version_id if outcome.campaign else None,
        )
    )
    world.replies[key] = (request.body_hash, reply)
    world.new_replies.append(request)
    world.grants.emit(
        batch.brand_id,
        "scan.recorded",
        request.scan_id,
        {
            "product_id": batch.product_id.hex,
            "first": code is None,
            "paid": outcome.unpaid is None,
        },
    )
    return ScanReply(reply, replayed=False)


def _rank(world: ScanWorld, member: MemberState | None) -> int:
    level = grants.level_of(world.grants, member) if member else None
    return level.rank if level else 0


def verdict_of(status: str, was_scanned: bool) -> Verdict:
    """What to say of a code of a batch in this status."""
    if status == BatchStatus.RETIRED:
        return Verdict.RETIRED
    if status != BatchStatus.ACTIVE:
        return Verdict.INACTIVE
    return Verdict.REPEAT if was_scanned else Verdict.FIRST


def _outcome(
    world: ScanWorld,
    request: ScanRequest,
    batch: BatchView,
    item: int,
    member: MemberState | None,
) -> Outcome:
    if member is None:
        return Outcome(UnpaidReason.ROSTER)
    if batch.status == BatchStatus.RETIRED:
        return Outcome(UnpaidReason.RETIRED)
    if batch.status != BatchStatus.ACTIVE:
        return Outcome(UnpaidReason.INACTIVE)
    if member.status != "ACTIVE":
        return Outcome(UnpaidReason.FROZEN)
    brand = world.grants.brands[batch.brand_id]
    if member.role == CONSUMER and batch.purpose == REWARD:
        return _consumer_scan(world, request, batch, item, member, brand)
    if member.role == GUIDE and batch.purpose == CodePurpose.GUIDE:
        return _guide_pre_scan(world, request, batch, item, member, brand)
    return Outcome(UnpaidReason.NO_CAMPAIGN)


def _consumer_scan(
    world: ScanWorld,
    request: ScanRequest,
    batch: BatchView,
    item: int,
    member: MemberState,
    brand: BrandConfiguration,
) -> Outcome:
    """One code, two rewards: the consumer's scan pays the consumer and the guide, together; and
    who stands behind the guide."""
    if brand.has_inner_locks:
        is_inner = batch.kind == CodeKind.INNER
        world.grants.items[request.scan_id] = ScannedItem(inner_key(item), is_inner)
    if (brand.id, item, CONSUMER) in world.claims:
        return _scan_again(world, request, member)
    now = world.grants.now
    campaign = choose_campaign(world, request, batch, member)
    if campaign is None or not is_old_enough(world, batch, member):
        return Outcome(UnpaidReason.AGE if campaign else UnpaidReason.NO_CAMPAIGN)
    guide_claim = world.claims.get((brand.id, item, GUIDE))
    guide = find_guide(world, member, guide_claim)
    outcome = Outcome(guide=guide, campaign=campaign)
    if guide is not None and is_same_person(world, request, member, guide):
        outcome.unpaid = UnpaidReason.SELF_DEALING
        return outcome
    caps = grants.caps_of(brand, campaign, member.id, now, request.device_hash)
    if not grants.caps_allow(world.grants, caps):
        outcome.unpaid = UnpaidReason.CAP
        return outcome
    credits = grants.credits_of(world.grants, campaign, member)
    outcome.guide_unpaid, guide_credits, guide_caps = plan_guide(
        world, brand, campaign, item, guide, guide_claim
    )
    outcome.channel = plan_channel(world, request, campaign, member, guide)
    cause = cause_of(request, now)
    wanted = [*credits, *guide_credits, *credits_of(outcome.channel)]
    if not grants.within_budget(world.grants, campaign, wanted):
        outcome.unpaid, outcome.guide_unpaid = UnpaidReason.BUDGET, None
        if guide is not None:
            grants.settle_item(world.grants, guide, unlock_key(item), cause, post=False)
        note_claims(world, request, item, member, outcome, guide_claim)
        return outcome
    paid_guide = (guide, guide_credits) if guide and outcome.guide_unpaid is None else None
    planned = plan_of_scan(world, request, batch, cause, (member, credits), paid_guide, item)
    outcome.unlocked = grants.count_scan(world.grants, member, cause)
    _pay_consumer(world, brand, campaign, outcome, credits, cause)
    pay_guide(world, item, campaign, outcome, guide_credits, cause)
    _draw(world, request, batch, item, member, campaign, outcome)
    grants.count_caps(world.grants, caps)
    grants.count_caps(world.grants, guide_caps)
    outcome.bonuses = give_bonuses(world.grants, planned, cause, member, request.device_hash)
    if outcome.guide is not None and outcome.guide_unpaid is None:
        grants.await_taking(world.grants, member, outcome.guide, unlock_key(item), cause)
    note_claims(world, request, item, member, outcome, guide_claim)
    return outcome


def _scan_again(world: ScanWorld, request: ScanRequest, member: MemberState) -> Outcome:
    """Nothing more is paid for an item. Who scans its INNER code now, after another of its codes,
    has opened it: that unlocks what waits for this."""
    outcome = Outcome(UnpaidReason.ALREADY_CLAIMED)
    seen = world.grants.items.get(request.scan_id)
    if seen is not None and seen.is_inner:
        cause = cause_of(request, world.grants.now)
        outcome.unlocked = grants.unlock_waiting(world.grants, member, seen.unlock_key, cause)
    return outcome


def _pay_consumer(
    world: ScanWorld,
    brand: BrandConfiguration,
    campaign: LiveCampaign,
    outcome: Outcome,
    credits: Iterable[Credit],
    cause: Cause,
) -> None:
    """What there is for who scans, and what the reply says of it."""
    issued_before = len(world.grants.coupons)
    for credit in credits:
        locked = grants.give(world.grants, campaign, credit, cause)
        if credit.template_id is None or locked is not None:
            outcome.rewards.append(receipts.reward(credit, locked))
    issued = world.grants.coupons[issued_before:]
    outcome.coupons = [receipts.coupon(brand, issue) for issue in issued]


def _draw(
    world: ScanWorld,
    request: ScanRequest,
    batch: BatchView,
    item: int,
    member: MemberState,
    campaign: LiveCampaign,
    outcome: Outcome,
) -> None:
    """Draw for a scan that is paid, of what is left after its rewards and before it is counted: for
    each of those whom it pays and who draws in its campaign."""
    if campaign.draw is None:
        return
    guide = outcome.guide if outcome.guide_unpaid is None else None
    paid = [guide, *(part.member for part in outcome.channel if part.unpaid is None)]
    turn = Turn(
        cause_of(request, world.grants.now),
        member,
        [other for other in paid if other is not None],
        lambda: scan_facts(world, request, batch, member, campaign),
        world.questions.holds,
        request.nonce,
    )
    drawn = draw_all(world.grants, campaign, turn, partial(claim_of_scan, item))
    world.draws += drawn
    outcome.draw = next((each for each in drawn if each.drawing.member is member), None)
    receipts.note_won(world.grants.brands[batch.brand_id], outcome)


def _guide_pre_scan(
    world: ScanWorld,
    request: ScanRequest,
    batch: BatchView,
    item: int,
    member: MemberState,
    brand: BrandConfiguration,
) -> Outcome:
    """The guide's scan of the OUTER code at the sale: names the guide, and with the gate on
    earns the locked credit that the consumer's scan posts. Of a campaign that pays only those who
    stand behind it, it names the guide all the same."""
    if (brand.id, item, GUIDE) in world.claims:
        return Outcome(UnpaidReason.ALREADY_CLAIMED)
    now = world.grants.now
    campaign = choose_campaign(world, request, batch, member)
    credits = grants.credits_of(world.grants, campaign, member) if campaign else []
    if campaign is None or not (campaign.channel or campaign.pays(MemberRole.GUIDE)):
        return Outcome(UnpaidReason.NO_CAMPAIGN)
    outcome = Outcome(guide=member, campaign=campaign)
    if campaign.gate is Gate.NONE:
        outcome.unpaid = UnpaidReason.AWAITS_CONSUMER
        end = ClaimOutcome.ATTRIBUTED
    else:
        caps = grants.counter_keys(brand, campaign, {CapSubject.GUIDE: member.id.hex}, now)
        if not grants.caps_allow(world.grants, caps):
            outcome.unpaid = UnpaidReason.CAP
            return outcome
        if grants.within_budget(world.grants, campaign, credits):
            end = ClaimOutcome.LOCKED
            for credit in credits:
                locked = lock_gated(world, campaign, credit, item, cause_of(request, now))
                outcome.rewards.append(receipts.reward(credit, locked))
            grants.count_caps(world.grants, caps)
        else:
            outcome.unpaid = UnpaidReason.BUDGET
            end = ClaimOutcome.BUDGET
    world.claims[(brand.id, item, GUIDE)] = ClaimState(
        request.scan_id, member.id, end.value, campaign.id, None, is_new=True
    )
    return outcome


def _note_device(world: ScanWorld, request: ScanRequest, member: MemberState | None) -> None:
    if member is None or request.device_hash is None:
        return
    key = (member.brand_id, request.device_hash, member.id)
    if key not in world.devices:
        world.devices.add(key)
        world.new_devices.add(key)


def _note_item_code(
    world: ScanWorld, request: ScanRequest, batch: BatchView, item: int
) -> Sightings:
    """Count the scan; what to say of first and latest scan, this one not being the latest."""
    key = (batch.brand_id, item, batch.kind)
    now = world.grants.now
    code = world.item_codes.get(key)
    if code is None:
        world.item_codes[key] = ItemCodeState(
            batch.id,
            1,
            request.scan_id,
            now,
            request.latitude,
            request.longitude,
            request.scan_id,
            now,
            new_scans=1,
        )
        return Sightings(1, None, None)
    seen = Sightings(
        code.scan_count + 1,
        receipts.sighting(code.first_scanned_at, code.first_latitude, code.first_longitude),
        receipts.sighting(code.last_scanned_at, None, None),
    )
    code.scan_count += 1
    code.new_scans += 1
    code.last_scan_id = request.scan_id
    code.last_scanned_at = now
    return seen
