"""Scene 25, lawful promotion: published rules and odds, a prize ceiling, an age gate for alcohol,
tax withheld above the threshold; and everything is kept when the campaign is over."""

import csv
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest_asyncio

from loyalty.actor import OperatorRole
from loyalty.db import Database
from loyalty.ledger.audit import audit
from tests.api import Caller
from tests.clocks import SettableClock
from tests.graphql_schema.stage import CONSUMER, GUIDE, outcome
from tests.scenarios.drawn import Fair, fair_on
from tests.scenarios.raffled import balance

PACKET, TAX = 2_000_003, 400_001
"""Twenty thousand yuan and three fen; a fifth of it, half a fen up."""
DRAW: dict[str, Any] = {
    "prizes": [
        *[
            {"code": "GRAND", "nameZh": "大奖", "nameEn": "Grand", "asset": "CASH"}
            | {"amount": PACKET, "stock": 1}
        ],
        {"code": "SMALL", "nameZh": "小奖", "nameEn": "Small", "asset": "CASH", "amount": 1_000},
    ],
    "stages": [{"oddsFromPpm": 1_000_000, "entries": [{"prize": "GRAND", "weight": 1}]}],
    "consolation": "SMALL",
}
CAMPAIGN: dict[str, Any] = {"code": "baijiu", "nameZh": "开瓶有奖", "nameEn": "Open and win"}
RAFFLE: dict[str, Any] = {
    "code": "year",
    "nameZh": "年终大奖",
    "nameEn": "Year's end",
    "opensAt": "2026-12-01T00:00:00+08:00",
    "closesAt": "2026-12-10T00:00:00+08:00",
    "entriesMax": 1,
    "prizeTable": [
        {
            "poolMin": 1,
            "prizes": [
                {"nameZh": "金", "nameEn": "Gold", "winners": 1, "asset": "CASH", "amount": PACKET}
            ],
        }
    ],
}
RULES = """
query ($brand: String!) { promotions(brand: $brand) { code rules } }
"""
SCAN = """
mutation ($input: ScanCodeInput!) { scanCode(input: $input) { __typename
  ... on ScanCodeReceipt { scanId verdict unpaidReason product { ageMin } draw { prize { code } }
    rewards { asset amount withheld { grossFen taxFen netFen } } }
  ... on Refused { code message } } }
"""
WITHHELD = """
{ withholdings { nodes { prizeKind memberId grossFen taxFen netFen returnedFen ratePercent
  thresholdFen } } }
"""


@pytest_asyncio.fixture
async def fair(clocked_db: Database, clock: SettableClock, tmp_path: Path) -> AsyncIterator[Fair]:
    async with fair_on(clocked_db, clock, tmp_path) as fair:
        fair.set_clock("2026-12-01T12:00:00+08:00")
        stage = fair.stage
        await stage.admin.done("setProductAgeMin", productId=stage.product_id, ageMin=18)
        terms = {"thresholdFen": 1_000_000, "ratePercent": 20}
        await stage.operator(OperatorRole.FINANCE).done("setWithholding", **terms)
        yield fair


async def scanned(person: Caller, code: str, key: str) -> Any:
    return (await person.ask(SCAN, input={"code": code, "idempotencyKey": key}))["scanCode"]


async def downloaded(caller: Caller) -> list[dict[str, str]]:
    headers = {"authorization": f"Bearer {caller.token}"}
    reply = await caller.api.client.get("/downloads/withholdings.csv", headers=headers)
    assert reply.status_code == 200, reply.text
    return list(csv.DictReader(StringIO(reply.content.decode("utf-8-sig"))))


async def drafted_and_published(fair: Fair) -> Any:
    """The campaign: over 50,000 yuan at once it is refused while it is being written, and anybody
    reads its rules and odds."""
    stage = fair.stage
    outcomes = [outcome(CONSUMER, 10), outcome(GUIDE, 3)]
    [grand, *others] = DRAW["prizes"]
    lavish = DRAW | {"prizes": [grand | {"amount": 5_000_001}, *others]}
    refused = await stage.admin.do("saveCampaignDraft", **CAMPAIGN, outcomes=outcomes, draw=lavish)
    assert refused["code"] == "INVALID_INPUT" and "ceiling" in refused["message"]
    campaign = (await stage.publish(outcomes, **CAMPAIGN, draw=DRAW))["campaign"]
    await fair.work()
    running = (await stage.api.nobody.ask(RULES, brand=stage.slug))["promotions"]
    [rules] = [each["rules"] for each in running if each["code"] == CAMPAIGN["code"]]
    assert "100" in str(rules) and "Grand" in str(rules), "odds and prizes"
    return campaign


