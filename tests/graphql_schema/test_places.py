"""Places, tills and clerks through GraphQL: what is shown to whom, what is shown once, and what a
clerk who signs in is told."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from graphql_schema.pagination import find_id_of
from loyalty.actor import OperatorRole
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import AccountKind
from loyalty.ledger.rules import Book, Cause
from loyalty.ledger.service import (
    issuance_accounts,
    lock_place_accounts,
    payout_accounts,
    write_brands_side,
    write_members_side,
)
from loyalty.settings import Settings
from tests.api import Api, Caller
from tests.graphql_schema.stage import CONSUMER, Stage, all_rows, open_stage

ALICE, WANG, ZHAO = "13800138001", "13900139001", "13900139002"
PIN = "90817263"
PLACE: dict[str, Any] = {
    "code": "SH-001",
    "name": "街角店",
    "address": "上海市南京路1号",
    "latitude": 31.2345,
    "longitude": 121.4737,
    "storePhone": WANG,
    "payee": "store-1",
    "payoutThresholdFen": 10_000,
}
TILL = """{ till { __typename ... on Refused { code }
  ... on Desk { place { id name storePhone rebates { balanceFen } clerks { nodes { id } } }
                till { id name keyHint } clerk { id number name } } } }"""
INSIDE = """
  id name storePhone payee payoutThresholdFen rebates { balanceFen pendingFen payableFen }
  tills { nodes { id name status } } clerks { nodes { id number status lockedUntil } }
