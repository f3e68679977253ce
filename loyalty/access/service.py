"""The verbs of signing in.

What counts failures must be committed although the answer is no: these verbs return a value, and
whoever called them raises the refusal after the commit. Hashing passwords takes tens of
milliseconds and runs on its own threads, outside of any transaction: an operator's sign-in is
``find_sign_in`` (snapshot), ``match_password``, ``settle_sign_in`` (transaction).
"""

import asyncio
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from loyalty import audit_log
from loyalty.access import queries
from loyalty.access.models import Operator, RefreshToken, SignInCode, SignInSession
from loyalty.access.rules import (
    CODE_ATTEMPTS_MAX,
    CODE_WINDOW_SECONDS,
    CODES_PER_WINDOW_MAX,
    check_operator_role,
    check_password,
    decide_attempt,
    is_possible_password,
    is_sign_in_code,
    normalise_email,
)
from loyalty.actor import Actor, ActorKind
from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from loyalty.errors import AlreadyExists, InvalidInput
from loyalty.ids import new_id
from loyalty.members import service as members
from loyalty.members.models import Identity
from loyalty.members.rules import normalise_phone
from loyalty.text import checked_text

NAME_LENGTH_MAX = 100

_hasher = PasswordHasher()
# Two at once: each takes 64 MiB, and a storm of sign-ins must not take the scans' processor.
_hashing_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
# For unknown e-mails: as slow to refuse as a wrong password. Salt and hash are made up.
_DUMMY_HASH = (
    f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    f"${'A' * 22}${'A' * 43}"
)


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password in clear, to be shown once, and what is kept of it."""

    clear: str = field(repr=False)
    hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """Whom an e-mail names (None: nobody), and the hash to try the password against."""

    brand_id: UUID
    operator_id: UUID | None
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """A one-time code to be sent after the commit: its row, the phone in E.164, the clear code."""

    row: SignInCode
    phone: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeThrottled:
    """Too many codes for this phone."""

    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened or refreshed: its refresh token in clear, good once, and its end."""

    refresh_token: str = field(repr=False)
    expires_at: datetime


async def prepare_password(password: str | None = None) -> NewPassword:
    """Check and hash a password (12 characters or more), or make a strong one where none is given;
    before the transaction."""
    clear = secrets.token_urlsafe(18) if password is None else check_password(password)
    return NewPassword(clear, await hash_secret(clear))


