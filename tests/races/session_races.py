"""Races of those who sign in; as ``scan_races.py``."""

import asyncio
from collections import Counter as Tally
from typing import Any

import pyotp
from sqlmodel import select

from loyalty.access.models import Operator, RefreshToken, SignInSession
from loyalty.access.service import create_operator, prepare_password
from loyalty.access.sessions import REUSED, open_session
from loyalty.actor import Actor, ActorKind, MemberRole, system_actor
from loyalty.db import Tx
from tests.races.arena import Arena, Broken
from tests.races.stage import said
from tests.races.wire import ask_once, release_at_once, request_bytes

REFRESH = """mutation Race($input: RefreshSessionInput!) { refreshSession(input: $input) {
  __typename ... on SignInReceipt { token refreshToken } ... on Refused { code } } }"""
SIGN_IN = """mutation Race($input: SignInOperatorInput!) { signInOperator(input: $input) {
  __typename ... on SignInReceipt { token refreshToken } ... on Refused { code } } }"""
TTL_SECONDS = 3600
HELD_SECONDS = 1.5


def _ends(replies: list[dict[str, Any]]) -> Tally[str]:
    return Tally(str(r.get("code", r.get("fault", r["__typename"]))) for r in replies)


async def one_refresh_token_is_good_once(arena: Arena, size: int) -> Broken:
    """One refresh token, brought by everybody at once: one is answered with the next, and as
    somebody must have a copy, that is worth nothing either."""
    broken = Broken()
    stage = await arena.stage("refresh").build()
    (caller,) = await stage.consumers(1)
    role = MemberRole.CONSUMER.value
    actor = Actor(ActorKind.MEMBER, stage.brand_id, caller.identity_id, role)
    opened = await arena.db.in_transaction(open_session, stage.keyring, actor, TTL_SECONDS)

    def refresh(token: str) -> bytes:
        return request_bytes(caller.token, REFRESH, {"input": {"refreshToken": token}})

    answers = await release_at_once(arena.ports, [refresh(opened.refresh_token)] * size)
    replies = [said(answer, "refreshSession") for answer in answers]
    ends = _ends(replies)
    broken.unless(
        ends == Tally({"SignInReceipt": 1, "REFRESH_TOKEN_WRONG": size - 1}),
        f"one is refreshed, not {dict(ends)}",
    )
    tokens = await stage.rows(RefreshToken)
    broken.unless(len(tokens) == 2, f"one token follows the first, not {len(tokens) - 1}")
    (session,) = await stage.rows(SignInSession)
    broken.unless(session.revoked_reason == REUSED, "the session ends")
    for reply in replies:
        if "refreshToken" in reply:
            again = said(
                await ask_once(arena.ports[0], refresh(reply["refreshToken"])), "refreshSession"
            )
            broken.unless(again.get("code") == "REFRESH_TOKEN_WRONG", "and with it the next token")
    return broken


async def one_totp_code_signs_in_once(arena: Arena, size: int) -> Broken:
    """One operator's password and code, seen over its shoulder and sent by many. The operator's row
    is held until they have all come to it, as hashing passwords lets them through one by one."""
    broken = Broken()
    stage = await arena.stage("totp").build()
    password = await prepare_password()
    made = await arena.db.in_transaction(
        create_operator,
        system_actor(stage.brand_id),
        stage.keyring,
        email="ada@example.com",
        name="Ada",
        role="ADMIN",
        password=password,
    )
    given = {
        "brand": stage.slug,
        "email": "ada@example.com",
        "password": password.clear,
        "totp": pyotp.TOTP(made.totp_secret).now(),
    }
    request = request_bytes(stage.operator(), SIGN_IN, {"input": given})

    async def hold(tx: Tx) -> None:
        await tx.session.exec(select(Operator).where(Operator.id == made.row.id).with_for_update())
        await asyncio.sleep(HELD_SECONDS)

    answers, _ = await asyncio.gather(
        release_at_once(arena.ports, [request] * size), arena.db.in_transaction(hold)
    )
    ends = _ends([said(answer, "signInOperator") for answer in answers])
    broken.unless(
        ends == Tally({"SignInReceipt": 1, "CREDENTIALS_WRONG": size - 1}),
        f"the code signs in once, not {dict(ends)}",
    )
    sessions = await stage.rows(SignInSession)
    broken.unless(len(sessions) == 1, f"one session is opened, not {len(sessions)}")
    return broken
