"""Events that earn, through GraphQL: check-ins, actions, profiles, and what others post."""

from typing import Any

from loyalty.db import Database
from tests.api import Caller
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, all_rows, outcome

BOB = "13800138002"
NAMES = {"nameZh": "活动", "nameEn": "A campaign"}
AT = "2026-11-02T09:30:00+08:00"
CUPS = {"name": "cups", "kind": "INT", "required": True}
SHOP = {"name": "shop", "kind": "STRING", "required": False}
OWN_CUP = {"name": "ownCup", "kind": "BOOL"}
EVENTS = """
query ($memberId: ID!, $first: Int, $after: String) {
  memberEvents(memberId: $memberId, first: $first, after: $after) {
    nodes { kind eventRef unpaidReason earned { asset amount } } pageInfo { endCursor } } }
"""
ENTRIES = "{ me { entries { nodes { amount title causeKind causeId } } } }"
NODE = """
query ($id: ID!) { node(id: $id) { ... on EarningEvent { kind payload earned { amount } } } }
"""


async def publish(stage: Stage, event: str, amount: int, **more: Any) -> Any:
    """A campaign of this kind, by its own name unless ``more`` has one."""
    paid = {"code": event, "event": event, "outcomes": [outcome(CONSUMER, amount)]}
    return await stage.admin.done("publishCampaign", **NAMES | paid | more)


async def register(stage: Stage, *fields: dict[str, Any], code: str = "coffee") -> Any:
    names = {"nameZh": "咖啡", "nameEn": "Coffee"}
    wanted = {"code": code, **names, "fields": list(fields)}
    return await stage.admin.do("registerEventType", **wanted)


def drunk(ref: str, member_id: str | None, cups: int = 1, **more: Any) -> dict[str, Any]:
    """One event of the type coffee."""
    payload = [{"name": "cups", "number": cups}]
    told = {"eventRef": ref, "type": "coffee", "occurredAt": AT, "memberId": member_id}
    return told | {"payload": payload} | more


async def post(stage: Stage, *events: dict[str, Any]) -> list[Any]:
    results: list[Any] = (await stage.admin.done("postEvents", events=list(events)))["results"]
    return results


async def alice(stage: Stage) -> tuple[Caller, str]:
    """Somebody who has invited somebody, and is a member since; its global id."""
    caller = await stage.member(ALICE)
    await caller.done("inviteMember", phone="13800138009")
    return caller, (await caller.me())["id"]


async def points(caller: Caller) -> int:
    return next(
        (b["balance"] for b in (await caller.me())["balances"] if b["asset"] == "POINTS"), 0
    )


def paid(result: Any) -> Any:
    return [reward["amount"] for reward in result["earned"]] or result["unpaidReason"]


async def test_a_member_checks_in_once_a_day(stage: Stage) -> None:
    await publish(stage, "CHECK_IN", 5, condition="event.scene == 'home' && member.isNew")
    caller = await stage.member(ALICE)
    first = await caller.done("checkIn", scene="home")
    assert first["alreadyCheckedIn"] is False
    assert first["event"]["earned"] == [{"asset": "POINTS", "amount": 5, "locked": False}]
    again = await caller.done("checkIn", scene="shop")
    assert again["alreadyCheckedIn"] and again["event"] == first["event"]
    assert await points(caller) == 5
    elsewhere = await stage.member(BOB)
    told = (await elsewhere.done("checkIn", scene="shop"))["event"]
    assert (told["earned"], told["unpaidReason"]) == ([], "NO_CAMPAIGN")

    [entry] = (await caller.ask(ENTRIES))["me"]["entries"]["nodes"]
    assert (entry["title"], entry["causeKind"]) == ("For checking in", "EVENT")
    shown = (await caller.ask(NODE, id=entry["causeId"]))["node"]
    assert shown == {"kind": "CHECK_IN", "payload": {"scene": "home"}, "earned": [{"amount": 5}]}
    assert (await elsewhere.ask(NODE, id=entry["causeId"]))["node"] is None


async def test_an_event_pays_its_member_in_whatever_role_it_is(stage: Stage) -> None:
    both = [outcome(CONSUMER, 5), outcome(GUIDE, 7)]
    await publish(stage, "CHECK_IN", 0, outcomes=both)
    guide, consumer = await stage.guide(ALICE), await stage.member(ALICE)
    assert [paid((await each.done("checkIn"))["event"]) for each in (guide, consumer)] == [[7], [5]]
    await publish(stage, "CHECK_IN", 5)
    other = await stage.guide(BOB)
    assert paid((await other.done("checkIn"))["event"]) == "NOTHING_FOR_ROLE"


