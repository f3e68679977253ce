"""Scene 9, the four-stage ramp: in one region first, then everywhere every scan wins; odds and
amounts fall by schedule, and at the end own and a partner's coupons replace cash. Nothing is given
beyond stock, quota and budget. And whoever does not believe it computes it again.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import text

from loyalty.actor import Scope
from loyalty.db import Database, Tx
from tests.api import Host
from tests.clocks import SettableClock
from tests.graphql_schema.allied import agreed, ally, template
from tests.scenarios.drawn import Fair, fair_on

CAMPAIGN: dict[str, Any] = {
    "code": "ramp",
    "nameZh": "四阶段",
    "nameEn": "Four stages",
    "outcomes": [],
    "startsAt": "2026-12-01T00:00:00+08:00",
    "endsAt": "2026-12-21T00:00:00+08:00",
}
DRAW: dict[str, Any] = {
    "prizes": [
        {"code": "PACKET", "nameZh": "红包", "nameEn": "Packet", "asset": "CASH", "amount": 100},
        {"code": "CAR", "nameZh": "汽车", "nameEn": "Car", "stock": 3, "quotaPerDay": 2},
        {"code": "TEA", "nameZh": "茶", "nameEn": "Tea", "asset": "POINTS", "amount": 7},
        {"code": "THANKS", "nameZh": "谢谢", "nameEn": "Thanks"},
    ],
    "stages": [
        {
            "oddsFromPpm": 1_000_000,
            "takesBonuses": False,
            "entries": [{"prize": "PACKET", "weight": 1, "amountFrom": 2000, "amountTo": 1000}],
        },
        {
            "startsAt": "2026-12-11T00:00:00+08:00",
            "oddsFromPpm": 700_000,
            "oddsToPpm": 100_000,
            "curve": "EASE_IN",
            "budgets": [{"asset": "POINTS", "allowed": 35}],
            "entries": [
                {"prize": "PACKET", "weight": 1},
                {"prize": "CAR", "weight": 4},
                {"prize": "TEA", "weight": 5},
            ],
        },
        {
            "startsAt": "2026-12-13T00:00:00+08:00",
            "oddsFromPpm": 500_000,
            "oddsToPpm": 0,
            "curve": "EASE_OUT",
            "takesBonuses": False,
            "budgets": [{"asset": "CASH", "allowed": 250}],
            "budgetCurve": "LINEAR",
            "entries": [{"prize": "PACKET", "weight": 1, "amountFrom": 80, "amountTo": 30}],
        },
        {
            "startsAt": "2026-12-17T00:00:00+08:00",
            "oddsFromPpm": 1_000_000,
            "takesBonuses": False,
            "entries": [{"prize": "OWN", "weight": 1}, {"prize": "PARTNER", "weight": 1}],
        },
    ],
    "consolation": "THANKS",
    "bonuses": [{"condition": "counters.memberTotal >= 2", "ppm": 100_000}],
    "guarantee": {"prize": "TEA", "drawNo": 4},
}
BUDGET = 5_000
OWN_COUPONS, PARTNER_COUPONS = 3, 2
SHANGHAI, BEIJING = ({"latitude": at, "longitude": 121.4} for at in (31.2, 39.9))
CITY = [{"latitude": 31.2 + y, "longitude": 121.4 + x} for y, x in ((-1, -1), (1, 0), (-1, 1))]
BUDGETS = "{ campaigns { nodes { code version budgets { asset allowed spent reserved } } } }"


async def coupons(fair: Fair) -> list[dict[str, Any]]:
    """Prizes: an own coupon, and one of which a partner has put some into a pool."""
    stage = fair.stage
    own = await template(stage, "own", stockMax=OWN_COUPONS)
    agreement_id = await agreed(stage, pooled=True)
    made = await (await ally(stage)).admin.done(
        "createPartnerKey", name="ERP", scopes=[scope.name for scope in Scope]
    )
    key = stage.api.signed_in(made["key"])
    [pool] = (await key.ask("{ couponPools { templateId } }"))["couponPools"]
    wanted = {"agreementId": agreement_id, "templateId": pool["templateId"]}
    await key.done("fillCouponPool", **wanted, count=PARTNER_COUPONS)
    return [
        {"code": code, "nameZh": "券", "nameEn": "Coupon", "couponTemplateId": id}
        for code, id in (("OWN", own), ("PARTNER", pool["templateId"]))
    ]


async def publish(fair: Fair, prizes: list[dict[str, Any]], **more: Any) -> None:
    draw = DRAW | {"prizes": [*DRAW["prizes"], *prizes]}
    budgets = [{"asset": "CASH", "allowed": BUDGET}]
    await fair.stage.publish(**CAMPAIGN, draw=draw, budgets=budgets, **more)


@pytest_asyncio.fixture
async def fair(clocked_db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[Fair]:
    clock.set(clock.at.replace(month=11, day=30))
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        city = {"code": "shanghai", "nameZh": "上海", "nameEn": "Shanghai", "areas": [CITY]}
        await fair.stage.admin.done("putRegion", **city)
        prizes = await coupons(fair)
        await publish(fair, prizes, regions=["shanghai"])
        await fair.work()
        await fair.open(people=4, codes=131)

        # A pilot in one city first; then everywhere, with the same budget.
        fair.set_clock("2026-12-01T00:00:00+08:00")
        away = await fair.scan(fair.people[0], position=BEIJING)
        assert (away["unpaidReason"], away["draw"]) == ("NO_CAMPAIGN", None)
        pilot = await fair.scan(fair.people[0], position=SHANGHAI)
        assert pilot["draw"]["prize"]["code"] == "PACKET"
        await publish(fair, prizes)
        yield fair


async def test_draws_are_given_as_said_and_anybody_computes_them_again(fair: Fair) -> None:
    hashes = await fair.seeds("ramp", "2026-12-01", "2026-12-31")
    assert len(hashes) == 20, "of every day there will be"
    assert {seed["seed"] for seed in hashes} == {None}

    # Everybody wins, as long as there is money; then the consolation.
    first = await fair.scans(3)
    cash = {"asset": "CASH", "amount": 2000}
    assert [each["rewards"] for each in first] == [[cash], [], []]
    assert [each["draw"]["prize"]["code"] for each in first] == ["PACKET", "THANKS", "THANKS"]
    assert [each["draw"]["won"] for each in first] == [True, False, False]
    fair.set_clock("2026-12-06T00:00:00+08:00")
    assert [each["draw"]["won"] for each in await fair.scans(2)] == 2 * [False]

    fair.set_clock("2026-12-11T12:00:00+08:00")
    second = await fair.scans(60)
    by_prize = Counter((each["draw"]["prize"] or {}).get("code") for each in second)
    assert by_prize["CAR"] == 2, "the quota of the day"
    assert {None, "CAR", "TEA", "PACKET", "THANKS"} >= by_prize.keys() >= {None, "CAR", "TEA"}
    fair.set_clock("2026-12-12T09:00:00+08:00")
    by_prize = Counter((e["draw"]["prize"] or {}).get("code") for e in await fair.scans(14))
    assert by_prize["CAR"] <= 1, "the stock"

    receipts = await fair.receipts()
    assert len(receipts) == 80
    limits = Counter(each["limit"] for receipt in receipts for each in receipt["exhausted"])
    assert limits.keys() >= {"BUDGET", "QUOTA", "STAGE_BUDGET"}
    cups = [receipt for receipt in receipts if (receipt["prize"] or {}).get("code") == "TEA"]
    assert len(cups) == 5, "the stage's budget"
    assert {fact["name"] for receipt in receipts for fact in receipt["facts"]} == {
        "counters.memberTotal"
    }
    assert any(bonus["held"] for receipt in receipts for bonus in receipt["bonuses"])
    rules = await fair.rules(receipts)
    assert [rule["version"] for rule in rules] == [1, 2]
    seeds = {"ramp": await fair.seeds("ramp", "2026-12-01", "2026-12-31")}
    told = fair.check_as_a_member(receipts, rules, seeds)
    assert told.returncode == 0, "nothing is revealed yet"
    assert (await fair.verified()).waiting == 80

    fair.set_clock("2026-12-13T00:59:59+08:00")
    await fair.work()
    assert sum(1 for s in await fair.seeds("ramp", "2026-12-01", "2026-12-31") if s["seed"]) == 11
    fair.set_clock("2026-12-13T02:00:00+08:00")
    await fair.work()
    revealed = await fair.seeds("ramp", "2026-12-01", "2026-12-31")
    assert [seed["seedHash"] for seed in revealed] == [seed["seedHash"] for seed in hashes]
    assert [bool(seed["seed"]) for seed in revealed] == 12 * [True] + 8 * [False]
    report = await fair.verified()
    assert (report.receipts, report.waiting, report.broken) == (80, 0, 0), report.examples
    assert (await fair.verified(campaign_code="ramp")).days == 12
    await the_ramp_ends_with_coupons(fair)


async def the_ramp_ends_with_coupons(fair: Fair) -> None:
    """The third stage gives less and seldom, within a budget of its own; the last one coupons."""
    fair.set_clock("2026-12-14T10:00:00+08:00")
    third = await fair.scans(20)
    assert {(e["draw"]["prize"] or {}).get("code") for e in third} <= {None, "PACKET", "THANKS"}
    given = [reward["amount"] for each in third for reward in each["rewards"]]
    by_now = 250 * 34 // 96
    assert sum(given) <= by_now and set(given) <= {50}, "as far as its budget is; amounts fall"
    fair.set_clock("2026-12-17T10:00:00+08:00")
    last = await fair.scans(30)
    assert not any(each["rewards"] for each in last), "no cash any more"

    fair.set_clock("2026-12-18T02:00:00+08:00")
    await fair.work()
    receipts = await fair.receipts()
    assert len(receipts) == 130
    drawn = [receipt for receipt in receipts if receipt["stage"] == 3]
    pointed = Counter(receipt["pointedPrize"] for receipt in drawn)
    won = Counter(receipt["prize"]["code"] for receipt in drawn)
    there_were = {"OWN": OWN_COUPONS, "PARTNER": PARTNER_COUPONS}
    assert all(won[code] == min(there_were[code], pointed[code]) for code in there_were)
    assert won.keys() == {"OWN", "PARTNER", "THANKS"}
    assert sum(len(each["coupons"]) for each in last) == won["OWN"] + won["PARTNER"]
    [budget] = (await fair.stage.admin.ask(BUDGETS))["campaigns"]["nodes"][0]["budgets"]
    paid = sum(receipt["amount"] for receipt in receipts if receipt["asset"] == "CASH")
    assert budget == {"asset": "CASH", "allowed": BUDGET, "spent": paid, "reserved": 0}
    assert paid <= BUDGET
    seeds = {"ramp": await fair.seeds("ramp", "2026-12-01", "2026-12-31")}
    told = fair.check_as_a_member(receipts, await fair.rules(receipts), seeds)
    assert (told.returncode, told.stderr) == (0, "")
    report = await fair.verified()
    assert (report.receipts, report.waiting, report.broken) == (130, 0, 0), report.examples
    assert await fair.offences() == []


CHEATS = {
    "another prize": "UPDATE draws SET given_prize = 'CAR' WHERE given_prize = 'TEA'",
    "another seed": "UPDATE draw_seeds SET seed = '" + 32 * "ab" + "' WHERE seed IS NOT NULL",
    "a piece given twice": "UPDATE draws SET ordinal = 1, day_ordinal = 1"
    " WHERE given_prize = 'TEA'",
    "a draw after the reveal": "UPDATE draw_seeds SET revealed_at = made_at WHERE seed IS NOT NULL",
    "better odds": "UPDATE draws SET odds_ppm = 999999, base_ppm = 999999 WHERE stage = 1",
    "another u": "UPDATE draws SET u = '0000000000000000' WHERE stage = 1",
    "an older version": "UPDATE draws SET campaign_version_id = (SELECT id FROM campaign_versions"
    " WHERE version = 1 AND draw IS NOT NULL) WHERE stage = 1",
    "nothing, and no reason": "UPDATE draws SET given_prize = NULL, ordinal = NULL,"
    " day_ordinal = NULL, asset = NULL, amount = NULL WHERE given_prize = 'TEA'",
}


NO_PACKET: dict[str, Any] = {
    "given_prize": "THANKS",
    "ordinal": 900,
    "day_ordinal": 900,
    "asset": None,
    "amount": None,
}
"""Of a receipt of a packet that was withheld."""


def gone(prize: str, limit: str, subject: str, allowed: int) -> dict[str, Any]:
    claim = {"prize": prize, "limit": limit, "subject": subject, "left": 0, "allowed": allowed}
    return {"exhausted": [claim]}


def counter(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The inputs of a receipt, told otherwise."""
    return {"inputs": row["inputs"] | more}


