"""What operators decide about a brand: its founding, campaigns, ladders, codes and people."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.machine.comparing import (
    ComparingMachine,
    definition,
    expiry_of,
    ladder_of,
    levels_of,
    policy_of,
)
from tests.machine.plans import (
    BEGINS_AT,
    NEVER,
    QUANTITY,
    SERIES_MAX,
    ZONES,
    all_policies,
    anybody,
    budgets,
    caps,
    gates,
    gives,
    guides,
    ladders,
    phones,
    picks,
    policies,
    return_policies,
    returns,
    roles,
    small,
    waits,
)
from tests.model.campaigns import Terms
from tests.model.records import Batch
from tests.model.wallets import ASSETS, Ladder, Policy
from tests.model.world import World


class ConfiguringMachine(ComparingMachine):
    """A brand that is founded, and changed at any time."""

    # --- set-up and configuration -------------------------------------------------------------

    @initialize(
        zone=st.sampled_from(ZONES),
        policies=all_policies,
        given=gives,
        gated=gates,
        caps=caps,
        budgets=budgets,
        growth=small,
        invited=st.booleans(),
        returned=returns,
        drops=st.booleans(),
        wait=waits,
    )
    def founds_a_brand(
        self,
        zone: str,
        policies: dict[str, Policy],
        given: tuple[dict[str, int], dict[str, int]],
        gated: bool,
        caps: list[tuple[str, str, int]],
        budgets: dict[str, int],
        growth: int,
        invited: bool,
        returned: tuple[str, str],
        drops: bool,
        wait: tuple[int, int | None] | None,
    ) -> None:
        self.stage.clock.set(BEGINS_AT)
        self.world = World(zone, policies, BEGINS_AT)
        self._wait_for(self.engine.begin(zone, products=2))
        for asset, policy in policies.items():
            if asset == "POINTS" or policy != NEVER:  # which the others begin with
                self._wait_for(self.engine.set_expiry(asset, expiry_of(policy)))
        self.begun = True
        ladder = ladder_of([(6, 150), (9, 250)], drops)
        self._publish_ladder("CONSUMER", ladder, allow_lowering=False)
        # Of the first versions one event has to be affordable: 9 to the consumer, 9 to the guide.
        budgets = {asset: max(allowed, 18) for asset, allowed in budgets.items()}
        bought = {"POINTS": 1, "GROWTH": 1}
        used = {asset: allowed for asset, allowed in budgets.items() if asset in bought}
        self._publish(self._buying(bought, [], used, returned[0], wait))
        for asset in ("GROWTH", *budgets):  # and of what they give
            given[0].setdefault(asset, growth)
        self._publish(self._terms("scan", given, gated, caps, budgets, returned, wait))
        for product in (0, 1):
            self._order(product, "ACTIVE")
        for guide, guest in (("gus", "ann"), ("gil", "bob")):
            self.admits(guide, "GUIDE")
            if invited:
                self.invites(guide, guide, "GUIDE", guest)

    @rule(asset=st.sampled_from(ASSETS), policy=policies)
    def changes_an_expiry(self, asset: str, policy: Policy) -> None:
        """For what comes later; what is there keeps its dates."""
        self.world.policies[asset] = policy
        self._wait_for(self.engine.set_expiry(asset, expiry_of(policy)))

    def _terms(
        self,
        code: str,
        given: tuple[dict[str, int], dict[str, int]],
        gated: bool,
        caps: list[tuple[str, str, int]],
        budgets: dict[str, int],
        returned: tuple[str, str] = ("WITHIN_BALANCE", "WITHIN_BALANCE"),
        wait: tuple[int, int | None] | None = None,
        **more: Any,
    ) -> Terms:
        """``given`` and ``returned`` are the consumer's and the guide's. The least asset of the
        consumer's waits, if any."""
        parts = [("CONSUMER", *part) for part in given[0].items()]
        parts += [("GUIDE", *part) for part in given[1].items()]
        return Terms(
            code=code,
            event="SCAN",
            gives=tuple(parts),
            gated=gated and bool(given[1]),
            caps=tuple(caps),
            budgets=tuple(budgets.items()),
            waits=() if wait is None else ((min(given[0]), *wait),),
            returns=tuple(zip(("CONSUMER", "GUIDE")[: 1 + bool(given[1])], returned, strict=False)),
            **more,
        )

    def _buying(
        self,
        given: dict[str, int],
        caps: list[tuple[str, str, int]],
        budgets: dict[str, int],
        returned: str,
        wait: tuple[int, int | None] | None,
    ) -> Terms:
        """For each yuan. The greatest asset waits, if any: points."""
        return Terms(
            "buy",
            "PURCHASE",
            tuple(("CONSUMER", *part) for part in given.items()),
            caps=tuple(cap for cap in caps if cap[0] == "MEMBER"),
            budgets=tuple(budgets.items()),
            returns=(("CONSUMER", returned),),
            waits=() if wait is None else ((max(given), *wait),),
        )

    @rule(given=gives, caps=caps, room=st.integers(0, 30), returned=return_policies, wait=waits)
    def publishes_for_purchases(
        self,
        given: tuple[dict[str, int], dict[str, int]],
        caps: list[tuple[str, str, int]],
        room: int,
        returned: str,
        wait: tuple[int, int | None] | None,
    ) -> None:
        budgets = {
            asset: max(1, spent + reserved + room)
            for asset, (_, spent, reserved) in self.world.campaigns["buy"].budgets.items()
        }
        self._publish(self._buying(given[0], caps, budgets, returned, wait))

    def _publish(self, terms: Terms) -> None:
        self._both(
            f"publishing {terms}",
            lambda: self.engine.publish(definition(self.engine, terms)),
            lambda: self.world.publish(terms),
        )

    @rule(
        code=st.sampled_from(["scan", "more"]),
        given=gives,
        gated=gates,
        caps=caps,
        budgets=budgets,
        spare=st.sampled_from([None, -1, 0, 8]),
        priority=st.integers(0, 1),
        product=st.sampled_from([None, 0]),
        returned=returns,
        wait=waits,
        window=st.sampled_from([(None, None), (None, None), (1, None), (None, 40), (-3, 3)]),
    )
    def publishes(
        self,
        code: str,
        given: tuple[dict[str, int], dict[str, int]],
        gated: bool,
        caps: list[tuple[str, str, int]],
        budgets: dict[str, int],
        spare: int | None,
        priority: int,
        product: int | None,
        returned: tuple[str, str],
        wait: tuple[int, int | None] | None,
        window: tuple[int | None, int | None],
    ) -> None:
        known = self.world.campaigns.get(code)
        if known is not None and spare is not None:
            # Just below what is spent or reserved, just that, or a little more.
            budgets = {
                asset: max(1, spent + reserved + spare)
                for asset, (_, spent, reserved) in known.budgets.items()
            }
        opens, closes = (
            None if days is None else self.world.now + timedelta(days=days) for days in window
        )
        self._publish(
            self._terms(
                code,
                given,
                gated,
                caps,
                budgets,
                returned,
                wait,
                priority=priority,
                product=product,
                opens_at=opens,
                closes_at=closes,
            )
        )

    def _committed(self) -> list[str]:
        """Campaigns of which two units or more of something are spent or reserved."""
        return [
            code
            for code, campaign in sorted(self.world.campaigns.items())
            if any(spent + reserved > 1 for _, spent, reserved in campaign.budgets.values())
        ]

    @precondition(lambda self: self._committed())
    @rule(pick=picks, spare=st.sampled_from([-1, 0]))
    def tightens_a_budget(self, pick: int, spare: int) -> None:
        codes = self._committed()
        campaign = self.world.campaigns[codes[pick % len(codes)]]
        budgets = {
            asset: max(1, spent + reserved + spare)
            for asset, (_, spent, reserved) in campaign.budgets.items()
        }
        self._publish(replace(campaign.terms, budgets=tuple(budgets.items())))

    def _publish_ladder(self, role: str, ladder: Ladder, allow_lowering: bool) -> None:
        self._both(
            f"a ladder {ladder.levels} for {role}",
            lambda: self.engine.publish_ladder(
                role, levels_of(ladder), policy_of(ladder), allow_lowering
            ),
            lambda: self.world.publish_ladder(role, ladder, allow_lowering),
        )

    @rule(
        role=st.sampled_from(["CONSUMER", "GUIDE"]),
        levels=ladders,
        drops=st.booleans(),
        allow_lowering=st.booleans(),
    )
    def publishes_a_ladder(
        self, role: str, levels: list[tuple[int, int]], drops: bool, allow_lowering: bool
    ) -> None:
        self._publish_ladder(role, ladder_of(levels, drops), allow_lowering)

    def _risen(self) -> list[str]:
        return sorted(name for name, member in self.world.members.items() if member.rank)

    @precondition(lambda self: self._risen())
    @rule(pick=picks, allow_lowering=st.booleans())
    def shortens_a_ladder(self, pick: int, allow_lowering: bool) -> None:
        """Below where somebody stands."""
        risen = self._risen()
        member = self.world.members[risen[pick % len(risen)]]
        ladder = self.world.ladders[member.role]
        shorter = Ladder(ladder.levels[: member.rank], ladder.drops)
        self._publish_ladder(member.role, shorter, allow_lowering)

    def _order(self, product: int, status: str) -> None:
        ordered = self._wait_for(self.engine.order_codes(product, QUANTITY))
        series = ordered[0][0]
        for number, kind in ordered:
            self.world.batches[number] = Batch(series, kind, product, QUANTITY, "DRAFT")
        self._set_status(series, "PRINTED")
        if status == "ACTIVE":
            self._set_status(series, "ACTIVE")

    @precondition(lambda self: len(self.world.batches) < 2 * SERIES_MAX)
    @rule(product=st.integers(0, 1), status=st.sampled_from(["PRINTED", "ACTIVE"]))
    def orders_codes(self, product: int, status: str) -> None:
        self._order(product, status)

    def _set_status(self, number: int, status: str) -> None:
        self._both(
            f"batch {number} to {status}",
            lambda: self.engine.set_status(number, status),
            lambda: self.world.set_status(number, status),
        )

    @rule(pick=picks, status=st.sampled_from(["ACTIVE"] * 7 + ["RETIRED"]))
    def moves_a_batch(self, pick: int, status: str) -> None:
        self._set_status(1 + pick % len(self.world.batches), status)

    # --- people -------------------------------------------------------------------------------

    @rule(person=phones, role=st.sampled_from(["GUIDE", "STORE"]))
    def admits(self, person: str, role: str) -> None:
        self._both(
            f"{person} admitted as {role}",
            lambda: self.engine.admit(person, role),
            lambda: self.world.rosters.add((person, role)),
        )

    @rule(person=anybody, guide=guides, role=roles, guest=phones)
    def invites(self, person: str, guide: str, role: str, guest: str) -> None:
        host = guide if role == "GUIDE" else person
        self._both(
            f"{host} as {role} invites {guest}",
            lambda: self.engine.invite(host, role, guest),
            lambda: self.world.invite(host, role, guest),
        )
