"""Races of members who buy coupons; as ``scan_races.py``."""

from collections import Counter as Tally
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.actor import system_actor
from rewards.coupons.models import Coupon, CouponKind, CouponTemplate
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import create_template
from tests.races.arena import Arena, Broken
from tests.races.stage import Caller, Stage, said
from tests.races.wire import release_at_once, request_bytes

BUY = """mutation Race($input: BuyCouponInput!) { buyCoupon(input: $input) { __typename
  ... on BuyCouponReceipt { coupon { id } } ... on Refused { code } } }"""
STOCK = 10
BOUGHT_MAX = 3


OFF: dict[str, Any] = {"kind": CouponKind.AMOUNT_OFF, "amount_off_fen": 500}


async def on_sale(stage: Stage, **terms: Any) -> UUID:
    """A template for a point each, of some yuan off if nothing else is said."""
    definition = TemplateDefinition(
        code="races",
        name_zh="竞赛",
        name_en="Races",
        usable_days=30,
        points_price=1,
        **(terms if "kind" in terms else OFF | terms),
    )
    actor = system_actor(stage.brand_id)
    return (await stage.db.in_transaction(create_template, actor, definition)).id


async def with_points(arena: Arena, stage: Stage, count: int) -> list[Caller]:
    """Consumers who earned points by a scan each."""
    callers = await stage.consumers(count)
    await stage.warm(arena.ports)
    scans = [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(callers)]
    await release_at_once(arena.ports, scans)
    return callers


def buy(caller: Caller, template_id: UUID, key: str) -> bytes:
    given = {"idempotencyKey": key, "templateId": encode_id("CouponTemplate", template_id)}
    return request_bytes(caller.token, BUY, {"input": given})


async def _ends(arena: Arena, requests: list[bytes]) -> Tally[str]:
    replies = [said(answer, "buyCoupon") for answer in await release_at_once(arena.ports, requests)]
    return Tally(str(r.get("code", r.get("fault", r["__typename"]))) for r in replies)


async def the_last_coupons_are_sold_once(arena: Arena, size: int) -> Broken:
    """Ten coupons in stock, and a crowd that buys one each: ten have one."""
    broken = Broken()
    stage = await arena.stage("stock").build()
    template_id = await on_sale(stage, stock_max=STOCK)
    callers = await with_points(arena, stage, size)
    ends = await _ends(arena, [buy(c, template_id, f"b{n}") for n, c in enumerate(callers)])
    broken.unless(
        ends == Tally({"BuyCouponReceipt": STOCK, "OUT_OF_STOCK": size - STOCK}),
        f"{STOCK} are sold, not {dict(ends)}",
    )
    (template,) = await stage.rows(CouponTemplate)
    made = len(await stage.rows(Coupon))
    broken.unless(template.issued == made == STOCK, f"counted {template.issued}, made {made}")
    return broken


async def a_member_buys_up_to_the_limit(arena: Arena, size: int) -> Broken:
    """Three coupons a member, and one who tries as often as it can, all at once: it has three."""
    broken = Broken()
    stage = await arena.stage("limit").build()
    template_id = await on_sale(stage, bought_per_member_max=BOUGHT_MAX)
    [caller] = await with_points(arena, stage, 1)
    ends = await _ends(arena, [buy(caller, template_id, f"b{n}") for n in range(size)])
    broken.unless(
        ends == Tally({"BuyCouponReceipt": BOUGHT_MAX, "MEMBER_LIMIT_REACHED": size - BOUGHT_MAX}),
        f"{BOUGHT_MAX} are bought, not {dict(ends)}",
    )
    made = len(await stage.rows(Coupon))
    broken.unless(made == BOUGHT_MAX, f"{BOUGHT_MAX} are made, not {made}")
    return broken
