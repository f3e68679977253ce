"""Members' tiers read by set, for events to be folded over, and written by set, under guard."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from loyalty import outbox
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.ledger.rules import Book
from loyalty.outbox import Fact
from tiers.ladders.models import TierMetric
from tiers.ladders.rules import LadderView
from tiers.standings import queries
from tiers.standings.folding import GIFTS_TOPIC, MemberTier, TierChange, name_transfers
from tiers.standings.models import Basis, ChangeReason
from tiers.standings.rules import Held, TierGrant, first_day_counted

MemberKey = tuple[UUID, UUID]
"""(brand_id, member_id)"""
DaysByMember = dict[MemberKey, dict[date, int]]


class TierRules(Protocol):
    """What has to be known of a brand, at one ``revision`` of its configuration."""

    @property
    def timezone(self) -> str: ...

    @property
    def ladders(self) -> Mapping[str, LadderView]: ...

    @property
    def revision(self) -> int: ...


@dataclass(frozen=True, slots=True)
class BrandTiers:
    """``TierRules`` of whoever holds no more of a brand."""

    timezone: str
    ladders: Mapping[str, LadderView]
    revision: int


async def load_tiers(
    tx: Tx, brands: Mapping[UUID, TierRules], wanted: Iterable[tuple[UUID, UUID, date]]
) -> dict[MemberKey, MemberTier]:
    """Members' tiers by (brand_id, member_id), for events of these local days:
    (brand_id, member_id, day), several days a member if it has events on several.

    One statement; one more if a ladder among them counts in a period, and some more for members
    whose days have to be filled from history: those who do something for the first time since the
    ladder counts something else. Members' accounts are locked before, so that nobody else changes
    what is read here. Unknown members are left out. RetryTransaction if the rules are not the
    brand's newest.
    """
    first_days: dict[MemberKey, date] = {}
    for brand_id, member_id, day in wanted:
        key = (brand_id, member_id)
        first_days[key] = min(day, first_days.get(key, day))
    rows = await tx.fetch(queries.FIND_TIERS, members=sorted(first_days))
    tiers = {}
    for row in rows:
        if row[17] != brands[row[0]].revision:
            raise RetryTransaction  # a ladder may have been published since the rules were read
        tier = tier_of_row(row, brands[row[0]])
        load_for(tier, first_days[row[0], row[1]])
        tiers[row[0], row[1]] = tier
    counted = {(row[0], row[1]): is_counted(row, tiers[row[0], row[1]]) for row in rows}
    await _fill_days(tx, [tier for key, tier in tiers.items() if not counted[key]], rows)
    await _read_days(tx, [tier for key, tier in tiers.items() if counted[key]])
    return tiers


async def read_tiers(
    snapshot: Snapshot, brand_id: UUID, rules: TierRules, member_ids: Collection[UUID], day: date
) -> list[MemberTier]:
    """Members' tiers for a look at a local day; nothing is locked or written. A few statements."""
    rows = await snapshot.fetch(
        queries.FIND_TIERS, members=[(brand_id, member_id) for member_id in sorted(member_ids)]
    )
    tiers = [tier_of_row(row, rules) for row in rows]
    for tier in tiers:
        load_for(tier, day)
    counted = [is_counted(row, tier) for row, tier in zip(rows, tiers, strict=True)]
    await add_days(
        snapshot,
        [tier for tier, is_it in zip(tiers, counted, strict=True) if is_it],
        [tier for tier, is_it in zip(tiers, counted, strict=True) if not is_it],
    )
    return tiers


def tier_of_row(row: Sequence[Any], brand: TierRules) -> MemberTier:
    """A member's tier from a row of FIND_TIERS or LIST_TIERS, without its days."""
    joined_on = local_date(row[3], brand.timezone)
    tier = MemberTier(
        brand_id=row[0],
        member_id=row[1],
        ladder=brand.ladders.get(row[2]),
        timezone=brand.timezone,
        joined_on=joined_on,
        since=row[3] if row[5] is None else row[5],
        balance=row[16],
        rules_revision=row[17],
    )
    if row[4] is not None:
        tier.revision, tier.pending_transfer_id = row[4], row[18]
        grant = None if row[9] is None else TierGrant(row[9], Basis(row[10]), row[11], row[12])
        tier.held = Held(row[7], row[8], grant, row[13], row[14], row[15])
    return tier


