"""Another brand's coupon at the till: what was agreed is owed, on both sides; the member stays
with its own brand; own coupons cost what they did."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from loyalty.db import Database, Tx
from loyalty.errors import CouponNotUsable, CouponTaken, CouponUnknown, FundsTooLow
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.outbox import OutboxEvent
from rewards.alliances.models import AgreementVersion
from rewards.clearing import queries as clearing
from rewards.clearing.models import ClearingEntry
from rewards.clearing.service import open_position, release, reserve
from rewards.coupons.models import Coupon
from rewards.redemptions import service
from rewards.redemptions.models import Redemption
from tests.clocks import SettableClock
from tests.rewards.alliances.agreed import Pair, agree
from tests.rewards.issues.partners import add_issued
from tests.rewards.redemptions.floor import Floor, refusal
from tests.rewards.redemptions.shops import add_coupon, add_template, make_shops
from tests.rewards.redemptions.test_statement_count import CAPTURE_MAX, HOLD_MAX, counted

ISSUER_OWES, HOST_OWES, FEE = 210, 70, 7  # of 350: 60 and 20 percent
RESERVED = ISSUER_OWES + FEE


@dataclass
class Allies:
    """The host's floor and the partner's, which issues the host's coupons."""

    host: Floor
    partner: Floor
    pair: Pair
    version: AgreementVersion

    async def coupon(self) -> Coupon:
        """One that the partner has issued: what it may come to owe is reserved."""

        async def issue(tx: Tx) -> Coupon:
            keys = self.pair.partner.id, self.pair.host.id
            assert await reserve(tx, *keys, RESERVED, 10_000)
            return await add_issued(tx, self.pair, self.version, reserved_fen=RESERVED)

        return await self.host.db.in_transaction(issue)

    async def owed(self) -> tuple[int, int]:
        """What the partner owes the host, and has reserved."""
        async with self.host.db.snapshot() as snapshot:
            keys = self.pair.partner.id, self.pair.host.id
            position = await clearing.find_position(snapshot, *keys)
        assert position is not None
        return position.owed_fen, position.reserved_fen

    async def broken(self) -> dict[str, Any]:
        """But for how members came by coupons: these are of nobody, by no scan."""
        checks = [check for check in await audit(self.host.db) if check.broken]
        return {
            check.name: check.examples
            for check in checks
            if check.invariant in (1, 3, 4, 5, 7, 10) and "scan" not in check.name
        }


@pytest_asyncio.fixture
async def allies(clocked_db: Database, clock: SettableClock, floor: Floor) -> Allies:
    db = clocked_db
    shops = await db.in_transaction(make_shops, f"partner-{new_id().hex}")
    template = await db.in_transaction(add_template, floor.brand_id)
    pair = Pair(floor.shops.brand, shops.brand, template)
    version = await db.in_transaction(agree, pair)
    await db.in_transaction(open_position, pair.host.id, pair.partner.id)
    clock.advance(minutes=1)
    return Allies(floor, Floor(db, clock, shops), pair, version)


async def test_what_the_host_bears_it_owes_the_partner_whose_till_it_was(allies: Allies) -> None:
    coupon = await allies.coupon()
    assert await allies.owed() == (0, RESERVED)
    held = await allies.partner.hold(coupon)
    assert (held.brand_id, held.coupon_brand_id) == (allies.pair.partner.id, coupon.brand_id)
    captured = await allies.partner.capture(held.id)
    # The partner is the issuer: its share stays with it, and it owes the fee.
    assert await allies.owed() == (FEE - HOST_OWES, 0)
    assert await allies.partner.rebates() == (0, 350)
    assert await allies.broken() == {}
    back = await allies.partner.reverse(captured.id)
    assert back.status == "REVERSED"
    assert await allies.owed() == (0, RESERVED), "it may be used again"
    assert await allies.host.statuses(coupon) == ("ISSUED", [])
    kinds = [(row.kind, row.owed_fen) for row in await allies.partner.all(ClearingEntry)]
    expected = [("FEE", 7), ("REDEMPTION", -70), ("REVERSAL", -7), ("REVERSAL", 70)]
    assert sorted(kinds) == expected
    assert await allies.broken() == {}


async def test_what_the_issuer_bears_it_owes_the_host_whose_till_it_was(allies: Allies) -> None:
    coupon = await allies.coupon()
    captured = await allies.host.capture((await allies.host.hold(coupon)).id)
    assert await allies.owed() == (ISSUER_OWES + FEE, 0)
    [fee, share] = sorted(await allies.host.all(ClearingEntry), key=lambda row: -row.owed_fen)
    assert (fee.kind, fee.owed_fen, share.kind, share.owed_fen) == ("FEE", -7, "REDEMPTION", -210)
    named = (share.redemption_id, share.coupon_id, share.place_name, share.till_name)
    assert named == (captured.id, coupon.id, "East Street", "Till 1")
    await allies.host.reverse(captured.id)
    assert await allies.owed() == (0, RESERVED)
    assert await allies.broken() == {}


async def test_what_the_host_gave_where_the_partner_issues_is_its_own_affair(
    allies: Allies,
) -> None:
    own = await allies.host.db.in_transaction(add_coupon, allies.pair.template)
    assert isinstance(await refusal(allies.partner.hold(own)), CouponUnknown)
    captured = await allies.host.capture((await allies.host.hold(own)).id)
    assert (captured.agreement_id, captured.reserved_fen) == (None, 0)
    assert await allies.owed() == (0, 0)
    assert await allies.broken() == {}


