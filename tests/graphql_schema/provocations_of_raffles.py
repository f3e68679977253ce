"""How to provoke what is refused of raffles."""

from typing import Any

from loyalty.errors import (
    RaffleEntriesUsedUp,
    RaffleNotForMember,
    RaffleNotOpen,
    RaffleStateWrong,
    TransferNotReversible,
)
from tests.graphql_schema.effects import WHY
from tests.graphql_schema.effects_of_value import ENTRIES
from tests.graphql_schema.provoking import Call, refused
from tests.graphql_schema.raffling import cancel_raffle, enter_raffle, open_raffle
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import Stage


async def _enter(stage: Stage, **more: Any) -> Call:
    """By a member who has nothing, for nothing."""
    alice = await stage.member(ALICE)
    await alice.done("checkIn")
    return Call(alice, "enterRaffle", {"raffleId": await open_raffle(stage, cost=None, **more)})


@refused(RaffleNotOpen)
async def a_raffle_entered_before_it_opens(stage: Stage) -> Call:
    return await _enter(stage, opensAt="2998-01-01T00:00:00+08:00")


@refused(RaffleNotOpen)
async def a_raffle_entered_after_it_was_cancelled(stage: Stage) -> Call:
    call = await _enter(stage)
    await stage.admin.done("cancelRaffle", **call.input, **WHY)
    return call


@refused(RaffleNotForMember)
async def a_raffle_for_others(stage: Stage) -> Call:
    return await _enter(stage, condition="tier.rank > 0")


@refused(RaffleEntriesUsedUp)
async def a_raffle_entered_too_often(stage: Stage) -> Call:
    call = await _enter(stage, entriesMax=1)
    await call.caller.done("enterRaffle", **call.input)
    return call


@refused(RaffleStateWrong)
async def a_raffle_cancelled_twice(stage: Stage) -> Call:
    effect = await cancel_raffle(stage)
    await effect.caller.done("cancelRaffle", **effect.good)
    return Call(effect.caller, "cancelRaffle", effect.good)


@refused(TransferNotReversible)
async def the_cost_of_an_entry(stage: Stage) -> Call:
    effect = await enter_raffle(stage)
    await effect.caller.done("enterRaffle", **effect.good)
    entries = (await effect.caller.ask(ENTRIES))["me"]["entries"]["nodes"]
    [spent] = [entry["id"] for entry in entries if entry["kind"] == "SPEND"]
    return Call(stage.admin, "reverseTransfer", {"transferId": spent} | WHY)
