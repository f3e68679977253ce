"""Any partition of a sequence of scans into batches gives the rows of one scan at a time."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loyalty.actor import MemberRole
from loyalty.db import Database
from loyalty.errors import Refusal
from loyalty.ledger.models import Asset
from rewards.campaigns.models import CapSubject, CapWindow, Gate
from rewards.scans.service import ConfigurationCache, settle_scans
from rewards.scans.world import ScanReply
from tests.clocks import SettableClock
from tests.hurried import hurry
from tests.rewards.scans.boxed import pack
from tests.rewards.scans.canonical import Rows, read_rows
from tests.rewards.scans.cast import BATCHES
from tests.rewards.scans.happenings import EVERYTHING, behind_guides, ends_of, seen_in
from tests.rewards.scans.worlds import (
    CONSUMER,
    DEALER,
    GUIDE,
    SALESPERSON,
    SERIALS,
    STORE,
    BrandPlan,
    CampaignPlan,
    ScanPlan,
    World,
    make_world,
)

SCANS_MAX = 30
BOTTLES = "BOX_BOTTLES"
SIZES = [1, 2, 3, 5, 8, *range(10, SCANS_MAX + 1)]
EXAMPLES = {"sqlite": 100, "postgresql": 100}
DEVICES = [None, None, "red", "blue"]

amounts = st.integers(1, 7)
consumer_outcomes = st.fixed_dictionaries(
    {Asset.POINTS: amounts}, optional={Asset.GROWTH: amounts, Asset.CASH: amounts}
)
guide_outcomes = st.fixed_dictionaries(
    {Asset.POINTS: amounts}, optional={Asset.GROWTH: amounts, Asset.CHANCES: amounts}
)
capped = st.sampled_from(
    [(subject, window) for window in CapWindow for subject in CapSubject]
    + [(CapSubject.GUIDE, CapWindow.CAMPAIGN)]
)
stocks = st.sampled_from([None, 1, 2, 5])
lapses = st.sampled_from([{}, {"lapses_after": "PT1H"}, {"lapses_after": "P1D"}])
locks = st.one_of(
    st.builds(
        lambda count, lapsing: {"kind": "NEXT_SCAN", "count": count, **lapsing},
        st.integers(1, 3),
        lapses,
    ),
    st.just({"kind": "ACTION", "action": "follow"}),
    st.just({"kind": "AFTER", "after": "P7D"}),
    st.just({"kind": "ON", "on": "2026-11-12"}),
)
locked = st.lists(st.tuples(st.sampled_from([Asset.POINTS, Asset.GROWTH]), locks), max_size=3)
campaigns = st.builds(
    CampaignPlan,
    gate=st.sampled_from(Gate),
    outcomes=st.fixed_dictionaries({CONSUMER: consumer_outcomes, GUIDE: guide_outcomes})
    | st.fixed_dictionaries({CONSUMER: consumer_outcomes, GUIDE: st.just({})})
    | st.fixed_dictionaries(
        {CONSUMER: consumer_outcomes, GUIDE: guide_outcomes | st.just({})},
        optional=dict.fromkeys((STORE, DEALER, SALESPERSON), guide_outcomes),
    ),
    caps=st.just({}) | st.dictionaries(capped, st.integers(1, 2), min_size=1, max_size=2),
    budgets=st.just({})
    | st.dictionaries(st.sampled_from(Asset), st.integers(1, 25), min_size=1, max_size=3),
    opens_after_hours=st.sampled_from([0] * 7 + [5]),
    coupons=st.just(()) | st.lists(stocks, min_size=1, max_size=2).map(tuple),
    locked=st.just(())
    | locked.map(
        lambda given: tuple(
            (CONSUMER, asset, 2 + number, lock) for number, (asset, lock) in enumerate(given)
        )
    ),
).filter(lambda plan: plan.gate is Gate.NONE or bool(plan.outcomes[GUIDE]))
bonuses = st.builds(
    CampaignPlan,
    bonus=st.sampled_from([("best", Asset.POINTS), ("first", None)]),
    outcomes=st.fixed_dictionaries({CONSUMER: consumer_outcomes}, optional={GUIDE: guide_outcomes})
    | st.fixed_dictionaries({GUIDE: guide_outcomes})
    | st.just({}),
    percents=st.just({})
    | st.fixed_dictionaries({CONSUMER: st.just({Asset.CASH: 50}), GUIDE: st.just({})}),
    caps=st.just({}) | st.dictionaries(capped, st.integers(1, 2), min_size=1, max_size=2),
    budgets=st.just({})
    | st.dictionaries(st.sampled_from(Asset), st.integers(1, 25), min_size=1, max_size=2),
    condition=st.sampled_from([None, "tier.rank > 0", "counters.memberToday < 1"]),
    locked=st.just(()) | st.just(((CONSUMER, Asset.GROWTH, 9, {"kind": "NEXT_SCAN", "count": 1}),)),
).filter(lambda plan: not plan.percents or Asset.CASH not in plan.outcomes.get(CONSUMER, {}))
brands = st.builds(
    BrandPlan,
    bonuses=st.just(()) | st.lists(bonuses, min_size=1, max_size=3).map(tuple),
    campaigns=st.lists(campaigns, min_size=1, max_size=2).map(tuple),
    frozen=st.frozensets(
        st.sampled_from(
            ["bob CONSUMER", "gus GUIDE", "gil GUIDE", "gil CONSUMER", "sam SALESPERSON"]
        ),
        max_size=1,
    ),
    points_valid_months=st.sampled_from([None, 1, 24]),
    age_min=st.sampled_from([None, None, 18]),
)

consumers = ["ann", "ann", "ann", "bob", "bob", "cat", "cat", "dan", "gil", "gus", "new", "off"]
people_and_roles = st.sampled_from(
    [(name, CONSUMER) for name in consumers]
    + [("gus", GUIDE), ("gus", GUIDE), ("gil", GUIDE), ("new", GUIDE)] * 2
    + [("off", GUIDE), ("new", STORE), ("sid", STORE)]
)
inner, outer = st.sampled_from([1, 1, 3, 3, 9]), st.sampled_from([2, 2, 4, 4, 6])
anything = st.sampled_from([*range(len(BATCHES) + 1), 99])


@st.composite
def scan_plans(draw: st.DrawFn, earlier: Sequence[ScanPlan]) -> ScanPlan:
    """A new scan, an earlier one once more, or a new one under an earlier one's key."""
    if earlier and draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(earlier))
    person, role = draw(people_and_roles)
    usual = draw(st.integers(0, 7)) > 0
    batch = draw((outer if role is GUIDE else inner) if usual else anything)
    key = f"key {len(earlier)}"
    if earlier and draw(st.integers(0, 9)) == 0:
        key = draw(st.sampled_from(earlier)).key
    return ScanPlan(
        brand=int(draw(st.integers(0, 3)) == 0),
        person=person,
        role=role,
        batch=batch,
        serial=draw(st.integers(0, SERIALS - 1)) if draw(st.integers(0, 19)) else SERIALS,
        device=draw(st.sampled_from(DEVICES)),
        key=key,
        foreign=draw(st.integers(0, 19)) == 0,
    )


