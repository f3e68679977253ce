"""Tasks, and their mutations' inputs that take effect."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.graphql_schema.effects import Effect
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import Stage

TASK: dict[str, Any] = {
    "code": "thrice",
    "nameZh": "签到三天",
    "nameEn": "Three days",
    "role": "CONSUMER",
    "counts": "CHECK_INS",
    "target": 3,
}


async def create_task(stage: Stage) -> Effect:
    return Effect(stage.admin, TASK, TASK | {"code": "again"}, TASK | {"target": 0})


async def end_task(stage: Stage) -> Effect:
    return Effect(stage.admin, *(await _codes(stage)))


async def take_task(stage: Stage) -> Effect:
    return Effect(await stage.member(ALICE), *(await _codes(stage)))


async def _codes(stage: Stage) -> list[dict[str, str]]:
    for code in ("thrice", "again"):
        await stage.admin.done("createTask", **TASK | {"code": code})
    return [{"code": code} for code in ("thrice", "again", "unheard-of")]


PROGRAM_EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = {
    "createTask": create_task,
    "endTask": end_task,
    "takeTask": take_task,
}
