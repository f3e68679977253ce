"""Scene 11: growth lifts a member at once; what the tier grants counts from the next scan."""

from typing import Any

from tests.scenarios.shop import GROWTH, POINTS, Shop, outcome


def level(code: str, threshold: int, percent: int) -> dict[str, Any]:
    return {
        "code": code,
        "nameZh": f"{code} 会员",
        "nameEn": code.title(),
        "growthThreshold": threshold,
        "pointsMultiplierPercent": percent,
    }


LEVELS = [level("BASIC", 0, 100), level("SILVER", 100, 150), level("GOLD", 300, 200)]

# After each scan of 100 points and 60 growth: points of this scan, level, whether it changed,
# growth, growth to the next level, percent of the way there.
CLIMB = [
    (100, "BASIC", False, 60, 40, 60),
    (100, "SILVER", True, 120, 180, 10),
    (150, "SILVER", False, 180, 120, 40),
    (150, "SILVER", False, 240, 60, 70),
    (150, "GOLD", True, 300, None, 100),
    (200, "GOLD", False, 360, None, 100),
]


async def test_a_member_climbs_and_the_multiplier_counts_from_the_next_scan(shop: Shop) -> None:
    await shop.admin.done("publishLadder", levels=LEVELS)
    await shop.publish([outcome("CONSUMER", POINTS, 100), outcome("CONSUMER", GROWTH, 60)])
    [codes] = await shop.print_codes(len(CLIMB) + 1, "INNER")
    consumer = await shop.person("13800138001")
    total = 0
    for code, (points, name, changed, growth, missing, percent) in zip(codes, CLIMB, strict=False):
        receipt = await consumer.done("scanCode", code=code)
        rewards = {reward["asset"]: reward["amount"] for reward in receipt["rewards"]}
        assert rewards == {"POINTS": points, "GROWTH": 60}
        assert (receipt["tier"]["code"], receipt["tierChanged"]) == (name, changed)
        total += points
        tier = (await consumer.me())["tier"]
        assert tier["level"]["code"] == name
        assert (tier["growth"], tier["growthToNext"], tier["progressPercent"]) == (
            growth,
            missing,
            percent,
        )
    assert await consumer.balances() == {"POINTS": (total, 0), "GROWTH": (360, 0)}
    me = await consumer.me()
    assert me["tier"]["nextLevel"] is None
    assert me["tier"]["since"] is not None

    shorter = await shop.admin.do("publishLadder", levels=LEVELS[:2])
    assert shorter["code"] == "LADDER_LOWERS_MEMBERS"
    assert shorter["details"] == {"members": 1}
    assert (await consumer.me())["tier"]["level"]["code"] == "GOLD"
    # Higher thresholds lower nobody; a fewer level must be said aloud.
    await shop.admin.done("publishLadder", levels=[*LEVELS[:2], level("GOLD", 10_000, 200)])
    assert (await consumer.me())["tier"]["level"]["code"] == "GOLD"
    await shop.admin.done("publishLadder", levels=LEVELS[:2], allowLowering=True)
    assert (await consumer.me())["tier"]["level"]["code"] == "SILVER"
    last = await consumer.done("scanCode", code=codes[-1])
    assert {reward["amount"] for reward in last["rewards"]} == {150, 60}
