"""Pure: what a member holds on a ladder, decided from what it did and the day it is.

``decide_standing`` is the one rule of tiers. Events call it in their fold (``folding.py``), the
nightly job for whoever is due, and replay member by member: the same values, the same answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from loyalty.assets.rules import NEVER_EXPIRES
from tiers.ladders.models import Downgrade, PeriodKind, TierEnd, TierStart
from tiers.ladders.periods import Period
from tiers.ladders.rules import LadderPolicy, LadderView
from tiers.standings.models import Basis, ChangeReason

_DAY = timedelta(days=1)
FOR_EVER = NEVER_EXPIRES
"""Of what has no end; compares like any day."""


@dataclass(frozen=True, slots=True)
class TierGrant:
    """A level that an operator gave until a last good day; None: until it is taken back."""

    rank: int
    kind: Basis
    until: date | None
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """A standing as rules see it; fields as in ``tiers.standings.models.Standing``."""

    earned_rank: int = 0
    earned_until: date | None = None
    grant: TierGrant | None = None
    pending_rank: int | None = None
    pending_on: date | None = None
    due_on: date | None = None

    @property
    def basis(self) -> Basis:
        """Why the level is held: by the grant where that is higher, or as high and lasts longer."""
        if self.grant is None or self.grant.rank < self.earned_rank:
            return Basis.EARNED
        longer = (self.grant.until or FOR_EVER) > (self.earned_until or FOR_EVER)
        return self.grant.kind if self.grant.rank > self.earned_rank or longer else Basis.EARNED

    @property
    def rank(self) -> int:
        return max(self.earned_rank, self.grant.rank if self.grant else 0)

    @property
    def held_until(self) -> date | None:
        """The last good day of the level, grace included; None without end."""
        if self.grant is not None and self.basis is not Basis.EARNED:
            return self.grant.until
        return self.earned_until


NOTHING_HELD = Held()


def better_of(one: Held, other: Held) -> Held:
    """The better of two standings, of what is earned and of grants each for itself."""
    earned = max(one, other, key=lambda held: (held.earned_rank, held.earned_until or FOR_EVER))
    grants = [held.grant for held in (one, other) if held.grant is not None]
    grant = max(grants, key=lambda each: (each.rank, each.until or FOR_EVER), default=None)
    return replace(earned, grant=grant)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a member has of a ladder's metric: its balance, or amounts by day. Days need to reach
    back to ``first_day_counted``."""

    balance: int = 0
    days: Mapping[date, int] = field(default_factory=dict)

    def within(self, period: Period) -> int:
        return sum(
            amount for day, amount in self.days.items() if period.first <= day <= period.last
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """The standing after a look at it, and why its rank changed; None if it did not."""

    held: Held
    reason: ChangeReason | None


@dataclass(frozen=True, slots=True)
class Earned:
    """The rank that is earned on a day, and how long it may be held for that."""

    rank: int
    until: date | None


def decide_standing(
    ladder: LadderView, held: Held, amounts: Amounts, joined_on: date, day: date
) -> Decision:
    """What a member holds on a local ``day``, and from when on it must be looked at again.

    **What is earned.** The metric's amount of a period earns a rank; by invitation only none is.
    With AT_ONCE it is good from the day it is reached, with NEXT_PERIOD from the first day of the
    next period; until then it is pending. CALENDAR and JOIN periods follow one another. A ROLLING
    period is the window that ends on the day; NEXT_PERIOD does not go with it. Of the growth
    balance there is one amount; a period of that metric only says when levels begin and end.

    **How long it is good.** Let H be the period in which the level begins (of ROLLING: so many days
    from the day it was reached).

    - NEVER: without end.
    - PERIOD_END: to the last day of H. Then what is earned in the new period counts.
    - NEXT_PERIOD_END: to the last day of the period after H: each period earns for the rest of
      itself and for the next one.
    - BALANCE_DROP: as long as the amount is there: the balance, the window, the period (with
      NEXT_PERIOD: the one before). It drops by returns, by days leaving the window, and on the
      first day of a new period.

    ``grace`` adds to that last day; with BALANCE_DROP it begins on the day of the drop, and a
    recovery ends it. A level that a ladder without end has given, is held under one with ends as
    if it had been reached on the day of the first look.

    **Renewal.** Who earns the held rank again is held to the later date: at once in CALENDAR and
    JOIN periods, and when its time is over where time is counted from the look (ROLLING, balance).

    **Falling.** When the last good day is over (with BALANCE_DROP: at once, or after grace), the
    level falls TO_EARNED, the best rank whose time is not over on that day, or ONE_STEP, to the
    next rank below but not under what is earned; what is not earned by it is held as if it had
    been reached on that day (with BALANCE_DROP and no grace: for that day).

    **Grants** lie over what is earned, which goes on beneath: a grant is never renewed, and ends
    after its last day.

    One look makes at most one fall. ``held.due_on`` after it is later than ``day``: looks are
    repeated for each day that was due (``catch_up``), so that a late job decides the same.
    """
    grant = held.grant
    if grant is not None and (grant.until or FOR_EVER) < day:
        grant = None
    earned = _earned(ladder, held, amounts, joined_on, day)
    rank, until, reason = _move(ladder, held, earned, joined_on, day)
    pending_rank, pending_on = _pending(ladder, rank, amounts, joined_on, day)
    moved = Held(rank, until, grant, pending_rank, pending_on)
    moved = replace(moved, due_on=_due_on(ladder, moved, amounts, joined_on, day))
    if moved.rank == held.rank:
        return Decision(moved, None)
    if moved.rank < held.rank and held.basis is not Basis.EARNED:
        reason = ChangeReason.GRANT_ENDED
    return Decision(moved, reason)


def first_day_counted(ladder: LadderView, joined_on: date, day: date) -> date | None:
    """The first day whose amount may matter on ``day`` or later; None for the balance."""
    policy = ladder.policy
    if policy.counts_balance or policy.period is None:
        return None
    first = policy.period.period_of(day, joined_on).first
    return min([first, *(period.first for period, _ in _in_force(policy, joined_on, day))])


# --- what is earned ----------------------------------------------------------------------------


def _earned(ladder: LadderView, held: Held, amounts: Amounts, joined_on: date, day: date) -> Earned:
    policy = ladder.policy
    if policy.counts_balance:
        rank = ladder.rank_for(amounts.balance)
        if policy.starts is TierStart.NEXT_PERIOD:
            begun = held.pending_on is not None and held.pending_on <= day
            rank = min(rank, max(held.earned_rank, (held.pending_rank or 0) if begun else 0))
        return Earned(rank, until_if_reached(policy, joined_on, day))
    best = Earned(0, None)
    for period, until in _in_force(policy, joined_on, day):
        rank = ladder.rank_for(amounts.within(period))
        if rank > best.rank or (
            rank == best.rank and (until or FOR_EVER) > (best.until or FOR_EVER)
        ):
            best = Earned(rank, until)
    return best


def _in_force(
    policy: LadderPolicy, joined_on: date, day: date
) -> Iterator[tuple[Period, date | None]]:
    """The periods whose amounts are good on a day, newest first, and to which day each is."""
    rule = policy.period
    if rule is None:
        return
    period = rule.period_of(day, joined_on)
    if rule.kind is PeriodKind.ROLLING:
        yield period, until_if_reached(policy, joined_on, day)
        return
    if policy.starts is TierStart.NEXT_PERIOD:
        period = rule.period_of(period.day_before, joined_on)
    while True:
        begins = period.first if policy.starts is TierStart.AT_ONCE else period.next_first
        until = until_if_reached(policy, joined_on, begins)
        if (until or FOR_EVER) < day:
            return
        yield period, until
        if until is None:
            return  # without end: what an earlier period gave is held already
        period = rule.period_of(period.day_before, joined_on)


def until_if_reached(policy: LadderPolicy, joined_on: date, day: date) -> date | None:
    """The last good day, grace included, of a level that begins on a day; None without end, and
    where it ends by a drop."""
    rule = policy.period
    if rule is None or policy.ends not in (TierEnd.PERIOD_END, TierEnd.NEXT_PERIOD_END):
        return None
    periods = 1 if policy.ends is TierEnd.PERIOD_END else 2
    if rule.kind is PeriodKind.ROLLING:
        last = day + timedelta(days=rule.count * periods - 1)
    else:
        period = rule.period_of(day, joined_on)
        last = (period if periods == 1 else rule.period_of(period.next_first, joined_on)).last
    return policy.grace.after(last) if policy.grace else last


# --- what becomes of the level -----------------------------------------------------------------


def _move(
    ladder: LadderView, held: Held, earned: Earned, joined_on: date, day: date
) -> tuple[int, date | None, ChangeReason | None]:
    """The rank that is held by earning after a look, to when, and why it moved."""
    policy = ladder.policy
    rank = min(held.earned_rank, ladder.top)
    reason = ChangeReason.LADDER if rank < held.earned_rank else None
    if earned.rank > rank:
        return earned.rank, earned.until, ChangeReason.EARNED
    if rank == 0 or policy.ends is TierEnd.NEVER:
        return rank, None, reason
    if policy.ends is TierEnd.BALANCE_DROP:
        return _drop(ladder, rank, held.earned_until, earned, day)
    until = held.earned_until or until_if_reached(policy, joined_on, day) or day
    from_the_look = policy.counts_balance or (
        policy.period is not None and policy.period.kind is PeriodKind.ROLLING
    )
    if earned.rank == rank and (day > until or not from_the_look):
        return rank, max(until, earned.until or until), reason
    if day <= until:
        return rank, until, reason
    rank = _fallen(ladder, rank, earned)
    if rank == 0:
        return 0, None, ChangeReason.LAPSED
    renewed = earned.until if rank == earned.rank else until_if_reached(policy, joined_on, day)
    return rank, renewed, ChangeReason.LAPSED


def _drop(
    ladder: LadderView, rank: int, until: date | None, earned: Earned, day: date
) -> tuple[int, date | None, ChangeReason | None]:
    grace = ladder.policy.grace
    if earned.rank == rank:
        return rank, None, None
    if until is None:
        until = grace.after(day - _DAY) if grace else day - _DAY
    if day <= until:
        return rank, until, None
    rank = _fallen(ladder, rank, earned)
    if rank == earned.rank:
        return rank, None, ChangeReason.DROPPED
    return rank, (grace.after(day - _DAY) if grace else day), ChangeReason.DROPPED


def _fallen(ladder: LadderView, rank: int, earned: Earned) -> int:
    if ladder.policy.downgrade is Downgrade.TO_EARNED:
        return earned.rank
    return max(earned.rank, ladder.step_down(rank))


def _pending(
    ladder: LadderView, rank: int, amounts: Amounts, joined_on: date, day: date
) -> tuple[int | None, date | None]:
    policy = ladder.policy
    if policy.starts is TierStart.AT_ONCE or policy.period is None:
        return None, None
    period = policy.period.period_of(day, joined_on)
    amount = amounts.balance if policy.counts_balance else amounts.within(period)
    coming = ladder.rank_for(amount)
    return (coming, period.next_first) if coming > rank else (None, None)


# --- when to look again ------------------------------------------------------------------------


def _due_on(
    ladder: LadderView, held: Held, amounts: Amounts, joined_on: date, day: date
) -> date | None:
    due = []
    if held.earned_until is not None:
        due.append(held.earned_until + _DAY)
    if held.pending_on is not None:
        due.append(held.pending_on)
    if held.grant is not None and held.grant.until is not None:
        due.append(held.grant.until + _DAY)
    if ladder.policy.ends is TierEnd.BALANCE_DROP and held.earned_rank and not held.earned_until:
        drop_on = _drop_on(ladder, held.earned_rank, amounts, joined_on, day)
        if drop_on is not None:
            due.append(drop_on)
    return min(due, default=None)


def _drop_on(
    ladder: LadderView, rank: int, amounts: Amounts, joined_on: date, day: date
) -> date | None:
    """The next day on which the amount falls below the held rank's threshold though nothing
    happens; None for the balance."""
    rule = ladder.policy.period
    if ladder.policy.counts_balance or rule is None:
        return None
    period = rule.period_of(day, joined_on)
    if rule.kind is not PeriodKind.ROLLING:
        return period.next_first
    left = amounts.within(period)
    for spent_on, amount in sorted(amounts.days.items()):
        if period.first <= spent_on <= period.last:
            left -= amount
            if left < ladder.level(rank).growth_threshold:
                return spent_on + timedelta(days=rule.count)
    return None
