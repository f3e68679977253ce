"""Tasks (任务): operators set them, members take them and see how far they are."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import MemberRole, TaskCounts, TaskPeriod
from graphql_schema.event_types import EarningEvent, event_loader
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.members.queries import find_member
from rewards.events.models import EarningEvent as EventRow
from rewards.tasks import service
from rewards.tasks.models import Task as TaskRow
from rewards.tasks.rules import TaskDefinition
from rewards.tasks.service import TaskStanding


@strawberry.type(
    description="So many of something in a period (docs/tasks.md). What it pays is the business of"
    " campaigns for TASK_COMPLETED."
)
class Task:
    code: str
    name_zh: str
    name_en: str
    role: MemberRole = strawberry.field(description="Of whom it is.")
    counts: TaskCounts
    target: int
    period: TaskPeriod
    starts_at: datetime
    ends_at: datetime | None
    for_everybody: bool = strawberry.field(description="It has not to be taken.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TaskRow | cls)

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[TaskRow], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh


@strawberry.type(
    description="How far the caller is in the task's present period, or its last one. takenAt null:"
    " it is not taken, and nothing is counted."
)
class MemberTask:
    taken_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TaskStanding | cls)

    @strawberry.field(graphql_type=Task)
    def task(self, standing: strawberry.Parent[TaskStanding]) -> TaskRow:
        return standing.task

    @strawberry.field(description="ONCE, or the local week (2026-W47) or month (2026-11).")
    def period(self, standing: strawberry.Parent[TaskStanding]) -> str:
        return standing.period.name

    @strawberry.field
    def starts_at(self, standing: strawberry.Parent[TaskStanding]) -> datetime:
        return standing.period.starts_at

    @strawberry.field
    def ends_at(self, standing: strawberry.Parent[TaskStanding]) -> datetime | None:
        return standing.period.ends_at

    @strawberry.field(description="Of the task's target, as of now.")
    def progress(self, standing: strawberry.Parent[TaskStanding]) -> int:
        return standing.counted

    @strawberry.field(
        graphql_type=EarningEvent | None,
        description="Its completion in this period, with what it earned; a worker finds it.",
    )
    async def completion(
        self, standing: strawberry.Parent[TaskStanding], info: Info
    ) -> EventRow | None:
        if standing.event_id is None:
            return None
        return await info.context.loader(event_loader).load(standing.event_id)


@strawberry.input
class CreateTaskInput:
    idempotency_key: strawberry.ID
    code: str = strawberry.field(
        description="A small letter, then up to 39 of a-z, 0-9, dashes and underscores; for good."
    )
    name_zh: str
    name_en: str
    role: MemberRole
    counts: TaskCounts
    target: int
    period: TaskPeriod = TaskPeriod.ONCE
    starts_at: datetime | None = strawberry.field(default=None, description="Null is now.")
    ends_at: datetime | None = strawberry.field(default=None, description="Null is until ended.")
    for_everybody: bool = strawberry.field(
        default=False, description="Of everybody of the role, without being taken."
    )


@strawberry.input
class EndTaskInput:
    idempotency_key: strawberry.ID
    code: str


@strawberry.input
class TakeTaskInput:
    idempotency_key: strawberry.ID
    code: str


@strawberry.type
class CreateTaskReceipt:
    replayed: bool
    task: TaskRow = strawberry.field(graphql_type=Task)


@strawberry.type
class EndTaskReceipt:
    replayed: bool
    task: TaskRow = strawberry.field(graphql_type=Task)


@strawberry.type(description="alreadyTaken: also where it has not to be taken.")
class TakeTaskReceipt:
    replayed: bool
    already_taken: bool
    task: TaskStanding = strawberry.field(graphql_type=MemberTask)


CreateTaskResult = Annotated[CreateTaskReceipt | Refused, strawberry.union("CreateTaskResult")]
EndTaskResult = Annotated[EndTaskReceipt | Refused, strawberry.union("EndTaskResult")]
TakeTaskResult = Annotated[TakeTaskReceipt | Refused, strawberry.union("TakeTaskResult")]


async def _task(context: Context, code: str) -> TaskRow:
    async with context.database.snapshot() as snapshot:
        return await service.require_task(snapshot, context.caller.brand_id, code)


async def _standings(context: Context, *codes: str) -> list[TaskStanding]:
    actor = context.caller
    async with context.database.snapshot() as snapshot:
        member = await find_member(snapshot, actor.brand_id, actor.id, actor.role)
        member_id = None if member is None else member.id
        return await service.list_standings(snapshot, actor.brand_id, actor.role, member_id, codes)


@strawberry.type
class TaskQuery:
    @strawberry.field(graphql_type=list[Task], extensions=[HasGrant(Grant.READ)])
    async def tasks(self, info: Info) -> list[TaskRow]:
        """The brand's tasks, newest first."""
        async with info.context.database.snapshot() as snapshot:
            return await service.list_tasks(snapshot, info.context.caller.brand_id)

    @strawberry.field(graphql_type=list[MemberTask], extensions=[IsMember()])
    async def my_tasks(self, info: Info) -> list[TaskStanding]:
        """The tasks of the caller's role that are not long over, newest first, and its progress."""
        return await _standings(info.context)


@strawberry.type
class TaskMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def create_task(self, info: Info, input: CreateTaskInput) -> CreateTaskResult:
        """Set a task (发布任务)."""
        context = info.context
        wanted = TaskDefinition(
            input.code,
            input.name_zh,
            input.name_en,
            input.role,
            input.counts,
            input.target,
            input.period,
            input.starts_at,
            input.ends_at,
            input.for_everybody,
        )

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            return {"code": (await service.create_task(tx, actor, wanted)).code}

        reply, replayed = await effect_once(context, "createTask", input, verb)
        return CreateTaskReceipt(replayed=replayed, task=await _task(context, reply["code"]))

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def end_task(self, info: Info, input: EndTaskInput) -> EndTaskResult:
        """Let a task end now (结束任务); what happened until now still counts."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            return {"code": (await service.end_task(tx, actor, input.code)).code}

        reply, replayed = await effect_once(context, "endTask", input, verb)
        return EndTaskReceipt(replayed=replayed, task=await _task(context, reply["code"]))

    @strawberry.mutation(extensions=[IsMember()])
    async def take_task(self, info: Info, input: TakeTaskInput) -> TakeTaskResult:
        """Take a task (领取任务), for all of its periods: what one does from now on counts."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            _, is_new = await service.take_task(tx, actor, input.code)
            return {"again": not is_new}

        reply, replayed = await effect_once(context, "takeTask", input, verb)
        [standing] = await _standings(context, input.code)
        return TakeTaskReceipt(replayed=replayed, already_taken=reply["again"], task=standing)
