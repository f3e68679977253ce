"""How statements of ages are found, and what follows from them is written."""

from datetime import date
from uuid import UUID

from sqlalchemy import or_, update
from sqlmodel import col, select

from loyalty.ages.models import AgeStatement
from loyalty.ages.rules import Stated
from loyalty.db import Tx
from loyalty.members.models import Identity


async def lock_person(tx: Tx, brand_id: UUID, identity_id: UUID) -> list[Identity]:
    """An identity and whoever is one person with it, in the order of their ids: what is known of
    their age changes by nobody else until the transaction ends."""
    person = (
        select(Identity.person_id)
        .where(col(Identity.brand_id) == brand_id, col(Identity.id) == identity_id)
        .scalar_subquery()
    )
    found = await tx.session.exec(
        select(Identity)
        .where(
            col(Identity.brand_id) == brand_id,
            or_(col(Identity.id) == identity_id, col(Identity.person_id) == person),
        )
        .order_by(col(Identity.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(found)


async def list_stated(tx: Tx, brand_id: UUID, identity_ids: list[UUID]) -> list[Stated]:
    """What they have stated, in the order of time."""
    found = await tx.session.exec(
        select(AgeStatement)
        .where(
            col(AgeStatement.brand_id) == brand_id, col(AgeStatement.identity_id).in_(identity_ids)
        )
        .order_by(col(AgeStatement.stated_at), col(AgeStatement.id))
    )
    return [Stated(row.age, row.born_by, row.operator_id is not None) for row in found]


async def set_born_by(
    tx: Tx, brand_id: UUID, identity_ids: list[UUID], born_by: date | None
) -> None:
    """Write what is known of a person, to all that it is."""
    await tx.session.exec(
        update(Identity)
        .where(col(Identity.brand_id) == brand_id, col(Identity.id).in_(identity_ids))
        .values(born_by=born_by)
        .execution_options(synchronize_session=False)
    )
