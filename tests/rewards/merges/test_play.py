"""Whatever two members did before they became one, nothing is lost by it, and they may go on."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loyalty.clock import local_date
from loyalty.db import Database
from loyalty.errors import Refusal
from loyalty.holds.service import hold_balance, release_hold
from loyalty.ledger.expiry import sweep_chunk
from rewards.coupons.models import Coupon, CouponStatus
from rewards.grants.models import LockedReward
from rewards.grants.unlocking import settle_due
from rewards.issues.service import expire_coupons, void_coupon
from tests.clocks import SettableClock
from tests.hurried import hurry
from tests.rewards.merges.families import GUIDE, Family, Holding, make_family
from tiers.standings.models import Standing
from tiers.standings.service import grant_tier

ONE, OTHER = "ann", "bea"
Act = tuple[str, str, int]


class Play:
    """One family and the acts of its two; what is refused changes nothing."""

    def __init__(self, family: Family, clock: SettableClock) -> None:
        self.family = family
        self.clock = clock
        self.serial = 0

    async def do(self, act: Act) -> None:
        name, person, number = act
        acts: dict[str, Callable[[str, int], Awaitable[Any]]] = {
            "buys": self.buys,
            "bought long ago": self.bought_long_ago,
            "scans": self.scans,
            "scans of a guide": self.scans_of_a_guide,
            "takes a coupon": self.takes_a_coupon,
            "loses a coupon": self.loses_a_coupon,
            "owes": self.owes,
            "holds for a while": self.holds_for_a_while,
            "is granted a level": self.is_granted_a_level,
            "waits": self.waits,
        }
        try:
            await acts[name](person, number)
        except Refusal:
            pass

    async def buys(self, person: str, number: int) -> None:
        await self.family.buy(person, number * 20)

    async def bought_long_ago(self, person: str, number: int) -> None:
        """Points that are good for a few days more, or for none."""
        await self.family.buy(person, number, days_ago=725 + number)

    async def scans(self, person: str, _: int) -> None:
        self.serial += 1
        await self.family.scan(person, self.serial, device=f"{person}'s phone")

    async def scans_of_a_guide(self, person: str, number: int) -> None:
        self.serial += 1
        guide = ("gus", ONE)[number % 2]
        await self.family.scan(guide, self.serial, GUIDE)
        if number % 3:
            await self.family.scan(person, self.serial)

    async def takes_a_coupon(self, person: str, _: int) -> None:
        await self.family.coupon(person)

    async def loses_a_coupon(self, person: str, _: int) -> None:
        member = await self.family.member(person)
        for coupon in await self.family.rows(Coupon, member_id=member.id, status="ISSUED"):
            await self.family.run(void_coupon, self.family.operator, coupon.id, "lost")
            return

    async def owes(self, person: str, number: int) -> None:
        await self.family.take_back(person, ("POINTS", "GROWTH")[number % 2])

    async def holds_for_a_while(self, person: str, number: int) -> None:
        member = await self.family.member(person)
        held = await self.family.run(
            hold_balance,
            self.family.operator,
            member_id=member.id,
            asset="POINTS",
            amount=number,
            ttl_seconds=60,
            reason="a cart",
        )
        await self.family.run(release_hold, self.family.operator, held.id)

    async def is_granted_a_level(self, person: str, number: int) -> None:
        member = await self.family.member(person)
        today = local_date(self.clock(), self.family.brand.timezone)
        await self.family.run(
            grant_tier,
            self.family.operator,
            member_id=member.id,
            rank=1 + number % 3,
            until=today + timedelta(days=number),
            reason="a friend",
        )

    async def waits(self, _: str, number: int) -> None:
        self.clock.advance(days=number // 3, hours=number)
        await self.family.run(settle_due, 100)
        await self.family.run(expire_coupons, 100)
        if number % 2:
            await self.family.run(sweep_chunk, self.family.brand.id, 1000)


ACTS = st.tuples(
    st.sampled_from(
        (
            *("buys", "bought long ago", "scans", "scans of a guide", "takes a coupon"),
            *("loses a coupon", "owes", "holds for a while", "is granted a level", "waits"),
        )
    ),
    st.sampled_from((ONE, OTHER)),
    st.integers(1, 12),
)


@settings(
    max_examples=8,
    derandomize=True,
    phases=(Phase.generate,),  # a failure is told at once: each play takes a second
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=st.lists(ACTS, min_size=3, max_size=20), after=st.lists(ACTS, max_size=10))
async def test_what_both_had_one_has(
    clocked_db: Database, clock: SettableClock, before: list[Act], after: list[Act]
) -> None:
    hurry(clocked_db)
    family = await make_family(clocked_db, f"b{len(_brands)}")
    _brands.append(family.brand.slug)
    play = Play(family, clock)
    for person in (ONE, OTHER):
        await family.buy(person, 1)
    for act in before:
        await play.do(act)
    had, kept = await _all_that_is_good(family)
    ranks = {row.member_id: row.rank for row in await family.rows(Standing)}
    await family.merge(ONE, OTHER)
    has, left = await _all_that_is_good(family)
    assert _total(has, {}) == _total(had, kept)
    assert not any(one.owed or one.locked or one.good for one in left.values())
    one, other = await family.own(ONE), await family.own(OTHER)
    now = {row.member_id: row.rank for row in await family.rows(Standing)}
    assert now.get(one.id, 0) == 0
    assert now.get(other.id, 0) >= max(ranks.get(one.id, 0), ranks.get(other.id, 0))
    await family.check()
    for act in after:
        await play.do(act)
    _, left = await _all_that_is_good(family)
    assert not any(one.owed or one.locked or one.good for one in left.values())
    assert not await family.rows(LockedReward, member_id=one.id, status="LOCKED")
    await family.check()


_brands: list[str] = []


async def _all_that_is_good(family: Family) -> tuple[dict[str, Holding], dict[str, Holding]]:
    """What the other has with its coupons, and what the one has."""
    found = []
    for person in (OTHER, ONE):
        member = await family.own(person)
        holdings = await family.holdings(member.id)
        by_status = Counter(c.status for c in await family.rows(Coupon, member_id=member.id))
        coupons = {f"coupons {s}": Holding(n, 0, 0, n) for s, n in by_status.items()}
        assert set(by_status) <= {status.value for status in CouponStatus}
        found.append(holdings | coupons)
    return found[0], found[1]


def _total(one: dict[str, Holding], other: dict[str, Holding]) -> dict[str, tuple[int, int]]:
    """Of each thing what is good less what is owed, and what is locked."""
    total: dict[str, tuple[int, int]] = {}
    for holdings in (one, other):
        for name, held in holdings.items():
            net, locked = total.get(name, (0, 0))
            total[name] = (net + held.good - held.owed, locked + held.locked)
    return total
