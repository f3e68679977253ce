"""Signing in: operators by password, members by a one-time code."""

import asyncio
import re
from collections import Counter

import pyotp
import pytest
from sqlalchemy import update
from sqlmodel import select

from loyalty.access import queries, sessions
from loyalty.access import service as access
from loyalty.access.models import Operator, SignInCode
from loyalty.access.rules import TOTP_STEP_SECONDS
from loyalty.access.service import NewOperator
from loyalty.actor import Actor, ActorKind, system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound
from loyalty.ids import new_id
from loyalty.members.models import Identity
from tests.clocks import SettableClock

PASSWORD = "correct horse battery"
PHONE = "138 0013 8000"
TTL_SECONDS = 300


async def an_operator(db: Database, keyring: Keyring, brand: Brand) -> NewOperator:
    return await db.in_transaction(
        access.create_operator,
        system_actor(brand.id),
        keyring,
        email="Ada@Example.com",
        name="Ada",
        role="ADMIN",
        password=await access.prepare_password(PASSWORD),
    )


async def totp_now(db: Database, made: NewOperator, steps: int = 0) -> str:
    """What an authenticator shows now, or some steps of 30 seconds later."""
    async with db.snapshot() as snapshot:
        step = int(snapshot.now.timestamp()) // TOTP_STEP_SECONDS
    return pyotp.TOTP(made.totp_secret).generate_otp(step + steps)


async def sign_in(
    db: Database,
    keyring: Keyring,
    brand: Brand,
    totp: str,
    email: str = "ada@example.com",
    password: str = PASSWORD,
) -> Operator | None:
    async with db.snapshot() as snapshot:
        attempt = await access.find_sign_in(snapshot, brand.id, email)
    matched = await access.match_password(attempt, password)
    return await db.in_transaction(access.settle_sign_in, keyring, attempt, matched, totp)


# --- operators ---------------------------------------------------------------------------------


