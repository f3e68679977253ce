"""Who did what, and why: every write by an operator, a partner or the command line. Append-only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel, col

from loyalty import keyed
from loyalty.actor import Actor
from loyalty.db import JsonColumn, Snapshot, Tx
from loyalty.tables import brand_reference, own_id, tenant


class AuditLogEntry(SQLModel, table=True):
    """One act of one actor upon one subject."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "brand_id", "subject_id", "id"), brand_reference())

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which acts to read: of a time (``until`` excluded), and where given upon one subject, by one
    actor, of one action."""

    since: datetime
    until: datetime
    subject_id: UUID | None = None
    actor_id: UUID | None = None
    action: str | None = None


async def list_acts(
    snapshot: Snapshot, brand_id: UUID, wanted: Wanted, *, before: UUID | None, limit: int
) -> list[AuditLogEntry]:
    """A page of the brand's acts, newest first, older than the id ``before``."""
    conditions = [
        col(AuditLogEntry.created_at) >= wanted.since,
        col(AuditLogEntry.created_at) < wanted.until,
    ]
    if wanted.subject_id is not None:
        conditions.append(col(AuditLogEntry.subject_id) == wanted.subject_id)
    if wanted.actor_id is not None:
        conditions.append(col(AuditLogEntry.actor_id) == wanted.actor_id)
    if wanted.action is not None:
        conditions.append(col(AuditLogEntry.action) == wanted.action)
    return await keyed.list_newest(
        snapshot, AuditLogEntry, brand_id, *conditions, before=before, limit=limit
    )
