"""A music shop's real purchases of eighteen months, as they happened: at five dates every member's
level, balances and lots are what a short model says that imports nothing of ours.

Two kinds of promises are kept: one to the whole sample, the other, to be quick, to each fifth of
its members. What is compared is read from the rows: the API tells of today, whatever the test's
clock says.
"""

import csv
import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from loyalty.db import Database
from tests.clocks import SettableClock
from tests.graphql_schema.stage import Stage
from tests.hurried import hurry
from tests.model.purchases_by_hand import (
    Act,
    ByQuarter,
    ByWindow,
    Terms,
    months_later,
    quarter_end,
    states_at,
)
from tests.scenarios.company import company_on, differences

SAMPLE = Path(__file__).parents[1] / "data" / "cdnow_sample.csv.gz"
PURCHASES = 6_919
FOUNDED_ON = date(1996, 12, 31)
DATES = [
    date(1997, 4, 6),
    date(1997, 8, 1),
    date(1997, 11, 1),
    date(1998, 2, 28),
    date(1998, 6, 30),
]
"""Among them the day after a quarter's levels end, and the last good day of points."""
THREE_WEEKS = timedelta(days=21)
EVENINGS = sorted({*DATES, *(FOUNDED_ON + n * THREE_WEEKS for n in range(1, 27))})
"""When the shop does its books: the members need not notice."""
TILL_MEMBERS = 20
"""So many, spread over all, buy at the till."""
RETURNED = 30
"""About so many purchases are brought back of each kind (``returns_of``)."""
POINTS_DAYS_MAX = 155
"""So long points are good, by all terms."""
ABSENCE = timedelta(days=POINTS_DAYS_MAX + 30)
DIFFERENCES_SHOWN = 5

PERCENTS = (100, 125, 150, 200)
GIVEN = {"POINTS": 10, "GROWTH": 1}


@dataclass(frozen=True)
class Promise:
    """What the shop promises, as its operator says it and as the model is told; and how many of the
    sample's members it has: all, or each ``every``-th. ``moves_min``: so many of them rise, and so
    many fall, or the sample would prove little."""

    thresholds: tuple[int, ...]
    ladder: dict[str, Any]
    expiry: dict[str, dict[str, Any]]
    return_policy: str
    terms: Terms
    every: int
    moves_min: int


SPENT = (0, 5_000, 12_000, 30_000)
BY_QUARTERS = Promise(
    SPENT,
    {
        "metric": "SPEND",
        "period": {"kind": "CALENDAR", "unit": "QUARTER"},
        "ends": "NEXT_PERIOD_END",
        "grace": "P1M",
        "downgrade": "ONE_STEP",
    },
    {
        "POINTS": {"kind": "PERIOD_END", "unit": "QUARTER", "count": 2, "plusUnit": "MONTH"},
        "GROWTH": {"kind": "NEVER"},
    },
    "WITHIN_BALANCE",
    Terms(
        GIVEN,
        {"POINTS": lambda day: quarter_end(day, 2), "GROWTH": lambda _: date.max},
        may_owe=False,
        percents=PERCENTS,
        standing=lambda: ByQuarter(SPENT),
        counting=None,
    ),
    every=1,
    moves_min=900,
)

GROWN = (0, 40, 100, 250)
BY_WINDOWS = Promise(
    GROWN,
    {
        "metric": "EARNED",
        "metricAsset": "GROWTH",
        "period": {"kind": "ROLLING", "unit": "DAY", "count": 90},
        "ends": "BALANCE_DROP",
        "grace": "P2W",
        "downgrade": "TO_EARNED",
    },
    {
        "POINTS": {"kind": "AFTER", "unit": "MONTH", "count": 5},
        "GROWTH": {"kind": "AFTER", "unit": "YEAR", "count": 1},
    },
    "UNLIMITED",
    Terms(
        GIVEN,
        {"POINTS": lambda day: months_later(day, 5), "GROWTH": lambda day: months_later(day, 12)},
        may_owe=True,
        percents=PERCENTS,
        standing=lambda: ByWindow(GROWN),
        counting="GROWTH",
    ),
    every=5,
    moves_min=300,
)