Row = dict[str, Any]
FORGED: dict[str, tuple[Callable[[Row], bool], Callable[[Row], Row], str]] = {
    "a level that no ladder has": (
        lambda row: row["stage"] == 0,
        lambda row: counter(row, level_percent=50),
        "no level adds 50 percent to its odds",
    ),
    "the budget was gone": (
        lambda row: row["stage"] == 0,
        lambda _: NO_PACKET | gone("PACKET", "BUDGET", "CASH", 2000),
        "PACKET had not run out of BUDGET",
    ),
    "the stage's budget was gone, of which there is none": (
        lambda row: row["stage"] == 0,
        lambda _: NO_PACKET | gone("PACKET", "STAGE_BUDGET", "CASH", 2000),
        "PACKET had not run out of STAGE_BUDGET",
    ),
    "the stage was ahead of its pace, of which it has none": (
        lambda row: row["stage"] == 0,
        lambda _: NO_PACKET | gone("PACKET", "PACE", "CASH", 2000),
        "PACKET had not run out of PACE",
    ),
    "the stock was gone": (
        lambda row: [each["limit"] for each in row["exhausted"]] == ["QUOTA"],
        lambda _: gone("CAR", "STOCK", "CAR", 3),
        "CAR had not run out of STOCK",
    ),
    "a false counter": (
        lambda row: row["inputs"].get("held") == [0],
        lambda row: counter(row, facts={"counters.memberTotal": 70}),
        "counters.memberTotal was ",
    ),
    "another's counter": (
        lambda row: row["stage"] == 1,
        lambda row: counter(row, counters={"counters.memberTotal": ["MEMBER", "ab", "ALL"]}),
        "the counters are {'counters.memberTotal': ['MEMBER', ",
    ),
    "other bonuses": (
        lambda row: row["inputs"].get("held") == [0],
        lambda row: counter(row, held=[]),
        "the bonuses [0] hold",
    ),
    "a draw that is not yet": (
        lambda row: row["member_draw_no"] == 3,
        lambda _: {"member_draw_no": 99},
        "memberDrawNo is ",
    ),
    "a draw counted twice": (
        lambda row: row["member_draw_no"] == 3,
        lambda _: {"member_draw_no": 2},
        "the memberDrawNo of ",
    ),
}


