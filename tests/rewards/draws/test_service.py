"""Draws as their callers meet them: told again, taken back, refused while they are written, and not
run without a seed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.ids import new_id
from rewards.draws.rules import hash_of
from rewards.draws.service import days_of
from tests.clocks import SettableClock
from tests.scenarios.drawn import Fair, fair_on

POINTS = {"code": "POINTS", "nameZh": "积分", "nameEn": "Points", "asset": "POINTS", "amount": 60}
THANKS = {"code": "THANKS", "nameZh": "谢谢", "nameEn": "Thanks"}


def draw_of(*prizes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Every scan wins, each of the prizes as likely as another."""
    entries = [{"prize": prize["code"], "weight": 1} for prize in prizes]
    stage = {"oddsFromPpm": 1_000_000, "entries": entries}
    return {"prizes": [*prizes, THANKS], "stages": [stage], "consolation": "THANKS"} | more


@pytest_asyncio.fixture
async def fair(clocked_db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[Fair]:
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        await fair.open(people=2, codes=12)
        yield fair


def paid(amount: int) -> dict[str, Any]:
    return {"beneficiary": "CONSUMER", "asset": "POINTS", "amount": amount}


async def test_a_retry_returns_the_stored_draw_and_another_nonce_is_another_scan(
    fair: Fair,
) -> None:
    await fair.stage.publish([paid(5)], draw=draw_of(POINTS))
    ann, _ = fair.people
    code = fair.codes[-1]
    first = await fair.scan(ann, idempotencyKey="k", nonce="mine")
    assert first["rewards"] == [{"asset": "POINTS", "amount": n} for n in (5, 60)]
    assert first["draw"]["won"] and first["draw"]["prize"] == {"code": "POINTS", "name": "Points"}
    again = await ann.do("scanCode", code=code, idempotencyKey="k", nonce="mine")
    assert again["replayed"]
    assert (await fair.scan(ann, code=code, idempotencyKey="k", nonce="mine")) == first | {
        "replayed": True
    }
    other = await ann.do("scanCode", code=code, idempotencyKey="k", nonce="another")
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    [receipt] = await fair.receipts_of(ann)
    assert receipt["id"] == first["draw"]["id"]
    assert receipt["message"].endswith("|mine")
    assert receipt["seedHash"] == first["draw"]["seedHash"]
    assert await ann.balances() == {"POINTS": (65, 0)}


async def test_taking_a_scan_back_takes_back_what_its_draw_gave_and_leaves_the_receipt(
    fair: Fair,
) -> None:
    template = await fair.stage.admin.done(
        "createCouponTemplate",
        code="tea",
        nameZh="茶",
        nameEn="Tea",
        kind="AMOUNT_OFF",
        amountOffFen=100,
        usableDays=30,
        stockMax=1,
    )
    tea = {
        "code": "TEA",
        "nameZh": "茶券",
        "nameEn": "Tea",
        "couponTemplateId": template["template"]["id"],
    }
    ann, _ = fair.people
    await fair.stage.publish(
        [paid(5)], draw=draw_of(POINTS), budgets=[{"asset": "POINTS", "allowed": 65}]
    )
    first = await fair.scan(ann)
    await fair.stage.publish([], code="coupons", priority=9, draw=draw_of(tea))
    second = await fair.scan(ann)
    assert [each["templateCode"] for each in second["coupons"]] == ["tea"]
    third = await fair.scan(ann)
    assert (third["coupons"], third["draw"]["prize"]["code"]) == ([], "THANKS")
    assert await ann.balances() == {"POINTS": (65, 0)}
    for scan in (first, second):
        await fair.stage.admin.done("reverseScan", scanId=scan["scanId"], reason="fraud")
    assert await ann.balances() == {"POINTS": (0, 0)}
    assert [coupon["status"] for coupon in await ann.wallet()] == ["VOID"]
    receipts = await fair.receipts_of(ann)
    assert [each["prize"]["code"] for each in receipts] == ["THANKS", "TEA", "POINTS"]
    [why] = receipts[0]["exhausted"]
    assert (why["limit"], why["subject"], why["left"]) == ("COUPON", "tea", 0)
    assert await fair.offences() == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "odds over 100 %": (
        {"draw": draw_of(POINTS, bonuses=[{"condition": "tier.rank >= 1", "ppm": 1}])},
        "draw.stages[0].oddsFromPpm",
    ),
    "an unknown prize": ({"draw": draw_of(POINTS, consolation="CAR")}, "draw.consolation"),
    "an unknown fact": (
        {"draw": draw_of(POINTS, bonuses=[{"condition": "moon.isFull", "ppm": 1}])},
        "draw.bonuses[0].condition",
    ),
    "no such asset": ({"draw": draw_of(POINTS | {"asset": "GOLD"})}, "draw.prizes[0].asset"),
    "a coupon and an amount": (
        {"draw": draw_of(POINTS | {"couponTemplateId": "x"})},
        "draw.prizes[0].couponTemplateId",
    ),
    "an amount of nothing": ({"draw": draw_of(POINTS | {"asset": None})}, "draw.prizes[0].asset"),
    "cash over the ceiling": (
        {"draw": draw_of(POINTS | {"asset": "CASH", "amount": 5_000_001})},
        "draw.prizes[0].amount",
    ),
    "a bonus after the campaign": (
        {
            "draw": draw_of(POINTS)
            | {"bonuses": [{"condition": "calendar.year == 2031", "ppm": 5}]},
            "endsAt": "2030-06-30T00:00:00Z",
        },
        "draw.bonuses[0].condition",
    ),
    "a bonus for guides where consumers draw": (
        {
            "draw": draw_of(POINTS)
            | {"bonuses": [{"condition": "member.role == 'GUIDE'", "ppm": 5}]}
        },
        "draw.bonuses[0].condition",
    ),
    "a budget of what nothing gives": (
        {"draw": draw_of(POINTS), "budgets": [{"asset": "CHANCES", "allowed": 5}]},
        "budgets.CHANCES",
    ),
    "guides drawing of purchases": (
        {"draw": draw_of(POINTS) | {"roles": ["CONSUMER", "GUIDE"]}, "event": "PURCHASE"},
        "draw.roles[1]",
    ),
    "nobody draws": ({"draw": draw_of(POINTS) | {"roles": []}}, "draw.roles"),
    "who draws twice": (
        {"draw": draw_of(POINTS) | {"roles": ["STORE", "STORE"]}},
        "draw.roles[1]",
    ),
    "prizes that wait for a gate": (
        {"draw": draw_of(POINTS) | {"lock": {"kind": "ITEM"}}},
        "draw.lock.kind",
    ),
    "a guide's prize that waits for scans": (
        {"draw": draw_of(POINTS) | {"roles": ["GUIDE"], "lock": {"kind": "NEXT_SCAN"}}},
        "draw.lock.kind",
    ),
    "a purchase's prize that waits for a box": (
        {
            "draw": draw_of(POINTS) | {"lock": {"kind": "BOX_BOTTLES", "lapsesAfter": "P1D"}},
            "event": "PURCHASE",
        },
        "draw.lock.kind",
    ),
    "prizes that waited until a day that is over": (
        {"draw": draw_of(POINTS) | {"lock": {"kind": "ON", "on": "2020-01-01"}}},
        "draw.lock.on",
    ),
}


