"""A merge, and whatever the two members do at that very moment: nothing is lost, whoever comes
first. SQLite's one writer cannot race."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from loyalty.db import Database, Tx
from loyalty.errors import MemberClosed, Refusal
from loyalty.members.models import Invitation, Member
from loyalty.members.service import enrol
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import CampaignDefinition, CouponOutcome
from rewards.campaigns.service import publish_campaign
from rewards.coupons.models import Coupon
from tests.hurried import hurry
from tests.rewards.merges.families import (
    CONSUMER,
    GUIDE,
    GUIDE_POINTS,
    POINTS,
    Family,
    make_family,
)

pytestmark = pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
ROUNDS = 8


async def _family(db: Database, *kinds: str) -> Family:
    """A person of each kind for every round."""
    names = [f"{kind}{n}" for n in range(ROUNDS) for kind in kinds]
    return await make_family(hurry(db), names=names)


async def _at_once(*acts: Awaitable[Any]) -> list[Any]:
    """What each came to; refusals are answers."""
    done = await asyncio.gather(*acts, return_exceptions=True)
    for answer in done:
        if isinstance(answer, BaseException) and not isinstance(answer, Refusal):
            raise answer
    return done


async def test_scans_of_both_are_paid_to_one(db: Database) -> None:
    """Also of who has no account yet to be locked by: half of them only enrolled."""
    family = await _family(db, "one", "other")
    for n in range(ROUNDS):
        for person in (f"one{n}", f"other{n}"):
            if n % 2:
                await family.scan(person, 100 * n + len(person))
            else:
                await family.run(enrol, family.actor(person))
    for n in range(ROUNDS):
        one, other = f"one{n}", f"other{n}"
        scans = [(one, 1), (other, 2), (one, 3), (other, 4)]
        replies = await _at_once(
            *(family.scan(person, 100 * n + 20 + serial) for person, serial in scans[:2]),
            family.merge(one, other),
            *(family.scan(person, 100 * n + 20 + serial) for person, serial in scans[2:]),
        )
        assert [r["unpaid_reason"] for r in replies if isinstance(r, dict)] == [None] * 4
        kept = await family.member(one)
        assert kept.id == (await family.own(other)).id
        points = (await family.holdings(kept.id))["POINTS"]
        assert points.good == POINTS * (6 if n % 2 else 4)
    await family.check()


async def test_coupons_alone_are_won_for_one(db: Database) -> None:
    """Nothing is booked: only the member's own row can be locked."""
    family = await _family(db, "one", "other")
    await family.run(
        publish_campaign,
        family.operator,
        CampaignDefinition(
            code="scan",
            name_zh="扫码",
            name_en="Scan",
            event=EventKind.SCAN,
            outcomes=(CouponOutcome(CONSUMER, family.template),),
            budgets={"POINTS": 10**6},
        ),
    )
    for n in range(ROUNDS):
        for person in (f"one{n}", f"other{n}"):
            await family.run(enrol, family.actor(person))
    for n in range(ROUNDS):
        one, other = f"one{n}", f"other{n}"
        await _at_once(
            family.scan(one, 10 * n),
            family.merge(one, other),
            family.scan(one, 10 * n + 1),
        )
        kept = await family.member(one)
        assert len(await family.rows(Coupon, member_id=kept.id)) == 2
    await family.check()


async def test_of_two_crosswise_one_is_refused(db: Database) -> None:
    family = await _family(db, "one", "other")
    for n in range(ROUNDS):
        for serial, person in enumerate((f"one{n}", f"other{n}")):
            await family.scan(person, 2 * n + serial)
        one, other = f"one{n}", f"other{n}"
        answers = await _at_once(family.merge(one, other), family.merge(other, one))
        assert sum(isinstance(answer, MemberClosed) for answer in answers) == 1
    await family.check()


