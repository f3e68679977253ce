"""Runs that net what a brand and its partners owe one another, and what of them takes effect."""

from collections.abc import Awaitable, Callable

from rewards.clearing.service import open_position
from tests.graphql_schema.allied import ally
from tests.graphql_schema.effects import WHY, Effect
from tests.graphql_schema.stage import Stage

OWED_FEN = 100


async def chain(stage: Stage, debtor: str, creditor: str) -> list[Stage]:
    """One partner owes the brand as much as the brand owes another partner."""
    owing, owed = [await ally(stage, slug) for slug in (debtor, creditor)]
    for payer, receiver in ((owed, stage), (stage, owing)):
        await stage.database.in_transaction(open_position, payer.brand_id, receiver.brand_id)
        paid = {"partnerSlug": payer.slug, "amountFen": OWED_FEN, "reference": "bank 1"}
        await receiver.admin.done("recordClearingPayment", **paid)
    return [owing, owed]


async def netted(stage: Stage, debtor: str, creditor: str) -> str:
    """The global id of a run that is proposed: the one partner is to pay the other."""
    await chain(stage, debtor, creditor)
    made = await stage.admin.done("proposeNetting", partnerSlugs=[debtor, creditor])
    return str(made["run"]["id"])


async def run_of(stage: Stage) -> dict[str, str]:
    """The global id of a run that is proposed, by its type."""
    return {"NettingRun": await netted(stage, "first", "second")}


async def propose_netting(stage: Stage) -> Effect:
    slugs = [("first", "second"), ("third", "fourth")]
    for pair in slugs:
        await chain(stage, *pair)
    one, other = [{"partnerSlugs": list(pair)} for pair in slugs]
    return Effect(stage.admin, one, other, {"partnerSlugs": ["first"]})


async def _of_runs(stage: Stage, **more: object) -> Effect:
    ids = [await netted(stage, *pair) for pair in (("first", "second"), ("third", "fourth"))]
    one, other, unknown = [
        {"nettingRunId": id} | more for id in (*ids, stage.unknown_id("NettingRun"))
    ]
    return Effect(stage.admin, one, other, unknown)


async def approve_netting(stage: Stage) -> Effect:
    return await _of_runs(stage, netFen=0)


async def decline_netting(stage: Stage) -> Effect:
    return await _of_runs(stage, **WHY)


async def withdraw_netting(stage: Stage) -> Effect:
    return await _of_runs(stage)


NETTING_EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = {
    "proposeNetting": propose_netting,
    "approveNetting": approve_netting,
    "declineNetting": decline_netting,
    "withdrawNetting": withdraw_netting,
}
