"""Scene 6, at the till: a consumer pays 1 yuan for another bottle, and the store is credited."""

import asyncio
from datetime import datetime
from typing import Any

from tests.api import Caller
from tests.scenarios.shop import Shop, Store, coupon_outcome, eventually

PAY_FEN, COST_FEN, FEE_FEN = 100, 600, 80
REBATE_FEN = COST_FEN + FEE_FEN
NOTHING = (0, 0, 0)
CREDITED = (REBATE_FEN, 0, REBATE_FEN)

WHERE = """
query ($id: ID!) { node(id: $id) { ... on Place { name address payee rebates { balanceFen } } } }
"""


async def test_one_yuan_buys_another_bottle_and_the_store_gets_its_cost_and_a_fee(
    shop: Shop,
) -> None:
    # A store is paid out as soon as two of them have come together.
    terms: dict[str, Any] = {"payoutThresholdFen": 2 * REBATE_FEN, "payee": "account-0001"}
    nanjing = await shop.store("SH-001", "南京东路店", "13700137001", **terms)
    huaihai = await shop.store("SH-002", "淮海路店", "13700137002", **terms)
    elsewhere = await shop.store("SH-003", "徐家汇店", "13700137003")
    consumer = await win_two_coupons(shop, [nanjing, huaihai])
    second, first = await consumer.wallet("ISSUED")
    await read_the_coupon(consumer, first, nanjing)
    await try_where_it_is_not_taken(elsewhere, first["code"])

    winner, loser, held = await try_at_both(nanjing, huaihai, first["code"])
    done = await winner.tills[0].clerk.done("captureRedemption", redemptionId=held["id"])
    assert done["redemption"]["status"] == "CAPTURED"
    await hear_who_it_was(loser, winner, first["code"], done["redemption"])
    [gone] = await consumer.wallet("REDEEMED")
    assert gone["id"] == first["id"]

    # The worker settles it, and its store sees the money; the others see none of it.
    assert await eventually(winner.rebates, lambda seen: seen[1] == 0) == CREDITED
    assert [await store.rebates() for store in (loser, elsewhere)] == [NOTHING, NOTHING]

    clerk = winner.tills[0].clerk
    held = (await clerk.done("holdCoupon", code=second["code"]))["redemption"]
    await clerk.done("captureRedemption", redemptionId=held["id"])
    await eventually(winner.rebates, lambda seen: seen == NOTHING)
    [payout] = await winner.payouts()
    assert (payout["amountFen"], payout["status"]) == (2 * REBATE_FEN, "PAID")
    assert (payout["payee"], payout["place"]["name"]) == ("****0001", winner.name)
    assert await loser.payouts() == []
    assert (await shop.host.run("audit"))["broken"] == 0


async def win_two_coupons(shop: Shop, stores: list[Store]) -> Caller:
    """A consumer who has won two by scans, good at these stores."""
    template_id = await shop.template(
        "one-yuan",
        "PAY_N",
        nameZh="一元乐享",
        nameEn="Another for one yuan",
        payFen=PAY_FEN,
        costFen=COST_FEN,
        feeFen=FEE_FEN,
        placeIds=[store.id for store in stores],
    )
    await shop.publish([coupon_outcome(template_id)])
    [codes] = await shop.print_codes(2, "INNER")
    consumer = await shop.person("13800138001")
    for code in codes:
        receipt = await consumer.done("scanCode", code=code)
        assert [coupon["templateCode"] for coupon in receipt["coupons"]] == ["one-yuan"]
    return consumer


async def read_the_coupon(consumer: Caller, coupon: Any, store: Store) -> None:
    """What it costs and gives, and where: all that the consumer's page needs."""
    assert (coupon["payFen"], coupon["product"]["sku"]) == (PAY_FEN, "BEER-500")
    assert coupon["placeIds"][0] == store.id
    assert len(coupon["placeIds"]) == 2
    where = (await consumer.ask(WHERE, id=store.id))["node"]
    assert (where["name"], where["address"]) == (store.name, "上海市黄浦区南京东路1号")
    assert (where["payee"], where["rebates"]) == (None, None), "a store's business is its own"


async def try_where_it_is_not_taken(store: Store, code: str) -> None:
    """A store that does not take part is told so, when it looks and when it tries."""
    clerk = store.tills[0].clerk
    assert (await clerk.look_up(code))["notUsableReason"] == "PLACE"
    refused = await clerk.do("holdCoupon", code=code)
    assert (refused["code"], refused["details"]) == ("COUPON_NOT_USABLE", {"reason": "PLACE"})


async def try_at_both(one: Store, other: Store, code: str) -> tuple[Store, Store, Any]:
    """In the same moment: who has it, who has not and is told why, and the redemption."""
    answers = await asyncio.gather(
        *(store.tills[0].clerk.do("holdCoupon", code=code) for store in (one, other))
    )
    won = [answer["__typename"] == "HoldCouponReceipt" for answer in answers]
    assert sorted(won) == [False, True]
    winner, loser = (one, other) if won[0] else (other, one)
    held, told = answers[won.index(True)]["redemption"], answers[won.index(False)]
    assert (held["payFen"], held["discountFen"], held["rebateFen"]) == (PAY_FEN, 0, REBATE_FEN)
    assert held["product"] == {"sku": "BEER-500"}
    check_told(told, winner, "HELD", held["heldAt"])
    return winner, loser, held


async def hear_who_it_was(loser: Store, winner: Store, code: str, redemption: Any) -> None:
    """Too late: the other store's redemption is none of its business, but who and when is."""
    clerk = loser.tills[0].clerk
    in_chinese = Caller(clerk.api, clerk.token, "zh-CN")
    told = await in_chinese.do("holdCoupon", code=code)
    check_told(told, winner, "CAPTURED", redemption["capturedAt"])
    assert told["details"]["at"].endswith("+08:00"), "on the brand's clock"
    assert winner.name in told["message"]
    foreign = await clerk.do("voidRedemption", redemptionId=redemption["id"])
    assert foreign["code"] == "NOT_FOUND"


def check_told(told: Any, winner: Store, status: str, at: str) -> None:
    """The refusal says who has the coupon, and since when."""
    assert told["code"] == "COUPON_TAKEN"
    said = told["details"]
    assert (said["place"], said["till"]) == (winner.name, winner.tills[0].name)
    assert said["status"] == status
    assert datetime.fromisoformat(said["at"]) == datetime.fromisoformat(at).replace(microsecond=0)
