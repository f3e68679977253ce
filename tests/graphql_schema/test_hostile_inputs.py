"""Every argument of every root field is fed what no honest client sends: it is refused cleanly,
or kept exactly; it is never our failure."""

import json
from typing import Any
from uuid import uuid4

import pytest

from graphql_schema.pagination import encode_id
from loyalty.ids import new_id
from tests.api import Reply
from tests.graphql_schema.arguments import RootField, leaves, root_fields, with_value
from tests.graphql_schema.stage import Stage

HOLE = "@@hole@@"
MEMBER_FIELDS = {"me", "item", "scanCode", "inviteMember"}

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
BY_TYPE: dict[str, list[Any]] = {
    "String": [*TEXTS, 0, 1.5, *ODD],
    "ID": [*TEXTS, *NUMBERS, *ODD],
    "Int": [*NUMBERS, "1", *ODD],
    "BigInt": [*NUMBERS, "1", "-1", "+1", " 1", "1e3", "٣", *ODD],
    "Float": [*NUMBERS, 90.1, -180.1, *ODD],
    "Boolean": [0, 1, "true", *ODD],
    "Date": [*DATES, 0, *ODD],
    "DateTime": [*TIMES, *DATES, 0, *ODD],
}
TAKES_RAW = {"Int", "BigInt", "Float", "ID", "String"}


def bodies(field: RootField, variables: dict[str, Any], path: Any, kind: str) -> list[bytes]:
    """A request body for each hostile value at one place."""
    found = []
    for value in BY_TYPE.get(kind, ["NO_SUCH_NAME", "", 0, *ODD]):
        body = {"query": field.document, "variables": with_value(variables, path, value)}
        found.append(json.dumps(body).encode())
    if kind in TAKES_RAW:
        with_hole = with_value(variables, path, HOLE)
        text = json.dumps({"query": field.document, "variables": with_hole})
        found += [text.replace(f'"{HOLE}"', raw).encode() for raw in RAW]
    return found


def wrong_with(reply: Reply) -> str | None:
    """What a reply must not be; None for a clean one."""
    if reply.status not in (200, 400, 413):
        return f"status {reply.status}"
    if "INTERNAL" in reply.codes or "Traceback" in str(reply.body):
        return "our failure"
    if reply.data is None and not reply.codes:
        return "neither data nor a code"
    return None


@pytest.mark.parametrize("field", root_fields(), ids=lambda field: field.name)
async def test_no_value_of_any_argument_is_our_failure(field: RootField, stage: Stage) -> None:
    await stage.publish()
    ids = {"Product": stage.product_id, "CodeBatch": (await stage.order())[0]}
    code = await stage.code()
    alice = await stage.member("13800138001")
    await alice.done("scanCode", code=code)
    ids["Member"] = (await alice.me())["id"]
    failures = []
    for number, (path, kind) in enumerate(leaves(field)):
        # A new person for each place: who guesses codes is throttled before anything is read.
        caller = stage.admin
        if field.name in MEMBER_FIELDS:
            caller = await stage.member(f"137001370{number:02d}")
        variables = field.variables(ids.__getitem__, whole=True)
        if field.name in ("item", "scanCode"):
            place = ("code",) if field.name == "item" else ("input", "code")
            variables = with_value(variables, place, code)
        for body in bodies(field, variables, path, kind):
            fresh = body.replace(b'"idempotencyKey": "', b'"idempotencyKey": "%s' % new_key())
            problem = wrong_with(await stage.api.post(fresh, caller))
            if problem is not None:
                failures.append((path, body[-120:], problem))
    assert not failures, "\n".join(map(str, failures[:20]))


def new_key() -> bytes:
    return uuid4().hex[:8].encode()


async def test_nul_in_a_literal_is_refused_like_nul_in_a_variable(stage: Stage) -> None:
    for literal in (r'"a\u0000b"', r'"\u{0}"', '"""\\u0000"""', r'"\uD800"', r'"\u{D800}"'):
        consumer = await stage.member("13800138001")
        reply = await consumer.send(f"{{ item(code: {literal}) {{ __typename }} }}")
        assert wrong_with(reply) is None, literal


async def test_cursors_that_are_none_of_ours_are_invalid(stage: Stage) -> None:
    for name in ("members", "codeBatches", "scans", "campaigns", "products"):
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
                reply = await stage.admin.send(
                    f"query ($a: String, $n: Int)"
                    f" {{ {name}(after: $a, first: $n) {{ nodes {{ id }} }} }}",
                    {"a": cursor, "n": size},
                )
                assert wrong_with(reply) is None, (name, cursor)
                assert reply.codes in ([], ["INVALID"])
        for size in (0, -1, 101, 2**31 - 1):
            reply = await stage.admin.send(f"{{ {name}(first: {size}) {{ nodes {{ id }} }} }}")
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
    level = {"code": "A", "nameZh": "甲", "nameEn": "A", "growthThreshold": 0}
    odd = level | {"code": "B", "growthThreshold": amount}
    refused = await stage.admin.do("publishLadder", levels=[level, odd])
    assert refused["code"] == "INVALID_INPUT"


@pytest.mark.parametrize("words", ["", "\x1b[31mred", "line\nline", "a\u2028b", "r" * 501])
async def test_reasons_and_codes_that_a_reader_would_choke_on_are_refused(
    words: str, stage: Stage
) -> None:
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
    ):
        assert (await stage.admin.do(mutation, **input))["code"] == "INVALID_INPUT", mutation
    move = ids | {"asset": "POINTS", "amount": 1, "reason": words}
    assert (await stage.admin.do("moveBalance", **move))["code"] in ("INVALID_INPUT", "NOT_FOUND")


def test_every_kind_of_argument_is_fed() -> None:
    kinds = {kind for field in root_fields() for _, kind in leaves(field)}
    assert {"String", "ID", "Int", "BigInt", "Float", "Boolean", "Date", "DateTime"} <= kinds
