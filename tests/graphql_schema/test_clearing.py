"""Statements between two brands: each reads its own copy, they put right together what is wrong,
and what both have confirmed does not change any more."""

from typing import Any

from loyalty.actor import OperatorRole
from loyalty.db import Database
from loyalty.ledger.audit import audit
from tests.api import Caller
from tests.graphql_schema.allied import ALLY, agreed, ally, drawn
from tests.graphql_schema.stage import Stage

STATEMENT = """
query ($id: ID!) { node(id: $id) { ... on ClearingStatement {
    number openingFen closingFen entryCount confirmedAt partnerConfirmedAt } }
  clearingEntries(statementId: $id) { nodes { kind owedFen note } } }
"""
OPEN = "{ clearingEntries { nodes { kind owedFen statementId } } }"
ADJUSTMENTS = "{ clearingAdjustments { nodes { id owedFen isOurs status } } }"


async def _read(caller: Caller, id: str) -> tuple[Any, list[tuple[str, int]]]:
    seen = await caller.ask(STATEMENT, id=id)
    entries = seen["clearingEntries"]["nodes"]
    assert all(entry["note"] for entry in entries)
    return seen["node"], sorted((entry["kind"], entry["owedFen"]) for entry in entries)


async def _adjust(proposer: Caller, decider: Caller, slug: str, owed_fen: int) -> Any:
    wanted = {"partnerSlug": slug, "owedFen": owed_fen, "reason": "a cent too little"}
    await proposer.done("proposeClearingAdjustment", **wanted)
    [mine] = (await proposer.ask(ADJUSTMENTS))["clearingAdjustments"]["nodes"][:1]
    [theirs] = (await decider.ask(ADJUSTMENTS))["clearingAdjustments"]["nodes"][:1]
    assert (mine["owedFen"], mine["isOurs"]) == (owed_fen, True)
    assert (theirs["owedFen"], theirs["isOurs"]) == (-owed_fen, False)
    accepting = {"clearingAdjustmentId": mine["id"], "accept": True}
    own = await proposer.do("decideClearingAdjustment", **accepting)
    assert own["code"] == "ADJUSTMENT_STATE_WRONG", "nobody accepts for the other"
    decided = await decider.done(
        "decideClearingAdjustment", **accepting | {"clearingAdjustmentId": theirs["id"]}
    )
    return decided["adjustment"]


async def test_both_put_a_statement_right_and_what_both_confirmed_stays(
    stage: Stage, db: Database
) -> None:
    await agreed(stage)
    other = await ally(stage)
    finance, theirs = [each.operator(OperatorRole.FINANCE) for each in (stage, other)]
    id = await drawn(stage)
    seen, entries = await _read(finance, id)
    assert (seen["openingFen"], seen["closingFen"], seen["entryCount"]) == (0, 100, 1)
    assert entries == [("PAYMENT", 100)]
    assert (await _read(theirs, id))[1] == [("PAYMENT", -100)], "the same, seen from there"

    await theirs.done("confirmClearingStatement", statementId=id, closingFen=-100)
    assert (await _read(finance, id))[0]["partnerConfirmedAt"] is not None
    await _adjust(finance, theirs, ALLY, 7)
    seen, entries = await _read(finance, id)
    assert (seen["closingFen"], seen["partnerConfirmedAt"]) == (107, None), "as of what it was"
    assert entries == [("ADJUSTMENT", 7), ("PAYMENT", 100)]
    stale = await theirs.do("confirmClearingStatement", statementId=id, closingFen=-100)
    assert stale["details"]["field"] == "closingFen"
    for side, closing_fen in ((finance, 107), (theirs, -107)):
        await side.done("confirmClearingStatement", statementId=id, closingFen=closing_fen)

    frozen = await _read(finance, id)
    await _adjust(theirs, finance, stage.slug, 2)
    assert await _read(finance, id) == frozen
    newest = (await finance.ask(OPEN))["clearingEntries"]["nodes"][0]
    assert newest == {"kind": "ADJUSTMENT", "owedFen": -2, "statementId": None}
    [position] = (await finance.ask("{ clearingPositions { owedFen } }"))["clearingPositions"]
    assert position["owedFen"] == 105

    third = await stage.sister("third")
    assert (await third.admin.ask(STATEMENT, id=id)) == {
        "node": None,
        "clearingEntries": {"nodes": []},
    }
    paid = {"partnerSlug": ALLY, "amountFen": 1, "reference": "x"}
    nobody = await third.admin.do("recordClearingPayment", **paid)
    unknown = await third.admin.do("recordClearingPayment", **paid | {"partnerSlug": "no-brand"})
    assert nobody == unknown, "nobody learns which brands there are"
    assert nobody["details"] == {"noun": "partner"}
    assert [check.name for check in await audit(db) if check.broken] == []
