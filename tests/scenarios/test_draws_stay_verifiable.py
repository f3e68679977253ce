"""Whatever an operator may do to a draw that runs, its honest receipts verify: budgets raised and
lowered, scans taken back, templates paused, codes put in, prizes that run out in every way."""

from pathlib import Path
from random import Random
from typing import Any

from loyalty.db import Database
from tests.clocks import SettableClock
from tests.graphql_schema.allied import template
from tests.graphql_schema.stage import outcome
from tests.scenarios.drawn import Fair, fair_on

CODES = {"nameZh": "码", "nameEn": "Code", "kind": "CODE", "usableUntil": "2026-12-06"}
CASH, STARTS, ENDS = "CASH", "2026-12-01T00:00:00+08:00", "2026-12-08T00:00:00+08:00"
LUCKY = {"code": "LUCKY", "kind": "BONUS_ODDS", "nameZh": "加成", "nameEn": "Luck", "percent": 20}
BASIC = {
    "code": "BASIC",
    "nameZh": "会员",
    "nameEn": "Basic",
    "threshold": 0,
    "privileges": [LUCKY],
}
PAUSES = (0, 0, 1, 60, 200, 400, 3_600, 7_200, 20_000)
"""Seconds between two of the things that happen."""


def prize(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "nameZh": code, "nameEn": code} | more


def draw(own: str, codes: str) -> dict[str, Any]:
    prizes: list[dict[str, Any]] = [
        prize("PACKET", asset=CASH, amount=100),
        prize("CAR", stock=5, quotaPerDay=2),
        prize("TEA", asset="POINTS", amount=7),
        prize("OWN", couponTemplateId=own),
        prize("CODE", couponTemplateId=codes),
    ]
    entries = [{"prize": each["code"], "weight": 1} for each in prizes]
    first: dict[str, Any] = {"oddsFromPpm": 800_000, "oddsToPpm": 500_000, "entries": entries}
    second: dict[str, Any] = {
        "startsAt": "2026-12-04T00:00:00+08:00",
        "oddsFromPpm": 700_000,
        "entries": entries,
    }
    counted = "counters.memberTotal >= 2 && counters.memberToday < 5"
    timed = "calendar.hour > 12 && calendar.date != '2026-12-03' && event.kind == 'SCAN'"
    return {
        "prizes": [*prizes, prize("THANKS", stock=40)],
        "stages": [
            first | {"budgets": [{"asset": CASH, "allowed": 900}]},
            second | {"curve": "EASE_IN", "budgets": [{"asset": "POINTS", "allowed": 70}]},
        ],
        "consolation": "THANKS",
        "guarantee": {"prize": "TEA", "drawNo": 4},
        "bonuses": [
            {"condition": f"{counted} && event.at > timestamp('{STARTS}')", "ppm": 100_000},
            {"condition": f"{timed} && calendar.weekday < 6", "ppm": 50_000},
        ],
    }


async def published(fair: Fair, allowed: int, drawn: dict[str, Any]) -> bool:
    """Unless more than that is spent already."""
    said: dict[str, Any] = {"code": "ramp", "nameZh": "抽奖", "nameEn": "Draw", "draw": drawn}
    said |= {"startsAt": STARTS, "endsAt": ENDS, "outcomes": [outcome("CONSUMER", 3, CASH)]}
    budgets = [{"asset": CASH, "allowed": allowed}]
    done = await fair.stage.admin.do("publishCampaign", **said, budgets=budgets)
    assert done["__typename"] != "Refused" or done["code"] == "BUDGET_BELOW_SPENT", done
    return bool(done["__typename"] != "Refused")


async def something_happens(fair: Fair, random: Random, templates: list[str], on: int) -> None:
    """What an operator does, now and then."""
    admin = fair.stage.admin
    match random.randrange(4):
        case 0:
            drawn = draw(*templates) | random.choice(({}, {"guarantee": None}, {"bonuses": []}))
            await published(fair, random.randrange(500, 3_000), drawn)
        case 1:
            status = random.choice(("ACTIVE", "PAUSED"))
            which = random.choice(templates)
            await admin.done("setCouponTemplateStatus", templateId=which, status=status)
        case 2:
            codes = [f"{on} a", f"{on} b"]
            await admin.done("addCouponCodes", templateId=templates[1], codes=codes)
        case _:
            scan = await fair.scan(random.choice(fair.people))
            await admin.do("reverseScan", scanId=scan["scanId"], reason="a returned bottle")


async def test_honest_draws_verify_whatever_an_operator_does(
    clocked_db: Database, clock: SettableClock, tmp_path: Path
) -> None:
    clock.set(clock.at.replace(month=11, day=30))
    random = Random(3)
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        made = await fair.stage.admin.done("createCouponTemplate", code="codes", **CODES)
        own = await template(fair.stage, "own", stockMax=6)
        templates = [own, str(made["template"]["id"])]
        assert await published(fair, 1_500, draw(*templates))
        await fair.stage.admin.done("publishLadder", levels=[BASIC])
        await fair.work()
        await fair.open(people=4, codes=60)
        fair.set_clock(STARTS)
        for number in range(60):
            if random.random() < 0.8:
                await fair.scan(random.choice(fair.people))
            else:
                await something_happens(fair, random, templates, number)
            clock.advance(seconds=random.choice(PAUSES))
        fair.set_clock("2026-12-09T02:00:00+08:00")
        await fair.work()
        report = await fair.verified()
        receipts = await fair.receipts()
        assert report.receipts == len(receipts) > 0
        raised = [each["oddsPpm"] - each["basePpm"] * 6 // 5 for each in receipts]
        assert {each["levelOddsPercent"] for each in receipts} == {20} and min(raised) >= -1
        assert (report.waiting, report.examples) == (0, [])
        seeds = {"ramp": await fair.seeds("ramp", "2026-12-01", "2026-12-08")}
        told = fair.check_as_a_member(receipts, await fair.rules(receipts), seeds)
        assert (told.returncode, told.stderr) == (0, "")
        assert await fair.offences() == []
