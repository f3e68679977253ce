"""Surveys (问卷): operators set them and read what was answered, members answer."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import MemberRole, QuestionKind
from graphql_schema.event_types import EarningEvent, event_loader
from graphql_schema.loaders import row_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.pagination import Connection, Cursor, encode_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.members.queries import find_member
from rewards.events.models import EarningEvent as EventRow
from rewards.surveys import queries, rules, service
from rewards.surveys.models import Survey as SurveyRow
from rewards.surveys.models import SurveyAnswer as AnswerRow
from rewards.surveys.service import SurveyStanding

CURSOR = Cursor(UUID)


survey_loader = row_loader(queries.list_surveys_by_ids)


@strawberry.type(description="One that a question offers.")
class SurveyOption:
    code: str
    zh: str
    en: str


@strawberry.type(description="low to high: of SCALE, both included.")
class SurveyQuestion:
    code: str
    kind: QuestionKind
    zh: str
    en: str
    prompt: str = strawberry.field(description="In the caller's language.")
    required: bool
    options: list[SurveyOption]
    low: int | None
    high: int | None


@strawberry.type(
    description="What answering it pays is the business of campaigns for SURVEY_ANSWERED"
    " (docs/surveys.md)."
)
class Survey:
    code: str
    name_zh: str
    name_en: str
    role: MemberRole = strawberry.field(description="Who may answer it.")
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, SurveyRow | cls)

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[SurveyRow], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh

    @strawberry.field
    def questions(self, row: strawberry.Parent[SurveyRow], info: Info) -> list[SurveyQuestion]:
        is_english = info.context.language == "en"
        return [
            SurveyQuestion(
                code=each.code,
                kind=each.kind,
                zh=each.zh,
                en=each.en,
                prompt=each.en if is_english else each.zh,
                required=each.required,
                options=[SurveyOption(code=o.code, zh=o.zh, en=o.en) for o in each.options],
                low=each.low,
                high=each.high,
            )
            for each in rules.questions_from_json(row.questions)
        ]


@strawberry.type(description="To one question: the one of the three that its kind asks for.")
class QuestionAnswer:
    question: str
    options: list[str] | None
    number: int | None
    text: str | None


@strawberry.type
class SurveyAnswer:
    answered_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, AnswerRow | cls)

    @strawberry.field(graphql_type=Survey)
    async def survey(self, row: strawberry.Parent[AnswerRow], info: Info) -> SurveyRow | None:
        return await info.context.loader(survey_loader).load(row.survey_id)

    @strawberry.field(description="Who answered; what a merged member had, another has now.")
    def member_id(self, row: strawberry.Parent[AnswerRow]) -> strawberry.ID:
        return encode_id("Member", row.member_id)

    @strawberry.field(description="In the order of the questions.")
    async def answers(self, row: strawberry.Parent[AnswerRow], info: Info) -> list[QuestionAnswer]:
        survey = await info.context.loader(survey_loader).load(row.survey_id)
        asked = [] if survey is None else rules.questions_from_json(survey.questions)
        return [
            _answer(question.code, row.answers[question.code])
            for question in asked
            if question.code in row.answers
        ]


def _answer(question: str, said: list[str] | int | str) -> QuestionAnswer:
    return QuestionAnswer(
        question=question,
        options=said if isinstance(said, list) else None,
        number=said if isinstance(said, int) else None,
        text=said if isinstance(said, str) else None,
    )


@strawberry.type(description="A survey that is open to the caller; answer: its own, if it gave it.")
class MemberSurvey:
    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, SurveyStanding | cls)

    @strawberry.field(graphql_type=Survey)
    def survey(self, standing: strawberry.Parent[SurveyStanding]) -> SurveyRow:
        return standing.survey

    @strawberry.field(graphql_type=SurveyAnswer | None)
    def answer(self, standing: strawberry.Parent[SurveyStanding]) -> AnswerRow | None:
        return standing.answer


@strawberry.input
class SurveyOptionInput:
    code: str
    zh: str
    en: str


@strawberry.input(
    description="options: of ONE and SEVERAL, 2 to 30. low and high: of SCALE, within 0 to 100."
)
class SurveyQuestionInput:
    code: str
    kind: QuestionKind
    zh: str
    en: str
    required: bool = True
    options: list[SurveyOptionInput] = strawberry.field(default_factory=list)
    low: int | None = None
    high: int | None = None


@strawberry.input
class CreateSurveyInput:
    idempotency_key: strawberry.ID
    code: str = strawberry.field(
        description="A small letter, then up to 39 of a-z, 0-9, dashes and underscores; for good."
    )
    name_zh: str
    name_en: str
    role: MemberRole = MemberRole.CONSUMER
    questions: list[SurveyQuestionInput] = strawberry.field(description="1 to 50, for good.")
    starts_at: datetime | None = strawberry.field(default=None, description="Null is now.")
    ends_at: datetime


@strawberry.input
class EndSurveyInput:
    idempotency_key: strawberry.ID
    code: str


@strawberry.input(description="The one of the three that the question's kind asks for.")
class QuestionAnswerInput:
    question: str
    options: list[str] | None = None
    number: int | None = None
    text: str | None = None


@strawberry.input
class AnswerSurveyInput:
    idempotency_key: strawberry.ID
    code: str
    answers: list[QuestionAnswerInput]


@strawberry.type
class CreateSurveyReceipt:
    replayed: bool
    survey: SurveyRow = strawberry.field(graphql_type=Survey)


@strawberry.type
class EndSurveyReceipt:
    replayed: bool
    survey: SurveyRow = strawberry.field(graphql_type=Survey)


@strawberry.type(description="event: what it earned, or why not.")
class AnswerSurveyReceipt:
    replayed: bool
    event: EventRow = strawberry.field(graphql_type=EarningEvent)


CreateSurveyResult = Annotated[
    CreateSurveyReceipt | Refused, strawberry.union("CreateSurveyResult")
]
EndSurveyResult = Annotated[EndSurveyReceipt | Refused, strawberry.union("EndSurveyResult")]
AnswerSurveyResult = Annotated[
    AnswerSurveyReceipt | Refused, strawberry.union("AnswerSurveyResult")
]


async def _survey(context: Context, code: str) -> SurveyRow:
    async with context.database.snapshot() as snapshot:
        return await service.require_survey(snapshot, context.caller.brand_id, code)


def _question(input: SurveyQuestionInput) -> rules.Question:
    options = tuple(rules.Option(each.code, each.zh, each.en) for each in input.options)
    return rules.Question(
        input.code,
        input.kind,
        input.zh,
        input.en,
        input.required,
        options,
        input.low,
        input.high,
    )


@strawberry.type
class SurveyQuery:
    @strawberry.field(graphql_type=list[Survey], extensions=[HasGrant(Grant.READ)])
    async def surveys(self, info: Info) -> list[SurveyRow]:
        """The brand's surveys, newest first."""
        async with info.context.database.snapshot() as snapshot:
            return await service.list_surveys(snapshot, info.context.caller.brand_id)

    @strawberry.field(graphql_type=Connection[SurveyAnswer], extensions=[HasGrant(Grant.READ)])
    async def survey_answers(
        self,
        info: Info,
        code: str | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[AnswerRow]:
        """What members answered, newest first: to one survey, or to all."""
        return await page_of_brand(
            info.context, partial(service.list_answers, survey=code), first, after
        )

    @strawberry.field(graphql_type=list[MemberSurvey], extensions=[IsMember()])
    async def my_surveys(self, info: Info) -> list[SurveyStanding]:
        """The surveys that are open to the caller's role, newest first."""
        actor = info.context.caller
        async with info.context.database.snapshot() as snapshot:
            member = await find_member(snapshot, actor.brand_id, actor.id, actor.role)
            member_id = None if member is None else member.id
            return await service.list_standings(snapshot, actor.brand_id, actor.role, member_id)


@strawberry.type
class SurveyMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def create_survey(self, info: Info, input: CreateSurveyInput) -> CreateSurveyResult:
        """Set a survey (发布问卷)."""
        context = info.context
        wanted = rules.SurveyDefinition(
            input.code,
            input.name_zh,
            input.name_en,
            input.role,
            tuple(_question(each) for each in input.questions),
            input.starts_at,
            input.ends_at,
        )

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            return {"code": (await service.create_survey(tx, actor, wanted)).code}

        reply, replayed = await effect_once(context, "createSurvey", input, verb)
        return CreateSurveyReceipt(replayed=replayed, survey=await _survey(context, reply["code"]))

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def end_survey(self, info: Info, input: EndSurveyInput) -> EndSurveyResult:
        """Let a survey end now (结束问卷)."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            return {"code": (await service.end_survey(tx, actor, input.code)).code}

        reply, replayed = await effect_once(context, "endSurvey", input, verb)
        return EndSurveyReceipt(replayed=replayed, survey=await _survey(context, reply["code"]))

    @strawberry.mutation(extensions=[IsMember()])
    async def answer_survey(self, info: Info, input: AnswerSurveyInput) -> AnswerSurveyResult:
        """Answer a survey (填写问卷), once a member; it may earn."""
        context = info.context
        given = [
            rules.GivenAnswer(each.question, each.options, each.number, each.text)
            for each in input.answers
        ]

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            cache = context.services.configurations
            _, recorded = await service.answer_survey(tx, actor, input.code, given, cache)
            return {"event": recorded.id.hex}

        reply, replayed = await effect_once(context, "answerSurvey", input, verb)
        event = await context.loader(event_loader).load(UUID(hex=reply["event"]))
        if event is None:
            raise LookupError("an event that was recorded is not there")
        return AnswerSurveyReceipt(replayed=replayed, event=event)