@pytest.mark.parametrize("is_draft", [False, True], ids=["published", "drafted"])
async def test_bad_draws_are_refused_with_the_fields_path(fair: Fair, is_draft: bool) -> None:
    for name, (given, path) in BAD.items():
        input = {"code": "bad", "nameZh": "坏", "nameEn": "Bad", "outcomes": [paid(5)], **given}
        verb = "saveCampaignDraft" if is_draft else "publishCampaign"
        refused = await fair.stage.admin.do(verb, **input)
        assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", path), name


async def test_a_campaign_without_the_days_seed_does_not_run(
    fair: Fair, capsys: pytest.CaptureFixture[str]
) -> None:
    await fair.stage.publish([paid(5)], draw=draw_of(POINTS), priority=9, condition="!member.isNew")
    await fair.stage.publish([paid(1)], code="else")
    ann, bob = fair.people
    assert (await fair.scan(ann))["rewards"] == [{"asset": "POINTS", "amount": 1}]
    fair.clock.advance(minutes=1)
    assert (await fair.scan(ann))["draw"] is not None
    fair.clock.advance(days=3)
    assert (await fair.scan(ann))["rewards"] == [{"asset": "POINTS", "amount": 1}]
    assert "draw_without_seed" in capsys.readouterr().out
    await fair.work()
    assert (await fair.scan(ann))["draw"] is not None
    assert (await fair.scan(bob))["draw"] is None, "its condition does not hold"
    fair.clock.advance(days=1)
    await fair.work()
    fair.clock.advance(days=-1)
    assert (await fair.scan(ann))["draw"] is None, "the clock went back: that seed is known by now"
    assert await fair.offences() == []


async def test_a_seed_is_sealed_until_its_day_is_over_and_never_made_twice(
    clocked_db: Database, clock: SettableClock, fair: Fair, keyring: Keyring
) -> None:
    await fair.stage.publish([paid(5)], draw=draw_of(POINTS))
    async with clocked_db.engine.begin() as connection:
        rows = (
            await connection.execute(text("SELECT sealed, seed_hash, seed FROM draw_seeds"))
        ).all()
        [campaign_id] = {
            row[0] for row in await connection.execute(text("SELECT campaign_id FROM draw_seeds"))
        }
    assert len(rows) == 3 and {row.seed for row in rows} == {None}
    for row in rows:
        seed = keyring.open_seed(fair.stage.brand_id, row.sealed)
        assert hash_of(seed) == row.seed_hash
        assert seed.hex() not in row.sealed
    await fair.work()
    await fair.work()
    seeds = await fair.seeds("scan", "2026-11-01", "2026-12-31")
    assert len(seeds) == 35 and len({seed["seedHash"] for seed in seeds}) == 35
    assert {row.seed_hash for row in rows} <= {seed["seedHash"] for seed in seeds}
    assert campaign_id is not None
    stranger = await fair.people[0].send(
        '{ drawSeeds(campaignCode: "scan", from: "2026-01-01", to: "2027-01-01") { on } }'
    )
    assert stranger.codes == ["INVALID"]


async def test_days_of_a_window_are_those_of_the_brands_calendar(clock: SettableClock) -> None:
    begin, now = clock.at.replace(hour=15), clock.at.replace(hour=17)  # 23:00 and 1:00 there
    ids = (new_id(), new_id(), "Asia/Shanghai")
    assert [str(day[2]) for day in days_of(*ids, (begin, None), now, 2)] == [
        "2026-11-10",
        "2026-11-11",
    ]
    assert [str(day[2]) for day in days_of(*ids, (None, now), begin, 9)] == [
        "2026-11-09",
        "2026-11-10",
    ]
    assert days_of(*ids, (None, begin), now, 9) == []
    later = clock.at.replace(month=12)
    assert [str(day[2]) for day in days_of(*ids, (later, None), now, 3)] == ["2026-12-09"]
