"""Pure: what events do to members. Credits, locks, budgets, caps and tiers, in memory.

A ``GrantWorld`` holds what a batch of events may touch, as read; events are folded over it one
after the other, so that what an earlier event of the batch did counts for the later ones. What it
decided is written by set afterwards, under guards.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.clock import local_date
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import AccountState, Cause, Movement
from loyalty.withholdings.models import PrizeKind
from loyalty.withholdings.rules import credit_prize
from rewards.campaigns.models import OutcomeBasis, UnlockKind
from rewards.campaigns.rules import NOTHING_BOUGHT, Bought, LiveCampaign
from rewards.grants.caps import (
    ALL_TIME,
    caps_allow,
    caps_of,
    count_caps,
    counter_key,
    counter_keys,
)
from rewards.grants.coupons import end_locked_coupon, has_coupons, issue_coupon, take_coupon
from rewards.grants.models import LockedReward, LockStatus
from rewards.grants.world import (
    COUPON,
    AccountKey,
    BrandConfiguration,
    BudgetKey,
    BudgetMove,
    CounterKey,
    Credit,
    GrantWorld,
    LockedState,
    MemberState,
    StockKey,
    Unlock,
    WaitKey,
    cause_of_time,
    unlock_of,
)
from tiers.ladders.rules import Level, multiplied
from tiers.privileges.rules import points_percent
from tiers.standings.folding import TierEvent, after_event, catch_up

__all__ = [
    "ALL_TIME",
    "AccountKey",
    "BrandConfiguration",
    "BudgetKey",
    "BudgetMove",
    "CounterKey",
    "Credit",
    "GrantWorld",
    "LockedState",
    "MemberState",
    "StockKey",
    "Unlock",
    "WaitKey",
    "caps_allow",
    "caps_of",
    "count_caps",
    "counter_key",
    "counter_keys",
]

UNLOCKED_TOPIC = "reward.unlocked"
LAPSED_TOPIC = "reward.lapsed"


def level_of(world: GrantWorld, member: MemberState, at: datetime | None = None) -> Level | None:
    """The level a member holds at an event's time, after what the days before it brought about by
    themselves; None when its role has no ladder."""
    tier = world.tiers.get((member.brand_id, member.id))
    if tier is None:
        return None
    catch_up(tier, local_date(at or world.now, tier.timezone), world.new_id)
    return tier.level


def credits_of(
    world: GrantWorld,
    campaign: LiveCampaign,
    member: MemberState,
    bought: Bought = NOTHING_BOUGHT,
    at: datetime | None = None,
    main: Mapping[str, int] | None = None,
) -> list[Credit]:
    """What a campaign gives a member in its role for an event (of now, if not ``at``), with the
    points multiplier of its tier and its privileges. ``main`` is what the first campaign gives it,
    by asset: a percentage of that is multiplied already."""
    level = level_of(world, member, at)
    percent = 100
    if level is not None:
        on = local_date(at or world.now, world.brands[member.brand_id].timezone)
        percent = points_percent(level.points_multiplier_percent, level.privileges, on)
    credits = []
    for outcome in campaign.outcomes_for(MemberRole(member.role)):
        of_main = outcome.basis is OutcomeBasis.PERCENT_OF_MAIN
        amount = outcome.value(bought, main.get(outcome.asset, 0) if main else 0)
        if outcome.asset == Asset.POINTS and not of_main:
            amount = multiplied(amount, percent)
        if amount > 0:
            credits.append(Credit(member, outcome.asset, amount, outcome.lock))
    if campaign.coupons:
        for coupon in campaign.coupons_for(MemberRole(member.role)):
            credits.append(Credit(member, COUPON, 1, coupon.lock, coupon.template_id))
    return credits


def within_budget(world: GrantWorld, campaign: LiveCampaign, credits: Iterable[Credit]) -> bool:
    """Whether all of the credits together fit into what is left: of budgets, and of coupons, which
    may be out of stock, paused, or past their dates."""
    wanted: dict[BudgetKey, int] = {}
    coupons: dict[StockKey, int] = {}
    for credit in credits:
        if credit.template_id is not None:
            stock_key = (credit.member.brand_id, credit.template_id)
            coupons[stock_key] = coupons.get(stock_key, 0) + credit.amount
            continue
        key = (credit.member.brand_id, campaign.id, credit.asset)
        wanted[key] = wanted.get(key, 0) + credit.amount
    return all(world.budgets.get(key, amount) >= amount for key, amount in wanted.items()) and all(
        has_coupons(world, key, count) for key, count in coupons.items()
    )


def _spend_budget(world: GrantWorld, key: BudgetKey, *, spent: int, reserved: int) -> None:
    if key not in world.budgets:
        return
    world.budgets[key] -= spent + reserved
    move = world.budget_moves.setdefault(key, BudgetMove())
    move.spent += spent
    move.reserved += reserved


def return_to_budgets(world: GrantWorld, returned: Mapping[BudgetKey, int]) -> None:
    """Give budgets back what was taken back of their credits."""
    for key, amount in returned.items():
        _spend_budget(world, key, spent=-amount, reserved=0)


def give(
    world: GrantWorld,
    campaign: LiveCampaign,
    credit: Credit,
    cause: Cause,
    draw_id: UUID | None = None,
) -> LockedState | None:
    """Credit a member: at once (ledger, lot, budget, and the tier that new growth earns), or, if
    the credit says so, locked: that is the answer then, unless what it waits for is there already.
    Of a draw's prize tax may be withheld."""
    member = credit.member
    brand = world.brands[member.brand_id]
    if credit.lock is not None:
        box = world.boxes.get(cause.id)
        if box is not None:
            box.owners[member.id] = member
        item = world.items.get(cause.id)
        unlock = unlock_of(credit.lock, brand.timezone, cause.occurred_at, box, item)
        state = lock(world, campaign, credit, cause, unlock, draw_id)
        if unlock.count or unlock.unlocks_at is not None:
            return state
        end_locked(world, member, state, cause, LockStatus.UNLOCKED)
        return None
    if credit.template_id is not None:
        issue_coupon(world, credit.template_id, member, cause)
        return None
    account = world.account(member, credit.asset)
    movement, withheld = credit_prize(
        world.book,
        None if draw_id is None else brand.withholding,
        (PrizeKind.DRAW, draw_id or cause.id),
        world.issuance[(brand.id, brand.id, credit.asset)],
        account,
        credit.amount,
        cause,
        campaign_id=campaign.id,
        expires_on=_good_until(world, brand, account, cause.occurred_at),
        owed=world.debt(member, credit.asset),
    )
    world.withheld += [withheld] if withheld else []
    key = (brand.id, campaign.id, credit.asset)
    _spend_budget(world, key, spent=credit.amount, reserved=0)
    _count_credit(world, member, movement)
    return None