def is_counted(row: Sequence[Any], tier: MemberTier) -> bool:
    """Whether the member's qualifying days are complete for its ladder, if that needs any."""
    ladder = tier.ladder
    return ladder is None or ladder.policy.counts_balance or row[6] == ladder.counting_id


def load_for(tier: MemberTier, day: date) -> None:
    """Note that decisions are wanted on ``day`` and later, and on what was due before."""
    tier.loaded_for = min(day, tier.held.due_on or day)


async def _read_days(snapshot: Snapshot, tiers: Sequence[MemberTier]) -> None:
    keys = []
    for tier in tiers:
        if tier.ladder is not None:
            first_day = first_day_counted(tier.ladder, tier.joined_on, tier.loaded_for)
            if first_day is not None:
                metric = tier.ladder.policy.day_metric
                keys.append((tier.brand_id, tier.member_id, metric, first_day))
    if not keys:
        return
    by_key = {(tier.brand_id, tier.member_id): tier for tier in tiers}
    for brand_id, member_id, day, amount in await snapshot.fetch(
        queries.FIND_DAYS, keys=sorted(keys)
    ):
        by_key[brand_id, member_id].days[day] = amount


async def add_days(
    snapshot: Snapshot, counted: Sequence[MemberTier], uncounted: Sequence[MemberTier]
) -> None:
    """Read the days of members, of those who are not counted yet from history; nothing is
    written."""
    await _read_days(snapshot, counted)
    await _read_history(snapshot, uncounted)


# --- days from history -------------------------------------------------------------------------


async def _fill_days(tx: Tx, tiers: Sequence[MemberTier], rows: Sequence[Sequence[Any]]) -> None:
    """Count what members did before their ladder counted it; their rows will say so."""
    if not tiers:
        return
    await _read_history(tx, tiers)
    counted_before = {(row[0], row[1]) for row in rows if row[6] is not None}
    stale = []
    fresh = []
    for tier in tiers:
        tier.moves += 1
        metric = tier.ladder.policy.day_metric if tier.ladder else None
        if (tier.brand_id, tier.member_id) in counted_before:
            stale.append((tier.brand_id, tier.member_id, metric))
        fresh += [
            (tier.brand_id, tier.member_id, metric, day, amount)
            for day, amount in tier.days.items()
        ]
    if stale:
        await tx.fetch(queries.CLEAR_DAYS, keys=sorted(stale))
    if fresh:
        await tx.fetch(queries.PUT_DAYS, rows=sorted(fresh))


async def _read_history(snapshot: Snapshot, tiers: Sequence[MemberTier]) -> None:
    by_key = {(tier.brand_id, tier.member_id): tier for tier in tiers}
    if by_key:
        rows = await snapshot.fetch(queries.FIND_MERGED, keys=sorted(by_key))
        by_key |= {(row[0], row[2]): by_key[row[0], row[1]] for row in rows}
    by_metric: dict[TierMetric, dict[MemberKey, MemberTier]] = {}
    for key, tier in by_key.items():
        if tier.ladder is not None:
            by_metric.setdefault(tier.ladder.policy.metric, {})[key] = tier
    for metric, group in by_metric.items():
        if metric is TierMetric.EARNED:
            await _read_earned(snapshot, group)
        if metric in (TierMetric.SPEND, TierMetric.VISITS):
            await _read_spend(snapshot, group, visits=metric is TierMetric.VISITS)
        if metric in (TierMetric.SCANS, TierMetric.VISITS):
            await _read_scans(snapshot, group, visits=metric is TierMetric.VISITS)


async def _read_earned(snapshot: Snapshot, group: Mapping[MemberKey, MemberTier]) -> None:
    keys = sorted(
        (*key, tier.ladder.policy.metric_asset) for key, tier in group.items() if tier.ladder
    )
    for brand_id, member_id, at, amount in await snapshot.fetch(queries.FIND_EARNED, keys=keys):
        tier = group[brand_id, member_id]
        day = local_date(at, tier.timezone)
        tier.days[day] = tier.days.get(day, 0) + amount


