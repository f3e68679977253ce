"""What events may touch, as values: brands as configured, members, locked rewards, and the world
that events are folded over, with what they leave to be written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.actor import SYSTEM_ID, ActorKind
from loyalty.assets.service import AssetView
from loyalty.brands.rules import NO_MEMBER_DATES, MemberDates
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.outbox import Fact
from loyalty.products.models import Product
from loyalty.regions.rules import RegionView
from loyalty.withholdings.rules import Terms, Withheld
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import ITEM_KINDS, UnlockKind
from rewards.campaigns.rules import CampaignIndex, LiveCampaign
from rewards.coupons.models import CouponTemplate
from rewards.coupons.rules import CouponIssue
from rewards.grants.models import BonusUnpaidReason, LockStatus
from tiers.ladders.rules import LadderView
from tiers.standings.folding import MemberTier

COUPON = "COUPON"
"""What stands for an asset where a credit is of coupons; no asset may have this code."""

AccountKey = tuple[UUID, UUID, str]
BudgetKey = tuple[UUID, UUID, str]
CounterKey = tuple[UUID, UUID, str, str, str]
StockKey = tuple[UUID, UUID]
WaitKey = tuple[UUID, UUID | None, str]
"""(brand_id, member_id, unlock key) of what waits for something that one member does."""


@dataclass(frozen=True, slots=True)
class BrandConfiguration:
    """A brand as rules see it, at one ``revision``; kept in memory until the revision moves.
    ``coupon_templates`` are those that campaigns name; of their status and stock each batch asks
    anew. ``asks_segments``: a condition reads in which ones a member is. Without ``has_scan_locks``
    nothing has ever been locked until a member's next scans,
    without ``has_inner_locks`` until an item's INNER code is scanned, without ``has_box_locks``
    until bottles of a box are, and without ``has_taken_gates`` until a consumer has taken what it
    got."""

    id: UUID
    revision: int
    timezone: str
    assets: dict[str, AssetView]
    campaigns: CampaignIndex
    ladders: dict[str, LadderView]
    products: dict[UUID, Product]
    coupon_templates: dict[UUID, CouponTemplate]
    asks_segments: bool = False
    has_scan_locks: bool = False
    has_inner_locks: bool = False
    has_box_locks: bool = False
    has_taken_gates: bool = False
    member_dates: MemberDates = NO_MEMBER_DATES
    regions: tuple[RegionView, ...] = ()
    withholding: Terms | None = None


@dataclass(slots=True)
class MemberState:
    """A member as rules see it. ``person_id`` is the identity that stands for whoever it is, once
    members of several identities were merged. ``joined_at`` and ``birthday`` (``MM-DD``) are known
    of those who scan or buy, ``born_by`` (by the age they confirmed) of those who scan."""

    brand_id: UUID
    id: UUID
    identity_id: UUID
    role: str
    status: str
    invited_by_id: UUID | None = None
    is_new: bool = False
    is_greeted: bool = False
    person_id: UUID | None = None
    joined_at: datetime | None = None
    birthday: str | None = None
    born_by: date | None = None

    @property
    def person(self) -> UUID:
        """The same for all identities and roles of one person."""
        return self.person_id or self.identity_id


@dataclass(slots=True)
class BudgetMove:
    spent: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Unlock:
    """What one locked reward waits for; fields as in ``rewards.grants.models.LockedReward``."""

    kind: UnlockKind
    key: str
    count: int = 1
    unlocks_at: datetime | None = None
    lapses_at: datetime | None = None
    box_item_no: int | None = None


@dataclass(slots=True)
class LockedState:
    """A locked reward that something may end: ``status`` is then no longer LOCKED. ``count`` events
    are still to come, and ``count_read`` were when it was read. With a ``template_id`` it is a
    coupon of that template. ``draw_id``: the draw that won it, if one did."""

    brand_id: UUID
    id: UUID
    member_id: UUID
    campaign_id: UUID
    asset: str
    amount: int
    cause_id: UUID
    unlock: Unlock
    count: int
    count_read: int
    template_id: UUID | None = None
    draw_id: UUID | None = None
    status: LockStatus = LockStatus.LOCKED
    resolved_by_id: UUID | None = None
    is_new: bool = False

    @property
    def wait_key(self) -> WaitKey:
        """What finds it: its item's key alone, its box, or its member and what it waits for."""
        if self.unlock.box_item_no is not None:
            return box_key(self.brand_id, self.unlock.box_item_no)
        of_item = self.unlock.kind in ITEM_KINDS
        return (self.brand_id, None if of_item else self.member_id, self.unlock.key)

    def waits_at(self, at: datetime) -> bool:
        """Whether an event of this time may still unlock it, swept or not."""
        lapses_at = self.unlock.lapses_at
        return self.status is LockStatus.LOCKED and (lapses_at is None or at < lapses_at)


