"""Referrals: who earns by whom, once, and who does not."""

from datetime import timedelta
from uuid import UUID

import pytest

from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import AlreadyReferred, NotFound
from rewards.activities.models import Activity
from rewards.activities.service import settle_activities, use_referral_code
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.events.models import EarningEvent
from rewards.referrals.models import Referral
from rewards.referrals.rules import NEW_DAYS
from rewards.referrals.service import open_code
from rewards.scans.reversing import reverse_scan
from rewards.tasks.models import TaskCounts
from tests.clocks import SettableClock
from tests.rewards.merges.families import CONSUMER, POINTS, Family, make_family
from tests.rewards.tasks.work import set_task, standing, take, work_off

KEYRING = Keyring(bytes(32))
REWARD = 30


async def make_friends(db: Database) -> Family:
    """Whoever brings somebody has points."""
    family = await make_family(db)
    reward = Outcome(CONSUMER, "POINTS", OutcomeBasis.FIXED, REWARD)
    definition = CampaignDefinition("friends", "邀请", "Friends", EventKind.REFERRAL, (reward,))
    await family.run(publish_campaign, family.operator, definition)
    return family


async def code_of(family: Family, person: str, device: str | None = None) -> str:
    return (await family.run(open_code, family.actor(person), KEYRING, device)).code


async def use(family: Family, person: str, code: str, device: str | None = None) -> Referral:
    return await family.run(use_referral_code, family.actor(person), KEYRING, code, device)


async def ends(family: Family) -> list[tuple[str, str | None]]:
    """(status, why refused) of each referral, sorted."""
    rows = await family.rows(Referral)
    return sorted((row.status, row.refused_reason) for row in rows)


async def test_the_first_paid_scan_of_a_newcomer_pays_who_brought_it_once(
    clocked_db: Database, clock: SettableClock
) -> None:
    db, family = clocked_db, await make_friends(clocked_db)
    await set_task(family, "bring", TaskCounts.REFERRALS, 2, role=CONSUMER)
    code = await code_of(family, "ann")
    assert code == await code_of(family, "ann"), "the same for good"
    await take(family, "ann", "bring", CONSUMER)
    clock.advance(hours=1)
    first = await use(family, "bea", f" {code[:4].lower()}-{code[4:]} ")
    assert (await use(family, "bea", code)).id == first.id, "once more is the same"
    with pytest.raises(AlreadyReferred):
        await use(family, "bea", await code_of(family, "cat"))
    with pytest.raises(NotFound):
        await use(family, "bea", "NOBODYS2")
    await work_off(db)
    assert await ends(family) == [("WAITING", None)]

    clock.advance(hours=1)
    taken_back = await family.scan("bea", 1)
    await family.run(reverse_scan, family.operator, UUID(hex=taken_back["scan_id"]), "a mistake")
    await work_off(db)
    assert await ends(family) == [("WAITING", None)], "that one was not paid after all"
    for serial in (2, 3):
        await family.scan("bea", serial)
    scanned_at = clock.at

    async def die(tx: Tx) -> None:
        await settle_activities(tx, 100)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await family.run(die)
    clock.advance(days=2)
    await work_off(db)
    await family.scan("bea", 4)
    await work_off(db)
    assert await ends(family) == [("SETTLED", None)]
    [event] = await family.rows(EarningEvent, kind="REFERRAL")
    ann = (await family.own("ann")).id
    assert (event.member_id, event.occurred_at) == (ann, scanned_at)
    assert (event.payload, event.unpaid_reason) == ({"firstAct": "SCAN"}, None)
    assert (await family.holdings(ann))["POINTS"].balance == REWARD
    assert (await standing(family, "ann", CONSUMER)).counted == 1
    assert await family.rows(Activity) == []
    await family.check()


async def test_nobody_refers_itself_and_nobody_whom_the_brand_knows(
    clocked_db: Database, clock: SettableClock
) -> None:
    db, family = clocked_db, await make_friends(clocked_db)
    code = await code_of(family, "ann", "anns-phone")
    assert (await use(family, "ann", code)).refused_reason == "SAME_PERSON"
    assert (await use(family, "bea", code, "anns-phone")).refused_reason == "SAME_DEVICE"
    assert (await use(family, "bea", code)).refused_reason == "SAME_DEVICE", "it is on record"
    await family.scan("cat", 1, device="shared")
    others = await code_of(family, "cat")
    waits = await use(family, "gus", others)
    assert waits.status == "WAITING"
    await family.scan("gus", 2, device="shared")  # only now it is known
    assert (await use(family, "bea", others)).status == "WAITING", "another code is still open"
    await family.merge("bea", "cat")
    await family.scan("bea", 3)
    clock.advance(days=NEW_DAYS, seconds=1)
    assert (await use(family, "gil", code)).refused_reason == "NOT_NEW"
    await work_off(db)
    assert await ends(family) == [
        ("REFUSED", "NOT_NEW"),
        *[("REFUSED", "SAME_DEVICE")] * 2,
        *[("REFUSED", "SAME_PERSON")] * 2,
    ]
    assert await family.rows(EarningEvent, kind="REFERRAL") == []
    await family.check()


async def test_what_was_there_before_the_code_counts_at_its_use(
    clocked_db: Database, clock: SettableClock
) -> None:
    family = await make_friends(clocked_db)
    code = await code_of(family, "ann")
    scanned = await family.scan("bea", 1)
    assert scanned["unpaid_reason"] is None
    await work_off(clocked_db)
    used_at = clock.at + timedelta(days=1)
    clock.set(used_at)
    await use(family, "bea", code)
    await work_off(clocked_db)
    [event] = await family.rows(EarningEvent, kind="REFERRAL")
    assert event.occurred_at == used_at
    assert (await family.holdings((await family.own("ann")).id))["POINTS"].balance == REWARD
    assert (await family.holdings((await family.own("bea")).id))["POINTS"].balance == POINTS


async def test_a_referral_is_found_by_the_scans_of_whom_one_became(clocked_db: Database) -> None:
    family = await make_friends(clocked_db)
    await use(family, "bea", await code_of(family, "ann"))
    await code_of(family, "cat")  # is a member by that
    await work_off(clocked_db)  # what was noted of them is dealt with: nothing was due
    await family.merge("bea", "cat")
    await family.scan("cat", 1)
    await work_off(clocked_db)
    assert await ends(family) == [("SETTLED", None)]
    await family.check()


async def test_of_two_who_became_one_the_first_referral_earns(clocked_db: Database) -> None:
    family = await make_friends(clocked_db)
    await use(family, "bea", await code_of(family, "ann"))
    await use(family, "cat", await code_of(family, "gil"))
    await work_off(clocked_db)
    await family.merge("bea", "cat")
    for serial in (1, 2):
        await family.scan("cat", serial)
        await work_off(clocked_db)
    assert await ends(family) == [("REFUSED", "NOT_NEW"), ("SETTLED", None)]
    [event] = await family.rows(EarningEvent, kind="REFERRAL")
    assert event.member_id == (await family.own("ann")).id
    await family.check()
