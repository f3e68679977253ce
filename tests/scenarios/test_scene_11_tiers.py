"""Scene 11: growth lifts a member at once, and what the tier grants counts from the next scan; a
tier is held to its period's end and grace, and then falls one step.

Better odds and early access to member days come with draws.
"""

import asyncio
from datetime import date, time
from typing import Any

from tests.api import Caller
from tests.scenarios.calendar_days import CalendarDays, next_year
from tests.scenarios.shop import GROWTH, POINTS, Shop, eventually, outcome


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


# --- a year and a month ------------------------------------------------------------------------

YEAR = next_year()
SPRING, IN_GRACE, GRACE_OVER = date(YEAR, 3, 10), date(YEAR + 1, 1, 10), date(YEAR + 1, 2, 1)
LAST_GRACE = [f"{year + 1}-01-31" for year in (YEAR, YEAR + 1)]
CAKE, CHANCES_EACH = 66, 5
EACH_GROWTH = 60

TIER = """
{ me { id tier { level { rank code } since until basis amount
  keep { threshold amount missing countsFrom by } rise { level { code name } missing by }
  privileges { left privilege { code kind name percent offerCodes } } } } }
"""
PREVIEW = """
query ($input: PreviewLadderInput!) { previewLadder(input: $input) { __typename
  ... on LadderPreview { moves { fromLevel { code } toLevel { code } lowers members memberIds } }
  ... on Refused { code details } } }
"""
CHANGES = """
query ($id: ID!) { tierChanges(memberId: $id) { nodes {
  fromRank toRank reason note occurredAt causeKind transferId } } }
"""


def grants(code: str, kind: str, **values: Any) -> dict[str, Any]:
    """A privilege."""
    return {"code": code, "kind": kind, "nameZh": code, "nameEn": code.title()} | values


def held(code: str, threshold: int | None, *privileges: dict[str, Any]) -> dict[str, Any]:
    """A level; without a threshold one by invitation."""
    named = {"code": code, "nameZh": f"{code} 会员", "nameEn": code.title()}
    earned = {"invitationOnly": True} if threshold is None else {"threshold": threshold}
    return named | earned | {"privileges": list(privileges)}


def yearly(template_id: str, silver: int = 100, gold: int = 200) -> dict[str, Any]:
    """Growth earned in a calendar year; a level is good to its end and a month."""
    cake = grants("CAKE", "BIRTHDAY_GIFT", asset=POINTS, amount=CAKE)
    wash = grants("CAR_WASH", "PERK", quotaCount=1, quotaPeriod="MONTH")
    welcome = grants("WELCOME", "LEVEL_GIFT", couponTemplateId=template_id)
    luck = grants("LUCK", "LEVEL_GIFT", asset="CHANCES", amount=CHANCES_EACH)
    more = [grants(f"X{n}", "POINTS_MULTIPLIER", percent=n) for n in (150, 200)]
    cup = grants("CUP", "OFFER_ACCESS", offerCodes=["golden-cup"])
    return {
        "levels": [
            held("BASIC", 0),
            held("SILVER", silver, welcome, more[0], cake),
            held("GOLD", gold, luck, more[1], cake, wash, cup),
            held("BLACK", None, more[1]),
        ],
        "metric": "EARNED",
        "metricAsset": GROWTH,
        "period": {"kind": "CALENDAR", "unit": "YEAR"},
        "ends": "PERIOD_END",
        "grace": "P1M",
        "downgrade": "ONE_STEP",
    }


async def tier(caller: Caller) -> Any:
    return (await caller.ask(TIER))["me"]["tier"]


async def level_of(caller: Caller) -> tuple[str, str, str | None]:
    """(level, why it is held, the last good day)."""
    now = await tier(caller)
    return now["level"]["code"], now["basis"], now["until"]


async def points_of(caller: Caller, code: str) -> int:
    """What a scan pays."""
    rewards = (await caller.done("scanCode", code=code))["rewards"]
    [amount] = [reward["amount"] for reward in rewards if reward["asset"] == POINTS]
    return int(amount)


