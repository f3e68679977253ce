"""A scan pays the consumer, the guide, and the store, dealer and salesperson behind the guide."""

from typing import Any

from tests.api import Caller
from tests.scenarios.shop import BOTH_PAID, Shop, outcome

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