async def test_campaigns_of_other_roles_do_not_stand_in_an_events_way(stage: Stage) -> None:
    await publish(stage, "CHECK_IN", 5, code="for-consumers", priority=9)
    guides = [outcome(GUIDE, 7)]
    await publish(stage, "CHECK_IN", 0, code="for-guides", outcomes=guides, priority=-9)
    guide, consumer = await stage.guide(ALICE), await stage.member(ALICE)
    assert [paid((await each.done("checkIn"))["event"]) for each in (guide, consumer)] == [[7], [5]]


async def test_a_segment_of_another_brand_is_nothing_to_a_campaign(stage: Stage) -> None:
    other = await stage.sister("other")
    condition = {"condition": "'vip' in segment.codes"}
    for brand in (stage, other):
        await publish(brand, "CHECK_IN", 5, **condition)
        await brand.admin.done("putSegment", code="vip", nameZh="老客", nameEn="Regulars")
    here, there = await stage.member(ALICE), await other.member(ALICE)
    await here.done("scanCode", code=await stage.code())
    await there.done("scanCode", code=await other.code())
    ids = [(await here.me())["id"]]
    await stage.admin.done("setSegmentMembers", code="vip", addMemberIds=ids)
    refused = await other.admin.do("setSegmentMembers", code="vip", addMemberIds=ids)
    assert refused["code"] == "NOT_FOUND"
    told = [paid((await caller.done("checkIn"))["event"]) for caller in (here, there)]
    assert told == [[5], "NO_CAMPAIGN"]


async def test_actions_and_a_completed_profile_earn(stage: Stage) -> None:
    await publish(stage, "ACTION", 3, condition="event.action == 'wecom_contact'")
    await publish(stage, "FOLLOWED", 11)
    await publish(stage, "PROFILE_COMPLETED", 13)
    caller, id = await alice(stage)
    for action in ("follow", "follow", "wecom_contact"):
        await stage.admin.done("reportAction", memberId=id, action=action)
    await caller.done("setBirthday", month=5, day=17)
    found = (await stage.admin.ask(EVENTS, memberId=id))["memberEvents"]["nodes"]
    assert [(event["kind"], paid(event)) for event in found] == [
        ("PROFILE_COMPLETED", [13]),
        ("ACTION", [3]),
        ("ACTION", "NO_CAMPAIGN"),
        ("FOLLOWED", [11]),
        ("ACTION", "NO_CAMPAIGN"),
    ]
    assert await points(caller) == 11 + 3 + 13
    page = await stage.admin.ask(EVENTS, memberId=id, first=2)
    rest = page["memberEvents"]["pageInfo"]["endCursor"]
    after = await stage.admin.ask(EVENTS, memberId=id, first=9, after=rest)
    assert after["memberEvents"]["nodes"] == found[2:]


async def test_posted_events_are_told_of_each_and_repeats_have_no_second_effect(
    stage: Stage, db: Database
) -> None:
    await register(stage, CUPS, SHOP)
    await publish(
        stage, "CUSTOM", 2, eventType="coffee", condition="custom.cups >= 2 && custom.shop == ''"
    )
    caller, id = await alice(stage)
    other = drunk("e4", id) | {"payload": [{"name": "cups", "text": "two"}]}
    results = await post(
        stage,
        drunk("e1", id, 2),
        drunk("e2", id, 1),
        drunk("e1", id, 2),
        drunk("e1", id, 3),
        other,
        drunk("e5", stage.unknown_id("Member")),
        drunk("e6", id, type="tea"),
        drunk("e7", id, occurredAt="2999-01-01T00:00:00Z"),
        drunk("e8", id, externalRef="M-1"),
    )
    assert [(r["status"], r["eventId"] is not None) for r in results] == [
        ("RECORDED", True),
        ("RECORDED", True),
        ("ALREADY_RECORDED", True),
        *[("REFUSED", False)] * 6,
    ]
    assert [paid(result) for result in results[:3]] == [[2], "NO_CAMPAIGN", [2]]
    assert results[2]["eventId"] == results[0]["eventId"]
    refusals = [result["refused"] for result in results[3:]]
    assert [refused["code"] for refused in refusals] == [
        *("REFERENCE_CONFLICT", "INVALID_INPUT", "NOT_FOUND", "NOT_FOUND"),
        *("INVALID_INPUT", "INVALID_INPUT"),
    ]
    fields = [refused["details"].get("field") for refused in refusals]
    assert fields == [None, "payload.cups", None, None, "occurredAt", "memberId"]
    assert await points(caller) == 2

    before = await all_rows(db)
    [same] = await post(stage, drunk("e1", id, 2, occurredAt="2026-11-02T01:30:00Z"))
    assert (same["status"], paid(same)) == ("ALREADY_RECORDED", [2])
    for refused in (drunk("e1", id, 3), drunk("e9", id, type="tea")):
        reply = await stage.admin.do("postEvents", events=[refused])
        assert reply["__typename"] == "Refused"
    after = await all_rows(db)
    assert {t for t in after if after[t] != before[t]} == {"audit_log", "idempotency_records"}


