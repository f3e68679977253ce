"""The same act upon the engine and the model, and whether both tell and keep the same."""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from loyalty.actor import MemberRole
from loyalty.assets.rules import NEVER, Expiry, ExpiryKind, Unit
from loyalty.errors import Refusal
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import ReturnPolicy
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import (
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import CampaignDefinition, Cap, Outcome
from tests.machine.engine import Engine, Stage
from tests.machine.plans import BEGINS_AT, PEOPLE
from tests.model.campaigns import Terms
from tests.model.wallets import Ladder, Policy
from tests.model.world import Refused, World
from tiers.ladders.models import TierEnd
from tiers.ladders.rules import LadderPolicy, Level

T = TypeVar("T")


class Disagreement(AssertionError):
    """Engine and model have come apart."""


def reply_of(reply: dict[str, Any]) -> dict[str, object]:
    """A reply of the engine in the model's words."""

    def at(sighting: dict[str, Any] | None) -> datetime | None:
        return None if sighting is None else datetime.fromisoformat(sighting["at"])

    return {
        "verdict": reply["verdict"],
        "unpaid": reply["unpaid_reason"],
        "guide_unpaid": reply["guide_unpaid_reason"],
        "rewards": sorted((r["asset"], r["amount"], r["locked"]) for r in reply["rewards"]),
        "count": reply["scan_count"],
        "first_at": at(reply["first_scan"]),
        "latest_at": at(reply["latest_scan"]),
        "is_new_member": reply["is_new_member"],
        "balances": {
            b["asset"]: (b["balance"], b["locked"])
            for b in reply["balances"]
            if (b["balance"], b["locked"]) != (0, 0)
        },
        "rank": reply["tier"]["rank"] if reply["tier"] else None,
        "rank_before": reply["rank_before"],
    }


def definition(engine: Engine, terms: Terms) -> CampaignDefinition:
    """The model's terms as an operator of the engine publishes them."""
    basis = OutcomeBasis.FIXED if terms.event == "SCAN" else OutcomeBasis.PER_CURRENCY_UNIT
    return CampaignDefinition(
        code=terms.code,
        name_zh="活动",
        name_en="Campaign",
        event=EventKind(terms.event),
        outcomes=tuple(
            Outcome(MemberRole(role), Asset(asset), basis, amount, _lock(terms.wait(role, asset)))
            for role, asset, amount in terms.gives
        ),
        gate=Gate.CONSUMER_SCAN if terms.gated else Gate.NONE,
        priority=terms.priority,
        product_id=engine.product_id(terms.product),
        starts_at=terms.opens_at,
        ends_at=terms.closes_at,
        caps=tuple(Cap(CapSubject(s), CapWindow(w), n) for s, w, n in terms.caps),
        budgets={Asset(asset): allowed for asset, allowed in terms.budgets},
        return_policies={MemberRole(r): ReturnPolicy(policy) for r, policy in terms.returns},
    )


def _lock(wait: tuple[int, int | None] | None) -> Lock | None:
    if wait is None:
        return None
    scans, days = wait
    lapses_after = None if days is None else timedelta(days=days)
    return Lock(UnlockKind.NEXT_SCAN, scans, lapses_after=lapses_after)


def expiry_of(policy: Policy) -> Expiry:
    """The model's policy as an operator of the engine sets it."""
    kind, count, unit = policy
    if kind == "AFTER":
        return Expiry(ExpiryKind.AFTER, Unit(unit), count)
    if kind == "END":
        return Expiry(ExpiryKind.PERIOD_END, Unit(unit), count, Unit.MONTH if count else None)
    return Expiry(ExpiryKind.ACTIVITY, count=count) if kind == "ACTIVE" else NEVER


def ladder_of(steps: Sequence[tuple[int, int]], drops: bool) -> Ladder:
    """From the ground up: (growth more than the level below, percent of points)."""
    made = [(0, 100)]
    for growth, percent in steps:
        made.append((made[-1][0] + growth, percent))
    return Ladder(made, drops)


def levels_of(ladder: Ladder) -> list[Level]:
    """The model's ladder as an operator of the engine publishes it."""
    return [
        Level(rank, f"L{rank}", "级", "Level", threshold, percent)
        for rank, (threshold, percent) in enumerate(ladder.levels)
    ]


def policy_of(ladder: Ladder) -> LadderPolicy:
    """How the model's levels end, as an operator of the engine says it."""
    return LadderPolicy(ends=TierEnd.BALANCE_DROP if ladder.drops else TierEnd.NEVER)


class ComparingMachine(RuleBasedStateMachine):
    """One brand of a stage, and the model of it."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(self.stage, PEOPLE)
        self.world = World("UTC", {}, BEGINS_AT)
        self.begun = False
        self.agrees = True

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self.stage.runner.run(work)
        except Exception as error:
            self.agrees = False
            raise Disagreement(f"the engine fails: {error!r}") from error

    def _agree(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.agrees = False
            raise Disagreement(f"{what}\n  engine: {found}\n  model:  {wanted}")

    def _both(
        self, what: str, act: Callable[[], Awaitable[object]], model: Callable[[], None]
    ) -> None:
        """One act upon both: both do it, or both refuse it for the same reason."""
        wanted: tuple[str, dict[str, object]] | None = None
        found: tuple[str, dict[str, Any]] | None = None
        try:
            model()
        except Refused as refused:
            wanted = (refused.code, refused.details)

        async def attempt() -> tuple[str, dict[str, Any]] | None:
            try:
                await act()
            except Refusal as refusal:
                return refusal.code, refusal.details
            return None

        found = self._wait_for(attempt())
        if found is not None and wanted is not None:
            found = (found[0], {k: v for k, v in found[1].items() if k in wanted[1]})
        self._agree(what, found, wanted)
        self.stage.seen[found[0] if found else "done"] += 1
        self._compare_states(what)

    def _compare_states(self, after: str) -> None:
        found = self._wait_for(self.engine.state())
        for part, wanted in self._model_state().items():
            self._agree(f"{part} after {after}", found[part], wanted)

    def _model_state(self) -> dict[str, dict[Any, Any]]:
        members = self.world.members.values()
        campaigns = self.world.campaigns.values()
        return {
            "members": {m.name: (m.frozen, m.rank, m.invited_by, m.merged_into) for m in members},
            "balances": {m.name: b for m in members if (b := m.wallet.balances())},
            "debts": {m.name: debts for m in members if (debts := m.wallet.debts())},
            "lots": {m.name: lots for m in members if (lots := m.wallet.lots())},
            "locked": {m.name: locked for m in members if (locked := m.wallet.waiting())},
            "waiting": dict(
                Counter(
                    (
                        w.member,
                        w.asset,
                        w.amount,
                        "item" if w.item else "scan",
                        w.scans,
                        w.lapses_at,
                    )
                    for w in self.world.waiting
                )
            ),
            "budgets": {
                (c.terms.code, asset): tuple(budget)
                for c in campaigns
                for asset, budget in c.budgets.items()
            },
            "counts": {
                (c.terms.code, kind, who, "ALL" if day is None else day.isoformat()): used
                for c in campaigns
                for (kind, who, day), used in c.counts.items()
                if used
            },
        }

    def teardown(self) -> None:
        self.stage.seen.update(self.world.met)
        if self.begun and self.agrees:
            self._agree("the audit", self._wait_for(self.engine.offences()), [])

    def _note(self, answer: object) -> None:
        seen = self.stage.seen
        if not isinstance(answer, tuple):
            seen[str(answer)] += 1
        elif answer[0]:
            seen["replayed"] += 1
        else:
            reply = answer[1]
            seen[reply["verdict"]] += 1
            seen[reply["unpaid"] or "paid"] += 1
            seen[reply["guide_unpaid"] or "no guide reason"] += 1
            seen["risen"] += (reply["rank"] or 0) > reply["rank_before"]
            seen["locked"] += any(reward[2] for reward in reply["rewards"])