async def test_cheats_are_caught_by_the_verifier_and_by_the_lines_of_the_page(
    fair: Fair, command_env: dict[str, str]
) -> None:
    fair.set_clock("2026-12-11T12:00:00+08:00")
    await fair.scans(60)
    fair.set_clock("2026-12-12T02:00:00+08:00")
    await fair.work()
    seeds = {"ramp": await fair.seeds("ramp", "2026-12-01", "2026-12-11")}
    receipts = await fair.receipts()
    rules = await fair.rules(receipts)
    told = fair.check_as_a_member(receipts, rules, seeds)
    assert (told.returncode, told.stderr) == (0, "")
    kept = await fair.db.in_transaction(_rows)
    for name, (is_apt, forged, problem) in FORGED.items():
        row = next(row for row in kept["draws"] if is_apt(_read(row)))
        await fair.db.in_transaction(_put_back, {"draws": [row | _written(forged(_read(row)))]})
        report = await fair.verified()
        assert any(problem in example for example in report.examples), (name, report.examples)
        await fair.db.in_transaction(_put_back, {"draws": [row]})
    for name, cheat in CHEATS.items():
        assert await fair.db.in_transaction(_run, cheat), name
        seeds = {"ramp": await fair.seeds("ramp", "2026-12-01", "2026-12-11")}
        assert (await fair.verified()).broken, name
        told = fair.check_as_a_member(await fair.receipts(), rules, seeds)
        assert "AssertionError" in told.stderr, name
        await fair.db.in_transaction(_put_back, kept)
    host = Host(command_env)
    wanted = ("--brand", fair.stage.slug, "--campaign", "ramp", "--from", "2026-12-11")
    report = await host.run("verify-draws", *wanted)
    assert (report["receipts"], report["broken"]) == (60, 0), report["examples"]
    assert (await host.run("verify-draws", "--to", "2026-12-10"))["receipts"] == 1
    await fair.db.in_transaction(_run, CHEATS["another prize"])
    found = await host.finish("verify-draws")
    assert found.returncode == 6 and "CAR" in found.stdout and "broken" in found.stdout
    assert (await host.finish("verify-draws", "--campaign", "moon")).returncode == 5


