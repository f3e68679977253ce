"""Partners' coupons at tills that a brand's own systems run: a key reports what a clerk did there.

The same steps as at our tills, by the same verbs and with the same guards; held and captured in
one transaction. For coupons of other brands alone.
"""

from uuid import UUID

from loyalty.actor import Actor
from loyalty.db import Snapshot, Tx
from loyalty.errors import CouponUnknown, NotFound
from loyalty.places.service import at_desk
from rewards.coupons.service import find_by_code
from rewards.redemptions import service
from rewards.redemptions.models import Redemption
from rewards.redemptions.queries import find_redemption
from rewards.redemptions.rules import CouponAtTill


async def look_up_partners(
    snapshot: Snapshot,
    actor: Actor,
    till_id: UUID,
    clerk_id: UUID,
    code: str,
    *,
    basket_fen: int | None = None,
) -> CouponAtTill:
    """What a partner's coupon would do at a till of the key's brand; nothing is taken. Refuses
    NotFound (till, clerk), CouponUnknown (the brand's own too), PlaceClosed and InvalidInput."""
    at = await at_desk(snapshot, actor, till_id, clerk_id)
    await _refuse_own(snapshot, actor, code)
    return await service.look_up(snapshot, at, code, basket_fen=basket_fen)


async def _refuse_own(snapshot: Snapshot, actor: Actor, code: str) -> None:
    """Of its own brand's coupons a key learns nothing, whatever state they are in."""
    if await find_by_code(snapshot, actor.brand_id, code) is not None:
        raise CouponUnknown()


async def redeem(
    tx: Tx,
    actor: Actor,
    till_id: UUID,
    clerk_id: UUID,
    code: str,
    *,
    basket_fen: int | None = None,
) -> Redemption:
    """Use a partner's coupon up: the redemption, CAPTURED. Refuses as ``look_up_partners`` does,
    and CouponTaken, CouponTakenElsewhere and CouponNotUsable."""
    at = await at_desk(tx, actor, till_id, clerk_id)
    await _refuse_own(tx, actor, code)
    held = await service.hold_coupon(tx, at, code=code, basket_fen=basket_fen)
    return await service.capture(tx, at, held.id)


async def reverse(
    tx: Tx, actor: Actor, till_id: UUID, clerk_id: UUID, redemption_id: UUID, reason: str
) -> Redemption:
    """Take a partner's coupon back that was captured at the till's place, by whomever: the
    redemption, REVERSED. Refuses NotFound, RedemptionStateWrong, ReversalWindowOver, PlaceClosed
    and InvalidInput."""
    at = await at_desk(tx, actor, till_id, clerk_id)
    found = await find_redemption(tx, actor.brand_id, redemption_id)
    if found is None or found.coupon_brand_id == actor.brand_id:
        raise NotFound(noun="redemption")
    return await service.reverse(tx, at, redemption_id, reason)
