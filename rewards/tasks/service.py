"""The verbs of tasks: set, ended, taken; how far members are; what is completed."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands.service import get_brand
from loyalty.clock import first_id_at
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import AlreadyExists, NotFound, NotOpen, TooManyOpen
from loyalty.members import service as members
from rewards.events import sources
from rewards.events.rules import EventFact
from rewards.tasks import queries
from rewards.tasks.models import Task, TaskCounts, TaskPeriod, TaskTaking
from rewards.tasks.queries import find_task, list_tasks
from rewards.tasks.rules import (
    OPEN_TASKS_MAX,
    Period,
    TaskDefinition,
    TaskView,
    check_task,
    current_period,
    late_limit,
    periods_to_settle,
)

# The last two are reads that others need.
__all__ = [
    "TaskStanding",
    "create_task",
    "end_task",
    "find_completed",
    "list_standings",
    "require_task",
    "take_task",
    "find_task",
    "list_tasks",
]

ID_SLACK = timedelta(hours=1)
"""Ids begin with the time at which a server made them, by its own clock."""
_FAR = datetime(2999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TaskStanding:
    """How far a member is with a task in a period. ``taken_at`` None: not taken, and nothing is
    counted; of one for everybody its beginning. ``event_id`` once it is completed."""

    task: Task
    period: Period
    taken_at: datetime | None
    counted: int
    event_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Ask:
    """A member's task in one period; what happened from ``since`` on counts."""

    task: TaskView
    member_id: UUID
    period: Period
    since: datetime


async def require_task(snapshot: Snapshot, brand_id: UUID, code: str) -> Task:
    """Refuses NotFound (task)."""
    task = await find_task(snapshot, brand_id, code)
    if task is None:
        raise NotFound(noun="task")
    return task