def box_key(brand_id: UUID, box_item_no: int) -> WaitKey:
    """What finds rewards that wait for bottles of a box."""
    return (brand_id, None, f"box {box_item_no}")


@dataclass(slots=True)
class BoxState:
    """A box of which bottles are scanned: ``bottles`` so far, by their claims; ``counted`` were
    there when what waits for the box was counted down or granted last. ``counted_read`` is the
    row's count, 0 where there is none, and ``is_counted_now`` that this batch is to move it.
    ``owners``: whose rewards wait, by member."""

    brand_id: UUID
    box_item_no: int
    bottles: int
    counted: int
    counted_read: int
    owners: dict[UUID, MemberState] = field(default_factory=dict)
    is_counted_now: bool = False


@dataclass(frozen=True, slots=True)
class ScannedItem:
    """What is scanned: what finds the rewards that wait for its INNER code, and whether that is the
    code."""

    unlock_key: str
    is_inner: bool


@dataclass(slots=True)
class Awaited:
    """A consumer's scan of which a guide awaits that its rewards are taken: ``waiting`` are those
    that still wait, ``is_taken`` that one or more were unlocked. ``rewards`` are the guide's."""

    guide: MemberState
    waiting: set[UUID]
    is_taken: bool
    rewards: list[LockedState] = field(default_factory=list)


def unlock_of(
    lock: Lock,
    timezone: str,
    at: datetime,
    box: BoxState | None = None,
    item: ScannedItem | None = None,
) -> Unlock:
    """What a reward waits for that is granted at this time; a day begins in the brand's zone.
    ``box`` is that of the bottle whose scan grants it; of no known box it is the only bottle.
    ``item`` is what is scanned, where anything may wait for its INNER code."""
    lapses_at = None if lock.lapses_after is None else at + lock.lapses_after
    if lock.after is not None:
        return Unlock(lock.kind, lock.kind.value, 0, at + lock.after)
    if lock.on is not None:
        midnight = datetime.combine(lock.on, time(), ZoneInfo(timezone))
        return Unlock(lock.kind, lock.kind.value, 0, midnight.astimezone(UTC))
    if lock.kind is UnlockKind.BOX_BOTTLES:
        left = max(lock.count - (box.bottles if box else 0) - 1, 0)
        box_item_no = box.box_item_no if box else None
        return Unlock(lock.kind, str(lock.count), left, None, lapses_at, box_item_no)
    if lock.kind is UnlockKind.INNER_SCAN and item is not None:
        return Unlock(lock.kind, item.unlock_key, 0 if item.is_inner else 1, None, lapses_at)
    return Unlock(lock.kind, lock.action or lock.kind.value, lock.count, None, lapses_at)


@dataclass(frozen=True, slots=True)
class Credit:
    """An amount that one member is to get of one asset; locked, if ``lock`` says until when. With
    a ``template_id`` it is so many coupons of that template instead, and the asset is COUPON."""

    member: MemberState
    asset: str
    amount: int
    lock: Lock | None = None
    template_id: UUID | None = None


BY_TIME = "LOCK"
"""The kind of cause of what is booked because a reward's own time has come."""


def cause_of_time(state: LockedState) -> Cause:
    """Its own time as the cause of a locked reward's end, however late it is noticed."""
    unlock = state.unlock
    unlocks = unlock.unlocks_at is not None
    reason = "its time had come" if unlocks else "it had waited for too long"
    at = unlock.unlocks_at or unlock.lapses_at
    if at is None:
        raise ValueError("what waits for no time is ended by none")
    return Cause(BY_TIME, state.id, ActorKind.SYSTEM.value, SYSTEM_ID, reason, at)


