"""The demo's store: where coupons are good, what they promise, and how one is won."""

from dataclasses import dataclass
from typing import Any

from rich.text import Text

from server.demo_client import Caller, expect
from server.demo_opening import sign_in_again
from server.demo_screen import yuan
from server.demo_stage import CHEN, MEI, OOLONG, Stage

PLACE = "梅子小铺 Plum Corner"
COUPON_EN, COUPON_ZH = "Another bottle free", "再来一瓶"
COST_FEN, FEE_FEN = 350, 50
REBATE_FEN = COST_FEN + FEE_FEN
STOCK_MAX, USABLE_DAYS = 100, 30

LAN, HAO = "Lan 小兰", "Hao 阿豪"
_WON_WITH = 8  # the first of the oolong bottles that the climb has left

WALLET = """{ me { coupons(first: 10) { nodes {
    code templateCode nameEn nameZh status cause usableFrom usableUntil } } } }"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A till and who stands there: what signs in."""

    till: str
    key: str
    clerk: str
    number: str
    pin: str


@dataclass(frozen=True, slots=True)
class Store:
    """The two desks of the place, and its owner, who has signed in as STORE."""

    first: Desk
    second: Desk
    owner: Caller


def open_a_store(stage: Stage) -> Store:
    """A place with tills and clerks, a coupon, and a campaign that gives it away."""
    stage.screen.scene(
        "A store joins",
        "门店加入",
        "Lin opens a place with two tills and two clerks, makes a coupon that is good there, and"
        " publishes a campaign for the oolong: from now on each of its bottles wins one.",
        "运营开通网点、收银台和店员，创建“再来一瓶”券，并为桂花乌龙发布中奖活动。",
    )
    place = stage.operator.do(
        "createPlace",
        code="plum-corner",
        name=PLACE,
        address="1 Nanjing East Road, Shanghai 上海市南京东路1号",
        storePhone=CHEN.phone,
        payee="acct-plum-corner",
        payoutThresholdFen=REBATE_FEN,
    )["place"]
    stage.screen.done(
        f"{place['name']} is open; what it earns is paid out from"
        f" {yuan(place['payoutThresholdFen'])} on. Keys and PINs are shown this once:"
    )
    first = _open_a_desk(stage, place["id"], "Till 1", LAN, "A1")
    second = _open_a_desk(stage, place["id"], "Till 2", HAO, "A2")
    rows = [
        (desk.till, f"till_…{desk.key[-4:]}", desk.clerk, desk.number, desk.pin)
        for desk in (first, second)
    ]
    stage.screen.table(("Till 收银台", "Key 密钥", "Clerk 店员", "No. 工号", "PIN"), rows)
    _publish(stage, place["id"])
    return Store(first, second, sign_in_again(stage, CHEN, "STORE"))


def _open_a_desk(stage: Stage, place_id: str, till: str, clerk: str, number: str) -> Desk:
    made = stage.operator.do("createTill", placeId=place_id, name=till)
    expect("What of the till's key is kept to be seen", made["till"]["keyHint"], made["key"][-4:])
    hired = stage.operator.do("createClerk", placeId=place_id, number=number, name=clerk)
    return Desk(till, made["key"], clerk, number, hired["pin"])


def _publish(stage: Stage, place_id: str) -> None:
    product_id = stage.product_ids[OOLONG.slug]
    template = stage.operator.do(
        "createCouponTemplate",
        code="another-bottle",
        nameEn=COUPON_EN,
        nameZh=COUPON_ZH,
        kind="FREE_ITEM",
        productId=product_id,
        placeIds=[place_id],
        usableDays=USABLE_DAYS,
        costFen=COST_FEN,
        feeFen=FEE_FEN,
        stockMax=STOCK_MAX,
    )["template"]
    made = stage.operator.do(
        "publishCampaign",
        code="another-bottle",
        nameEn=COUPON_EN,
        nameZh=COUPON_ZH,
        productId=product_id,
        outcomes=[{"beneficiary": "CONSUMER", "couponTemplateId": template["id"]}],
    )["campaign"]
    won = [outcome["template"]["code"] for outcome in made["couponOutcomes"]]
    expect("What the campaign gives", won, ["another-bottle"])
    stage.screen.done(f"Campaign “{COUPON_EN} {COUPON_ZH}”, version {made['version']}:")
    row = (
        f"1 x {OOLONG.name_en} {OOLONG.name_zh}",
        f"{USABLE_DAYS} days 天",
        f"{yuan(COST_FEN)} + {yuan(FEE_FEN)}",
        f"{template['stockMax']}",
    )
    stage.screen.table(("Good for 权益", "Valid 有效", ">Store gets 门店得", ">Stock 库存"), [row])


def win_a_coupon(stage: Stage) -> str:
    """Mei's next bottle: the number of the coupon that she finds in her wallet."""
    stage.screen.scene(
        "A coupon is won",
        "扫码中奖",
        "Mei opens her ninth oolong and scans the code inside. The very transaction that records"
        " the scan issues her coupon; it is in her wallet at once.",
        "扫码与发券同一事务：中奖即到账，券在“我的卡包”。",
    )
    mei = stage.person(MEI)
    expect("Mei's wallet before", _wallet(mei), [])
    receipt = stage.scan(mei, MEI.device, stage.codes[(OOLONG.slug, "INNER")][_WON_WITH])
    expect("The scan's verdict", receipt["verdict"], "FIRST")
    expect("Why it did not pay", receipt["unpaidReason"], None)
    expect("Coupons won", [c["templateCode"] for c in receipt["coupons"]], ["another-bottle"])
    [coupon] = _wallet(mei)
    expect("The coupon in the wallet", coupon["code"], receipt["coupons"][0]["code"])
    expect("How it came there", (coupon["status"], coupon["cause"]), ("ISSUED", "SCAN"))
    words = Text.assemble(
        (f"{coupon['nameEn']} {coupon['nameZh']}\n", "bold"),
        f"1 x {OOLONG.name_en} {OOLONG.name_zh}, at {PLACE}\n",
        f"{coupon['usableFrom']} – {coupon['usableUntil']}\n",
        (str(coupon["code"]), "bold cyan"),
    )
    stage.screen.panel(words, title="Mei's wallet 小美的卡包", style="yellow")
    return str(coupon["code"])


def wallet_status(stage: Stage, code: str) -> str:
    """What has become of Mei's coupon, as she sees it."""
    statuses = {coupon["code"]: str(coupon["status"]) for coupon in _wallet(stage.person(MEI))}
    return statuses[code]


def _wallet(caller: Caller) -> list[Any]:
    return list(caller.ask(WALLET)["me"]["coupons"]["nodes"])