@st.composite
def sequences(draw: st.DrawFn) -> list[ScanPlan]:
    plans: list[ScanPlan] = []
    for _ in range(draw(st.sampled_from(SIZES))):
        plans.append(draw(scan_plans(plans)))
    return plans


@st.composite
def _partitions(draw: st.DrawFn) -> list[tuple[float, Sequence[ScanPlan]]]:
    scans = draw(sequences())
    cuts = draw(st.sets(st.integers(1, SCANS_MAX - 1), max_size=6))
    edges = [0, *sorted(cut for cut in cuts if cut < len(scans)), len(scans)]
    return [
        (draw(st.sampled_from([0, 0, 1, 20, 800])), scans[start:end])
        for start, end in pairwise(edges)
    ]


partitions = _partitions()


def _say(world: World, answer: ScanReply | Refusal) -> Any:
    if isinstance(answer, Refusal):
        return (answer.code, answer.details)
    return (answer.replayed, world.names.say(answer.reply))


async def _play(
    db: Database,
    clock: SettableClock,
    plans: Sequence[BrandPlan],
    parts: Sequence[tuple[float, Sequence[ScanPlan]]],
    *,
    one_by_one: bool,
) -> tuple[list[Any], dict[str, Rows]]:
    """What a fresh world answers to these parts, and its rows in the end. A part is (hours since
    the one before, its scans)."""
    world = await db.in_transaction(make_world, plans)
    if any(lock.get("kind") == BOTTLES for plan in plans for *_, lock in plan.campaigns[0].locked):
        await db.in_transaction(pack, world, 0, SERIALS - 1, SERIALS - 1)
    cache: ConfigurationCache = {}
    answers: list[Any] = []
    for hours, part in parts:
        clock.advance(hours=hours)
        requests = [world.request(plan) for plan in part]
        batches = [[request] for request in requests] if one_by_one else [requests]
        found = [
            a for batch in batches for a in await db.in_transaction(settle_scans, batch, cache)
        ]
        answers += found
    rows = await read_rows(db, world.brand_ids, world.names)
    return [_say(world, answer) for answer in answers], rows


