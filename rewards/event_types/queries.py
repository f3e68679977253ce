"""The SQL of event types."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty.db import Snapshot, Tx
from rewards.event_types.models import EventType


async def list_types(
    snapshot: Snapshot, brand_id: UUID, codes: Collection[str] | None = None
) -> list[EventType]:
    """The brand's types by their codes; of these codes, if named."""
    statement = select(EventType).where(col(EventType.brand_id) == brand_id)
    if codes is not None:
        statement = statement.where(col(EventType.code).in_(sorted(codes)))
    found = await snapshot.session.exec(
        statement.order_by(col(EventType.code)).execution_options(populate_existing=True)
    )
    return list(found)


async def set_version(tx: Tx, held: EventType, next_one: EventType) -> bool:
    """Make a type its next version; False when that was done meanwhile."""
    moved = await tx.session.exec(
        update(EventType)
        .where(
            col(EventType.brand_id) == held.brand_id,
            col(EventType.id) == held.id,
            col(EventType.version) == held.version,
        )
        .values(
            name_zh=next_one.name_zh,
            name_en=next_one.name_en,
            version=next_one.version,
            fields=next_one.fields,
            registered_at=next_one.registered_at,
        )
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount == 1