async def raffled(fair: Fair, person: Caller) -> None:
    """The person wins a raffle that is over then."""
    raffle = (await fair.stage.admin.done("createRaffle", **RAFFLE))["raffle"]
    await person.done("enterRaffle", raffleId=raffle["id"])
    fair.set_clock("2026-12-10T12:00:00+08:00")
    await fair.work()


async def test_a_promotion_is_lawful_from_its_draft_to_its_records(fair: Fair) -> None:
    stage, finance = fair.stage, fair.stage.operator(OperatorRole.FINANCE)
    campaign = await drafted_and_published(fair)

    # Who has not said how old it is, and who is too young, is paid nothing and takes nothing away.
    [inner, outer] = await stage.codes(2, "INNER", "OUTER")
    guide = await stage.guide("13900139001")
    assert (await scanned(guide, outer[0], "sale"))["verdict"] == "FIRST", "guides sell"
    alice, young = await stage.member("13800138001"), await stage.member("13800138002")
    fair.people = [alice]
    await young.done("confirmAge", age=16)
    for person, key in ((young, "young"), (alice, "alice")):
        told = await scanned(person, inner[0], key)
        assert (told["unpaidReason"], told["rewards"], told["draw"]) == ("AGE", [], None)
        assert told["product"]["ageMin"] == 18
    late = await young.do("confirmAge", age=18)
    assert late["code"] == "AGE_CONTRADICTED"
    assert await balance(guide, "POINTS") == 0

    # Having confirmed it, the same member scans the same bottle again, and wins; so does the guide.
    assert (await alice.done("confirmAge", age=18))["ageConfirmed"] == 18
    assert (await alice.ask("{ me { ageConfirmed } }"))["me"] == {"ageConfirmed": 18}
    won = await scanned(alice, inner[0], "alice again")
    assert won["unpaidReason"] is None and won["draw"]["prize"]["code"] == "GRAND"
    taxed = {"grossFen": PACKET, "taxFen": TAX, "netFen": PACKET - TAX}
    assert won["rewards"][1] == {"asset": "CASH", "amount": PACKET, "withheld": taxed}
    assert await balance(alice, "CASH") == PACKET - TAX
    assert await balance(guide, "POINTS") == 3
    small = await scanned(alice, inner[1], "alice once more")
    assert small["rewards"][1] == {"asset": "CASH", "amount": 1_000, "withheld": None}

    # Of a raffle's prize it is the same.
    await raffled(fair, alice)
    assert await balance(alice, "CASH") == 2 * (PACKET - TAX) + 1_000

    # The campaign is over; what was withheld stays on record, and draws stay verifiable.
    await stage.admin.done("endCampaign", campaignId=campaign["id"], reason="the year is over")
    fair.set_clock("2027-12-01T12:00:00+08:00")
    await fair.work()
    rows = (await finance.ask(WITHHELD))["withholdings"]["nodes"]
    assert [row["prizeKind"] for row in rows] == ["RAFFLE", "DRAW"]
    assert {(row["grossFen"], row["taxFen"], row["netFen"]) for row in rows} == {
        tuple(taxed.values())
    }
    assert [row["tax_fen"] for row in await downloaded(finance)] == 2 * [str(TAX)]
    report = await fair.verified()
    assert report.receipts == 2 and not report.broken, report.examples
    assert await fair.offences() == []

    # Taking the scan back takes both parts back, and gives the budget the whole.
    await stage.admin.done("reverseScan", scanId=won["scanId"], reason="a returned bottle")
    assert await balance(alice, "CASH") == PACKET - TAX + 1_000
    rows = (await finance.ask(WITHHELD))["withholdings"]["nodes"]
    assert [row["returnedFen"] for row in rows] == [0, TAX]
    assert await fair.offences() == []


async def test_an_operator_puts_right_what_somebody_mistyped(fair: Fair) -> None:
    await drafted_and_published(fair)
    [[code]] = await fair.stage.codes(1)
    member = await fair.stage.member("13800138003")
    await member.done("confirmAge", age=2)
    assert (await scanned(member, code, "too young"))["unpaidReason"] == "AGE"
    assert (await member.do("confirmAge", age=20))["code"] == "AGE_CONTRADICTED"
    right = {"memberId": (await member.me())["id"], "age": 20, "reason": "身份证"}
    assert (await fair.stage.admin.done("correctAge", **right))["ageConfirmed"] == 20
    assert (await member.ask("{ me { ageConfirmed } }"))["me"] == {"ageConfirmed": 20}
    assert (await scanned(member, code, "of age"))["unpaidReason"] is None
    assert [check.name for check in await audit(fair.db) if check.broken] == []
