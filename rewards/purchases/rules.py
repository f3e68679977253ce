"""Pure: what a purchase comes to.

``decide`` folds one purchase over a ``PurchaseWorld``: it sees what earlier purchases of the same
batch did, and notes what is to be written. No I/O, no clock, no session.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from loyalty.actor import Actor, MemberRole
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Cause
from loyalty.regions.rules import region_at
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import Bought, LiveCampaign
from rewards.conditions.facts import Facts, LazyFacts, Value
from rewards.conditions.rules import Questions
from rewards.draws.folding import DrawState
from rewards.grants import rules as grants
from rewards.grants.channel import Backer, ChannelPart, plan_part
from rewards.grants.facts import builders_of_member
from rewards.grants.models import ChannelUnpaidReason
from rewards.grants.paying import Given, NotPaid, choose_campaign, pay
from rewards.grants.rules import BrandConfiguration, GrantWorld, MemberState
from rewards.grants.stacking import Stacking
from rewards.grants.world import Earned
from rewards.purchases.models import PurchaseSource
from tiers.ladders.rules import Level
from tiers.standings.folding import TierEvent

RECORDED_TOPIC = "purchase.recorded"
CAUSE_KIND = "PURCHASE"
NOON = time(12)
ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class LineFact:
    """One line of a purchase. ``product_id`` where the SKU is one of the brand's."""

    line_no: int
    sku: str
    product_id: UUID | None
    quantity: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class PurchasePlace:
    """Where a purchase was made: one of the brand's places, as rules see it."""

    id: UUID
    code: str
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True)
class PurchaseFact:
    """One purchase as it was reported. ``purchased_on`` is a day in the brand's zone; ``at`` the
    instant, where it is known and not that day's noon. The buyer is known by ``member_ref``, an
    outside reference, or, who has none, by ``identity_id``. ``place`` is None where none was told.
    """

    purchase_ref: str
    member_ref: str
    purchased_on: date
    quantity: int
    amount_fen: int
    at: datetime | None = None
    lines: tuple[LineFact, ...] = ()
    source: PurchaseSource = PurchaseSource.IMPORT
    identity_id: UUID | None = None
    place: PurchasePlace | None = None

    @property
    def buyer(self) -> str:
        """What the buyer goes by in a batch; no reference has a NUL."""
        return self.member_ref if self.identity_id is None else f"\0{self.identity_id.hex}"

    @property
    def content_hash(self) -> str:
        """Tells a repeat of the same purchase from another purchase under its reference. Who told
        of it is no part of it; and a product may come to be one of the brand's meanwhile."""
        body: list[Any] = [self.member_ref, self.purchased_on, self.quantity, self.amount_fen]
        if self.identity_id is not None or self.at is not None or self.lines:
            lines = [
                (line.line_no, line.sku, line.quantity, line.amount_fen) for line in self.lines
            ]
            body += [self.identity_id.hex if self.identity_id else None, self.at, sorted(lines)]
        if self.place is not None:
            body.append({"place": self.place.id.hex})
        return hashlib.sha256(orjson.dumps(body)).hexdigest()


class PurchaseStatus(StrEnum):
    """RECORDED now; ALREADY_RECORDED with the same content; CONFLICT with other content."""

    RECORDED = "RECORDED"
    ALREADY_RECORDED = "ALREADY_RECORDED"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class PurchaseResult:
    """What became of one purchase. A CONFLICT has no ids and grants nothing. ``earned``, which is
    the first campaign's, and the levels before and after it are told of what is RECORDED now."""

    status: PurchaseStatus
    purchase_id: UUID | None = None
    member_id: UUID | None = None
    points_granted: int = 0
    earned: tuple[Earned, ...] = ()
    level_before: Level | None = None
    level_after: Level | None = None


