"""What the engine itself writes is clean, after each thing that may happen to a coupon."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import pytest

from loyalty.actor import MemberRole, system_actor
from loyalty.db import Database, Tx
from loyalty.errors import CouponTaken
from loyalty.ledger.audit import audit
from loyalty.ledger.models import Asset
from loyalty.notifications.providers import NullProvider
from rewards.coupons.models import Coupon
from rewards.coupons.service import buy_coupon, get_coupon
from rewards.issues.service import expire_coupons, void_coupon
from rewards.payouts.models import Payout
from rewards.payouts.providers import NullPayoutProvider, Paymaster
from rewards.payouts.rules import Report, ReportState, order_of
from rewards.redemptions.models import Redemption
from rewards.redemptions.service import capture, hold_coupon, lapse_holds, reverse, void
from rewards.scans.service import ConfigurationCache, settle_scans
from rewards.scans.world import ScanReply
from tests.clocks import SettableClock
from tests.loyalty.ledger.corruptions import broken
from tests.rewards.coupons.wallets import Buyer, add_buyer, add_template
from tests.rewards.payouts.stores import make_stores, payouts_of, rows
from tests.rewards.redemptions.shops import Counter
from tests.rewards.scans.worlds import (
    CONSUMER,
    GUIDE,
    BrandPlan,
    CampaignPlan,
    ScanPlan,
    make_world,
)
from workers.relay import Relay
from workers.wiring import make_relay

P = ParamSpec("P")
T = TypeVar("T")

COST_FEN, FEE_FEN = 11_000, 500


class Moody(NullPayoutProvider):
    """Says of each new number what it is told to say, in turn; in the end it pays."""

    def __init__(self, *states: ReportState) -> None:
        self._states = list(states)
        self._amounts: dict[str, int] = {}

    async def send(self, request: str) -> Report:
        order = order_of(request)
        self._amounts[order.number] = order.amount_fen
        state = self._states.pop(0) if self._states else ReportState.PAID
        return Report(state, order.number, order.amount_fen)

    async def ask(self, number: str) -> Report:
        return Report(ReportState.PAID, number, self._amounts[number])


class Played:
    """A database whose books are audited after each transaction."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def then(
        self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        done = await self.db.in_transaction(verb, *args, **kwargs)
        await self.check()
        return done

    async def check(self) -> None:
        assert broken(await audit(self.db)) == {}

    async def settle(self, relay: Relay, clock: SettableClock, minutes: int) -> None:
        """Work for so long, and see that the books are right whenever a round is over."""
        for _ in range(minutes // 10):
            while await relay.run_once(batch_size_max=3):
                await self.check()
            clock.advance(minutes=10)

    async def coupon(self, buyer: Buyer, template_id: UUID) -> Coupon:
        bought = await self.then(buy_coupon, buyer.actor, template_id)
        async with self.db.snapshot() as snapshot:
            return await get_coupon(snapshot, bought.brand_id, bought.id)

    async def hold(self, counter: Counter, coupon: Coupon) -> Redemption:
        return await self.then(hold_coupon, counter.actor, code=coupon.code)


async def test_coupons_that_are_bought_used_and_settled(
    clocked_db: Database, clock: SettableClock
) -> None:
    play = Played(clocked_db)
    shops = await clocked_db.in_transaction(make_stores)
    east, west = shops.east, shops.west
    terms: dict[str, Any] = {"cost_fen": COST_FEN, "fee_fen": FEE_FEN, "points_price": 100}
    template = await play.then(
        add_template,
        shops.brand,
        **terms,
        bought_per_member_max=9,
        stock_max=9,
        place_ids=(east.place.id,),
    )
    short = await play.then(add_template, shops.brand, **{**terms, "usable_days": 1})
    gift = await play.then(add_template, shops.brand, points_price=1)
    lots = {date(2026, 12, 31): 150, date(2027, 12, 31): 5_000}
    buyer = await play.then(add_buyer, shops.brand, lots)
    relay = make_relay(
        clocked_db,
        NullProvider(),
        Paymaster(Moody(ReportState.FAILED, ReportState.PROCESSING), retry_seconds=600),
    )

    dropped = await play.hold(east, await play.coupon(buyer, template.id))
    await play.then(void, east.actor, dropped.id)
    undone = await play.hold(east, await play.coupon(buyer, template.id))
    await play.then(capture, east.actor, undone.id)
    await play.then(reverse, east.actor, undone.id, "wrong bottle")
    for_nothing = await play.hold(west, await play.coupon(buyer, gift.id))
    await play.then(capture, west.actor, for_nothing.id)
    lapsing = await play.coupon(buyer, template.id)
    await play.hold(east, lapsing)
    with pytest.raises(CouponTaken):
        await play.hold(shops.east_too, lapsing)
    clock.advance(hours=1)
    again = await play.hold(shops.east_too, lapsing)
    await play.then(capture, east.actor, again.id)

    late = await play.coupon(buyer, short.id)
    await play.hold(west, late)
    unwanted = await play.coupon(buyer, gift.id)
    await play.then(void_coupon, system_actor(shops.brand.id), unwanted.id, "a mistake")
    await play.settle(relay, clock, minutes=20)
    failed, processing = await payouts_of(clocked_db, east.place)
    assert (failed.status, processing.status) == ("FAILED", "PROCESSING")

    await play.then(reverse, east.actor, again.id, "brought back")
    yesterdays = await play.hold(west, await play.coupon(buyer, short.id))
    await play.then(capture, west.actor, yesterdays.id)
    clock.advance(days=1)
    await play.then(expire_coupons, 100)
    await play.then(reverse, west.actor, yesterdays.id, "the till was wrong")
    await play.then(lapse_holds, 100)
    await play.settle(relay, clock, minutes=60)
    payouts = await rows(clocked_db, Payout)
    assert {payout.status for payout in payouts} == {"FAILED", "PAID"}


async def test_coupons_that_scans_win(clocked_db: Database) -> None:
    """Until there are no more: then nobody is paid."""
    play = Played(clocked_db)
    outcomes: dict[MemberRole, dict[Asset, int]] = {CONSUMER: {}, GUIDE: {Asset.POINTS: 1}}
    campaign = CampaignPlan(outcomes=outcomes, coupons=(None, 2))
    brand = BrandPlan((campaign,), frozenset(), points_valid_months=24)
    world = await play.then(make_world, [brand])
    cache: ConfigurationCache = {}
    reasons = []
    for serial in range(3):
        scan = ScanPlan(0, "ann", CONSUMER, 1, serial, None, f"key {serial}", foreign=False)
        [answer] = await play.then(settle_scans, [world.request(scan)], cache)
        assert isinstance(answer, ScanReply)
        reasons.append(answer.reply["unpaid_reason"])
    assert reasons == [None, None, "BUDGET"]
    assert len(await rows(clocked_db, Coupon)) == 4