async def test_a_tier_is_held_to_the_end_of_its_grace_and_falls_one_step(
    dated_shop: Shop, days: CalendarDays
) -> None:
    shop = dated_shop
    template_id = await shop.template(
        "welcome", "FREE_ITEM", nameZh="再来一瓶", nameEn="Another bottle free"
    )
    ladder = yearly(template_id)
    await shop.admin.done("publishLadder", **ladder)
    await shop.publish([outcome("CONSUMER", POINTS, 100), outcome("CONSUMER", GROWTH, EACH_GROWTH)])
    [codes] = await shop.print_codes(16, "INNER")
    cup_id = await put_a_cup_for_gold(shop)
    await days.go_to(SPRING)
    bottles = iter(codes)
    ann, bob, cat, dan = [await shop.person(f"1380013800{n}") for n in range(1, 5)]

    await climb_to_gold(ann, bottles)
    assert await points_of(ann, next(bottles)) == 200
    assert [await points_of(bob, next(bottles)) for _ in range(2)] == [100, 100]
    await bob.done("setBirthday", month=GRACE_OVER.month, day=GRACE_OVER.day)
    await use_what_gold_grants(shop, ann, bob, cup_id)
    await give_levels_by_hand(shop, cat, dan, bottles)
    await preview_and_publish(shop, ladder, template_id, ann, bob)

    # The year is over, the grace is not: who earns the level again keeps it.
    await days.go_to(IN_GRACE)
    assert await level_of(ann) == ("GOLD", "EARNED", LAST_GRACE[0])
    keep = {"threshold": 250, "amount": 0, "missing": 250, "by": LAST_GRACE[0]}
    assert (await tier(ann))["keep"] == keep | {"countsFrom": f"{YEAR + 1}-01-01"}
    assert await points_of(ann, next(bottles)) == 200
    assert [await points_of(bob, next(bottles)) for _ in range(2)] == [150, 150]
    assert await level_of(bob) == ("SILVER", "EARNED", LAST_GRACE[1])
    wash = {"memberId": (await ann.me())["id"], "code": "CAR_WASH"}
    assert (await shop.admin.done("usePrivilege", **wash))["left"] == 0, "another month"

    await days.go_to(GRACE_OVER, time(0, 1))
    await fall_one_step(shop, ann, cat, dan)
    assert await points_of(ann, next(bottles)) == 150
    refused = await ann.do("redeemOffer", offerId=cup_id)
    assert (refused["code"], refused["details"]["rank"]) == ("RANK_TOO_LOW", 1)
    await eat_a_cake(bob)
    assert (await shop.host.run("audit"))["broken"] == 0


async def put_a_cup_for_gold(shop: Shop) -> str:
    """Above every level that can be earned, but for those whom a privilege lets in."""
    price = {"parts": [{"asset": POINTS, "amount": 10}]}
    terms = {"nameZh": "金杯", "nameEn": "A golden cup", "prices": [price], "rankMin": 3}
    gives = {"kind": "GIFT"}
    made = await shop.admin.done("createOffer", code="golden-cup", gives=gives, terms=terms)
    offer_id: str = made["offer"]["id"]
    return offer_id


async def climb_to_gold(ann: Caller, bottles: Any) -> None:
    """At once, level by level; two scans that cross a threshold together bring its gift once."""
    first = await ann.done("scanCode", code=next(bottles))
    assert (first["tier"]["code"], first["tierChanged"]) == ("BASIC", False)
    rise = (await tier(ann))["rise"]
    level = {"code": "SILVER", "name": "Silver"}
    assert rise == {"level": level, "missing": 40, "by": f"{YEAR}-12-31"}
    second = await ann.done("scanCode", code=next(bottles))
    assert (second["tier"]["code"], second["tierChanged"]) == ("SILVER", True)
    assert await points_of(ann, next(bottles)) == 150
    both = await asyncio.gather(*(ann.done("scanCode", code=next(bottles)) for _ in range(2)))
    assert {receipt["tier"]["code"] for receipt in both} == {"GOLD"}
    assert await level_of(ann) == ("GOLD", "EARNED", LAST_GRACE[0])

    async def gifts() -> tuple[list[str], int]:
        wallet = [coupon["cause"] for coupon in await ann.wallet()]
        return wallet, (await ann.balances()).get("CHANCES", (0, 0))[0]

    assert await eventually(gifts, all) == (["GIFT"], CHANCES_EACH)


async def use_what_gold_grants(shop: Shop, ann: Caller, bob: Caller, cup_id: str) -> None:
    """An offer that is closed to others, and a perk as often as its quota says."""
    granted = {each["privilege"]["code"]: each["left"] for each in (await tier(ann))["privileges"]}
    assert granted == {"LUCK": None, "X200": None, "CAKE": None, "CAR_WASH": 1, "CUP": None}
    mall = "{ mall { nodes { code } } }"
    assert (await ann.ask(mall))["mall"]["nodes"] == [{"code": "golden-cup"}]
    assert (await bob.ask(mall))["mall"]["nodes"] == []
    refused = await bob.do("redeemOffer", offerId=cup_id)
    assert (refused["code"], refused["details"]["rank_min"]) == ("RANK_TOO_LOW", 3)
    assert refused["message"] == "This is for members from Black up; your level is Silver."
    assert (await ann.done("redeemOffer", offerId=cup_id))["order"]["status"] == "PLACED"

    wash = {"memberId": (await ann.me())["id"], "code": "CAR_WASH", "idempotencyKey": "wash"}
    assert (await shop.admin.done("usePrivilege", **wash))["left"] == 0
    assert (await shop.admin.done("usePrivilege", **wash))["replayed"]
    refused = await shop.admin.do("usePrivilege", **wash | {"idempotencyKey": "again"})
    assert refused["code"] == "PRIVILEGE_USED_UP"
    left = {each["privilege"]["code"]: each["left"] for each in (await tier(ann))["privileges"]}
    assert left["CAR_WASH"] == 0
    wash = {"memberId": (await bob.me())["id"], "code": "CAR_WASH"}
    assert (await shop.admin.do("usePrivilege", **wash))["code"] == "NOT_FOUND"


