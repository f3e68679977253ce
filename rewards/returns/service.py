"""Give purchases back: the money is the till's affair; the rewards are taken back here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, MemberRole
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import InvalidInput, NotFound, ReferenceConflict
from loyalty.ledger.rules import Cause, ReturnPolicy
from loyalty.members import service as members
from loyalty.reversals.rules import Credited, TakenBack, returned_to_campaigns
from loyalty.reversals.service import take_back
from loyalty.text import checked_text
from loyalty.withholdings.service import find_of_credits, return_tax
from rewards.campaigns import service as campaigns
from rewards.campaigns.models import CapSubject
from rewards.campaigns.rules import DEFAULT_RETURN_POLICY, LiveCampaign
from rewards.coupons.models import CouponCause
from rewards.grants import service as grants
from rewards.grants.rules import (
    BrandConfiguration,
    CounterKey,
    GrantWorld,
    LockedState,
    MemberState,
    caps_of,
    count_for_tier,
    counter_keys,
    level_of,
    return_to_budgets,
)
from rewards.issues.service import void_won
from rewards.purchases import service as purchases
from rewards.purchases.models import PurchaseEvent, PurchaseShare
from rewards.purchases.reading import checked_ref
from rewards.purchases.service import ConfigurationCache, configuration_of
from rewards.returns import queries
from rewards.returns.models import PurchaseReturn
from rewards.returns.rules import (
    CAUSE_KIND,
    REASON_LENGTH_MAX,
    RETURNED_TOPIC,
    Given,
    Holders,
    ReturnRequest,
    Taking,
    TakingKey,
    of_buyer,
    plan_given,
    returned_payload,
    share_after,
    shrink_locked,
    takings_of,
    tier_events,
    wanted_back,
)
from tiers.ladders.rules import Level


@dataclass(frozen=True, slots=True)
class ReturnResult:
    """What became of a return. ``is_new`` is False for a repeat: ``takings`` are those of the
    first time, of the buyer alone, the levels that of now. ``owner_id`` has what the buyer had:
    another member, if the buyer was merged into it."""

    row: PurchaseReturn
    owner_id: UUID
    is_new: bool
    takings: Mapping[str, Taking]
    level_before: Level | None
    level_after: Level | None


@dataclass(slots=True)
class _Rewards:
    """What a purchase has earned, and who has it now: ``owner`` what the buyer got. ``shares``:
    of who was behind its place."""

    world: GrantWorld
    owner: MemberState
    holders: Holders
    shares: list[PurchaseShare]
    earlier: list[PurchaseReturn]
    credits: list[Credited]
    locked: list[LockedState]


async def return_purchase(
    tx: Tx,
    actor: Actor,
    request: ReturnRequest,
    *,
    purchase_id: UUID | None = None,
    purchase_ref: str | None = None,
    cache: ConfigurationCache | None = None,
) -> ReturnResult:
    """Give a purchase back, by its id or its reference: some or all of it, with the rewards.

    A repeat of a known ``return_ref`` with the same content has no second effect. Refuses NotFound
    (purchase), ReferenceConflict, ReturnTooLarge and InvalidInput (with the field's path).
    """
    brand_id = actor.brand_id
    reason = checked_text(request.reason, "reason", length_max=REASON_LENGTH_MAX)
    request = replace(
        request, return_ref=checked_ref(request.return_ref, "returnRef"), reason=reason
    )
    brand = await configuration_of(tx, brand_id, ConfigurationCache() if cache is None else cache)
    purchase = await _find_purchase(tx, brand_id, purchase_id, purchase_ref)
    world = grants.empty_world(tx, {brand_id: brand})
    shares = await purchases.list_shares(tx, brand_id, [purchase.id])
    backers = [share.member_id for share in shares if share.unpaid_reason is None]
    paid = [purchase.member_id, *(id for id in backers if id is not None)]
    holders = await purchases.find_owners(tx, brand_id, paid)
    await purchases.load_owners(tx, world, holders.values())
    purchase = await _lock(tx, purchase)
    known = await queries.find_return_by_ref(tx, brand_id, request.return_ref)
    rewards = await _load_rewards(tx, world, holders, shares, purchase)
    if known is not None:
        if known.content_hash != request.content_hash(purchase.id):
            raise ReferenceConflict(noun="return", ref=request.return_ref)
        return await _as_recorded(tx, rewards, known)
    lines = await purchases.list_lines(tx, brand_id, [purchase.id])
    given = plan_given(purchase, lines, request)
    return await _settle(tx, actor, rewards, purchase, request, given)


async def _find_purchase(
    tx: Tx, brand_id: UUID, purchase_id: UUID | None, purchase_ref: str | None
) -> PurchaseEvent:
    if (purchase_id is None) == (purchase_ref is None):
        raise InvalidInput(field="purchase", problem="a purchaseId or a purchaseRef")
    if purchase_id is not None:
        found = await purchases.find_purchase(tx, brand_id, purchase_id)
    else:
        ref = checked_ref(purchase_ref or "", "purchaseRef")
        found = await purchases.find_purchase_by_ref(tx, brand_id, ref)
    if found is None:
        raise NotFound(noun="purchase")
    return found


async def _lock(tx: Tx, purchase: PurchaseEvent) -> PurchaseEvent:
    """The purchase as earlier returns have left it; later ones wait."""
    locked = await purchases.lock_purchase(tx, purchase.brand_id, purchase.id)
    if locked is None:
        raise NotFound(noun="purchase")
    return locked


async def _load_rewards(
    tx: Tx,
    world: GrantWorld,
    holders: Holders,
    shares: list[PurchaseShare],
    purchase: PurchaseEvent,
) -> _Rewards:
    """What the purchase has earned, at once or locked, and the budgets that it was taken from. The
    holders' accounts are locked, and so is the purchase."""
    brand_id = purchase.brand_id
    earlier = await queries.list_returns(tx, brand_id, [purchase.id])
    causes = [purchase.id, *(each.id for each in earlier)]
    credits = await grants.list_granted_credits(tx, brand_id, holders.keys(), causes)
    locked = await grants.load_locked_by_cause(
        tx, world, [(brand_id, cause_id) for cause_id in causes]
    )
    having = {each.member_id for each in credits} | {each.member_id for each in locked}
    for id in having - holders.keys():
        # Merged in between, into somebody who was merged since.
        [owner_id] = (await members.follow_merges(tx, brand_id, [id])).values()
        holders = {**holders, id: holders[owner_id]}
    campaign_ids = {each.campaign_id for each in credits} | {each.campaign_id for each in locked}
    await grants.load_brands_side(
        tx, world, [(brand_id, id) for id in campaign_ids if id is not None], ()
    )
    owner = holders[purchase.member_id]
    return _Rewards(world, owner, holders, shares, earlier, credits, locked)


async def _as_recorded(tx: Tx, rewards: _Rewards, row: PurchaseReturn) -> ReturnResult:
    """A return that was there before, and what it took then."""
    stored = await queries.list_takings(tx, row.brand_id, [row.id])
    takings = {
        (each.role, each.asset): Taking(each.taken, each.owed, each.voided) for each in stored
    }
    level = level_of(rewards.world, rewards.owner)
    return ReturnResult(row, rewards.owner.id, False, of_buyer(takings), level, level)


async def _settle(
    tx: Tx,
    actor: Actor,
    rewards: _Rewards,
    purchase: PurchaseEvent,
    request: ReturnRequest,
    given: Given,
) -> ReturnResult:
    """Take back what nobody keeps, and write it all."""
    world, owner = rewards.world, rewards.owner
    row = PurchaseReturn(
        brand_id=purchase.brand_id,
        id=world.new_id(),
        purchase_id=purchase.id,
        return_ref=request.return_ref,
        content_hash=request.content_hash(purchase.id),
        amount_fen=given.amount_fen,
        left_fen=given.left_fen,
        reason=request.reason,
        created_at=tx.now,
    )
    cause = Cause(CAUSE_KIND, row.id, actor.kind.value, actor.id, row.reason, tx.now)
    paying = await _find_campaigns(tx, purchase)

    def policy_of(campaign_id: UUID | None, role: str) -> ReturnPolicy:
        campaign = paying.get(campaign_id) if campaign_id is not None else None
        return campaign.return_policy(MemberRole(role)) if campaign else DEFAULT_RETURN_POLICY

    share = share_after(purchase, given, ((each.id, each.left_fen) for each in rewards.earlier))
    taxed = await find_of_credits(tx, purchase.brand_id, [credit.id for credit in rewards.credits])
    taken = await take_back(
        tx,
        world.book,
        wanted_back(rewards.credits, share, policy_of, rewards.holders, taxed),
        cause,
        local_date(tx.now, world.brands[purchase.brand_id].timezone),
        has=world.accounts,
        owes=world.owed,
    )
    taken = await return_tax(tx, world.book, taken, taxed, cause)
    return_to_budgets(world, returned_to_campaigns(taken))
    voided = shrink_locked(world, rewards.holders, rewards.locked, paying, share, cause)
    takings = takings_of(taken, voided, rewards.holders)
    level_before = level_of(world, owner)
    await _lower_tiers(tx, rewards, purchase, given, taken, cause)
    told = returned_payload(row, of_buyer(takings))
    world.emit(purchase.brand_id, RETURNED_TOPIC, owner.id, told)
    coupons = await _write(tx, rewards, purchase, row, given, takings, paying.values())
    await audit_log.record(
        tx,
        actor,
        "purchase.return",
        purchase.id,
        row.reason,
        return_id=row.id.hex,
        amount_fen=row.amount_fen,
        coupons_voided=coupons,
    )
    level_after = level_of(world, owner)
    return ReturnResult(row, owner.id, True, of_buyer(takings), level_before, level_after)


async def _find_campaigns(tx: Tx, purchase: PurchaseEvent) -> dict[UUID, LiveCampaign]:
    """The versions that rewarded the purchase, the bonuses' too, as they were published then; by
    their campaigns' ids."""
    if purchase.campaign_version_id is None:
        return {}
    bonuses = await grants.list_bonuses(tx, purchase.brand_id, [purchase.id])
    paid = [bonus.campaign_version_id for bonus in bonuses if bonus.unpaid_reason is None]
    version_ids = [purchase.campaign_version_id, *paid]
    found = await campaigns.find_versions(tx, purchase.brand_id, version_ids)
    return {campaign.id: campaign for campaign in found.values()}


async def _lower_tiers(
    tx: Tx,
    rewards: _Rewards,
    purchase: PurchaseEvent,
    given: Given,
    taken: Sequence[TakenBack],
    cause: Cause,
) -> None:
    """Let the holders' tiers know what they no longer have: the growth balance, and, on the days
    on which they had been counted, what was spent and earned. Whether a level falls, and when, is
    its ladder's affair."""
    later = [one.credit.id for one in taken if one.credit.cause_id != purchase.id]
    times = await queries.list_transfer_times(tx, purchase.brand_id, later) if later else {}
    world, holders = rewards.world, rewards.holders
    for holder in {each.id: each for each in holders.values()}.values():
        own = [one for one in taken if holders[one.credit.member_id] is holder]
        for event in tier_events(world, holder, purchase, given, own, times, cause):
            count_for_tier(world, holder, event)


async def _write(
    tx: Tx,
    rewards: _Rewards,
    purchase: PurchaseEvent,
    row: PurchaseReturn,
    given: Given,
    takings: Mapping[TakingKey, Taking],
    paying: Iterable[LiveCampaign],
) -> int:
    """Members first, then the events, then the brand's hottest rows: the global order of locks. How
    many of its coupons are void: those that nobody had used, once nothing is left of it."""
    world = rewards.world
    brand = world.brands[purchase.brand_id]
    await grants.write_members_side(tx, world)
    voided = 0
    if given.is_last:
        locked = await grants.list_granted_locked(tx, brand.id, [purchase.id])
        causes = [(CouponCause.PURCHASE, purchase.id)]
        causes += [(CouponCause.LOCK, row.id) for row in locked]
        voided = await void_won(tx, brand.id, causes)
    lines = [(line.line_no, line.quantity, line.amount_fen) for line in given.lines]
    await purchases.count_returned(tx, purchase, given.amount_fen, lines, is_last=given.is_last)
    values = tuple(row.model_dump().values())
    if not await tx.fetch(queries.INSERT_RETURN, rows=[values]):
        raise RetryTransaction  # another return took the reference first
    if lines:
        await tx.fetch(queries.INSERT_LINES, rows=[(brand.id, row.id, *line) for line in lines])
    if takings:
        took = [(brand.id, row.id, *key, *astuple(taking)) for key, taking in takings.items()]
        await tx.fetch(queries.INSERT_TAKINGS, rows=took)
    if given.is_last:
        await campaigns.uncount_caps(tx, _counted(rewards, purchase, brand, paying))
    await grants.write_brands_side(tx, world)
    return voided


def _counted(
    rewards: _Rewards,
    purchase: PurchaseEvent,
    brand: BrandConfiguration,
    paying: Iterable[LiveCampaign],
) -> list[CounterKey]:
    """The counters in which the purchase was counted, of its buyer and of the store that it paid:
    by their ids of then."""
    stores: dict[CapSubject, str | None] = {}
    for share in rewards.shares:
        if share.role == MemberRole.STORE and share.unpaid_reason is None and share.member_id:
            stores[CapSubject.STORE] = share.member_id.hex
    at, buyer_id = purchase.occurred_at, purchase.member_id
    return [
        key
        for each in paying
        for key, _ in (
            *caps_of(brand, each, buyer_id, at),
            *counter_keys(brand, each, stores, at),
        )
    ]
