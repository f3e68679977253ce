"""The demo's till: a coupon is taken once, and the store that took it is paid."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from rich.text import Text

from graphql_schema.pagination import find_id_of
from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database
from loyalty.notifications.models import Notification
from loyalty.notifications.queries import list_notifications
from server.demo_client import Caller, StoryBroke, expect
from server.demo_screen import yuan
from server.demo_stage import BRAND, MEI, OOLONG, Stage, clock_time, on_host
from server.demo_store import COST_FEN, FEE_FEN, PLACE, REBATE_FEN, Desk, Store, wallet_status

T = TypeVar("T")

SETTLED_SECONDS_MAX = 30
_REST_SECONDS = 0.05
_CAPTURE_KEY = "receipt-0001"

_COUPON = """query ($code: String!) { coupon(code: $code) {
    ... on CouponAtTill { notUsableReason payFen rebateFen product { sku } takenBy { status } }
    ... on Refused { code } } }"""
_SETTLED = "{ redemptions(first: 5) { nodes { id status settledAt } } }"
_OWN_STORE = """{ myPlaces { name rebates { balanceFen pendingFen payableFen } }
    myPayouts(first: 5) { nodes { number amountFen status provider resolvedAt } } }"""
_WHO_AM_I = "{ me { id } }"

_NEWS = {"COUPON_ISSUED": "won 中奖", "COUPON_REDEEMED": "used 核销"}


def redeem_at_the_till(stage: Stage, store: Store, code: str) -> Any:
    """Looked up, held and captured at one till, while another one tries: the redemption."""
    stage.screen.scene(
        "At the till",
        "到店核销",
        f"Mei shows her coupon at {PLACE}. The till's software speaks GraphQL, too: no paper, no"
        " voucher to send in. While Lan serves her, somebody shows a copy at the other till.",
        "收银系统直连核销：查券、锁定、核销；同一张券在另一台被拒并说明去向。",
    )
    rows = [_wrong_pin(stage, store.first)]
    lan, hao = (_sign_in(stage, desk) for desk in (store.first, store.second))
    stage.callers[store.first.clerk] = lan
    rows += [_look_up(lan, code)]
    held = lan.do("holdCoupon", code=code)["redemption"]
    expect("The redemption", (held["status"], held["product"]["sku"]), ("HELD", OOLONG.sku))
    expect("The coupon in Mei's wallet", wallet_status(stage, code), "HELD")
    until = f"until {clock_time(held['heldUntil'])}, then it lapses by itself 到时自动释放"
    rows += [("Lan holds it", "HELD", until)]
    rows += [_too_late(hao, code, store, held["heldAt"], "HELD", ("en", "zh-CN"))]
    done = lan.attempt("captureRedemption", _CAPTURE_KEY, redemptionId=held["id"])
    expect("The capture", done["redemption"]["status"], "CAPTURED")
    redemption = done["redemption"]
    words = f"at {clock_time(redemption['capturedAt'])}: the bottle is handed over 已核销"
    rows += [("Lan captures it", "CAPTURED", words)]
    again = lan.attempt("captureRedemption", _CAPTURE_KEY, redemptionId=held["id"])
    expect("The same key again", again, done | {"replayed": True})
    rows += [("Her till asks again", "replayed", "same key, same answer: taken once")]
    rows += [_too_late(hao, code, store, redemption["capturedAt"], "CAPTURED", ("en",))]
    expect("The coupon in Mei's wallet", wallet_status(stage, code), "REDEEMED")
    stage.screen.table(("Who does what 谁做什么", "Answer 结果", "In words 说明"), rows)
    stage.screen.done("One coupon, one bottle, whoever tries. 一券一瓶，先到先得。")
    return redemption


def _attempt_sign_in(stage: Stage, desk: Desk, pin: str) -> Any:
    return Caller(stage.client).attempt(
        "signInClerk", brand=BRAND, tillKey=desk.key, clerkNumber=desk.number, pin=pin
    )


def _wrong_pin(stage: Stage, desk: Desk) -> tuple[str, str, str]:
    wrong = f"{(int(desk.pin) + 1) % 10**6:06d}"
    answer = _attempt_sign_in(stage, desk, wrong)
    expect("The answer to a wrong PIN", answer.get("code"), "CREDENTIALS_WRONG")
    words = "the till's key alone opens nothing; five wrong PINs lock the clerk"
    return ("Somebody guesses a PIN", "CREDENTIALS_\nWRONG", words)


def _sign_in(stage: Stage, desk: Desk) -> Caller:
    answer = _attempt_sign_in(stage, desk, desk.pin)
    expect("The clerk's role", answer.get("role"), "CLERK")
    return Caller(stage.client, answer["token"])


def _look_up(clerk: Caller, code: str) -> tuple[str, str, str]:
    seen = clerk.ask(_COUPON, code=code)["coupon"]
    expect(
        "What the till sees",
        seen,
        {
            "notUsableReason": None,
            "payFen": 0,
            "rebateFen": REBATE_FEN,
            "product": {"sku": OOLONG.sku},
            "takenBy": None,
        },
    )
    words = (
        f"1 x {OOLONG.name_en}; the customer pays {yuan(seen['payFen'])}, the store gets"
        f" {yuan(seen['rebateFen'])}. Looking takes nothing"
    )
    return ("Lan signs in with key\nand PIN, looks it up", "usable 可用", words)


def _too_late(
    clerk: Caller, code: str, store: Store, since: str, status: str, languages: tuple[str, ...]
) -> tuple[str, str, str]:
    """The second till is told who has the coupon, and since when, in each language."""
    said = []
    for language in languages:
        caller = Caller(clerk.client, clerk.token, language)
        answer = caller.attempt("holdCoupon", code=code)
        expect("The second till's answer", answer.get("code"), "COUPON_TAKEN")
        told = answer["details"]
        at = datetime.fromisoformat(since).replace(microsecond=0)
        expect("Where it is", (told["place"], told["till"]), (PLACE, store.first.till))
        expect("Since when", datetime.fromisoformat(told["at"]), at)
        expect("How it was taken", told["status"], status)
        said.append(answer["message"])
    return ("Hao tries at till 2", "COUPON_TAKEN", "\n".join(said))


def pay_the_store(stage: Stage, store: Store, redemption: Any) -> None:
    """The worker settles the redemption, the rebate is paid out, and Mei is told."""
    stage.screen.scene(
        "The store is paid",
        "门店到账",
        "The capture left a pending rebate and a fact in the outbox. The server's worker posts"
        " the rebate, sees that the threshold is reached, stores the payout's exact request, and"
        " only then has it paid. Chen, the store's owner, looks at her own books.",
        "核销即记待入账返利，后台任务入账；达到门槛后先存请求、再付款，店主可查。",
    )
    with stage.screen.console.status("Waiting for the worker 等待结算"):
        settled_at = _wait(lambda: _settled_at(stage, redemption["id"]), "settled the redemption")
        place, payout = _wait(lambda: _paid(store.owner), "paid the store")
        messages = _wait(lambda: _news_of_mei(stage), "told Mei of her coupon")
    expect("The store's name", place["name"], PLACE)
    left = {"balanceFen": 0, "pendingFen": 0, "payableFen": 0}
    expect("What the store has still to get", place["rebates"], left)
    expect("The payout", (payout["amountFen"], payout["provider"]), (REBATE_FEN, "null"))
    captured, paid = (clock_time(at) for at in (redemption["capturedAt"], payout["resolvedAt"]))
    amount = yuan(REBATE_FEN)
    rows = [
        (
            captured,
            f"captured: {yuan(COST_FEN)} cost + {yuan(FEE_FEN)} fee",
            "pending 待入账",
            amount,
        ),
        (clock_time(settled_at), "settled by the worker", "booked 已入账", amount),
        (paid, f"payout {payout['number']}", "paid out 已付款", yuan(payout["amountFen"])),
    ]
    stage.screen.table(("Time 时间", "Chen's books 店主账本", "State 状态", ">Amount 金额"), rows)
    stage.screen.done(
        "Settled once, paid once, nothing left over. (The demo's payout provider is the null one:"
        " no real money moves.) 结算一次，付款一次。"
    )
    for message in messages:
        words = Text(f"{message.content['en']}\n{message.content['zh']}")
        stage.screen.panel(words, title=f"To Mei 致小美: coupon {_NEWS[message.kind]}")


def _wait(look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + SETTLED_SECONDS_MAX
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise StoryBroke(f"The worker has not {what} in {SETTLED_SECONDS_MAX} s.")
        time.sleep(_REST_SECONDS)
    return found


def _settled_at(stage: Stage, redemption_id: str) -> str | None:
    """As the operator sees it, among all redemptions of the brand: this one alone."""
    nodes = stage.operator.ask(_SETTLED)["redemptions"]["nodes"]
    seen = [(node["id"], node["status"]) for node in nodes]
    expect("The brand's redemptions", seen, [(redemption_id, "CAPTURED")])
    settled_at: str | None = nodes[0]["settledAt"]
    return settled_at


def _paid(owner: Caller) -> tuple[Any, Any] | None:
    """The owner's place and its one payout, once that is paid."""
    books = owner.ask(_OWN_STORE)
    [place], payouts = books["myPlaces"], books["myPayouts"]["nodes"]
    if [payout["status"] for payout in payouts] != ["PAID"]:
        return None
    return place, payouts[0]


def _news_of_mei(stage: Stage) -> list[Notification] | None:
    """What Mei was told of coupons: rows of the host's database, as no provider is set."""
    member_id = find_id_of("Member", stage.person(MEI).ask(_WHO_AM_I)["me"]["id"])
    if member_id is None:
        raise StoryBroke("Mei has no id.")

    async def read(database: Database) -> list[Notification]:
        async with database.snapshot() as snapshot:
            brand = await get_brand_by_slug(snapshot, BRAND)
            return await list_notifications(snapshot, brand.id, member_id)

    news = [row for row in on_host(stage.settings, read) if row.kind in _NEWS]
    return news if [row.kind for row in news] == list(_NEWS) else None