def _differences(
    found: Sequence[Any],
    found_rows: Mapping[str, Rows],
    wanted: Sequence[Any],
    wanted_rows: Mapping[str, Rows],
) -> list[str]:
    """The first answer that differs, and the rows that only one of two worlds has."""
    answers = [
        f"scan {i} in a batch: {one}\n    alone: {other}"
        for i, (one, other) in enumerate(zip(found, wanted, strict=True))
        if one != other
    ]
    rows = []
    for table in wanted_rows:
        one, other = Counter(found_rows[table]), Counter(wanted_rows[table])
        rows += [f"{table}, in batches only: {dict(row)}" for row in (one - other).elements()]
        rows += [f"{table}, one by one only: {dict(row)}" for row in (other - one).elements()]
    return [*answers[:1], *rows]


def _brand(**campaign: Any) -> BrandPlan:
    outcomes = {CONSUMER: {Asset.POINTS: 1, Asset.GROWTH: 4}, GUIDE: {Asset.CHANCES: 2}}
    plan = CampaignPlan(**{"outcomes": outcomes, **campaign})
    return BrandPlan((plan,), frozenset({"bob CONSUMER", "gil GUIDE"}), points_valid_months=24)


def _script(*scans: tuple[str, MemberRole, int, int]) -> list[tuple[float, list[ScanPlan]]]:
    """One part with these (person, role, batch, serial) and no device."""
    return [
        (0, [ScanPlan(0, *scan, None, f"key {i}", foreign=False) for i, scan in enumerate(scans)])
    ]


ONE_CHANCE = _brand(gate=Gate.CONSUMER_SCAN, budgets={Asset.CHANCES: 1})
GUIDE_FINDS_NO_BUDGET = _script(("gus", GUIDE, 2, 0), ("ann", CONSUMER, 1, 0))
NEXT_AND_AFTER_NEXT = _brand(
    locked=(
        (CONSUMER, Asset.GROWTH, 2, {"kind": "NEXT_SCAN", "count": 1}),
        (CONSUMER, Asset.GROWTH, 3, {"kind": "NEXT_SCAN", "count": 2}),
        (CONSUMER, Asset.POINTS, 4, {"kind": "NEXT_SCAN", "count": 1, "lapses_after": "PT1H"}),
    )
)
FOUR_IN_A_BATCH = _script(*(("ann", CONSUMER, 1, serial) for serial in range(4)))
A_WEEK = {"kind": BOTTLES, "lapses_after": "P7D"}
TWO_THREE_OR_FOUR = _brand(
    locked=tuple(
        (CONSUMER, asset, 1 + count, A_WEEK | {"count": count})
        for asset, count in ((Asset.GROWTH, 2), (Asset.POINTS, 3), (Asset.CASH, 4))
    ),
    budgets={Asset.CASH: 11},
)
THREE_OPEN_A_BOX = _script(
    *(("ann", CONSUMER, 1, 0), ("cat", CONSUMER, 1, 1), ("cat", CONSUMER, 1, 1)),
    *(("ann", CONSUMER, 3, 2), ("dan", CONSUMER, 1, 2), ("ann", CONSUMER, 1, 4)),
)
ONE_POINT = _brand(gate=Gate.CONSUMER_SCAN, budgets={Asset.POINTS: 1})
TWO_WAIT_FOR_IT = _script(
    *(("gus", GUIDE, 2, serial) for serial in (0, 1)),
    *(("ann", CONSUMER, 1, serial) for serial in (0, 1)),  # paid: unlocked; BUDGET: void
)
TWO_EACH = _brand(
    caps={(CapSubject.MEMBER, CapWindow.DAY): 2, (CapSubject.GUIDE, CapWindow.CAMPAIGN): 1}
)
TWO_COUPONS = _brand(outcomes={CONSUMER: {}, GUIDE: {Asset.POINTS: 1}}, coupons=(None, 2))
KEYS_COME_AGAIN = [
    (
        0,
        [  # replayed; IDEMPOTENCY_CONFLICT; CODE_UNKNOWN
            ScanPlan(0, "ann", CONSUMER, 1, serial, None, key, foreign=False)
            for serial, key in ((0, "key 0"), (0, "key 0"), (1, "key 0"), (SERIALS, "key 1"))
        ],
    )
]
THREE_WANT_TWO = _script(*(("ann", CONSUMER, 1, serial) for serial in range(3)))  # paid; BUDGET
TWO_BONUSES = replace(
    _brand(),
    frozen=frozenset({"gus GUIDE"}),
    bonuses=(
        CampaignPlan(
            bonus=("first", None),
            outcomes={CONSUMER: {Asset.GROWTH: 3}},
            caps={(CapSubject.MEMBER, CapWindow.DAY): 2},
        ),
        CampaignPlan(
            bonus=("best", Asset.CASH),
            outcomes={CONSUMER: {Asset.CASH: 2}},
            budgets={Asset.CASH: 3},
        ),
    ),
)
EVERYBODY = replace(
    _brand(
        outcomes={role: {Asset.POINTS: 1} for role in (CONSUMER, GUIDE, STORE, SALESPERSON)}
        | {DEALER: {Asset.CASH: 2}},
        caps={(CapSubject.STORE, CapWindow.CAMPAIGN): 1},
        budgets={Asset.CASH: 7},
        locked=((STORE, Asset.GROWTH, 5, {"kind": "AFTER", "after": "P7D"}),),
    ),
    frozen=frozenset({"sam SALESPERSON"}),
)
BEHIND_THE_GUIDES = _script(
    *(("gus", GUIDE, 2, serial) for serial in range(3)),
    *(("gil", GUIDE, 2, 3), ("new", GUIDE, 2, 4)),
    ("cat", CONSUMER, 1, 0),  # its dealer is the consumer
    ("ann", CONSUMER, 1, 1),  # the store is over its cap
    ("ann", CONSUMER, 1, 3),  # its store has not enrolled, it has no dealer
    ("new", STORE, 10, 0),
    ("dan", CONSUMER, 9, 4),  # no guide
    ("ann", CONSUMER, 1, 4),  # its guide has no place
    ("bob", CONSUMER, 1, 2),
    *(("ann", CONSUMER, 9, serial) for serial in range(4)),  # the budget does not suffice
)
ONE_OF_EACH = _script(
    *(("ann", CONSUMER, 1, serial) for serial in range(3)),  # paid; GUIDE_CAP; CAP
    *(("ann", CONSUMER, batch, 0) for batch in (1, 5, 7)),  # REPEAT; RETIRED; INACTIVE
    *(("bob", CONSUMER, 1, 3), ("off", GUIDE, 2, 3)),  # FROZEN; ROSTER
    ("cat", CONSUMER, 1, 3),  # GUIDE_FROZEN
    *(("gus", GUIDE, 2, 4), ("gus", CONSUMER, 1, 4)),  # AWAITS_CONSUMER; SELF_DEALING
)

