"""Three brands whose coupons are good at one another's tills, over the API alone: whatever is used,
where, and taken back again, what each owes the others is what the terms say, to the fen."""

import random
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations
from typing import Any
from uuid import UUID

from loyalty.db import Database
from loyalty.ledger.audit import audit
from tests.graphql_schema.shop import Shop, open_shop
from tests.graphql_schema.stage import Stage

SEED = 20261122
COUPONS = 30
POSITIONS = "{ clearingPositions { partnerSlug owedFen } }"
VALUE_FEN = 520
BASIS_POINTS = 3_333
"""Of the value, borne by the brand whose coupon it is: 173.316 fen."""


def line(template_id: str, host: str) -> dict[str, Any]:
    """The host issues its own coupon, which is good at both tills."""
    return {
        "templateId": template_id,
        "issuer": host,
        "redeemers": ["OWN", "PARTNER"],
        "issuerShare": {"basisPoints": BASIS_POINTS},
    }


async def agree(one: Shop, other: Shop) -> dict[UUID, str]:
    """Each brings in a template of its own; the templates' ids, by host."""
    own, theirs = [
        await side.template(f"with-{ally.stage.slug}"[:40])
        for side, ally in ((one, other), (other, one))
    ]
    first = {"firstOn": "2020-01-01", "lines": [line(own, "OWN")]}
    both = {"firstOn": "2020-01-01", "lines": [line(theirs, "OWN"), line(own, "PARTNER")]}
    for proposer, partner, terms in ((one, other, first), (other, one, both)):
        said = {"partnerSlug": partner.stage.slug, "terms": terms}
        made = (await proposer.stage.admin.done("proposeAgreement", **said))["agreement"]
        signing = {"agreementId": made["id"], "digest": made["versions"][0]["digest"]}
        for side in (one, other):
            await side.stage.admin.done("signAgreement", **signing)
    return {one.stage.brand_id: own, other.stage.brand_id: theirs}


async def test_what_three_brands_owe_each_other_is_what_was_agreed(
    stage: Stage, db: Database
) -> None:
    chance = random.Random(SEED)
    shops = [await open_shop(each) for each in (stage, *[await stage.sister(n) for n in "bc"])]
    pairs = [(one, other, await agree(one, other)) for one, other in combinations(shops, 2)]
    borne = int((Decimal(VALUE_FEN * BASIS_POINTS) / 10_000).quantize(Decimal(1), ROUND_HALF_UP))
    owed: Counter[tuple[UUID, UUID]] = Counter()
    for _ in range(COUPONS):
        one, other, templates = chance.choice(pairs)
        host, partner = chance.sample((one, other), 2)
        till = chance.choice((host, partner))
        code = (await host.coupon(templates[host.stage.brand_id]))["code"]
        held = (await till.clerk.done("holdCoupon", code=code))["redemption"]
        await till.clerk.done("captureRedemption", redemptionId=held["id"])
        if chance.random() < 0.25:
            again = {"redemptionId": held["id"], "reason": "wrong basket"}
            await till.clerk.done("reverseRedemption", **again)
        elif till is partner:
            owed[host.stage.brand_id, partner.stage.brand_id] += borne
            owed[partner.stage.brand_id, host.stage.brand_id] -= borne
    assert len(set(owed.values())) > 2, "the seed gives every pair something to owe"
    brands = {shop.stage.slug: shop.stage.brand_id for shop in shops}
    positions = {
        (shop.stage.brand_id, brands[each["partnerSlug"]]): each["owedFen"]
        for shop in shops
        for each in (await shop.stage.admin.ask(POSITIONS))["clearingPositions"]
    }
    assert len(positions) == 2 * len(pairs)
    assert {key: fen for key, fen in positions.items() if fen} == {
        key: fen for key, fen in owed.items() if fen
    }
    assert [check.name for check in await audit(db) if check.broken] == []
