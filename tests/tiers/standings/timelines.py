"""One member's life on a ladder, in memory: what it does and which day it is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.assets.rules import Unit
from loyalty.ids import new_id
from tiers.ladders.models import Downgrade, PeriodKind, TierEnd, TierMetric, TierStart
from tiers.ladders.periods import PeriodRule, read_grace
from tiers.ladders.rules import LadderPolicy, LadderView, Level
from tiers.standings.folding import MemberTier, TierEvent, after_event, catch_up, look, put_grant
from tiers.standings.models import Basis, ChangeReason
from tiers.standings.rules import TierGrant

ZONE = "Asia/Shanghai"
BRAND, MEMBER = UUID(int=1), UUID(int=2)
JOINED_ON = date(2026, 1, 15)
MONTH = PeriodRule(PeriodKind.CALENDAR, Unit.MONTH)
YEAR = PeriodRule(PeriodKind.CALENDAR, Unit.YEAR)
JOIN_MONTH = PeriodRule(PeriodKind.JOIN, Unit.MONTH, 1)
THIRTY_DAYS = PeriodRule(PeriodKind.ROLLING, Unit.DAY, 30)
AT_ONCE, NEXT_PERIOD = TierStart.AT_ONCE, TierStart.NEXT_PERIOD
NEVER, PERIOD_END = TierEnd.NEVER, TierEnd.PERIOD_END
NEXT_PERIOD_END, BALANCE_DROP = TierEnd.NEXT_PERIOD_END, TierEnd.BALANCE_DROP
ONE_STEP, TO_EARNED = Downgrade.ONE_STEP, Downgrade.TO_EARNED
EARNED, LAPSED, DROPPED = ChangeReason.EARNED, ChangeReason.LAPSED, ChangeReason.DROPPED


def levels(*thresholds: int) -> tuple[Level, ...]:
    """Levels L0, L1 ...; a threshold below 0 makes one by invitation only."""
    return tuple(
        Level(rank, f"L{rank}", "级", "Level", max(0, threshold), 100 + rank, threshold < 0)
        for rank, threshold in enumerate(thresholds)
    )


def ladder(
    metric: TierMetric = TierMetric.SPEND,
    period: PeriodRule | None = MONTH,
    ends: TierEnd = PERIOD_END,
    *,
    starts: TierStart = AT_ONCE,
    grace: str | None = None,
    downgrade: Downgrade = TO_EARNED,
    thresholds: Sequence[int] = (0, 100, 300, 1000),
    version: int = 1,
) -> LadderView:
    asset = "POINTS" if metric is TierMetric.EARNED else None
    policy = LadderPolicy(metric, asset, period, starts, ends, read_grace(grace), downgrade)
    counting_id = None if policy.counts_balance else UUID(int=99)
    return LadderView(
        UUID(int=10 + version), "CONSUMER", version, levels(*thresholds), policy, counting_id
    )


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), ZoneInfo(ZONE)).astimezone(UTC)


class Timeline:
    """``spends`` and ``has`` are events; ``on`` lets days pass and tells (rank, held until)."""

    def __init__(self, on: LadderView, joined_on: date = JOINED_ON) -> None:
        self.tier = MemberTier(
            BRAND, MEMBER, on, ZONE, joined_on, noon(joined_on), loaded_for=date.min
        )

    def event(self, day: date, **added: object) -> None:
        event = TierEvent(noon(day), "PURCHASE", new_id(), transfer_id=new_id(), **added)  # type: ignore[arg-type]
        after_event(self.tier, event, new_id)

    def spends(self, day: date, fen: int) -> None:
        """Below zero: what was bought on that day is returned on it."""
        self.event(day, spend_fen=fen)

    def returns(self, bought_on: date, day: date, fen: int) -> None:
        self.event(day, spend_fen=-fen, counted_at=noon(bought_on))

    def has(self, day: date, balance: int) -> None:
        self.event(day, balance=balance)

    def grant(self, day: date, rank: int, until: date | None, kind: Basis = Basis.GRANTED) -> None:
        grant = TierGrant(rank, kind, until, "because")
        put_grant(self.tier, grant, day, noon(day), new_id, note="because")

    def end_grant(self, day: date) -> None:
        put_grant(self.tier, None, day, noon(day), new_id, note="enough")

    def publish(self, day: date, ladder: LadderView) -> None:
        """As the run does that looks at every member."""
        self.tier.ladder = ladder
        look(self.tier, day, noon(day), new_id, ChangeReason.LADDER)

    def on(self, day: date) -> tuple[int, date | None]:
        catch_up(self.tier, day, new_id)
        return self.tier.rank, self.tier.held.held_until

    @property
    def moves(self) -> list[tuple[date, int, int, ChangeReason]]:
        """(local day, from, to, why) so far."""
        return [
            (
                change.occurred_at.astimezone(ZoneInfo(ZONE)).date(),
                change.from_rank,
                change.to_rank,
                change.reason,
            )
            for change in self.tier.changes
        ]


def day_after(day: date) -> date:
    return day + timedelta(days=1)
