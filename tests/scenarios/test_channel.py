"""A scan pays the consumer, the guide, and the store, dealer and salesperson behind the guide; a
purchase its buyer, and these behind its place."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.api import Caller
from tests.scenarios.shop import BOTH_PAID, Shop, eventually, outcome

WANG, DEALER, SALES = "13900139001", "13700137001", "13700137002"
SHARES = """{ scans(first: 1) { nodes { id guide { displayName }
    channel { role unpaidReason member { id } } } } }"""
RULES = '{ promotions(brand: "demo") { rules } }'


async def on_the_roster(shop: Shop, role: str, phone: str, name: str) -> None:
    entries = [{"phone": phone, "name": name}]
    assert (await shop.admin.done("importRoster", role=role, entries=entries))["rejected"] == []


async def shares(shop: Shop) -> dict[str, tuple[str | None, Any]]:
    """(reason, member's id) by role, of the newest scan."""
    [scan] = (await shop.admin.ask(SHARES))["scans"]["nodes"]
    return {s["role"]: (s["unpaidReason"], (s["member"] or {}).get("id")) for s in scan["channel"]}


async def ids(*callers: Caller) -> list[str]:
    return [(await caller.me())["id"] for caller in callers]


async def test_a_scan_pays_the_whole_channel_and_is_taken_back_from_all_of_it(shop: Shop) -> None:
    await on_the_roster(shop, "DEALER", DEALER, "陈")
    await on_the_roster(shop, "SALESPERSON", SALES, "孙")
    behind = {"dealerPhone": DEALER, "salespersonPhone": SALES}
    east = await shop.store("SH-1", "东店", "13600136001", tills=0, **behind)
    west = await shop.store("SH-2", "西店", "13600136002", tills=0)
    here = [{"phone": WANG, "name": "王", "placeId": east.id}]
    await shop.admin.done("importRoster", role="GUIDE", entries=here)
    wang, sales = await shop.person(WANG, "GUIDE"), await shop.person(SALES, "SALESPERSON")
    dealer = await shop.person(DEALER, "DEALER")
    for somebody in (dealer, sales, east.owner, west.owner):  # the first act enrols
        await somebody.done("checkIn")
    week = {"lock": {"kind": "AFTER", "after": "P7D"}}
    await shop.publish(
        [
            *BOTH_PAID,
            outcome("STORE", "POINTS", 7),
            outcome("DEALER", "CASH", 20) | week,
            outcome("SALESPERSON", "POINTS", 2),
        ],
        caps=[{"subject": "STORE", "window": "DAY", "timesMax": 1}],
        budgets=[{"asset": "CASH", "allowed": 60}],
    )
    assert "门店" not in str(await shop.api.nobody.ask(RULES)), "the channel's pay is nobody else's"
    inner, outer = await shop.print_codes(3, "INNER", "OUTER")
    for code in outer:
        await wang.done("scanCode", code=code)
    consumer = await shop.person("13800138001")

    first = await consumer.done("scanCode", code=inner[0])
    assert [r["amount"] for r in first["rewards"]] == [100, 50], "its own rewards alone"
    store_id, dealer_id, sales_id = await ids(east.owner, dealer, sales)
    paid = {"STORE": (None, store_id), "DEALER": (None, dealer_id), "SALESPERSON": (None, sales_id)}
    assert await shares(shop) == paid
    assert await wang.balances() == {"POINTS": (30, 0)}
    assert await east.owner.balances() == {"POINTS": (7, 0)}
    assert await dealer.balances() == {"CASH": (0, 20)}
    assert await sales.balances() == {"POINTS": (2, 0)}
    [entry] = (await east.owner.me())["entries"]["nodes"]
    assert (entry["asset"], entry["amount"]) == ("POINTS", 7)

    await consumer.done("scanCode", code=inner[1])
    assert await shares(shop) == paid | {"STORE": ("CAP", store_id)}

    await shop.admin.done("setGuidePlace", phone=WANG, placeId=west.id)
    await consumer.done("scanCode", code=inner[2])
    moved = {"STORE": (None, (await ids(west.owner))[0]), "DEALER": ("VACANT", None)}
    assert await shares(shop) == moved | {"SALESPERSON": ("VACANT", None)}
    assert await west.owner.balances() == {"POINTS": (7, 0)}

    reversed_ = await shop.admin.done("reverseScan", scanId=first["scanId"], reason="fraud")
    legs = {(leg["beneficiary"], leg["asset"]): leg for leg in reversed_["legs"]}
    assert legs["STORE", "POINTS"]["taken"] == 7
    assert legs["DEALER", "CASH"]["voided"] == 20
    assert legs["SALESPERSON", "POINTS"]["taken"] == 2
    assert await east.owner.balances() == {"POINTS": (0, 0)}, "whose it was, not whose it is now"
    assert await dealer.balances() == {"CASH": (0, 20)}, "of the second scan"
    assert await sales.balances() == {"POINTS": (2, 0)}
    assert (await shop.host.run("audit"))["broken"] == 0


SOLD = """query ($id: ID!) { node(id: $id) { ... on Purchase {
    channel { role unpaidReason member { id } } returns {
        takings { asset taken owed voided }
        channelTakings { role asset taken owed voided } } } } }"""
FORESEEN = """query ($id: ID!) { node(id: $id) { ... on Simulation { status draft { paid
    costs { asset given locked } unpaid { reason times } channelUnpaid { reason times } } } } }"""
AT_THE_TILL: dict[str, Any] = {
    "code": "till",
    "nameZh": "门店购物",
    "nameEn": "At the till",
    "event": "PURCHASE",
    "priority": 9,
    "outcomes": [
        outcome("CONSUMER", "POINTS", 1) | {"basis": "PER_CURRENCY_UNIT"},
        outcome("STORE", "CASH", 2) | {"basis": "PER_CURRENCY_UNIT"},
        {"beneficiary": "DEALER", "asset": "CASH", "basis": "TABLE"}
        | {"steps": [{"fromFen": 5_000, "amount": 90}]},
        outcome("SALESPERSON", "POINTS", 4) | {"lock": {"kind": "AFTER", "after": "P7D"}},
    ],
    "caps": [{"subject": "STORE", "window": "CAMPAIGN", "timesMax": 3}],
    "budgets": [{"asset": "CASH", "allowed": 900}],
}


@dataclass(frozen=True)
class Till:
    """A place with its channel, and who buys there."""

    shop: Shop
    place_id: str
    behind: dict[str, Caller]
    consumer: Caller

    async def sell(self, prefix: str) -> list[Any]:
        """Six purchases: one at no place, the last one the dealer's own."""
        buyer = (await self.consumer.me())["id"]
        sold = []
        for number, fen in enumerate((10_000, 4_999, 12_000, 8_000, 30_000, 6_000)):
            receipt = await self.shop.admin.done(
                "recordPurchase",
                purchaseRef=f"{prefix}{number}",
                occurredAt=datetime.now(UTC).isoformat(),
                amountFen=fen,
                quantity=1,
                source="TILL",
                placeId=None if number == 1 else self.place_id,
                **({"phone": DEALER} if number == 5 else {"memberId": buyer}),
            )
            sold.append(receipt["purchase"])
        return sold

    async def foresee(self, draft: Any) -> Any:
        """What a dry run over what was sold says of a draft."""
        ask = {"draftId": draft["id"], "past": {"days": 2}}
        asked = await self.shop.admin.done("simulateCampaign", **ask)
        run = await eventually(
            lambda: self.shop.admin.ask(FORESEEN, id=asked["simulation"]["id"]),
            lambda told: told["node"]["status"] == "DONE",
        )
        return run["node"]["draft"]


async def open_till(shop: Shop) -> Till:
    await on_the_roster(shop, "DEALER", DEALER, "陈")
    await on_the_roster(shop, "SALESPERSON", SALES, "孙")
    phones = {"dealerPhone": DEALER, "salespersonPhone": SALES}
    east = await shop.store("SH-1", "东店", "13600136001", tills=0, **phones)
    behind = {
        "STORE": east.owner,
        "DEALER": await shop.person(DEALER, "DEALER"),
        "SALESPERSON": await shop.person(SALES, "SALESPERSON"),
    }
    consumer = await shop.person("13800138001")
    for somebody in (*behind.values(), consumer):  # the first act enrols
        await somebody.done("checkIn")
    return Till(shop, east.id, behind, consumer)


async def test_a_purchase_pays_the_whole_channel_as_foreseen_and_a_return_takes_its_share(
    shop: Shop,
) -> None:
    till = await open_till(shop)
    consumer, (store, dealer, sales) = till.consumer, till.behind.values()
    await till.sell("before")  # which the brand's usual campaign pays
    before, _ = (await consumer.balances())["POINTS"]
    draft = (await shop.admin.done("saveCampaignDraft", **AT_THE_TILL))["draft"]
    foreseen = await till.foresee(draft)
    await shop.admin.done("publishCampaignDraft", draftId=draft["id"], revision=1)
    sold = await till.sell("after")
    ids = {role: (await who.me())["id"] for role, who in till.behind.items()}
    shares = [await channel_of(shop, each["id"]) for each in sold]
    everybody = {role: (None, id) for role, id in ids.items()}
    assert shares == [
        everybody,
        dict.fromkeys(ids, ("NO_PLACE", None)),
        everybody,
        everybody,
        {},
        everybody | {"STORE": ("CAP", ids["STORE"]), "DEALER": ("SELF_DEALING", ids["DEALER"])},
    ], "the fifth met the budget: nobody was paid"
    points, _ = (await consumer.balances())["POINTS"]
    assert points == before + 100 + 49 + 120 + 80
    assert await store.balances() == {"CASH": (200 + 240 + 160, 0)}
    assert await dealer.balances() == {"CASH": (3 * 90, 0)}
    assert await sales.balances() == {"POINTS": (0, 4 * 4)}
    reasons = Counter(
        f"{role} {reason}" for told in shares for role, (reason, _) in told.items() if reason
    )
    assert (foreseen["paid"], foreseen["unpaid"]) == (5, [{"reason": "BUDGET", "times": 1}])
    assert {each["reason"]: each["times"] for each in foreseen["channelUnpaid"]} == reasons
    assert {each["asset"]: (each["given"], each["locked"]) for each in foreseen["costs"]} == {
        "CASH": (600 + 270, 0),
        "POINTS": (349 + 60, 16),
    }
    await half_of_it_comes_back(till, sold[0]["id"])
    assert (await shop.host.run("audit"))["broken"] == 0


async def half_of_it_comes_back(till: Till, purchase_id: str) -> None:
    admin, consumer = till.shop.admin, till.consumer
    told = {"purchaseRef": "after0", "returnRef": "back", "reason": "不合适", "amountFen": 5_000}
    back = await admin.done("returnPurchase", **told)
    assert [(each["asset"], each["taken"]) for each in back["taken"]] == [("POINTS", 50)]
    [seen] = (await admin.ask(SOLD, id=purchase_id))["node"]["returns"]
    assert {(each["role"], each["taken"], each["voided"]) for each in seen["channelTakings"]} == {
        ("STORE", 100, 0),
        ("DEALER", 45, 0),
        ("SALESPERSON", 0, 2),
    }
    assert await till.behind["STORE"].balances() == {"CASH": (500, 0)}
    assert await till.behind["SALESPERSON"].balances() == {"POINTS": (0, 14)}
    mine = (await consumer.ask(SOLD, id=purchase_id))["node"]
    assert mine["channel"] is None and mine["returns"][0]["channelTakings"] is None
    assert mine["returns"][0]["takings"] == seen["takings"]


async def channel_of(shop: Shop, purchase_id: str) -> dict[str, tuple[str | None, Any]]:
    """(reason, member's id) by role."""
    told = (await shop.admin.ask(SOLD, id=purchase_id))["node"]["channel"]
    return {s["role"]: (s["unpaidReason"], (s["member"] or {}).get("id")) for s in told}
