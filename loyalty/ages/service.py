"""The verbs of ages: they are stated, and two persons' become one's."""

from uuid import UUID

from loyalty.actor import Actor
from loyalty.ages import queries
from loyalty.ages.models import AgeStatement
from loyalty.ages.rules import (
    Stated,
    age_on,
    born_by_of,
    check_age,
    contradicts,
    years_before,
)
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import AgeContradicted
from loyalty.ids import new_id


async def confirm_age(tx: Tx, actor: Actor, age: int) -> int:
    """A member states its age in full years, for its identity and whoever is one person with it:
    kept for ever. How old it is known to be from now on. Refuses InvalidInput, AgeContradicted."""
    check_age(age, "age")
    today = local_date(tx.now, (await get_brand(tx, actor.brand_id)).timezone)
    person = await _lock_person(tx, actor.brand_id, actor.id)
    before = await queries.list_stated(tx, actor.brand_id, person)
    new = Stated(age, years_before(today, age))
    if contradicts(before, new):
        raise AgeContradicted()
    await tx.add(
        AgeStatement(
            brand_id=actor.brand_id,
            id=new_id(),
            identity_id=actor.id,
            age=age,
            born_by=new.born_by,
            stated_at=tx.now,
        )
    )
    known = born_by_of([*before, new]) or new.born_by
    await queries.set_born_by(tx, actor.brand_id, person, known)
    return age_on(known, today)


async def join_ages(tx: Tx, brand_id: UUID, identity_id: UUID) -> None:
    """What is known of a person that two have become: what follows from all that both stated."""
    person = await _lock_person(tx, brand_id, identity_id)
    stated = await queries.list_stated(tx, brand_id, person)
    if stated:
        await queries.set_born_by(tx, brand_id, person, born_by_of(stated))


async def _lock_person(tx: Tx, brand_id: UUID, identity_id: UUID) -> list[UUID]:
    rows = await queries.lock_person(tx, brand_id, identity_id)
    own = next(row for row in rows if row.id == identity_id)
    if any(row.person_id != own.person_id for row in rows):
        raise RetryTransaction  # became another's person while it was waited for
    return [row.id for row in rows]