async def give_levels_by_hand(shop: Shop, cat: Caller, dan: Caller, bottles: Any) -> None:
    """An apology until a day; and a level that nobody earns."""
    for member in (cat, dan):
        await member.done("scanCode", code=next(bottles))
    cats, dans = [(await member.me())["id"] for member in (cat, dan)]
    asked = {"memberId": cats, "rank": 2, "until": LAST_GRACE[0], "reason": "致歉"}
    await shop.admin.done("grantTier", **asked)
    assert await level_of(cat) == ("GOLD", "GRANTED", LAST_GRACE[0])
    refused = await shop.admin.do("grantTier", **asked | {"rank": 3})
    assert (refused["code"], refused["details"]) == ("LEVEL_BY_INVITATION", {"level": "BLACK"})
    await shop.admin.done("inviteToTier", memberId=dans, rank=3, reason="创始会员")
    assert await level_of(dan) == ("BLACK", "INVITED", None)


async def preview_and_publish(
    shop: Shop, ladder: dict[str, Any], template_id: str, ann: Caller, bob: Caller
) -> None:
    """Who would move is told before anybody does; and nobody is lowered in silence."""

    async def moves(wanted: dict[str, Any]) -> list[tuple[str, str, bool, list[str]]]:
        preview = (await shop.admin.ask(PREVIEW, input=wanted))["previewLadder"]
        return [
            (move["fromLevel"]["code"], move["toLevel"]["code"], move["lowers"], move["memberIds"])
            for move in preview["moves"]
        ]

    bobs = (await bob.me())["id"]
    assert await moves(yearly(template_id, gold=110)) == [("SILVER", "GOLD", False, [bobs])]
    without_silver = ladder | {
        "levels": [each for each in ladder["levels"] if each["code"] != "SILVER"]
    }
    assert await moves(without_silver) == [("SILVER", "BASIC", True, [bobs])]
    refused = await shop.admin.do("publishLadder", **without_silver)
    assert (refused["code"], refused["details"]) == ("LADDER_LOWERS_MEMBERS", {"members": 1})
    steeper = yearly(template_id, silver=110, gold=250)
    assert await moves(steeper) == []
    assert (await shop.admin.done("publishLadder", **steeper))["version"] == 3
    assert (await level_of(ann))[0] == "GOLD"
    assert (await level_of(bob))[0] == "SILVER"


async def fall_one_step(shop: Shop, ann: Caller, cat: Caller, dan: Caller) -> None:
    """The worker does it soon after midnight. Ann has earned less than silver by then."""
    fallen = ("SILVER", "EARNED", LAST_GRACE[1])
    assert await eventually(lambda: level_of(ann), lambda now: now[0] != "GOLD") == fallen
    assert await level_of(cat) == ("BASIC", "EARNED", None)
    assert await level_of(dan) == ("BLACK", "INVITED", None)
    ids = [(await member.me())["id"] for member in (ann, cat)]
    anns, cats = [(await shop.admin.ask(CHANGES, id=id))["tierChanges"]["nodes"] for id in ids]
    told = [(change["fromRank"], change["toRank"], change["reason"]) for change in anns]
    assert told == [(2, 1, "LAPSED"), (1, 2, "EARNED"), (0, 1, "EARNED")]
    midnight = f"{LAST_GRACE[0]}T16:00:00+00:00"
    assert [change["occurredAt"] for change in (anns[0], cats[0])] == [midnight] * 2
    for rise in anns[1:]:
        assert rise["causeKind"] == "SCAN"
        assert rise["transferId"] is not None
    told = [(change["toRank"], change["reason"], change["note"]) for change in cats]
    assert told == [(0, "GRANT_ENDED", ""), (2, "GRANTED", "致歉")]


async def eat_a_cake(bob: Caller) -> None:
    """On his birthday, once."""
    earned = 100 + 100 + 150 + 150

    async def points() -> int:
        return (await bob.balances())[POINTS][0]

    assert await eventually(points, lambda now: now > earned) == earned + CAKE
    given = [
        entry for entry in (await bob.me())["entries"]["nodes"] if entry["causeKind"] == "GIFT"
    ]
    assert [(entry["asset"], entry["amount"]) for entry in given] == [(POINTS, CAKE)]
