"""Purchases settled in batches: what they earn, and what guards them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel, select

from loyalty.actor import MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.ledger.models import NEVER_EXPIRES, Account, Asset, Lot, Transfer
from loyalty.members.models import Identity, Member
from loyalty.members.service import freeze_member
from loyalty.outbox import OutboxEvent
from rewards.campaigns.models import CapSubject, CapWindow, EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Cap, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.purchases.models import PurchaseEvent
from rewards.purchases.rules import PurchaseFact, PurchasePlace, PurchaseResult, PurchaseStatus
from rewards.purchases.service import BATCH_SIZE_MAX, settle_purchases
from tests.brands_made import make_brand
from tests.databases import MASTER_KEY
from tests.rewards.purchases.backed import PHONES, join, open_place
from tests.rewards.purchases.canonical import canonical_rows
from tests.rewards.returns.shopping import Shop
from tiers.ladders.rules import Level
from tiers.ladders.service import publish_ladder
from tiers.standings.models import Standing, StandingChange

Row = TypeVar("Row", bound=SQLModel)
DAY = date(2026, 3, 31)
RECORDED, ALREADY_RECORDED, CONFLICT = PurchaseStatus


def bought(
    ref: str, yuan: int, member: str = "ann", day: date = DAY, quantity: int = 1
) -> PurchaseFact:
    return PurchaseFact(ref, member, day, quantity, yuan * 100)


async def settle(db: Database, brand: Brand, *facts: PurchaseFact) -> list[PurchaseResult]:
    return await db.in_transaction(settle_purchases, brand.id, system_actor(brand.id), facts)


async def rows(db: Database, model: type[Row]) -> list[Row]:
    async with db.snapshot() as snapshot:
        return list(await snapshot.session.exec(select(model)))


async def publish(
    db: Database,
    brand: Brand,
    *,
    caps: Sequence[Cap] = (),
    budgets: dict[str, int] | None = None,
    starts_at: datetime | None = None,
    backed: Sequence[Outcome] = (),
) -> None:
    """A campaign that goes before the brand's first: 2 points and 1 growth per unit; and what those
    behind a place get."""
    definition = CampaignDefinition(
        code="double",
        name_zh="双倍",
        name_en="Double",
        event=EventKind.PURCHASE,
        priority=9,
        starts_at=starts_at,
        outcomes=(
            Outcome(MemberRole.CONSUMER, Asset.POINTS, OutcomeBasis.PER_CURRENCY_UNIT, 2),
            Outcome(MemberRole.CONSUMER, Asset.GROWTH, OutcomeBasis.PER_CURRENCY_UNIT, 1),
            *backed,
        ),
        caps=tuple(caps),
        budgets=budgets or {},
    )
    await db.in_transaction(publish_campaign, system_actor(brand.id), definition)


async def test_a_purchase_enrols_pays_and_lifts_as_of_its_own_date(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    [result] = await settle(db, brand, PurchaseFact("1", "ann", DAY, 2, 12_399))
    assert (result.status, result.points_granted) == (RECORDED, 123)
    noon = datetime(2026, 3, 31, 4, tzinfo=UTC)
    [identity], [member] = await rows(db, Identity), await rows(db, Member)
    assert (identity.external_ref, member.role) == ("ann", "CONSUMER")
    assert (member.identity_id, member.id) == (identity.id, result.member_id)
    [event] = await rows(db, PurchaseEvent)
    assert (event.quantity, event.amount_fen, event.points_granted) == (2, 12_399, 123)
    assert (event.id, event.member_id, event.occurred_at) == (result.purchase_id, member.id, noon)
    transfers = {transfer.asset: transfer for transfer in await rows(db, Transfer)}
    assert {t.amount for t in transfers.values()} == {123}
    for transfer in transfers.values():
        assert (transfer.cause_kind, transfer.cause_id) == ("PURCHASE", event.id)
        assert transfer.occurred_at == noon
    lots = {(lot.expires_on, lot.remaining) for lot in await rows(db, Lot)}
    assert lots == {(date(2028, 3, 31), 123), (NEVER_EXPIRES, 123)}  # points, and growth
    [standing], [change] = await rows(db, Standing), await rows(db, StandingChange)
    assert (standing.rank, standing.since, change.occurred_at) == (1, noon, noon)
    assert change.transfer_id == transfers["GROWTH"].id
    assert sorted(e.topic for e in await rows(db, OutboxEvent)) == [
        "member.enrolled",
        "tier.reached",
    ]


async def test_a_purchase_of_nothing_is_recorded_without_a_transfer(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    await publish(db, brand, caps=[Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, 1)])
    results = await settle(db, brand, bought("1", 0), bought("2", 5))
    assert [result.points_granted for result in results] == [0, 10]
    assert len(await rows(db, PurchaseEvent)) == 2
    assert len(await rows(db, Transfer)) == 2


async def test_a_repeat_has_no_second_effect_and_other_content_none_at_all(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    first = await settle(db, brand, bought("1", 5))
    before = await canonical_rows(db, "demo")
    again = await settle(db, brand, bought("1", 5), bought("1", 6), bought("1", 5, "eve"))
    assert [result.status for result in again] == [ALREADY_RECORDED, CONFLICT, CONFLICT]
    assert again[0].purchase_id == first[0].purchase_id
    assert again[0].points_granted == 5
    assert await canonical_rows(db, "demo") == before  # eve was not enrolled either


async def test_a_batch_sees_its_own_repeats(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    results = await settle(
        db, brand, bought("1", 5), bought("1", 5), bought("2", 1), bought("1", 5, "eve")
    )
    statuses = [RECORDED, ALREADY_RECORDED, RECORDED, CONFLICT]
    assert [result.status for result in results] == statuses
    assert results[1].purchase_id == results[0].purchase_id
    assert [identity.external_ref for identity in await rows(db, Identity)] == ["ann"]


async def test_two_brands_may_use_the_same_references(db: Database) -> None:
    ours = await db.in_transaction(make_brand, "ours")
    theirs = await db.in_transaction(make_brand, "theirs")
    for brand, yuan in ((ours, 5), (theirs, 7)):
        [result] = await settle(db, brand, bought("1", yuan))
        assert (result.status, result.points_granted) == (RECORDED, yuan)


async def test_a_cap_counts_paid_purchases_by_their_own_day(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    await publish(db, brand, caps=[Cap(CapSubject.MEMBER, CapWindow.DAY, 2)])
    next_day = DAY + timedelta(days=1)
    await settle(db, brand, bought("1", 5))
    results = await settle(
        db,
        brand,
        *(bought("2", 5), bought("3", 5), bought("4", 5, "bob"), bought("5", 5, day=next_day)),
    )
    assert [result.points_granted for result in results] == [10, 0, 10, 10]
    [over] = [e for e in await rows(db, PurchaseEvent) if e.purchase_ref == "3"]
    assert over.points_granted == 0


async def test_a_budget_is_never_overrun_and_pays_all_of_a_purchase_or_nothing(
    db: Database,
) -> None:
    brand = await db.in_transaction(make_brand)
    await publish(db, brand, budgets={Asset.POINTS: 25})
    results = await settle(
        db, brand, bought("1", 5), bought("2", 10), bought("3", 6), bought("4", 1)
    )
    assert [result.points_granted for result in results] == [10, 0, 12, 2]
    later = await settle(db, brand, bought("5", 1))
    assert later[0].points_granted == 0
    growth = [a for a in await rows(db, Account) if a.asset == "GROWTH" and a.owner_id != brand.id]
    assert growth[0].credits_posted == 12


async def test_the_campaign_is_the_one_of_the_purchases_date(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    await publish(db, brand, starts_at=datetime(2026, 4, 1, tzinfo=UTC))
    results = await settle(db, brand, bought("1", 5), bought("2", 5, day=DAY + timedelta(days=1)))
    assert [result.points_granted for result in results] == [5, 10]


async def test_a_frozen_member_buys_and_is_not_paid(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    [first] = await settle(db, brand, bought("1", 5))
    assert first.member_id is not None
    await db.in_transaction(freeze_member, system_actor(brand.id), first.member_id, "fraud")
    [second] = await settle(db, brand, bought("2", 5))
    assert (second.status, second.points_granted) == (RECORDED, 0)


async def test_a_known_identity_that_is_no_consumer_becomes_one(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    identity = Identity(brand_id=brand.id, external_ref="ann", created_at=datetime.now(UTC))
    await db.in_transaction(lambda tx: tx.add(identity))
    await settle(db, brand, bought("1", 5))
    [member] = await rows(db, Member)
    assert member.identity_id == identity.id


async def test_the_same_purchases_settled_at_once_by_many_are_paid_once(
    db: Database, database_url: str
) -> None:
    brand = await db.in_transaction(make_brand)
    members = [f"m{n}" for n in range(5)]
    await settle(db, brand, *(bought(member, 1, member) for member in members))
    facts = [bought(f"{member}-{n}", 3, member) for n in range(4) for member in members]
    rivals = [Database(database_url) for _ in range(6)]
    try:
        found = await asyncio.gather(
            *(settle(rival, brand, *sorted(facts, key=hash)) for rival in rivals)
        )
    finally:
        for rival in rivals:
            await rival.close()
    recorded = [result for results in found for result in results if result.status is RECORDED]
    assert len(recorded) == len(facts)
    assert all(result.points_granted == 3 for results in found for result in results)
    points = [a for a in await rows(db, Account) if a.asset == "POINTS" and a.owner_id != brand.id]
    assert [account.credits_posted for account in points] == [13] * len(members)


async def test_a_batch_has_its_limit(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    with pytest.raises(ValueError, match="at most 500"):
        await settle(db, brand, *(bought(str(n), 1) for n in range(BATCH_SIZE_MAX + 1)))


HERE = PurchasePlace(UUID(int=1), "SH-1", None, None)
"""Stands for the brand's own place."""
# Few members and many paid purchases, so that caps, the budget and a level are met in most lists.
FACTS = st.lists(
    st.builds(
        PurchaseFact,
        purchase_ref=st.integers(1, 30).map(str),
        member_ref=st.sampled_from(["ann", "bob"]),
        purchased_on=st.sampled_from([DAY, DAY, DAY + timedelta(days=1)]),
        quantity=st.just(1),
        amount_fen=st.sampled_from([99, 100, 1_250, 1_250, 2_550, 4_900]),
        place=st.sampled_from([None, HERE, HERE]),
    ),
    min_size=8,
    max_size=16,
)
LEVELS = [Level(0, "A", "甲", "A", 0, 100), Level(1, "B", "乙", "B", 25, 150)]


