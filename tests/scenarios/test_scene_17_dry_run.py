"""Scene 17: before it is published a campaign is tried on what members did, and what it is then
said to cost is what it costs, to the fen."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from tests.api import Caller
from tests.scenarios.shop import BRAND, Shop, eventually, outcome

CASH, POINTS, CONSUMER, GUIDE = "CASH", "POINTS", "CONSUMER", "GUIDE"
DRAFT: dict[str, Any] = {
    "code": "spring",
    "nameZh": "春季",
    "nameEn": "Spring",
    "outcomes": [
        outcome(CONSUMER, POINTS, 100),
        outcome(CONSUMER, CASH, 88) | {"lock": {"kind": "NEXT_SCAN"}},
        outcome(GUIDE, POINTS, 30),
    ],
    "gate": "CONSUMER_SCAN",
    "caps": [{"subject": "MEMBER", "window": "CAMPAIGN", "timesMax": 4}],
    "budgets": [{"asset": CASH, "allowed": 1_400}],
    "condition": "event.scene != 'WAREHOUSE'",
    "draw": {
        "prizes": [
            {"code": "PACKET", "nameZh": "红包", "nameEn": "Packet", "asset": CASH}
            | {"amount": 66, "stock": 5},
            {"code": "TEA", "nameZh": "茶", "nameEn": "Tea", "asset": POINTS, "amount": 7},
        ],
        "stages": [{"oddsFromPpm": 1_000_000, "entries": [{"prize": "PACKET", "weight": 1}]}],
        "consolation": "TEA",
    },
}
REPORT = """{ events paid rewardedMembers winners
    costs { on campaignCode asset given locked drawn expected }
    unpaid { reason times } guideUnpaid { reason times } prizes { prize given }
    shortages { prize limit times } budgets { asset allowed spent } }"""
SIMULATION = f"""
query ($id: ID!) {{ node(id: $id) {{ ... on Simulation {{
    status problem eventsDone eventsTotal seed source draft {REPORT} running {REPORT} }} }} }}
"""
SCAN = """
mutation ($input: ScanCodeInput!) { scanCode(input: $input) { ... on ScanCodeReceipt {
    unpaidReason guideUnpaidReason draw { prize { code } } } } }
