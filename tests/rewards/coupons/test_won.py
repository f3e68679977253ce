"""Coupons of purchases and other events: to whom their campaign says, all of it or nothing."""

from typing import Any
from uuid import UUID

from sqlmodel import col, select

from loyalty.actor import MemberRole
from loyalty.db import Database
from loyalty.members.service import list_members_by_ids
from rewards.campaigns.rules import CouponOutcome
from rewards.coupons.models import Coupon, CouponTemplate
from rewards.events.reading import EventReport
from rewards.events.rules import EventResult
from rewards.events.service import post_events
from rewards.merges.service import merge_members
from tests.rewards.coupons.wallets import add_template
from tests.rewards.events.cafe import sell_coffee
from tests.rewards.purchases.backed import open_backed
from tests.rewards.returns.shopping import POINTS, Shop, fixed, open_shop

CONSUMER, STORE, DEALER = MemberRole.CONSUMER, MemberRole.STORE, MemberRole.DEALER


async def template(shop: Shop, code: str, **more: Any) -> UUID:
    return (await shop.run(add_template, shop.brand, code=code, points_price=None, **more)).id


async def wallet(shop: Shop) -> list[tuple[str, str, str, str]]:
    """(role of whose it is, template, cause, status) of the brand's coupons."""
    async with shop.db.snapshot() as snapshot:
        query = select(Coupon, CouponTemplate.code).where(
            col(Coupon.template_id) == col(CouponTemplate.id)
        )
        rows = list(await snapshot.session.exec(query))
        ids = sorted({coupon.member_id for coupon, _ in rows})
        roles = {
            row.id: row.role for row in await list_members_by_ids(snapshot, shop.brand.id, ids)
        }
    return sorted((roles[c.member_id], code, c.cause_kind, c.status) for c, code in rows)


async def stock(shop: Shop) -> dict[str, int]:
    async with shop.db.snapshot() as snapshot:
        rows = await snapshot.session.exec(select(CouponTemplate.code, CouponTemplate.issued))
        return dict(rows.all())


async def test_a_purchase_gives_coupons_to_its_buyer_and_to_who_is_behind_its_place(
    db: Database,
) -> None:
    backed = await open_backed(db)
    shop = backed.shop
    milk = await template(shop, "milk", stock_max=3)
    tea = await template(shop, "tea")
    await shop.publish(
        [
            fixed(POINTS, 5),
            CouponOutcome(CONSUMER, milk),
            CouponOutcome(STORE, milk),
            CouponOutcome(DEALER, tea),
        ]
    )
    bought = await backed.buy("1")
    assert [(one.asset, one.amount) for one in bought.earned] == [(POINTS, 5)]
    assert await backed.shares(bought) == {"STORE": None, "DEALER": None}
    given = [
        ("CONSUMER", "milk", "PURCHASE", "ISSUED"),
        ("DEALER", "tea", "PURCHASE", "ISSUED"),
        ("STORE", "milk", "PURCHASE", "ISSUED"),
    ]
    assert await wallet(shop) == given
    await backed.buy("1")
    assert await wallet(shop) == given, "a purchase told once more gives nothing more"
    short = await backed.buy("2")
    assert (short.earned, await wallet(shop)) == ((), given), "one of milk is left, and two are due"
    await shop.give_back("1", "R1", 500)
    assert await wallet(shop) == given, "some of it is kept"
    await shop.give_back("1", "R2")
    assert await wallet(shop) == [(*each[:3], "VOID") for each in given]
    assert await stock(shop) == {"milk": 2, "tea": 1}
    await shop.check_books()


async def test_an_event_may_give_nothing_but_a_coupon(db: Database) -> None:
    shop = await open_shop(db)
    cup = await template(shop, "cup", stock_max=1)
    await sell_coffee(shop, outcomes=[CouponOutcome(CONSUMER, cup)])
    ann, ben = [await shop.buy(name, 0, name) for name in ("ann", "ben")]

    async def drink(ref: str, member_id: UUID) -> str | None:
        report = EventReport(ref, "coffee", shop.brand.created_at, [("cups", 1)], member_id)
        [done] = await shop.run(post_events, shop.actor, [report])
        assert isinstance(done, EventResult) and done.recorded is not None
        return done.recorded.unpaid_reason

    assert await drink("1", ann.member_id) is None
    assert await wallet(shop) == [("CONSUMER", "cup", "EVENT", "ISSUED")]
    assert await drink("2", ben.member_id) == "BUDGET"
    await shop.run(
        merge_members,
        shop.actor,
        from_member_id=ann.member_id,
        into_member_id=ben.member_id,
        reason="one person",
    )
    await shop.check_books()