def lock(
    world: GrantWorld,
    campaign: LiveCampaign,
    credit: Credit,
    cause: Cause,
    unlock: Unlock,
    draw_id: UUID | None = None,
) -> LockedState:
    """Grant a credit that waits; it reserves its budget now, or its coupon's stock."""
    member = credit.member
    if credit.template_id is not None:
        state_id = world.new_id()
        take_coupon(world, (member.brand_id, credit.template_id))
    else:
        movement = world.book.lock(
            world.issuance[(member.brand_id, member.brand_id, credit.asset)],
            world.account(member, credit.asset),
            credit.amount,
            cause,
            campaign_id=campaign.id,
        )
        state_id = movement.id
        key = (member.brand_id, campaign.id, credit.asset)
        _spend_budget(world, key, spent=0, reserved=credit.amount)
    state = LockedState(
        member.brand_id,
        state_id,
        member.id,
        campaign.id,
        credit.asset,
        credit.amount,
        cause.id,
        unlock,
        unlock.count,
        unlock.count,
        credit.template_id,
        draw_id,
        is_new=True,
    )
    world.locked.setdefault(state.wait_key, []).append(state)
    return state


def settle_item(
    world: GrantWorld, member: MemberState, unlock_key: str, cause: Cause, *, post: bool
) -> None:
    """Post what waits for an item's scan (its points' clock starts now), or void it. What waited
    for too long lapses, as of its own time."""
    end = LockStatus.UNLOCKED if post else LockStatus.VOIDED
    for state in world.locked.get((member.brand_id, None, unlock_key), ()):
        if state.waits_at(cause.occurred_at):
            end_locked(world, member, state, cause, end)
        elif state.status is LockStatus.LOCKED:
            end_locked(world, member, state, cause_of_time(state), LockStatus.LAPSED)


def waits_for_item(world: GrantWorld, brand_id: UUID, unlock_key: str) -> bool:
    """Whether anything is still locked until an item's scan, and has not waited for too long."""
    states = world.locked.get((brand_id, None, unlock_key), ())
    return any(state.waits_at(world.now) for state in states)


def shown_status(reward: LockedReward, now: datetime) -> LockStatus:
    """A locked reward's status as people see it: one that waited for too long has lapsed, swept or
    not."""
    status = LockStatus(reward.status)
    has_lapsed = reward.lapses_at is not None and reward.lapses_at <= now
    return LockStatus.LAPSED if status is LockStatus.LOCKED and has_lapsed else status


