"""Two members become one: what goes over, what stays, and who acts as whom from then on."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from loyalty.assets.rules import NEVER_EXPIRES
from loyalty.db import Database, Tx
from loyalty.errors import (
    BalanceHeld,
    MemberClosed,
    MemberFrozen,
    NotFound,
    Refusal,
    RolesDiffer,
    SameAccount,
)
from loyalty.holds.service import hold_balance, release_hold
from loyalty.ids import new_id
from loyalty.ledger.expiry import sweep_chunk
from loyalty.ledger.models import Account, Transfer
from loyalty.members.models import Invitation, Member, MemberDevice
from loyalty.members.queries import describe_anew
from loyalty.members.service import enrol, find_member, freeze_member, unfreeze_member
from loyalty.outbox import OutboxEvent
from rewards.coupons.models import Coupon
from rewards.coupons.service import buy_coupon
from rewards.grants.models import LockedReward
from rewards.grants.unlocking import settle_due
from rewards.merges.models import MemberMerge
from rewards.merges.service import merge_members
from rewards.scans.models import Claim, ScanEvent
from tests.clocks import SettableClock
from tests.rewards.merges.families import (
    CASH,
    CHANCES,
    CONSUMER,
    GUIDE,
    GUIDE_POINTS,
    POINTS,
    TWO_DAYS,
    Family,
    make_family,
)
from tiers.ladders.service import publish_ladder, starter_levels
from tiers.privileges.rules import Privilege, PrivilegeKind
from tiers.standings.models import Standing, StandingChange

SOON = date(2026, 11, 19)
"""The last good day of points of 730 days ago."""


async def test_lots_keep_their_dates_and_what_is_past_its_date_stays(
    clocked_db: Database, clock: SettableClock
) -> None:
    family = await make_family(clocked_db)
    await family.buy("ann", 30, days_ago=720)
    await family.buy("ann", 8, days_ago=731)
    await family.buy("bea", 5, days_ago=720)
    ann, bea = await family.own("ann"), await family.own("bea")
    merged = await family.merge("ann", "bea")
    assert merged.into_member_id == bea.id
    assert (merged.assets["POINTS"].amount, merged.assets["GROWTH"].amount) == (30, 38)
    assert await family.lots(bea.id, "POINTS") == {SOON: 35}
    assert await family.lots(bea.id, "GROWTH") == {NEVER_EXPIRES: 43}
    past = SOON - timedelta(days=11)
    assert await family.lots(ann.id, "POINTS") == {past: 8}
    await family.check()
    await family.run(sweep_chunk, family.brand.id, 100)
    assert await family.lots(ann.id, "POINTS") == {}
    assert all(account.closed_at for account in await family.rows(Account, owner_id=ann.id))
    await family.check()


async def test_what_waits_waits_for_the_other_on_the_same_condition(
    clocked_db: Database, clock: SettableClock
) -> None:
    family = await make_family(clocked_db)
    await family.scan("bea", 1)
    bought = await family.buy("ann", 1)
    await family.scan("ann", 2)  # one more to come
    ann, bea = await family.own("ann"), await family.own("bea")
    merged = await family.merge("ann", "bea")
    assert merged.locked_rewards == 2
    assert (await family.holdings(ann.id))["CASH"].locked == 0
    had = await family.holdings(bea.id)
    assert (had["CASH"].locked, had["CHANCES"].locked) == (CASH, CHANCES)
    waits = {row.asset: row for row in await family.rows(LockedReward, status="LOCKED")}
    ended = {row.asset: row for row in await family.rows(LockedReward, status="VOIDED")}
    for asset, again in waits.items():
        before = ended[asset]
        assert (before.member_id, again.member_id) == (ann.id, bea.id)
        for name in ("campaign_id", "amount", "cause_id", "unlock_kind", "unlock_key"):
            assert getattr(again, name) == getattr(before, name)
        assert (again.unlock_count, again.unlocks_at) == (before.unlock_count, before.unlocks_at)
        assert again.cause_id == bought.purchase_id
    await family.check()
    await family.scan("bea", 3)
    assert (await family.holdings(bea.id))["CASH"].good == CASH
    clock.advance(days=TWO_DAYS.days)
    await family.run(settle_due, 100)
    assert (await family.holdings(bea.id))["CHANCES"].good == CHANCES
    await family.check()


async def test_what_one_owes_is_repaid_from_what_the_other_has(clocked_db: Database) -> None:
    family = await make_family(clocked_db)
    await family.scan("ann", 1)
    for _ in range(2):
        await family.coupon("ann")
    await family.take_back("ann", "POINTS")
    await family.buy("bea", 7)
    ann, bea = await family.own("ann"), await family.own("bea")
    assert (await family.holdings(ann.id))["POINTS"].owed == POINTS
    merged = await family.merge("ann", "bea")
    assert merged.assets["POINTS"].owed == POINTS
    assert merged.assets["POINTS"].repaid == 7
    assert (await family.holdings(ann.id))["POINTS"].owed == 0
    points = (await family.holdings(bea.id))["POINTS"]
    assert (points.good, points.owed) == (0, POINTS - 7)
    await family.check()
    await family.buy("bea", 5)
    points = (await family.holdings(bea.id))["POINTS"]
    assert (points.good, points.owed) == (2, 0)
    await family.check()


async def test_coupons_go_over_and_limits_stay(clocked_db: Database) -> None:
    family = await make_family(clocked_db)
    for serial, person in enumerate(("ann", "bea")):
        await family.scan(person, serial)
        await family.buy(person, 50)
    bought = [await family.coupon("ann") for _ in range(3)]
    bought += [await family.coupon("bea") for _ in range(2)]
    bea = await family.own("bea")
    merged = await family.merge("ann", "bea")
    assert merged.coupons == 4  # one of them was won
    coupons = await family.rows(Coupon)
    assert {coupon.member_id for coupon in coupons} == {bea.id}
    assert {coupon.id for coupon in coupons} > set(bought)
    await family.check()
    await family.coupon("ann")  # as bea, whose third it is
    with pytest.raises(Refusal) as refused:
        await family.coupon("bea")
    assert refused.value.code == "MEMBER_LIMIT_REACHED"
    await family.check()


async def test_the_better_standing_is_kept_and_growth_adds_up(clocked_db: Database) -> None:
    family = await make_family(clocked_db)
    await family.buy("ann", 300)  # silver
    await family.buy("bea", 250)  # silver: together gold
    ann, bea = await family.own("ann"), await family.own("bea")
    await family.merge("ann", "bea")
    ranks = {row.member_id: row.rank for row in await family.rows(Standing)}
    assert ranks == {ann.id: 0, bea.id: 2}
    changes = await family.rows(StandingChange, reason="MERGED")
    moves = {(row.member_id, row.from_rank, row.to_rank, row.transfer_id) for row in changes}
    [moved] = await family.rows(Transfer, kind="MOVE", asset="GROWTH")
    assert moves == {(ann.id, 1, 0, moved.id), (bea.id, 1, 2, moved.id)}
    assert {row.cause_id for row in changes} == {moved.cause_id}
    await family.check()


async def test_levels_that_were_held_give_no_gifts_again(clocked_db: Database) -> None:
    """Of what the two reach together, only the levels above both give; and nobody is told of what
    the merged one lost."""
    family = await make_family(clocked_db)
    levels = [
        replace(
            level,
            privileges=(
                Privilege(
                    level.code,
                    PrivilegeKind.LEVEL_GIFT,
                    "礼",
                    "Gift",
                    asset="CASH",
                    amount=level.rank + 1,
                ),
            ),
        )
        for level in starter_levels()
    ]
    await family.run(publish_ladder, family.operator, role=CONSUMER, levels=levels)
    await family.buy("ann", 550)  # gold
    await family.buy("bea", 150)  # silver
    await family.buy("cat", 1400)  # gold, and with the others diamond
    told = {fact.id for fact in await family.rows(OutboxEvent)}
    await family.merge("ann", "bea")
    await family.merge("bea", "cat")
    facts = [fact for fact in await family.rows(OutboxEvent) if fact.id not in told]
    bea, cat = await family.own("bea"), await family.own("cat")
    assert [(fact.topic, fact.subject_id) for fact in sorted(facts, key=lambda f: f.id)] == [
        ("tier.reached", bea.id),
        ("tier.reached", cat.id),
        ("tier.gifts_due", cat.id),
    ]
    [gifts] = [fact.payload["gifts"] for fact in facts if fact.topic == "tier.gifts_due"]
    assert [gift["privilege"]["amount"] for gift in gifts] == [1 + 3]
    await family.check()


async def test_relations_are_handed_over(clocked_db: Database) -> None:
    """Whom ann brought, bea has brought; who brought ann, brought bea, but nobody itself."""
    family = await make_family(clocked_db)
    for person in ("ann", "bea", "cat"):
        await family.buy(person, 1)
    ann, bea, cat = [await family.own(person) for person in ("ann", "bea", "cat")]
    gus = await family.run(enrol, family.actor("gus", GUIDE))
    for member, inviter in ((ann, gus), (bea, ann), (cat, ann)):
        await family.run(describe_anew, member, invited_by_id=inviter.id)
    await family.run(describe_anew, ann, birthday="02-29", display_name="Ann")
    await family.run(describe_anew, bea, display_name="Bea")
    await family.run(_invite, family, ann, "open", None)
    await family.run(_invite, family, ann, "of cat", cat)
    await family.run(_invite, family, ann, "of bea", bea)
    await family.scan("ann", 1, device="phone")
    await family.scan("bea", 2, device="tablet")
    await family.merge("ann", "bea")
    now = await family.own("bea")
    assert now.invited_by_id == gus.id
    assert (now.display_name, now.birthday) == ("Bea", "02-29")
    assert (await family.own("cat")).invited_by_id == bea.id
    inviters = {row.phone_hash: row.inviter_id for row in await family.rows(Invitation)}
    assert inviters == {"open": bea.id, "of cat": bea.id, "of bea": ann.id}
    devices = await family.rows(MemberDevice, member_id=bea.id)
    assert {device.device_hash for device in devices} == {"phone", "tablet"}
    await family.check()


async def _invite(tx: Tx, family: Family, by: Member, phone: str, brought: Member | None) -> None:
    await tx.add(
        Invitation(
            brand_id=family.brand.id,
            inviter_id=by.id,
            phone_hash=phone,
            phone_cipher="",
            accepted_member_id=brought.id if brought else None,
            accepted_at=tx.now if brought else None,
            created_at=tx.now,
        )
    )


async def test_the_merged_identity_acts_as_the_other(clocked_db: Database) -> None:
    family = await make_family(clocked_db)
    await family.scan("ann", 1)
    await family.scan("bea", 2)
    ann, bea = await family.own("ann"), await family.own("bea")
    await family.merge("ann", "bea")
    again = await family.scan("ann", 1)
    assert again["unpaid_reason"] == "ALREADY_CLAIMED"
    new = await family.scan("ann", 3)
    assert new["unpaid_reason"] is None
    bought = await family.buy("ann", 9)
    assert bought.member_id == bea.id
    scans = await family.rows(ScanEvent, identity_id=family.people["ann"])
    assert [scan.member_id for scan in sorted(scans, key=lambda scan: scan.id)] == [
        ann.id,
        bea.id,
        bea.id,
    ]
    async with clocked_db.snapshot() as snapshot:
        found = await find_member(snapshot, family.brand.id, family.people["ann"], CONSUMER.value)
    assert found is not None and found.id == bea.id
    assert (await family.run(enrol, family.actor("ann"))).id == bea.id
    points = (await family.holdings(bea.id))["POINTS"]
    assert points.good == 3 * POINTS + 9
    await family.check()


async def test_a_second_merge_makes_no_chain(clocked_db: Database) -> None:
    family = await make_family(clocked_db)
    for serial, person in enumerate(("ann", "bea", "cat")):
        await family.scan(person, serial, device=f"phone of {person}")
        await family.buy(person, 1)
    cat = await family.own("cat")
    await family.merge("ann", "bea")
    await family.merge("bea", "cat")
    for serial, person in enumerate(("ann", "bea"), 10):
        assert (await family.own(person)).merged_into_id == cat.id
        await family.scan(person, serial)
    assert (await family.holdings(cat.id))["POINTS"].good == 5 * POINTS + 3
    devices = await family.rows(MemberDevice, member_id=cat.id)
    assert len(devices) == 3
    assert len(await family.rows(MemberMerge)) == 2
    await family.check()
    with pytest.raises(MemberClosed):
        await family.merge("ann", "cat")


async def test_guides_claims_that_wait_pay_the_other_guide(clocked_db: Database) -> None:
    family = await make_family(clocked_db)
    for serial in (1, 2):
        await family.scan("gus", serial, GUIDE)
    await family.scan("gil", 3, GUIDE)
    await family.scan("ann", 1)
    gus, gil = await family.own("gus", GUIDE), await family.own("gil", GUIDE)
    assert (await family.merge("gus", "gil", GUIDE)).locked_rewards == 1
    owners = {
        row.item_no % 2**40: row.member_id
        for row in await family.rows(Claim, beneficiary_role=GUIDE.value)
    }
    assert owners == {1: gus.id, 2: gil.id, 3: gil.id}
    await family.check()
    await family.scan("ann", 2)
    points = (await family.holdings(gil.id))["POINTS"]
    assert (points.good, points.locked) == (2 * GUIDE_POINTS, GUIDE_POINTS)
    await family.check()


async def test_one_person_in_two_identities_is_never_paid_twice(clocked_db: Database) -> None:
    """Ann also is the guide that bea buys of: as soon as ann and bea are known to be one, bea's
    purchases pay nobody."""
    family = await make_family(clocked_db)
    for serial in (1, 2, 3):
        await family.scan("ann", serial, GUIDE)
    await family.scan("ann", 10)
    assert (await family.scan("bea", 1))["unpaid_reason"] is None
    await family.merge("ann", "bea")
    for serial, person in ((2, "bea"), (3, "ann")):
        assert (await family.scan(person, serial))["unpaid_reason"] == "SELF_DEALING"
    assert (await family.scan("cat", 2))["unpaid_reason"] is None
    await family.check()


async def test_what_cannot_be_merged_is_refused_and_nothing_is_written(
    clocked_db: Database,
) -> None:
    family, other = await make_family(clocked_db), await make_family(clocked_db, "other")
    for person in ("ann", "bea", "cat"):
        await family.buy(person, 10)
    await other.buy("ann", 10)
    ann, bea, cat = [await family.own(person) for person in ("ann", "bea", "cat")]
    gus = await family.run(enrol, family.actor("gus", GUIDE))
    stranger = await other.own("ann")
    await family.run(freeze_member, family.operator, cat.id, "lost")
    held = await family.run(
        hold_balance,
        family.operator,
        member_id=bea.id,
        asset="POINTS",
        amount=1,
        ttl_seconds=60,
        reason="a cart",
    )
    before = len(await family.rows(Transfer))
    for one, another, code in (
        (ann.id, ann.id, SameAccount.code),
        (ann.id, stranger.id, NotFound.code),
        (stranger.id, ann.id, NotFound.code),
        (new_id(), ann.id, NotFound.code),
        (ann.id, gus.id, RolesDiffer.code),
        (ann.id, cat.id, MemberFrozen.code),
        (cat.id, ann.id, MemberFrozen.code),
        (bea.id, ann.id, BalanceHeld.code),
    ):
        with pytest.raises(Refusal) as refused:
            await family.run(
                merge_members,
                family.operator,
                from_member_id=one,
                into_member_id=another,
                reason="one person",
            )
        assert refused.value.code == code
    assert len(await family.rows(Transfer)) == before
    await family.run(release_hold, family.operator, held.id)
    await family.merge("bea", "ann")
    for person, into in (("bea", "ann"), ("ann", "bea"), ("cat", "bea")):
        with pytest.raises((MemberClosed, MemberFrozen)):
            await family.merge(person, into)
    await family.check()


async def test_a_merged_member_is_closed(clocked_db: Database) -> None:
    """What names it is refused; an unfrozen look-alike cannot come back."""
    family = await make_family(clocked_db)
    for person in ("ann", "bea"):
        await family.buy(person, 10)
    ann = await family.own("ann")
    await family.merge("ann", "bea")
    for verb in (freeze_member, unfreeze_member):
        with pytest.raises(MemberClosed):
            await family.run(verb, family.operator, ann.id, "a mistake")
    with pytest.raises(MemberClosed):
        await family.run(
            hold_balance,
            family.operator,
            member_id=ann.id,
            asset="POINTS",
            amount=1,
            ttl_seconds=60,
            reason="a cart",
        )
    assert (await family.own("ann")).status == "MERGED"
    await family.run(buy_coupon, family.actor("ann"), family.template)
    await family.check()
