"""Value by hand, as operators do it: assets, moves, holds, adjustments, reversals."""

from typing import Any
from uuid import uuid4

from loyalty.actor import OperatorRole
from loyalty.db import Database
from loyalty.holds.service import lapse_balance_holds
from tests.api import Caller, document_of
from tests.graphql_schema.stage import CONSUMER, Stage, all_rows, outcome

ALICE, BOB, CAROL, DAVE = (f"1380013800{number}" for number in range(1, 5))
EARNED = 1_000

ASSETS = """
{ assets { code name status adjustmentLimit expiry { kind unit count plusUnit on text } } }
"""
HOLDS = """
query ($memberId: ID!, $first: Int, $after: String) {
  holds(memberId: $memberId, first: $first, after: $after) {
    nodes { id memberId asset amount captured status reason endedAt }
    pageInfo { hasNextPage endCursor } } }
"""
ADJUSTMENTS = """
query ($status: AdjustmentStatus, $memberId: ID) {
  adjustments(status: $status, memberId: $memberId) {
    nodes { id amount status reason decisionReason proposedById decidedById } } }
"""


async def with_points(stage: Stage, phone: str = ALICE) -> tuple[Caller, str]:
    """A consumer who earned EARNED points, and its member's global id."""
    await stage.publish([outcome(CONSUMER, EARNED)])
    member = await stage.member(phone)
    await member.done("scanCode", code=await stage.code())
    return member, (await member.me())["id"]


async def points(member: Caller) -> tuple[int, int]:
    """(balance, spendable)"""
    found = {b["asset"]: b for b in (await member.me())["balances"]}["POINTS"]
    return found["balance"], found["spendable"]


async def repeated(caller: Caller, mutation: str, **input: Any) -> Any:
    """The receipt of a mutation that is sent twice under one key, and is replayed."""
    key = {"idempotencyKey": str(uuid4())}
    first = await caller.done(mutation, **input, **key)
    assert await caller.done(mutation, **input, **key) == first | {"replayed": True}
    return first


# --- assets ------------------------------------------------------------------------------------


async def test_a_brand_has_four_assets_and_its_own_and_says_how_long_they_are_good(
    stage: Stage,
) -> None:
    finance = stage.operator(OperatorRole.FINANCE)
    stars = {"code": "STARS", "nameZh": "星星", "nameEn": "Stars", "adjustmentLimit": 5}
    policy = {"kind": "PERIOD_END", "unit": "QUARTER", "plusUnit": "MONTH", "count": 1}
    made = await repeated(finance, "createAsset", **stars, expiry=policy)
    assert made["asset"]["expiry"] == policy | {
        "on": None,
        "text": "Good until the end of the quarter of earning and 1 month more",
    }
    again = await finance.do("createAsset", **stars)
    assert (again["code"], again["details"]["field"]) == ("ALREADY_EXISTS", "code")

    member = await stage.member(ALICE)
    found = {a["code"]: a for a in (await member.ask(ASSETS))["assets"]}
    assert set(found) == {"CASH", "CHANCES", "GROWTH", "POINTS", "STARS"}
    assert (found["STARS"]["name"], found["STARS"]["adjustmentLimit"]) == ("Stars", None)
    assert found["POINTS"]["expiry"]["text"] == "Good for 24 months from earning"
    chinese = stage.api.signed_in(member.token or "", "zh-CN")
    told = {a["code"]: a["expiry"]["text"] for a in (await chinese.ask(ASSETS))["assets"]}
    assert told["STARS"] == "获得当期季末再加 1 个月到期"
    assert (told["CASH"], told["POINTS"]) == ("永久有效", "自获得起 24 个月内有效")
    seen = {a["code"]: a for a in (await finance.ask(ASSETS))["assets"]}
    assert seen["STARS"]["adjustmentLimit"] == 5

    await stage.publish([outcome(CONSUMER, 3, "STARS")])
    await member.done("scanCode", code=await stage.code())
    assert (await member.balances())["STARS"] == (3, 0)