_KEPT = {
    "draws": "id, given_prize, ordinal, day_ordinal, odds_ppm, base_ppm, u, asset, amount, stage,"
    " campaign_version_id, member_draw_no, inputs, exhausted",
    "draw_seeds": "drawn_on, seed, revealed_at",
}


_JSON = ("inputs", "exhausted")


def _as_text(columns: str) -> str:
    return ", ".join(
        f"CAST({column} AS text) AS {column}" if column in _JSON else column
        for column in columns.split(", ")
    )


def _read(row: Row) -> Row:
    return row | {name: json.loads(row[name]) for name in _JSON}


def _written(changes: Row) -> Row:
    return {name: json.dumps(value) if name in _JSON else value for name, value in changes.items()}


async def _run(tx: Tx, statement: str, values: Row | None = None) -> int:
    """How many rows it changed."""
    connection = await tx.session.connection()
    return (await connection.execute(text(statement), values or {})).rowcount


async def _rows(tx: Tx) -> dict[str, list[Row]]:
    found = {}
    connection = await tx.session.connection()
    for table, columns in _KEPT.items():
        rows = await connection.execute(text(f"SELECT {_as_text(columns)} FROM {table}"))
        found[table] = [dict(row) for row in rows.mappings()]
    return found


async def _put_back(tx: Tx, kept: dict[str, list[Row]]) -> None:
    for table, rows in kept.items():
        key, *columns = _KEPT[table].split(", ")
        sets = ", ".join(f"{column} = :{column}" for column in columns)
        for row in rows:
            await _run(tx, f"UPDATE {table} SET {sets} WHERE {key} = :{key}", row)
