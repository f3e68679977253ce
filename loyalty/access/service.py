"""The verbs of signing in.

What counts failures must be committed although the answer is no: these verbs return a value, and
whoever called them raises the refusal after the commit. Hashing passwords takes tens of
milliseconds and runs on its own threads, outside of any transaction: an operator's sign-in is
``find_sign_in`` (snapshot), ``match_password``, ``settle_sign_in`` (transaction). WeChat is asked
outside of any transaction as well: ``find_wechat_secret``, ``WechatClient.identify``,
``settle_wechat_sign_in``. What comes after a sign-in is in ``sessions.py``.
"""

import asyncio
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from loyalty import audit_log
from loyalty.access import queries
from loyalty.access.models import Operator, SignInCode, WechatAccount, WechatApp
from loyalty.access.rules import (
    CODE_ATTEMPTS_MAX,
    CODE_WINDOW_SECONDS,
    CODES_PER_WINDOW_MAX,
    check_operator_role,
    check_password,
    check_wechat_app_id,
    decide_attempt,
    is_possible_password,
    is_sign_in_code,
    is_wechat_app_id,
    normalise_email,
    totp_step_of,
)
from loyalty.access.sessions import TOTP_RESET, end_sessions_of
from loyalty.access.wechat import WechatUser
from loyalty.actor import Actor
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound
from loyalty.ids import new_id
from loyalty.members import service as members
from loyalty.members.models import Identity
from loyalty.members.rules import normalise_phone
from loyalty.text import checked_text

