"""How to provoke what is refused of coupons, at tills and to those who stay signed in."""

from typing import Any

from loyalty.access.sessions import open_session
from loyalty.actor import Actor, ActorKind
from loyalty.errors import (
    CouponNotUsable,
    CouponTaken,
    CouponTakenElsewhere,
    CouponUnknown,
    CredentialsWrong,
    MemberLimitReached,
    NotForSale,
    OutOfStock,
    PlaceClosed,
    RedemptionStateWrong,
    RefreshTokenWrong,
    ReversalWindowOver,
)
from loyalty.ids import new_id
from tests.graphql_schema.allied import floor
from tests.graphql_schema.provoking import Call, refused
from tests.graphql_schema.shop import Shop, open_shop
from tests.graphql_schema.stage import CONSUMER, Stage


def hold(shop: Shop, code: str, **basket: Any) -> Call:
    return Call(shop.clerk, "holdCoupon", {"code": code, **basket})


# --- looking and holding -----------------------------------------------------------------------


@refused(CouponUnknown)
async def a_number_that_no_coupon_has(stage: Stage) -> Call:
    return hold(await open_shop(stage), "0000 1111 2222 3333")


@refused(CouponTaken)
async def a_coupon_that_another_till_holds(stage: Stage) -> Call:
    shop = await open_shop(stage)
    code = (await shop.coupon())["code"]
    await (await shop.next_door("west")).clerk.done("holdCoupon", code=code)
    return hold(shop, code)


@refused(CouponTaken)
async def a_coupon_that_is_used_up(stage: Stage) -> Call:
    shop = await open_shop(stage)
    code = (await shop.coupon())["code"]
    held = await hold(shop, code).send()
    await shop.clerk.done("captureRedemption", redemptionId=held["redemption"]["id"])
    return hold(shop, code)


@refused(CouponTakenElsewhere)
async def a_coupon_that_its_own_brand_has_used(stage: Stage) -> Call:
    on = await floor(stage)
    code = await on.code()
    await on.host.clerk.done("holdCoupon", code=code)
    return Call(on.key, "redeemPartnersCoupon", {**on.at, "code": code})


@refused(CouponNotUsable)
async def a_basket_that_is_too_small(stage: Stage) -> Call:
    shop = await open_shop(stage)
    coupon = await shop.coupon(await shop.template("over-20", spendMinFen=2000))
    return hold(shop, coupon["code"], basketFen=1999)


@refused(CouponNotUsable)
async def a_coupon_declared_void_twice(stage: Stage) -> Call:
    shop = await open_shop(stage)
    void = {"couponId": (await shop.coupon())["id"], "reason": "sold on"}
    await stage.admin.done("voidCoupon", **void)
    return Call(stage.admin, "voidCoupon", void)


@refused(PlaceClosed)
async def a_place_that_is_closed(stage: Stage) -> Call:
    shop = await open_shop(stage)
    coupon = await shop.coupon()
    why = {"open": False, "reason": "the season is over"}
    await stage.admin.done("setPlaceStatus", placeId=shop.place_id, **why)
    return hold(shop, coupon["code"])


@refused(PlaceClosed)
async def a_clerk_who_has_left(stage: Stage) -> Call:
    shop = await open_shop(stage)
    held = await shop.held()
    why = {"active": False, "reason": "it has left"}
    await stage.admin.done("setClerkStatus", clerkId=shop.clerk_id, **why)
    return Call(shop.clerk, "captureRedemption", {"redemptionId": held})


# --- capturing and reversing -------------------------------------------------------------------


@refused(RedemptionStateWrong)
async def a_coupon_let_go_of_and_captured(stage: Stage) -> Call:
    shop = await open_shop(stage)
    held = {"redemptionId": await shop.held()}
    await shop.clerk.done("voidRedemption", **held)
    return Call(shop.clerk, "captureRedemption", held)


@refused(ReversalWindowOver)
async def a_brand_that_reverses_nothing(stage: Stage) -> Call:
    shop = await open_shop(await stage.sister("strict", reversal_window_seconds=0))
    captured = {"redemptionId": await shop.captured(), "reason": "wrong bottle"}
    return Call(shop.clerk, "reverseRedemption", captured)


# --- buying ------------------------------------------------------------------------------------


async def _buying_once_more(stage: Stage, **template: Any) -> Call:
    """Where one coupon is already bought."""
    shop = await open_shop(stage)
    wanted = {"templateId": await shop.template("rare", **template)}
    await shop.customer.done("buyCoupon", **wanted)
    return Call(shop.customer, "buyCoupon", wanted)


@refused(OutOfStock)
async def the_last_one_is_gone(stage: Stage) -> Call:
    return await _buying_once_more(stage, stockMax=1)


@refused(MemberLimitReached)
async def one_for_each_and_another(stage: Stage) -> Call:
    return await _buying_once_more(stage, boughtPerMemberMax=1)


@refused(NotForSale)
async def a_coupon_without_a_price(stage: Stage) -> Call:
    shop = await open_shop(stage)
    wanted = {"templateId": await shop.template("won-only", pointsPrice=None)}
    return Call(shop.customer, "buyCoupon", wanted)


# --- signing in, and staying so ----------------------------------------------------------------


@refused(CredentialsWrong)
async def a_clerk_whose_pin_is_another(stage: Stage) -> Call:
    shop = await open_shop(stage)
    words = {"brand": stage.slug, "tillKey": shop.till_key, "clerkNumber": "7", "pin": "0000"}
    return Call(stage.api.nobody, "signInClerk", words, frozenset({"clerks", "tills"}))


@refused(RefreshTokenWrong)
async def a_refresh_token_that_comes_again(stage: Stage) -> Call:
    actor = Actor(ActorKind.MEMBER, stage.brand_id, new_id(), CONSUMER)
    opened = await stage.database.in_transaction(open_session, stage.keyring, actor, 3600)
    used = {"refreshToken": opened.refresh_token}
    await stage.api.nobody.done("refreshSession", **used)
    return Call(stage.api.nobody, "refreshSession", used, frozenset({"sign_in_sessions"}))
