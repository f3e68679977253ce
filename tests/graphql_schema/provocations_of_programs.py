"""How to provoke what is refused of tasks and surveys."""

from loyalty.errors import AlreadyAnswered, NotOpen
from tests.graphql_schema import programs
from tests.graphql_schema.provoking import Call, refused
from tests.graphql_schema.stage import Stage


@refused(NotOpen)
async def a_task_taken_after_its_end(stage: Stage) -> Call:
    effect = await programs.take_task(stage)
    await stage.admin.done("endTask", **effect.good)
    return Call(effect.caller, "takeTask", effect.good)


@refused(NotOpen)
async def a_survey_answered_after_its_end(stage: Stage) -> Call:
    effect = await programs.answer_survey(stage)
    await stage.admin.done("endSurvey", code=effect.good["code"])
    return Call(effect.caller, "answerSurvey", effect.good)


@refused(AlreadyAnswered)
async def a_survey_answered_twice(stage: Stage) -> Call:
    effect = await programs.answer_survey(stage)
    await effect.caller.done("answerSurvey", **effect.good)
    return Call(effect.caller, "answerSurvey", effect.good)