async def create_task(tx: Tx, actor: Actor, wanted: TaskDefinition) -> Task:
    """Set a task. Refuses InvalidInput (with the field's path), TooManyOpen and AlreadyExists."""
    starts_at = check_task(wanted, tx.now)
    await tx.take_turns(f"tasks {actor.brand_id}")
    if len(await list_tasks(tx, actor.brand_id, not_ended_by=tx.now)) >= OPEN_TASKS_MAX:
        raise TooManyOpen(noun="task", limit=OPEN_TASKS_MAX)
    task = Task(
        brand_id=actor.brand_id,
        code=wanted.code,
        name_zh=wanted.name_zh.strip(),
        name_en=wanted.name_en.strip(),
        role=wanted.role.value,
        counts=wanted.counts.value,
        target=wanted.target,
        period=wanted.period.value,
        starts_at=starts_at,
        ends_at=wanted.ends_at,
        for_everybody=wanted.for_everybody,
        created_by=actor.id,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(task):
        raise AlreadyExists(noun="task", field="code")
    await audit_log.record(tx, actor, "task.create", task.id, code=task.code, target=task.target)
    return task


async def end_task(tx: Tx, actor: Actor, code: str) -> Task:
    """Let a task end now: what happened until now still counts. Refuses NotFound (task) and
    NotOpen."""
    task = await require_task(tx, actor.brand_id, code)
    if not await queries.end_task(tx, task):
        raise NotOpen(noun="task")
    await audit_log.record(tx, actor, "task.end", task.id, code=code)
    return await require_task(tx, actor.brand_id, code)


async def take_task(tx: Tx, actor: Actor, code: str) -> tuple[UUID, bool]:
    """Take a task for all of its periods that are to come, once: who took it, and whether just
    now. Who is no member yet is enrolled. Refuses what ``members.enrol`` refuses, NotFound (task,
    also one of another role) and NotOpen."""
    task = await require_task(tx, actor.brand_id, code)
    if task.role != actor.role:
        raise NotFound(noun="task")
    if not task.starts_at <= tx.now or (task.ends_at is not None and task.ends_at <= tx.now):
        raise NotOpen(noun="task")
    member = await members.enrol(tx, actor)
    await members.require_unmerged(tx, [(member.brand_id, member.id)])
    if task.for_everybody or await queries.list_takings(tx, task.brand_id, member.id, [task.id]):
        return member.id, False
    taking = TaskTaking(
        brand_id=task.brand_id, task_id=task.id, member_id=member.id, taken_at=tx.now
    )
    if not await tx.insert_if_absent(taking):
        raise RetryTransaction
    return member.id, True


async def list_standings(
    snapshot: Snapshot, brand_id: UUID, role: str, member_id: UUID | None, codes: Sequence[str] = ()
) -> list[TaskStanding]:
    """The tasks of a role that are not long over (or those of ``codes``), newest first, and how far
    a member is with each in its present or last period; of who is no member yet, nothing is
    counted."""
    not_ended_by = None if codes else late_limit(snapshot.now)
    timezone = (await get_brand(snapshot, brand_id)).timezone
    rows = [
        row
        for row in await list_tasks(snapshot, brand_id, not_ended_by=not_ended_by)
        if row.role == role and (not codes or row.code in codes)
    ]
    taken: dict[UUID, datetime] = {}
    if member_id is not None:
        ids = [row.id for row in rows]
        takings = await queries.list_takings(snapshot, brand_id, member_id, ids)
        taken = {taking.task_id: taking.taken_at for taking in takings}
    periods = {row.id: current_period(_view(row), snapshot.now, timezone) for row in rows}
    asks = []
    for row in rows:
        since = row.starts_at if row.for_everybody else taken.get(row.id)
        if member_id is not None and since is not None:
            asks.append(_Ask(_view(row), member_id, periods[row.id], since))
    counted, completed = await _counted(snapshot, brand_id, asks), {}
    for place, event_id in await _completed(snapshot, brand_id, asks):
        completed[asks[place].task.id] = event_id
    so_far = {ask.task.id: counted.get(place, 0) for place, ask in enumerate(asks)}
    return [
        TaskStanding(
            row,
            periods[row.id],
            row.starts_at if row.for_everybody else taken.get(row.id),
            so_far.get(row.id, 0),
            completed.get(row.id),
        )
        for row in rows
    ]


async def find_completed(
    snapshot: Snapshot, brand_id: UUID, member_ids: Collection[UUID]
) -> list[EventFact]:
    """Of these members the tasks that they have completed and of which no event tells yet. Each is
    counted in the rows that are there: a few statements for all of them, one if no task runs."""
    open_tasks = await list_tasks(snapshot, brand_id, not_ended_by=late_limit(snapshot.now))
    if not open_tasks:
        return []
    timezone = (await get_brand(snapshot, brand_id)).timezone
    asks = await _asks(snapshot, brand_id, member_ids, [_view(row) for row in open_tasks], timezone)
    told = {place for place, _ in await _completed(snapshot, brand_id, asks)}
    asks = [ask for place, ask in enumerate(asks) if place not in told]
    counted = await _counted(snapshot, brand_id, asks)
    return [
        sources.task_completed(
            ask.task.id,
            ask.task.code,
            ask.member_id,
            ask.period.name,
            ask.period.completed_at(snapshot.now),
        )
        for place, ask in enumerate(asks)
        if counted.get(place, 0) >= ask.task.target
    ]


def _view(row: Task) -> TaskView:
    return TaskView(
        row.id,
        row.code,
        row.role,
        TaskCounts(row.counts),
        row.target,
        TaskPeriod(row.period),
        row.starts_at,
        row.ends_at,
        row.for_everybody,
    )


async def _asks(
    snapshot: Snapshot,
    brand_id: UUID,
    member_ids: Collection[UUID],
    tasks: Sequence[TaskView],
    timezone: str,
) -> list[_Ask]:
    """What each member has of these tasks, in each period that may still be completed."""
    taken: dict[tuple[UUID, UUID], datetime] = {}
    roles: dict[UUID, str] = {}
    keys = sorted((brand_id, id) for id in member_ids)
    for id, role, task_id, taken_at in await snapshot.fetch(queries.FIND_TAKERS, keys=keys):
        roles[id] = role
        if task_id is not None:
            taken[id, task_id] = taken_at
    asks = []
    for task in tasks:
        periods = list(periods_to_settle(task, snapshot.now, timezone))
        for member_id, role in roles.items():
            since = task.starts_at if task.for_everybody else taken.get((member_id, task.id))
            if role != task.role or since is None:
                continue
            asks += [
                _Ask(task, member_id, period, since)
                for period in periods
                if period.ends_at is None or since < period.ends_at
            ]
    return asks


async def _completed(
    snapshot: Snapshot, brand_id: UUID, asks: Sequence[_Ask]
) -> list[tuple[int, UUID]]:
    """(place among the asks, event) of those that are completed."""
    aliases = await members.aliases_of(snapshot, brand_id, {ask.member_id for ask in asks})
    rows = [
        (place, brand_id, sources.task_ref(ask.task.id, id, ask.period.name))
        for place, ask in enumerate(asks)
        for id in aliases[ask.member_id]
    ]
    found = await snapshot.fetch(queries.FIND_COMPLETED, asked=rows) if rows else []
    return [(place, id) for place, id in found]


async def _counted(snapshot: Snapshot, brand_id: UUID, asks: Sequence[_Ask]) -> dict[int, int]:
    """By place among the asks; zeros are left out."""
    aliases = await members.aliases_of(snapshot, brand_id, {ask.member_id for ask in asks})
    by_kind: dict[TaskCounts, list[tuple[object, ...]]] = defaultdict(list)
    for place, ask in enumerate(asks):
        starts_at = max(ask.since, ask.period.starts_at)
        window = (starts_at, ask.period.ends_at or _FAR, first_id_at(starts_at - ID_SLACK))
        rows = by_kind[ask.task.counts]
        rows += [(place, brand_id, id, *window) for id in aliases[ask.member_id]]
    counted: dict[int, int] = {}
    for kind in sorted(by_kind):
        counted |= dict(await snapshot.fetch(queries.COUNTS[kind], asked=by_kind[kind]))
    return counted
