"""Agreements: proposed by one, signed by both, in force from then on; paused, resumed, ended."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from loyalty.actor import system_actor
from loyalty.db import Database, RetryTransaction
from loyalty.errors import (
    AgreementChanged,
    AgreementStateWrong,
    InvalidInput,
    NotFound,
    Refusal,
    TemplateUnderAgreement,
)
from loyalty.ledger.audit import audit
from rewards.alliances.models import AgreementVersion
from rewards.alliances.service import (
    agreement_between,
    end_agreement,
    hosts_of,
    issuing_terms,
    line_in_force,
    pause_agreement,
    propose,
    resume_agreement,
    sign,
)
from rewards.alliances.terms import Share
from rewards.coupons.models import CouponTemplateStatus
from rewards.coupons.service import (
    find_stock,
    get_template,
    set_template_status,
    take_stock,
)
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.alliances.agreed import Pair, agree, make_pair
from tests.rewards.payouts.stores import rows
from tests.rewards.redemptions.shops import add_template


@pytest_asyncio.fixture
async def pair(clocked_db: Database) -> Pair:
    return await clocked_db.in_transaction(make_pair)


async def in_force(db: Database, clock: SettableClock, pair: Pair) -> tuple[int, int] | None:
    """(version, the issuer's share in ten-thousandths) now; both sides read the same."""
    async with db.snapshot() as snapshot:
        host_id, template_id = pair.host.id, pair.template.id
        found = await line_in_force(snapshot, host_id, template_id, clock())
        theirs = await line_in_force(
            snapshot, host_id, template_id, clock(), reader_id=pair.partner.id
        )
    assert found == theirs
    return None if found is None else (found.number, found.line.issuer_share.basis_points or 0)


async def assert_clean(db: Database) -> None:
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_a_version_is_in_force_once_both_have_signed_the_same_text(
    clocked_db: Database, clock: SettableClock, pair: Pair
) -> None:
    db = clocked_db
    first = await db.in_transaction(propose, pair.hosts, pair.partner.slug, pair.draft())
    agreement_id = first.agreement_id
    assert await in_force(db, clock, pair) is None
    await db.in_transaction(sign, pair.hosts, agreement_id, first.digest)
    await db.in_transaction(sign, pair.hosts, agreement_id, first.digest)  # nothing more
    assert await in_force(db, clock, pair) is None
    with pytest.raises(AgreementChanged):
        await db.in_transaction(sign, pair.partners, agreement_id, "0" * 64)
    await db.in_transaction(sign, pair.partners, agreement_id, first.digest)
    assert await in_force(db, clock, pair) == (1, 6_000)

    # The other side proposes the next version: what is in force stays so until both have signed.
    clock.advance(hours=1)
    cheaper = pair.draft(issuer_share=Share(basis_points=5_000))
    second = await db.in_transaction(propose, pair.partners, pair.host.slug, cheaper)
    assert (second.agreement_id, second.number) == (agreement_id, 2)
    await db.in_transaction(sign, pair.partners, agreement_id, second.digest)
    assert await in_force(db, clock, pair) == (1, 6_000)
    before = clock()
    clock.advance(hours=1)
    await db.in_transaction(sign, pair.hosts, agreement_id, second.digest)
    assert await in_force(db, clock, pair) == (2, 5_000)
    async with db.snapshot() as snapshot:  # what was issued before goes by what was in force then
        line = await line_in_force(snapshot, pair.host.id, pair.template.id, before)
        assert line is not None
        assert line.number == 1
        assert await hosts_of(snapshot, pair.partner.id) == [pair.host.id]
        assert await hosts_of(snapshot, pair.host.id) == []
    await assert_clean(db)


async def test_a_new_proposal_withdraws_the_one_before_and_its_signatures(
    clocked_db: Database, clock: SettableClock, pair: Pair
) -> None:
    db = clocked_db
    first = await db.in_transaction(propose, pair.hosts, pair.partner.slug, pair.draft())
    await db.in_transaction(sign, pair.hosts, first.agreement_id, first.digest)
    other = pair.draft(issue_fee_fen=9)
    second = await db.in_transaction(propose, pair.partners, pair.host.slug, other)
    with pytest.raises(AgreementChanged):
        await db.in_transaction(sign, pair.partners, first.agreement_id, first.digest)
    await db.in_transaction(sign, pair.partners, first.agreement_id, second.digest)
    assert await in_force(db, clock, pair) is None
    copies = await rows(db, AgreementVersion)
    assert sorted((row.number, row.status) for row in copies) == [
        *[(1, "WITHDRAWN")] * 2,
        *[(2, "PROPOSED")] * 2,
    ]


async def test_each_side_brings_in_templates_of_its_own_only(
    clocked_db: Database, pair: Pair
) -> None:
    db = clocked_db
    with pytest.raises(NotFound):  # the host's, and nothing is agreed on it yet
        await db.in_transaction(propose, pair.partners, pair.host.slug, pair.draft())
    with pytest.raises(InvalidInput):
        await db.in_transaction(propose, pair.hosts, pair.host.slug, pair.draft())
    gift = {"kind": "GIFT", "amount_off_fen": None, "offer_id": pair.template.id, "usable_days": 30}
    thing = await db.in_transaction(add_template, pair.host.id, **gift)
    things = Pair(pair.host, pair.partner, thing).draft()
    with pytest.raises(InvalidInput) as no_till:
        await db.in_transaction(propose, pair.hosts, pair.partner.slug, things)
    assert no_till.value.details["field"] == "terms.lines[0].templateId"
    await db.in_transaction(agree, pair)
    third = await db.in_transaction(make_brand, "third")
    elsewhere = replace(pair.draft(), funding=())
    line = replace(elsewhere.lines[0], issuer_id=pair.host.id, redeemer_ids=(third.id,))
    line = replace(line, issue_fee_fen=0, redeem_fee_fen=0, quotas=())
    with pytest.raises(TemplateUnderAgreement):
        await db.in_transaction(propose, pair.hosts, third.slug, replace(elsewhere, lines=(line,)))


async def test_a_template_that_another_agreement_took_first_cannot_be_signed_for(
    clocked_db: Database, pair: Pair
) -> None:
    db = clocked_db
    third = await db.in_transaction(make_brand, "third")
    other = Pair(pair.host, third, pair.template)
    first = await db.in_transaction(propose, pair.hosts, pair.partner.slug, pair.draft())
    await db.in_transaction(agree, other)
    await db.in_transaction(sign, pair.hosts, first.agreement_id, first.digest)
    with pytest.raises(TemplateUnderAgreement):
        await db.in_transaction(sign, pair.partners, first.agreement_id, first.digest)
    await assert_clean(db)


async def test_issuing_rests_while_either_side_pauses(
    clocked_db: Database, clock: SettableClock, pair: Pair
) -> None:
    db = clocked_db
    agreement_id = (await db.in_transaction(agree, pair)).agreement_id
    names = (pair.partner.id, pair.host.id, pair.template.id)
    assert (await db.in_transaction(issuing_terms, *names)).number == 1
    await db.in_transaction(pause_agreement, pair.hosts, agreement_id, "too many")
    await db.in_transaction(pause_agreement, pair.partners, agreement_id, "we too")
    for again in (pair.hosts, pair.partners):
        with pytest.raises(AgreementStateWrong):
            await db.in_transaction(pause_agreement, again, agreement_id, "again")
    await db.in_transaction(resume_agreement, pair.hosts, agreement_id)
    with pytest.raises(AgreementStateWrong):  # the other's pause is the other's to end
        await db.in_transaction(resume_agreement, pair.hosts, agreement_id)
    with pytest.raises(AgreementStateWrong):
        await db.in_transaction(issuing_terms, *names)
    await db.in_transaction(resume_agreement, pair.partners, agreement_id)
    assert (await db.in_transaction(issuing_terms, *names)).number == 1
    await assert_clean(db)


async def test_what_the_host_issues_in_a_pause_is_its_own_affair_for_good(
    clocked_db: Database, clock: SettableClock, pair: Pair
) -> None:
    db = clocked_db
    line = {"issue_fee_fen": 0, "redeem_fee_fen": 0, "quotas": (), "issuer_id": pair.host.id}
    draft = replace(pair.draft(**line), funding=())
    agreement_id = (await db.in_transaction(agree, pair, draft)).agreement_id
    assert await in_force(db, clock, pair) == (1, 6_000)
    clock.advance(minutes=1)
    await db.in_transaction(pause_agreement, pair.partners, agreement_id, "too many")
    paused_at = clock()
    assert await in_force(db, clock, pair) is None
    clock.advance(minutes=1)
    await db.in_transaction(resume_agreement, pair.partners, agreement_id)
    assert await in_force(db, clock, pair) == (1, 6_000)
    async with db.snapshot() as snapshot:
        args = (pair.host.id, pair.template.id, paused_at)
        assert await line_in_force(snapshot, *args) is None


async def test_an_agreement_ends_for_good_and_the_pair_may_agree_anew(
    clocked_db: Database, clock: SettableClock, pair: Pair
) -> None:
    db = clocked_db
    agreement_id = (await db.in_transaction(agree, pair)).agreement_id
    issued_at = clock()
    clock.advance(days=1)
    await db.in_transaction(end_agreement, pair.partners, agreement_id, "that was that")
    assert await in_force(db, clock, pair) is None
    async with db.snapshot() as snapshot:
        assert await agreement_between(snapshot, pair.host.id, pair.partner.id) is None
        before = await line_in_force(snapshot, pair.host.id, pair.template.id, issued_at)
        assert before is not None
    for verb, args in (
        (pause_agreement, ("why",)),
        (resume_agreement, ()),
        (end_agreement, ("why",)),
        (sign, ("0" * 64,)),
    ):
        with pytest.raises(AgreementStateWrong):
            await db.in_transaction(verb, pair.hosts, agreement_id, *args)
    template = await db.in_transaction(add_template, pair.host.id, usable_until=date(2030, 1, 1))
    anew = Pair(pair.host, pair.partner, template)
    again = await db.in_transaction(agree, anew)
    assert again.agreement_id != agreement_id
    assert await in_force(db, clock, anew) == (1, 6_000)
    await assert_clean(db)


async def test_nobody_else_sees_or_moves_an_agreement(clocked_db: Database, pair: Pair) -> None:
    db = clocked_db
    version = await db.in_transaction(agree, pair)
    third = system_actor((await db.in_transaction(make_brand, "third")).id)
    for verb, args in (
        (sign, (version.digest,)),
        (pause_agreement, ("why",)),
        (resume_agreement, ()),
        (end_agreement, ("why",)),
    ):
        with pytest.raises(NotFound):
            await db.in_transaction(verb, third, version.agreement_id, *args)
    await issued_as(db, NotFound, third.brand_id, pair)
    await issued_as(db, NotFound, pair.host.id, pair)


async def issued_as(db: Database, refusal: type[Refusal], issuer_id: UUID, pair: Pair) -> None:
    with pytest.raises(refusal):
        await db.in_transaction(issuing_terms, issuer_id, pair.host.id, pair.template.id)


async def test_nothing_is_issued_outside_an_agreements_days(
    clocked_db: Database, clock: SettableClock, pair: Pair
) -> None:
    db = clocked_db
    last_on = clock().date() + timedelta(days=1)
    await db.in_transaction(agree, pair, replace(pair.draft(), last_on=last_on))
    assert await in_force(db, clock, pair) is not None
    clock.advance(days=3)
    assert await in_force(db, clock, pair) is None
    await issued_as(db, AgreementStateWrong, pair.partner.id, pair)


async def test_what_is_the_partners_to_issue_the_host_does_not_give_out(
    clocked_db: Database, clock: SettableClock, pair: Pair
) -> None:
    db = clocked_db
    ours = (pair.host.id, pair.template.id)

    async def seen() -> tuple[str, int | None]:
        async with db.snapshot() as snapshot:
            template = await get_template(snapshot, *ours)
            return template.status, (await find_stock(snapshot, [ours]))[ours]

    async def turn(status: CouponTemplateStatus) -> str:
        await db.in_transaction(set_template_status, pair.hosts, pair.template.id, status)
        return (await seen())[0]

    assert await seen() == ("ACTIVE", None), "without limit"
    await db.in_transaction(agree, pair)
    assert await seen() == ("PARTNER", 0)
    with pytest.raises(TemplateUnderAgreement):
        await turn(CouponTemplateStatus.ACTIVE)
    with pytest.raises(RetryTransaction):
        async with asyncio.timeout(30):
            await db.in_transaction(take_stock, {ours: 1})

    # A later version leaves it to the host, which has to say so; another to the partner again.
    clock.advance(days=1)
    own = pair.draft(issuer_id=pair.host.id, issue_fee_fen=0, redeem_fee_fen=0, quotas=())
    await db.in_transaction(agree, pair, replace(own, funding=()))
    assert await seen() == ("PAUSED", 0)
    assert await turn(CouponTemplateStatus.ACTIVE) == "ACTIVE"
    with pytest.raises(InvalidInput):
        await turn(CouponTemplateStatus.PARTNER)
    clock.advance(days=1)
    agreement_id = (await db.in_transaction(agree, pair)).agreement_id
    assert await seen() == ("PARTNER", 0)
    await db.in_transaction(end_agreement, pair.hosts, agreement_id, "that was that")
    assert await seen() == ("PAUSED", 0)
    await assert_clean(db)
