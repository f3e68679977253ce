"""Sessions: what lets a caller stay signed in while its tokens are short-lived.

A session is the family of refresh tokens that came of one sign-in. Each is good once and is
answered with the next. One that comes again ends the family, since somebody has a copy: that must
be committed although the answer is no, so these verbs return None, and whoever called them raises
RefreshTokenWrong after the commit.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from loyalty.access import queries
from loyalty.access.models import RefreshToken, SignInSession
from loyalty.access.rules import brand_of_refresh_token
from loyalty.actor import GRANTS_BY_ROLE, Actor, ActorKind, OperatorRole
from loyalty.crypto import Keyring
from loyalty.db import Tx

REUSED = "REUSED"
SIGNED_OUT = "SIGNED_OUT"
GONE = "GONE"
TOTP_RESET = "TOTP_RESET"

InService = Callable[[Tx, Actor], Awaitable[bool]]
"""Whether a clerk may still work at its till: places know, and access is below them."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened or refreshed: its refresh token in clear, good once, and its end."""

    refresh_token: str = field(repr=False)
    expires_at: datetime


async def open_session(tx: Tx, keyring: Keyring, actor: Actor, ttl_seconds: int) -> NewSession:
    """The session of a sign-in that was settled, and its first refresh token. Its end is fixed
    now: refreshing does not lengthen it. ValueError for the system's own actor."""
    if actor.kind in (ActorKind.SYSTEM, ActorKind.PARTNER):
        raise ValueError("the command line and keys have no sessions")
    session = SignInSession(
        brand_id=actor.brand_id,
        kind=actor.kind.value,
        subject_id=actor.id,
        role=actor.role,
        place_id=actor.place_id,
        till_id=actor.till_id,
        created_at=tx.now,
        expires_at=tx.now + timedelta(seconds=ttl_seconds),
    )
    await tx.add(session)
    return await _issue(tx, keyring, session)


async def _issue(tx: Tx, keyring: Keyring, session: SignInSession) -> NewSession:
    # It begins with the brand, so that whoever brings it back need not say which.
    token = f"{session.brand_id.hex}.{secrets.token_urlsafe(32)}"
    row = RefreshToken(
        brand_id=session.brand_id,
        session_id=session.id,
        token_hash=_hash(keyring, session.brand_id, token),
        created_at=tx.now,
    )
    await tx.add(row)
    return NewSession(token, session.expires_at)


def _hash(keyring: Keyring, brand_id: UUID, token: str) -> str:
    return keyring.lookup_hash(brand_id, "refresh", token)


async def refresh_session(
    tx: Tx, keyring: Keyring, token: str, in_service: InService
) -> tuple[Actor, NewSession] | None:
    """The caller as it is now, and the next token of its session.

    None when the token is unknown or was used before (which ends the session), when the session
    has ended, or when the operator or the clerk at that till is no longer there.
    """
    known = await _find(tx, keyring, token)
    if known is None:
        return None
    session = await queries.lock_session(tx, known.brand_id, known.session_id)
    if session.revoked_at is not None or session.expires_at <= tx.now:
        return None
    if not await queries.use_refresh_token(tx, known):
        await queries.revoke_session(tx, session.brand_id, session.id, REUSED)
        return None
    actor = await _actor_now(tx, session, in_service)
    if actor is None:
        await queries.revoke_session(tx, session.brand_id, session.id, GONE)
        return None
    return actor, await _issue(tx, keyring, session)


async def _find(tx: Tx, keyring: Keyring, token: str) -> RefreshToken | None:
    brand_id = brand_of_refresh_token(token)
    if brand_id is None:
        return None
    return await queries.find_refresh_token(tx, brand_id, _hash(keyring, brand_id, token))


async def _actor_now(tx: Tx, session: SignInSession, in_service: InService) -> Actor | None:
    kind = ActorKind(session.kind)
    if kind is ActorKind.OPERATOR:
        operator = await queries.find_operator(tx, session.brand_id, session.subject_id)
        if operator is None:
            return None
        role = OperatorRole(operator.role)
        return Actor(kind, session.brand_id, operator.id, role.value, GRANTS_BY_ROLE[role])
    actor = Actor(
        kind,
        session.brand_id,
        session.subject_id,
        session.role,
        place_id=session.place_id,
        till_id=session.till_id,
    )
    if kind is ActorKind.CLERK and not await in_service(tx, actor):
        return None
    return actor


async def end_session(tx: Tx, keyring: Keyring, token: str) -> None:
    """Sign out: no token of this one's session works from now on. Any of them says which session,
    used or not; one of no session changes nothing."""
    known = await _find(tx, keyring, token)
    if known is not None:
        await queries.revoke_session(tx, known.brand_id, known.session_id, SIGNED_OUT)


async def end_sessions_of(tx: Tx, brand_id: UUID, subject_id: UUID, reason: str) -> int:
    """End all sessions of one caller; how many were alive."""
    return await queries.revoke_sessions_of(tx, brand_id, subject_id, reason)