async def test_a_consumer_may_be_named_by_an_outside_reference(stage: Stage) -> None:
    await register(stage, CUPS)
    await publish(stage, "CUSTOM", 2, eventType="coffee")
    sold = {"occurredAt": AT, "quantity": 1, "amountFen": 1, "source": "TILL"}
    bought = await stage.admin.done("recordPurchase", purchaseRef="P", externalRef="M-1", **sold)
    [one] = await post(stage, drunk("e1", None, externalRef="M-1"))
    [same] = await post(stage, drunk("e1", bought["purchase"]["memberId"]))
    assert (one["status"], same["status"]) == ("RECORDED", "ALREADY_RECORDED")
    nobody = drunk("e2", None, externalRef="M-2")
    assert (await stage.admin.do("postEvents", events=[nobody]))["code"] == "NOT_FOUND"


async def test_late_events_count_for_their_own_day_and_window(stage: Stage) -> None:
    await register(stage, CUPS)
    daily = [{"subject": "MEMBER", "window": "DAY", "timesMax": 1}]
    window = {"startsAt": "2026-11-01T00:00:00+08:00", "endsAt": "2099-01-01T00:00:00+08:00"}
    points_left = [{"asset": "POINTS", "allowed": 10}]
    terms = {"caps": daily, "budgets": points_left, **window}
    await publish(stage, "CUSTOM", 4, eventType="coffee", **terms)
    _, id = await alice(stage)
    days = ("03T23:59:59", "02T12:00:00", "03T00:00:00", "02T00:00:00", "04T00:00:00")
    times = [f"2026-11-{day}+08:00" for day in days]
    times.append("2026-10-31T23:59:59+08:00")
    results = await post(stage, *(drunk(f"e{n}", id, occurredAt=t) for n, t in enumerate(times)))
    assert [paid(result) for result in results] == [
        *([4], [4]),
        *("CAP", "CAP"),
        "BUDGET",
        "NO_CAMPAIGN",
    ]


async def test_a_frozen_member_earns_nothing(stage: Stage) -> None:
    await register(stage, CUPS)
    await publish(stage, "CUSTOM", 4, eventType="coffee")
    _, id = await alice(stage)
    await stage.admin.done("setMemberStatus", memberId=id, frozen=True, reason="farming")
    [result] = await post(stage, drunk("e1", id))
    assert paid(result) == "FROZEN"


async def test_what_an_event_earns_may_be_locked(stage: Stage) -> None:
    lock = {"kind": "ACTION", "action": "follow"}
    await publish(stage, "CHECK_IN", 5, outcomes=[outcome(CONSUMER, 5) | {"lock": lock}])
    caller, id = await alice(stage)
    event = (await caller.done("checkIn"))["event"]
    assert event["earned"] == [{"asset": "POINTS", "amount": 5, "locked": True}]
    assert await points(caller) == 0
    assert (await stage.admin.done("reportAction", memberId=id, action="follow"))["unlocked"] == 1
    assert await points(caller) == 5


async def test_a_type_grows_and_never_changes_what_is_sent_today(stage: Stage) -> None:
    first = (await register(stage, CUPS))["eventType"]
    assert (first["version"], first["name"]) == (1, "Coffee")
    assert (await register(stage, CUPS))["eventType"]["version"] == 1, "nothing is new"
    grown = (await register(stage, OWN_CUP, CUPS))["eventType"]
    assert (grown["version"], [f["since"] for f in grown["fields"]]) == (2, [1, 2])
    wrong = (
        ((OWN_CUP,), "fields"),
        ((CUPS | {"kind": "STRING"}, OWN_CUP), "fields[0].kind"),
        ((CUPS | {"required": False}, OWN_CUP), "fields[0].required"),
        ((CUPS, OWN_CUP, SHOP | {"required": True}), "fields[2].required"),
        ((CUPS, CUPS), "fields[1].name"),
        ((CUPS, SHOP | {"name": "Shop"}), "fields[1].name"),
    )
    for fields, path in wrong:
        refused = await register(stage, *fields)
        assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", path), fields
    listed = await stage.admin.ask("{ eventTypes { code version fields { name kind } } }")
    assert [(t["code"], t["version"]) for t in listed["eventTypes"]] == [("coffee", 2)]


