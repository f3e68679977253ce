"""Pure: what events do to members. Credits, locks, budgets, caps and tiers, in memory.

A ``GrantWorld`` holds what a batch of events may touch, as read; events are folded over it one
after the other, so that what an earlier event of the batch did counts for the later ones. What it
decided is written by set afterwards, under guards.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.clock import local_date
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import AccountState, Book, Cause, Movement, expiry_date
from loyalty.outbox import Fact
from loyalty.products.models import Product
from rewards.campaigns.models import CapSubject, CapWindow
from rewards.campaigns.rules import CampaignIndex, Cap, LiveCampaign
from rewards.coupons.models import CouponCause, CouponTemplate
from rewards.coupons.rules import ISSUED_TOPIC, CouponIssue, issued_payload, usable_dates
from tiers.ladders.rules import LadderView, Level, multiplied
from tiers.standings.service import Rise

ALL_TIME = "ALL"
UNLOCKED_TOPIC = "reward.unlocked"

AccountKey = tuple[UUID, UUID, str]
BudgetKey = tuple[UUID, UUID, str]
CounterKey = tuple[UUID, UUID, str, str, str]
StockKey = tuple[UUID, UUID]
PlannedCoupon = tuple[CouponTemplate, date, date]
"""A template with the first and the last day of a coupon issued now."""


@dataclass(frozen=True, slots=True)
class BrandConfiguration:
    """A brand as rules see it, at one ``revision``; kept in memory until the revision moves.
    ``coupon_templates`` are those that campaigns name; of their status and stock each batch asks
    anew."""

    id: UUID
    revision: int
    timezone: str
    points_valid_months: int | None
    campaigns: CampaignIndex
    ladders: dict[str, LadderView]
    products: dict[UUID, Product]
    coupon_templates: dict[UUID, CouponTemplate]


@dataclass(slots=True)
class MemberState:
    """A member as rules see it."""

    brand_id: UUID
    id: UUID
    identity_id: UUID
    role: str
    status: str
    invited_by_id: UUID | None = None
    is_new: bool = False
    is_greeted: bool = False


@dataclass(slots=True)
class BudgetMove:
    spent: int = 0
    reserved: int = 0


@dataclass(slots=True)
class LockedState:
    """A locked reward that something may unlock."""

    brand_id: UUID
    id: UUID
    member_id: UUID
    campaign_id: UUID
    asset: str
    amount: int
    unlock_key: str
    resolved_by: Movement | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Credit:
    """An amount that one member is to get of one asset."""

    member: MemberState
    asset: str
    amount: int


@dataclass(slots=True)
class GrantWorld:
    """What a batch may touch; ``now`` is the transaction's time. ``stock`` is how many coupons of a
    template may still be issued, None without limit."""

    now: datetime
    new_id: Callable[[], UUID]
    new_coupon_code: Callable[[], str]
    book: Book
    brands: dict[UUID, BrandConfiguration] = field(default_factory=dict)
    accounts: dict[AccountKey, AccountState] = field(default_factory=dict)
    issuance: dict[AccountKey, AccountState] = field(default_factory=dict)
    ranks: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    budgets: dict[BudgetKey, int] = field(default_factory=dict)
    counters: dict[CounterKey, int] = field(default_factory=dict)
    locked: dict[tuple[UUID, str], list[LockedState]] = field(default_factory=dict)
    budget_moves: dict[BudgetKey, BudgetMove] = field(default_factory=dict)
    counter_moves: dict[CounterKey, tuple[int, int]] = field(default_factory=dict)
    stock: dict[StockKey, int | None] = field(default_factory=dict)
    stock_moves: dict[StockKey, int] = field(default_factory=dict)
    coupons: list[CouponIssue] = field(default_factory=list)
    rises: list[Rise] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def account(self, member: MemberState, asset: str) -> AccountState:
        """The member's account, opened in memory if it does not exist yet."""
        key = (member.brand_id, member.id, asset)
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = AccountState(
                member.brand_id, self.new_id(), member.id, asset, is_new=True
            )
        return account

    def emit(self, brand_id: UUID, topic: str, subject_id: UUID, payload: dict[str, Any]) -> None:
        """Note a fact for the outbox."""
        self.facts.append(Fact(brand_id, topic, subject_id, payload, self.now, id=self.new_id()))


