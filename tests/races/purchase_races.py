"""Races of tills over one purchase and its returns; as ``scan_races.py``."""

from collections import Counter as Tally
from typing import Any

from graphql_schema.pagination import encode_id
from loyalty.actor import MemberRole, system_actor
from loyalty.ledger.models import Account, Asset
from loyalty.places.models import Place
from rewards.campaigns.models import CapSubject, CapWindow, EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Cap, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.purchases.models import PurchaseEvent, PurchaseShare
from rewards.returns.models import PurchaseReturn
from tests.races.arena import Arena, Broken
from tests.races.stage import Stage, said
from tests.races.wire import release_at_once, request_bytes

RECORD = """mutation Race($input: RecordPurchaseInput!) { recordPurchase(input: $input) { __typename
  ... on RecordPurchaseReceipt { alreadyRecorded earned { asset amount } balances { balance } }
  ... on Refused { code } } }"""
RETURN = """mutation Race($input: ReturnPurchaseInput!) { returnPurchase(input: $input) { __typename
  ... on ReturnPurchaseReceipt { alreadyRecorded amountFen balances { balance } }
  ... on Refused { code } } }"""
SOLD = {"purchaseRef": "P", "occurredAt": "2026-11-02T09:30:00+08:00", "quantity": 1}
NOTHING_EARNED_FEN = 99
"""Nobody's accounts are locked for it: nothing but the purchase itself keeps its returns apart."""


def _record(stage: Stage, token: str, key: str, amount_fen: int, **told: str) -> bytes:
    sold = {**SOLD, "source": "TILL", "externalRef": "ann", "amountFen": amount_fen, **told}
    return request_bytes(token, RECORD, {"input": {"idempotencyKey": key, **sold}})


def _give_back(token: str, key: str, ref: str, amount_fen: int, purchase_ref: str = "P") -> bytes:
    back = {"purchaseRef": purchase_ref, "returnRef": ref, "reason": "races"}
    told = {"idempotencyKey": key, **back, "amountFen": amount_fen}
    return request_bytes(token, RETURN, {"input": told})


async def _race(arena: Arena, field: str, requests: list[bytes]) -> list[dict[str, Any]]:
    return [said(answer, field) for answer in await release_at_once(arena.ports, requests)]


def _ends(replies: list[dict[str, Any]]) -> Tally[str]:
    """How many did something, how many repeated it, and how many were refused with which code."""
    return Tally(
        str(reply.get("code", reply.get("fault", "again" if reply.get("alreadyRecorded") else "")))
        for reply in replies
    )


async def one_purchase_is_recorded_once(arena: Arena, size: int) -> Broken:
    """One purchase of somebody new, told by many tills at once: it is recorded once, and all are
    told of it."""
    broken = Broken()
    stage = await arena.stage("bought").build(pays=False)
    token = stage.operator()
    requests = [_record(stage, token, f"k{n}", 10_000) for n in range(size)]
    replies = await _race(arena, "recordPurchase", requests)
    ends = _ends(replies)
    broken.unless(ends == Tally({"": 1, "again": size - 1}), f"recorded once, not {dict(ends)}")
    rows = await stage.rows(PurchaseEvent)
    broken.unless(len(rows) == 1, f"{len(rows)} purchases under one reference")
    said_of = {str(reply.get("earned")) for reply in replies}
    broken.unless(len(said_of) == 1, f"all are told the same, not {said_of}")
    return broken


async def a_purchase_is_returned_up_to_its_amount(arena: Arena, size: int) -> Broken:
    """A third of a purchase, given back by a crowd, each by a reference of its own: three may."""
    broken = Broken()
    stage = await arena.stage("returned").build(pays=False)
    token = stage.operator()
    await _race(arena, "recordPurchase", [_record(stage, token, "k", NOTHING_EARNED_FEN)])
    third = NOTHING_EARNED_FEN // 3
    requests = [_give_back(token, f"r{n}", f"R{n}", third) for n in range(size)]
    ends = _ends(await _race(arena, "returnPurchase", requests))
    broken.unless(
        ends == Tally({"": 3, "RETURN_TOO_LARGE": size - 3}), f"three may, not {dict(ends)}"
    )
    [purchase], returns = await stage.rows(PurchaseEvent), await stage.rows(PurchaseReturn)
    broken.unless(
        (purchase.returned_fen, len(returns)) == (NOTHING_EARNED_FEN, 3),
        f"{len(returns)} returns, {purchase.returned_fen} fen",
    )
    return broken


async def one_return_is_made_once(arena: Arena, size: int) -> Broken:
    """One return, sent by many at once under keys of their own: it takes once."""
    broken = Broken()
    stage = await arena.stage("return").build(pays=False)
    token = stage.operator()
    await _race(arena, "recordPurchase", [_record(stage, token, "k", NOTHING_EARNED_FEN)])
    requests = [_give_back(token, f"r{n}", "R", 1) for n in range(size)]
    ends = _ends(await _race(arena, "returnPurchase", requests))
    broken.unless(ends == Tally({"": 1, "again": size - 1}), f"made once, not {dict(ends)}")
    [purchase] = await stage.rows(PurchaseEvent)
    broken.unless(purchase.returned_fen == 1, f"{purchase.returned_fen} fen are back")
    return broken


async def a_places_store_is_paid_up_to_its_cap(arena: Arena, size: int) -> Broken:
    """Everybody buys at one place: all are paid, its store up to its cap; and everybody brings it
    back, which takes from buyer and store at once. Nobody waits for another in a circle."""
    broken = Broken()
    stage = await arena.stage("sold").build(pays=False)
    (guide,) = await stage.guides(1)
    store_id = await stage.store_of(guide)
    [place] = await stage.rows(Place)
    sold = CampaignDefinition(
        code="sold",
        name_zh="购物",
        name_en="Sold",
        event=EventKind.PURCHASE,
        priority=9,
        outcomes=(
            Outcome(MemberRole.CONSUMER, Asset.POINTS, OutcomeBasis.FIXED, 3),
            Outcome(MemberRole.STORE, Asset.CASH, OutcomeBasis.FIXED, 7),
        ),
        caps=(Cap(CapSubject.STORE, CapWindow.CAMPAIGN, 5),),
    )
    await stage.db.in_transaction(publish_campaign, system_actor(stage.brand_id), sold)
    token, at = stage.operator(), encode_id("Place", place.id)
    requests = [
        _record(stage, token, f"k{n}", 100, purchaseRef=f"P{n}", externalRef=f"b{n}", placeId=at)
        for n in range(size)
    ]
    ends = _ends(await _race(arena, "recordPurchase", requests))
    broken.unless(ends == Tally({"": size}), f"all are recorded, not {dict(ends)}")
    shares = Tally((row.unpaid_reason, row.member_id) for row in await stage.rows(PurchaseShare))
    wanted = Tally({(None, store_id): 5, ("CAP", store_id): size - 5})
    broken.unless(shares == wanted, f"the cap is 5, and {dict(shares)}")
    requests = [_give_back(token, f"r{n}", f"R{n}", 100, f"P{n}") for n in range(size)]
    ends = _ends(await _race(arena, "returnPurchase", requests))
    broken.unless(ends == Tally({"": size}), f"all are returned, not {dict(ends)}")
    owned = [row for row in await stage.rows(Account) if row.owner_id == store_id]
    left = [(row.credits_posted, row.debits_posted) for row in owned]
    broken.unless(left == [(35, 35)], f"the store had 35 and has nothing, not {left}")
    return broken
