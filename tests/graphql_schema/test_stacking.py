"""Bonus campaigns as operators write them, and what receipts tell of what they gave."""

import asyncio
from typing import Any

from loyalty.actor import OperatorRole
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from tests.api import Caller
from tests.graphql_schema.stage import BOTH_PAID, CONSUMER, GUIDE, SCAN_CAMPAIGN, Stage, outcome

ALICE, BOB = "13800138001", "13800138002"
NAMES = {"nameZh": "加奖", "nameEn": "Bonus", "priority": 9}
TABLE = {
    "beneficiary": CONSUMER,
    "asset": "POINTS",
    "basis": "TABLE",
    "steps": [{"fromFen": 5_000, "amount": 5}, {"fromFen": 10_000, "amount": 50}],
}
DOUBLE = outcome(CONSUMER, 100) | {"basis": "PERCENT_OF_MAIN"}
WHOLE: dict[str, Any] = {
    **NAMES,
    "code": "top",
    "event": "PURCHASE",
    "bonus": {"group": "season", "bestOf": "POINTS"},
    "outcomes": [TABLE],
}
OF_SCANS = WHOLE | {"event": "SCAN", "outcomes": [DOUBLE]}
BONUS = "bonus { group bestOf } outcomes { basis amount steps { fromFen amount } }"
TOLD = "bonuses { campaign group rewards { asset amount locked } unpaidReason }"
SCAN = f"""
mutation Scan($input: ScanCodeInput!) {{ scanCode(input: $input) {{
  ... on ScanCodeReceipt {{ replayed unpaidReason rewards {{ asset amount }} {TOLD} }} }} }}
"""
BUY = f"""
mutation Buy($input: RecordPurchaseInput!) {{ recordPurchase(input: $input) {{
  ... on RecordPurchaseReceipt {{ replayed alreadyRecorded earned {{ asset amount }} {TOLD} }} }} }}
"""
CHECK_IN = f"""
mutation CheckIn($input: CheckInInput!) {{ checkIn(input: $input) {{
  ... on CheckInReceipt {{ event {{ earned {{ asset amount }} {TOLD} }} }} }} }}
"""


async def told(caller: Caller, document: str, name: str, **input: Any) -> Any:
    given = {"idempotencyKey": new_id().hex, **input}
    return (await caller.ask(document, input=given))[name]


async def test_a_bonus_is_read_as_it_was_saved_and_as_it_was_published(stage: Stage) -> None:
    saved = (await stage.admin.done("saveCampaignDraft", **WHOLE))["draft"]
    steps = {"basis": "TABLE", "amount": 0, "steps": TABLE["steps"]}
    as_saved = {"bonus": WHOLE["bonus"], "outcomes": [steps]}
    drafts = await stage.admin.ask(f"{{ campaignDrafts {{ nodes {{ {BONUS} }} }} }}")
    assert drafts["campaignDrafts"]["nodes"] == [as_saved]
    await stage.admin.done("publishCampaignDraft", draftId=saved["id"], revision=1)
    shown = await stage.admin.ask(f"{{ campaigns {{ nodes {{ {BONUS} }} }} }}")
    assert shown["campaigns"]["nodes"][0] == as_saved


def steps(*parts: tuple[int, int]) -> dict[str, Any]:
    return {"outcomes": [TABLE | {"steps": [{"fromFen": f, "amount": a} for f, a in parts]}]}


PER_UNIT = outcome(CONSUMER, 1) | {"basis": "PER_UNIT"}
DRAW = {
    "prizes": [{"code": "A", "nameZh": "奖", "nameEn": "Prize"}],
    "stages": [{"oddsFromPpm": 1, "oddsToPpm": 1, "entries": [{"prize": "A", "weight": 1}]}],
    "consolation": "A",
}
BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (OF_SCANS, {"gate": "CONSUMER_SCAN"}, "gate"),
    (OF_SCANS, {"draw": DRAW}, "draw"),
    (OF_SCANS, {"bonus": {"group": "a b"}}, "bonus.group"),
    (OF_SCANS, {"bonus": {"group": "season", "bestOf": "STARS"}}, "bonus.bestOf"),
    (OF_SCANS, {"bonus": None}, "outcomes[0].basis"),
    (OF_SCANS, {"outcomes": [PER_UNIT]}, "outcomes[0].basis"),
    (OF_SCANS, {"outcomes": [TABLE]}, "outcomes[0].basis"),
    (OF_SCANS | {"event": "CHECK_IN"}, {"outcomes": [PER_UNIT]}, "outcomes[0].basis"),
    (OF_SCANS, {"outcomes": [DOUBLE | {"amount": 1001}]}, "outcomes[0].amount"),
    (OF_SCANS, {"outcomes": [DOUBLE | {"asset": "CASH", "amount": 101}]}, "outcomes[0].amount"),
    (WHOLE, steps(), "outcomes[0].steps"),
    (WHOLE, steps((9, 1), (9, 2)), "outcomes[0].steps[1].fromFen"),
    (WHOLE, steps((9, 1), (8, 2)), "outcomes[0].steps[1].fromFen"),
    (WHOLE, steps((9, 1), (10, 0)), "outcomes[0].steps[1].amount"),
    (WHOLE, {"outcomes": [TABLE | {"amount": 1}]}, "outcomes[0].amount"),
    (WHOLE, {"outcomes": [PER_UNIT | {"steps": TABLE["steps"]}]}, "outcomes[0].steps"),
]


