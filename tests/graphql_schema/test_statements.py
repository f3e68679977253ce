"""Statements as members and operators read them: the past, what expires, where it came from."""

from datetime import date, datetime, timedelta
from typing import Any

from graphql_schema.pagination import encode_id
from loyalty.actor import OperatorRole, system_actor
from loyalty.clock import utc_now
from rewards.purchases.rules import PurchaseFact
from rewards.purchases.service import settle_purchases
from tests.api import Caller
from tests.graphql_schema.stage import CONSUMER, Stage, outcome

ALICE, BOB = "13800138001", "13800138002"
EARNED = 1_000

CREDITS = """
    nodes { amount locked granted kind causeKind reason occurredAt bookedAt expiresOn entryId
            earnedById scan { occurredAt product { sku } }
            purchase { purchaseRef purchasedOn amountFen } campaign { code version nameEn } }
    pageInfo { hasNextPage endCursor }
"""
EXPLAIN = f"""
query ($asset: AssetCode!, $first: Int, $after: String) {{
  me {{ explain(asset: $asset, first: $first, after: $after) {{ {CREDITS} }} }} }}
"""
EXPLAIN_OF = (
    f"query ($id: ID!) {{ node(id: $id) {{ ... on Member {{ explain {{ {CREDITS} }} }} }} }}"
)
ENTRIES = """
query ($asset: AssetCode, $kinds: [EntryKind!], $from: Date, $until: Date, $first: Int,
       $after: String) {
  me { entries(asset: $asset, kinds: $kinds, bookedFrom: $from, bookedUntil: $until,
               first: $first, after: $after) {
    nodes { id asset amount kind phase account bookedAt } pageInfo { hasNextPage endCursor } } } }
"""
BALANCES = """
query ($at: DateTime, $asset: AssetCode) {
  me { balancesAt(at: $at, asset: $asset) { asset balance locked held owed } } }
"""
EXPIRING = """
query ($days: Int!) { me { expiringLots(withinDays: $days) {
  nodes { asset expiresOn remaining } } } }
"""
BOOKS = """
query ($at: DateTime, $on: Date) { books(at: $at, on: $on) {
  asset issued spent expired reversed outstanding owed } }
"""


async def earned(stage: Stage, phone: str = ALICE) -> tuple[Caller, str]:
    """A consumer with a scan's points, and its member's global id."""
    member = await stage.member(phone)
    await member.done("scanCode", code=await stage.code())
    return member, (await member.me())["id"]


async def moved(stage: Stage, source: str, target: str, amount: int) -> None:
    await stage.admin.done(
        "moveBalance",
        fromMemberId=source,
        toMemberId=target,
        asset="POINTS",
        amount=amount,
        reason="搬家",
    )


async def explained(caller: Caller, **variables: Any) -> list[Any]:
    reply = await caller.ask(EXPLAIN, **{"asset": "POINTS"} | variables)
    return list(reply["me"]["explain"]["nodes"])


async def test_a_balance_is_explained_by_scans_and_the_campaign_that_paid(stage: Stage) -> None:
    await stage.publish([outcome(CONSUMER, EARNED)])
    alice, _ = await earned(stage)
    await stage.publish([outcome(CONSUMER, 2 * EARNED)])
    await earned(stage)
    old, new = await explained(alice)
    assert (old["amount"], new["amount"]) == (EARNED, 2 * EARNED)
    for version, part in enumerate((old, new), 1):
        assert part["causeKind"] == "SCAN"
        assert part["scan"]["product"]["sku"] == "SKU-1"
        assert part["scan"]["occurredAt"] == part["occurredAt"]
        assert (part["campaign"]["code"], part["campaign"]["version"]) == ("scan", version)
        assert part["purchase"] is part["earnedById"] is None
        assert date.fromisoformat(part["expiresOn"]) > utc_now().date() + timedelta(days=700)
    first = (await alice.ask(EXPLAIN, asset="POINTS", first=1))["me"]["explain"]
    assert (first["nodes"], first["pageInfo"]["hasNextPage"]) == ([old], True)
    assert await explained(alice, first=1, after=first["pageInfo"]["endCursor"]) == [new]
    assert await explained(alice, asset="STARS") == []


async def test_what_somebody_else_earned_is_told_to_operators_and_not_to_its_new_owner(
    stage: Stage,
) -> None:
    await stage.publish([outcome(CONSUMER, EARNED)])
    alice, alice_id = await earned(stage)
    bob, bob_id = await earned(stage, BOB)
    await moved(stage, alice_id, bob_id, 300)
    own, given = await explained(bob)
    if own["kind"] == "MOVE":  # Alice's scan is the older one
        own, given = given, own
    assert (own["kind"], own["amount"], own["causeKind"]) == ("EARN", EARNED, "SCAN")
    assert (given["kind"], given["amount"], given["granted"]) == ("MOVE", 300, 300)
    assert (given["causeKind"], given["reason"]) == ("OPERATOR", "搬家")
    assert given["scan"] is given["campaign"] is given["earnedById"] is None
    viewer = stage.operator(OperatorRole.VIEWER)
    told = (await viewer.ask(EXPLAIN_OF, id=bob_id))["node"]["explain"]["nodes"]
    [theirs] = [part for part in told if part["earnedById"]]
    assert (theirs["earnedById"], theirs["amount"], theirs["kind"]) == (alice_id, 300, "EARN")
    assert theirs["scan"]["product"]["sku"] == "SKU-1"
    assert (await alice.ask(EXPLAIN_OF, id=bob_id))["node"] is None
    assert [part["amount"] for part in await explained(alice)] == [EARNED - 300]


