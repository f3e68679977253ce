"""Whoever an event pays may draw for it, whatever the event is and whichever role they have; what
they win is theirs at once, or when its lock says so. And anybody computes it again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from loyalty.actor import OperatorRole
from loyalty.db import Database, Tx
from tests.api import Caller
from tests.clocks import SettableClock
from tests.scenarios.drawn import Fair, fair_on

LOCKS = {None: None, "ACTION": {"kind": "ACTION", "action": "follow", "lapsesAfter": "P30D"}}
BEHIND = {"STORE": "13600136001", "DEALER": "13700137001", "SALESPERSON": "13700137002"}
GUIDE = "13900139001"
TEA = 7
DRAW: dict[str, Any] = {
    "prizes": [
        {"code": "TEA", "nameZh": "茶", "nameEn": "Tea", "asset": "POINTS", "amount": TEA},
        {"code": "THANKS", "nameZh": "谢谢", "nameEn": "Thanks"},
    ],
    "stages": [{"oddsFromPpm": 999_000, "entries": [{"prize": "TEA", "weight": 1}]}],
    "bonuses": [{"condition": "counters.memberToday >= 0", "ppm": 1_000}],
    "consolation": "THANKS",
    "guarantee": {"prize": "TEA", "drawNo": 1},
}
MINE = """
{ me { id draws(first: 9) { nodes { id role locked won asset amount message occurredAt
    bonuses { held } facts { name value } } }
  lockedRewards(first: 9) { nodes { asset amount status } } } }
"""
GIVEN = """
query ($id: ID!) { node(id: $id) {
  ... on Purchase { draws { id role } } ... on EarningEvent { draws { id role } } } }
"""


WITHHELD = "{ me { draws(first: 9) { nodes { withheld { grossFen taxFen netFen } } } } }"
TAX = "{ withholdings { nodes { taxFen returnedFen } } }"
FORESEEN = """
query ($id: ID!) { node(id: $id) { ... on Simulation { status problem draft {
    paid winners costs { asset given locked drawn } } } } }
