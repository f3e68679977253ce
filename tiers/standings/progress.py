"""Pure: how far a member is from keeping its level, and from the next one."""

from dataclasses import dataclass
from datetime import date

from tiers.ladders.models import PeriodKind, TierEnd, TierStart
from tiers.ladders.periods import Period
from tiers.ladders.rules import LadderView, Level
from tiers.standings.rules import FOR_EVER, Held, until_if_reached


@dataclass(frozen=True, slots=True)
class Keep:
    """What keeps the level: ``amount`` so far, of ``threshold``, counted from ``counts_from`` on
    (None for the balance) and needed ``by`` a last day. Without a day the level stays as long as
    the amount does."""

    threshold: int
    amount: int
    counts_from: date | None
    by: date | None

    @property
    def missing(self) -> int:
        return max(0, self.threshold - self.amount)


@dataclass(frozen=True, slots=True)
class Rise:
    """What leads to the next level: ``amount`` so far, of its threshold, ``by`` the last day of the
    period (None where none ends). ``starts_on``: the day on which it begins if it is earned in this
    period; None for at once."""

    level: Level
    amount: int
    by: date | None
    starts_on: date | None

    @property
    def missing(self) -> int:
        return max(0, self.level.growth_threshold - self.amount)


def period_shown(ladder: LadderView, joined_on: date, day: date) -> Period | None:
    """The period whose amount is shown as so far; None for the balance."""
    if ladder.policy.counts_balance or ladder.policy.period is None:
        return None
    return ladder.policy.period.period_of(day, joined_on)


def to_keep(ladder: LadderView, held: Held, amount: int, joined_on: date, day: date) -> Keep | None:
    """What keeps the level that is held; None where nothing needs to (rank 0, a level without end)
    and where nothing can: a level by invitation, and one that is over before the next period has
    begun. ``amount`` is the balance, or that of the ``period_shown``. Of a rolling window it is
    what it is today; by the day it is needed, earlier days may have left it."""
    policy = ladder.policy
    rule = policy.period
    level = ladder.level(held.rank)
    by = held.held_until
    if level.rank == 0 or level.invitation_only or (policy.ends is TierEnd.NEVER and by is None):
        return None
    threshold = level.growth_threshold
    if rule is None or (policy.counts_balance and policy.ends is not TierEnd.BALANCE_DROP):
        return Keep(threshold, amount, None, by)
    period = rule.period_of(day, joined_on)
    counts_from = None if policy.counts_balance else period.first
    if policy.ends is TierEnd.BALANCE_DROP or rule.kind is PeriodKind.ROLLING:
        coming = policy.starts is TierStart.NEXT_PERIOD and not policy.counts_balance
        return Keep(threshold, amount, counts_from, by or (period.last if coming else None))
    last = by or FOR_EVER
    begins = period.first if policy.starts is TierStart.AT_ONCE else period.next_first
    if (until_if_reached(policy, joined_on, begins) or FOR_EVER) > last:
        return Keep(threshold, amount, counts_from, min(last, period.last))
    coming_period = rule.period_of(period.next_first, joined_on)
    if coming_period.first > last:
        return None
    return Keep(threshold, 0, coming_period.first, min(last, coming_period.last))


def to_rise(ladder: LadderView, held: Held, amount: int, joined_on: date, day: date) -> Rise | None:
    """What leads to the next level that can be earned; None at the top. ``amount`` as in
    ``to_keep``."""
    level = ladder.next_level(held.rank)
    if level is None:
        return None
    policy = ladder.policy
    period = policy.period.period_of(day, joined_on) if policy.period else None
    ends = period is not None and policy.period is not None
    rolling = policy.period is not None and policy.period.kind is PeriodKind.ROLLING
    by = period.last if period and ends and not rolling and not policy.counts_balance else None
    later = period is not None and policy.starts is TierStart.NEXT_PERIOD
    return Rise(level, amount, by, period.next_first if period and later else None)
