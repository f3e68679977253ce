"""Places, tills, clerks and coupons as rows, for tests of what happens at the till."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from loyalty.actor import CLERK_ROLE, Actor, ActorKind, system_actor
from loyalty.brands.models import Brand
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.ledger.service import open_place_account
from loyalty.places.models import Clerk, Place, Till
from loyalty.products.service import create_product
from rewards.coupons.models import Coupon, CouponKind, CouponTemplate
from tests.brands_made import make_brand

FROM, UNTIL = date(2026, 11, 1), date(2026, 11, 30)
COST_FEN, FEE_FEN = 300, 50
REBATE_FEN = COST_FEN + FEE_FEN
AMOUNT_OFF_FEN = 500


@dataclass(frozen=True, slots=True)
class Counter:
    """One till of a place with the clerk who stands there."""

    place: Place
    till: Till
    clerk: Clerk

    @property
    def actor(self) -> Actor:
        return Actor(
            ActorKind.CLERK,
            self.place.brand_id,
            self.clerk.id,
            CLERK_ROLE,
            place_id=self.place.id,
            till_id=self.till.id,
        )


@dataclass(frozen=True, slots=True)
class Shops:
    """A brand with two places: ``east`` with two tills and clerks, ``west`` with one."""

    brand: Brand
    product_id: UUID
    east: Counter
    east_too: Counter
    west: Counter


async def add_counter(tx: Tx, place: Place, number: int) -> Counter:
    """One more till and clerk of a place."""
    till = Till(
        brand_id=place.brand_id,
        place_id=place.id,
        name=f"Till {number}",
        key_hash=new_id().hex,
        key_hint="1234",
        created_at=tx.now,
    )
    clerk = Clerk(
        brand_id=place.brand_id,
        place_id=place.id,
        number=f"{number:04}",
        name=f"Clerk {number}",
        pin_hash="-",
        created_at=tx.now,
    )
    await tx.add(till, clerk)
    return Counter(place, till, clerk)


async def add_place(tx: Tx, brand_id: UUID, code: str) -> Place:
    """A place with its rebate account."""
    place = Place(
        brand_id=brand_id,
        code=code,
        name=f"{code.title()} Street",
        address="1 Road",
        payout_threshold_fen=10_000,
        created_at=tx.now,
    )
    await tx.add(place)
    await open_place_account(tx, brand_id, place.id)
    return place


async def make_shops(tx: Tx, slug: str = "shops") -> Shops:
    brand = await make_brand(tx, slug)
    product = await create_product(
        tx, system_actor(brand.id), sku="TEA", name_zh="茶", name_en="Tea"
    )
    east, west = [await add_place(tx, brand.id, code) for code in ("east", "west")]
    return Shops(
        brand,
        product.id,
        await add_counter(tx, east, 1),
        await add_counter(tx, east, 2),
        await add_counter(tx, west, 3),
    )


async def add_template(tx: Tx, /, brand_id: UUID, **fields: Any) -> CouponTemplate:
    """AMOUNT_OFF 500 fen, credited with 350; other fields as given."""
    given: dict[str, Any] = {
        "brand_id": brand_id,
        "code": new_id().hex,
        "name_zh": "立减",
        "name_en": "Off",
        "kind": CouponKind.AMOUNT_OFF.value,
        "amount_off_fen": AMOUNT_OFF_FEN,
        "cost_fen": COST_FEN,
        "fee_fen": FEE_FEN,
        "created_at": tx.now,
    }
    template = CouponTemplate(**given | fields)
    await tx.add(template)
    return template


async def add_coupon(tx: Tx, /, template: CouponTemplate, **fields: Any) -> Coupon:
    """A coupon of somebody, usable in November 2026; other fields as given."""
    given: dict[str, Any] = {
        "brand_id": template.brand_id,
        "template_id": template.id,
        "member_id": new_id(),
        "code": f"{new_id().int % 10**16:016}",
        "cause_kind": "SCAN",
        "cause_id": new_id(),
        "usable_from": FROM,
        "usable_until": UNTIL,
        "issued_at": tx.now,
    }
    coupon = Coupon(**given | fields)
    await tx.add(coupon)
    return coupon


async def add_simple_coupon(tx: Tx, /, brand_id: UUID, **fields: Any) -> Coupon:
    """A coupon of a template of its own, whose fields are given."""
    return await add_coupon(tx, await add_template(tx, brand_id, **fields))
