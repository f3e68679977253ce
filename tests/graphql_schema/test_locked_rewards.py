"""Locked rewards and scans taken back, as members and operators see them."""

from datetime import datetime, timedelta
from typing import Any

from loyalty.actor import OperatorRole
from tests.api import Api, Caller
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, outcome

LOCKED = """
query ($status: LockedRewardStatus, $first: Int, $after: String) { me { id
  lockedRewards(status: $status, first: $first, after: $after) {
    nodes { id asset amount status memberId grantedAt endedAt
            lock { kind stillToCome action unlocksAt lapsesAt condition } }
    pageInfo { hasNextPage endCursor } } } }
"""
SCAN = """
mutation ($input: ScanCodeInput!) { scanCode(input: $input) { ... on ScanCodeReceipt {
  replayed scanId unlocked { id asset amount }
  rewards { asset amount locked lock { kind stillToCome condition } } } } }
"""
CAMPAIGNS = """
{ campaigns(first: 1) { nodes { outcomes { beneficiary asset amount
    lock { kind count action after on lapsesAfter } }
  returnPolicies { beneficiary policy } } } }
"""
ANN, BOB, GUS = "13800138001", "13800138002", "13800138003"


def locked(kind: str, amount: int = 500, **lock: Any) -> dict[str, Any]:
    """Cash for the consumer, once this happens."""
    return {**outcome(CONSUMER, amount, "CASH"), "lock": {"kind": kind, **lock}}


async def rewards_of(caller: Caller, **page: Any) -> list[Any]:
    me = (await caller.ask(LOCKED, **page))["me"]
    return list(me["lockedRewards"]["nodes"])


async def test_a_first_scan_pays_and_leaves_a_red_packet_for_the_next_one(stage: Stage) -> None:
    await stage.publish([outcome(CONSUMER, 100), locked("NEXT_SCAN", count=1, lapsesAfter="P7D")])
    ann = await stage.member(ANN)
    input = {"code": await stage.code(), "idempotencyKey": "first"}
    [paid, waiting] = (await ann.ask(SCAN, input=input))["scanCode"]["rewards"]
    assert paid == {"asset": "POINTS", "amount": 100, "locked": False, "lock": None}
    told = waiting["lock"]
    assert (waiting["asset"], waiting["amount"], told["kind"]) == ("CASH", 500, "NEXT_SCAN")
    assert told["condition"].startswith("Unlocks with your next scan, before 20")
    assert (await ann.ask(SCAN, input=input))["scanCode"]["rewards"][1] == waiting  # replayed

    [reward] = await rewards_of(ann)
    assert (reward["status"], reward["lock"]["stillToCome"]) == ("LOCKED", 1)
    granted, lapses = (
        datetime.fromisoformat(at) for at in (reward["grantedAt"], reward["lock"]["lapsesAt"])
    )
    assert lapses - granted == timedelta(days=7)
    second = {"code": await stage.code(), "idempotencyKey": "second"}
    told = (await ann.ask(SCAN, input=second))["scanCode"]
    assert told["unlocked"] == [{"id": reward["id"], "asset": "CASH", "amount": 500}]
    assert (await ann.ask(SCAN, input=second))["scanCode"] == told | {"replayed": True}
    assert (await ann.ask(SCAN, input=input))["scanCode"]["unlocked"] == []
    assert (await ann.balances())["CASH"] == (500, 500)
    [newer, older] = await rewards_of(ann)
    assert (newer["status"], older["status"]) == ("LOCKED", "UNLOCKED")
    assert older["endedAt"] is not None
    assert [row["id"] for row in await rewards_of(ann, status="LOCKED")] == [newer["id"]]
    assert await rewards_of(ann, status="LAPSED") == []


async def test_what_a_reward_waits_for_is_said_in_both_languages(stage: Stage, api: Api) -> None:
    published = [
        locked("NEXT_SCAN", 1, count=3),
        locked("ACTION", 2, action="follow", lapsesAfter="PT36H"),
        locked("ACTION", 3, action="joined_group"),
        locked("AFTER", 4, after="P2W"),
        locked("ON", 5, on="2999-01-01"),
    ]
    policies = [{"beneficiary": "CONSUMER", "policy": "UNLIMITED"}]
    await stage.publish(published, returnPolicies=policies)
    ann = await stage.member(ANN)
    await ann.done("scanCode", code=await stage.code())
    told = {}
    for language in ("en", "zh-CN"):
        caller = api.signed_in(ann.token or "", language)
        rows = await rewards_of(caller)
        told[language] = [row["lock"]["condition"] for row in reversed(rows)]
    scans, follow, group, after, on = told["en"]
    assert (scans, group) == ("Unlocks after 3 more scans", "Unlocks after “joined_group” is done")
    assert follow.startswith("Unlocks after following the official account, before 20")
    assert after.startswith("Unlocks on 20")
    assert on == "Unlocks on 2999-01-01 00:00"  # where the brand is
    scans, follow, group, after, on = told["zh-CN"]
    assert (scans, group, on) == (
        "再扫码3次后解锁",
        "完成“joined_group”后解锁",
        "2999-01-01 00:00解锁",
    )
    assert follow.startswith("关注公众号后解锁，20")
    assert follow.endswith("前有效")

    [campaign] = (await stage.admin.ask(CAMPAIGNS))["campaigns"]["nodes"]
    assert campaign["returnPolicies"] == policies
    nothing = dict.fromkeys(("count", "action", "after", "on", "lapsesAfter"))
    assert [part["lock"] for part in campaign["outcomes"]] == [
        {**nothing, "kind": "NEXT_SCAN", "count": 3},
        {**nothing, "kind": "ACTION", "action": "follow", "lapsesAfter": "P1DT12H"},
        {**nothing, "kind": "ACTION", "action": "joined_group"},
        {**nothing, "kind": "AFTER", "after": "P14D"},
        {**nothing, "kind": "ON", "on": "2999-01-01"},
    ]


