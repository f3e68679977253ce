"""Races of members for the points mall; as ``scan_races.py``."""

from collections import Counter as Tally
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.actor import system_actor
from rewards.offers.models import LimitWindow, Offer, OfferKind
from rewards.offers.service import create_offer
from rewards.offers.terms import OfferGives, OfferTerms, Part, RankLimit, RankPrice
from rewards.orders.models import OfferOrder
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import with_points
from tests.races.stage import CONSUMER_POINTS, Caller, Stage, said
from tests.races.wire import release_at_once, request_bytes

REDEEM = """mutation Race($input: RedeemOfferInput!) { redeemOffer(input: $input) { __typename
  ... on RedeemOfferReceipt { order { id } balances { asset balance } }
  ... on Refused { code } } }"""
CANCEL = """mutation Race($input: CancelOrderInput!) { cancelOrder(input: $input) { __typename
  ... on CancelOrderReceipt { order { status } } ... on Refused { code } } }"""
TAKEN_MAX = 3
PRICE = 7


async def _offer(stage: Stage, **terms: Any) -> UUID:
    """A gift for seven points."""
    price = RankPrice(0, (Part("POINTS", PRICE),))
    made = OfferTerms("最后一件", "The last one", (price,), **terms)
    actor, gift = system_actor(stage.brand_id), OfferGives(OfferKind.GIFT)
    return (await stage.db.in_transaction(create_offer, actor, "races", gift, made)).id


def _redeem(caller: Caller, offer_id: UUID, key: str) -> bytes:
    given = {"idempotencyKey": key, "offerId": encode_id("MallOffer", offer_id)}
    return request_bytes(caller.token, REDEEM, {"input": given})


def _ends(replies: list[dict[str, Any]]) -> Tally[str]:
    return Tally(str(r.get("code", r.get("fault", r["__typename"]))) for r in replies)


async def _race(arena: Arena, field: str, requests: list[bytes]) -> list[dict[str, Any]]:
    return [said(answer, field) for answer in await release_at_once(arena.ports, requests)]


async def the_malls_last_item_is_taken_once(arena: Arena, size: int) -> Broken:
    """One piece in stock, and a crowd that wants it: one has it and has paid, all others are told
    that it is gone, and have what they had."""
    broken = Broken()
    stage = await arena.stage("mall").build()
    offer_id = await _offer(stage, stock_max=1)
    callers = await with_points(arena, stage, size)
    requests = [_redeem(caller, offer_id, f"m{n}") for n, caller in enumerate(callers)]
    replies = await _race(arena, "redeemOffer", requests)
    ends = _ends(replies)
    broken.unless(
        ends == Tally({"RedeemOfferReceipt": 1, "OUT_OF_STOCK": size - 1}),
        f"one has it, not {dict(ends)}",
    )
    [offer], orders = await stage.rows(Offer), await stage.rows(OfferOrder)
    broken.unless(
        (offer.taken, len(orders)) == (1, 1), f"counted {offer.taken}, ordered {len(orders)}"
    )
    left = [
        {balance["asset"]: balance["balance"] for balance in reply["balances"]}["POINTS"]
        for reply in replies
        if "balances" in reply
    ]
    broken.unless(left == [CONSUMER_POINTS - PRICE], f"who has it has {left} points left")
    return broken


async def a_days_pieces_are_taken_once(arena: Arena, size: int) -> Broken:
    """Three pieces a day, and a crowd that wants one each: three have one."""
    broken = Broken()
    stage = await arena.stage("day").build()
    offer_id = await _offer(stage, per_day_max=TAKEN_MAX)
    callers = await with_points(arena, stage, size)
    requests = [_redeem(caller, offer_id, f"m{n}") for n, caller in enumerate(callers)]
    ends = _ends(await _race(arena, "redeemOffer", requests))
    broken.unless(
        ends == Tally({"RedeemOfferReceipt": TAKEN_MAX, "OUT_OF_STOCK": size - TAKEN_MAX}),
        f"{TAKEN_MAX} have one, not {dict(ends)}",
    )
    return broken


async def a_member_takes_up_to_its_limit(arena: Arena, size: int) -> Broken:
    """Three pieces a member, and one who tries as often as it can, all at once: it has three."""
    broken = Broken()
    stage = await arena.stage("pieces").build()
    limits = (RankLimit(LimitWindow.ALL, 0, TAKEN_MAX),)
    offer_id = await _offer(stage, limits=limits)
    [caller] = await with_points(arena, stage, 1)
    requests = [_redeem(caller, offer_id, f"m{n}") for n in range(size)]
    ends = _ends(await _race(arena, "redeemOffer", requests))
    limited = size - TAKEN_MAX
    broken.unless(
        ends == Tally({"RedeemOfferReceipt": TAKEN_MAX, "MEMBER_LIMIT_REACHED": limited}),
        f"{TAKEN_MAX} are taken, not {dict(ends)}",
    )
    return broken


async def an_order_is_cancelled_once(arena: Arena, size: int) -> Broken:
    """Operators who cancel one order all at once: its price is given back once."""
    broken = Broken()
    stage = await arena.stage("cancelled").build()
    offer_id = await _offer(stage)
    [caller] = await with_points(arena, stage, 1)
    [bought] = await _race(arena, "redeemOffer", [_redeem(caller, offer_id, "bought")])
    operator = stage.operator()
    requests = [
        request_bytes(
            operator,
            CANCEL,
            {"input": {"idempotencyKey": f"c{n}", "orderId": bought["order"]["id"], "reason": "x"}},
        )
        for n in range(size)
    ]
    ends = _ends(await _race(arena, "cancelOrder", requests))
    broken.unless(
        ends == Tally({"CancelOrderReceipt": 1, "ORDER_STATE_WRONG": size - 1}),
        f"one cancels it, not {dict(ends)}",
    )
    return broken
