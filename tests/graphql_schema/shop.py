"""A place of a brand with a till and a clerk, and a customer who buys coupons to redeem there."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id, find_id_of
from loyalty.actor import CLERK_ROLE, Actor, ActorKind, system_actor
from loyalty.places.service import NewPin, create_clerk
from tests.api import Caller
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, outcome

ALICE = "13800138001"
TEMPLATE: dict[str, Any] = {
    "nameZh": "五元券",
    "nameEn": "Five off",
    "kind": "AMOUNT_OFF",
    "amountOffFen": 500,
    "usableDays": 30,
    "costFen": 500,
    "feeFen": 20,
    "pointsPrice": 1,
}


OF_A_GIFT: dict[str, Any] = {"kind": "GIFT", "amountOffFen": None, "costFen": 0, "feeFen": 0}
"""What of a template is another thing where it promises a gift."""


@dataclass
class Shop:
    """Ids are global. ``customer`` has points for a thousand coupons."""

    stage: Stage
    place_id: str
    till_id: str
    till_key: str
    clerk_id: str
    clerk: Caller
    customer: Caller
    template_id: str = ""

    async def template(self, code: str, **more: Any) -> str:
        """The global id of a new template: 5.00 off, for one point."""
        receipt = await self.stage.admin.done("createCouponTemplate", code=code, **TEMPLATE | more)
        return str(receipt["template"]["id"])

    async def coupon(self, template_id: str = "") -> Any:
        """One that the customer may use today."""
        wanted = template_id or self.template_id
        return (await self.customer.done("buyCoupon", templateId=wanted))["coupon"]

    async def held(self) -> str:
        """The global id of a redemption that the clerk may capture."""
        code = (await self.coupon())["code"]
        return str((await self.clerk.done("holdCoupon", code=code))["redemption"]["id"])

    async def captured(self) -> str:
        """The global id of a redemption that the clerk may reverse."""
        held = await self.held()
        await self.clerk.done("captureRedemption", redemptionId=held)
        return held

    async def another_clerk(self, number: str) -> tuple[str, Caller]:
        """One more at the same till: its global id, and it has just signed in."""
        return await _add_clerk(self.stage, self.place_id, self.till_id, number)

    async def next_door(self, code: str, **more: Any) -> "Shop":
        """Another place of the brand, with a till and a clerk of its own."""
        return await open_place(self.stage, self.customer, code, **more)


async def open_shop(stage: Stage, **place: Any) -> Shop:
    """Whose customer is Alice. It publishes the scan campaign: a thousand points to consumers."""
    await stage.publish([outcome(CONSUMER, 1000), outcome(GUIDE, 30)])
    alice = await stage.member(ALICE)
    await alice.done("scanCode", code=await stage.code())
    shop = await open_place(stage, alice, "east", **place)
    shop.template_id = await shop.template("five")
    return shop


async def open_place(stage: Stage, customer: Caller, code: str, **more: Any) -> Shop:
    where = {"code": code, "name": "街角店", "address": "人民路1号", "payoutThresholdFen": 1}
    place_id = (await stage.admin.done("createPlace", **where | more))["place"]["id"]
    made = await stage.admin.done("createTill", placeId=place_id, name="一号台")
    till_id = made["till"]["id"]
    clerk_id, clerk = await _add_clerk(stage, place_id, till_id, "7")
    return Shop(stage, place_id, till_id, made["key"], clerk_id, clerk, customer)


async def _add_clerk(stage: Stage, place_id: str, till_id: str, number: str) -> tuple[str, Caller]:
    # No PIN opens this hash: making one that a PIN opens takes a fifth of a second.
    place, till = _local("Place", place_id), _local("Till", till_id)
    row = await stage.database.in_transaction(
        create_clerk,
        system_actor(stage.brand_id),
        place_id=place,
        number=number,
        name="王",
        pin=NewPin("", "-"),
    )
    actor = Actor(ActorKind.CLERK, stage.brand_id, row.id, CLERK_ROLE, place_id=place, till_id=till)
    return encode_id("Clerk", row.id), stage.caller(actor)


def _local(type_name: str, global_id: str) -> UUID:
    id = find_id_of(type_name, global_id)
    assert id is not None
    return id