async def _scarce_brand(db: Database) -> tuple[Brand, PurchasePlace]:
    """With its place, whose store is paid as often as a cap allows."""
    brand = await db.in_transaction(make_brand, f"b{new_id().hex}")
    caps = [Cap(CapSubject.MEMBER, window, n) for window, n in zip(CapWindow, (2, 4), strict=True)]
    caps.append(Cap(CapSubject.STORE, CapWindow.CAMPAIGN, 3))
    backed = Outcome(MemberRole.STORE, Asset.POINTS, OutcomeBasis.PER_CURRENCY_UNIT, 1)
    await publish(db, brand, caps=caps, budgets={Asset.POINTS: 200}, backed=[backed])
    shop = Shop(db, brand, system_actor(brand.id), Keyring(bytes.fromhex(MASTER_KEY)))
    place_id = await open_place(shop, HERE.code, {MemberRole.STORE: PHONES[MemberRole.STORE]})
    await join(shop, MemberRole.STORE, PHONES[MemberRole.STORE])
    await db.in_transaction(
        publish_ladder, system_actor(brand.id), role=MemberRole.CONSUMER, levels=LEVELS
    )
    return brand, replace(HERE, id=place_id)


def at(fact: PurchaseFact, place: PurchasePlace) -> PurchaseFact:
    """The purchase, at the brand's own place if it was at any."""
    return fact if fact.place is None else replace(fact, place=place)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=FACTS, cuts=st.sets(st.integers(1, 15), max_size=6))
async def test_any_split_into_batches_gives_the_same_rows(
    db: Database, facts: list[PurchaseFact], cuts: set[int]
) -> None:
    (one_by_one, there), (in_batches, here) = await _scarce_brand(db), await _scarce_brand(db)
    wanted = [(await settle(db, one_by_one, at(fact, there)))[0] for fact in facts]
    facts = [at(fact, here) for fact in facts]
    edges = [0, *sorted(cut for cut in cuts if cut < len(facts)), len(facts)]
    found: list[PurchaseResult] = []
    for start, end in pairwise(edges):
        found += await settle(db, in_batches, *facts[start:end])
    assert [(r.status, r.points_granted) for r in found] == [
        (r.status, r.points_granted) for r in wanted
    ]
    assert await canonical_rows(db, in_batches.slug) == await canonical_rows(db, one_by_one.slug)