async def test_two_in_a_row_make_no_chain(db: Database) -> None:
    family = await _family(db, "one", "other", "third")
    for n in range(ROUNDS):
        for serial, person in enumerate((f"one{n}", f"other{n}", f"third{n}")):
            await family.scan(person, 3 * n + serial)
        answers = await _at_once(
            family.merge(f"one{n}", f"other{n}"), family.merge(f"other{n}", f"third{n}")
        )
        third = await family.own(f"third{n}")
        merged = 2 - sum(isinstance(answer, MemberClosed) for answer in answers)
        points = (await family.holdings(third.id))["POINTS"]
        assert points.good == POINTS * (merged + 1)
    await family.check()


async def test_guides_that_become_one_are_paid_for_each_bottle(db: Database) -> None:
    family = await _family(db, "one", "other", "buyer")
    for n in range(ROUNDS):
        one, other, buyer = f"one{n}", f"other{n}", f"buyer{n}"
        await family.scan(one, 10 * n, GUIDE)
        await family.scan(other, 10 * n + 1, GUIDE)
        await _at_once(
            family.scan(buyer, 10 * n),
            family.scan(one, 10 * n + 2, GUIDE),
            family.merge(one, other, GUIDE),
            family.scan(buyer, 10 * n + 1),
            family.scan(other, 10 * n + 3, GUIDE),
        )
        kept = await family.member(one, GUIDE)
        points = (await family.holdings((await family.own(one, GUIDE)).id, kept.id))["POINTS"]
        assert (points.good, points.locked) == (2 * GUIDE_POINTS, 2 * GUIDE_POINTS)
    await family.check()


async def test_whom_a_merged_member_brings_is_brought_by_the_other(db: Database) -> None:
    family = await _family(db, "one", "other", "friend")
    for n in range(ROUNDS):
        one, other, friend = f"one{n}", f"other{n}", f"friend{n}"
        for person in (one, other):
            await family.run(enrol, family.actor(person, GUIDE))
        await family.run(_invite, family, await family.own(one, GUIDE), friend)
        await _at_once(family.scan(friend, n), family.merge(one, other, GUIDE))
        brought = await family.own(friend)
        assert brought.invited_by_id == (await family.own(other, GUIDE)).id
    await family.check()


async def _invite(tx: Tx, family: Family, by: Member, friend: str) -> None:
    await tx.add(
        Invitation(
            brand_id=family.brand.id,
            inviter_id=by.id,
            phone_hash=f"phone of {friend}",
            phone_cipher="",
            created_at=tx.now,
        )
    )


async def test_what_is_spent_meanwhile_is_spent_once(db: Database) -> None:
    """Whoever buys as the merged one is told to try again, or bought before, or after as the
    other; each coupon is paid."""
    family = await _family(db, "one", "other")
    for n in range(ROUNDS):
        one, other = f"one{n}", f"other{n}"
        for serial, person in enumerate((one, other)):
            await family.scan(person, 2 * n + serial)
        answers = await _at_once(
            family.coupon(one), family.merge(one, other), family.coupon(one), family.coupon(other)
        )
        bought = 3 - sum(isinstance(answer, MemberClosed) for answer in answers)
        kept = await family.member(one)
        assert len(await family.rows(Coupon, member_id=kept.id)) == 2 + bought
        assert (await family.holdings(kept.id))["POINTS"].good == 2 * POINTS - 5 * bought
    await family.check()


async def test_whoever_is_merged_in_two_roles_is_one_person(db: Database) -> None:
    family = await _family(db, "one", "other", "third")
    for n in range(ROUNDS):
        for person in (f"one{n}", f"other{n}", f"third{n}"):
            for role in (CONSUMER, GUIDE):
                await family.run(enrol, family.actor(person, role))
        await _at_once(
            family.merge(f"one{n}", f"other{n}", CONSUMER),
            family.merge(f"other{n}", f"third{n}", GUIDE),
        )
    await family.check()
