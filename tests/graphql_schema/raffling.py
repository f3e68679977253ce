"""A raffle that anybody may enter for points, and its mutations' inputs that take effect."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.graphql_schema.effects import WHY, Effect
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import CONSUMER, Stage, outcome

RAFFLE: dict[str, Any] = {
    "code": "autumn",
    "nameZh": "秋日抽奖",
    "nameEn": "Autumn raffle",
    "opensAt": "2020-01-01T00:00:00+08:00",
    "closesAt": "2999-01-01T00:00:00+08:00",
    "cost": {"asset": "POINTS", "amount": 10},
    "entriesMax": 3,
    "condition": "tier.rank >= 0 && member.daysSinceJoined < 10000",
    "prizeTable": [
        {
            "poolMin": 1,
            "prizes": [
                {"nameZh": "茶", "nameEn": "Tea", "winners": 1, "asset": "POINTS", "amount": 5}
            ],
        }
    ],
    "budgets": [{"asset": "POINTS", "amount": 5}],
}


async def open_raffle(stage: Stage, **more: Any) -> str:
    """The global id of a raffle."""
    made = await stage.admin.done("createRaffle", **RAFFLE | more)
    return str(made["raffle"]["id"])


async def create_raffle(stage: Stage) -> Effect:
    over = {"closesAt": "2021-01-01T00:00:00+08:00"}
    return Effect(stage.admin, RAFFLE, RAFFLE | {"code": "winter"}, RAFFLE | over)


async def enter_raffle(stage: Stage) -> Effect:
    await stage.publish([outcome(CONSUMER, 1000)])
    alice = await stage.member(ALICE)
    await alice.done("scanCode", code=await stage.code())
    ids = [await open_raffle(stage), await open_raffle(stage, code="winter")]
    one, other, unknown = [{"raffleId": id} for id in (*ids, stage.unknown_id("Raffle"))]
    return Effect(alice, one, other, unknown)


async def cancel_raffle(stage: Stage) -> Effect:
    ids = [await open_raffle(stage), await open_raffle(stage, code="winter")]
    one, other, unknown = [{"raffleId": id} | WHY for id in (*ids, stage.unknown_id("Raffle"))]
    return Effect(stage.admin, one, other, unknown)


RAFFLE_EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = {
    "createRaffle": create_raffle,
    "enterRaffle": enter_raffle,
    "cancelRaffle": cancel_raffle,
}
