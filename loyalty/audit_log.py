"""Who did what, and why: every write by an operator, a partner or the command line. Append-only."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from loyalty.actor import Actor
from loyalty.db import JsonColumn, Tx
from loyalty.tables import brand_reference, own_id, tenant


class AuditLogEntry(SQLModel, table=True):
    """One act of one actor upon one subject."""

    __tablename__ = "audit_log"
    __table_args__ = (brand_reference(),)

    brand_id: UUID = tenant()
    id: UUID = own_id()
    actor_kind: str
    actor_id: UUID
    action: str
    subject_id: UUID
    reason: str
    details: dict[str, Any] = Field(sa_type=JsonColumn)
    created_at: datetime


async def record(
    tx: Tx, actor: Actor, action: str, subject_id: UUID, reason: str = "", **details: Any
) -> None:
    """Write the act into the running transaction."""
    await tx.add(
        AuditLogEntry(
            brand_id=actor.brand_id,
            actor_kind=actor.kind.value,
            actor_id=actor.id,
            action=action,
            subject_id=subject_id,
            reason=reason,
            details=details,
            created_at=tx.now,
        )
    )
