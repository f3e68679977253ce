"""How to provoke what is refused of tasks."""

from loyalty.errors import NotOpen
from tests.graphql_schema import programs
from tests.graphql_schema.provoking import Call, refused
from tests.graphql_schema.stage import Stage


@refused(NotOpen)
async def a_task_taken_after_its_end(stage: Stage) -> Call:
    effect = await programs.take_task(stage)
    await stage.admin.done("endTask", **effect.good)
    return Call(effect.caller, "takeTask", effect.good)