async def test_a_policy_is_set_for_later_credits_and_a_retired_asset_is_given_no_more(
    stage: Stage,
) -> None:
    finance = stage.operator(OperatorRole.FINANCE)
    await finance.done("createAsset", code="STARS", nameZh="星星", nameEn="Stars")
    stars = {"code": "STARS", "status": "ACTIVE", "adjustmentLimit": None}
    fixed = {"kind": "FIXED", "on": "2027-12-31"}
    done = await repeated(finance, "configureAsset", **stars, expiry=fixed)
    assert done["asset"]["expiry"]["text"] == "Good until 2027-12-31"
    wrong = await finance.do("configureAsset", **stars, expiry={"kind": "AFTER", "count": 3})
    assert wrong["details"] == {"field": "expiry.unit", "problem": "is missing"}
    unknown = await finance.do("configureAsset", **(stars | {"code": "MOONS"}), expiry=fixed)
    assert unknown["code"] == "NOT_FOUND"

    retired = stars | {"status": "RETIRED"}
    await finance.done("configureAsset", **retired, expiry={"kind": "NEVER"})
    given = {"outcomes": [outcome(CONSUMER, 1), outcome(CONSUMER, 3, "STARS")]}
    campaign = {"code": "stars", "nameZh": "星", "nameEn": "Star"}
    refused = await stage.admin.do("publishCampaign", **campaign, **given)
    assert refused["details"] == {"field": "outcomes[1].asset", "problem": "a retired asset"}
    given["outcomes"][1]["asset"] = "MOONS"
    refused = await stage.admin.do("publishCampaign", **campaign, **given)
    assert refused["details"] == {"field": "outcomes[1].asset", "problem": "no such asset"}
    budgets = [{"asset": "MOONS", "allowed": 5}]
    refused = await stage.admin.do(
        "publishCampaign", **campaign, outcomes=[outcome(CONSUMER, 1)], budgets=budgets
    )
    assert refused["details"] == {"field": "budgets.MOONS", "problem": "no such asset"}


# --- holds -------------------------------------------------------------------------------------


async def test_a_hold_is_captured_in_part_released_or_lapses(stage: Stage, db: Database) -> None:
    member, member_id = await with_points(stage)
    finance = stage.operator(OperatorRole.FINANCE)
    cart = {"memberId": member_id, "asset": "POINTS", "ttlSeconds": 600, "reason": "a cart"}
    held = (await repeated(finance, "holdBalance", **cart, amount=400))["hold"]
    assert (held["status"], held["amount"], held["memberId"]) == ("HELD", 400, member_id)
    assert await points(member) == (EARNED, EARNED - 400)
    captured = (await repeated(finance, "captureHold", holdId=held["id"], amount=150))["hold"]
    assert (captured["status"], captured["captured"]) == ("CAPTURED", 150)
    assert await points(member) == (EARNED - 150, EARNED - 150)

    released = (await finance.done("holdBalance", **cart, amount=50))["hold"]
    await repeated(finance, "releaseHold", holdId=released["id"])
    assert await points(member) == (EARNED - 150, EARNED - 150)
    late = await finance.do("captureHold", holdId=released["id"])
    assert (late["code"], late["details"]) == (
        "HOLD_STATE_WRONG",
        {"status": "RELEASED", "wanted": "CAPTURED"},
    )
    short = await finance.do("holdBalance", **cart, amount=EARNED)
    assert (short["code"], short["details"]["available"]) == ("INSUFFICIENT_BALANCE", EARNED - 150)

    viewer = stage.operator(OperatorRole.VIEWER)
    first = (await viewer.ask(HOLDS, memberId=member_id, first=1))["holds"]
    assert [(h["id"], h["status"]) for h in first["nodes"]] == [(released["id"], "RELEASED")]
    after = first["pageInfo"]["endCursor"]
    rest = (await viewer.ask(HOLDS, memberId=member_id, after=after))["holds"]
    assert [(h["id"], h["captured"]) for h in rest["nodes"]] == [(held["id"], 150)]
    unknown = stage.unknown_id("Member")
    assert (await viewer.ask(HOLDS, memberId=unknown))["holds"]["nodes"] == []
    assert await db.in_transaction(lapse_balance_holds, 100) == 0


# --- moves -------------------------------------------------------------------------------------


