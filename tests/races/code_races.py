"""Races of members who look at third parties' codes; as ``scan_races.py``."""

from graphql_schema.pagination import encode_id
from loyalty.actor import system_actor
from rewards.code_lists.models import OutsideCode
from rewards.code_lists.service import add_codes
from rewards.coupons.models import Coupon, CouponKind
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import buy, on_sale, with_points
from tests.races.stage import said
from tests.races.wire import release_at_once, request_bytes

REVEAL = """mutation Race($input: RevealCouponCodeInput!) { revealCouponCode(input: $input) {
  __typename ... on RevealCouponCodeReceipt { code } ... on Refused { code } } }"""


async def each_coupon_has_a_code_of_its_own(arena: Arena, size: int) -> Broken:
    """As many codes as coupons, whose members all look at once, each twice: each sees one code,
    twice the same, and nobody another's."""
    broken = Broken()
    stage = await arena.stage("codes").build()
    template_id = await on_sale(stage, kind=CouponKind.CODE)
    codes = {f"CODE-{number}" for number in range(size)}
    actor = system_actor(stage.brand_id)
    await stage.db.in_transaction(add_codes, actor, stage.keyring, template_id, sorted(codes))
    callers = await with_points(arena, stage, size)
    await release_at_once(
        arena.ports, [buy(c, template_id, f"b{number}") for number, c in enumerate(callers)]
    )
    owners = {member: identity for identity, member in (await stage.member_ids()).items()}
    tokens = {caller.identity_id: caller.token for caller in callers}
    coupons = await stage.rows(Coupon)
    requests = [
        request_bytes(
            tokens[owners[coupon.member_id]],
            REVEAL,
            {"input": {"idempotencyKey": f"r{turn}", "couponId": encode_id("Coupon", coupon.id)}},
        )
        for turn in range(2)
        for coupon in coupons
    ]
    answers = [said(a, "revealCouponCode") for a in await release_at_once(arena.ports, requests)]
    seen = [str(answer.get("code", answer)) for answer in answers]
    first, second = seen[:size], seen[size:]
    broken.unless(first == second, "who looks twice sees the same code")
    broken.unless(set(first) == codes, f"each has one of its own, not {sorted(first)}")
    given = {row.coupon_id for row in await stage.rows(OutsideCode)}
    broken.unless(given == {coupon.id for coupon in coupons}, "each code is of one coupon")
    return broken
