"""Stores whose redemptions are settled and paid, for the tests of settlement and payouts."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import update
from sqlmodel import SQLModel, col, select

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import Account, AccountKind
from loyalty.members.models import Identity, Member
from loyalty.outbox import OutboxEvent
from loyalty.places.models import Place
from rewards.payouts.models import Payout, PayoutReport
from rewards.redemptions.models import Redemption
from rewards.redemptions.service import capture, hold_coupon
from tests.clocks import SettableClock
from tests.fakes.payout_provider import FakePayoutProvider
from tests.rewards.redemptions.shops import Counter, Shops, add_coupon, add_template, make_shops
from workers.relay import Relay

Row = TypeVar("Row", bound=SQLModel)
ROUNDS_MAX = 200


async def make_stores(tx: Tx, slug: str = "shops") -> Shops:
    """``east`` and ``west``, each with a payee; paid from 10,000 fen on."""
    shops = await make_shops(tx, slug)
    for place in (shops.east.place, shops.west.place):
        await set_place(tx, place, payee=f"wallet-of-{place.code}-0001")
    return shops


async def set_place(tx: Tx, /, place: Place, **values: Any) -> None:
    await tx.session.exec(
        update(Place)
        .where(col(Place.brand_id) == place.brand_id, col(Place.id) == place.id)
        .values(**values)
    )


async def redeem(
    tx: Tx, counter: Counter, rebate_fen: int, count: int = 1, member_id: UUID | None = None
) -> list[Redemption]:
    """So many coupons used up at a till, each worth this to the store."""
    brand_id = counter.place.brand_id
    template = await add_template(tx, brand_id, cost_fen=rebate_fen, fee_fen=0)
    if member_id is None:
        member_id = await _add_member(tx, brand_id)
    captured = []
    for _ in range(count):
        coupon = await add_coupon(tx, template, member_id=member_id)
        held = await hold_coupon(tx, counter.actor, code=coupon.code)
        captured.append(await capture(tx, counter.actor, held.id))
    return captured


async def _add_member(tx: Tx, brand_id: UUID) -> UUID:
    identity = Identity(brand_id=brand_id, external_ref=new_id().hex, created_at=tx.now)
    member = Member(brand_id=brand_id, identity_id=identity.id, role="CONSUMER", enrolled_at=tx.now)
    await tx.add(identity, member)
    return member.id


async def drain(relay: Relay) -> None:
    """Until nothing is due."""
    for _ in range(ROUNDS_MAX):
        if not await relay.run_once():
            return
    raise AssertionError("there is always more to do")


async def drain_over(relay: Relay, clock: SettableClock, hours: float) -> None:
    """As a worker does in so many hours: whatever comes to be due is done."""
    until = clock.at.timestamp() + hours * 3600
    step_seconds = 2
    while clock.at.timestamp() < until:
        await drain(relay)
        clock.advance(seconds=step_seconds)
        step_seconds = min(step_seconds * 2, 3600)
    await drain(relay)


async def rows(db: Database, model: type[Row]) -> list[Row]:
    async with db.snapshot() as snapshot:
        found = list(await snapshot.session.exec(select(model)))
    return sorted(found, key=lambda row: row.id)  # type: ignore[attr-defined]


async def payouts_of(db: Database, place: Place) -> list[Payout]:
    """Oldest first."""
    return [payout for payout in await rows(db, Payout) if payout.place_id == place.id]


async def reports_of(db: Database, payout: Payout) -> list[tuple[str, str]]:
    """(source, state) of each, first to last."""
    found = [row for row in await rows(db, PayoutReport) if row.payout_id == payout.id]
    return [(row.source, row.state) for row in found]


async def account_of(db: Database, place: Place) -> Account:
    return next(row for row in await rows(db, Account) if row.owner_id == place.id)


async def balance_of(db: Database, place: Place) -> tuple[int, int, int]:
    """(posted, pending in, pending out) in fen."""
    account = await account_of(db, place)
    posted = account.credits_posted - account.debits_posted
    return posted, account.credits_pending, account.debits_pending


async def waiting(db: Database, topic: str) -> list[OutboxEvent]:
    return [
        event
        for event in await rows(db, OutboxEvent)
        if event.topic == topic and event.delivered_at is None
    ]


async def check_books_agree(
    db: Database, provider: FakePayoutProvider, brands: Sequence[Brand]
) -> None:
    """The provider's books, our payouts and the ledger say the same, to the fen; nothing that was
    ever sent differs from what is stored."""
    payouts = await rows(db, Payout)
    assert provider.violations == []
    assert provider.paid == {p.number: p.amount_fen for p in payouts if p.status == "PAID"}
    for payout in payouts:
        transfer = provider.transfers.get(payout.number)
        if transfer is not None:
            assert {body.decode() for body in transfer.bodies} == {payout.request}
    accounts = await rows(db, Account)
    for brand in brands:
        [leaving] = [
            account
            for account in accounts
            if account.kind == AccountKind.PAYOUT.value and account.brand_id == brand.id
        ]
        ours = [payout for payout in payouts if payout.brand_id == brand.id]
        paid_fen = sum(payout.amount_fen for payout in ours if payout.status == "PAID")
        live_fen = sum(payout.amount_fen for payout in ours if payout.resolved_at is None)
        assert (leaving.credits_posted, leaving.credits_pending) == (paid_fen, live_fen)
