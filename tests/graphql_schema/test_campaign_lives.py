"""Campaigns as operators write, publish, pause and end them, and whom their conditions choose."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest_asyncio
from sqlalchemy import select

from loyalty.actor import OperatorRole
from loyalty.audit_log import AuditLogEntry
from loyalty.db import Database
from loyalty.ledger.audit import audit
from loyalty.settings import Settings
from tests.api import Api, Caller, api_in_process
from tests.graphql_schema.stage import BOTH_PAID, CONSUMER, GUIDE, SCAN_CAMPAIGN, Stage, outcome

ALICE, BOB, WANG = "13800138001", "13800138002", "13900139001"
DRAFTS = """
{ campaignDrafts { nodes { id code revision nameZh nameEn event gate priority startsAt endsAt
    condition product { sku } outcomes { beneficiary asset amount lock { kind } }
    caps { subject window timesMax } budgets { asset allowed }
    returnPolicies { beneficiary policy } } } }
"""
CAMPAIGNS = "{ campaigns { nodes { id code status condition caps { subject window timesMax } } } }"
WHOLE: dict[str, Any] = SCAN_CAMPAIGN | {
    "outcomes": [
        outcome(CONSUMER, 100),
        outcome(CONSUMER, 500, "CASH") | {"lock": {"kind": "ACTION", "action": "follow"}},
        outcome(GUIDE, 30),
    ],
    "gate": "CONSUMER_SCAN",
    "priority": 7,
    "startsAt": "2026-11-01T00:00:00+08:00",
    "endsAt": "2099-12-01T00:00:00+08:00",
    "caps": [{"subject": "MEMBER", "window": "DAY", "timesMax": 3}],
    "budgets": [{"asset": "CASH", "allowed": 100_000}],
    "returnPolicies": [{"beneficiary": CONSUMER, "policy": "UNLIMITED"}],
    "condition": "tier.rank >= 0 && counters.memberTotal < 10",
}
WHY = {"reason": "the season is over"}


@pytest_asyncio.fixture(loop_scope="module")
async def another_server(settings: Settings, api: Api) -> AsyncIterator[Api]:
    async with api_in_process(settings) as other:
        yield other


async def scanned(stage: Stage, caller: Caller, code: str | None = None) -> Any:
    """Why a scan was not paid, or what it was paid."""
    reply = await caller.done("scanCode", code=code or await stage.code())
    return reply["unpaidReason"] or {r["asset"]: r["amount"] for r in reply["rewards"]}


async def test_a_draft_is_read_as_it_was_saved_and_published_as_it_was_read(stage: Stage) -> None:
    saved = await stage.admin.done("saveCampaignDraft", **WHOLE, productId=stage.product_id)
    [draft] = (await stage.admin.ask(DRAFTS))["campaignDrafts"]["nodes"]
    assert draft == {
        **{name: WHOLE[name] for name in ("code", "nameZh", "nameEn", "gate", "priority", "caps")},
        "id": saved["draft"]["id"],
        "revision": 1,
        "event": "SCAN",
        "startsAt": "2026-10-31T16:00:00+00:00",
        "endsAt": "2099-11-30T16:00:00+00:00",
        "condition": WHOLE["condition"],
        "product": {"sku": "SKU-1"},
        "outcomes": [
            {"lock": None} | WHOLE["outcomes"][0],
            WHOLE["outcomes"][1] | {"lock": {"kind": "ACTION"}},
            {"lock": None} | WHOLE["outcomes"][2],
        ],
        "budgets": WHOLE["budgets"],
        "returnPolicies": [
            {"beneficiary": CONSUMER, "policy": "UNLIMITED"},
            {"beneficiary": GUIDE, "policy": "WITHIN_BALANCE"},
        ],
    }
    named = {"draftId": draft["id"], "revision": 1}
    published = (await stage.admin.done("publishCampaignDraft", **named))["campaign"]
    assert (published["code"], published["version"], published["status"]) == ("scan", 1, "RUNNING")
    assert (await stage.admin.ask(DRAFTS))["campaignDrafts"]["nodes"] == []
    shown = (await stage.admin.ask(CAMPAIGNS))["campaigns"]["nodes"][0]
    assert shown["condition"] == WHOLE["condition"]
    assert shown["caps"] == WHOLE["caps"]  # what only counts for the condition limits nothing

    gone = await stage.admin.do("publishCampaignDraft", **named)
    assert (gone["code"], gone["details"]) == ("NOT_FOUND", {"noun": "draft"})
    again = await stage.admin.done("saveCampaignDraft", **WHOLE)
    named["draftId"] = again["draft"]["id"]
    assert (await stage.admin.done("publishCampaignDraft", **named))["campaign"]["version"] == 2


async def test_of_two_who_save_one_draft_at_once_one_is_told_of_the_other(stage: Stage) -> None:
    draft = (await stage.admin.done("saveCampaignDraft", **WHOLE))["draft"]
    from_first = {"draftId": draft["id"], "revision": 1}
    operators = [stage.admin, stage.operator(OperatorRole.MARKETER)]
    replies = await asyncio.gather(
        *(
            operator.do("saveCampaignDraft", **WHOLE | from_first | {"priority": priority})
            for priority, operator in enumerate(operators)
        )
    )
    refused, saved = sorted(replies, key=lambda reply: reply.get("code") is None)
    assert (refused["code"], refused["details"]) == ("DRAFT_CHANGED", {"revision": 2})
    assert saved["draft"]["revision"] == 2
    [kept] = (await stage.admin.ask(DRAFTS))["campaignDrafts"]["nodes"]
    assert kept["priority"] == replies.index(saved)
    for mutation in ("deleteCampaignDraft", "publishCampaignDraft"):
        assert (await stage.admin.do(mutation, **from_first))["code"] == "DRAFT_CHANGED"
    await stage.admin.done("deleteCampaignDraft", draftId=draft["id"], revision=2)
    gone = await stage.admin.do("saveCampaignDraft", **WHOLE | {**from_first, "revision": 2})
    assert gone["code"] == "NOT_FOUND"


def cash(amount: int) -> list[dict[str, Any]]:
    return [outcome(CONSUMER, amount, "CASH")]


BAD_DRAFTS: list[tuple[dict[str, Any], str, str]] = [
    ({"endsAt": "2026-11-01T00:00:00+08:00"}, "endsAt", "after startsAt"),
    ({"startsAt": None, "endsAt": "2026-11-01T00:00:00Z"}, "endsAt", "is over already"),
    ({"startsAt": "2026-11-01T00:00:00"}, "startsAt", "time zone"),
    ({"budgets": [{"asset": "CASH", "allowed": 499}]}, "budgets.CASH", "one event costs 500"),
    ({"budgets": [{"asset": "POINTS", "allowed": 129}]}, "budgets.POINTS", "costs 130"),
    ({"budgets": [{"asset": "STARS", "allowed": 1}]}, "budgets.STARS", "no such asset"),
    (
        {"outcomes": cash(5_000_001), "gate": "NONE", "budgets": []},
        "outcomes[0].amount",
        "5000000 fen",
    ),
    (
        {
            "outcomes": [*cash(3_000_000), cash(2_000_001)[0] | {"lock": {"kind": "NEXT_SCAN"}}],
            "gate": "NONE",
            "budgets": [],
        },
        "outcomes[1].amount",
        "5000000 fen",
    ),
    ({"outcomes": []}, "outcomes", "1 to 50"),
    ({"priority": 1001}, "priority", "-1000 to 1000"),
    ({"code": ""}, "code", "1 to 40"),
    ({"condition": ""}, "condition", "1 to 500"),
    ({"condition": "member.isOld"}, "condition", "line 1, column 1: unknown fact 'member.isOld'"),
    ({"condition": "true &&\n  old()"}, "condition", "line 2, column 3: unknown function 'old'"),
    ({"condition": "tier.rank == 'GOLD'"}, "condition", "line 1, column 11: == has no meaning"),
    ({"condition": "event.amountFen > 1"}, "condition", "line 1, column 1: unknown fact"),
    ({"condition": "tier.rank"}, "condition", "line 1, column 1: must be a bool"),
    ({"condition": "calendar.day > 31"}, "condition", "nobody can ever meet this"),
    ({"draftId": "of a draft", "revision": None}, "revision", "or neither"),
    ({"revision": 1}, "draftId", "or neither"),
]


async def test_whatever_is_wrong_with_a_draft_is_told_with_its_path(stage: Stage) -> None:
    for wrong, field, problem in BAD_DRAFTS:
        named = {"draftId": stage.unknown_id("CampaignDraft")} if "draftId" in wrong else {}
        refused = await stage.admin.do("saveCampaignDraft", **WHOLE | wrong | named)
        assert refused["__typename"] == "Refused", wrong
        assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", field)
        assert problem in refused["details"]["problem"]
        if "draftId" not in wrong and "revision" not in wrong:
            told = await stage.admin.do("publishCampaign", **WHOLE | wrong)
            assert told == refused
    assert (await stage.admin.ask(DRAFTS))["campaignDrafts"]["nodes"] == []

    draft = (await stage.admin.done("saveCampaignDraft", **WHOLE))["draft"]
    other = WHOLE | {"code": "other", "draftId": draft["id"], "revision": 1}
    refused = await stage.admin.do("saveCampaignDraft", **other)
    assert refused["details"]["field"] == "code"
    refused = await stage.admin.do("saveCampaignDraft", **WHOLE)
    assert (refused["code"], refused["details"]["noun"]) == ("ALREADY_EXISTS", "draft")


async def test_a_brand_with_a_lower_ceiling_promises_no_more_than_that(stage: Stage) -> None:
    strict = await stage.sister("strict", prize_ceiling_fen=100)
    await strict.publish(cash(100))
    refused = await strict.admin.do("saveCampaignDraft", **SCAN_CAMPAIGN, outcomes=cash(101))
    assert refused["details"]["field"] == "outcomes[0].amount"


async def test_a_paused_campaign_pays_nothing_on_any_server_until_it_is_resumed(
    stage: Stage, another_server: Api, db: Database
) -> None:
    campaign = {"campaignId": (await stage.publish())["campaign"]["id"]}
    alice = await stage.member(ALICE)
    there = replace(alice, api=another_server)
    code = await stage.code()
    for caller in (alice, there):  # both servers hold the campaign now
        assert await scanned(stage, caller) == {"POINTS": 100}
    paused = (await stage.admin.done("pauseCampaign", **campaign, **WHY))["campaign"]
    assert (paused["status"], paused["endedAt"]) == ("PAUSED", None)
    for caller in (there, alice):
        assert await scanned(stage, caller, code) == "NO_CAMPAIGN"
    refused = await stage.admin.do("pauseCampaign", **campaign, **WHY)
    assert refused["details"] == {"status": "PAUSED", "wanted": "PAUSED"}
    await stage.publish(priority=1)  # a version that waits with it
    assert await scanned(stage, there, code) == "NO_CAMPAIGN"
    await stage.admin.done("resumeCampaign", **campaign, **WHY)
    assert await scanned(stage, there, code) == {"POINTS": 100}  # its claim was not consumed
    assert await scanned(stage, alice, code) == "ALREADY_CLAIMED"

    log = AuditLogEntry.__table__  # type: ignore[attr-defined]
    async with db.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        found = await connection.execute(
            select(log.c.action, log.c.reason).where(
                log.c.brand_id == stage.brand_id, log.c.action.startswith("campaign.")
            )
        )
        assert sorted(tuple(row) for row in found) == [
            ("campaign.pause", WHY["reason"]),
            ("campaign.resume", WHY["reason"]),
        ]


async def test_an_ended_campaign_keeps_its_promises_and_never_comes_back(
    stage: Stage, db: Database
) -> None:
    waits = outcome(CONSUMER, 500, "CASH") | {"lock": {"kind": "ACTION", "action": "follow"}}
    outcomes = [outcome(CONSUMER, 100), waits, outcome(GUIDE, 30)]
    published = await stage.publish(outcomes, gate="CONSUMER_SCAN", priority=5)
    campaign = {"campaignId": published["campaign"]["id"]}
    await stage.publish(BOTH_PAID, code="next", gate="CONSUMER_SCAN")
    [[inner, _], [outer, _]] = await stage.codes(2, "INNER", "OUTER")
    guide, alice = await stage.guide(WANG), await stage.member(ALICE)
    await guide.done("scanCode", code=outer)
    assert await scanned(stage, alice) == {"POINTS": 100, "CASH": 500}
    ended = (await stage.admin.done("endCampaign", **campaign, **WHY))["campaign"]
    assert ended["status"] == "ENDED"
    assert ended["endedAt"] is not None

    assert (await guide.balances())["POINTS"] == (0, 30)
    assert await scanned(stage, alice, inner) == {"POINTS": 100}  # by the next campaign
    assert (await guide.balances())["POINTS"] == (30, 0)  # what the ended one had locked
    await stage.admin.done("reportAction", memberId=(await alice.me())["id"], action="follow")
    assert (await alice.balances())["CASH"] == (500, 0)

    for mutation in ("pauseCampaign", "resumeCampaign", "endCampaign"):
        refused = await stage.admin.do(mutation, **campaign, **WHY)
        assert refused["code"] == "CAMPAIGN_STATE_WRONG"
    for mutation in ("publishCampaign", "saveCampaignDraft"):
        refused = await stage.admin.do(mutation, **SCAN_CAMPAIGN, outcomes=outcomes)
        assert refused["details"] == {"status": "ENDED", "wanted": "PUBLISHED"}
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_the_condition_chooses_the_campaign_of_a_scan_by_priority(
    stage: Stage, db: Database
) -> None:
    def of(amount: int, code: str, priority: int, condition: str | None) -> dict[str, Any]:
        return {
            "outcomes": [outcome(CONSUMER, amount)],
            "code": code,
            "priority": priority,
            "condition": condition,
        }

    await stage.publish(**of(1, "everybody", 0, None))
    await stage.publish(**of(2, "newcomers", 1, "member.isNew"))
    await stage.publish(**of(3, "at-the-shelf", 2, "event.scene == 'shelf' && !event.located"))
    await stage.publish(**of(4, "invited", 3, "member.isInvited && counters.memberTotal < 1"))
    await stage.publish(**of(5, "broken", 4, "1 / counters.memberToday > 0"))
    alice = await stage.member(ALICE)

    async def paid(caller: Caller, **more: Any) -> int:
        reply = await caller.done("scanCode", code=await stage.code(), **more)
        [reward] = reply["rewards"]
        return int(reward["amount"])

    assert [await paid(alice), await paid(alice), await paid(alice, scene="shelf")] == [2, 1, 3]
    await alice.done("inviteMember", phone=BOB)
    bob = await stage.member(BOB)
    assert [await paid(bob, scene="shelf"), await paid(bob)] == [4, 1]
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_a_condition_counts_paid_scans_and_what_is_reversed_is_given_back(
    stage: Stage, db: Database
) -> None:
    twice = "counters.memberToday < 2 && counters.memberTotal < 2"
    await stage.publish([outcome(CONSUMER, 10)], condition=twice)
    alice, bob = await stage.member(ALICE), await stage.member(BOB)
    scans = [await alice.done("scanCode", code=await stage.code()) for _ in range(2)]
    assert await scanned(stage, alice) == "NO_CAMPAIGN"
    assert await scanned(stage, bob) == {"POINTS": 10}
    await stage.admin.done("reverseScan", scanId=scans[0]["scanId"], reason="by mistake")
    assert await scanned(stage, alice) == {"POINTS": 10}
    assert await scanned(stage, alice) == "NO_CAMPAIGN"
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_the_condition_chooses_the_campaign_of_a_purchase(stage: Stage, db: Database) -> None:
    per_yuan = outcome(CONSUMER, 5) | {"basis": "PER_CURRENCY_UNIT"}
    large = {
        "code": "large",
        "nameZh": "大单",
        "nameEn": "Large",
        "event": "PURCHASE",
        "outcomes": [per_yuan],
        "priority": 1,
        "condition": "event.amountFen >= 10000 && event.source == 'TILL'"
        " && counters.memberTotal < 1 && calendar.date == '2026-11-02'",
    }
    await stage.admin.done("publishCampaign", **large)
    till = stage.operator(OperatorRole.FINANCE)

    async def points(ref: str, amount_fen: int, source: str = "TILL") -> int:
        sold = {"amountFen": amount_fen, "quantity": 1, "source": source, "phone": ALICE}
        at = {"occurredAt": "2026-11-02T12:00:00+08:00", "purchaseRef": ref}
        receipt = await till.done("recordPurchase", **sold, **at)
        return int({e["asset"]: e["amount"] for e in receipt["earned"]}["POINTS"])

    assert await points("T-1", 9_900) == 99  # by the campaign that every brand begins with
    assert await points("T-2", 10_000, "ORDER") == 100
    assert await points("T-3", 10_000) == 500
    assert await points("T-4", 10_000) == 100
    back = {"purchaseRef": "T-3", "returnRef": "R-1", "amountFen": 10_000, "reason": "broken"}
    await till.done("returnPurchase", **back)
    assert await points("T-5", 10_000) == 500
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_a_pre_scan_answers_a_condition_only_where_it_earns(stage: Stage) -> None:
    guide, alice = await stage.guide(WANG), await stage.member(ALICE)
    await stage.publish(BOTH_PAID, condition="member.role == 'CONSUMER' && member.isNew")
    [[inner], [outer]] = await stage.codes(1, "INNER", "OUTER")
    assert await scanned(stage, guide, outer) == "AWAITS_CONSUMER"  # it names the guide
    assert await scanned(stage, alice, inner) == {"POINTS": 100}
    assert (await guide.balances())["POINTS"] == (30, 0)

    gated = {"gate": "CONSUMER_SCAN", "condition": "member.role == 'GUIDE' || tier.rank > 0"}
    await stage.publish(BOTH_PAID, **gated)
    [[inner], [outer]] = await stage.codes(1, "INNER", "OUTER")
    assert await scanned(stage, guide, outer) == {"POINTS": 30}
    assert await scanned(stage, alice, inner) == "NO_CAMPAIGN"
    assert (await guide.balances())["POINTS"] == (30, 30)