async def test_linked_moves_are_done_whole_or_refused_by_the_leg_that_fails(
    stage: Stage, db: Database
) -> None:
    alice, alice_id = await with_points(stage)
    bob, bob_id = await with_points(stage, BOB)
    finance = stage.operator(OperatorRole.FINANCE)

    def leg(source: str, target: str, amount: int) -> dict[str, Any]:
        return {"fromMemberId": source, "toMemberId": target, "asset": "POINTS", "amount": amount}

    legs = [leg(alice_id, bob_id, EARNED), leg(bob_id, alice_id, 2 * EARNED - 1)]
    moved = await repeated(finance, "moveBalances", legs=legs, reason="mixed up")
    assert (moved["legCount"], moved["transferCount"]) == (2, 2)
    assert (await points(alice), await points(bob)) == (
        (2 * EARNED - 1, 2 * EARNED - 1),
        (1, 1),
    )
    before = await all_rows(db)
    legs = [leg(alice_id, bob_id, 1), leg(bob_id, alice_id, 3)]
    refused = await finance.do("moveBalances", legs=legs, reason="mixed up")
    assert (refused["code"], refused["details"]) == (
        "INSUFFICIENT_BALANCE",
        {"available": 2, "wanted": 3, "leg": 1},
    )
    legs[1]["fromMemberId"] = stage.unknown_id("Member")
    refused = await finance.do("moveBalances", legs=legs, reason="mixed up")
    assert (refused["code"], refused["details"]) == ("NOT_FOUND", {"noun": "member", "leg": 1})
    assert await all_rows(db) == before


# --- adjustments -------------------------------------------------------------------------------


async def test_above_the_limit_another_operator_approves_or_rejects(stage: Stage) -> None:
    member, member_id = await with_points(stage)
    finance, colleague = [stage.operator(OperatorRole.FINANCE) for _ in range(2)]
    never = {"kind": "NEVER"}
    await finance.done(
        "configureAsset", code="POINTS", expiry=never, adjustmentLimit=10, status="ACTIVE"
    )
    wanted = {"memberId": member_id, "asset": "POINTS", "reason": "a wrong till"}
    at_once = (await repeated(finance, "adjustBalance", **wanted, amount=-10))["adjustment"]
    assert (at_once["status"], at_once["amount"], at_once["decidedById"]) == ("APPLIED", -10, None)
    proposed = [
        (await repeated(finance, "adjustBalance", **wanted, amount=amount))["adjustment"]["id"]
        for amount in (11, -500)
    ]
    assert await points(member) == (EARNED - 10, EARNED - 10)
    own = await finance.do("approveAdjustment", adjustmentId=proposed[0])
    assert own["code"] == "SECOND_OPERATOR_NEEDED"
    listed = (await colleague.ask(ADJUSTMENTS, status="PROPOSED"))["adjustments"]["nodes"]
    assert [a["id"] for a in listed] == proposed[::-1]

    approved = await repeated(colleague, "approveAdjustment", adjustmentId=proposed[0])
    assert approved["adjustment"]["status"] == "APPLIED"
    rejected = await repeated(
        colleague, "rejectAdjustment", adjustmentId=proposed[1], reason="not so much"
    )
    assert rejected["adjustment"]["decisionReason"] == "not so much"
    assert await points(member) == (EARNED + 1, EARNED + 1)
    late = await colleague.do("approveAdjustment", adjustmentId=proposed[1])
    assert (late["code"], late["details"]) == (
        "ADJUSTMENT_STATE_WRONG",
        {"status": "REJECTED", "wanted": "APPLIED"},
    )
    of_member = (await colleague.ask(ADJUSTMENTS, memberId=member_id))["adjustments"]["nodes"]
    assert [(a["amount"], a["status"]) for a in of_member] == [
        (-500, "REJECTED"),
        (11, "APPLIED"),
        (-10, "APPLIED"),
    ]
    assert of_member[0]["proposedById"] != of_member[0]["decidedById"]


# --- reversals ---------------------------------------------------------------------------------