def count_scan(world: GrantWorld, member: MemberState, cause: Cause) -> list[LockedState]:
    """One more paid scan of a consumer, for its tier and for what waits for scans: the last one
    unlocks it, and that is the answer. Call it before what this scan locks is locked."""
    count_for_tier(
        world, member, TierEvent(cause.occurred_at, cause.kind, cause.id, scans=1, visit=True)
    )
    return unlock_waiting(world, member, UnlockKind.NEXT_SCAN.value, cause)


def unlock_waiting(
    world: GrantWorld, member: MemberState, unlock_key: str, cause: Cause
) -> list[LockedState]:
    """One more of the events that some of a member's rewards wait for; those it has unlocked."""
    unlocked = []
    for state in world.locked.get((member.brand_id, member.id, unlock_key), ()):
        if not state.waits_at(cause.occurred_at):
            continue
        state.count -= 1
        if state.count == 0:
            end_locked(world, member, state, cause, LockStatus.UNLOCKED)
        if state.status is LockStatus.UNLOCKED:
            unlocked.append(state)
    return unlocked


def end_locked(
    world: GrantWorld, member: MemberState, state: LockedState, cause: Cause, end: LockStatus
) -> None:
    """Post a locked reward to its member (UNLOCKED), or void it and free what it reserved."""
    if state.template_id is not None:
        state.status = end_locked_coupon(world, member, state.template_id, state.id, end)
        state.resolved_by_id = cause.id
        state.count = 0 if state.status is LockStatus.UNLOCKED else state.count
        _tell_end(world, member, state)
        return
    brand = world.brands[member.brand_id]
    post = end is LockStatus.UNLOCKED
    account = world.account(member, state.asset)
    issuance = world.issuance[(brand.id, brand.id, state.asset)]
    if post:
        movement, withheld = credit_prize(
            world.book,
            None if state.draw_id is None else brand.withholding,
            (PrizeKind.DRAW, state.draw_id or state.id),
            issuance,
            account,
            state.amount,
            cause,
            campaign_id=state.campaign_id,
            expires_on=_good_until(world, brand, account, cause.occurred_at),
            owed=world.debt(member, state.asset),
            pending_id=state.id,
        )
        world.withheld += [withheld] if withheld else []
    else:
        movement = world.book.resolve(
            *(issuance, account, state.amount, cause),
            pending_id=state.id,
            campaign_id=state.campaign_id,
            expires_on=None,
        )
    state.status, state.resolved_by_id = end, movement.id
    _spend_budget(
        world,
        (brand.id, state.campaign_id, state.asset),
        spent=state.amount if post else 0,
        reserved=-state.amount,
    )
    if post:
        state.count = 0
        _count_credit(world, member, movement)
    _tell_end(world, member, state)


_TOPICS = {LockStatus.UNLOCKED: UNLOCKED_TOPIC, LockStatus.LAPSED: LAPSED_TOPIC}


def _tell_end(world: GrantWorld, member: MemberState, state: LockedState) -> None:
    topic = _TOPICS.get(state.status)
    if topic is not None:
        told = {"asset": state.asset, "amount": state.amount}
        world.emit(member.brand_id, topic, member.id, told)


def _good_until(
    world: GrantWorld, brand: BrandConfiguration, account: AccountState, earned_at: datetime
) -> date:
    """The last day of a credit earned then; under expiry by activity, of everything there is."""
    expiry = brand.assets[account.asset].expiry
    until = expiry.last_day(local_date(earned_at, brand.timezone))
    if expiry.is_extended:
        world.book.extend(account, local_date(world.now, brand.timezone), until)
    return until


def _count_credit(world: GrantWorld, member: MemberState, movement: Movement) -> None:
    """Let a credit count for its member's tier: the growth balance after it, or what was earned."""
    cause, credited = movement.cause, movement.credit
    is_growth = credited.asset == Asset.GROWTH.value
    event = TierEvent(
        cause.occurred_at,
        cause.kind,
        cause.id,
        movement.id,
        balance=credited.balance if is_growth else None,
        earned={credited.asset: movement.amount},
    )
    count_for_tier(world, member, event)


def count_for_tier(world: GrantWorld, member: MemberState, event: TierEvent) -> None:
    """Fold an event over its member's tier, if its role has a ladder."""
    tier = world.tiers.get((member.brand_id, member.id))
    if tier is not None:
        after_event(tier, event, world.new_id)
