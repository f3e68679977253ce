"""Sign-ups and levels reached earn, once, before their news are told."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from loyalty import outbox
from loyalty.actor import MemberRole
from loyalty.db import Database, Tx
from loyalty.notifications.providers import NullProvider
from loyalty.outbox import Leased
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import Outcome
from tests.clocks import SettableClock
from tests.rewards.events.cafe import events, join, run_campaign
from tests.rewards.payouts.stores import drain
from tests.rewards.returns.shopping import GROWTH, POINTS, Shop, open_shop
from tests.rewards.simulations.trying import recorded, tried
from tests.workers.facts import list_notifications, states
from workers.couriers import NotificationCourier
from workers.earning import earning
from workers.handlers import prepare_welcomes
from workers.relay import Relay
from workers.wiring import make_relay

BEGINS = datetime(2026, 11, 1, tzinfo=UTC)
ENDS = datetime(2026, 11, 9, 5, tzinfo=UTC)


def outcome(asset: str, amount: int) -> Outcome:
    return Outcome(MemberRole.CONSUMER, asset, OutcomeBasis.FIXED, amount)


async def open_cafe(db: Database) -> Shop:
    """Whoever signs up this autumn gets five points; a level reached gives seven and growth."""
    shop = await open_shop(db)
    autumn: dict[str, Any] = {"starts_at": BEGINS, "ends_at": ENDS, "condition": "member.isNew"}
    await run_campaign(shop, EventKind.SIGN_UP, [outcome(POINTS, 5)], **autumn)
    both = [outcome(POINTS, 7), outcome(GROWTH, 900)]
    condition = "event.rank > event.fromRank && event.level != 'DIAMOND'"
    await run_campaign(shop, EventKind.TIER_REACHED, both, condition=condition)
    return shop


async def test_sign_ups_and_levels_earn_as_of_their_own_time(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    shop = await open_cafe(db)
    ann, bob = await join(shop, "ann", fen=10_000) + await join(shop, "bob")
    shop.members |= {"ann": ann, "bob": bob}
    clock.advance(days=3)  # the workers were down, and the autumn is over
    await drain(make_relay(db, NullProvider()))
    assert set(await states(db)) == {"delivered"}
    joined = await events(db, EventKind.SIGN_UP)
    assert {event.member_id: event.unpaid_reason for event in joined} == {ann: None, bob: None}
    assert {event.occurred_at.date() for event in joined} == {date(2026, 11, 9)}
    reached = await events(db, EventKind.TIER_REACHED)
    assert [event.payload["level"] for event in reached] == ["SILVER", "GOLD"]
    assert [event.payload["fromRank"] for event in reached] == [0, 1]
    bought_at = datetime(2026, 11, 2, 4, tzinfo=UTC)
    assert [event.occurred_at for event in reached] == [bought_at] * 2, "what led to it was then"
    assert {event.unpaid_reason for event in reached} == {None}
    for kind, days in ((EventKind.SIGN_UP, 4), (EventKind.TIER_REACHED, 11)):
        foreseen = await tried(db, shop.brand.id, kind.value, days)
        assert foreseen == await recorded(db, kind), "what a dry run of these days says"
    late = await join(shop, "cid")
    await drain(make_relay(db, NullProvider()))
    [*_, event] = await events(db, EventKind.SIGN_UP)
    assert (event.member_id, event.unpaid_reason) == (late[0], "NO_CAMPAIGN")
    await shop.check_books()


async def test_what_is_told_twice_earns_once_and_is_told_once(clocked_db: Database) -> None:
    db = clocked_db
    shop = await open_cafe(db)
    await join(shop, "ann", "bob")

    async def lease(tx: Tx) -> list[Leased]:
        _, facts = await outbox.lease(tx, batch_size_max=100, lease_seconds=0)
        return [fact for fact in facts if fact.topic == "member.enrolled"]

    facts = await db.in_transaction(lease)  # by a worker that settles them, and dies
    for _ in range(2):
        await db.in_transaction(earning()["member.enrolled"], shop.brand.id, facts)
    await drain(make_relay(db, NullProvider()))
    assert len(await events(db, EventKind.SIGN_UP)) == 2
    told = [row.kind for row in await list_notifications(db)]
    assert told.count("WELCOME") == 2


async def test_where_no_campaign_pays_them_nothing_is_recorded(db: Database) -> None:
    shop = await open_shop(db)
    await join(shop, "ann", fen=10_000)
    await drain(make_relay(db, NullProvider()))
    for kind in (EventKind.SIGN_UP, EventKind.TIER_REACHED):
        assert await events(db, kind) == []


async def test_what_cannot_be_settled_waits_and_holds_up_no_other(clocked_db: Database) -> None:
    db = clocked_db
    shop = await open_cafe(db)
    ann, bob = await join(shop, "ann", "bob")

    async def settle(tx: Tx, brand_id: UUID, facts: Sequence[Leased]) -> None:
        if any(fact.subject_id == ann for fact in facts):
            raise ValueError("this one")
        await earning()["member.enrolled"](tx, brand_id, facts)

    couriers = {"member.enrolled": NotificationCourier(NullProvider(), prepare_welcomes)}
    await Relay(db, {}, couriers, {"member.enrolled": settle}).run_once()
    assert [event.member_id for event in await events(db, EventKind.SIGN_UP)] == [bob]
    assert await states(db) == {"delivered": 1, "waiting": 1}
    assert [row.member_id for row in await list_notifications(db)] == [bob]