OF_AGE = replace(_brand(), age_min=18)
TWO_DRINK = _script(*((name, CONSUMER, 3, 0) for name in ("cat", "ann", "cat")))  # AGE; paid


def test_any_partition_gives_the_same_rows(database_url: str) -> None:
    seen: Counter[str] = Counter()
    clock = SettableClock()
    begins_at = clock()
    db = hurry(Database(database_url, clock=clock))

    async def play_both(
        plans: Sequence[BrandPlan], parts: Sequence[tuple[float, Sequence[ScanPlan]]]
    ) -> None:
        clock.set(begins_at)
        wanted, wanted_rows = await _play(db, clock, plans, parts, one_by_one=True)
        clock.set(begins_at)
        found, found_rows = await _play(db, clock, plans, parts, one_by_one=False)
        assert _differences(found, found_rows, wanted, wanted_rows) == []
        seen.update(seen_in(wanted))
        seen.update(ends_of(wanted_rows["locked_rewards"]))
        seen.update(behind_guides(wanted_rows["claims"]))

    with asyncio.Runner() as runner:

        @settings(
            parent=settings.get_profile("house"),
            max_examples=EXAMPLES[db.dialect],
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @example(plans=(ONE_CHANCE, ONE_CHANCE), parts=GUIDE_FINDS_NO_BUDGET)
        @example(plans=(TWO_EACH, TWO_EACH), parts=ONE_OF_EACH)
        @example(plans=(ONE_POINT, ONE_POINT), parts=TWO_WAIT_FOR_IT)
        @example(plans=(NEXT_AND_AFTER_NEXT, NEXT_AND_AFTER_NEXT), parts=FOUR_IN_A_BATCH)
        @example(plans=(TWO_THREE_OR_FOUR, TWO_THREE_OR_FOUR), parts=THREE_OPEN_A_BOX)
        @example(plans=(OF_AGE, OF_AGE), parts=TWO_DRINK)
        @example(plans=(TWO_COUPONS, TWO_COUPONS), parts=THREE_WANT_TWO)
        @example(plans=(TWO_COUPONS, TWO_COUPONS), parts=KEYS_COME_AGAIN)
        @example(plans=(EVERYBODY, EVERYBODY), parts=BEHIND_THE_GUIDES)
        @example(plans=(TWO_BONUSES, TWO_BONUSES), parts=FOUR_IN_A_BATCH)  # paid; CAP, BUDGET
        @given(plans=st.tuples(brands, brands), parts=partitions)
        def check(
            plans: Sequence[BrandPlan], parts: Sequence[tuple[float, Sequence[ScanPlan]]]
        ) -> None:
            runner.run(play_both(plans, parts))

        try:
            check()
        finally:
            runner.run(db.close())
    assert {name for name in EVERYTHING if not seen[name]} == set()
