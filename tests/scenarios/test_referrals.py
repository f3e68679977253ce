"""A consumer brings a friend: paid by the friend's first paid scan, and never for itself."""

from typing import Any

from tests.scenarios.shop import GROWTH, POINTS, Shop, eventually, outcome

MINE = "{ myReferralCode { code waiting settled } }"
REFERRALS = "{ referrals { nodes { referrerId referredId status refusedReason } } }"
REWARD = 88


async def test_a_friend_that_comes_is_worth_something_and_oneself_is_not(shop: Shop) -> None:
    await shop.publish([outcome("CONSUMER", POINTS, 100)])
    [inner] = await shop.print_codes(3, "INNER")
    await shop.admin.done(
        "publishCampaign",
        code="friends",
        nameZh="邀请有礼",
        nameEn="Bring a friend",
        event="REFERRAL",
        condition="event.firstAct == 'SCAN'",
        outcomes=[outcome("CONSUMER", GROWTH, REWARD)],
    )
    ann = await shop.person("13800138001")
    assert (await ann.ask(MINE))["myReferralCode"] is None
    code = (await ann.done("openReferralCode", deviceId="anns-phone"))["code"]
    own = await ann.done("useReferralCode", code=code)
    assert (own["referral"]["status"], own["referral"]["refusedReason"]) == (
        "REFUSED",
        "SAME_PERSON",
    )
    second_sim, bob = await shop.person("13800138002"), await shop.person("13800138003")
    tricked = await second_sim.done("useReferralCode", code=code, deviceId="anns-phone")
    assert tricked["referral"]["refusedReason"] == "SAME_DEVICE"
    came = await bob.done("useReferralCode", code=code, deviceId="bobs-phone")
    assert (came["referral"]["status"], came["referral"]["refusedReason"]) == ("WAITING", None)
    assert (await ann.ask(MINE))["myReferralCode"] == {"code": code, "waiting": 1, "settled": 0}

    await second_sim.done("scanCode", code=inner[0])
    for item in inner[1:]:
        await bob.done("scanCode", code=item, deviceId="bobs-phone")

    async def mine() -> Any:
        return (await ann.ask(MINE))["myReferralCode"]

    await eventually(mine, lambda told: told == {"code": code, "waiting": 0, "settled": 1})
    assert await ann.balances() == {GROWTH: (REWARD, 0)}
    nodes = (await shop.admin.ask(REFERRALS))["referrals"]["nodes"]
    ends = [(node["status"], node["refusedReason"]) for node in nodes]
    assert ends == [("SETTLED", None), ("REFUSED", "SAME_DEVICE"), ("REFUSED", "SAME_PERSON")]
    assert nodes[0]["referredId"] == (await bob.me())["id"]
    assert (await shop.host.run("audit"))["broken"] == 0