async def hash_secret(secret: str) -> str:
    """The argon2 hash of a password or a sealed PIN, on the threads for it; before the
    transaction."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_hashing_threads, _hasher.hash, secret)


async def verify_secret(secret_hash: str | None, secret: str) -> bool:
    """Whether this is the secret of a hash (None: of nobody). Always one argon2 run, so that both
    are refused as slowly."""
    loop = asyncio.get_running_loop()
    known = secret_hash or _DUMMY_HASH
    return await loop.run_in_executor(_hashing_threads, _verifies, known, secret) and bool(
        secret_hash
    )


def _verifies(secret_hash: str, secret: str) -> bool:
    try:
        return _hasher.verify(secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False


async def create_operator(
    tx: Tx, actor: Actor, *, email: str, name: str, role: str, password: NewPassword
) -> Operator:
    """A new operator of the actor's brand; AlreadyExists when the e-mail has one."""
    operator = Operator(
        brand_id=actor.brand_id,
        email=normalise_email(email),
        name=checked_text(name, "name", length_max=NAME_LENGTH_MAX),
        role=check_operator_role(role).value,
        password_hash=password.hash,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(operator):
        raise AlreadyExists(noun="operator", field="email")
    await audit_log.record(tx, actor, "operator.create", operator.id, role=operator.role)
    return operator


async def find_sign_in(snapshot: Snapshot, brand_id: UUID, email: str) -> SignInAttempt:
    """Step one: an unknown or malformed e-mail gives an attempt that will fail as slowly."""
    try:
        operator = await queries.find_operator_by_email(snapshot, brand_id, normalise_email(email))
    except InvalidInput:
        operator = None
    if operator is None:
        return SignInAttempt(brand_id, None, _DUMMY_HASH)
    return SignInAttempt(brand_id, operator.id, operator.password_hash)


async def match_password(attempt: SignInAttempt, password: str) -> bool:
    """Step two, on a thread: whether the password is this one. Always one argon2 run."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_hashing_threads, _matches, attempt, password)


def _matches(attempt: SignInAttempt, password: str) -> bool:
    possible = is_possible_password(password)
    matched = _verifies(attempt.password_hash, password if possible else "impossible")
    return matched and possible and attempt.operator_id is not None


async def settle_sign_in(tx: Tx, attempt: SignInAttempt, matched: bool) -> Operator | None:
    """Step three: count it, and the operator if it is let in. On None raise CredentialsWrong after
    the commit, or the failure would not count."""
    if attempt.operator_id is None:
        return None
    operator = await queries.lock_operator(tx, attempt.brand_id, attempt.operator_id)
    if operator is None:
        return None
    same_password = hmac.compare_digest(operator.password_hash, attempt.password_hash)
    decision = decide_attempt(
        operator.failed_attempts, operator.locked_until, matched and same_password, tx.now
    )
    before = (operator.failed_attempts, operator.locked_until)
    if before != (decision.failed_attempts, decision.locked_until):
        await queries.set_failures(tx, operator, decision.failed_attempts, decision.locked_until)
    return operator if decision.accepted else None


async def request_sign_in_code(
    tx: Tx, keyring: Keyring, ttl_seconds: int, brand_id: UUID, phone: str
) -> CodeIssued | CodeThrottled:
    """A new six-digit code for a phone, at most five an hour; only the newest one works.

    InvalidInput when it is no phone. Send the code after the commit.
    """
    number = normalise_phone(phone)
    phone_hash = keyring.lookup_hash(brand_id, "phone", number)
    await tx.take_turns(f"sign-in code {brand_id} {phone_hash}")
    window = timedelta(seconds=CODE_WINDOW_SECONDS)
    times = await queries.list_code_times(tx, brand_id, phone_hash, tx.now - window)
    if len(times) >= CODES_PER_WINDOW_MAX:
        return CodeThrottled(_seconds_until(times[-CODES_PER_WINDOW_MAX] + window, tx.now))
    code = f"{secrets.randbelow(10**6):06d}"
    row_id = new_id()
    row = SignInCode(
        brand_id=brand_id,
        id=row_id,
        phone_hash=phone_hash,
        code_hash=_code_hash(keyring, brand_id, row_id, code),
        attempts_left=CODE_ATTEMPTS_MAX,
        expires_at=tx.now + timedelta(seconds=ttl_seconds),
        created_at=tx.now,
    )
    await tx.add(row)
    return CodeIssued(row, number, code)


def _seconds_until(then: datetime, now: datetime) -> int:
    return max(1, int((then - now).total_seconds()) + 1)


def _code_hash(keyring: Keyring, brand_id: UUID, row_id: UUID, code: str) -> str:
    # The row's id goes in, so that equal codes of two rows do not look equal.
    return keyring.lookup_hash(brand_id, "code", f"{row_id.hex}:{code}")


async def redeem_sign_in_code(
    tx: Tx, keyring: Keyring, brand_id: UUID, phone: str, code: str
) -> Identity | None:
    """The identity of the phone whose code this is; the code dies of it.

    None when it is wrong, used, expired or guessed at too often. Raise SignInCodeWrong after the
    commit: the guess must count.
    """
    number = normalise_phone(phone)
    phone_hash = keyring.lookup_hash(brand_id, "phone", number)
    row = await queries.find_newest_code(tx, brand_id, phone_hash)
    if row is None or not is_sign_in_code(code):
        return None
    if not await queries.take_attempt(tx, row):
        return None
    if not hmac.compare_digest(row.code_hash, _code_hash(keyring, brand_id, row.id, code)):
        return None
    if not await queries.use_code(tx, row):
        return None
    return await members.find_or_create_identity_by_phone(tx, keyring, brand_id, number)


async def open_session(tx: Tx, keyring: Keyring, actor: Actor, ttl_seconds: int) -> NewSession:
    """The session of a sign-in that was settled, and its first refresh token. Its end is fixed
    now: refreshing does not lengthen it. ValueError for the system's own actor."""
    if actor.kind is ActorKind.SYSTEM:
        raise ValueError("the command line has no sessions")
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
    return await _issue_refresh_token(tx, keyring, session)


async def _issue_refresh_token(tx: Tx, keyring: Keyring, session: SignInSession) -> NewSession:
    # It begins with the brand, so that whoever brings it back need not say which.
    token = f"{session.brand_id.hex}.{secrets.token_urlsafe(32)}"
    row = RefreshToken(
        brand_id=session.brand_id,
        session_id=session.id,
        token_hash=_refresh_hash(keyring, session.brand_id, token),
        created_at=tx.now,
    )
    await tx.add(row)
    return NewSession(token, session.expires_at)


def _refresh_hash(keyring: Keyring, brand_id: UUID, token: str) -> str:
    return keyring.lookup_hash(brand_id, "refresh", token)
