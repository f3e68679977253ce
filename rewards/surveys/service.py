"""The verbs of surveys: set, ended, answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import AlreadyAnswered, AlreadyExists, NotFound, NotOpen, TooManyOpen
from loyalty.members import service as members
from rewards.events import sources
from rewards.events.rules import RecordedEvent
from rewards.events.service import settle_events
from rewards.purchases.service import ConfigurationCache
from rewards.surveys import queries
from rewards.surveys.models import Survey, SurveyAnswer
from rewards.surveys.queries import find_survey, list_answers, list_surveys
from rewards.surveys.rules import (
    OPEN_SURVEYS_MAX,
    GivenAnswer,
    SurveyDefinition,
    check_survey,
    questions_from_json,
    questions_to_json,
    read_answers,
)

# The last three are reads that others need.
__all__ = [
    "SurveyStanding",
    "answer_survey",
    "create_survey",
    "end_survey",
    "list_standings",
    "require_survey",
    "find_survey",
    "list_answers",
    "list_surveys",
]


@dataclass(frozen=True, slots=True)
class SurveyStanding:
    """A survey that is open to a member, and its answer."""

    survey: Survey
    answer: SurveyAnswer | None


async def require_survey(snapshot: Snapshot, brand_id: UUID, code: str) -> Survey:
    """Refuses NotFound (survey)."""
    survey = await find_survey(snapshot, brand_id, code)
    if survey is None:
        raise NotFound(noun="survey")
    return survey


async def create_survey(tx: Tx, actor: Actor, wanted: SurveyDefinition) -> Survey:
    """Set a survey. Refuses InvalidInput (with the field's path), TooManyOpen and AlreadyExists."""
    starts_at = check_survey(wanted, tx.now)
    await tx.take_turns(f"surveys {actor.brand_id}")
    if await queries.count_not_ended(tx, actor.brand_id) >= OPEN_SURVEYS_MAX:
        raise TooManyOpen(noun="survey", limit=OPEN_SURVEYS_MAX)
    survey = Survey(
        brand_id=actor.brand_id,
        code=wanted.code,
        name_zh=wanted.name_zh.strip(),
        name_en=wanted.name_en.strip(),
        role=wanted.role.value,
        questions=questions_to_json(wanted.questions),
        starts_at=starts_at,
        ends_at=wanted.ends_at,
        created_by=actor.id,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(survey):
        raise AlreadyExists(noun="survey", field="code")
    await audit_log.record(tx, actor, "survey.create", survey.id, code=survey.code)
    return survey


async def end_survey(tx: Tx, actor: Actor, code: str) -> Survey:
    """Let a survey end now. Refuses NotFound (survey) and NotOpen."""
    survey = await require_survey(tx, actor.brand_id, code)
    if not await queries.end_survey(tx, survey):
        raise NotOpen(noun="survey")
    await audit_log.record(tx, actor, "survey.end", survey.id, code=code)
    return await require_survey(tx, actor.brand_id, code)


async def answer_survey(
    tx: Tx,
    actor: Actor,
    code: str,
    given: Sequence[GivenAnswer],
    cache: ConfigurationCache | None = None,
) -> tuple[SurveyAnswer, RecordedEvent]:
    """A member answers a survey, once, and earns what that is worth. Who is no member yet is
    enrolled. Refuses what ``members.enrol`` refuses, NotFound (survey, also one of another role),
    NotOpen, AlreadyAnswered and InvalidInput (with the field's path)."""
    survey = await require_survey(tx, actor.brand_id, code)
    if survey.role != actor.role:
        raise NotFound(noun="survey")
    if not survey.starts_at <= tx.now < survey.ends_at:
        raise NotOpen(noun="survey")
    answers = read_answers(questions_from_json(survey.questions), given)
    member = await members.enrol(tx, actor)
    own = (await members.aliases_of(tx, survey.brand_id, [member.id]))[member.id]
    if await queries.list_answers_of(tx, survey.brand_id, own, [survey.id]):
        raise AlreadyAnswered()
    answer = SurveyAnswer(
        brand_id=survey.brand_id,
        survey_id=survey.id,
        member_id=member.id,
        answers=answers,
        answered_at=tx.now,
    )
    if not await tx.insert_if_absent(answer):
        raise AlreadyAnswered()
    fact = sources.survey_answered(survey.id, survey.code, member.id, tx.now)
    [result] = await settle_events(tx, survey.brand_id, actor, [fact], cache)
    if result.recorded is None:
        raise RetryTransaction  # merged into another since it was looked up
    return answer, result.recorded


async def list_standings(
    snapshot: Snapshot, brand_id: UUID, role: str, member_id: UUID | None
) -> list[SurveyStanding]:
    """The surveys that are open to a role, newest first, with what a member answered."""
    surveys = await list_surveys(snapshot, brand_id, open_to=role)
    given = {}
    if member_id is not None:
        ids = [survey.id for survey in surveys]
        own = (await members.aliases_of(snapshot, brand_id, [member_id]))[member_id]
        found = await queries.list_answers_of(snapshot, brand_id, own, ids)
        given = {answer.survey_id: answer for answer in found}
    return [SurveyStanding(survey, given.get(survey.id)) for survey in surveys]