async def test_what_was_earned_and_spent_is_reversed_and_the_campaign_may_give_it_again(
    stage: Stage,
) -> None:
    budgets = [{"asset": "POINTS", "allowed": 2 * EARNED}]
    await stage.publish([outcome(CONSUMER, EARNED)], budgets=budgets)
    member = await stage.member(ALICE)
    await member.done("scanCode", code=await stage.code())
    [earned] = (await member.me())["entries"]["nodes"]
    member_id = (await member.me())["id"]
    finance = stage.operator(OperatorRole.FINANCE)
    hold = await finance.done(
        "holdBalance",
        memberId=member_id,
        asset="POINTS",
        amount=300,
        ttlSeconds=60,
        reason="a cart",
    )
    await finance.done("captureHold", holdId=hold["hold"]["id"])

    taken = await repeated(finance, "reverseTransfer", transferId=earned["id"], reason="forged")
    assert taken == {
        "__typename": "ReverseTransferReceipt",
        "replayed": False,
        "asset": "POINTS",
        "taken": 700,
        "owed": 0,
        "left": 300,
        "givenBack": 0,
    }
    rest = {"transferId": earned["id"], "policy": "UNLIMITED", "reason": "forged"}
    owed = await finance.done("reverseTransfer", **rest, amount=200)
    assert (owed["taken"], owed["owed"], owed["left"]) == (0, 200, 0)
    spent = (await member.me())["entries"]["nodes"]
    [spend] = [e for e in spent if (e["kind"], e["phase"]) == ("SPEND", "POST")]
    given = await finance.done("reverseTransfer", transferId=spend["id"], reason="sent back")
    assert given["givenBack"] == 300
    assert await points(member) == (100, 100)
    more = await finance.do("reverseTransfer", **rest, amount=101)
    assert (more["code"], more["details"]) == ("REVERSAL_TOO_LARGE", {"left": 100, "wanted": 101})

    published = await stage.admin.done(
        "publishCampaign",
        code="scan",
        nameZh="扫码",
        nameEn="Scan",
        outcomes=[outcome(CONSUMER, EARNED)],
        budgets=budgets,
    )
    assert published["campaign"]["budgets"] == [
        {"asset": "POINTS", "allowed": 2 * EARNED, "spent": 100, "reserved": 0}
    ]


# --- bad input -----------------------------------------------------------------------------------


async def test_bad_amounts_and_members_are_refused_and_nothing_is_written(
    stage: Stage, db: Database
) -> None:
    _, member_id = await with_points(stage)
    _, frozen_id = await with_points(stage, BOB)
    _, other_id = await with_points(stage, CAROL)
    _, closed_id = await with_points(stage, DAVE)
    one = {"fromMemberId": closed_id, "intoMemberId": other_id, "reason": "one person"}
    await stage.admin.done("mergeMembers", **one)
    await stage.admin.done("setMemberStatus", memberId=frozen_id, frozen=True, reason="a thief")
    finance = stage.operator(OperatorRole.FINANCE)
    before = await all_rows(db)

    def inputs(member: str, amount: Any, asset: str = "POINTS") -> dict[str, dict[str, Any]]:
        of_member = {"memberId": member, "asset": asset, "amount": amount, "reason": "x"}
        leg = {"fromMemberId": member, "toMemberId": other_id, "asset": asset, "amount": amount}
        return {
            "holdBalance": of_member | {"ttlSeconds": 60},
            "adjustBalance": of_member,
            "moveBalance": leg | {"reason": "x"},
            "moveBalances": {"legs": [leg], "reason": "x"},
        }

    for amount, problem in ((0, "nothing"), (10**15 + 1, "more than"), (-(10**15) - 1, "")):
        for verb, input in inputs(member_id, amount).items():
            refused = await finance.do(verb, **input)
            field = "legs[0].amount" if verb == "moveBalances" else "amount"
            assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", field), verb
            below = "more than" if verb == "adjustBalance" else "below zero"
            assert refused["details"]["problem"].startswith(problem or below), verb
    no_whole_number: list[Any] = [1.5, "1e3", 2**63, None, True]
    for amount in no_whole_number:
        for verb, input in inputs(member_id, amount).items():
            keyed = input | {"idempotencyKey": "k"}
            reply = await finance.send(document_of(verb), {"input": keyed})
            assert reply.codes == ["INVALID"], (verb, amount)
    for member, asset, code in (
        (frozen_id, "POINTS", "MEMBER_FROZEN"),
        (closed_id, "POINTS", "MEMBER_CLOSED"),
        (stage.unknown_id("Member"), "POINTS", "NOT_FOUND"),
        (member_id, "STARS", "NOT_FOUND"),
    ):
        for verb, input in inputs(member, 1, asset).items():
            assert (await finance.do(verb, **input))["code"] == code, verb
    for verb, input in inputs(member_id, EARNED + 1).items():
        short = input | {"amount": -EARNED - 1} if verb == "adjustBalance" else input
        assert (await finance.do(verb, **short))["code"] == "INSUFFICIENT_BALANCE", verb
    assert await all_rows(db) == before