async def test_what_a_bonus_cannot_be_is_told_with_its_path(stage: Stage) -> None:
    names = {"code": "c", "nameZh": "券", "nameEn": "Coupon", "kind": "AMOUNT_OFF"}
    template = await stage.admin.done(
        "createCouponTemplate", **names, amountOffFen=500, usableDays=1
    )
    coupon = {"beneficiary": CONSUMER, "couponTemplateId": template["template"]["id"]}
    wins = (OF_SCANS, {"outcomes": [coupon]}, "outcomes[0].couponTemplateId")
    for whole, wrong, field in [*BAD, wins]:
        refused = await stage.admin.do("saveCampaignDraft", **whole | wrong)
        assert refused["__typename"] == "Refused", (wrong, field)
        assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", field)
        assert (await stage.admin.do("publishCampaign", **whole | wrong)) == refused


async def test_a_group_chooses_in_one_way(stage: Stage) -> None:
    await stage.admin.done("publishCampaign", **WHOLE)
    other = OF_SCANS | {"code": "other", "bonus": {"group": "season"}}
    refused = await stage.admin.do("saveCampaignDraft", **other)
    assert refused["details"] == {
        "field": "bonus.bestOf",
        "problem": "top of the same group chooses best of POINTS",
    }
    published = await stage.admin.done("publishCampaign", **WHOLE | {"bonus": {"group": "season"}})
    top = {"campaignId": published["campaign"]["id"], "reason": "over"}
    await stage.admin.done("pauseCampaign", **top)
    best = other | {"bonus": WHOLE["bonus"]}
    refused = await stage.admin.do("publishCampaign", **best)  # it may run again
    assert "chooses by priority" in refused["details"]["problem"]
    await stage.admin.done("endCampaign", **top)

    # Of two at once that differ, one is told of the other.
    ways = [best, other | {"code": "third"}]
    replies = await asyncio.gather(*(stage.admin.do("publishCampaign", **way) for way in ways))
    assert sorted(reply["__typename"] for reply in replies) == ["PublishCampaignReceipt", "Refused"]


async def test_receipts_tell_what_each_bonus_gave(stage: Stage, db: Database) -> None:
    publish = stage.admin.done
    await publish("publishCampaign", **SCAN_CAMPAIGN, outcomes=list(BOTH_PAID))
    budget = {"budgets": [{"asset": "POINTS", "allowed": 100}]}
    await publish("publishCampaign", **OF_SCANS | budget | {"code": "double"})
    guides = {"bonus": {"group": "guides"}, "outcomes": [outcome(GUIDE, 9)]}
    await publish("publishCampaign", **OF_SCANS | guides | {"code": "guides"})
    await publish("publishCampaign", **WHOLE)
    await publish("publishCampaign", **NAMES, code="c", event="CHECK_IN", outcomes=BOTH_PAID[:1])
    at_check_in = {"event": "CHECK_IN", "code": "d"}
    await publish("publishCampaign", **OF_SCANS | at_check_in)

    alice, bob = await stage.member(ALICE), await stage.member(BOB)
    code, key = await stage.code(), new_id().hex
    first = await told(alice, SCAN, "scanCode", code=code, idempotencyKey=key)
    points = {"asset": "POINTS", "amount": 100}
    double = {"campaign": "double", "group": "season", "unpaidReason": None}
    paid = double | {"rewards": [points | {"locked": False}]}
    nothing = {"campaign": "guides", "group": "guides", "unpaidReason": "NOTHING", "rewards": []}
    assert (first["rewards"], first["bonuses"]) == ([points], [nothing, paid])
    again = await told(alice, SCAN, "scanCode", code=code, idempotencyKey=key)
    assert again == first | {"replayed": True}
    second = await told(bob, SCAN, "scanCode", code=await stage.code())
    assert second["unpaidReason"] is None
    assert second["bonuses"] == [nothing, double | {"unpaidReason": "BUDGET", "rewards": []}]

    till = stage.operator(OperatorRole.FINANCE)
    sold = {"purchaseRef": "T-1", "phone": ALICE, "source": "TILL", "quantity": 3}
    sold |= {"occurredAt": "2026-11-02T09:30:00+08:00", "amountFen": 12_000}
    bought = await told(till, BUY, "recordPurchase", **sold)
    repeat = await told(till, BUY, "recordPurchase", **sold)
    assert (repeat["alreadyRecorded"], repeat["bonuses"]) == (True, bought["bonuses"])
    assert repeat["earned"] == bought["earned"]
    [top] = bought["bonuses"]
    rewards = [{"asset": "POINTS", "amount": 50, "locked": False}]
    assert (top["campaign"], top["rewards"]) == ("top", rewards)

    event = (await told(alice, CHECK_IN, "checkIn"))["event"]
    assert event["earned"] == [points]
    [bonus] = event["bonuses"]
    assert (bonus["campaign"], bonus["rewards"]) == ("d", [points | {"locked": False}])
    assert [(c.name, c.examples) for c in await audit(db) if c.broken] == []
