"""A partner puts coupons into a pool and pays then; the host gives them out like any other; what
is given, expires or is taken out again comes to the fen."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from loyalty.actor import Actor, ActorKind, system_actor
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import (
    AgreementStateWrong,
    FundsTooLow,
    InvalidInput,
    IssueQuotaReached,
    NotFound,
    OutOfStock,
    TemplateUnderAgreement,
)
from loyalty.ids import new_id
from rewards.alliances.service import pause_agreement, pool_line, propose, resume_agreement
from rewards.alliances.terms import DraftLine, Quota, QuotaWindow, Share
from rewards.coupons.models import CouponCause, CouponTemplateStatus
from rewards.coupons.rules import CouponIssue
from rewards.coupons.service import (
    find_stock,
    get_template,
    new_code,
    take_stock,
    write_coupons,
)
from rewards.issues.pools import drain_pool, end_agreement, fill_pool, set_template_status
from rewards.issues.queries import list_pools
from rewards.issues.service import expire_coupons, void_coupon
from rewards.raffles.drawing import take_step
from rewards.raffles.rules import Prize, RaffleDefinition, Step
from rewards.raffles.service import create_raffle, enter_raffle
from tests.clocks import SettableClock
from tests.rewards.alliances.agreed import Pair, agree
from tests.rewards.issues.partners import Issuers, make_issuers
from tests.rewards.redemptions.shops import add_template

FEE, RESERVE = 5, 217
POOLED = {"pooled": True, "quotas": (Quota(QuotaWindow.ALL, 30),)}


async def make_pool(db: Database, keyring: Keyring) -> Issuers:
    return await make_issuers(db, keyring, members=1, **POOLED)


async def fill(issuers: Issuers, count: int) -> None:
    pool = (issuers.agreement_id, issuers.pair.template.id)
    await issuers.db.in_transaction(fill_pool, issuers.pair.partners, *pool, count)


async def drain(issuers: Issuers, count: int) -> None:
    pool = (issuers.agreement_id, issuers.pair.template.id)
    await issuers.db.in_transaction(drain_pool, issuers.pair.partners, *pool, count)


async def give(issuers: Issuers, count: int = 1) -> list[CouponIssue]:
    """As a scan that wins coupons does."""
    [member, *_] = issuers.members
    template = issuers.pair.template

    async def verb(tx: Tx) -> list[CouponIssue]:
        today = tx.now.date()
        won = [
            CouponIssue(
                brand_id=template.brand_id,
                id=new_id(),
                template_id=template.id,
                member_id=member.id,
                code=new_code(),
                cause=CouponCause.GIFT,
                cause_id=new_id(),
                usable_from=today - timedelta(days=2),
                usable_until=today + timedelta(days=9),
            )
            for _ in range(count)
        ]
        await write_coupons(tx, won)
        key = (template.brand_id, template.id)
        left = (await find_stock(tx, [key]))[key]
        if left is not None and left < count:
            raise OutOfStock()
        await take_stock(tx, {key: count})
        return won

    return await issuers.db.in_transaction(verb)


async def left(issuers: Issuers) -> tuple[int, int]:
    """In the pool, and given out of it."""
    async with issuers.db.snapshot() as snapshot:
        [pool] = await list_pools(snapshot, issuers.pair.partner.id)
    return pool.left_count, pool.given


async def money(issuers: Issuers) -> dict[str, list[str]]:
    """What the audit says that is about money: who gave these coupons, no scan tells."""
    broken = await issuers.broken()
    return {name: found for name, found in broken.items() if "reserved" in name or "pool" in name}


async def test_a_pool_is_empty_until_it_is_filled(db: Database, keyring: Keyring) -> None:
    issuers = await make_pool(db, keyring)
    assert await left(issuers) == (0, 0)
    with pytest.raises(OutOfStock):
        await give(issuers)
    await fill(issuers, 3)
    assert await issuers.funds() == (3 * FEE, 3 * RESERVE)
    await give(issuers, 2)
    assert await left(issuers) == (1, 2)
    with pytest.raises(OutOfStock):
        await give(issuers, 2)
    assert await issuers.funds() == (3 * FEE, 3 * RESERVE), "given out at no cost more"
    assert await money(issuers) == {}


async def test_a_raffle_gives_what_is_in_the_pool(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    issuers = await make_pool(clocked_db, keyring)
    db, host, [member, *_] = issuers.db, issuers.pair.host, issuers.members
    prize = Prize("保险", "Insurance", 2, "POINTS", 9, issuers.pair.template.id)
    hour = (clock.at, clock.at + timedelta(hours=1))
    definition = RaffleDefinition("sip", "抽奖", "Raffle", *hour, 1, (Step(1, (prize,)),))
    await fill(issuers, 1)
    with pytest.raises(InvalidInput):
        await db.in_transaction(create_raffle, system_actor(host.id), keyring, definition)
    await fill(issuers, 1)
    raffle = await db.in_transaction(create_raffle, system_actor(host.id), keyring, definition)
    entrant = Actor(ActorKind.MEMBER, host.id, member.identity_id, member.role)
    await db.in_transaction(enter_raffle, entrant, raffle.id)
    clock.advance(hours=1)
    while await db.in_transaction(take_step, keyring, 9, set()) is not None:
        pass
    assert await left(issuers) == (1, 1)
    assert await issuers.funds() == (2 * FEE, 2 * RESERVE), "given out at no cost more"
    assert await issuers.broken() == {}


async def test_what_is_taken_out_is_given_back(db: Database, keyring: Keyring) -> None:
    issuers = await make_pool(db, keyring)
    await fill(issuers, 5)
    await give(issuers, 2)
    with pytest.raises(OutOfStock):
        await drain(issuers, 4)
    await drain(issuers, 3)
    assert await issuers.funds() == (2 * FEE, 2 * RESERVE)
    assert await left(issuers) == (0, 2)
    assert await money(issuers) == {}


async def test_what_ends_unused_frees_its_reserve(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    issuers = await make_pool(clocked_db, keyring)
    await fill(issuers, 3)
    clock.advance(minutes=1)
    first, _ = await give(issuers, 2)
    await clocked_db.in_transaction(void_coupon, issuers.pair.hosts, first.id, "a mistake")
    assert await issuers.funds() == (3 * FEE, 2 * RESERVE)
    clock.advance(days=12)
    assert await clocked_db.in_transaction(expire_coupons, 10) == 1
    assert await issuers.funds() == (3 * FEE, RESERVE), "of the one in the pool"
    assert await money(issuers) == {}


async def test_quotas_and_funds_are_for_all_or_none(db: Database, keyring: Keyring) -> None:
    issuers = await make_pool(db, keyring)
    with pytest.raises(IssueQuotaReached):
        await fill(issuers, 31)
    issuers = await make_issuers(db, keyring, members=0, pooled=True, quotas=())
    with pytest.raises(FundsTooLow):
        await fill(issuers, 46)  # 222 each, of 10,000
    await fill(issuers, 45)
    with pytest.raises(FundsTooLow):
        await fill(issuers, 1)
    for count in (0, -1, 10**7):
        with pytest.raises(InvalidInput):
            await fill(issuers, count)


async def test_a_pause_closes_the_pool_and_the_end_empties_it(
    db: Database, keyring: Keyring
) -> None:
    issuers = await make_pool(db, keyring)
    pair, agreed = issuers.pair, (issuers.pair.hosts, issuers.agreement_id)
    await fill(issuers, 3)
    await db.in_transaction(pause_agreement, *agreed, "a complaint")
    with pytest.raises(OutOfStock):
        await give(issuers)
    with pytest.raises(AgreementStateWrong):
        await fill(issuers, 1)
    with pytest.raises(TemplateUnderAgreement):
        await db.in_transaction(
            set_template_status, pair.hosts, pair.template.id, CouponTemplateStatus.ACTIVE
        )
    await db.in_transaction(resume_agreement, *agreed)
    await give(issuers)
    await db.in_transaction(end_agreement, *agreed, "it is over")
    assert await issuers.funds() == (FEE, RESERVE), "of the one that is out"
    async with db.snapshot() as snapshot:
        template = await get_template(snapshot, pair.host.id, pair.template.id)
    assert (template.status, template.stock_max, template.issued) == ("PAUSED", 1, 1)
    assert await money(issuers) == {}


async def test_nobody_is_issued_to_out_of_turn(db: Database, keyring: Keyring) -> None:
    """A pool's coupons are the host's to give; who is no issuer fills nothing."""
    issuers = await make_pool(db, keyring)
    with pytest.raises(NotFound):
        await issuers.issue(0)
    pool = (issuers.agreement_id, issuers.pair.template.id)
    with pytest.raises(NotFound):
        await db.in_transaction(fill_pool, issuers.pair.hosts, *pool, 1)
    plain = await make_issuers(db, keyring, members=0)
    with pytest.raises(NotFound):
        await fill(plain, 1)


@pytest.mark.parametrize(
    "change", [{"pooled": False}, {"issuer_share": Share(fen=1)}, {"redeem_fee_fen": 1}]
)
async def test_a_pools_terms_stay(
    db: Database, keyring: Keyring, change: dict[str, object]
) -> None:
    issuers = await make_pool(db, keyring)
    pair = issuers.pair
    draft = pair.draft(**{**POOLED, **change})
    with pytest.raises(InvalidInput):
        await db.in_transaction(propose, pair.hosts, pair.partner.slug, draft)
    more = pair.draft(**{**POOLED, "quotas": ()})
    await db.in_transaction(agree, pair, more)
    await fill(issuers, 45)
    assert await money(issuers) == {}


async def test_a_template_of_which_coupons_were_issued_is_no_pool(
    db: Database, keyring: Keyring
) -> None:
    """Whose they are would not be known."""
    issuers = await make_issuers(db, keyring, members=1)
    pair = issuers.pair
    used = await db.in_transaction(add_template, pair.host.id, stock_max=5, issued=1)
    draft = replace(pair.draft(), lines=(*pair.draft().lines, _pooled_line(pair, used.id)))
    with pytest.raises(InvalidInput):
        await db.in_transaction(agree, pair, draft)


def _pooled_line(pair: Pair, template_id: UUID) -> DraftLine:
    return replace(pair.draft().lines[0], template_id=template_id, pooled=True)


async def test_whoever_gives_one_while_the_agreement_ends_gives_a_pools(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    """A coupon whose time is after the end, of a transaction that came before it."""
    issuers = await make_pool(clocked_db, keyring)
    await fill(issuers, 1)
    clock.advance(minutes=1)
    [given] = await give(issuers)
    clock.advance(seconds=-30)
    await clocked_db.in_transaction(end_agreement, issuers.pair.hosts, issuers.agreement_id, "over")
    clock.advance(minutes=1)
    async with clocked_db.snapshot() as snapshot:
        line = await pool_line(snapshot, given.brand_id, given.template_id, issuers.pair.partner.id)
    assert line is not None
    await clocked_db.in_transaction(void_coupon, issuers.pair.hosts, given.id, "a mistake")
    assert await issuers.funds() == (FEE, 0)


async def test_what_the_host_has_paused_stays_so(db: Database, keyring: Keyring) -> None:
    issuers = await make_pool(db, keyring)
    pair, agreed = issuers.pair, (issuers.pair.hosts, issuers.agreement_id)
    await fill(issuers, 1)
    of_template = (pair.hosts, pair.template.id)
    paused, active = CouponTemplateStatus.PAUSED, CouponTemplateStatus.ACTIVE
    await db.in_transaction(set_template_status, *of_template, paused)
    await db.in_transaction(pause_agreement, *agreed, "a complaint")
    with pytest.raises(TemplateUnderAgreement):
        await db.in_transaction(set_template_status, *of_template, active)
    await db.in_transaction(resume_agreement, *agreed)
    await db.in_transaction(agree, pair, pair.draft(**{**POOLED, "quotas": ()}))
    with pytest.raises(OutOfStock):
        await give(issuers)
    await db.in_transaction(set_template_status, *of_template, active)
    await give(issuers)


async def test_a_pool_may_be_drained_in_a_pause(db: Database, keyring: Keyring) -> None:
    issuers = await make_pool(db, keyring)
    await fill(issuers, 2)
    await db.in_transaction(
        pause_agreement, issuers.pair.hosts, issuers.agreement_id, "a complaint"
    )
    await drain(issuers, 2)
    assert await issuers.funds() == (0, 0)