NAME_LENGTH_MAX = 100
WECHAT_SECRET_LENGTH_MAX = 128

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
class NewOperator:
    """An operator just made, and its TOTP secret in clear (base32), to be shown once."""

    row: Operator
    totp_secret: str = field(repr=False)


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
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    *,
    email: str,
    name: str,
    role: str,
    password: NewPassword,
) -> NewOperator:
    """A new operator of the actor's brand, with a TOTP secret of its own; AlreadyExists when the
    e-mail has one."""
    totp_secret = pyotp.random_base32()
    operator = Operator(
        brand_id=actor.brand_id,
        email=normalise_email(email),
        name=checked_text(name, "name", length_max=NAME_LENGTH_MAX),
        role=check_operator_role(role).value,
        password_hash=password.hash,
        totp_cipher=keyring.seal_secret(actor.brand_id, totp_secret),
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(operator):
        raise AlreadyExists(noun="operator", field="email")
    await audit_log.record(tx, actor, "operator.create", operator.id, role=operator.role)
    return NewOperator(operator, totp_secret)


async def reset_totp(tx: Tx, actor: Actor, keyring: Keyring, email: str) -> NewOperator:
    """Another TOTP secret for an operator who lost the old one, and the end of all its sessions;
    NotFound when nobody has this e-mail."""
    operator = await queries.find_operator_by_email(tx, actor.brand_id, normalise_email(email))
    if operator is None:
        raise NotFound(noun="operator")
    totp_secret = pyotp.random_base32()
    await queries.set_totp(tx, operator, keyring.seal_secret(actor.brand_id, totp_secret))
    ended = await end_sessions_of(tx, actor.brand_id, operator.id, TOTP_RESET)
    await audit_log.record(tx, actor, "operator.totp", operator.id, sessions_ended=ended)
    return NewOperator(operator, totp_secret)


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


async def settle_sign_in(
    tx: Tx, keyring: Keyring, attempt: SignInAttempt, matched: bool, totp: str
) -> Operator | None:
    """Step three: count it, and the operator if it is let in. A wrong or used TOTP code is a
    failure like a wrong password. On None raise CredentialsWrong after the commit, or the failure
    would not count."""
    if attempt.operator_id is None:
        return None
    operator = await queries.lock_operator(tx, attempt.brand_id, attempt.operator_id)
    if operator is None:
        return None
    same_password = hmac.compare_digest(operator.password_hash, attempt.password_hash)
    step = _totp_step(tx, keyring, operator, totp)
    right = matched and same_password and step is not None
    decision = decide_attempt(operator.failed_attempts, operator.locked_until, right, tx.now)
    if (
        decision.accepted
        and step is not None
        and not await queries.use_totp_step(tx, operator, step)
    ):
        raise RetryTransaction
    before = (operator.failed_attempts, operator.locked_until)
    if before != (decision.failed_attempts, decision.locked_until):
        await queries.set_failures(tx, operator, decision.failed_attempts, decision.locked_until)
    return operator if decision.accepted else None


def _totp_step(tx: Tx, keyring: Keyring, operator: Operator, totp: str) -> int | None:
    if operator.totp_cipher is None:  # made before there were codes: let in after a reset
        return None
    secret = keyring.open_secret(operator.brand_id, operator.totp_cipher)
    return totp_step_of(secret, totp, tx.now, operator.totp_last_step)


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


# --- WeChat ------------------------------------------------------------------------------------


async def add_wechat_app(
    tx: Tx, actor: Actor, keyring: Keyring, app_id: str, secret: str
) -> WechatApp:
    """A mini-program (小程序) by which people sign in; AlreadyExists when the brand has it."""
    secret = checked_text(secret, "secret", length_max=WECHAT_SECRET_LENGTH_MAX)
    app = WechatApp(
        brand_id=actor.brand_id,
        app_id=check_wechat_app_id(app_id),
        secret_cipher=keyring.seal_secret(actor.brand_id, secret),
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(app):
        raise AlreadyExists(noun="WeChat app", field="appId")
    await audit_log.record(tx, actor, "wechat.add", app.id, app_id=app.app_id)
    return app


async def remove_wechat_app(tx: Tx, actor: Actor, app_id: str) -> None:
    """Nobody signs in by it from now on; who people are to it is kept, should it come back."""
    app = await queries.find_wechat_app(tx, actor.brand_id, check_wechat_app_id(app_id))
    if app is None or not await queries.delete_wechat_app(tx, app):
        raise NotFound(noun="WeChat app")
    await audit_log.record(tx, actor, "wechat.remove", app.id, app_id=app.app_id)


async def find_wechat_secret(
    snapshot: Snapshot, keyring: Keyring, brand_id: UUID, app_id: str
) -> str:
    """Step one: the secret of the brand's app; NotFound when the brand has no such app."""
    app = None
    if is_wechat_app_id(app_id):
        app = await queries.find_wechat_app(snapshot, brand_id, app_id)
    if app is None:
        raise NotFound(noun="WeChat app")
    return keyring.open_secret(brand_id, app.secret_cipher)


async def settle_wechat_sign_in(tx: Tx, brand_id: UUID, app_id: str, user: WechatUser) -> Identity:
    """Step three: whose account this is, by its openid, else by its unionid in another app of the
    brand; else somebody new."""
    account = await queries.find_wechat_account(tx, brand_id, app_id, user.openid)
    if account is None:
        # One person's first sign-ins, by two apps too, come one after the other.
        await tx.take_turns(f"WeChat {brand_id} {user.unionid or user.openid}")
        account = await queries.find_wechat_account(tx, brand_id, app_id, user.openid)
    if account is None:
        return await _new_wechat_account(tx, brand_id, app_id, user)
    if user.unionid is not None and user.unionid != account.unionid:
        await queries.set_unionid(tx, account, user.unionid)
    return await members.get_identity(tx, brand_id, account.identity_id)


async def _new_wechat_account(tx: Tx, brand_id: UUID, app_id: str, user: WechatUser) -> Identity:
    known = None
    if user.unionid is not None:
        known = await queries.find_account_by_unionid(tx, brand_id, user.unionid)
    if known is None:
        identity = await members.create_wechat_identity(tx, brand_id)
    else:
        identity = await members.get_identity(tx, brand_id, known.identity_id)
    account = WechatAccount(
        brand_id=brand_id,
        app_id=app_id,
        openid=user.openid,
        unionid=user.unionid,
        identity_id=identity.id,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(account):
        raise RetryTransaction
    return identity
