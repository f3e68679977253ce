"""A partner issues a host's coupons to members whom it knows by tokens: within quotas, funds and
stock, to the last one; what ends unused gives its reserve back."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import AgreementStateWrong, NotFound, Refusal
from loyalty.members.service import freeze_member
from loyalty.outbox import OutboxEvent
from rewards.alliances.service import end_agreement, pause_agreement, resume_agreement
from rewards.alliances.terms import Funding, FundingKind, Quota, QuotaWindow
from rewards.clearing.models import ClearingEntry, EntryKind
from rewards.clearing.rules import Due
from rewards.clearing.service import post
from rewards.issues.service import Wanted, expire_coupons, issue_coupon, void_coupon
from tests.clocks import SettableClock
from tests.rewards.alliances.agreed import agree
from tests.rewards.issues.partners import make_issuers
from tests.rewards.payouts.stores import rows

EACH_FEN = 5 + 210 + 7
"""Of 350: the fee of issuing at once; 60 percent and the fee of redeeming, reserved."""
MANY = (Quota(QuotaWindow.ALL, 1_000),)


async def test_a_member_gets_the_coupon_and_the_issuer_owes_the_fee(
    db: Database, keyring: Keyring
) -> None:
    issuers = await make_issuers(db, keyring)
    assert await issuers.issue(0) == ["ISSUED"]
    [coupon] = await issuers.coupons()
    assert (coupon.member_id, coupon.cause_kind) == (issuers.members[0].id, "PARTNER")
    assert await issuers.funds() == (5, 217)
    [fee] = [row for row in await rows(db, ClearingEntry) if row.owed_fen > 0]
    assert (fee.kind, fee.owed_fen, fee.coupon_id) == ("FEE", 5, coupon.id)
    told = [row for row in await rows(db, OutboxEvent) if row.topic == "coupon.issued"]
    assert [(row.brand_id, row.subject_id) for row in told] == [
        (issuers.pair.host.id, issuers.members[0].id)
    ]
    assert await issuers.broken() == {}


async def test_who_is_unknown_or_frozen_gets_the_same_answer(
    db: Database, keyring: Keyring
) -> None:
    issuers = await make_issuers(db, keyring)
    frozen = issuers.members[1]
    await db.in_transaction(freeze_member, issuers.pair.hosts, frozen.id, "a complaint")
    assert await issuers.issue(9, 1, 0) == ["MEMBER_UNKNOWN", "MEMBER_UNKNOWN", "ISSUED"]
    assert await issuers.funds() == (5, 217)


async def test_quotas_stop_at_exactly_their_count(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    quotas = (Quota(QuotaWindow.DAY, 3), Quota(QuotaWindow.ALL, 5))
    issuers = await make_issuers(clocked_db, keyring, quotas=quotas)
    over = "ISSUE_QUOTA_REACHED"
    assert await issuers.issue(0, 1, 2, 3) == ["ISSUED"] * 3 + [over]
    assert await issuers.issue(0) == [over]
    clock.advance(days=1)
    assert await issuers.issue(0, 1, 2) == ["ISSUED", "ISSUED", over]
    clock.advance(days=1)
    assert await issuers.issue(0) == [over], "five in all"
    assert await issuers.broken() == {}


async def test_prepaid_funds_stop_at_exactly_what_was_paid_in(
    db: Database, keyring: Keyring
) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    pair = issuers.pair
    prepaid = Funding(pair.partner.id, FundingKind.PREPAID, 0, 0)
    draft = replace(pair.draft(quotas=MANY), funding=(prepaid,))
    await db.in_transaction(agree, pair, draft)
    low = "FUNDS_TOO_LOW"
    assert await issuers.issue(0) == [low]
    paid = Due(
        debtor_id=pair.host.id,
        creditor_id=pair.partner.id,
        kind=EntryKind.PAYMENT,
        amount_fen=3 * EACH_FEN - 1,
    )
    await db.in_transaction(post, pair.hosts, [paid])
    assert await issuers.issue(0, 1, 2) == ["ISSUED", "ISSUED", low]
    one_fen = replace(paid, amount_fen=1)
    await db.in_transaction(post, pair.hosts, [one_fen])
    assert await issuers.issue(0, 1) == ["ISSUED", low]
    assert sum(await issuers.funds()) == 0
    assert await issuers.broken() == {}


@pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
async def test_many_at_once_stop_at_exactly_the_limit(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=(Quota(QuotaWindow.ALL, 7),))

    async def one(number: int) -> str:
        wanted = Wanted(issuers.token(number % 4))
        [found] = await issuers.try_to_issue([wanted])
        return found.code if isinstance(found, Refusal) else "ISSUED"

    found = Counter(await asyncio.gather(*(one(number) for number in range(12))))
    assert found == {"ISSUED": 7, "ISSUE_QUOTA_REACHED": 5}
    assert await issuers.funds() == (7 * 5, 7 * 217)
    assert await issuers.broken() == {}


async def test_what_ends_unused_gives_its_reserve_back(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    issuers = await make_issuers(clocked_db, keyring)
    assert await issuers.issue(0, 1) == ["ISSUED", "ISSUED"]
    first, second = await issuers.coupons()
    await clocked_db.in_transaction(void_coupon, issuers.pair.hosts, first.id, "a mistake")
    assert await issuers.funds() == (10, 217)
    clock.set(clock() + (second.usable_until - clock().date() + timedelta(days=2)))
    assert await clocked_db.in_transaction(expire_coupons, 10) == 1
    assert await issuers.funds() == (10, 0)
    assert await issuers.broken() == {}


async def test_nothing_is_issued_under_a_pause_or_after_the_end(
    db: Database, keyring: Keyring
) -> None:
    issuers = await make_issuers(db, keyring)
    await db.in_transaction(
        pause_agreement, issuers.pair.hosts, issuers.agreement_id, "a complaint"
    )
    with pytest.raises(AgreementStateWrong):
        await issuers.issue(0)
    await db.in_transaction(resume_agreement, issuers.pair.hosts, issuers.agreement_id)
    assert await issuers.issue(0) == ["ISSUED"]
    await db.in_transaction(end_agreement, issuers.pair.hosts, issuers.agreement_id, "it is over")
    with pytest.raises(NotFound):
        await issuers.issue(0)
    assert await issuers.broken() == {}


async def test_only_the_issuer_issues(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring)
    pair = issuers.pair
    wanted = (issuers.agreement_id, pair.template.id, Wanted(issuers.token(0)))
    with pytest.raises(NotFound):
        await db.in_transaction(issue_coupon, pair.hosts, *wanted)
    assert (await issuers.issues()) == []


async def test_where_there_is_no_room_strangers_are_not_told_apart(
    db: Database, keyring: Keyring
) -> None:
    issuers = await make_issuers(db, keyring, quotas=(Quota(QuotaWindow.ALL, 1),))
    over = "ISSUE_QUOTA_REACHED"
    assert await issuers.issue(9, 0, 9, 1) == ["MEMBER_UNKNOWN", "ISSUED", over, over]
    assert await issuers.issue(9) == await issuers.issue(0) == [over]
