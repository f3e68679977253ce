"""What members are told of their coupons and rewards: in their words, once, by the group."""

import pytest

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.notifications.models import Notification
from loyalty.notifications.providers import NullProvider
from loyalty.places.models import Place
from rewards.coupons.models import CouponTemplate
from tests.workers.facts import (
    add_event,
    add_member,
    list_events,
    list_notifications,
    states,
)
from workers.wiring import make_relay


async def add_template(tx: Tx, brand: Brand) -> CouponTemplate:
    template = CouponTemplate(
        brand_id=brand.id,
        code="free-tea",
        name_zh="再来一杯",
        name_en="A free tea",
        kind="AMOUNT_OFF",
        amount_off_fen=500,
        created_at=tx.now,
    )
    await tx.add(template)
    return template


async def add_place(tx: Tx, brand: Brand) -> Place:
    place = Place(
        brand_id=brand.id,
        code="s1",
        name="人民路店",
        address="人民路1号",
        payout_threshold_fen=1000,
        created_at=tx.now,
    )
    await tx.add(place)
    return place


async def said(db: Database) -> dict[str, list[Notification]]:
    found: dict[str, list[Notification]] = {}
    for row in await list_notifications(db):
        found.setdefault(row.kind, []).append(row)
    return found


async def test_coupons_and_rewards_are_told_in_words(db: Database, brand: Brand) -> None:
    member = await db.in_transaction(add_member, brand)
    template = await db.in_transaction(add_template, brand)
    place = await db.in_transaction(add_place, brand)
    for cause in ("SCAN", "BOUGHT"):
        await db.in_transaction(
            add_event,
            brand,
            "coupon.issued",
            member,
            coupon_id=new_id().hex,
            template_id=template.id.hex,
            cause=cause,
        )
    await db.in_transaction(
        add_event,
        brand,
        "coupon.redeemed",
        member,
        template_id=template.id.hex,
        place_id=place.id.hex,
    )
    for asset, amount in (("POINTS", 30), ("CASH", 1205), ("GROWTH", 4), ("CHANCES", 2)):
        await db.in_transaction(
            add_event, brand, "reward.unlocked", member, asset=asset, amount=amount
        )
    await make_relay(db, NullProvider()).run_once()
    assert await states(db) == {"delivered": 7}
    told = await said(db)
    won, bought = sorted(told["COUPON_ISSUED"], key=lambda row: row.id)
    assert won.content["zh"] == "恭喜您获得「再来一杯」，到店出示券码即可使用。"
    assert won.content["en"].startswith("You have won a coupon: A free tea.")
    assert bought.content["zh"] == "您已兑换「再来一杯」，到店出示券码即可使用。"
    [used] = told["COUPON_REDEEMED"]
    assert "「再来一杯」已在人民路店使用。" in used.content["zh"]
    assert "A free tea was used at 人民路店." in used.content["en"]
    unlocked = [row.content for row in sorted(told["REWARD_UNLOCKED"], key=lambda row: row.id)]
    assert [content["zh"] for content in unlocked] == [
        "您在Demo的30积分已解锁到账。",
        "您在Demo的12.05元红包已解锁到账。",
        "您在Demo的4成长值已解锁到账。",
        "您在Demo的2次抽奖机会已解锁到账。",
    ]
    assert unlocked[1]["en"].startswith("The red packet of ¥12.05 you were waiting for")


@pytest.mark.parametrize("topic", ["coupon.issued", "coupon.redeemed", "reward.unlocked"])
async def test_news_of_nothing_we_know_fails_alone(db: Database, brand: Brand, topic: str) -> None:
    member = await db.in_transaction(add_member, brand)
    template = await db.in_transaction(add_template, brand)
    place = await db.in_transaction(add_place, brand)
    known = {
        "template_id": template.id.hex,
        "place_id": place.id.hex,
        "cause": "SCAN",
        "asset": "POINTS",
        "amount": 1,
    }
    unknown = {**known, "template_id": new_id().hex, "asset": "GOLD"}
    for payload in (known, unknown, known):
        await db.in_transaction(add_event, brand, topic, member, **payload)
    await make_relay(db, NullProvider()).run_once()
    assert await states(db) == {"delivered": 2, "waiting": 1}
    _, bad, _ = await list_events(db)
    assert bad.delivered_at is None
    assert bad.last_error is not None
