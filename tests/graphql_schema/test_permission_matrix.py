"""docs/permissions.md is true: every root field as every caller, and every id of another brand."""

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest_asyncio

from graphql_schema.export import (
    ANSWERS_TO_FOREIGN,
    CALLERS,
    MAY,
    PERMISSIONS_FILE,
    permissions_page,
)
from graphql_schema.pagination import encode_id
from graphql_schema.schema import make_schema
from loyalty.access.tokens import TokenIssuer
from loyalty.actor import MemberRole, OperatorRole
from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.settings import Settings
from tests.api import Api, Caller
from tests.graphql_schema.arguments import (
    TYPE_OF_ID,
    RootField,
    leaves,
    root_fields,
    with_value,
)
from tests.graphql_schema.stage import CONSUMER, Stage, all_rows, open_stage

ALICE, BOB, WANG = "13800138001", "13800138002", "13900139001"
DENIED = {"UNAUTHENTICATED", "FORBIDDEN"}
CONNECTIONS = ("members", "codeBatches", "scans", "campaigns", "products")


@dataclass
class Lived:
    """A brand with one of everything; ``ids`` are global, by type."""

    stage: Stage
    ids: dict[str, str]
    alice: Caller
    guide: Caller
    fresh_code: str


async def live(stage: Stage) -> Lived:
    """A guide sells, Alice buys: each brand is made alike."""
    await stage.publish()
    [batch_id, _] = ids = await stage.order(2, "INNER", "OUTER")
    [inner, fresh], [outer, _] = [await stage.print(id, 2) for id in ids]
    await stage.admin.done("activateCodeBatch", id=batch_id)
    guide, alice = await stage.guide(WANG), await stage.member(ALICE)
    await guide.done("scanCode", code=outer)
    scanned = await alice.done("scanCode", code=inner)
    campaigns = await stage.admin.ask("{ campaigns { nodes { id } } }")
    found = {
        "Product": stage.product_id,
        "Member": (await alice.me())["id"],
        "CodeBatch": (await stage.order(1))[0],
        "Campaign": campaigns["campaigns"]["nodes"][0]["id"],
        "ScanEvent": scanned["scanId"],
    }
    return Lived(stage, found, alice, guide, fresh)


@pytest_asyncio.fixture
async def ours(stage: Stage) -> Lived:
    return await live(stage)


@pytest_asyncio.fixture
async def theirs(api: Api, db: Database, settings: Settings, ours: Lived) -> Lived:
    """Another brand in the same database, made alike, with the same phones."""
    return await live(await open_stage(api, db, settings, "theirs"))


def test_the_page_of_permissions_is_the_schemas() -> None:
    assert PERMISSIONS_FILE.read_text() == permissions_page(make_schema()), "type: make schema"
    assert list(ANSWERS_TO_FOREIGN) == [field.name for field in root_fields()]


def page_cells() -> dict[str, list[str]]:
    """The cells after each field's name, as docs/permissions.md has them."""
    rows = {}
    for line in PERMISSIONS_FILE.read_text().splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows[name.strip("`")] = cells
    return rows


async def test_every_root_field_answers_every_caller_as_the_page_says(stage: Stage) -> None:
    people: dict[str, Caller] = {"anonymous": stage.api.nobody}
    for role in MemberRole:
        people[role.value] = await stage.member(BOB, role.value)
    for operator_role in OperatorRole:
        people[operator_role.value] = stage.operator(operator_role)
    assert list(people) == list(CALLERS)
    page = page_cells()
    observed: dict[str, list[str]] = {}
    for field in root_fields():
        observed[field.name] = [await answer(field, caller, stage) for caller in people.values()]
    assert observed == {name: cells[:-1] for name, cells in page.items()}


async def answer(field: RootField, caller: Caller, stage: Stage) -> str:
    id_of = stage.unknown_id
    reply = await caller.send(field.document, field.variables(id_of))
    assert reply.status == 200
    assert "INTERNAL" not in reply.codes
    denied = DENIED & set(reply.codes)
    return denied.pop() if denied else MAY


async def test_a_foreign_id_is_answered_like_a_made_up_one_and_changes_nothing(
    ours: Lived, theirs: Lived, db: Database
) -> None:
    before = await all_rows(db)
    tried = set()
    for field in root_fields():
        for path, type_name in leaves(field):
            name = str(path[-1])
            if type_name != "ID" or name == "idempotencyKey" or field.name == "node":
                continue
            own = field.variables(theirs.ids.__getitem__, whole=True)
            kind = TYPE_OF_ID[name]
            another = next(other for other in ours.ids if other != kind)
            answers = [
                await refusal(theirs.stage.admin, field, with_value(own, path, id))
                for id in (
                    ours.ids[kind],
                    theirs.stage.unknown_id(kind),
                    theirs.ids[another],
                    ours.ids[another],
                    "no id at all",
                    "",
                )
            ]
            assert answers == [answers[0]] * len(answers), path
            assert answers[0]["code"] == page_cells()[field.name][-1], (field.name, path)
            tried.add(field.name)
    named = {name for name, told in ANSWERS_TO_FOREIGN.items() if told == "NOT_FOUND"}
    assert tried == named
    assert await all_rows(db) == before


async def refusal(caller: Caller, field: RootField, variables: dict[str, Any]) -> Any:
    reply = await caller.send(field.document, variables)
    assert "errors" not in reply.body, (field.name, reply.body)
    return {name: reply.data[field.name].get(name) for name in ("code", "message", "details")}


NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def test_node_shows_each_caller_its_own_and_null_for_all_else(
    ours: Lived, theirs: Lived
) -> None:
    stage = ours.stage
    everything = set(ours.ids)
    bob = await stage.member(BOB)
    for caller, seen in (
        (stage.operator(OperatorRole.VIEWER), everything),
        (ours.alice, {"Product", "Member"}),
        (bob, {"Product"}),
        (ours.guide, {"Product"}),
        (theirs.stage.admin, set()),
        (theirs.alice, set()),
        (await theirs.stage.member(BOB), set()),
    ):
        for kind, id in ours.ids.items():
            data = await caller.ask(NODE, id=id)
            expected = {"__typename": kind, "id": id} if kind in seen else None
            assert data["node"] == expected, kind
        for nothing in (
            stage.unknown_id("Member"),
            encode_id("Brand", stage.brand_id),
            "",
            "x" * 200,
            *(base64.b64encode(f"{kind}:{'f' * 32}".encode()).decode() for kind in everything),
            *(base64.b64encode(f"{kind}:{'0' * 32}".encode()).decode() for kind in everything),
        ):
            assert (await caller.ask(NODE, id=nothing))["node"] is None


async def test_every_connection_lists_its_own_brand_alone(ours: Lived, theirs: Lived) -> None:
    for name in CONNECTIONS:
        document = (
            f"query ($after: String) {{ {name}(first: 100, after: $after)"
            " { nodes { id } pageInfo { startCursor } } }"
        )
        lists = [(await lived.stage.admin.ask(document))[name] for lived in (ours, theirs)]
        mine, yours = ({node["id"] for node in page["nodes"]} for page in lists)
        assert len(mine) == len(yours) > 0
        assert not mine & yours
        for cursor_of, caller, allowed in (
            (lists[0], theirs.stage.admin, yours),
            (lists[1], ours.stage.admin, mine),
        ):
            cursor = cursor_of["pageInfo"]["startCursor"]
            page = (await caller.ask(document, after=cursor))[name]
            assert {node["id"] for node in page["nodes"]} <= allowed
    connections = {
        field.name for field in root_fields() if str(field.field.type).endswith("Connection!")
    }
    assert connections == set(CONNECTIONS)


async def test_what_hangs_on_rows_and_figures_is_of_the_brand_alone(
    ours: Lived, theirs: Lived
) -> None:
    document = """{ scans { nodes { product { id } member { id entries { nodes { id } } }
                                    guide { id } } }
                    codeBatches { nodes { product { id } } } figures { scans newMembers } }"""
    found = []
    for lived in (ours, theirs):
        data = await lived.stage.admin.ask(document)
        assert {batch["product"]["id"] for batch in data["codeBatches"]["nodes"]} == {
            lived.ids["Product"]
        }
        assert data["figures"]["newMembers"] <= 2
        found.append(set(ids_in(data)))
    assert not found[0] & found[1]


def ids_in(value: Any) -> list[str]:
    """Every id anywhere in a reply."""
    if isinstance(value, list):
        return [id for item in value for id in ids_in(item)]
    if isinstance(value, dict):
        own = [value["id"]] if "id" in value else []
        return own + [id for item in value.values() for id in ids_in(item)]
    return []


async def test_another_brands_code_is_answered_like_a_made_up_one(
    ours: Lived, theirs: Lived
) -> None:
    made_up = ours.fresh_code[:3] + "0" * 26
    item = (
        "query ($code: String!) { item(code: $code) { ... on Refused { code message details } } }"
    )
    answers = []
    for code in (ours.fresh_code, made_up, "nonsense"):
        answers.append((await theirs.alice.ask(item, code=code))["item"])
        answers.append(await theirs.alice.do("scanCode", code=code))
    for answered in answers:
        answered.pop("__typename", None)
        assert answered == answers[0]
    assert answers[0]["code"] == "CODE_UNKNOWN"
    paid = await ours.alice.done("scanCode", code=ours.fresh_code)
    assert (paid["verdict"], paid["scanCount"]) == ("FIRST", 1)


async def test_a_token_of_one_brand_is_nobody_in_another(ours: Lived, theirs: Lived) -> None:
    assert (await ours.alice.me())["id"] == ours.ids["Member"]
    assert (await theirs.alice.me())["id"] == theirs.ids["Member"]
    listed = await theirs.stage.admin.ask("{ members { nodes { id } } }")
    assert ours.ids["Member"] not in ids_in(listed)


async def test_a_token_that_is_not_ours_or_is_over_gets_401(
    stage: Stage, settings: Settings
) -> None:
    now = utc_now()
    token = (await stage.member(BOB, CONSUMER)).token
    assert token is not None
    header, claims, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    actor = stage.tokens.verify(token, now)
    assert actor is not None
    strangers = TokenIssuer(b"s" * 32, settings.token_ttl_seconds)
    for forged in (
        stage.tokens.issue(actor, now - timedelta(seconds=settings.token_ttl_seconds + 1)),
        stage.tokens.issue(actor, now + timedelta(days=1)),
        strangers.issue(actor, now),
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{claims}.",
        f"{header}.{part(decoded | {'aud': 'elsewhere'})}.{signature}",
        f"{header}.{part(decoded | {'brand': new_id().hex})}.{signature}",
        f"{header}.{part(decoded | {'kind': 'OPERATOR', 'role': 'ADMIN'})}.{signature}",
        f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': '../../dev/null'})}.{claims}.{signature}",
        token[:-2],
        f"{header}.{claims}.",
        "",
        "null",
        "a" * 5_000,
    ):
        reply = await stage.api.signed_in(forged).send("{ me { id } }")
        assert (reply.status, reply.codes) == (401, ["UNAUTHENTICATED"]), forged
        assert "data" not in reply.body


def part(value: dict[str, Any]) -> str:
    """One part of a token, unsigned."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
