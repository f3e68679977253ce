"""A brand that sets tasks, and a worker that finds who has done them."""

from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.db import Database
from loyalty.notifications.providers import NullProvider
from rewards.activities.service import settle_activities
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.events.models import EarningEvent
from rewards.tasks.models import TaskCounts, TaskPeriod
from rewards.tasks.rules import TaskDefinition
from rewards.tasks.service import TaskStanding, create_task, list_standings, take_task
from tests.rewards.merges.families import CONSUMER, GUIDE, Family
from tests.rewards.payouts.stores import drain
from workers.wiring import make_relay

REWARD = 50
POINTS = "POINTS"


async def set_task(family: Family, code: str, counts: TaskCounts, target: int, **more: Any) -> None:
    """Of guides and for the whole window, unless told otherwise."""
    wanted: dict[str, Any] = {
        "role": GUIDE,
        "period": TaskPeriod.ONCE,
        "starts_at": None,
        "ends_at": None,
        "for_everybody": False,
    }
    task = TaskDefinition(code, "任务", "Task", counts=counts, target=target, **wanted | more)
    await family.run(create_task, family.operator, task)


async def pay_tasks(family: Family, condition: str | None = None) -> None:
    """Whoever completes one has points."""
    outcomes = tuple(Outcome(r, POINTS, OutcomeBasis.FIXED, REWARD) for r in (GUIDE, CONSUMER))
    definition = CampaignDefinition(
        "tasks", "任务", "Tasks", EventKind.TASK_COMPLETED, outcomes, condition=condition
    )
    await family.run(publish_campaign, family.operator, definition)


async def take(family: Family, person: str, code: str, role: MemberRole = GUIDE) -> bool:
    """Whether it was taken just now."""
    _, is_new = await family.run(take_task, family.actor(person, role), code)
    return is_new


async def sell(family: Family, guide: str, buyer: str, serial: int) -> dict[str, Any]:
    """The guide scans outside, the buyer inside: the buyer's reply."""
    await family.scan(guide, serial, GUIDE)
    return await family.scan(buyer, serial)


async def standing(family: Family, person: str, role: MemberRole = GUIDE) -> TaskStanding:
    """How far somebody is with the only task of its role."""
    member = await family.member(person, role)
    async with family.db.snapshot() as snapshot:
        [found] = await list_standings(snapshot, family.brand.id, role.value, member.id)
    return found


async def work_off(db: Database) -> None:
    """What workers do until nothing is left."""
    await drain(make_relay(db, NullProvider()))
    while await db.in_transaction(settle_activities, 100):
        pass


async def completions(family: Family) -> dict[tuple[UUID, str], str | None]:
    """Why each (member, period) that completed a task was not paid."""
    rows = await family.rows(EarningEvent, kind=EventKind.TASK_COMPLETED.value)
    assert len({(row.member_id, row.ref) for row in rows}) == len(rows)
    return {(row.member_id, row.payload["period"]): row.unpaid_reason for row in rows}