async def _read_spend(
    snapshot: Snapshot, group: Mapping[MemberKey, MemberTier], *, visits: bool
) -> None:
    for brand_id, member_id, day, fen in await snapshot.fetch(
        queries.FIND_SPEND, keys=sorted(group)
    ):
        days = group[brand_id, member_id].days
        days[day] = 1 if visits else days.get(day, 0) + fen


async def _read_scans(
    snapshot: Snapshot, group: Mapping[MemberKey, MemberTier], *, visits: bool
) -> None:
    rows = await snapshot.fetch(queries.FIND_SCANS, keys=sorted(group))
    for brand_id, member_id, at, was_reversed in rows:
        tier = group[brand_id, member_id]
        day = local_date(at, tier.timezone)
        if visits:
            tier.days[day] = 1
        elif not was_reversed:
            tier.days[day] = tier.days.get(day, 0) + 1


# --- writing -----------------------------------------------------------------------------------


async def write_tiers(tx: Tx, tiers: Iterable[MemberTier], book: Book | None = None) -> None:
    """Write what became of members' tiers: standings, changes, days, and a fact for each change.
    ``book`` is what the events moved that are behind them. RetryTransaction if a standing is no
    longer what it was when it was read, or another ladder was published since."""
    tiers = sorted(tiers, key=lambda tier: (tier.brand_id, tier.member_id))
    unnamed = [tier for tier in tiers if tier.lacks_transfer]
    if unnamed and book is not None:
        name_transfers(unnamed, book.movements)
    moved = [tier for tier in tiers if tier.moves]
    if moved:
        rules = sorted({(tier.brand_id, tier.rules_revision) for tier in moved})
        await tx.write(queries.KEEP_RULES, expected=len(rules), rules=rules)
        await tx.write(
            queries.PUT_TIERS,
            expected=len(moved),
            rows=[_standing_row(tier) for tier in moved],
            held=[(tier.brand_id, tier.member_id, tier.revision) for tier in moved],
        )
    await write_changes(tx, [change for tier in tiers for change in tier.changes])
    added = [
        (tier.brand_id, tier.member_id, tier.ladder.policy.day_metric, day, amount)
        for tier in tiers
        if tier.ladder is not None
        for day, amount in sorted(tier.added.items())
        if amount
    ]
    if added:
        await tx.write(queries.ADD_TO_DAYS, rows=added)


async def write_changes(
    tx: Tx, changes: Sequence[TierChange], *, facts: Iterable[TierChange] | None = None
) -> None:
    """Write the history of moves, and the facts of all of them, or of these only. Nobody is told
    of what a member lost by being merged into another: that one has it."""
    if not changes:
        return
    await tx.write(queries.INSERT_CHANGES, rows=[_change_row(change, tx) for change in changes])
    told = [change for change in (changes if facts is None else facts) if not _went_over(change)]
    emitted = [
        Fact(change.brand_id, change.topic, change.member_id, change.payload, tx.now)
        for change in told
    ]
    emitted += [
        Fact(change.brand_id, GIFTS_TOPIC, change.member_id, change.gifts_payload, tx.now)
        for change in told
        if change.gifts
    ]
    await outbox.emit(tx, emitted)


def _went_over(change: TierChange) -> bool:
    return change.reason is ChangeReason.MERGED and change.to_rank < change.from_rank


def _standing_row(tier: MemberTier) -> tuple[Any, ...]:
    held = tier.held
    grant = held.grant
    counting_id = tier.ladder.counting_id if tier.ladder else None
    return (
        tier.brand_id,
        tier.member_id,
        held.rank,
        tier.since,
        held.basis.value,
        held.held_until,
        held.earned_rank,
        held.earned_until,
        grant.rank if grant else None,
        grant.kind.value if grant else None,
        grant.until if grant else None,
        grant.reason if grant else None,
        held.pending_rank,
        held.pending_on,
        held.due_on,
        counting_id,
        tier.revision + tier.moves,
        tier.pending_transfer_id,
    )


def _change_row(change: TierChange, tx: Tx) -> tuple[Any, ...]:
    return (
        change.brand_id,
        change.id,
        change.member_id,
        change.from_rank,
        change.to_rank,
        change.transfer_id,
        change.ladder_id,
        change.occurred_at,
        tx.now,
        change.reason.value,
        change.cause_kind,
        change.cause_id,
        change.note,
    )
