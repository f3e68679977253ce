"""Pure: what events do to members. Credits, locks, budgets, caps and tiers, in memory.

A ``GrantWorld`` holds what a batch of events may touch, as read; events are folded over it one
after the other, so that what an earlier event of the batch did counts for the later ones. What it
decided is written by set afterwards, under guards.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.clock import local_date
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import OutcomeBasis
from rewards.campaigns.rules import NOTHING_BOUGHT, Bought, LiveCampaign
from rewards.grants.caps import (
    ALL_TIME,
    caps_allow,
    caps_of,
    count_caps,
    counter_key,
    counter_keys,
)
from rewards.grants.coupons import has_coupons, issue_coupon, take_coupon
from rewards.grants.crediting import (
    count_for_tier,
    credit_member,
    return_to_budgets,
    spend_budget,
)
from rewards.grants.ending import (
    await_taking,
    count_scan,
    end_locked,
    settle_item,
    shown_status,
    unlock_waiting,
    waits_for_item,
)
from rewards.grants.models import LockStatus
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
    unlock_of,
)
from tiers.ladders.rules import Level, multiplied
from tiers.privileges.rules import points_percent
from tiers.standings.folding import catch_up

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
    "await_taking",
    "caps_allow",
    "caps_of",
    "count_caps",
    "count_for_tier",
    "count_scan",
    "counter_key",
    "counter_keys",
    "end_locked",
    "return_to_budgets",
    "settle_item",
    "shown_status",
    "unlock_waiting",
    "waits_for_item",
]


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
    credit_member(world, member, (credit.asset, credit.amount), cause, campaign.id, draw_id)
    key = (brand.id, campaign.id, credit.asset)
    spend_budget(world, key, spent=credit.amount, reserved=0)
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
        spend_budget(world, key, spent=0, reserved=credit.amount)
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
