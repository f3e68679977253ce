"""Sessions: each refresh token is good once, one that comes again ends the session, and whoever is
refreshed is who it is now."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import delete, update
from sqlmodel import select

from loyalty.access import sessions
from loyalty.access.models import Operator, RefreshToken, SignInSession
from loyalty.access.service import create_operator, prepare_password
from loyalty.access.sessions import NewSession, end_session, open_session, refresh_session
from loyalty.actor import (
    CLERK_ROLE,
    GRANTS_BY_ROLE,
    Actor,
    ActorKind,
    OperatorRole,
    system_actor,
)
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from tests.clocks import SettableClock

TTL_SECONDS = 3600


@dataclass
class Desk:
    """Sessions of one brand; ``clerks`` are those in service."""

    database: Database
    keyring: Keyring
    brand_id: UUID
    clerks: set[UUID]

    def consumer(self) -> Actor:
        return Actor(ActorKind.MEMBER, self.brand_id, new_id(), "CONSUMER")

    def clerk(self) -> Actor:
        return Actor(
            *(ActorKind.CLERK, self.brand_id, new_id(), CLERK_ROLE),
            place_id=new_id(),
            till_id=new_id(),
        )

    async def open(self, actor: Actor) -> NewSession:
        return await self.database.in_transaction(open_session, self.keyring, actor, TTL_SECONDS)

    async def refresh(self, token: str) -> tuple[Actor, NewSession] | None:
        return await self.database.in_transaction(
            refresh_session, self.keyring, token, self._in_service
        )

    async def end(self, token: str) -> None:
        await self.database.in_transaction(end_session, self.keyring, token)

    async def _in_service(self, _tx: Tx, clerk: Actor) -> bool:
        return clerk.id in self.clerks

    async def row(self) -> SignInSession:
        async with self.database.snapshot() as snapshot:
            return (await snapshot.session.exec(select(SignInSession))).one()


@pytest.fixture
def desk(db: Database, keyring: Keyring, brand: Brand) -> Desk:
    return Desk(db, keyring, brand.id, set())


@pytest_asyncio.fixture
async def operator(desk: Desk) -> Actor:
    """An administrator of the brand."""
    made = await desk.database.in_transaction(
        create_operator,
        system_actor(desk.brand_id),
        desk.keyring,
        email="ada@example.com",
        name="Ada",
        role="ADMIN",
        password=await prepare_password(),
    )
    grants = GRANTS_BY_ROLE[OperatorRole.ADMIN]
    return Actor(ActorKind.OPERATOR, desk.brand_id, made.row.id, "ADMIN", grants)


async def test_each_token_brings_the_next_and_the_caller_as_it_was(
    desk: Desk, operator: Actor
) -> None:
    clerk = desk.clerk()
    desk.clerks.add(clerk.id)
    for actor in (desk.consumer(), clerk, operator):
        opened = await desk.open(actor)
        token, seen = opened.refresh_token, {opened.refresh_token}
        for _ in range(3):
            refreshed = await desk.refresh(token)
            assert refreshed is not None
            assert refreshed[0] == actor
            assert refreshed[1].expires_at == opened.expires_at
            token = refreshed[1].refresh_token
            seen.add(token)
        assert len(seen) == 4


async def test_a_token_that_comes_again_ends_the_session_for_good(desk: Desk) -> None:
    first = await desk.open(desk.consumer())
    other = await desk.open(desk.consumer())
    refreshed = await desk.refresh(first.refresh_token)
    assert refreshed is not None
    assert await desk.refresh(first.refresh_token) is None
    assert await desk.refresh(refreshed[1].refresh_token) is None
    assert await desk.refresh(other.refresh_token) is not None


async def test_of_two_with_one_token_at_once_one_wins_and_the_session_ends(desk: Desk) -> None:
    opened = await desk.open(desk.consumer())
    answers = await asyncio.gather(*(desk.refresh(opened.refresh_token) for _ in range(2)))
    [won] = [answer for answer in answers if answer is not None]
    session = await desk.row()
    assert session.revoked_reason == sessions.REUSED
    assert await desk.refresh(won[1].refresh_token) is None


async def test_of_a_crowd_with_one_token_one_wins(desk: Desk) -> None:
    opened = await desk.open(desk.consumer())
    answers = await asyncio.gather(*(desk.refresh(opened.refresh_token) for _ in range(30)))
    assert sum(answer is not None for answer in answers) == 1


async def test_a_session_ends_at_its_time_however_often_it_was_refreshed(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, brand: Brand
) -> None:
    desk = Desk(clocked_db, keyring, brand.id, set())
    opened = await desk.open(desk.consumer())
    assert opened.expires_at == clock() + timedelta(seconds=TTL_SECONDS)
    clock.advance(seconds=TTL_SECONDS - 1)
    refreshed = await desk.refresh(opened.refresh_token)
    assert refreshed is not None
    clock.advance(seconds=1)
    assert await desk.refresh(refreshed[1].refresh_token) is None


async def test_an_operator_is_refreshed_in_the_role_it_has_now_while_it_is_there(
    desk: Desk, operator: Actor
) -> None:
    opened = await desk.open(operator)

    async def demote(tx: Tx) -> None:
        await tx.session.exec(update(Operator).values(role="VIEWER"))

    await desk.database.in_transaction(demote)
    refreshed = await desk.refresh(opened.refresh_token)
    assert refreshed is not None
    grants = GRANTS_BY_ROLE[OperatorRole.VIEWER]
    assert refreshed[0] == replace(operator, role="VIEWER", grants=grants)

    async def dismiss(tx: Tx) -> None:
        await tx.session.exec(delete(Operator))

    await desk.database.in_transaction(dismiss)
    assert await desk.refresh(refreshed[1].refresh_token) is None
    assert (await desk.row()).revoked_reason == sessions.GONE


async def test_a_clerk_out_of_service_is_not_refreshed_nor_when_it_comes_back(desk: Desk) -> None:
    clerk = desk.clerk()
    desk.clerks.add(clerk.id)
    opened = await desk.open(clerk)
    desk.clerks.clear()
    assert await desk.refresh(opened.refresh_token) is None
    desk.clerks.add(clerk.id)
    assert await desk.refresh(opened.refresh_token) is None


async def test_signing_out_ends_the_session_by_any_of_its_tokens_and_as_often_as_one_likes(
    desk: Desk,
) -> None:
    opened = await desk.open(desk.consumer())
    refreshed = await desk.refresh(opened.refresh_token)
    assert refreshed is not None
    for _ in range(2):
        await desk.end(opened.refresh_token)
    ended = await desk.row()
    assert ended.revoked_reason == sessions.SIGNED_OUT
    assert await desk.refresh(refreshed[1].refresh_token) is None
    assert await desk.row() == ended


async def test_tokens_that_are_none_are_refused_and_touch_nothing(desk: Desk) -> None:
    opened = await desk.open(desk.consumer())
    clear = opened.refresh_token
    brand, _, rest = clear.partition(".")
    for wrong in (
        "",
        "x",
        "\x00",
        "\ud800",
        f"{clear}x",
        clear[:-1],
        clear.upper(),
        f" {clear}",
        f"{UUID(hex=brand)}.{rest}",  # the same brand, spelled otherwise
        f"{new_id().hex}.{rest}",
        f"{brand}.令牌",
    ):
        assert await desk.refresh(wrong) is None
        await desk.end(wrong)
    assert await desk.refresh(clear) is not None


async def test_no_token_is_kept_or_shown(desk: Desk) -> None:
    opened = await desk.open(desk.consumer())
    assert opened.refresh_token not in repr(opened)
    async with desk.database.snapshot() as snapshot:
        kept = (await snapshot.session.exec(select(RefreshToken))).one()
    assert opened.refresh_token.partition(".")[2] not in repr(kept)


async def test_the_command_line_has_no_session(desk: Desk) -> None:
    with pytest.raises(ValueError):
        await desk.open(system_actor(desk.brand_id))
