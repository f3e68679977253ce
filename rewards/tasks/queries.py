"""The SQL of tasks: what members have done is counted where it is, a statement for each kind of it
and any number of members. An ask is once there for everybody that its member is by merges: what
they did stays with whom they did it as."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, update
from sqlmodel import col, select

from loyalty.db import Snapshot, Statement, Tx
from rewards.tasks.models import Task, TaskCounts, TaskTaking

_ASKED = {
    "asked": "ask bigint, brand_id uuid, member_id uuid, starts_at timestamptz,"
    " ends_at timestamptz, id_from uuid"
}
_COUNTED = "ask bigint, counted bigint"


def _in_window(row: str, at: str = "occurred_at") -> str:
    return f"{row}.{at} >= asked.starts_at AND {row}.{at} < asked.ends_at"


_NOT_REVERSED = """NOT EXISTS (SELECT 1 FROM scan_reversals r
        WHERE r.brand_id = s.brand_id AND r.scan_id = s.id)"""


def _count(rows: str, where: str, what: str = "*") -> Statement:
    return Statement(
        f"SELECT asked.ask, COUNT({what}) FROM {{asked}} {rows} WHERE {where} GROUP BY asked.ask",
        sets=_ASKED,
        returns=_COUNTED,
    )


COUNTS = {
    # Scans are not found by their guide; what they gave it is, by its accounts.
    TaskCounts.GUIDED_SCANS: _count(
        """
        {each:a accounts ON a.brand_id = asked.brand_id AND a.owner_id = asked.member_id}
        {each:t transfers ON t.brand_id = a.brand_id AND t.credit_account_id = a.id
            AND t.id >= asked.id_from}
        {each:s scan_events ON s.brand_id = t.brand_id AND s.id = t.cause_id}
        """,
        "a.kind = 'MAIN' AND t.cause_kind = 'SCAN' AND t.kind = 'EARN' AND t.phase <> 'VOID'"
        " AND s.role = 'CONSUMER' AND s.unpaid_reason IS NULL AND s.guide_unpaid_reason IS NULL"
        f" AND {_in_window('s')} AND {_NOT_REVERSED}",
        "DISTINCT s.id",
    ),
    TaskCounts.OWN_SCANS: _count(
        """
        {each:s scan_events ON s.brand_id = asked.brand_id AND s.member_id = asked.member_id
            AND s.id >= asked.id_from}
        """,
        "(s.unpaid_reason IS NULL OR s.unpaid_reason = 'AWAITS_CONSUMER')"
        f" AND {_in_window('s')} AND {_NOT_REVERSED}",
    ),
    TaskCounts.INVITED: _count(
        "{each:n members ON n.brand_id = asked.brand_id AND n.invited_by_id = asked.member_id}",
        f"n.merged_into_id IS NULL AND {_in_window('n', 'enrolled_at')}",
    ),
    TaskCounts.INVITED_SCANS: _count(
        """
        {each:n members ON n.brand_id = asked.brand_id AND n.invited_by_id = asked.member_id}
        {each:s scan_events ON s.brand_id = n.brand_id AND s.member_id = n.id
            AND s.id >= asked.id_from}
        """,
        f"s.unpaid_reason IS NULL AND {_in_window('s')} AND {_NOT_REVERSED}",
    ),
    TaskCounts.PURCHASES: _count(
        """
        {each:p purchase_events ON p.brand_id = asked.brand_id AND p.member_id = asked.member_id
            AND p.id >= asked.id_from}
        """,
        f"p.source <> 'IMPORT' AND p.returned_at IS NULL AND {_in_window('p')}",
    ),
    TaskCounts.CHECK_INS: _count(
        """
        {each:e earning_events ON e.brand_id = asked.brand_id AND e.member_id = asked.member_id
            AND e.id >= asked.id_from}
        """,
        f"e.kind = 'CHECK_IN' AND {_in_window('e')}",
    ),
    TaskCounts.REFERRALS: _count(
        "{each:r referrals ON r.brand_id = asked.brand_id AND r.referrer_id = asked.member_id}",
        f"r.status = 'SETTLED' AND {_in_window('r', 'settled_at')}",
    ),
}

FIND_COMPLETED = Statement(
    """
    SELECT asked.ask, e.id FROM {asked}
    {each:e earning_events ON e.brand_id = asked.brand_id AND e.kind = 'TASK_COMPLETED'
        AND e.ref = asked.ref}
    """,
    sets={
        "asked": "ask bigint, brand_id uuid, ref text",
    },
    returns="ask bigint, id uuid",
)

# Who they are by now, and what they have taken; nobody else.
FIND_TAKERS = Statement(
    """
    SELECT m.id, m.role, k.task_id, k.taken_at
    FROM {keys}
    {each:m members ON m.brand_id = keys.brand_id AND m.id = keys.member_id}
    {maybe:k task_takings ON k.brand_id = m.brand_id AND k.member_id = m.id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="id uuid, role text, task_id uuid, taken_at timestamptz",
)


async def find_task(snapshot: Snapshot, brand_id: UUID, code: str) -> Task | None:
    found = await snapshot.session.exec(
        select(Task)
        .where(col(Task.brand_id) == brand_id, col(Task.code) == code)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def list_tasks(
    snapshot: Snapshot, brand_id: UUID, *, not_ended_by: datetime | None = None
) -> list[Task]:
    """Newest first; those that have not ended by an instant, or all."""
    query = select(Task).where(col(Task.brand_id) == brand_id)
    if not_ended_by is not None:
        query = query.where(or_(col(Task.ends_at).is_(None), col(Task.ends_at) > not_ended_by))
    return list(await snapshot.session.exec(query.order_by(col(Task.id).desc())))


async def list_takings(
    snapshot: Snapshot, brand_id: UUID, member_id: UUID, task_ids: Collection[UUID]
) -> list[TaskTaking]:
    found = await snapshot.session.exec(
        select(TaskTaking).where(
            col(TaskTaking.brand_id) == brand_id,
            col(TaskTaking.member_id) == member_id,
            col(TaskTaking.task_id).in_(task_ids),
        )
    )
    return list(found)


async def end_task(tx: Tx, task: Task) -> bool:
    """Let a task end now, begun or not; False when it has ended already."""
    ended = await tx.session.exec(
        update(Task)
        .where(
            col(Task.brand_id) == task.brand_id,
            col(Task.id) == task.id,
            or_(col(Task.ends_at).is_(None), col(Task.ends_at) > tx.now),
        )
        .values(starts_at=min(task.starts_at, tx.now), ends_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return ended.rowcount == 1
