"""Scene 8, member day: on each month's 9th a scan also gives a chance for limited prizes; odds rise
with the member's scan count; amounts and counts of prizes follow the size of the pool of entrants.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from loyalty.actor import OperatorRole
from loyalty.db import Database
from loyalty.ledger.audit_raffle_winners import NoSuchBrand, verify_raffles
from tests.api import Host
from tests.clocks import SettableClock
from tests.graphql_schema.shop import TEMPLATE
from tests.graphql_schema.stage import CONSUMER, outcome
from tests.scenarios.drawn import Fair, fair_on
from tests.scenarios.raffled import (
    ENTRY_FIELDS,
    WINNER_FIELDS,
    all_of,
    balance,
    check_as_a_member,
    raffle_as,
    tell_news,
)

NINTH = {"dayOfMonth": 9, "nameZh": "会员日", "nameEn": "Member day"}
PARTY = {"on": "2027-01-01", "nameZh": "元旦", "nameEn": "New Year"}
DRAW: dict[str, Any] = {
    "prizes": [
        {"code": "CUP", "nameZh": "茶杯", "nameEn": "Cup", "stock": 2},
        {"code": "THANKS", "nameZh": "谢谢", "nameEn": "Thanks"},
    ],
    "stages": [{"oddsFromPpm": 1, "entries": [{"prize": "CUP", "weight": 1}]}],
    "consolation": "THANKS",
    "bonuses": [
        {"condition": "counters.memberTotal >= 1 && size(segment.codes) == 0", "ppm": 999_999},
    ],
}


FACTS = """
query ($id: ID!) { node(id: $id) { ... on Member {
  draws(first: 1) { nodes { bonuses { held } facts { name value } } } } } }