"""
BOOKS = "{ campaigns { nodes { code budgets { asset spent reserved } } } }"


@dataclass(frozen=True)
class Step:
    """One scan to come: whose, of which code, from where."""

    caller: Caller
    code: str
    scene: str | None

    async def take(self, key: str) -> Any:
        """The receipt."""
        input = {"code": self.code, "scene": self.scene, "idempotencyKey": key}
        return (await self.caller.ask(SCAN, input=input))["scanCode"]


async def story(shop: Shop) -> list[Step]:
    """Four people and a guide, 30 items, some scanned twice, some scans from the warehouse."""
    inner, outer = await shop.print_codes(30, "INNER", "OUTER")
    people = [await shop.person(f"1380013800{number}") for number in range(1, 5)]
    guide = await shop.guide("13900139001")
    random = Random(17)
    steps = []
    for inside, outside in zip(inner, outer, strict=True):
        if random.random() < 0.5:
            steps.append(Step(guide, outside, None))
        for _ in range(random.choice((1, 1, 2))):
            scene = "WAREHOUSE" if random.random() < 0.2 else None
            steps.append(Step(random.choice(people), inside, scene))
    return steps


async def simulated(shop: Shop, *inputs: dict[str, Any]) -> list[Any]:
    """Dry runs, when all of them are done."""
    asked = [await shop.admin.done("simulateCampaign", **input) for input in inputs]

    async def look() -> list[Any]:
        ids = [each["simulation"]["id"] for each in asked]
        return [(await shop.admin.ask(SIMULATION, id=id))["node"] for id in ids]

    return await eventually(look, lambda runs: {run["status"] for run in runs} == {"DONE"})


def total(report: Any, asset: str, name: str) -> int:
    """Of all days and campaigns."""
    return sum(cost[name] for cost in report["costs"] if cost["asset"] == asset)


@pytest.mark.parametrize("gate", ["CONSUMER_SCAN", "CONSUMER_TAKEN"])
async def test_what_is_said_before_comes_true_to_the_fen(shop: Shop, gate: str) -> None:
    drafted = DRAFT | {"gate": gate}
    steps = await story(shop)
    for number, step in enumerate(steps):
        assert (await step.take(f"before {number}"))["unpaidReason"] == "NO_CAMPAIGN"
    draft = (await shop.admin.done("saveCampaignDraft", **drafted))["draft"]
    [run] = await simulated(shop, {"draftId": draft["id"], "past": {"days": 2}})
    assert (run["problem"], run["running"]) == (None, None)
    foreseen = run["draft"]

    await shop.admin.done("publishCampaignDraft", draftId=draft["id"], revision=1)
    unpaid: Counter[str | None] = Counter()
    guide_unpaid: Counter[str | None] = Counter()
    prizes: Counter[str] = Counter()
    for number, step in enumerate(steps):
        told = await step.take(f"{number}")
        unpaid[told["unpaidReason"]] += 1
        guide_unpaid[told["guideUnpaidReason"]] += 1
        if told["draw"]:
            prizes[told["draw"]["prize"]["code"]] += 1
    held: Counter[str] = Counter()
    locked: Counter[str] = Counter()
    for caller in {step.caller.token: step.caller for step in steps}.values():
        for asset, (balance, waiting) in (await caller.balances()).items():
            held[asset] += balance
            locked[asset] += waiting

    paid = unpaid.pop(None, 0)
    assert {"CAP", "BUDGET", "NO_CAMPAIGN", "ALREADY_CLAIMED"} <= unpaid.keys(), "or it proves less"
    assert (foreseen["events"], foreseen["paid"]) == (len(steps), paid)
    assert {each["reason"]: each["times"] for each in foreseen["unpaid"]} == unpaid
    del guide_unpaid[None]
    assert {each["reason"]: each["times"] for each in foreseen["guideUnpaid"]} == guide_unpaid
    assert {each["prize"]: each["given"] for each in foreseen["prizes"]} == prizes
    for asset in (CASH, POINTS):
        assert total(foreseen, asset, "given") == held[asset], asset
        assert total(foreseen, asset, "locked") == locked[asset], asset
    [campaign] = [
        each
        for each in (await shop.admin.ask(BOOKS))["campaigns"]["nodes"]
        if each["code"] == "spring"
    ]
    [budget] = campaign["budgets"]
    assert foreseen["budgets"] == [
        {"asset": CASH, "allowed": 1_400, "spent": budget["spent"] + budget["reserved"]}
    ]
    await the_running_version_costs_what_it_cost(shop, drafted, held, locked)
    callers = {step.caller.token: step.caller for step in steps}.values()
    await what_is_reported_of_them_is_foreseen_likewise(shop, list(callers))


async def the_running_version_costs_what_it_cost(
    shop: Shop, drafted: dict[str, Any], held: Counter[str], locked: Counter[str]
) -> None:
    """The next version is compared with the running one over the same past: of that the books are
    there."""
    outcomes = [outcome(CONSUMER, POINTS, 250), *DRAFT["outcomes"][1:]]
    draft = (await shop.admin.done("saveCampaignDraft", **drafted | {"outcomes": outcomes}))[
        "draft"
    ]
    [run] = await simulated(shop, {"draftId": draft["id"], "past": {"days": 2}})
    for asset in (CASH, POINTS):
        for name, happened in (("given", held), ("locked", locked)):
            assert total(run["running"], asset, name) == happened[asset], (asset, name)
    assert run["draft"]["paid"] == run["running"]["paid"]
    more = 150 * sum(each["given"] for each in run["draft"]["prizes"])  # each paid scan draws one
    assert total(run["draft"], POINTS, "given") == held[POINTS] + more
    assert total(run["draft"], CASH, "given") == held[CASH]


async def what_is_reported_of_them_is_foreseen_likewise(shop: Shop, callers: list[Caller]) -> None:
    ids = [(await caller.me())["id"] for caller in callers]

    async def report() -> None:
        for id in (*ids, *ids):
            await shop.admin.done("reportAction", memberId=id, action="visit")

    await report()
    contact = {"code": "visits", "nameZh": "到店", "nameEn": "Visits", "event": "ACTION"}
    once = {"subject": "MEMBER", "window": "CAMPAIGN", "timesMax": 1}
    more = {"outcomes": [outcome(CONSUMER, CASH, 35)], "budgets": [{"asset": CASH, "allowed": 80}]}
    wanted = contact | more | {"caps": [once], "condition": "event.action == 'visit'"}
    draft = (await shop.admin.done("saveCampaignDraft", **wanted))["draft"]
    [run] = await simulated(shop, {"draftId": draft["id"], "past": {"days": 2}})
    foreseen = run["draft"]
    assert (foreseen["events"], foreseen["paid"]) == (2 * len(ids), 2), "80 fen are for two"
    reasons = {each["reason"] for each in foreseen["unpaid"]}
    assert reasons == {"CAP", "BUDGET", "NOTHING_FOR_ROLE"}, "two visits of each, and a guide's"
    before = sum([(await caller.balances()).get(CASH, (0, 0))[0] for caller in callers])
    await shop.admin.done("publishCampaignDraft", draftId=draft["id"], revision=1)
    await report()
    after = sum([(await caller.balances()).get(CASH, (0, 0))[0] for caller in callers])
    assert total(foreseen, CASH, "given") == after - before == 70


async def test_a_crowd_made_up_answers_the_same_for_the_same_seed(shop: Shop) -> None:
    await shop.publish([outcome(CONSUMER, POINTS, 10)], code="old")
    draft = (await shop.admin.done("saveCampaignDraft", **DRAFT | {"priority": 5}))["draft"]
    crowd = {"people": 50, "eventsPerDay": 60, "days": 3, "guides": 2, "preScannedPpm": 400_000}
    named = {"draftId": draft["id"], "madeUp": crowd | {"repeatedPpm": 100_000}}
    plain = {"draftId": draft["id"], "madeUp": {"people": 50, "eventsPerDay": 60, "days": 3}}
    first, second, other, as_told = await simulated(
        shop, *({**named, "seed": seed} for seed in (7, 7, 8)), {**plain, "seed": 7}
    )
    assert first == second != {**other, "seed": 7}
    report, compared = first["draft"], first["running"]
    assert report["events"] == compared["events"] > 180, "pre-scans come on top"
    assert {cost["campaignCode"] for cost in compared["costs"]} == {"old"}
    assert total(compared, POINTS, "given") == 10 * compared["paid"]
    assert len({cost["on"] for cost in report["costs"]}) == 3
    assert report["shortages"], "five packets are not enough"
    assert total(report, CASH, "given") + total(report, CASH, "locked") <= 1_400
    assert first["eventsDone"] == first["eventsTotal"] == 2 * report["events"]
    await the_command_line_says_the_same(shop, as_told["draft"])


async def the_command_line_says_the_same(shop: Shop, told: Any) -> None:
    picture, events = shop.folder / "spring.svg", shop.folder / "events.csv"
    command = ("campaigns", "simulate", "--brand", BRAND, "--code", "spring")
    crowd = ("--people", "50", "--events-per-day", "60", "--days", "3", "--seed", "7")
    said = await shop.host.run(*command, *crowd, "--picture", str(picture))
    for asset in (CASH, POINTS):
        for name in ("given", "locked", "drawn", "expected"):
            assert total(said["draft"], asset, name) == total(told, asset, name), (asset, name)
    assert {each["reason"]: each["times"] for each in told["unpaid"]} == said["draft"]["unpaid"]
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    scans = [f"2026-11-01T12:00:0{second}+08:00,ann,bottle {second}" for second in range(9)]
    events.write_text("\n".join(["at,person,item", *scans]), encoding="utf-8")
    said = await shop.host.run(*command, "--events", str(events))
    assert (said["draft"]["events"], said["draft"]["paid"]) == (9, 4), "four a member"


async def test_a_file_of_a_brands_own_events_is_tried(shop: Shop) -> None:
    fields = [{"name": "cups", "kind": "INT", "required": True}]
    await shop.admin.done(
        "registerEventType", code="coffee", nameZh="咖啡", nameEn="Coffee", fields=fields
    )
    await shop.publish(
        [outcome(CONSUMER, POINTS, 10)],
        event="CUSTOM",
        eventType="coffee",
        condition="custom.cups >= 2",
    )
    drunk = [f"2026-11-0{day}T12:00:00+08:00,ann,{day}" for day in range(1, 5)]
    file = shop.folder / "coffees.csv"
    file.write_text("\n".join(["at,person,custom.cups", *drunk]), encoding="utf-8")
    said = await shop.host.run(
        *("campaigns", "simulate", "--brand", BRAND, "--code", "scan", "--events", str(file))
    )
    assert (said["draft"]["events"], said["draft"]["paid"]) == (4, 3)
    assert total(said["draft"], POINTS, "given") == 30
