"""Pure: events folded over what members hold. A ``MemberTier`` is one member as a batch sees it;
``service.load_tiers`` makes it, ``service.write_tiers`` writes what became of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from loyalty.clock import day_start, local_date
from loyalty.ledger.models import TransferPhase
from loyalty.ledger.rules import Movement
from tiers.ladders.models import TierMetric
from tiers.ladders.rules import LadderView, Level
from tiers.privileges.rules import Privilege, PrivilegeKind, live, privileges_to_json
from tiers.standings.models import ChangeReason
from tiers.standings.rules import (
    FOR_EVER,
    NOTHING_HELD,
    Amounts,
    Decision,
    Held,
    TierGrant,
    decide_standing,
)

REACHED_TOPIC = "tier.reached"
GIFTS_TOPIC = "tier.gifts_due"
LOWERED_TOPIC = "tier.lowered"
VISITS = TierMetric.VISITS.value

NewId = Callable[[], UUID]


class LookNeverEnds(Exception):
    """A standing is due on the day of its own look: a bug in the rules."""


@dataclass(frozen=True, slots=True)
class TierChange:
    """A move of a member to be written; fields as in ``tiers.standings.models.StandingChange``.
    ``code`` is the level it led to; ``gifts`` are what the levels passed on the way up give, each
    with its occasion."""

    brand_id: UUID
    id: UUID
    member_id: UUID
    from_rank: int
    to_rank: int
    code: str
    ladder_id: UUID
    reason: ChangeReason
    occurred_at: datetime
    transfer_id: UUID | None = None
    cause_kind: str | None = None
    cause_id: UUID | None = None
    note: str = ""
    gifts: tuple[tuple[str, Privilege], ...] = ()

    @property
    def topic(self) -> str:
        return REACHED_TOPIC if self.to_rank > self.from_rank else LOWERED_TOPIC

    @property
    def payload(self) -> dict[str, Any]:
        """Of the fact: who gives gifts for a level gives them once per change."""
        return {
            "from_rank": self.from_rank,
            "to_rank": self.to_rank,
            "code": self.code,
            "change_id": self.id.hex,
            "direction": "UP" if self.to_rank > self.from_rank else "DOWN",
            "reason": self.reason.value,
            "occurred_at": self.occurred_at.isoformat(),
        }

    @property
    def gifts_payload(self) -> dict[str, Any]:
        """Of the fact that gifts are due: each as its ladder had it, with its occasion."""
        told = privileges_to_json(privilege for _, privilege in self.gifts)
        return {
            "change_id": self.id.hex,
            "gifts": [
                {"occasion": occasion, "privilege": gift}
                for (occasion, _), gift in zip(self.gifts, told, strict=True)
            ],
        }


@dataclass(frozen=True, slots=True)
class TierEvent:
    """What an event added to a member, or, below zero, took back.

    ``balance`` is the growth balance after it, None if growth did not move. ``earned`` is what a
    campaign credited, by asset: no gift, no adjustment, nothing bought. ``scans`` counts scans that
    paid, ``visit`` tells that the day had such a scan or a purchase. What it took back is taken
    from the day of ``counted_at``, on which it had been counted. ``transfer_id`` is the transfer
    that a change is put down to."""

    occurred_at: datetime
    cause_kind: str
    cause_id: UUID
    transfer_id: UUID | None = None
    balance: int | None = None
    earned: Mapping[str, int] = field(default_factory=dict)
    spend_fen: int = 0
    scans: int = 0
    visit: bool = False
    counted_at: datetime | None = None


@dataclass(slots=True)
class MemberTier:
    """One member's tier in a batch. ``ladder`` is its role's, None if that has none. ``days`` reach
    back as far as decisions on ``loaded_for`` and later need; ``added`` are increments of days, to
    be written. ``rules_revision`` is the brand's at which its ladder was read,
    ``revision`` 0 for a member without a row; ``moves`` counts how often the
    standing moved since it was read (that its days were filled from history counts too). What is
    to begin next period is put down to ``pending_transfer_id``, or to one of the event
    ``pending_cause_id`` that is not known yet."""

    brand_id: UUID
    member_id: UUID
    ladder: LadderView | None
    timezone: str
    joined_on: date
    since: datetime
    held: Held = NOTHING_HELD
    revision: int = 0
    rules_revision: int = 0
    balance: int = 0
    days: dict[date, int] = field(default_factory=dict)
    loaded_for: date = date.max
    moves: int = 0
    added: dict[date, int] = field(default_factory=dict)
    changes: list[TierChange] = field(default_factory=list)
    pending_transfer_id: UUID | None = None
    pending_cause_id: UUID | None = None

    @property
    def rank(self) -> int:
        return self.held.rank

    @property
    def lacks_transfer(self) -> bool:
        """Whether an event is behind a change, or what is to begin, and no transfer is named."""
        return self.pending_cause_id is not None or any(
            change.cause_id is not None and change.transfer_id is None for change in self.changes
        )

    @property
    def level(self) -> Level | None:
        """The level held, as last looked at: ``catch_up`` first."""
        return None if self.ladder is None else self.ladder.level(self.held.rank)


def catch_up(tier: MemberTier, day: date, new_id: NewId) -> list[TierChange]:
    """Do what the days up to ``day`` brought about by themselves: levels that ended, levels that
    began. Call it before an event is folded that depends on the level. Each change is dated to the
    beginning of its own day. Nothing to do costs a comparison."""
    ladder = tier.ladder
    changes = []
    while ladder is not None and tier.held.due_on is not None and tier.held.due_on <= day:
        due_on = tier.held.due_on
        decision = _decide(tier, ladder, due_on)
        if (decision.held.due_on or FOR_EVER) <= due_on:
            # A rule that is wrong must fail, not turn for ever under the members' locks.
            raise LookNeverEnds(f"due on {decision.held.due_on} after the look on {due_on}")
        changes += _take(tier, ladder, decision, new_id, day_start(due_on, tier.timezone))
    return changes


def look(
    tier: MemberTier, day: date, at: datetime, new_id: NewId, because: ChangeReason | None = None
) -> list[TierChange]:
    """Catch up, and look at the standing on ``day`` though nothing is due: after a new ladder, or
    when the balance may have dropped. ``because`` replaces the reason of what the look changes."""
    ladder = tier.ladder
    if ladder is None:
        return []
    changes = catch_up(tier, day, new_id)
    decision = _decide(tier, ladder, day)
    if decision.reason is not None and because is not None:
        decision = replace(decision, reason=because)
    return changes + _take(tier, ladder, decision, new_id, at)


def after_event(tier: MemberTier, event: TierEvent, new_id: NewId) -> list[TierChange]:
    """Fold one event over a member's tier: what it changed, oldest first (also in
    ``tier.changes``). Events of one member come in the order in which they count; ``tier`` was
    loaded for the local day of ``occurred_at``."""
    ladder = tier.ladder
    if ladder is None:
        return []
    day = local_date(event.occurred_at, tier.timezone)
    changes = catch_up(tier, day, new_id)
    if not _count(tier, ladder, event):
        return changes
    decision = _decide(tier, ladder, day)
    return changes + _take(tier, ladder, decision, new_id, event.occurred_at, event)


def put_grant(
    tier: MemberTier,
    grant: TierGrant | None,
    day: date,
    at: datetime,
    new_id: NewId,
    *,
    note: str,
) -> list[TierChange]:
    """Give a level, replacing what was given before, or (None) take it back."""
    ladder = tier.ladder
    if ladder is None:
        return []
    changes = catch_up(tier, day, new_id)
    held = replace(tier.held, grant=grant)
    after = decide_standing(ladder, held, _amounts(tier), tier.joined_on, day).held
    reason = None
    if after.rank != tier.held.rank:
        reason = ChangeReason.GRANT_ENDED if grant is None else ChangeReason(grant.kind.value)
    return changes + _take(tier, ladder, Decision(after, reason), new_id, at, note=note)


def put_held(tier: MemberTier, held: Held, day: date, merge: TierEvent, new_id: NewId) -> None:
    """Let a member hold what another held, and what it earns with that one's days. The gifts of
    the levels that were held are given already."""
    if tier.ladder is not None:
        joined = decide_standing(tier.ladder, held, _amounts(tier), tier.joined_on, day).held
        _put(tier, tier.ladder, joined, merge, new_id, gifts_above=held.rank)


def let_go(tier: MemberTier, merge: TierEvent, new_id: NewId) -> None:
    """Let a member hold nothing any more: another holds it."""
    if tier.ladder is not None:
        _put(tier, tier.ladder, NOTHING_HELD, merge, new_id, gifts_above=0)


def _put(
    tier: MemberTier,
    ladder: LadderView,
    held: Held,
    merge: TierEvent,
    new_id: NewId,
    *,
    gifts_above: int,
) -> None:
    reason = ChangeReason.MERGED if held.rank != tier.held.rank else None
    at = merge.occurred_at
    _take(tier, ladder, Decision(held, reason), new_id, at, merge, gifts_above=gifts_above)


def _amounts(tier: MemberTier) -> Amounts:
    return Amounts(tier.balance, tier.days)


def _decide(tier: MemberTier, ladder: LadderView, day: date) -> Decision:
    if day < tier.loaded_for and not ladder.policy.counts_balance:
        raise ValueError(f"the tier was not loaded for {day}")
    return decide_standing(ladder, tier.held, _amounts(tier), tier.joined_on, day)


def _count(tier: MemberTier, ladder: LadderView, event: TierEvent) -> bool:
    """Add what the event brought; whether the ladder counts any of it."""
    policy = ladder.policy
    if policy.counts_balance:
        if event.balance is None:
            return False
        tier.balance = event.balance
        return True
    day = local_date(event.counted_at or event.occurred_at, tier.timezone)
    amount = {
        TierMetric.EARNED: event.earned.get(policy.metric_asset or "", 0),
        TierMetric.SPEND: event.spend_fen,
        TierMetric.SCANS: event.scans,
        TierMetric.VISITS: int(event.visit and not tier.days.get(day)),
    }.get(policy.metric, 0)
    if amount:
        tier.days[day] = tier.days.get(day, 0) + amount
        tier.added[day] = tier.added.get(day, 0) + amount
    return amount != 0


def _take(
    tier: MemberTier,
    ladder: LadderView,
    decision: Decision,
    new_id: NewId,
    at: datetime,
    event: TierEvent | None = None,
    note: str = "",
    gifts_above: int = 0,
) -> list[TierChange]:
    """Move the tier to where a decision leads, and note the change of its rank."""
    before = tier.held
    if decision.held == before:
        return []
    tier.held = decision.held
    tier.moves += 1
    begun_by = _put_down(tier, before, event)
    if decision.reason is None:
        return []
    tier.since = at
    change = TierChange(
        tier.brand_id,
        new_id(),
        tier.member_id,
        before.rank,
        decision.held.rank,
        ladder.level(decision.held.rank).code,
        ladder.id,
        decision.reason,
        at,
        event.transfer_id if event else begun_by,
        event.cause_kind if event else None,
        event.cause_id if event else None,
        note,
        _gifts(
            ladder,
            max(before.rank, gifts_above),
            decision.held.rank,
            local_date(at, tier.timezone),
        ),
    )
    tier.changes.append(change)
    return [change]


def _put_down(tier: MemberTier, before: Held, event: TierEvent | None) -> UUID | None:
    """Note what is behind a level that is to begin next period; of one that has just begun it is
    the answer."""
    held, behind = tier.held, tier.pending_transfer_id
    if (held.pending_rank, held.pending_on) == (before.pending_rank, before.pending_on):
        return None
    waits = held.pending_rank is not None and event is not None
    tier.pending_transfer_id = event.transfer_id if waits and event else None
    is_named = tier.pending_transfer_id is not None
    tier.pending_cause_id = event.cause_id if waits and event and not is_named else None
    return behind if event is None and held.rank > before.rank else None


def name_transfers(tiers: Iterable[MemberTier], movements: Iterable[Movement]) -> None:
    """Put what has only an event behind it down to a transfer of that event: the first that was
    posted to or from its member, or else is pending; of one that moved nothing, to none."""
    found: dict[tuple[UUID, UUID], Movement] = {}
    for movement in movements:
        for account in (movement.debit, movement.credit):
            key = (account.owner_id, movement.cause.id)
            if key not in found or found[key].phase == TransferPhase.PENDING != movement.phase:
                found[key] = movement
    for tier in tiers:
        for i, change in enumerate(tier.changes):
            if change.transfer_id is None and change.cause_id is not None:
                movement_of_it = found.get((tier.member_id, change.cause_id))
                if movement_of_it is not None:
                    tier.changes[i] = replace(change, transfer_id=movement_of_it.id)
        if tier.pending_cause_id is not None:
            begun = found.get((tier.member_id, tier.pending_cause_id))
            tier.pending_transfer_id = begun.id if begun else None


def _gifts(
    ladder: LadderView, from_rank: int, to_rank: int, on: date
) -> tuple[tuple[str, Privilege], ...]:
    """What every level on the way up gives: who rises fast gets no less. A level gives its gifts
    once a year, or buying, returning and buying again would fetch them again."""
    return tuple(
        (f"level:{level.code}:{on.year}", privilege)
        for level in ladder.levels[from_rank + 1 : to_rank + 1]
        for privilege in live(level.privileges, PrivilegeKind.LEVEL_GIFT, on)
    )
