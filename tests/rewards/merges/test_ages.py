"""Two members become one: how old that one is."""

from datetime import date

from loyalty.actor import Actor, ActorKind
from loyalty.ages.service import confirm_age
from loyalty.db import Database
from loyalty.members.models import Identity
from tests.clocks import SettableClock
from tests.rewards.merges.families import make_family


async def test_a_minor_stays_one_by_becoming_somebody_else(
    clocked_db: Database, clock: SettableClock
) -> None:
    family = await make_family(clocked_db)
    await family.buy("ann", 1)
    await family.buy("bea", 1)
    for name, age in (("ann", 16), ("bea", 30)):
        own = await family.own(name)
        actor = Actor(ActorKind.MEMBER, family.brand.id, own.identity_id, "CONSUMER")
        assert await clocked_db.in_transaction(confirm_age, actor, age) == age
    await family.merge("ann", "bea")
    known = {row.born_by for row in await family.rows(Identity) if row.born_by}
    assert known == {date(2010, 11, 9)}, "what is said before a minor's word has no weight"
    clock.advance(days=366)
    assert await clocked_db.in_transaction(confirm_age, actor, 18) == 18, "or nearly so"
    known = {row.born_by for row in await family.rows(Identity) if row.born_by}
    assert known == {date(2009, 11, 10)}
    await family.check()