async def test_an_operator_signs_in_with_the_right_password_only(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    made = await an_operator(db, keyring, brand)
    totp = await totp_now(db, made)
    for wrong in ("", "wrong", "x" * 10**5, "\x00" * 12):
        assert await sign_in(db, keyring, brand, totp, password=wrong) is None
    # None of these has used the code up.
    signed_in = await sign_in(db, keyring, brand, totp, " ADA@example.com ")
    assert signed_in is not None
    assert signed_in.id == made.row.id
    for wrong in ("Correct horse battery", "\ud800" * 12):
        next_totp = await totp_now(db, made, 1)
        assert await sign_in(db, keyring, brand, next_totp, password=wrong) is None


async def test_an_unknown_email_costs_a_hash_and_is_refused(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    totp = await totp_now(db, await an_operator(db, keyring, brand))
    for unknown in ("bob@example.com", "no e-mail", "\x00", "\ud800"):
        assert await sign_in(db, keyring, brand, totp, unknown) is None
    async with db.snapshot() as snapshot:
        attempt = await access.find_sign_in(snapshot, brand.id, "bob@example.com")
    assert attempt.operator_id is None
    assert attempt.password_hash.startswith("$argon2id$")


async def test_another_brands_operator_does_not_sign_in(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    made = await an_operator(db, keyring, brand)
    async with db.snapshot() as snapshot:
        attempt = await access.find_sign_in(snapshot, new_id(), "ada@example.com")
        assert attempt.operator_id is None
        with pytest.raises(NotFound):
            await queries.get_operator(snapshot, new_id(), made.row.id)


async def test_five_failures_lock_and_a_quarter_of_an_hour_unlocks(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, brand: Brand
) -> None:
    db = clocked_db
    made = await an_operator(db, keyring, brand)
    totp = await totp_now(db, made)
    for password, code in ((PASSWORD, "000000"), ("wrong wrong wrong", totp)) * 2:
        assert await sign_in(db, keyring, brand, code, password=password) is None
    # The fifth: a wrong code counts like a wrong password.
    assert await sign_in(db, keyring, brand, "no code") is None
    assert await sign_in(db, keyring, brand, totp) is None
    clock.advance(minutes=14, seconds=59)
    assert await sign_in(db, keyring, brand, await totp_now(db, made)) is None
    clock.advance(seconds=1)
    assert await sign_in(db, keyring, brand, await totp_now(db, made)) is not None


async def test_a_success_forgets_earlier_failures(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    made = await an_operator(db, keyring, brand)
    for _ in range(4):
        await sign_in(db, keyring, brand, "000000", password="wrong wrong wrong")
    assert await sign_in(db, keyring, brand, await totp_now(db, made)) is not None
    async with db.snapshot() as snapshot:
        kept = await queries.get_operator(snapshot, brand.id, made.row.id)
    assert kept.failed_attempts == 0


async def test_parallel_guesses_are_all_counted_before_a_right_one(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    totp = await totp_now(db, await an_operator(db, keyring, brand))
    async with db.snapshot() as snapshot:
        attempt = await access.find_sign_in(snapshot, brand.id, "ada@example.com")
    settle = access.settle_sign_in
    # All were matched before any was counted: what comes after the fifth failure is refused.
    failures = [db.in_transaction(settle, keyring, attempt, False, totp) for _ in range(30)]
    assert await asyncio.gather(*failures) == [None] * 30
    assert await db.in_transaction(settle, keyring, attempt, True, totp) is None
    async with db.snapshot() as snapshot:
        kept = await queries.find_operator_by_email(snapshot, brand.id, "ada@example.com")
    assert kept is not None
    assert kept.failed_attempts == 5


async def test_a_totp_code_works_once_also_for_many_at_once(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, brand: Brand
) -> None:
    db = clocked_db
    made = await an_operator(db, keyring, brand)
    async with db.snapshot() as snapshot:
        attempt = await access.find_sign_in(snapshot, brand.id, "ada@example.com")
    totp = await totp_now(db, made)
    settle = access.settle_sign_in
    answers = await asyncio.gather(
        *(db.in_transaction(settle, keyring, attempt, True, totp) for _ in range(4))
    )
    assert sum(answer is not None for answer in answers) == 1
    assert await sign_in(db, keyring, brand, await totp_now(db, made, -1)) is None
    clock.advance(minutes=15)  # three failures and one more were counted, and are forgotten
    assert await sign_in(db, keyring, brand, await totp_now(db, made, 1)) is not None
    assert await sign_in(db, keyring, brand, await totp_now(db, made)) is None


async def test_another_totp_secret_ends_the_old_one_and_all_sessions(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    made = await an_operator(db, keyring, brand)
    actor = Actor(ActorKind.OPERATOR, brand.id, made.row.id, "ADMIN")
    session = await db.in_transaction(sessions.open_session, keyring, actor, 3600)
    reset = await db.in_transaction(
        access.reset_totp, system_actor(brand.id), keyring, " ADA@example.com"
    )
    assert reset.totp_secret != made.totp_secret
    assert await sign_in(db, keyring, brand, await totp_now(db, made)) is None
    assert await sign_in(db, keyring, brand, await totp_now(db, reset)) is not None
    refreshed = db.in_transaction(
        sessions.refresh_session, keyring, session.refresh_token, nobody_asks
    )
    assert await refreshed is None
    with pytest.raises(NotFound):
        await db.in_transaction(
            access.reset_totp, system_actor(brand.id), keyring, "bob@example.com"
        )
    async with db.snapshot() as snapshot:
        rows = await snapshot.session.exec(select(AuditLogEntry))
        actions = [(row.action, row.details) for row in rows]
    assert ("operator.totp", {"sessions_ended": 1}) in actions


async def nobody_asks(_tx: Tx, _clerk: Actor) -> bool:
    raise AssertionError("an operator is no clerk")


async def test_an_operator_without_a_totp_secret_is_let_in_after_a_reset(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    made = await an_operator(db, keyring, brand)

    async def forget_secret(tx: Tx) -> None:
        await tx.session.exec(update(Operator).values(totp_cipher=None))

    await db.in_transaction(forget_secret)
    assert await sign_in(db, keyring, brand, await totp_now(db, made)) is None
    reset = await db.in_transaction(
        access.reset_totp, system_actor(brand.id), keyring, "ada@example.com"
    )
    assert await sign_in(db, keyring, brand, await totp_now(db, reset)) is not None


async def test_the_totp_secret_is_neither_kept_in_clear_nor_shown(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    made = await an_operator(db, keyring, brand)
    assert re.fullmatch("[A-Z2-7]{32}", made.totp_secret)
    assert made.totp_secret not in repr(made)
    assert made.row.totp_cipher is not None
    assert keyring.open_secret(brand.id, made.row.totp_cipher) == made.totp_secret


async def test_an_email_has_one_operator_in_a_brand(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    await an_operator(db, keyring, brand)
    with pytest.raises(AlreadyExists):
        await an_operator(db, keyring, brand)


async def test_a_missing_password_is_made(db: Database) -> None:
    made = await access.prepare_password()
    other = await access.prepare_password()
    assert len(made.clear) >= 20
    assert made.clear != other.clear
    assert made.clear not in repr(made)
    assert made.hash not in repr(made)


async def test_a_short_password_is_refused() -> None:
    with pytest.raises(InvalidInput):
        await access.prepare_password("x" * 11)


# --- one-time codes ----------------------------------------------------------------------------


async def a_code(db: Database, keyring: Keyring, brand: Brand) -> str:
    issued = await db.in_transaction(
        access.request_sign_in_code, keyring, TTL_SECONDS, brand.id, PHONE
    )
    assert isinstance(issued, access.CodeIssued)
    return issued.code


async def redeem(
    db: Database, keyring: Keyring, brand: Brand, code: str, phone: str = PHONE
) -> Identity | None:
    return await db.in_transaction(access.redeem_sign_in_code, keyring, brand.id, phone, code)


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_a_code_signs_its_phone_in_once(db: Database, keyring: Keyring, brand: Brand) -> None:
    code = await a_code(db, keyring, brand)
    assert re.fullmatch("[0-9]{6}", code)
    identity = await redeem(db, keyring, brand, code, "+8613800138000")
    assert identity is not None
    assert await redeem(db, keyring, brand, code) is None


async def test_of_many_at_once_with_the_right_code_one_succeeds(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    code = await a_code(db, keyring, brand)
    answers = await asyncio.gather(*(redeem(db, keyring, brand, code) for _ in range(50)))
    assert sum(answer is not None for answer in answers) == 1


async def test_many_parallel_guesses_get_five_tries(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    code = await a_code(db, keyring, brand)
    guesses = [redeem(db, keyring, brand, wrong_code(code)) for _ in range(30)]
    assert await asyncio.gather(*guesses) == [None] * 30
    async with db.snapshot() as snapshot:
        row = (await snapshot.session.exec(select(SignInCode))).one()
    assert row.attempts_left == 0
    assert await redeem(db, keyring, brand, code) is None


async def test_the_fifth_guess_may_still_be_right(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    code = await a_code(db, keyring, brand)
    for _ in range(4):
        assert await redeem(db, keyring, brand, wrong_code(code)) is None
    assert await redeem(db, keyring, brand, code) is not None


async def test_only_the_newest_code_works(db: Database, keyring: Keyring, brand: Brand) -> None:
    first = await a_code(db, keyring, brand)
    second = await a_code(db, keyring, brand)
    if first != second:
        assert await redeem(db, keyring, brand, first) is None
    assert await redeem(db, keyring, brand, second) is not None


async def test_a_code_expires(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, brand: Brand
) -> None:
    code = await a_code(clocked_db, keyring, brand)
    clock.advance(seconds=TTL_SECONDS)
    assert await redeem(clocked_db, keyring, brand, code) is None


async def test_a_code_is_its_phones_and_its_brands(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    code = await a_code(db, keyring, brand)
    assert await redeem(db, keyring, brand, code, "13800138001") is None
    foreign = db.in_transaction(access.redeem_sign_in_code, keyring, new_id(), PHONE, code)
    assert await foreign is None
    for wrong in ("", "\ud800", "１２３４５６", "0" * 10**6):
        assert await redeem(db, keyring, brand, wrong) is None


async def test_a_phone_gets_five_codes_an_hour(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, brand: Brand
) -> None:
    for _ in range(5):
        await a_code(clocked_db, keyring, brand)
        clock.advance(minutes=1)
    request = access.request_sign_in_code
    refused = await clocked_db.in_transaction(request, keyring, TTL_SECONDS, brand.id, PHONE)
    assert refused == access.CodeThrottled(55 * 60 + 1)
    other = await clocked_db.in_transaction(request, keyring, TTL_SECONDS, brand.id, "13800138001")
    assert isinstance(other, access.CodeIssued)
    clock.advance(minutes=55)
    await a_code(clocked_db, keyring, brand)


async def test_many_requests_at_once_get_five_codes(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    answers = await asyncio.gather(
        *(
            db.in_transaction(access.request_sign_in_code, keyring, TTL_SECONDS, brand.id, PHONE)
            for _ in range(30)
        )
    )
    assert Counter(type(answer) for answer in answers) == {
        access.CodeIssued: 5,
        access.CodeThrottled: 25,
    }


async def test_neither_phone_nor_code_is_kept_or_shown(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    issued = await db.in_transaction(
        access.request_sign_in_code, keyring, TTL_SECONDS, brand.id, PHONE
    )
    assert isinstance(issued, access.CodeIssued)
    assert issued.code not in issued.row.code_hash
    for secret in ("13800138000", f"'{issued.code}'"):
        assert secret not in repr(issued)