def gate_ends(credit: Credit, at: datetime) -> datetime | None:
    """Until when what a gate locks at this time waits for the item's scan; None: for ever."""
    lapses_after = credit.lock.lapses_after if credit.lock else None
    return None if lapses_after is None else at + lapses_after


def at_once(credit: Credit) -> Credit:
    """A guide's credit where the item's scan, which its gate would wait for, is there already."""
    waits_for_item = credit.lock is not None and credit.lock.kind is UnlockKind.ITEM
    return replace(credit, lock=None) if waits_for_item else credit


@dataclass(frozen=True, slots=True)
class Earned:
    """What an event earned of one asset; locked: it waits for a named thing."""

    asset: str
    amount: int
    locked: bool


@dataclass(frozen=True, slots=True)
class GivenBonus:
    """What became of a bonus campaign for one event: ``rewards`` are its member's, each with the
    lock it is under; ``guide`` is who was paid beside."""

    campaign: LiveCampaign
    cause: Cause
    unpaid: BonusUnpaidReason | None
    rewards: tuple[tuple[Credit, LockedState | None], ...] = ()
    guide: MemberState | None = None


@dataclass(slots=True)
class GrantWorld:
    """What a batch may touch; ``now`` is the transaction's time. ``stock`` is how many coupons of a
    template may still be issued, None without limit. ``seeds``: the opened seeds of this local day
    with their hashes, by (brand_id, campaign_id). ``counted``: where guarded counts left prizes.
    ``bonuses``: of which brand, and what became of each. ``boxes`` and
    ``items``: by the scan of a bottle. ``segments``: codes of those that members are in, by
    (brand_id, member_id), where a campaign asks. ``awaited``: by brand_id and a consumer's scan,
    who waits until what that gave is taken."""

    now: datetime
    new_id: Callable[[], UUID]
    new_coupon_code: Callable[[], str]
    book: Book
    brands: dict[UUID, BrandConfiguration] = field(default_factory=dict)
    accounts: dict[AccountKey, AccountState] = field(default_factory=dict)
    owed: dict[AccountKey, AccountState] = field(default_factory=dict)
    issuance: dict[AccountKey, AccountState] = field(default_factory=dict)
    tiers: dict[tuple[UUID, UUID], MemberTier] = field(default_factory=dict)
    budgets: dict[BudgetKey, int] = field(default_factory=dict)
    counters: dict[CounterKey, int] = field(default_factory=dict)
    locked: dict[WaitKey, list[LockedState]] = field(default_factory=dict)
    budget_moves: dict[BudgetKey, BudgetMove] = field(default_factory=dict)
    counter_moves: dict[CounterKey, tuple[int, int]] = field(default_factory=dict)
    stock: dict[StockKey, int | None] = field(default_factory=dict)
    stock_moves: dict[StockKey, int] = field(default_factory=dict)
    coupons: list[CouponIssue] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    seeds: dict[tuple[UUID, UUID], tuple[bytes, str]] = field(default_factory=dict)
    counted: dict[CounterKey, int] = field(default_factory=dict)
    bonuses: list[tuple[UUID, GivenBonus]] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    boxes: dict[UUID, BoxState] = field(default_factory=dict)
    items: dict[UUID, ScannedItem] = field(default_factory=dict)
    segments: dict[tuple[UUID, UUID], list[str]] = field(default_factory=dict)
    awaited: dict[tuple[UUID, UUID], Awaited] = field(default_factory=dict)

    def account(self, member: MemberState, asset: str) -> AccountState:
        """The member's account, opened in memory if it does not exist yet."""
        key = (member.brand_id, member.id, asset)
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = AccountState(
                member.brand_id, self.new_id(), member.id, asset, is_new=True
            )
        return account

    def debt(self, member: MemberState, asset: str) -> AccountState | None:
        """What the member owes of an asset, which its credits repay first."""
        return self.owed.get((member.brand_id, member.id, asset))

    def states(self) -> Iterator[LockedState]:
        """All locked rewards that were read or made."""
        return (state for group in self.locked.values() for state in group)

    def emit(self, brand_id: UUID, topic: str, subject_id: UUID, payload: dict[str, Any]) -> None:
        """Note a fact for the outbox."""
        self.facts.append(Fact(brand_id, topic, subject_id, payload, self.now, id=self.new_id()))