async def test_the_partner_never_sees_the_member(allies: Allies) -> None:
    coupon = await allies.coupon()
    async with allies.host.db.snapshot() as snapshot:
        seen = await service.look_up(snapshot, allies.partner.shops.east.actor, coupon.code)
    assert seen.partners is not None
    assert seen.partners.template_code == allies.pair.template.code
    captured = await allies.partner.capture((await allies.partner.hold(coupon)).id)
    assert captured.member_id is None
    told = [
        event for event in await allies.host.all(OutboxEvent) if event.topic == "coupon.redeemed"
    ]
    assert [event.subject_id for event in told] == [coupon.member_id]
    others = [
        str(row.payload) + str(row.subject_id) for row in await allies.partner.all(OutboxEvent)
    ]
    assert not any(str(coupon.member_id) in text or coupon.member_id.hex in text for text in others)


async def test_two_brands_tills_take_one_coupon_once(allies: Allies) -> None:
    coupon = await allies.coupon()
    held = await allies.partner.hold(coupon)
    taken = await refusal(allies.host.hold(coupon))
    assert isinstance(taken, CouponTaken)
    allies.host.clock.advance(minutes=30)
    again = await allies.host.hold(coupon)  # the partner's hold is over
    assert await allies.partner.steps(held.id) == ["HOLD", "LAPSE"]
    await allies.host.void(again.id)
    await allies.partner.hold(coupon)
    allies.host.clock.advance(minutes=30)
    assert await allies.partner.lapse() == 1
    assert (await allies.host.statuses(coupon))[0] == "ISSUED"
    assert await allies.owed() == (0, RESERVED)
    assert await allies.broken() == {}


async def test_a_coupon_of_no_agreement_is_unknown_elsewhere(allies: Allies) -> None:
    own = await allies.host.coupon()
    assert isinstance(await refusal(allies.partner.hold(own)), CouponUnknown)


async def test_it_is_good_where_the_line_says(clocked_db: Database, floor: Floor) -> None:
    db = clocked_db
    shops = await db.in_transaction(make_shops, f"partner-{new_id().hex}")
    template = await db.in_transaction(add_template, floor.brand_id)
    pair = Pair(floor.shops.brand, shops.brand, template)
    draft = pair.draft(redeemer_ids=(shops.brand.id,))
    version = await db.in_transaction(agree, pair, draft)
    floor.clock.advance(minutes=1)
    coupon = await db.in_transaction(add_issued, pair, version)
    assert isinstance(await refusal(floor.hold(coupon)), CouponNotUsable)
    assert (await Floor(db, floor.clock, shops).hold(coupon)).status == "HELD"


async def test_own_coupons_cost_what_they_did(allies: Allies) -> None:
    clerk = allies.host.shops.east.actor
    for _ in range(2):
        coupon = await allies.host.coupon()
        held, hold = await counted(allies.host, service.hold_coupon, clerk, code=coupon.code)
        _, capture = await counted(allies.host, service.capture, clerk, held.id)
    assert hold <= HOLD_MAX
    assert capture <= CAPTURE_MAX


async def test_a_coupon_that_expired_meanwhile_is_owed_back_too(allies: Allies) -> None:
    coupon = await allies.coupon()
    captured = await allies.host.capture((await allies.host.hold(coupon)).id)
    await allies.host.change(coupon, usable_until=(captured.held_at - timedelta(days=2)).date())
    await allies.host.reverse(captured.id)
    assert await allies.owed() == (0, 0)


@pytest.mark.parametrize("field", ["agreement_id", "partner_id"])
async def test_a_redemption_is_agreed_wholly(allies: Allies, field: str) -> None:
    captured = await allies.partner.capture((await allies.partner.hold(await allies.coupon())).id)
    with pytest.raises(Exception, match="agreed_wholly"):
        await allies.partner.change(captured, **{field: None})
    assert isinstance(captured, Redemption)


async def test_at_its_own_till_an_issuer_gets_no_more_than_its_limit(allies: Allies) -> None:
    """What it takes there frees its funds; taken back, they must have room for it again."""
    keys = allies.pair.partner.id, allies.pair.host.id
    coupon = await allies.coupon()
    captured = await allies.partner.capture((await allies.partner.hold(coupon)).id)
    owed, _ = await allies.owed()
    await allies.host.db.in_transaction(reserve, *keys, 10_000 - owed, 10_000)
    assert isinstance(await refusal(allies.partner.reverse(captured.id)), FundsTooLow)
    await allies.host.db.in_transaction(release, {keys: RESERVED - owed})
    await allies.partner.reverse(captured.id)
    assert await allies.owed() == (0, 10_000)


async def test_another_pairs_coupon_is_unknown(allies: Allies) -> None:
    """A third brand that has an agreement with the host, by which it may redeem something else."""
    db = allies.host.db
    shops = await db.in_transaction(make_shops, f"third-{new_id().hex}")
    template = await db.in_transaction(add_template, allies.host.brand_id)
    third = Pair(allies.pair.host, shops.brand, template)
    await db.in_transaction(agree, third)
    floor = Floor(db, allies.host.clock, shops)
    assert isinstance(await refusal(floor.hold(await allies.coupon())), CouponUnknown)