def level_of(world: GrantWorld, member: MemberState) -> Level | None:
    """The level a member holds; None when its role has no ladder."""
    ladder = world.brands[member.brand_id].ladders.get(member.role)
    if ladder is None:
        return None
    return ladder.level(world.ranks.get((member.brand_id, member.id), 0))


def credits_of(
    world: GrantWorld, campaign: LiveCampaign, member: MemberState, amount_fen: int = 0
) -> list[Credit]:
    """What a campaign gives a member in its role, with the points multiplier of its tier."""
    level = level_of(world, member)
    percent = level.points_multiplier_percent if level else 100
    credits = []
    for outcome in campaign.outcomes_for(MemberRole(member.role)):
        amount = outcome.value(amount_fen)
        if outcome.asset is Asset.POINTS:
            amount = multiplied(amount, percent)
        if amount > 0:
            credits.append(Credit(member, outcome.asset.value, amount))
    return credits


def within_budget(world: GrantWorld, campaign: LiveCampaign, credits: Iterable[Credit]) -> bool:
    """Whether all of the credits together fit into what is left."""
    wanted: dict[BudgetKey, int] = {}
    for credit in credits:
        key = (credit.member.brand_id, campaign.id, credit.asset)
        wanted[key] = wanted.get(key, 0) + credit.amount
    return all(world.budgets.get(key, amount) >= amount for key, amount in wanted.items())


def _spend_budget(world: GrantWorld, key: BudgetKey, *, spent: int, reserved: int) -> None:
    if key not in world.budgets:
        return
    world.budgets[key] -= spent + reserved
    move = world.budget_moves.setdefault(key, BudgetMove())
    move.spent += spent
    move.reserved += reserved


def give(world: GrantWorld, campaign: LiveCampaign, credit: Credit, cause: Cause) -> Movement:
    """Credit a member at once: ledger, lot, budget, and the tier that new growth earns."""
    member = credit.member
    brand = world.brands[member.brand_id]
    movement = world.book.credit(
        world.issuance[(brand.id, brand.id, credit.asset)],
        world.account(member, credit.asset),
        credit.amount,
        cause,
        campaign_id=campaign.id,
        expires_on=_good_until(brand, cause.occurred_at),
    )
    key = (brand.id, campaign.id, credit.asset)
    _spend_budget(world, key, spent=credit.amount, reserved=0)
    _rise(world, member, movement)
    return movement


def lock(
    world: GrantWorld, campaign: LiveCampaign, credit: Credit, cause: Cause, unlock_key: str
) -> LockedState:
    """Grant a credit that waits for ``unlock_key``; it reserves its budget now."""
    member = credit.member
    movement = world.book.lock(
        world.issuance[(member.brand_id, member.brand_id, credit.asset)],
        world.account(member, credit.asset),
        credit.amount,
        cause,
        campaign_id=campaign.id,
    )
    key = (member.brand_id, campaign.id, credit.asset)
    _spend_budget(world, key, spent=0, reserved=credit.amount)
    state = LockedState(
        member.brand_id,
        movement.id,
        member.id,
        campaign.id,
        credit.asset,
        credit.amount,
        unlock_key,
        is_new=True,
    )
    world.locked.setdefault((member.brand_id, unlock_key), []).append(state)
    return state


def settle_locked(
    world: GrantWorld, member: MemberState, unlock_key: str, cause: Cause, *, post: bool
) -> list[LockedState]:
    """Post what waits for ``unlock_key`` (its points' clock starts now), or void it."""
    brand = world.brands[member.brand_id]
    settled = []
    for state in world.locked.get((member.brand_id, unlock_key), ()):
        if state.resolved_by is not None:
            continue
        movement = world.book.resolve(
            world.issuance[(brand.id, brand.id, state.asset)],
            world.account(member, state.asset),
            state.amount,
            cause,
            pending_id=state.id,
            campaign_id=state.campaign_id,
            expires_on=_good_until(brand, cause.occurred_at) if post else None,
        )
        state.resolved_by = movement
        _spend_budget(
            world,
            (brand.id, state.campaign_id, state.asset),
            spent=state.amount if post else 0,
            reserved=-state.amount,
        )
        if post:
            _rise(world, member, movement)
            world.emit(
                brand.id,
                UNLOCKED_TOPIC,
                member.id,
                {"asset": state.asset, "amount": state.amount},
            )
        settled.append(state)
    return settled


