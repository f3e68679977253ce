"""Pure: what a task may be, and the periods of its window."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.clock import day_start, local_date
from loyalty.errors import InvalidInput
from loyalty.members.rules import INVITING_ROLES
from loyalty.text import check_handle, checked_instant, checked_text
from rewards.tasks.models import TaskCounts, TaskPeriod

NAME_LENGTH_MAX = 80
TARGET_MAX = 1_000_000
OPEN_TASKS_MAX = 50
LATE_DAYS = 7
"""What is told so late of a period that is over still completes it."""

_LATE = timedelta(days=LATE_DAYS)
_MOMENT = timedelta(microseconds=1)

ROLES: Mapping[TaskCounts, frozenset[MemberRole]] = {
    TaskCounts.GUIDED_SCANS: frozenset({MemberRole.GUIDE}),
    TaskCounts.OWN_SCANS: frozenset({MemberRole.CONSUMER, MemberRole.GUIDE}),
    TaskCounts.INVITED: frozenset(INVITING_ROLES),
    TaskCounts.INVITED_SCANS: frozenset(INVITING_ROLES),
    TaskCounts.PURCHASES: frozenset({MemberRole.CONSUMER}),
    TaskCounts.CHECK_INS: frozenset(MemberRole),
    TaskCounts.REFERRALS: frozenset({MemberRole.CONSUMER}),
}
"""Who can have what a task counts."""


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """What an operator asks for; ``starts_at`` None is now."""

    code: str
    name_zh: str
    name_en: str
    role: MemberRole
    counts: TaskCounts
    target: int
    period: TaskPeriod
    starts_at: datetime | None
    ends_at: datetime | None
    for_everybody: bool


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as it is judged by."""

    id: UUID
    code: str
    role: str
    counts: TaskCounts
    target: int
    period: TaskPeriod
    starts_at: datetime
    ends_at: datetime | None
    for_everybody: bool


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a task: from ``starts_at`` until just before ``ends_at``, if it ends. ``name``
    is the local week or month (``2026-W47``, ``2026-11``), or ONCE."""

    name: str
    starts_at: datetime
    ends_at: datetime | None

    def completed_at(self, now: datetime) -> datetime:
        """When a task that is found done now was done at the latest."""
        return now if self.ends_at is None or now < self.ends_at else self.ends_at - _MOMENT


def check_task(wanted: TaskDefinition, now: datetime) -> datetime:
    """When it begins. Refuses InvalidInput with the field's path."""
    check_handle(wanted.code, "code")
    checked_text(wanted.name_zh, "nameZh", length_max=NAME_LENGTH_MAX)
    checked_text(wanted.name_en, "nameEn", length_max=NAME_LENGTH_MAX)
    if not 1 <= wanted.target <= TARGET_MAX:
        raise InvalidInput(field="target", problem=f"1 to {TARGET_MAX}")
    if wanted.role not in ROLES[wanted.counts]:
        roles = ", ".join(sorted(ROLES[wanted.counts]))
        raise InvalidInput(field="role", problem=f"{wanted.counts} are of {roles}")
    starts_at = now if wanted.starts_at is None else wanted.starts_at
    for name, at in (("startsAt", wanted.starts_at), ("endsAt", wanted.ends_at)):
        checked_instant(at, name)
    if starts_at < now:
        raise InvalidInput(field="startsAt", problem="not in the past")
    if wanted.ends_at is not None and wanted.ends_at <= starts_at:
        raise InvalidInput(field="endsAt", problem="after startsAt")
    return starts_at


def late_limit(now: datetime) -> datetime:
    """Tasks and periods that ended before this are closed for good."""
    return now - _LATE


def current_period(task: TaskView, now: datetime, timezone: str) -> Period:
    """The period of now; of a task that is not open, the first or the last one."""
    at = max(now, task.starts_at)
    if task.ends_at is not None and at >= task.ends_at:
        at = max(task.ends_at - _MOMENT, task.starts_at)
    return _period_at(task, at, timezone)


def periods_to_settle(task: TaskView, now: datetime, timezone: str) -> Iterator[Period]:
    """The periods that what has been told by now may complete: the present one, and those that
    ended within LATE_DAYS."""
    if now < task.starts_at:
        return
    period = current_period(task, now, timezone)
    while period.ends_at is None or period.ends_at > late_limit(now):
        yield period
        if period.starts_at <= task.starts_at:
            return
        period = _period_at(task, period.starts_at - _MOMENT, timezone)


def _period_at(task: TaskView, at: datetime, timezone: str) -> Period:
    if task.period is TaskPeriod.ONCE:
        return Period(TaskPeriod.ONCE.value, task.starts_at, task.ends_at)
    on = local_date(at, timezone)
    if task.period is TaskPeriod.WEEK:
        first = on - timedelta(days=on.weekday())
        after = first + timedelta(days=7)
        name = f"{on.isocalendar().year}-W{on.isocalendar().week:02}"
    else:
        first = on.replace(day=1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        name = f"{first:%Y-%m}"
    ends_at = day_start(after, timezone)
    if task.ends_at is not None:
        ends_at = min(ends_at, task.ends_at)
    return Period(name, max(day_start(first, timezone), task.starts_at), ends_at)
