"""Notifications: one message per fact, and codes shown on the console only."""

import io

import pytest
from sqlmodel import select

from loyalty.actor import Actor, ActorKind
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.members import service as members
from loyalty.notifications import service as notifications
from loyalty.notifications.models import Notification
from loyalty.notifications.providers import (
    ConsoleProvider,
    NotificationProvider,
    NullProvider,
    SignInCodeSender,
)


async def test_a_welcome_is_prepared_sent_and_recorded_once(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    identity = await db.in_transaction(
        members.find_or_create_identity_by_phone, keyring, brand.id, "13800138000"
    )
    member = await db.in_transaction(
        members.enrol, Actor(ActorKind.MEMBER, brand.id, identity.id, "CONSUMER")
    )
    provider: NotificationProvider = NullProvider()
    fact = (brand.id, new_id(), member.id)
    async with db.snapshot() as snapshot:
        found = await notifications.find_recipients(snapshot, [fact])
    message = notifications.welcome(found[fact[1]])
    assert not found[fact[1]].is_told
    assert message.content == {"zh": "欢迎加入Demo!", "en": "Welcome to Demo!"}
    await provider.send(message)
    for _ in range(2):
        await db.in_transaction(notifications.record_all_sent, [message], provider.name)
    async with db.snapshot() as snapshot:
        again = await notifications.find_recipients(snapshot, [fact])
        rows = list(await snapshot.session.exec(select(Notification)))
    assert again[fact[1]].is_told
    assert [(row.id, row.kind, row.provider) for row in rows] == [(fact[1], "WELCOME", "null")]


async def test_the_console_shows_the_code() -> None:
    stream = io.StringIO()
    sender: SignInCodeSender = ConsoleProvider(stream)
    await sender.send_code("+8613800138000", "012345", 300)
    assert "012345" in stream.getvalue()
    assert "300 s" in stream.getvalue()


async def test_the_console_is_the_error_stream_by_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await ConsoleProvider().send_code("+8613800138000", "012345", 300)
    assert "012345" in capsys.readouterr().err
