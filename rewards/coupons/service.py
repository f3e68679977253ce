"""The verbs of coupons: how they are found, taken, given back, and how they expire."""

from uuid import UUID

from loyalty.brands.service import list_brands
from loyalty.clock import local_date
from loyalty.db import Snapshot, Tx
from rewards.coupons import queries
from rewards.coupons.models import Coupon
from rewards.coupons.queries import (
    get_coupon,
    get_template,
    give_back,
    hold,
    lock_coupon,
    redeem,
    release,
)
from rewards.coupons.rules import normalise_code

# Other nouns may call this service and never the queries: these are the reads and the guarded
# steps that they need.
__all__ = [
    "expire_coupons",
    "find_by_code",
    "get_coupon",
    "get_template",
    "give_back",
    "hold",
    "lock_coupon",
    "redeem",
    "release",
]


async def find_by_code(snapshot: Snapshot, brand_id: UUID, code: str) -> Coupon | None:
    """The brand's coupon with this number as somebody typed it; None for any other text."""
    digits = normalise_code(code)
    return None if digits is None else await queries.find_coupon_by_code(snapshot, brand_id, digits)


async def expire_coupons(tx: Tx, limit: int) -> int:
    """End up to ``limit`` coupons whose last day is over where their brand is; how many it were.

    Those that somebody works on just now are left for the next time.
    """
    days = [
        (brand.id, local_date(tx.now, brand.timezone))
        for brand in sorted(await list_brands(tx), key=lambda brand: brand.id)
    ]
    return len(await tx.fetch(queries.EXPIRE_COUPONS, days=days, now=tx.now, row_count_max=limit))
