"""Tokens are made for who is there, for who comes, and for what comes to them later; whoever has
been merged is found by either."""

import base64
import hashlib
import hmac
from uuid import UUID

import pytest

from loyalty.access.models import WechatAccount
from loyalty.actor import Actor
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import InvalidInput
from loyalty.members.models import Identity
from rewards.alliances.service import end_agreement
from rewards.matching.rules import token_of
from rewards.matching.service import Matcher, match
from rewards.merges.service import merge_members
from tests.clocks import SettableClock
from tests.rewards.issues.partners import PHONES, Issuers, make_issuers


async def known(issuers: Issuers, *tokens: str) -> list[bool]:
    async with issuers.db.snapshot() as snapshot:
        return await match(snapshot, issuers.pair.host.id, issuers.agreement_id, tokens)


def test_a_token_is_as_documented() -> None:
    digest = hmac.new(b"s3cret", b"phone:+8613800000001", hashlib.sha256).digest()
    expected = base64.urlsafe_b64encode(digest).decode()[:43]
    assert token_of("s3cret", "phone", "+8613800000001") == expected


async def test_who_is_there_and_who_comes_later_is_found(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, members=2)
    assert await known(issuers, *map(issuers.token, (0, 1, 2))) == [True, True, False]
    await issuers.enrol(2)
    await issuers.match()
    assert await known(issuers, issuers.token(2)) == [True]


@pytest.mark.parametrize("late_seconds", [15, 0])
async def test_who_is_written_late_is_found(
    db: Database, keyring: Keyring, late_seconds: int
) -> None:
    """An id older than the last one seen, of a transaction that took its time: looked at again,
    unless that is forbidden."""
    issuers = await make_issuers(db, keyring, members=1)
    await db.in_transaction(Matcher(keyring, late_seconds), 100)
    [first] = issuers.members

    async def arrive(tx: Tx) -> None:
        late = Identity(
            brand_id=first.brand_id,
            id=UUID(int=first.identity_id.int - 1),
            phone_hash=keyring.lookup_hash(first.brand_id, "phone", PHONES[1]),
            phone_cipher=keyring.encrypt_phone(first.brand_id, PHONES[1]),
            created_at=tx.now,
        )
        await tx.add(late)

    await db.in_transaction(arrive)
    await issuers.enrol(1)
    await issuers.match()
    assert await known(issuers, issuers.token(1)) == [late_seconds > 0]


async def test_an_agreements_tokens_say_nothing_in_another(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, members=1)
    other = token_of(keyring.match_secret(issuers.pair.host.id), "phone", PHONES[0])
    assert await known(issuers, other, issuers.token(0)) == [False, True]


async def test_a_unionid_that_came_later_is_found_within_a_day(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    issuers = await make_issuers(clocked_db, keyring, members=3)
    [member, *_] = issuers.members

    async def bind(tx: Tx) -> None:
        account = WechatAccount(
            brand_id=member.brand_id,
            app_id="app",
            openid="open",
            unionid="union",
            identity_id=member.identity_id,
            created_at=tx.now,
        )
        await tx.add(account)

    await clocked_db.in_transaction(bind)
    secret = keyring.match_secret(issuers.agreement_id)
    token = token_of(secret, "unionid", "union")
    clock.advance(hours=25)
    while await clocked_db.in_transaction(Matcher(keyring), 1):  # an identity at a time
        pass
    assert await known(issuers, token) == [True]


async def test_who_was_merged_is_found_by_either_token(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, members=2)
    old, new = issuers.members
    await db.in_transaction(_merge, issuers.pair.hosts, old.id, new.id)
    assert await issuers.issue(0, 1) == ["ISSUED", "ISSUED"]
    assert {coupon.member_id for coupon in await issuers.coupons()} == {new.id}


async def _merge(tx: Tx, actor: Actor, from_id: UUID, into_id: UUID) -> None:
    await merge_members(
        tx, actor, from_member_id=from_id, into_member_id=into_id, reason="the same person"
    )


async def test_nobody_is_matched_where_no_partner_issues(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, members=1)
    await db.in_transaction(end_agreement, issuers.pair.hosts, issuers.agreement_id, "it is over")
    await issuers.enrol(1)
    await issuers.match()
    assert await known(issuers, issuers.token(0), issuers.token(1)) == [False, False]


@pytest.mark.parametrize("tokens", [[], ["x"], ["a" * 43] * 101])
async def test_no_question_at_all(db: Database, keyring: Keyring, tokens: list[str]) -> None:
    issuers = await make_issuers(db, keyring, members=0)
    with pytest.raises(InvalidInput):
        await known(issuers, *tokens)