@dataclass(frozen=True, slots=True)
class RecordedPurchase:
    """A purchase event that is there, or is to be written."""

    id: UUID
    content_hash: str
    member_id: UUID
    points_granted: int


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase event to be written. ``campaign_version_id`` is what rewarded it, if anything
    did; ``not_paid`` why its campaign gave nothing, which is not written. ``channel``: what it came
    to for each role behind its place that is paid."""

    fact: PurchaseFact
    recorded: RecordedPurchase
    occurred_at: datetime
    campaign_version_id: UUID | None
    not_paid: NotPaid | None = None
    channel: tuple[ChannelPart, ...] = ()


@dataclass(slots=True)
class PurchaseWorld:
    """What a batch of purchases of one brand may touch, as read, and what it is to write.
    ``channel``: by (place_id, role) who is behind places, or why nobody is; of roles that are
    paid."""

    grants: GrantWorld
    brand: BrandConfiguration
    recorded: dict[str, RecordedPurchase] = field(default_factory=dict)
    buyers: dict[str, MemberState] = field(default_factory=dict)
    new: list[NewPurchase] = field(default_factory=list)
    questions: Questions = field(default_factory=Questions)
    channel: dict[tuple[UUID, str], Backer] = field(default_factory=dict)
    draws: list[DrawState] = field(default_factory=list)


def fresh_facts(world: PurchaseWorld, facts: Iterable[PurchaseFact]) -> list[PurchaseFact]:
    """The purchases that will be recorded: the first of each reference that is not there yet."""
    first: dict[str, PurchaseFact] = {}
    for fact in facts:
        if fact.purchase_ref not in world.recorded:
            first.setdefault(fact.purchase_ref, fact)
    return list(first.values())


def occurred_at(fact: PurchaseFact, timezone: str) -> datetime:
    """The instant of the purchase; of one of which only the day is known, its noon in the brand's
    zone. In UTC."""
    return fact.at or noon_of(fact.purchased_on, timezone)


def noon_of(day: date, timezone: str) -> datetime:
    """The instant, in UTC."""
    return datetime.combine(day, NOON, ZoneInfo(timezone)).astimezone(UTC)


def candidates(world: PurchaseWorld, fact: PurchaseFact, at: datetime) -> tuple[LiveCampaign, ...]:
    """The campaigns that may be for a purchase of that time and place, in the order they are
    asked."""
    region = _region_of(world, fact)
    return world.brand.campaigns.candidates(EventKind.PURCHASE, None, at, region)


def bonuses(world: PurchaseWorld, fact: PurchaseFact, at: datetime) -> tuple[LiveCampaign, ...]:
    """The bonus campaigns that may pay on top, in the order they are asked."""
    return world.brand.campaigns.bonuses(EventKind.PURCHASE, None, at, _region_of(world, fact))


def _region_of(world: PurchaseWorld, fact: PurchaseFact) -> str | None:
    """Where its place is, for campaigns that run in some regions alone; not looked for where the
    brand has none of these."""
    return _find_region(world, fact) if world.brand.campaigns.is_regional else None


def _find_region(world: PurchaseWorld, fact: PurchaseFact) -> str | None:
    place = fact.place
    return region_at(world.brand.regions, place.latitude, place.longitude) if place else None


def purchase_facts(
    world: PurchaseWorld,
    fact: PurchaseFact,
    member: MemberState,
    at: datetime,
    campaign: LiveCampaign,
) -> Facts:
    """A purchase's facts as a campaign sees them, put together as they are asked for."""

    def event() -> dict[str, Value]:
        return {
            "kind": EventKind.PURCHASE.value,
            "at": at,
            "amountFen": fact.amount_fen,
            "quantity": fact.quantity,
            "source": fact.source.value,
            "place": fact.place.code if fact.place else "",
            "region": _find_region(world, fact) or "",
        }

    def product() -> dict[str, Value]:
        return {"skus": sorted({line.sku for line in fact.lines})}

    return LazyFacts(
        {
            "event": event,
            "product": product,
            **builders_of_member(world.grants, campaign, member, at),
        }
    )