async def test_an_operator_reports_actions_and_takes_back_what_is_locked(stage: Stage) -> None:
    await stage.publish(
        [locked("ACTION", 2, action="follow"), locked("ACTION", 3, action="wecom_contact")]
    )
    ann, bob = await stage.member(ANN), await stage.member(BOB)
    await ann.done("scanCode", code=await stage.code())
    await bob.done("scanCode", code=await stage.code())
    marketer = stage.operator(OperatorRole.MARKETER)
    member_id = (await ann.me())["id"]
    report = {"memberId": member_id, "action": "follow", "idempotencyKey": "callback 1"}
    assert await marketer.done("reportAction", **report) == {
        "__typename": "ReportActionReceipt",
        "replayed": False,
        "unlocked": 1,
    }
    assert (await marketer.done("reportAction", **report))["replayed"]
    stranger = {"memberId": stage.unknown_id("Member"), "action": "follow"}
    assert (await marketer.do("reportAction", **stranger))["code"] == "NOT_FOUND"
    assert (await ann.balances())["CASH"] == (2, 3)

    [waiting] = await rewards_of(ann, status="LOCKED")
    finance = stage.operator(OperatorRole.FINANCE)
    wanted = {"lockedRewardId": waiting["id"], "reason": "fraud"}
    done = await finance.done("voidLockedReward", **wanted)
    assert done["lockedReward"]["status"] == "VOIDED"
    refused = await finance.do("voidLockedReward", **wanted)
    assert (refused["code"], refused["details"]) == ("LOCKED_REWARD_ENDED", {"status": "VOIDED"})
    node = "query ($id: ID!) { node(id: $id) { ... on LockedReward { amount status } } }"
    seen = [(await who.ask(node, id=waiting["id"]))["node"] for who in (ann, finance, bob)]
    assert seen == [{"amount": 3, "status": "VOIDED"}] * 2 + [None]


async def test_locked_rewards_come_in_pages_also_those_of_many_members(stage: Stage) -> None:
    await stage.publish([locked("NEXT_SCAN", count=9)])
    ann, bob = await stage.member(ANN), await stage.member(BOB)
    [codes] = await stage.codes(3)
    for caller, code in ((ann, codes[0]), (ann, codes[1]), (bob, codes[2])):
        await caller.done("scanCode", code=code)
    me = (await ann.ask(LOCKED, first=1))["me"]["lockedRewards"]
    assert (len(me["nodes"]), me["pageInfo"]["hasNextPage"]) == (1, True)
    [older] = await rewards_of(ann, first=1, after=me["pageInfo"]["endCursor"])
    assert (me["nodes"][0]["lock"]["stillToCome"], older["lock"]["stillToCome"]) == (9, 8)
    listed = await stage.admin.ask(
        "{ members { nodes { id lockedRewards { nodes { memberId amount } } } } }"
    )
    for member in listed["members"]["nodes"]:
        rows = member["lockedRewards"]["nodes"]
        assert {row["memberId"] for row in rows} == {member["id"]}
    assert sorted(len(m["lockedRewards"]["nodes"]) for m in listed["members"]["nodes"]) == [1, 2]


async def test_finance_takes_a_scan_back_from_both_whom_it_paid(stage: Stage) -> None:
    await stage.publish(
        [outcome(CONSUMER, 100), outcome(GUIDE, 30), locked("NEXT_SCAN")], gate="CONSUMER_SCAN"
    )
    guide, ann = await stage.guide(GUS), await stage.member(ANN)
    [[inner], [outer]] = await stage.codes(1, "INNER", "OUTER")
    await guide.done("scanCode", code=outer)
    scan_id = (await ann.done("scanCode", code=inner))["scanId"]
    finance = stage.operator(OperatorRole.FINANCE)
    wanted = {"scanId": scan_id, "reason": "the seller scanned it", "idempotencyKey": "back"}
    done = await finance.done("reverseScan", **wanted)
    nothing = {"taken": 0, "owed": 0, "voided": 0, "left": 0}
    assert done["legs"] == [
        {"beneficiary": CONSUMER, "asset": "CASH", **nothing, "voided": 500},
        {"beneficiary": CONSUMER, "asset": "POINTS", **nothing, "taken": 100},
        {"beneficiary": GUIDE, "asset": "POINTS", **nothing, "taken": 30},
    ]
    assert done["scan"]["reversedAt"] is not None
    assert await finance.done("reverseScan", **wanted) == {**done, "replayed": True}
    refused = await finance.do("reverseScan", **wanted | {"idempotencyKey": "again"})
    assert refused["code"] == "SCAN_NOT_REVERSIBLE"
    assert refused["details"] == {"reason": "ALREADY_REVERSED"}
    assert await ann.balances() == {"POINTS": (0, 0), "CASH": (0, 0)}
    assert (await guide.balances())["POINTS"] == (0, 0)
    listed = await stage.admin.ask("{ scans { nodes { id reversedAt } } }")
    reversed_at = {row["id"]: row["reversedAt"] for row in listed["scans"]["nodes"]}
    assert [id for id, at in reversed_at.items() if at] == [scan_id]
