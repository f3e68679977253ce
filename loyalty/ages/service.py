"""The verbs of ages: they are stated, put right, and two persons' become one's."""

from uuid import UUID

from loyalty import audit_log
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
from loyalty.members.service import get_member
from loyalty.text import checked_text

REASON_LENGTH_MAX = 500


async def confirm_age(tx: Tx, actor: Actor, age: int) -> int:
    """A member states its age in full years, for its identity and whoever is one person with it:
    kept for ever. How old it is known to be from now on. Refuses InvalidInput, AgeContradicted."""
    return await _state(tx, actor.brand_id, actor.id, age, None)


async def correct_age(tx: Tx, actor: Actor, member_id: UUID, age: int, reason: str) -> int:
    """An operator puts right how old a member is in full years, whatever it has stated before (a
    slip of the finger; a document that was shown): kept for ever, and audited. How old it is known
    to be from now on. Refuses InvalidInput, NotFound."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    member = await get_member(tx, actor.brand_id, member_id)
    known = await _state(tx, actor.brand_id, member.identity_id, age, actor.id)
    await audit_log.record(tx, actor, "member.correct_age", member_id, reason, age=age)
    return known


async def _state(
    tx: Tx, brand_id: UUID, identity_id: UUID, age: int, operator_id: UUID | None
) -> int:
    check_age(age, "age")
    today = local_date(tx.now, (await get_brand(tx, brand_id)).timezone)
    person = await _lock_person(tx, brand_id, identity_id)
    before = await queries.list_stated(tx, brand_id, person)
    new = Stated(age, years_before(today, age), operator_id is not None)
    if contradicts(before, new):
        raise AgeContradicted()
    await tx.add(
        AgeStatement(
            brand_id=brand_id,
            id=new_id(),
            identity_id=identity_id,
            age=age,
            born_by=new.born_by,
            operator_id=operator_id,
            stated_at=tx.now,
        )
    )
    known = born_by_of([*before, new]) or new.born_by
    await queries.set_born_by(tx, brand_id, person, known)
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
