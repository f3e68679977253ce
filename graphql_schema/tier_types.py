"""Tiers as they are shown: levels, ladders, what a member holds and what it still needs."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.enums import (
    Downgrade,
    MemberRole,
    PeriodKind,
    PeriodUnit,
    TierBasis,
    TierEnd,
    TierMetric,
    TierStart,
)
from graphql_schema.privileges import (
    HeldPrivilege,
    MemberPrivilege,
    Privilege,
    held_privileges,
)
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.brands.service import get_brand
from loyalty.clock import local_date, utc_now
from loyalty.members.models import Member
from tiers.ladders import rules
from tiers.ladders.periods import PeriodRule
from tiers.ladders.rules import LadderView
from tiers.ladders.service import current_ladders
from tiers.privileges.rules import Privilege as PrivilegeRow
from tiers.standings import progress
from tiers.standings.progress import Keep, Rise, period_shown, to_keep, to_rise
from tiers.standings.queries import TierReading, read_tier


@strawberry.type(description="One level of a ladder (会员等级).")
class Level:
    rank: int
    code: str
    name_zh: str
    name_en: str
    points_multiplier_percent: int
    invitation_only: bool

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, rules.Level | cls)

    privileges: list[PrivilegeRow] = strawberry.field(graphql_type=list[Privilege])

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[rules.Level], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh

    @strawberry.field(
        description="Of the ladder's metric; null for a level by invitation only, which is never"
        " earned."
    )
    def threshold(self, row: strawberry.Parent[rules.Level]) -> BigInt | None:
        return None if row.invitation_only else BigInt(row.growth_threshold)

    @strawberry.field(
        description="The threshold of the ladder's metric, whichever that is; 0 for a level by"
        " invitation only.",
        deprecation_reason="Use threshold: ladders count other things than growth too.",
    )
    def growth_threshold(self, row: strawberry.Parent[rules.Level]) -> BigInt:
        return BigInt(row.growth_threshold)


@strawberry.type(
    description="CALENDAR: a month, quarter or year. ROLLING: so many days back from today."
    " JOIN: so many months from the day of joining, and again from each anniversary."
)
class QualifyingPeriod:
    kind: PeriodKind
    unit: PeriodUnit
    count: int

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PeriodRule | cls)


@strawberry.type(description="The levels of one role, and what they go by.")
class Ladder:
    version: int
    levels: list[rules.Level] = strawberry.field(graphql_type=list[Level])

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, LadderView | cls)

    @strawberry.field
    def role(self, row: strawberry.Parent[LadderView]) -> MemberRole:
        return MemberRole(row.role)

    @strawberry.field(description="What thresholds are on: the growth balance, or of a period.")
    def metric(self, row: strawberry.Parent[LadderView]) -> TierMetric:
        return row.policy.metric

    @strawberry.field(description="Of EARNED: the asset.")
    def metric_asset(self, row: strawberry.Parent[LadderView]) -> AssetCode | None:
        return AssetCode(row.policy.metric_asset) if row.policy.metric_asset else None

    @strawberry.field(graphql_type=QualifyingPeriod | None)
    def period(self, row: strawberry.Parent[LadderView]) -> PeriodRule | None:
        return row.policy.period

    @strawberry.field(description="When a level that is earned begins.")
    def starts(self, row: strawberry.Parent[LadderView]) -> TierStart:
        return row.policy.starts

    @strawberry.field(description="When a level that is no longer earned ends.")
    def ends(self, row: strawberry.Parent[LadderView]) -> TierEnd:
        return row.policy.ends

    @strawberry.field(description="How much longer it is held: an ISO 8601 duration.")
    def grace(self, row: strawberry.Parent[LadderView]) -> str | None:
        return row.policy.grace.text if row.policy.grace else None

    @strawberry.field(description="How far a level that ends falls.")
    def downgrade(self, row: strawberry.Parent[LadderView]) -> Downgrade:
        return row.policy.downgrade


@strawberry.type(
    description="What keeps the level: of threshold, so much since countsFrom (null for a balance),"
    " needed by a last day; null: for as long as the amount is there."
)
class TierKeep:
    threshold: BigInt
    amount: BigInt
    missing: BigInt
    counts_from: date | None
    by: date | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, Keep | cls)


@strawberry.type(
    description="What leads to the next level that can be earned, by the last day of the period"
    " (null where none ends). startsOn: when it begins if it is earned now; null for at once."
)
class TierRise:
    level: rules.Level = strawberry.field(graphql_type=Level)
    amount: BigInt
    missing: BigInt
    by: date | None
    starts_on: date | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, Rise | cls)


@strawberry.type(description="A level that has been earned and begins with the next period.")
class PendingLevel:
    level: rules.Level = strawberry.field(graphql_type=Level)
    on: date


@dataclass(frozen=True, slots=True)
class TierView:
    """A member's standing on its role's ladder, on a local day."""

    ladder: LadderView
    reading: TierReading
    joined_on: date
    day: date
    brand_id: UUID
    member_id: UUID

    @property
    def level(self) -> rules.Level:
        return self.ladder.level(self.reading.held.rank)

    @property
    def keep(self) -> Keep | None:
        reading = self.reading
        return to_keep(self.ladder, reading.held, reading.amount, self.joined_on, self.day)

    @property
    def rise(self) -> Rise | None:
        reading = self.reading
        return to_rise(self.ladder, reading.held, reading.amount, self.joined_on, self.day)


@strawberry.type(description="The tier a member holds, what keeps it, and how far the next one is.")
class Tier:
    level: rules.Level = strawberry.field(graphql_type=Level)
    keep: progress.Keep | None = strawberry.field(
        graphql_type=TierKeep | None,
        description="Null where nothing needs to keep the level, or nothing can.",
    )
    rise: progress.Rise | None = strawberry.field(
        graphql_type=TierRise | None, description="Null at the top."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TierView | cls)

    @strawberry.field(description="Null for a member that never held another level.")
    def since(self, row: strawberry.Parent[TierView]) -> datetime | None:
        return row.reading.since

    @strawberry.field(description="The last good day of the level, grace included; null: no end.")
    def until(self, row: strawberry.Parent[TierView]) -> date | None:
        return row.reading.held.held_until

    @strawberry.field(description="Why it is held: earned, granted, or invited to.")
    def basis(self, row: strawberry.Parent[TierView]) -> TierBasis:
        return row.reading.held.basis

    @strawberry.field
    def metric(self, row: strawberry.Parent[TierView]) -> TierMetric:
        return row.ladder.policy.metric

    @strawberry.field(description="Of EARNED: the asset.")
    def metric_asset(self, row: strawberry.Parent[TierView]) -> AssetCode | None:
        asset = row.ladder.policy.metric_asset
        return AssetCode(asset) if asset else None

    @strawberry.field(description="Of the metric: the growth balance, or what this period has.")
    def amount(self, row: strawberry.Parent[TierView]) -> BigInt:
        return BigInt(row.reading.amount)

    @strawberry.field(graphql_type=list[MemberPrivilege])
    def privileges(self, row: strawberry.Parent[TierView]) -> list[HeldPrivilege]:
        """What the level grants today."""
        return held_privileges(row.brand_id, row.member_id, row.level.privileges, row.day)

    @strawberry.field(graphql_type=PendingLevel | None)
    def pending(self, row: strawberry.Parent[TierView]) -> PendingLevel | None:
        """A higher level that begins with the next period."""
        held = row.reading.held
        if held.pending_rank is None or held.pending_on is None:
            return None
        return PendingLevel(level=row.ladder.level(held.pending_rank), on=held.pending_on)

    @strawberry.field(graphql_type=Level | None)
    def next_level(self, row: strawberry.Parent[TierView]) -> rules.Level | None:
        """The next level that can be earned, and what it brings; null at the top."""
        return row.ladder.next_level(row.level.rank)

    @strawberry.field(description="The growth balance, whatever the ladder's metric is.")
    def growth(self, row: strawberry.Parent[TierView]) -> BigInt:
        return BigInt(row.reading.growth)

    @strawberry.field(
        description="Of the ladder's metric, still missing to the next level; null at the top.",
        deprecation_reason="Use rise { missing }.",
    )
    def growth_to_next(self, row: strawberry.Parent[TierView]) -> BigInt | None:
        return BigInt(row.rise.missing) if row.rise else None

    @strawberry.field(
        description="Of the way to the next level: from this level's threshold on the balance; of"
        " a period from nothing."
    )
    def progress_percent(self, row: strawberry.Parent[TierView]) -> int:
        rise = row.rise
        if rise is None:
            return 100
        start = row.level.growth_threshold if row.ladder.policy.counts_balance else 0
        way = rise.level.growth_threshold - start
        return max(0, min(100, (rise.amount - start) * 100 // way))


async def ladders_of(
    context: Context, brand_id: UUID, revision: int | None = None
) -> tuple[int, dict[str, LadderView]]:
    """A brand's ladders from memory, with the revision that they are of; renewed when it is not
    the one asked for."""
    held = context.services.ladders.get(brand_id)
    if held is None or revision not in (None, held[0]):
        async with context.database.snapshot() as snapshot:
            brand = await get_brand(snapshot, brand_id)
            held = (brand.revision, await current_ladders(snapshot, brand_id))
        context.services.ladders[brand_id] = held
    return held


async def tier_of(context: Context, member: Member) -> TierView | None:
    """The member's tier; None when its role has no ladder. One statement, while nothing of the
    brand is published anew."""
    timezone = await context.timezone(member.brand_id)
    joined_on = local_date(member.enrolled_at, timezone)
    revision, ladders = await ladders_of(context, member.brand_id)
    while True:
        day = local_date(utc_now(), timezone)
        ladder = ladders.get(member.role)
        metric = ladder.policy.day_metric if ladder else None
        period = period_shown(ladder, joined_on, day) if ladder else None
        reading = await read_tier(context.database, member.brand_id, member.id, metric, period)
        if reading.revision == revision:
            return (
                None
                if ladder is None
                else TierView(ladder, reading, joined_on, day, member.brand_id, member.id)
            )
        revision, ladders = await ladders_of(context, member.brand_id, reading.revision)