async def test_a_purchase_that_made_a_balance_is_named(stage: Stage) -> None:
    fact = PurchaseFact("till-7", "card-1", date(2026, 10, 1), 2, 9_900)
    actor = system_actor(stage.brand_id)
    [settled] = await stage.database.in_transaction(settle_purchases, stage.brand_id, actor, [fact])
    assert settled.member_id is not None
    buyer_id = encode_id("Member", settled.member_id)
    reply = await stage.operator(OperatorRole.VIEWER).ask(EXPLAIN_OF, id=buyer_id)
    [part] = reply["node"]["explain"]["nodes"]
    assert (part["causeKind"], part["scan"]) == ("PURCHASE", None)
    assert part["purchase"] == {
        "purchaseRef": "till-7",
        "purchasedOn": "2026-10-01",
        "amountFen": 9_900,
    }
    assert part["campaign"]["version"] == 1


async def test_entries_are_asked_for_by_asset_kind_and_day(stage: Stage) -> None:
    await stage.publish([outcome(CONSUMER, EARNED), outcome(CONSUMER, 7, "GROWTH")])
    alice, alice_id = await earned(stage)
    _, bob_id = await earned(stage, BOB)
    await moved(stage, alice_id, bob_id, 300)

    async def listed(**wanted: Any) -> list[tuple[str, int]]:
        nodes = (await alice.ask(ENTRIES, **wanted))["me"]["entries"]["nodes"]
        assert all(node["account"] == "MAIN" for node in nodes)
        return [(node["asset"], node["amount"]) for node in nodes]

    everything = await listed()
    assert sorted(everything) == [("GROWTH", 7), ("POINTS", -300), ("POINTS", EARNED)]
    assert await listed(asset="POINTS") == [("POINTS", -300), ("POINTS", EARNED)]
    assert await listed(asset="POINTS", kinds=["MOVE", "SPEND"]) == [("POINTS", -300)]
    today = (utc_now() + timedelta(hours=8)).date()
    days = [(today + timedelta(days=n)).isoformat() for n in (-1, 0, 1)]
    assert await listed(**{"from": days[1], "until": days[1]}) == everything
    assert await listed(until=days[0]) == await listed(**{"from": days[2]}) == []
    page = (await alice.ask(ENTRIES, asset="POINTS", first=1))["me"]["entries"]
    after = page["pageInfo"]["endCursor"]
    assert await listed(asset="POINTS", first=1, after=after) == [("POINTS", EARNED)]
    for wrong in ({"from": days[1], "until": days[0]}, {"from": "1200-01-01"}):
        assert (await alice.send(ENTRIES, wrong)).codes == ["INVALID"]


async def test_past_balances_are_told_by_when_they_were_booked(stage: Stage) -> None:
    await stage.publish([outcome(CONSUMER, EARNED)])
    before = utc_now()
    alice, _ = await earned(stage)
    between = utc_now()
    await alice.done("scanCode", code=await stage.code())

    async def at(time: datetime | str | None, **more: Any) -> dict[str, int]:
        told = time.isoformat() if isinstance(time, datetime) else time
        found = (await alice.ask(BALANCES, at=told, **more))["me"]["balancesAt"]
        return {b["asset"]: b["balance"] for b in found}

    assert await at(before) == {}
    assert await at(between) == {"POINTS": EARNED}
    assert await at(None) == await at(None, asset="POINTS") == {"POINTS": 2 * EARNED}
    assert await at(None, asset="CASH") == {}
    reply = await alice.send(BALANCES, {"at": "2026-11-09T00:00:00"})
    assert reply.codes == ["INVALID"]


async def test_what_expires_soon_is_told_with_its_last_day(stage: Stage) -> None:
    await stage.publish([outcome(CONSUMER, EARNED), outcome(CONSUMER, 7, "GROWTH")])
    alice, _ = await earned(stage)
    assert (await alice.ask(EXPIRING, days=30))["me"]["expiringLots"]["nodes"] == []
    [lot] = (await alice.ask(EXPIRING, days=800))["me"]["expiringLots"]["nodes"]
    assert (lot["asset"], lot["remaining"]) == ("POINTS", EARNED)
    assert [part["expiresOn"] for part in await explained(alice)] == [lot["expiresOn"]]
    for wrong in (-1, 100_000):
        assert (await alice.send(EXPIRING, {"days": wrong})).codes == ["INVALID"]


async def test_the_brands_books_are_for_those_who_keep_them(stage: Stage) -> None:
    await stage.publish([outcome(CONSUMER, EARNED)])
    before = utc_now()
    await earned(stage)
    today = (utc_now() + timedelta(hours=8)).date()
    finance = stage.operator(OperatorRole.FINANCE)

    async def issued(**when: Any) -> list[tuple[int, int]]:
        books = (await finance.ask(BOOKS, **when))["books"]
        assert all(
            b["issued"] == b["spent"] + b["expired"] + b["reversed"] + b["outstanding"]
            for b in books
        )
        return [(b["issued"], b["outstanding"]) for b in books if b["asset"] == "POINTS"]

    now = await issued()
    assert now == await issued(on=today.isoformat()) == [(EARNED, EARNED)]
    assert await issued(at=before.isoformat()) == await issued(on="2026-01-01") == []
    both = {"at": before.isoformat(), "on": "2026-01-01"}
    assert (await finance.send(BOOKS, both)).codes == ["INVALID"]
    for role in (OperatorRole.VIEWER, OperatorRole.MARKETER):
        assert (await stage.operator(role).send(BOOKS)).codes == ["FORBIDDEN"]
    other = (await stage.sister("theirs")).operator(OperatorRole.FINANCE)
    assert (await other.ask(BOOKS))["books"] == []