def acts_of(every: int) -> list[Act]:
    """What the sample's members bought, and what we let them bring back, as it happened."""
    with gzip.open(SAMPLE, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PURCHASES
    chosen = set(sorted({row["member_ref"] for row in rows})[::every])
    bought = [
        Act(
            int(row["purchase_ref"]),
            row["member_ref"],
            date.fromisoformat(row["purchased_on"]),
            int(Decimal(row["amount"]) * 100),
        )
        for row in rows
        if row["member_ref"] in chosen
    ]
    return sorted([*bought, *returns_of(bought)], key=lambda act: (act.on, act.is_return, act.ref))


def returns_of(bought: Sequence[Act]) -> list[Act]:
    """Whole ones, early and late; halves, and every other time the rest later; and what was bought
    before a long absence, when its points are gone already."""
    returned = []

    def bring_back(act: Act, days: int, fen: int) -> None:
        on = next((day for day in EVENINGS if day >= act.on + timedelta(days=days)), None)
        if fen and on is not None:
            returned.append(Act(act.ref, act.member, on, fen, is_return=True))

    step = len(bought) // RETURNED
    for number, act in enumerate(bought):
        if number % step == 0:
            bring_back(act, number % 211, act.fen)
        if number % step == step // 2:
            bring_back(act, 5, act.fen // 2)
            if act.ref % 2:
                bring_back(act, 100, act.fen - act.fen // 2)
    known = {act.ref for act in returned}
    absences = [
        act
        for act, following in pairwise(bought)
        if act.member == following.member and following.on - act.on >= ABSENCE
    ]
    for act in absences[:: len(absences) // RETURNED]:
        if act.ref not in known:
            bring_back(act, POINTS_DAYS_MAX, act.fen)
    return returned


async def promise_it(stage: Stage, promise: Promise) -> None:
    """All of it through the API."""
    for code, expiry in promise.expiry.items():
        await stage.admin.done(
            "configureAsset", code=code, expiry=expiry, adjustmentLimit=None, status="ACTIVE"
        )
    outcomes = [
        {"beneficiary": "CONSUMER", "asset": asset, "amount": n, "basis": "PER_CURRENCY_UNIT"}
        for asset, n in GIVEN.items()
    ]
    await stage.admin.done(
        "publishCampaign",
        code="purchase-points",
        nameZh="消费积分",
        nameEn="Points for purchases",
        event="PURCHASE",
        outcomes=outcomes,
        returnPolicies=[{"beneficiary": "CONSUMER", "policy": promise.return_policy}],
    )
    levels = [
        {"code": f"L{n}", "nameZh": "级", "nameEn": "Level", "threshold": t}
        | {"pointsMultiplierPercent": PERCENTS[n]}
        for n, t in enumerate(promise.thresholds)
    ]
    await stage.admin.done("publishLadder", levels=levels, **promise.ladder)


def moves_in(states: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """How often members rose, and fell."""
    ranks = [[0, *(rank for _, rank in state["moves"])] for state in states]
    steps = [after - before for each in ranks for before, after in pairwise(each)]
    return sum(step > 0 for step in steps), sum(step < 0 for step in steps)


@pytest.mark.parametrize("promise", [BY_QUARTERS, BY_WINDOWS], ids=["quarters", "windows"])
async def test_every_member_has_what_a_short_model_says(
    clocked_db: Database, clock: SettableClock, tmp_path: Path, promise: Promise
) -> None:
    acts = acts_of(promise.every)
    wanted = states_at(DATES, promise.terms, acts)
    assert min(moves_in(wanted[DATES[-1]].values())) >= promise.moves_min
    members = sorted(wanted[DATES[-1]])
    till = members[:: len(members) // TILL_MEMBERS]
    async with company_on(hurry(clocked_db), clock, tmp_path, till, FOUNDED_ON) as company:
        await promise_it(company.stage, promise)
        for before, evening in pairwise([FOUNDED_ON, *EVENINGS]):
            await company.live(evening, [act for act in acts if before < act.on <= evening])
            if evening in DATES:
                told = differences(
                    await company.states(),
                    wanted[evening],
                    [act for act in acts if act.on <= evening],
                )
                shown = "\n".join(told[:DIFFERENCES_SHOWN])
                assert not told, f"on {evening} {len(told)} members differ\n{shown}"
        assert await company.offences() == []
