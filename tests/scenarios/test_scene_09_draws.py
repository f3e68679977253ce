"""Scene 9, as far as draws go: every scan wins at first, then odds and amounts fall by schedule;
nothing is given beyond stock, quota and budget. And whoever does not believe it computes it again.
"""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import text

from loyalty.db import Database
from tests.api import Host
from tests.clocks import SettableClock
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
    ],
    "consolation": "THANKS",
    "bonuses": [{"condition": "counters.memberTotal >= 2", "ppm": 100_000}],
    "guarantee": {"prize": "TEA", "drawNo": 4},
}
BUDGET = 5_000


@pytest_asyncio.fixture
async def fair(clocked_db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[Fair]:
    clock.set(clock.at.replace(month=11, day=30))
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        await fair.stage.publish(
            **CAMPAIGN, draw=DRAW, budgets=[{"asset": "CASH", "allowed": BUDGET}]
        )
        await fair.work()
        await fair.open(people=4, codes=80)
        yield fair


async def test_draws_are_given_as_said_and_anybody_computes_them_again(fair: Fair) -> None:
    fair.set_clock("2026-12-01T00:00:00+08:00")
    hashes = await fair.seeds("ramp", "2026-12-01", "2026-12-31")
    assert len(hashes) == 20, "of every day there will be"
    assert {seed["seed"] for seed in hashes} == {None}

    # Everybody wins, as long as there is money; then the consolation.
    first = await fair.scans(4)
    assert [each["rewards"] for each in first] == 2 * [[{"asset": "CASH", "amount": 2000}]] + [
        [],
        [],
    ]
    assert [each["draw"]["prize"]["code"] for each in first] == 2 * ["PACKET"] + 2 * ["THANKS"]
    assert [each["draw"]["won"] for each in first] == [True, True, False, False]
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
    seeds = {"ramp": await fair.seeds("ramp", "2026-12-01", "2026-12-31")}
    told = fair.check_as_a_member(receipts, seeds)
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
    told = fair.check_as_a_member(receipts, {"ramp": revealed})
    assert (told.returncode, told.stderr) == (0, "")
    report = await fair.verified()
    assert (report.receipts, report.waiting, report.broken) == (80, 0, 0), report.examples
    assert (await fair.verified(campaign_code="ramp")).days == 12
    assert await fair.offences() == []


CHEATS = {
    "another prize": "UPDATE draws SET given_prize = 'CAR' WHERE given_prize = 'TEA'",
    "another seed": "UPDATE draw_seeds SET seed = '" + 32 * "ab" + "' WHERE seed IS NOT NULL",
    "a piece given twice": "UPDATE draws SET ordinal = 1, day_ordinal = 1"
    " WHERE given_prize = 'TEA'",
    "a draw after the reveal": "UPDATE draw_seeds SET revealed_at = made_at WHERE seed IS NOT NULL",
    "better odds": "UPDATE draws SET odds_ppm = 999999, base_ppm = 999999 WHERE stage = 1",
    "another u": "UPDATE draws SET u = '0000000000000000' WHERE stage = 1",
    "nothing, and no reason": "UPDATE draws SET given_prize = NULL, ordinal = NULL,"
    " day_ordinal = NULL, asset = NULL, amount = NULL WHERE given_prize = 'TEA'",
}


async def test_cheats_are_caught_by_the_verifier_and_by_the_lines_of_the_page(
    fair: Fair, command_env: dict[str, str]
) -> None:
    fair.set_clock("2026-12-11T12:00:00+08:00")
    await fair.scans(60)
    fair.set_clock("2026-12-12T02:00:00+08:00")
    await fair.work()
    seeds = {"ramp": await fair.seeds("ramp", "2026-12-11", "2026-12-11")}
    assert fair.check_as_a_member(await fair.receipts(), seeds).returncode == 0
    for name, cheat in CHEATS.items():
        kept = await _rows(fair.db)
        async with fair.db.engine.begin() as connection:
            assert (await connection.execute(text(cheat))).rowcount, name
        seeds = {"ramp": await fair.seeds("ramp", "2026-12-11", "2026-12-11")}
        assert (await fair.verified()).broken, name
        told = fair.check_as_a_member(await fair.receipts(), seeds)
        assert "AssertionError" in told.stderr, name
        await _put_back(fair.db, kept)
    host = Host(command_env)
    wanted = ("--brand", fair.stage.slug, "--campaign", "ramp", "--from", "2026-12-11")
    report = await host.run("verify-draws", *wanted)
    assert (report["receipts"], report["broken"]) == (60, 0), report["examples"]
    assert (await host.run("verify-draws", "--to", "2026-12-10"))["receipts"] == 0
    async with fair.db.engine.begin() as connection:
        await connection.execute(text(CHEATS["another prize"]))
    found = await host.finish("verify-draws")
    assert found.returncode == 6 and "CAR" in found.stdout and "broken" in found.stdout
    assert (await host.finish("verify-draws", "--campaign", "moon")).returncode == 5


_KEPT = {
    "draws": "id, given_prize, ordinal, day_ordinal, odds_ppm, base_ppm, u, asset, amount",
    "draw_seeds": "drawn_on, seed, revealed_at",
}


async def _rows(db: Database) -> dict[str, list[Any]]:
    async with db.engine.begin() as connection:
        return {
            table: [
                dict(row)
                for row in (
                    await connection.execute(text(f"SELECT {columns} FROM {table}"))
                ).mappings()
            ]
            for table, columns in _KEPT.items()
        }


async def _put_back(db: Database, kept: dict[str, list[Any]]) -> None:
    async with db.engine.begin() as connection:
        for table, rows in kept.items():
            key, *columns = _KEPT[table].split(", ")
            sets = ", ".join(f"{column} = :{column}" for column in columns)
            for row in rows:
                await connection.execute(
                    text(f"UPDATE {table} SET {sets} WHERE {key} = :{key}"), row
                )