async def test_bad_drafts_for_events_are_refused_by_their_fields(stage: Stage) -> None:
    await register(stage, CUPS, SHOP, OWN_CUP)
    coffee = {"event": "CUSTOM", "eventType": "coffee"}
    per_yuan = outcome(CONSUMER, 1) | {"basis": "PER_CURRENCY_UNIT"}
    scans = {"kind": "NEXT_SCAN", "count": 2}
    device = [{"subject": "DEVICE", "window": "DAY", "timesMax": 1}]
    store = [{"subject": "STORE", "window": "DAY", "timesMax": 1}]
    consumer = [outcome(CONSUMER, 1)]
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"event": "CUSTOM"}, "eventType"),
        ({"event": "CHECK_IN", "eventType": "coffee"}, "eventType"),
        ({"event": "CHECK_IN", "productId": stage.product_id}, "productId"),
        ({"event": "CHECK_IN", "gate": "CONSUMER_SCAN"}, "gate"),
        ({"event": "CHECK_IN", "outcomes": []}, "outcomes"),
        ({"event": "CHECK_IN", "outcomes": [per_yuan]}, "outcomes[0].basis"),
        (
            {"event": "CHECK_IN", "outcomes": [outcome("STORE", 1) | {"lock": scans}]},
            "outcomes[0].lock.kind",
        ),
        ({"event": "CHECK_IN", "caps": device}, "caps[0].subject"),
        ({"event": "PURCHASE", "outcomes": [outcome(GUIDE, 1)]}, "outcomes[0].beneficiary"),
        ({"event": "PURCHASE", "outcomes": [outcome("STORE", 1)]}, "outcomes"),
        ({"event": "SCAN", "outcomes": [outcome("STORE", 1)]}, "outcomes"),
        (
            {"event": "SCAN", "outcomes": [*consumer, outcome("DEALER", 1) | {"lock": scans}]},
            "outcomes[1].lock.kind",
        ),
        ({"event": "SCAN", "outcomes": consumer, "caps": store}, "caps[0].subject"),
        (
            {"event": "SCAN", "outcomes": [outcome("STORE", 1)], "bonus": {"group": "b"}},
            "outcomes[0].beneficiary",
        ),
        ({"event": "CHECK_IN", "condition": "event.amountFen > 1"}, "condition"),
        ({"event": "BIRTHDAY", "condition": "event.rank > 1"}, "condition"),
        ({"event": "CHECK_IN", "condition": "custom.cups > 1"}, "condition"),
        (coffee | {"condition": "custom.sugar > 1"}, "condition"),
        (coffee | {"condition": "custom.cups == 'two'"}, "condition"),
        (coffee | {"condition": "custom.ownCup"} | {"caps": device}, "caps[0].subject"),
    )
    terms = NAMES | {"code": "wrong", "outcomes": [outcome(CONSUMER, 1)]}
    for changes, path in wrong:
        refused = await stage.admin.do("saveCampaignDraft", **terms | changes)
        assert refused.get("code") == "INVALID_INPUT", changes
        assert refused["details"]["field"] == path, changes
    unknown = terms | coffee | {"eventType": "tea"}
    assert (await stage.admin.do("saveCampaignDraft", **unknown))["code"] == "NOT_FOUND"
    good = coffee | {"condition": "custom.ownCup && custom.cups > 1 && calendar.hour < 12"}
    draft = (await stage.admin.done("saveCampaignDraft", **terms | good))["draft"]
    asked = {"draftId": draft["id"], "revision": 1}
    campaign = (await stage.admin.done("publishCampaignDraft", **asked))["campaign"]
    shown = "query ($id: ID!) { node(id: $id) { ... on Campaign { event eventType } } }"
    assert (await stage.admin.ask(shown, id=campaign["id"]))["node"] == coffee


async def test_between_one_and_a_thousand_events_are_posted(stage: Stage) -> None:
    await register(stage, CUPS)
    _, id = await alice(stage)
    for events in ([], [drunk(f"e{n}", id) for n in range(1_001)]):
        refused = await stage.admin.do("postEvents", events=events)
        assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", "events")
    results = await post(stage, *(drunk(f"e{n}", id) for n in range(1_000)))
    assert {result["status"] for result in results} == {"RECORDED"}
