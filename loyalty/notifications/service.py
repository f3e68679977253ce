"""Notifications in three steps, so that nothing is sent inside a transaction: prepare (snapshot),
send (provider), record (in the transaction that marks the fact delivered)."""

from uuid import UUID

from sqlmodel import col, select

from loyalty.brands import service as brands
from loyalty.db import Snapshot, Tx
from loyalty.members import service as members
from loyalty.notifications.models import Notification
from loyalty.notifications.providers import Message

WELCOME = "WELCOME"


async def prepare_welcome(
    snapshot: Snapshot, brand_id: UUID, event_id: UUID, member_id: UUID
) -> Message | None:
    """The welcome of a new member; None when this event's message is recorded already."""
    sent = await snapshot.session.exec(
        select(Notification.id).where(
            col(Notification.brand_id) == brand_id, col(Notification.id) == event_id
        )
    )
    if sent.first() is not None:
        return None
    brand = await brands.get_brand(snapshot, brand_id)
    member = await members.get_member(snapshot, brand_id, member_id)
    content = {"zh": f"欢迎加入{brand.name}!", "en": f"Welcome to {brand.name}!"}
    return Message(event_id, brand_id, member.id, WELCOME, content)


async def record_sent(tx: Tx, message: Message, provider: str) -> bool:
    """Record a message that a provider took; False when it was recorded before."""
    return await tx.insert_if_absent(
        Notification(
            brand_id=message.brand_id,
            id=message.id,
            member_id=message.member_id,
            kind=message.kind,
            content=message.content,
            provider=provider,
            sent_at=tx.now,
        )
    )
