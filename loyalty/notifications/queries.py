"""The SQL of notifications: a constant number of statements for any number of facts."""

from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Snapshot, Statement, insert_statement
from loyalty.notifications.models import Notification

FIND_RECIPIENTS = Statement(
    """
    SELECT facts.brand_id, facts.id, m.id, m.role, b.name, n.id
    FROM {facts}
    {each:b brands ON b.id = facts.brand_id}
    {each:m members ON m.brand_id = facts.brand_id AND m.id = facts.member_id}
    {maybe:n notifications ON n.brand_id = facts.brand_id AND n.id = facts.id}
    """,
    sets={"facts": "brand_id uuid, id uuid, member_id uuid"},
    returns="brand_id uuid, id uuid, member_id uuid, role text, brand_name text, told_id uuid",
)

INSERT_SENT = insert_statement(
    Notification,
    "brand_id uuid, id uuid, member_id uuid, kind text, content jsonb, provider text,"
    " sent_at timestamptz",
    "ON CONFLICT DO NOTHING",
)


async def list_notifications(
    snapshot: Snapshot, brand_id: UUID, member_id: UUID
) -> list[Notification]:
    """What a member was told, first to last."""
    found = await snapshot.session.exec(
        select(Notification)
        .where(col(Notification.brand_id) == brand_id, col(Notification.member_id) == member_id)
        .order_by(col(Notification.id))
    )
    return list(found)