"""


def prize(name: str, winners: int, asset: str, amount: int) -> dict[str, Any]:
    words = {"nameZh": name, "nameEn": name}
    return words | {"winners": winners, "asset": asset, "amount": amount}


RAFFLE: dict[str, Any] = {
    "code": "ninth",
    "nameZh": "会员日大奖",
    "nameEn": "The ninth",
    "opensAt": "2026-12-09T00:00:00+08:00",
    "closesAt": "2026-12-10T00:00:00+08:00",
    "cost": {"asset": "CHANCES", "amount": 1},
    "entriesMax": 2,
    "condition": "calendar.memberDay && member.daysSinceJoined >= 0",
    "prizeTable": [
        {"poolMin": 1, "prizes": [prize("small", 1, "POINTS", 500)]},
        {
            "poolMin": 4,
            "prizes": [prize("grand", 1, "CASH", 8_800), prize("second", 2, "POINTS", 300)],
        },
        {"poolMin": 100, "prizes": [prize("car", 1, "CASH", 100_000)]},
    ],
    "budgets": [{"asset": "CASH", "amount": 100_000}],
}


@pytest_asyncio.fixture
async def fair(clocked_db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[Fair]:
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        fair.set_clock("2026-12-08T12:00:00+08:00")
        await fair.stage.admin.done("setMemberDays", days=[PARTY, NINTH])
        await fair.stage.publish([outcome(CONSUMER, 10)])
        await fair.stage.publish(
            [outcome(CONSUMER, 10), outcome(CONSUMER, 1, "CHANCES")],
            code="ninth",
            priority=10,
            condition="calendar.memberDay",
            draw=DRAW,
        )
        await fair.work()
        await fair.open(people=5, codes=16)
        yield fair


async def announce(fair: Fair, **more: Any) -> Any:
    return (await fair.stage.admin.done("createRaffle", **RAFFLE | more))["raffle"]


async def with_coupons(fair: Fair) -> dict[str, Any]:
    """The prize table, but the second prize is a coupon."""
    template = await fair.stage.admin.done("createCouponTemplate", code="five", **TEMPLATE)
    small, large, largest = RAFFLE["prizeTable"]
    grand, second = large["prizes"]
    coupon = {"couponTemplateId": template["template"]["id"]}
    table = [small, large | {"prizes": [grand, second | coupon]}, largest]
    return {"prizeTable": table}


async def test_on_the_ninth_a_scan_gives_a_chance_and_the_prizes_follow_the_pool(
    fair: Fair, command_env: dict[str, str]
) -> None:
    people = fair.people
    days = (await people[0].ask("{ memberDays { name nextOn } }"))["memberDays"]
    assert [day["nextOn"] for day in days] == ["2026-12-09", "2027-01-01"]
    made = await announce(fair, **await with_coupons(fair))
    assert made["worstCase"] == [
        {"asset": "CASH", "amount": 100_000},
        {"asset": "POINTS", "amount": 600},
    ]
    entry = {"raffleId": made["id"]}
    eve = await fair.scan(people[0])
    assert eve["rewards"] == [{"asset": "POINTS", "amount": 10}] and eve["draw"] is None
    early = await people[0].do("enterRaffle", **entry)
    assert (early["code"], early["details"]["reason"]) == ("RAFFLE_NOT_OPEN", "NOT_YET")

    fair.set_clock("2026-12-09T09:00:00+08:00")
    receipts = await fair.scans(10)  # two of each
    assert {str(each["rewards"]) for each in receipts} == {
        "[{'asset': 'POINTS', 'amount': 10}, {'asset': 'CHANCES', 'amount': 1}]"
    }
    wins = [each["draw"]["won"] for each in receipts]
    assert wins == 5 * [False] + 2 * [True] + 3 * [False], "the second scan wins, while there are"
    id = (await people[0].me())["id"]
    shown = {"facts": [{"name": "counters.memberTotal", "value": "1"}]}
    for reader in (people[0], fair.stage.admin):  # who is in which segment is the brand's to know
        [draw] = (await reader.ask(FACTS, id=id))["node"]["draws"]["nodes"]
        assert draw == shown | {"bonuses": [{"held": True}]}
        shown["facts"].append({"name": "segment.codes", "value": "[]"})
    for person in people:
        await person.done("enterRaffle", **entry)
    for person in people[:3]:
        await person.done("enterRaffle", **entry)
    assert (await people[0].do("enterRaffle", **entry))["code"] == "RAFFLE_ENTRIES_USED_UP"
    assert [await balance(person, "CHANCES") for person in people] == [0, 0, 0, 1, 1]

    # Nobody reads the seed before its time, whoever it is.
    fair.set_clock("2026-12-10T00:00:00+08:00")
    late = await people[4].do("enterRaffle", **entry)
    assert (late["code"], late["details"]["reason"]) == ("RAFFLE_NOT_OPEN", "OVER")
    operators = [fair.stage.operator(role) for role in OperatorRole]
    for reader in (*people, *operators):
        assert (await raffle_as(reader, "ninth"))["seed"] is None

    await fair.work()
    raffle = await raffle_as(people[4], "ninth")
    assert (raffle["status"], raffle["entriesCount"], raffle["entrantsCount"]) == ("DRAWN", 8, 5)
    assert raffle["settledAt"] is not None
    winners = await all_of(people[4], raffle["id"], "winners", WINNER_FIELDS)
    assert [won["prize"]["nameEn"] for won in winners] == ["grand", "second", "second"]
    assert all(won["paidAt"] for won in winners)
    points = [await balance(person, "POINTS") for person in people]
    assert [points[0] - 10, *points[1:]] == [20] * 5
    assert sum([await balance(person, "CASH") for person in people]) == 8_800
    told = await check_as_a_member(fair, "ninth", made["seedHash"])
    assert (told.returncode, told.stderr) == (0, "")
    await everybody_is_told(fair)
    assert await fair.offences() == []
    await a_cheat_is_caught(fair, made["seedHash"], command_env)


async def everybody_is_told(fair: Fair) -> None:
    await tell_news(fair)
    async with fair.db.engine.begin() as connection:
        rows = await connection.execute(
            text("SELECT content FROM notifications WHERE kind = 'RAFFLE_WON' ORDER BY id")
        )
        said = [str(row[0]) for row in rows]
    assert len(said) == 3
    assert sum("grand" in words for words in said) == 1
    assert sum("The coupon Five off is among your coupons." in words for words in said) == 2
    for person in fair.people:
        mine = await person.ask(
            "{ me { raffleEntries { nodes { raffleCode won { couponTemplateId noCoupon prize { name"
            " coupon { code } } } } } coupons { nodes { cause templateCode } }"
            " entries { nodes { causeKind amount asset } } } }"
        )
        prizes = [e for e in mine["me"]["raffleEntries"]["nodes"] if e["won"]]
        paid = [e for e in mine["me"]["entries"]["nodes"] if e["causeKind"] == "RAFFLE_PRIZE"]
        won = [c for c in mine["me"]["coupons"]["nodes"] if c["cause"] == "RAFFLE"]
        assert len(prizes) == len(paid) + len(won) <= 1
        named = [p["won"]["prize"]["coupon"] for p in prizes if p["won"]["couponTemplateId"]]
        assert [each["code"] for each in named] == [each["templateCode"] for each in won]


async def a_cheat_is_caught(fair: Fair, noted: str, command_env: dict[str, str]) -> None:
    """Somebody with the database at hand lets another entry win."""
    report = await verify_raffles(fair.db, fair.stage.slug)
    assert (report.raffles, report.entries, report.winners, report.broken) == (1, 8, 3, 0)
    with pytest.raises(NoSuchBrand):
        await verify_raffles(fair.db, "moon")
    swap = """UPDATE raffle_winners SET entry_id = (SELECT id FROM raffle_entries e
        WHERE e.raffle_id = raffle_winners.raffle_id AND e.entrant_id NOT IN
            (SELECT member_id FROM raffle_winners) ORDER BY id LIMIT 1) WHERE place = 1"""
    async with fair.db.engine.begin() as connection:
        assert (await connection.execute(text(swap))).rowcount == 1
    told = await check_as_a_member(fair, "ninth", noted)
    assert "AssertionError: winners" in told.stderr
    assert any("winner" in offence for offence in await fair.offences())
    found = await Host(command_env).finish("verify-raffles")
    assert found.returncode == 6 and "broken" in found.stdout


async def test_a_cancelled_raffle_gives_every_entrys_cost_back(fair: Fair) -> None:
    fair.set_clock("2026-12-09T09:00:00+08:00")
    await fair.scans(5)
    made = await announce(fair)
    entry = {"raffleId": made["id"]}
    await asyncio.gather(*(person.done("enterRaffle", **entry) for person in fair.people))
    assert {await balance(person, "CHANCES") for person in fair.people} == {0}
    merged = {"fromMemberId": (await fair.people[0].me())["id"]}
    into = {"intoMemberId": (await fair.people[1].me())["id"]}
    await fair.stage.admin.done("mergeMembers", **merged, **into, reason="one person")
    await fair.stage.admin.done("cancelRaffle", **entry, reason="the cups broke")
    await fair.work()
    raffle = await raffle_as(fair.people[2], "ninth")
    assert (raffle["status"], raffle["reason"]) == ("CANCELLED", "the cups broke")
    assert raffle["seed"] is None and raffle["settledAt"] is not None
    assert [await balance(person, "CHANCES") for person in fair.people] == [2, 2, 1, 1, 1]
    assert len(await all_of(fair.people[2], raffle["id"], "entries", ENTRY_FIELDS)) == 5
    assert await fair.offences() == []
