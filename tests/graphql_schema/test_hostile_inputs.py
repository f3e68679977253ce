"""Every argument of every root field is fed what no honest client sends: it is refused cleanly,
or kept exactly; it is never our failure."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from graphql_schema.pagination import encode_id
from loyalty.access.service import add_wechat_app
from loyalty.actor import CLERK_ROLE, system_actor
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.settings import Settings
from tests.api import Api, Caller, Reply
from tests.fakes.wechat import APP, APP_SECRET
from tests.graphql_schema.arguments import Path, RootField, leaves, root_fields, with_value
from tests.graphql_schema.lived import CONNECTIONS, Lived, live, who_may
from tests.graphql_schema.shop import ALICE, TEMPLATE, open_shop
from tests.graphql_schema.stage import Stage, open_stage

HOLE = "@@hole@@"
COUPON, FRESH = "@@coupon@@", "@@fresh@@"
"""The number of a coupon not used yet, and what no other request has: one for each request."""
HASHED = {"signInOperator", "signInClerk", "createClerk", "setClerkPin"}
"""Each try of these hashes for a fifth of a second."""

TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\u202eevil\u202c",
    "👨‍👩‍👧‍👦🏳️‍🌈",
    "=cmd|' /C calc'!A0",
    "'; DROP TABLE members; --",
    "{noun} {0.__class__} %s %n",
    "\x1b[31m\r\n\t\x7f",
    "\u2028\u2029\ufeff\uffff",
    "Ａ１２３４５６７８９０１",
    "x" * 200_000,
    "x" * 1_000_000,
    "𝔘" * 50_000,
    "٣" * 11,
]
NUMBERS = [0, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30]
RAW = ["1e309", "-1e309", "NaN", "Infinity", "1.5", "-0.0", "1e3", "5e-324", "00", "0x10"]
ODD: list[Any] = [None, True, [], {}, [[]], {"a": 1}, "9223372036854775807", "9223372036854775808"]
DATES = ["0001-01-01", "9999-12-31", "2026-02-30", "2026-13-01", "now", "-1", "20261109", ""]
TIMES = [
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-11-09T00:00:00",
    "2026-11-09T00:00:00+99:99",
    "2026-11-09T24:00:01Z",
    "0000-00-00T00:00:00Z",
]
KEPT_BY_TYPE: dict[str, list[Any]] = {
    "String": TEXTS,
    "ID": [*TEXTS, *NUMBERS],
    "Int": NUMBERS,
    "BigInt": [*NUMBERS, "1", "-1", "+1", " 1", "1e3", "٣"],
    "Float": [*NUMBERS, 90.1, -180.1],
    "Boolean": [],
    "Date": DATES,
    "DateTime": [*TIMES, *DATES],
}
"""What may come as far as the database."""
REFUSED_BY_TYPE: dict[str, list[Any]] = {
    "String": [0, 1.5],
    "Int": ["1"],
    "Boolean": [0, 1, "true"],
    "Date": [0],
    "DateTime": [0],
    "ID": [],
    "BigInt": [],
    "Float": [],
}
"""What no scalar takes; any other type is an enum."""
TAKES_RAW = {"Int", "BigInt", "Float", "ID", "String"}


def kept(kind: str) -> list[Any]:
    return KEPT_BY_TYPE.get(kind, [])


def refused(kind: str) -> list[Any]:
    return [*REFUSED_BY_TYPE.get(kind, ["NO_SUCH_NAME", "", 0]), *ODD]


def body_of(field: RootField, variables: dict[str, Any]) -> bytes:
    return json.dumps({"query": field.document, "variables": variables}).encode()


def raw_bodies(field: RootField, variables: dict[str, Any], path: Path, kind: str) -> list[bytes]:
    """Numbers as JSON has them and Python has not."""
    if kind not in TAKES_RAW:
        return []
    body = body_of(field, with_value(variables, path, HOLE))
    return [body.replace(f'"{HOLE}"'.encode(), raw.encode()) for raw in RAW]


def wrong_with(reply: Reply) -> str | None:
    """What a reply must not be; None for a clean one."""
    if reply.status not in (200, 400, 413):
        return f"status {reply.status}"
    if "INTERNAL" in reply.codes or "Traceback" in str(reply.body):
        return "our failure"
    if reply.data is None and not reply.codes:
        return "neither data nor a code"
    return None


@dataclass(frozen=True)
class Target:
    """A brand that much happens to: what is closed, frozen or revoked is not what others need."""

    lived: Lived
    ids: dict[str, str]
    carol: str

    async def caller(self, field: RootField, number: int) -> Caller:
        """Somebody new for each place: who guesses codes is throttled before anything is read."""
        stage, role = self.lived.stage, who_may(field.name)
        if field.name == "buyCoupon":
            return self.lived.alice
        if role == CLERK_ROLE:
            return (await self.lived.shop.another_clerk(new_id().hex[-12:]))[1]
        if role == "STORE":
            return await stage.member(ALICE, "STORE")
        return stage.admin if role == "ADMIN" else await stage.member(f"137001370{number:02d}")

    async def variables(self, field: RootField, path: Path) -> dict[str, Any]:
        """Good ones, that lead as deep as can be."""
        shop, ids = self.lived.shop, dict(self.ids)
        if field.name in ("captureRedemption", "voidRedemption"):
            ids["Redemption"] = await shop.held()
        if field.name == "reverseRedemption":
            ids["Redemption"] = await shop.captured()
        if field.name == "voidCoupon":
            ids["Coupon"] = (await shop.coupon())["id"]
        known = {"brand": self.lived.stage.slug, "toMemberId": self.ids["Member"], "after": None}
        known |= {"fromMemberId": self.carol, "tillKey": shop.till_key, "appId": APP}
        if field.name.startswith("create"):
            known |= {"sku": FRESH, "code": FRESH, "number": FRESH}
        if field.name in ("item", "scanCode"):
            known["code"] = self.lived.fresh_code
        if field.name in ("coupon", "holdCoupon"):
            known["code"] = COUPON if field.name == "holdCoupon" else self.lived.coupon_code
        found = field.variables(ids.__getitem__, whole=True, known=known)
        return fitting(field, path, found)


def fitting(field: RootField, path: Path, variables: dict[str, Any]) -> dict[str, Any]:
    """An outcome is an amount where that is tried, and a coupon money off."""
    of_campaign = field.name in ("publishCampaign", "saveCampaignDraft")
    if of_campaign and path[-1] in ("asset", "amount", "basis"):
        amount = {"couponTemplateId": None, "asset": "POINTS", "amount": 1}
        variables["input"]["outcomes"][0] |= amount
    if field.name == "createCouponTemplate" and path[-1] in ("amountOffFen", "spendMinFen"):
        money_off = {"kind": "AMOUNT_OFF", "productId": None, "payFen": None, "amountOffFen": 1}
        variables["input"] |= money_off
    return variables


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(api: Api, db: Database, settings: Settings) -> Target:
    lived = await live(await open_stage(api, db, settings, "ours"))
    stage = lived.stage
    system = system_actor(stage.brand_id)
    await db.in_transaction(add_wechat_app, system, stage.keyring, APP, APP_SECRET)
    spare = await lived.shop.next_door("spare")
    carol = await stage.member("13800138003")
    await carol.done("scanCode", code=await stage.code())
    ids = lived.ids | {"Place": spare.place_id, "Till": spare.till_id, "Clerk": spare.clerk_id}
    return Target(lived, ids, (await carol.me())["id"])


@pytest.mark.parametrize("field", root_fields(), ids=lambda field: field.name)
async def test_no_value_of_any_argument_is_our_failure(
    field: RootField, target: Target, database_url: str
) -> None:
    is_first = database_url.startswith("sqlite")
    failures = []
    for number, (path, kind) in enumerate(leaves(field)):
        variables = await target.variables(field, path)
        caller = await target.caller(field, number)
        bodies = [body_of(field, with_value(variables, path, value)) for value in kept(kind)]
        if is_first:  # reaches no database: one of them is enough
            bodies += [body_of(field, with_value(variables, path, odd)) for odd in refused(kind)]
            bodies += raw_bodies(field, variables, path, kind)
        if field.name in HASHED:  # an eighth at each place, and another one on the other database
            bodies = bodies[(number + 4 * is_first) % 8 :: 8]
        for body in bodies:
            problem = wrong_with(await send(target, body, caller))
            if problem is not None:
                failures.append((path, body[-120:], problem))
    assert not failures, "\n".join(map(str, failures[:20]))


async def send(target: Target, body: bytes, caller: Caller) -> Reply:
    """With a key of its own, and a coupon of its own where one is to be taken."""
    key = uuid4().hex[:8].encode()
    fresh = body.replace(b'"idempotencyKey": "', b'"idempotencyKey": "%s' % key)
    fresh = fresh.replace(FRESH.encode(), key)
    if COUPON.encode() in fresh:
        coupon = await target.lived.shop.coupon()
        fresh = fresh.replace(COUPON.encode(), coupon["code"].encode())
    return await target.lived.stage.api.post(fresh, caller)


async def test_nul_in_a_literal_is_refused_like_nul_in_a_variable(stage: Stage) -> None:
    for literal in (r'"a\u0000b"', r'"\u{0}"', '"""\\u0000"""', r'"\uD800"', r'"\u{D800}"'):
        consumer = await stage.member("13800138001")
        reply = await consumer.send(f"{{ item(code: {literal}) {{ __typename }} }}")
        assert wrong_with(reply) is None, literal


async def test_cursors_that_are_none_of_ours_are_invalid(target: Target) -> None:
    people = await target.lived.people(ALICE)
    for name, role in CONNECTIONS.items():
        for cursor in (
            "",
            "x",
            "WzFd",  # [1]
            "WzkyMjMzNzIwMzY4NTQ3NzU4MDdd",  # [2^63 - 1]
            "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd",  # [2^63]
            "WzE4NDQ2NzQ0MDczNzA5NTUxNjE1XQ",  # [2^64 - 1]
            "Wy0xXQ",  # [-1]
            "WzIxNDc0ODM2NDhd",  # [2^31]
            "WyJmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZiJd",
            "a" * 600,
        ):
            for size in (1, 100):
                reply = await people[role].send(
                    f"query ($a: String, $n: Int)"
                    f" {{ {name}(after: $a, first: $n) {{ nodes {{ __typename }} }} }}",
                    {"a": cursor, "n": size},
                )
                assert wrong_with(reply) is None, (name, cursor)
                assert reply.codes in ([], ["INVALID"])
        for size in (0, -1, 101, 2**31 - 1):
            document = f"{{ {name}(first: {size}) {{ nodes {{ __typename }} }} }}"
            reply = await people[role].send(document)
            assert reply.codes == ["INVALID"], (name, size)


@pytest.mark.parametrize(
    "name",
    [
        "\u202e酒啤\u202c",
        "👨‍👩‍👧‍👦🏳️‍🌈 特供",
        "=1+1",
        "'; DROP TABLE products; --",
        "𝔘𝔫𝔦",
        "{noun} %s",
        "ﷺ",
    ],
)
async def test_what_is_accepted_comes_back_exactly(name: str, stage: Stage) -> None:
    made = await stage.admin.done("createProduct", sku="ODD", nameZh=name, nameEn=name)
    shown = await stage.admin.ask(
        "query ($id: ID!) { node(id: $id) { ... on Product { nameZh nameEn } } }",
        id=made["product"]["id"],
    )
    assert shown["node"] == {"nameZh": name, "nameEn": name}

    place = {"code": "odd", "name": name, "address": name, "payoutThresholdFen": 1}
    place_id = (await stage.admin.done("createPlace", **place))["place"]["id"]
    await stage.admin.done("createTill", placeId=place_id, name=name)
    shown = await stage.admin.ask(
        "query ($id: ID!) { node(id: $id) { ... on Place { name address"
        " tills { nodes { name } } } } }",
        id=place_id,
    )
    tills = {"nodes": [{"name": name}]}
    assert shown["node"] == {"name": name, "address": name, "tills": tills}


@pytest.mark.parametrize("amount", [0, -1, 2**63 - 1, -(2**63), 10**15 + 1])
async def test_an_amount_out_of_range_is_a_typed_refusal(amount: int, stage: Stage) -> None:
    person = await stage.member("13800138001")
    await person.done("inviteMember", phone="13800138002")
    id = (await person.me())["id"]
    for mutation, input, field in (
        ("createCodeBatch", {"productId": stage.product_id, "kinds": ["INNER"]}, "quantity"),
        (
            "moveBalance",
            {
                "fromMemberId": id,
                "toMemberId": encode_id("Member", new_id()),
                "asset": "CASH",
                "reason": "r",
            },
            "amount",
        ),
    ):
        refused = await stage.admin.do(mutation, **input, **{field: amount})
        assert refused["code"] in ("INVALID_INPUT", "NOT_FOUND"), mutation
    for part in (
        {"outcomes": [{"beneficiary": "CONSUMER", "asset": "POINTS", "amount": amount}]},
        {"budgets": [{"asset": "POINTS", "allowed": amount}]},
        {"caps": [{"subject": "MEMBER", "window": "DAY", "timesMax": amount}]},
    ):
        good = {"outcomes": [{"beneficiary": "CONSUMER", "asset": "POINTS", "amount": 1}]}
        words = {"code": "odd", "nameZh": "坏", "nameEn": "Odd"}
        refused = await stage.admin.do("publishCampaign", **words, **(good | part))
        assert refused["code"] == "INVALID_INPUT"
    template = TEMPLATE | {"code": "odd"}
    for name in ("amountOffFen", "pointsPrice", "stockMax"):
        refused = await stage.admin.do("createCouponTemplate", **(template | {name: amount}))
        assert refused["details"]["field"] == name
    place = {"code": "odd", "name": "坏", "address": "坏", "payoutThresholdFen": amount}
    assert (await stage.admin.do("createPlace", **place))["code"] == "INVALID_INPUT"
    level = {"code": "A", "nameZh": "甲", "nameEn": "A", "growthThreshold": 0}
    odd = level | {"code": "B", "growthThreshold": amount}
    refused = await stage.admin.do("publishLadder", levels=[level, odd])
    assert refused["code"] == "INVALID_INPUT"


@pytest.mark.parametrize("words", ["", "\x1b[31mred", "line\nline", "a\u2028b", "r" * 501])
async def test_reasons_and_codes_that_a_reader_would_choke_on_are_refused(
    words: str, stage: Stage
) -> None:
    shop = await open_shop(stage)
    [batch_id] = await stage.order()
    ids = {"fromMemberId": stage.unknown_id("Member"), "toMemberId": stage.unknown_id("Member")}
    person = await stage.member("13800138001")
    await person.done("inviteMember", phone="13800138002")
    freeze = {"memberId": (await person.me())["id"], "frozen": True}
    level = {"code": words, "nameZh": "甲", "nameEn": "A", "growthThreshold": 0}
    for mutation, input in (
        ("retireCodeBatch", {"id": batch_id, "reason": words}),
        ("setMemberStatus", freeze | {"reason": words}),
        ("publishLadder", {"levels": [level]}),
        ("setPlaceStatus", {"placeId": shop.place_id, "open": False, "reason": words}),
        ("revokeTill", {"tillId": shop.till_id, "reason": words}),
        ("setClerkStatus", {"clerkId": shop.clerk_id, "active": False, "reason": words}),
        ("voidCoupon", {"couponId": (await shop.coupon())["id"], "reason": words}),
        ("reverseRedemption", {"redemptionId": await shop.captured(), "reason": words}),
    ):
        assert (await stage.admin.do(mutation, **input))["code"] == "INVALID_INPUT", mutation
    move = ids | {"asset": "POINTS", "amount": 1, "reason": words}
    assert (await stage.admin.do("moveBalance", **move))["code"] in ("INVALID_INPUT", "NOT_FOUND")


def test_every_kind_of_argument_is_fed() -> None:
    kinds = {kind for field in root_fields() for _, kind in leaves(field)}
    assert {"String", "ID", "Int", "BigInt", "Float", "Boolean", "Date", "DateTime"} <= kinds