def decide(world: PurchaseWorld, actor: Actor, fact: PurchaseFact) -> PurchaseResult:
    """Fold one purchase over the world. Over a cap or the budget it is recorded and unpaid."""
    content_hash = fact.content_hash
    recorded = world.recorded.get(fact.purchase_ref)
    if recorded is not None:
        if recorded.content_hash != content_hash:
            return PurchaseResult(PurchaseStatus.CONFLICT)
        return _result(PurchaseStatus.ALREADY_RECORDED, recorded)
    member = world.buyers[fact.buyer]
    at = occurred_at(fact, world.brand.timezone)
    cause = Cause(CAUSE_KIND, world.grants.new_id(), actor.kind.value, actor.id, "purchase", at)
    level_before = grants.level_of(world.grants, member, at)
    version_id, rewarded = _reward(world, fact, member, cause)
    not_paid, given = (rewarded, Given(())) if isinstance(rewarded, NotPaid) else (None, rewarded)
    member.is_greeted = True
    points = given.at_once(Asset.POINTS)
    recorded = RecordedPurchase(cause.id, content_hash, member.id, points)
    world.recorded[fact.purchase_ref] = recorded
    world.new.append(NewPurchase(fact, recorded, at, version_id, not_paid, given.channel))
    _tell(world, fact, recorded)
    bought = TierEvent(at, CAUSE_KIND, cause.id, spend_fen=fact.amount_fen, visit=True)
    grants.count_for_tier(world.grants, member, bought)
    level_after = grants.level_of(world.grants, member, at)
    result = _result(PurchaseStatus.RECORDED, recorded)
    return replace(result, earned=given.earned, level_before=level_before, level_after=level_after)


def _result(status: PurchaseStatus, recorded: RecordedPurchase) -> PurchaseResult:
    return PurchaseResult(status, recorded.id, recorded.member_id, recorded.points_granted)


def _reward(
    world: PurchaseWorld, fact: PurchaseFact, member: MemberState, cause: Cause
) -> tuple[UUID | None, Given | NotPaid]:
    """Give what the campaign gives: the version that gave it, and what; or why it gave nothing."""
    nothing = None, Given(())
    if member.status != ACTIVE:
        return nothing
    at = cause.occurred_at

    def facts(campaign: LiveCampaign) -> Facts:
        return purchase_facts(world, fact, member, at, campaign)

    campaign = choose_campaign(
        world.grants, world.brand.id, world.questions, candidates(world, fact, at), facts
    )
    if campaign is None:
        return nothing
    bought = Bought(fact.amount_fen, fact.quantity)
    stacking = Stacking(bonuses(world, fact, at), world.questions, facts, bought)

    def channel() -> list[ChannelPart]:
        return [
            _plan_part(world, fact, campaign, role, member, at, bought) for role in campaign.channel
        ]

    given = pay(world.grants, campaign, member, cause, stacking, channel)
    if isinstance(given, NotPaid):
        return None, given
    world.draws += given.draws
    return campaign.version_id, given


def _plan_part(
    world: PurchaseWorld,
    fact: PurchaseFact,
    campaign: LiveCampaign,
    role: MemberRole,
    member: MemberState,
    at: datetime,
    bought: Bought,
) -> ChannelPart:
    """What one role behind the place gets of a purchase; what comes to nothing is told."""
    found: Backer = ChannelUnpaidReason.NO_PLACE
    if fact.place is not None:
        found = world.channel.get((fact.place.id, role.value), found)
    is_buyer = isinstance(found, MemberState) and found.person == member.person
    part = plan_part(world.grants, campaign, role, found, at, is_buyer=is_buyer, bought=bought)
    if part.unpaid is None and not part.credits and not campaign.draws(role):
        part.unpaid = ChannelUnpaidReason.NOTHING
    return part


def _tell(world: PurchaseWorld, fact: PurchaseFact, recorded: RecordedPurchase) -> None:
    """The fact of a purchase made now, told of its member; a list of past ones is no news."""
    if fact.source is not PurchaseSource.IMPORT:
        payload = {
            "purchase_id": recorded.id.hex,
            "source": fact.source.value,
            "quantity": fact.quantity,
            "amount_fen": fact.amount_fen,
            "points_granted": recorded.points_granted,
        }
        world.grants.emit(world.brand.id, RECORDED_TOPIC, recorded.member_id, payload)
