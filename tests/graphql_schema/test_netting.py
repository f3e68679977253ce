"""Netting over several brands by the API: each sees its own part, all approve, it is posted."""

from typing import Any

from loyalty.actor import OperatorRole
from loyalty.db import Database
from loyalty.ledger.audit import audit
from tests.api import Caller
from tests.graphql_schema.allied import ally
from tests.graphql_schema.netted import chain, netted
from tests.graphql_schema.stage import Stage

RUNS = """{ nettingRuns { nodes { id status isOurs netFen reason approvedAt
  legs { partnerSlug partnerName owedFen paysFen } } } }"""
NODE = "query ($id: ID!) { node(id: $id) { ... on NettingRun { status netFen } } }"
ENTRIES = "{ clearingEntries { nodes { kind owedFen partnerSlug nettingRunId statementId } } }"
POSITIONS = "{ clearingPositions { partnerSlug owedFen } }"


async def _run(caller: Caller) -> Any:
    [run] = (await caller.ask(RUNS))["nettingRuns"]["nodes"]
    legs = {leg["partnerSlug"]: (leg["owedFen"], leg["paysFen"]) for leg in run["legs"]}
    return run | {"legs": legs}


async def _owed(caller: Caller) -> dict[str, int]:
    positions = (await caller.ask(POSITIONS))["clearingPositions"]
    return {each["partnerSlug"]: each["owedFen"] for each in positions}


async def test_three_brands_come_to_one_payment(stage: Stage, db: Database) -> None:
    sides = [stage, *await chain(stage, "first", "second")]
    us, first, second = [each.operator(OperatorRole.FINANCE) for each in sides]
    made = await us.done("proposeNetting", partnerSlugs=["second", "first"])
    id = made["run"]["id"]
    assert (await _run(us))["legs"] == {"first": (-100, 0), "second": (100, 0)}
    theirs = await _run(first)
    assert theirs["legs"] == {stage.slug: (100, 0), "second": (0, 100)}, "whom it is to pay"
    assert (theirs["isOurs"], theirs["netFen"]) == (False, 100)
    stale = await first.do("approveNetting", nettingRunId=id, netFen=99)
    assert stale["details"]["field"] == "netFen"
    for side, net_fen in ((first, 100), (us, 0), (second, -100)):
        replies = await side.done("approveNetting", nettingRunId=id, netFen=net_fen)
    assert replies["run"]["status"] == "POSTED"

    assert await _owed(us) == {"first": 0, "second": 0}
    assert await _owed(first) == {stage.slug: 0, "second": 100}
    newest = (await second.ask(ENTRIES))["clearingEntries"]["nodes"][:2]
    assert {(each["partnerSlug"], each["owedFen"]) for each in newest} == {
        (stage.slug, 100),
        ("first", -100),
    }
    assert {(each["kind"], each["nettingRunId"], each["statementId"]) for each in newest} == {
        ("NETTING", id, None)
    }
    paid = {"partnerSlug": "first", "amountFen": 100, "reference": "bank 9"}
    await second.done("recordClearingPayment", **paid)
    assert (await _owed(first))["second"] == 0
    late = await us.do("declineNetting", nettingRunId=id, reason="too late")
    assert late["code"] == "NETTING_STATE_WRONG"
    assert [check for check in await audit(db) if check.broken] == []


async def test_a_brand_declines_and_strangers_see_nothing(stage: Stage) -> None:
    id = await netted(stage, "first", "second")
    first, stranger = [await ally(stage, slug) for slug in ("first", "stranger")]
    own = await first.admin.do("withdrawNetting", nettingRunId=id)
    assert own["code"] == "NETTING_STATE_WRONG", "only who proposed it"
    assert (await stranger.admin.ask(RUNS))["nettingRuns"]["nodes"] == []
    assert (await stranger.admin.ask(NODE, id=id))["node"] is None
    for name, more in (("approve", {"netFen": 0}), ("decline", {"reason": "no"}), ("withdraw", {})):
        answer = await stranger.admin.do(f"{name}Netting", nettingRunId=id, **more)
        assert answer["code"] == "NOT_FOUND"
    await first.admin.done("declineNetting", nettingRunId=id, reason="paid otherwise")
    seen = await _run(stage.admin)
    assert (seen["status"], seen["reason"]) == ("DECLINED", "paid otherwise")


async def test_nobody_learns_which_brands_there_are(stage: Stage) -> None:
    await chain(stage, "first", "second")
    await ally(stage, "stranger")
    answers = [
        await stage.admin.do("proposeNetting", partnerSlugs=["first", "second", slug])
        for slug in ("stranger", "no-such-brand")
    ]
    assert {answer["code"] for answer in answers} == {"NOT_FOUND"}
    assert answers[0]["details"] == answers[1]["details"]


async def test_a_partners_key_reads_runs(stage: Stage) -> None:
    id = await netted(stage, "first", "second")
    keys = {
        scope: (await stage.admin.done("createPartnerKey", name=scope, scopes=[scope]))["key"]
        for scope in ("READ_STATEMENTS", "READ_COUPONS")
    }
    reader, other = [stage.api.signed_in(keys[scope]) for scope in keys]
    assert (await _run(reader))["id"] == id
    assert (await other.send(RUNS)).codes == ["FORBIDDEN"]