"""
NODE = f"query ($id: ID!) {{ node(id: $id) {{ ... on Place {{ {INSIDE} }} }} }}"
BLIND = {
    "storePhone": None,
    "payee": None,
    "payoutThresholdFen": None,
    "rebates": None,
    "tills": None,
    "clerks": None,
}


@dataclass
class Shop:
    """A place with a till and a clerk, set up by a marketer; ids are global."""

    stage: Stage
    marketer: Caller
    place_id: str
    till_id: str
    key: str
    clerk_id: str

    @property
    def words(self) -> dict[str, str]:
        """What the clerk signs in with."""
        return {"brand": self.stage.slug, "tillKey": self.key, "clerkNumber": "w7", "pin": PIN}

    async def clerk(self) -> Caller:
        receipt = await self.stage.api.nobody.done("signInClerk", **self.words)
        return self.stage.api.signed_in(receipt["token"])

    async def refused(self, language: str = "en", **wrong: str) -> Any:
        """What is answered to other words than the right ones."""
        nobody = replace(self.stage.api.nobody, language=language)
        answer = await nobody.do("signInClerk", **(self.words | wrong))
        assert answer.pop("__typename") == "Refused"
        return answer


async def open_shop(stage: Stage, **more: Any) -> Shop:
    marketer = stage.operator(OperatorRole.MARKETER)
    place = (await marketer.done("createPlace", **(PLACE | more)))["place"]
    till = await marketer.done("createTill", placeId=place["id"], name="一号台")
    clerk = await marketer.done("createClerk", placeId=place["id"], number="w7", name="王", pin=PIN)
    assert clerk["pin"] is None
    return Shop(stage, marketer, place["id"], till["till"]["id"], till["key"], clerk["clerk"]["id"])


async def test_a_shop_is_set_up_and_its_clerk_is_told_where_it_stands(stage: Stage) -> None:
    shop = await open_shop(stage)
    clerk = await shop.clerk()
    desk = (await clerk.ask(TILL))["till"]
    assert desk["place"] == {
        "id": shop.place_id,
        "name": "街角店",
        "storePhone": None,
        "rebates": None,
        "clerks": None,
    }
    assert desk["till"] == {"id": shop.till_id, "name": "一号台", "keyHint": shop.key[-4:]}
    assert desk["clerk"] == {"id": shop.clerk_id, "number": "W7", "name": "王"}
    # A clerk's token is good for what says so, and for nothing else.
    for query in ("{ me { id } }", '{ node(id: "x") { id } }', "{ places { nodes { id } } }"):
        assert (await clerk.send(query)).codes == ["FORBIDDEN"]
    for mutation, id_name in (("revokeTill", "tillId"), ("setClerkStatus", "clerkId")):
        input = {id_name: shop.till_id, "reason": "x", "idempotencyKey": "k"}
        more = {"active": True} if mutation == "setClerkStatus" else {}
        name = mutation[0].upper() + mutation[1:]
        reply = await clerk.send(
            f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename }} }}",
            {"input": input | more},
        )
        assert reply.codes == ["FORBIDDEN"]


async def test_who_is_out_of_service_is_told_so_and_its_session_ends(stage: Stage) -> None:
    shop = await open_shop(stage)
    why = {"reason": "旺季结束"}
    place, clerk_id = {"placeId": shop.place_id}, {"clerkId": shop.clerk_id}
    for mutation, out, back in (
        ("setPlaceStatus", place | {"open": False}, place | {"open": True}),
        ("setClerkStatus", clerk_id | {"active": False}, clerk_id | {"active": True}),
        ("revokeTill", {"tillId": shop.till_id}, None),
    ):
        signed_in = await stage.api.nobody.done("signInClerk", **shop.words)
        clerk = stage.api.signed_in(signed_in["token"])
        changed = await shop.marketer.done(mutation, **out, **why)
        [row] = [value for value in changed.values() if isinstance(value, dict)]
        assert row["status"] in ("CLOSED", "LEFT", "REVOKED")
        assert (await clerk.ask(TILL))["till"] == {"__typename": "Refused", "code": "PLACE_CLOSED"}
        assert (await shop.refused())["code"] == "CREDENTIALS_WRONG"
        refreshed = await stage.api.nobody.do(
            "refreshSession", refreshToken=signed_in["refreshToken"]
        )
        assert refreshed["code"] == "REFRESH_TOKEN_WRONG"
        if back is not None:
            await shop.marketer.done(mutation, **back, **why)
            assert (await clerk.ask(TILL))["till"]["__typename"] == "Desk"


async def test_a_key_and_a_pin_are_shown_once_and_kept_nowhere(
    stage: Stage,
    db: Database,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        shop = await open_shop(stage)
        marketer = shop.marketer
        till = {"placeId": shop.place_id, "name": "二号台", "idempotencyKey": "till"}
        made = await asyncio.gather(*(marketer.done("createTill", **till) for _ in range(4)))
        [first] = [one for one in made if not one["replayed"]]
        replays = [one for one in made if one["replayed"]]
        assert [one["key"] for one in replays] == [None] * 3
        assert {one["till"]["id"] for one in made} == {first["till"]["id"]}
        assert first["till"]["keyHint"] == first["key"][-4:]
        conflict = await marketer.do("createTill", **(till | {"name": "三号台"}))
        assert conflict["code"] == "IDEMPOTENCY_CONFLICT"

        given = {"clerkId": shop.clerk_id, "idempotencyKey": "given", "pin": PIN}
        clerk = {"placeId": shop.place_id, "number": "8", "name": "李", "idempotencyKey": "made"}
        for mutation, input, shown in (
            ("setClerkPin", given, False),
            ("createClerk", clerk, True),
        ):
            receipt, replay = [await marketer.done(mutation, **input) for _ in range(2)]
            assert (receipt["replayed"], replay["replayed"]) == (False, True)
            assert (receipt["pin"] is not None, replay["pin"]) == (shown, None)
        other_pin = await marketer.do("setClerkPin", **(given | {"pin": "1234"}))
        assert other_pin["code"] == "IDEMPOTENCY_CONFLICT"
        for key in (first["key"], "till_wrong"):
            await stage.api.nobody.do("signInClerk", **(shop.words | {"tillKey": key}))
    # Nor a hash that the few PINs there are could be tried against.
    body = orjson.dumps({"clerk_id": shop.clerk_id, "pin": PIN}, option=orjson.OPT_SORT_KEYS)
    kept = "\n".join(row for rows in (await all_rows(db)).values() for row in rows)
    printed = capfd.readouterr()
    written = "\n".join(
        [*map(str, logs), *(record.getMessage() for record in caplog.records), *printed]
    )
    for secret in (shop.key, first["key"], PIN, hashlib.sha256(body).hexdigest(), WANG):
        assert secret not in kept
        assert secret not in written
    for secret in (shop.key, first["key"]):
        assert secret.removeprefix("till_")[:20] not in kept


async def test_whatever_is_wrong_a_clerk_gets_one_answer_until_the_pin_is_set_anew(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    shop = await open_shop(stage)
    theirs = await open_shop(await open_stage(api, db, settings, "theirs"))
    answers = [
        await shop.refused(**wrong)
        for wrong in (
            {"tillKey": "till_unknown"},
            {"tillKey": theirs.key},
            {"tillKey": ""},
            {"clerkNumber": "W8"},
            {"clerkNumber": "!"},
            {"pin": "0000"},
            {"pin": ""},
        )
    ]
    assert answers == [answers[0]] * len(answers)
    assert answers[0]["code"] == "CREDENTIALS_WRONG"
    assert (await shop.refused("zh-CN", pin="0000"))["message"].startswith("登录信息有误")
    for _ in range(2):
        await shop.refused(pin="0000")
    assert await shop.refused() == answers[0]  # the fifth wrong PIN has locked it
    listed = await shop.marketer.ask(NODE, id=shop.place_id)
    assert listed["node"]["clerks"]["nodes"][0]["lockedUntil"] is not None
    assert await theirs.clerk()

    renewed = await shop.marketer.done("setClerkPin", clerkId=shop.clerk_id)
    assert renewed["clerk"]["lockedUntil"] is None
    receipt = await api.nobody.done("signInClerk", **(shop.words | {"pin": renewed["pin"]}))
    assert receipt["role"] == "CLERK"


async def book_rebates(tx: Tx, stage: Stage, place_id: str) -> None:
    """5.00 earned, 2.00 to come, 3.00 on its way out."""
    id = find_id_of("Place", place_id)
    assert id is not None
    [place] = (await lock_place_accounts(tx, [(stage.brand_id, id)])).values()
    assert place.kind == AccountKind.PLACE.value
    issuance = (await issuance_accounts(tx, [stage.brand_id]))[
        stage.brand_id, stage.brand_id, "CASH"
    ]
    payout = (await payout_accounts(tx, [stage.brand_id]))[stage.brand_id]
    cause = Cause("REDEMPTION", new_id(), "CLERK", new_id(), "", tx.now)
    book = Book(new_id)
    book.post(issuance, place, 500, "REBATE", cause)
    book.pend(issuance, place, 200, "REBATE", cause)
    book.pend(place, payout, 300, "PAYOUT", cause)
    await write_members_side(tx, book)
    await write_brands_side(tx, book)


async def test_a_place_is_known_to_all_and_its_business_to_the_brand_and_its_own_store(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    shop = await open_shop(stage)
    await open_shop(stage, code="SH-002", storePhone=ZHAO)
    theirs = await open_stage(api, db, settings, "theirs")
    await db.in_transaction(book_rebates, stage, shop.place_id)
    inside = {
        "id": shop.place_id,
        "name": "街角店",
        "storePhone": "+86139****9001",
        "payee": "store-1",
        "payoutThresholdFen": 10_000,
        "rebates": {"balanceFen": 500, "pendingFen": 200, "payableFen": 200},
        "tills": {"nodes": [{"id": shop.till_id, "name": "一号台", "status": "ACTIVE"}]},
        "clerks": {
            "nodes": [
                {"id": shop.clerk_id, "number": "W7", "status": "ACTIVE", "lockedUntil": None}
            ]
        },
    }
    store = await stage.member(WANG, "STORE")
    for caller, seen in (
        (stage.operator(OperatorRole.VIEWER), inside),
        (stage.operator(OperatorRole.FINANCE), inside),
        (store, inside),
        (await stage.member(ZHAO, "STORE"), inside | BLIND),
        (await stage.member(WANG, CONSUMER), inside | BLIND),
        (await stage.member(WANG, "DEALER"), inside | BLIND),
        (theirs.admin, None),
        (await theirs.member(WANG, "STORE"), None),
    ):
        assert (await caller.ask(NODE, id=shop.place_id))["node"] == seen
    document = f"{{ myPlaces {{ {INSIDE} }} }}"
    assert (await store.ask(document))["myPlaces"] == [inside]
    assert (await (await theirs.member(WANG, "STORE")).ask(document))["myPlaces"] == []
    # On the roster, so it may act as a STORE at once.
    assert (await store.do("inviteMember", phone=ALICE))["__typename"] == "InviteMemberReceipt"
    listed = await stage.admin.ask(
        "{ places(first: 1) { nodes { code } pageInfo { hasNextPage } } }"
    )
    assert listed["places"] == {"nodes": [{"code": "SH-002"}], "pageInfo": {"hasNextPage": True}}
    assert (await theirs.admin.ask("{ places { nodes { id } } }"))["places"]["nodes"] == []


async def test_what_makes_no_sense_is_refused_with_its_field(stage: Stage) -> None:
    shop = await open_shop(stage)
    admin = stage.admin
    new: dict[str, Any] = PLACE | {"code": "SH-002"}
    clerk: dict[str, Any] = {"placeId": shop.place_id, "number": "9", "name": "李"}
    till: dict[str, Any] = {"placeId": shop.place_id, "name": "二号台"}
    reason = {"reason": "x"}
    for mutation, input, told in (
        ("createPlace", new | {"code": ""}, "code"),
        ("createPlace", new | {"storePhone": "110"}, "storePhone"),
        ("createPlace", new | {"longitude": None}, "longitude"),
        ("createPlace", new | {"latitude": 90.01}, "latitude"),
        ("createPlace", new | {"payoutThresholdFen": 10**12 + 1}, "payoutThresholdFen"),
        ("createClerk", clerk | {"number": "9-9"}, "number"),
        ("createClerk", clerk | {"pin": "123"}, "pin"),
        ("setClerkPin", {"clerkId": shop.clerk_id, "pin": "１２３４"}, "pin"),
        ("createTill", till | {"name": "x" * 101}, "name"),
        ("revokeTill", {"tillId": shop.till_id, "reason": ""}, "reason"),
        ("createPlace", PLACE, "ALREADY_EXISTS"),
        ("createTill", till | {"name": "一号台"}, "ALREADY_EXISTS"),
        ("createClerk", clerk | {"number": "W7"}, "ALREADY_EXISTS"),
        ("createTill", till | {"placeId": shop.till_id}, "NOT_FOUND"),
        ("createClerk", clerk | {"placeId": stage.unknown_id("Place")}, "NOT_FOUND"),
        ("setClerkPin", {"clerkId": stage.unknown_id("Clerk")}, "NOT_FOUND"),
        ("revokeTill", {"tillId": stage.unknown_id("Till")} | reason, "NOT_FOUND"),
        (
            "setPlaceStatus",
            {"placeId": stage.unknown_id("Place"), "open": True} | reason,
            "NOT_FOUND",
        ),
    ):
        refused = await admin.do(mutation, **input)
        assert told in (refused["code"], refused["details"].get("field")), (mutation, refused)
    assert await shop.clerk()