"""


@dataclass
class Street:
    """A place with its channel, a guide who works there, and a consumer, by their roles."""

    fair: Fair
    people: dict[str, Caller]
    place_id: str
    campaign_id: str = ""

    async def drawn(self, role: str) -> tuple[Any, Any]:
        """The only draw of somebody, and whose it is."""
        me = (await self.people[role].ask(MINE))["me"]
        [draw] = me["draws"]["nodes"]
        return draw, me

    async def publish(self, event: str, roles: list[str], lock: str | None, **more: Any) -> None:
        draw = DRAW | {"roles": roles, "lock": LOCKS[lock]}
        input = {"code": "lucky", "nameZh": "抽奖", "nameEn": "Lucky", "outcomes": []}
        given = input | {"event": event, "draw": draw} | more
        made = await self.fair.stage.admin.done("publishCampaign", **given)
        self.campaign_id = made["campaign"]["id"]

    async def check_all(self, roles: list[str], lock: str | None, after: dict[str, int]) -> None:
        """That each of them drew, has what it won or waits for it, and nobody else did; that all
        of it can be computed again, by us and by them."""
        fair, waits = self.fair, lock is not None
        for role in self.people:
            if role not in roles:
                me = (await self.people[role].ask(MINE))["me"]
                assert me is None or me["draws"]["nodes"] == [], role
                continue
            draw, me = await self.drawn(role)
            assert (draw["role"], draw["won"], draw["locked"]) == (role, True, waits)
            assert (draw["asset"], draw["amount"]) == ("POINTS", TEA)
            assert draw["message"].split("|")[2].endswith(f":{role}")
            owns = role == roles[0]
            assert [(b["held"], len(draw["facts"])) for b in draw["bonuses"]] == [(owns, int(owns))]
            had = after.get(role, 0)
            expected = (had, TEA) if waits else (had + TEA, 0)
            assert (await self.people[role].balances())["POINTS"] == expected
            if waits:
                assert [r["status"] for r in me["lockedRewards"]["nodes"]] == ["LOCKED"]
                acted = {"memberId": me["id"], "action": "follow"}
                await fair.stage.admin.done("reportAction", **acted)
                assert (await self.people[role].balances())["POINTS"] == (had + TEA, 0)
        assert await fair.offences() == []

    async def check_again(self, roles: list[str], receipts: int | None = None) -> None:
        """When the day is over."""
        fair = self.fair
        fair.set_clock("2026-12-03T01:30:00+08:00")
        await fair.work()
        report = await fair.verified()
        expected = len(roles) if receipts is None else receipts
        assert (report.receipts, report.broken, report.waiting) == (expected, 0, 0), report.examples
        seeds = await fair.seeds("lucky", "2026-12-02", "2026-12-02")
        for role in roles:
            mine = await fair.receipts_of(self.people[role])
            rules = await fair.rules(mine, self.people[role])
            done = fair.check_as_a_member(mine, rules, {"lucky": seeds})
            assert done.returncode == 0, done.stderr


@pytest_asyncio.fixture
async def street(
    clocked_db: Database, clock: SettableClock, tmp_path: Path
) -> AsyncIterator[Street]:
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        fair.set_clock("2026-12-02T12:00:00+08:00")
        admin = fair.stage.admin
        for role in ("DEALER", "SALESPERSON"):
            entries = [{"phone": BEHIND[role], "name": "陈"}]
            await admin.done("importRoster", role=role, entries=entries)
        place = {"code": "SH-1", "name": "东店", "address": "上海市南京东路1号"}
        phones = {f"{role.lower()}Phone": phone for role, phone in BEHIND.items()}
        made = await admin.done("createPlace", **place, **phones, payoutThresholdFen=100_000)
        place_id = made["place"]["id"]
        here = [{"phone": GUIDE, "name": "王", "placeId": place_id}]
        await admin.done("importRoster", role="GUIDE", entries=here)
        people = {role: await fair.stage.member(phone, role) for role, phone in BEHIND.items()}
        people["GUIDE"] = await fair.stage.member(GUIDE, "GUIDE")
        people["CONSUMER"] = await fair.stage.member("13800138001")
        for role in BEHIND:  # the first act enrols
            await people[role].done("checkIn")
        fair.people = [people["CONSUMER"]]
        yield Street(fair, people, place_id)


@pytest.mark.parametrize("lock", LOCKS)
async def test_everybody_whom_a_scan_pays_may_draw(street: Street, lock: str | None) -> None:
    everybody = ["CONSUMER", "GUIDE", *BEHIND]
    await street.publish("SCAN", everybody, lock)
    [inner], [outer] = await street.fair.stage.codes(1, "INNER", "OUTER")
    await street.people["GUIDE"].done("scanCode", code=outer)
    receipt = await street.people["CONSUMER"].done("scanCode", code=inner)
    assert [r["amount"] for r in receipt["rewards"]] == [TEA], "what the others won is theirs"
    await street.check_all(everybody, lock, {})
    await street.check_again(everybody)

    reversed_ = await street.fair.stage.admin.done(
        "reverseScan", scanId=receipt["scanId"], reason="fraud"
    )
    assert sum(leg["taken"] for leg in reversed_["legs"]) == TEA * len(everybody)
    assert await street.fair.offences() == []


@pytest.mark.parametrize("lock", LOCKS)
async def test_a_buyer_and_the_channel_behind_its_place_may_draw(
    street: Street, lock: str | None
) -> None:
    drawing = ["CONSUMER", *BEHIND]
    await street.publish("PURCHASE", drawing, lock, priority=9)
    buyer = street.people["CONSUMER"]
    await buyer.done("checkIn")
    street.fair.set_clock("2026-12-02T13:00:00+08:00")
    bought = {
        "purchaseRef": "till 1",
        "memberId": (await buyer.me())["id"],
        "occurredAt": "2026-12-02T12:30:00+08:00",
        "amountFen": 9_900,
        "quantity": 1,
        "source": "TILL",
        "placeId": street.place_id,
    }
    admin = street.fair.stage.admin
    receipt = await admin.done("recordPurchase", **bought)
    assert [each["amount"] for each in receipt["earned"]] == [TEA]
    again = await admin.done("recordPurchase", **bought)
    assert again["alreadyRecorded"]
    await street.check_all(drawing, lock, {})
    whole = await admin.ask(GIVEN, id=receipt["purchase"]["id"])
    assert sorted(each["role"] for each in whole["node"]["draws"]) == sorted(drawing)
    own = await buyer.ask(GIVEN, id=receipt["purchase"]["id"])
    assert [each["role"] for each in own["node"]["draws"]] == ["CONSUMER"]
    await street.check_again(drawing)

    asked = {"campaignId": street.campaign_id, "past": {"days": 2}}
    run = (await admin.done("simulateCampaign", **asked))["simulation"]
    street.fair.set_clock("2026-12-03T01:31:00+08:00")
    await street.fair.work()
    foreseen = (await admin.ask(FORESEEN, id=run["id"]))["node"]
    assert (foreseen["status"], foreseen["draft"]["winners"]) == ("DONE", len(drawing))
    [cost] = [each for each in foreseen["draft"]["costs"] if each["asset"] == "POINTS"]
    won = TEA * len(drawing)
    split = {"given": 0, "locked": won} if lock else {"given": won, "locked": 0}
    assert cost == {"asset": "POINTS", "drawn": won} | split

    back = {"purchaseRef": "till 1", "returnRef": "back 1", "reason": "broken"}
    await admin.done("returnPurchase", **back)
    for role in drawing:
        assert (await street.people[role].balances())["POINTS"] == (0, 0)
    assert await street.fair.offences() == []


@pytest.mark.parametrize("role", ["CONSUMER", "STORE"])
@pytest.mark.parametrize("lock", LOCKS)
async def test_whoever_checks_in_may_draw(street: Street, lock: str | None, role: str) -> None:
    await street.publish("CHECK_IN", [role], lock)
    street.fair.set_clock("2026-12-02T13:00:00+08:00")
    person = street.people["CONSUMER"] if role == "CONSUMER" else None
    if person is None:  # who has checked in today draws by the next day's
        street.people["STORE"] = person = await _another_store(street)
    done = await person.done("checkIn")
    assert [each["amount"] for each in done["event"]["earned"]] == [TEA]
    assert (await person.done("checkIn"))["alreadyCheckedIn"]
    await street.check_all([role], lock, {})
    await street.check_again([role])
    mine = await street.fair.receipts_of(person)
    seen = [each["code"] for each in await street.fair.rules(mine)]
    assert seen == (["lucky"] if role == "CONSUMER" else []), "nobody else's to know"


async def _another_store(street: Street) -> Caller:
    place = {"code": "SH-2", "name": "西店", "address": "上海市南京西路1号"}
    terms = {"storePhone": "13600136002", "payoutThresholdFen": 100_000}
    await street.fair.stage.admin.done("createPlace", **place, **terms)
    return await street.fair.stage.member("13600136002", "STORE")


PACKET = {"code": "PACKET", "nameZh": "红包", "nameEn": "Packet", "asset": "CASH"}
TAXED = {
    "prizes": [PACKET | {"amount": 100_000}],
    "stages": [{"oddsFromPpm": 10**6, "entries": [{"prize": "PACKET", "weight": 1}]}],
    "consolation": "PACKET",
}
"""Always won, and above the threshold of the tax."""


async def test_tax_of_a_prize_that_waits_is_withheld_when_it_is_paid(street: Street) -> None:
    fair, consumer = street.fair, street.people["CONSUMER"]
    terms = {"thresholdFen": 80_000, "ratePercent": 20}
    await fair.stage.operator(OperatorRole.FINANCE).done("setWithholding", **terms)
    draw = TAXED | {"lock": LOCKS["ACTION"]}
    budget = [{"asset": "CASH", "allowed": 100_000}]
    await street.publish("SCAN", ["CONSUMER"], None, draw=draw, budgets=budget)
    [codes] = await fair.stage.codes(2)
    won = await consumer.done("scanCode", code=codes[0])
    assert (await consumer.balances())["CASH"] == (0, 100_000)
    assert (await street.people["CONSUMER"].done("scanCode", code=codes[1]))["rewards"] == []
    told = {"memberId": (await consumer.me())["id"], "action": "follow"}
    await fair.stage.admin.done("reportAction", **told)
    assert (await consumer.balances())["CASH"] == (80_000, 0)
    shown = (await consumer.ask(WITHHELD))["me"]["draws"]["nodes"]
    taxed = {"grossFen": 100_000, "taxFen": 20_000, "netFen": 80_000}
    assert [each["withheld"] for each in shown] == [None, taxed], "the budget was reserved"
    assert await fair.offences() == []

    await fair.stage.admin.done("reverseScan", scanId=won["scanId"], reason="a returned bottle")
    assert (await consumer.balances())["CASH"] == (0, 0)
    [row] = (await fair.stage.operator(OperatorRole.FINANCE).ask(TAX))["withholdings"]["nodes"]
    assert row == {"taxFen": 20_000, "returnedFen": 20_000}
    assert await fair.offences() == []


async def test_a_returned_purchase_gives_its_prizes_tax_back_too(street: Street) -> None:
    fair, consumer, admin = street.fair, street.people["CONSUMER"], street.fair.stage.admin
    finance = fair.stage.operator(OperatorRole.FINANCE)
    await finance.done("setWithholding", thresholdFen=80_000, ratePercent=20)
    await street.publish("PURCHASE", ["CONSUMER"], None, draw=TAXED, priority=9)
    await consumer.done("checkIn")
    bought = {"memberId": (await consumer.me())["id"], "amountFen": 9_900, "quantity": 1}
    at = {"purchaseRef": "till 1", "occurredAt": "2026-12-02T12:00:00+08:00", "source": "TILL"}
    await admin.done("recordPurchase", **bought, **at)
    assert (await consumer.balances())["CASH"] == (80_000, 0)
    back = {"purchaseRef": "till 1", "reason": "broken"}
    half = await admin.done("returnPurchase", **back, returnRef="half", amountFen=4_950)
    assert (await consumer.balances())["CASH"] == (40_000, 0)
    assert [(each["asset"], each["taken"]) for each in half["taken"]] == [("CASH", 50_000)]
    await admin.done("returnPurchase", **back, returnRef="the rest")
    assert (await consumer.balances())["CASH"] == (0, 0)
    [row] = (await finance.ask(TAX))["withholdings"]["nodes"]
    assert row == {"taxFen": 20_000, "returnedFen": 20_000}
    assert await fair.offences() == []


async def test_an_event_told_late_is_drawn_by_the_day_on_which_it_is_told(street: Street) -> None:
    """Its own day's seed may be known by then; its facts are of its own time all the same."""
    stage, consumer = street.fair.stage, street.people["CONSUMER"]
    kinds = [{"name": "cups", "kind": "INT"}]
    await stage.admin.done(
        "registerEventType", code="coffee", nameZh="咖啡", nameEn="Coffee", fields=kinds
    )
    await consumer.done("checkIn")
    bonus = [{"condition": "custom.cups > 1 && calendar.day == 1", "ppm": 1_000}]
    await street.publish(
        "CUSTOM", ["CONSUMER"], None, eventType="coffee", draw=DRAW | {"bonuses": bonus}
    )
    told = {
        "eventRef": "cup 1",
        "type": "coffee",
        "occurredAt": "2026-12-01T20:00:00+08:00",
        "memberId": (await consumer.me())["id"],
        "payload": [{"name": "cups", "number": 2}],
    }
    posted = await stage.admin.done("postEvents", events=[told])
    [result] = posted["results"]
    assert [each["amount"] for each in result["earned"]] == [TEA]
    draw, _ = await street.drawn("CONSUMER")
    assert (draw["occurredAt"][:10], [b["held"] for b in draw["bonuses"]]) == ("2026-12-02", [True])
    shown = await consumer.ask(GIVEN, id=result["eventId"])
    assert shown["node"]["draws"] == [{"id": draw["id"], "role": "CONSUMER"}]
    assert await street.fair.offences() == []
    await street.check_again(["CONSUMER"])

    async def write(tx: Tx, to: str) -> None:
        connection = await tx.session.connection()
        await connection.execute(text(f"UPDATE draws SET {to}"))

    claimed = draw["message"].split("|")[2]
    for forged, true in (
        ("role = 'GUIDE'", "role = 'CONSUMER'"),
        ("claim = 'EVENT:0:CONSUMER'", f"claim = '{claimed}'"),
    ):
        await street.fair.db.in_transaction(write, forged)
        report = await street.fair.verified()
        assert report.broken == 1
        assert "its event is of another item or member" in report.examples[0]
        assert await street.fair.offences() != []
        await street.fair.db.in_transaction(write, true)
    assert (await street.fair.verified()).broken == 0