def plan_coupons(
    world: GrantWorld, campaign: LiveCampaign, brand: BrandConfiguration, at: datetime
) -> list[PlannedCoupon] | None:
    """One coupon of each template that a campaign names, with the dates of one issued on the
    brand's local day; None when there is not each of them: out of stock, paused, past its dates."""
    on = local_date(at, brand.timezone)
    planned = []
    for template_id in campaign.coupon_template_ids:
        template = brand.coupon_templates[template_id]
        dates = usable_dates(template, on)
        if dates is None or world.stock.get((brand.id, template_id), 0) == 0:
            return None
        planned.append((template, *dates))
    return planned


def issue_coupons(
    world: GrantWorld, planned: Iterable[PlannedCoupon], member: MemberState, cause: Cause
) -> list[CouponIssue]:
    """Issue what ``plan_coupons`` has found to be there."""
    issued = []
    for template, usable_from, usable_until in planned:
        issue = CouponIssue(
            member.brand_id,
            world.new_id(),
            template.id,
            member.id,
            world.new_coupon_code(),
            CouponCause.SCAN,
            cause.id,
            usable_from,
            usable_until,
        )
        key = (member.brand_id, template.id)
        left = world.stock[key]
        world.stock[key] = None if left is None else left - 1
        world.stock_moves[key] = world.stock_moves.get(key, 0) + 1
        world.emit(member.brand_id, ISSUED_TOPIC, member.id, issued_payload(issue))
        issued.append(issue)
    world.coupons.extend(issued)
    return issued


def _good_until(brand: BrandConfiguration, earned_at: datetime) -> date:
    return expiry_date(local_date(earned_at, brand.timezone), brand.points_valid_months)


def _rise(world: GrantWorld, member: MemberState, movement: Movement) -> None:
    if movement.credit.asset != Asset.GROWTH.value:
        return
    ladder = world.brands[member.brand_id].ladders.get(member.role)
    if ladder is None:
        return
    key = (member.brand_id, member.id)
    held = world.ranks.get(key, 0)
    earned = ladder.rank_for(movement.credit.balance)
    if earned <= held:
        return
    world.ranks[key] = earned
    world.rises.append(
        Rise(
            member.brand_id,
            world.new_id(),
            member.id,
            held,
            earned,
            movement.id,
            ladder.id,
            movement.cause.occurred_at,
        )
    )
    world.emit(
        member.brand_id,
        "tier.reached",
        member.id,
        {"from_rank": held, "to_rank": earned, "code": ladder.level(earned).code},
    )


def counter_key(
    brand: BrandConfiguration, campaign: LiveCampaign, cap: Cap, subject: str, at: datetime
) -> CounterKey:
    """The counter that a cap counts in, for one subject at one time."""
    window = local_date(at, brand.timezone).isoformat() if cap.window is CapWindow.DAY else ALL_TIME
    return (brand.id, campaign.id, cap.subject.value, subject, window)


def counter_keys(
    brand: BrandConfiguration,
    campaign: LiveCampaign,
    subjects: dict[CapSubject, str | None],
    at: datetime,
) -> list[tuple[CounterKey, int]]:
    """The counters of an event with their limits; a subject that is not there has none."""
    found = []
    for cap in campaign.caps:
        subject = subjects.get(cap.subject)
        if subject is not None:
            found.append((counter_key(brand, campaign, cap, subject, at), cap.times_max))
    return found


def caps_allow(world: GrantWorld, keys: Iterable[tuple[CounterKey, int]]) -> bool:
    """Whether one more paid event fits into each of the counters."""
    return all(world.counters.get(key, 0) < times_max for key, times_max in keys)


def count_caps(world: GrantWorld, keys: Iterable[tuple[CounterKey, int]]) -> None:
    """Count one paid event."""
    for key, times_max in keys:
        world.counters[key] = world.counters.get(key, 0) + 1
        used, _ = world.counter_moves.get(key, (0, 0))
        world.counter_moves[key] = (used + 1, times_max)
