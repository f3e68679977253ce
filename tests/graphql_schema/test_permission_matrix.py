"""docs/permissions.md is true: every root field as every caller, and every id of another brand."""

import base64
import json
from collections.abc import Iterator
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
from loyalty.actor import CLERK_ROLE, PARTNER_ROLE
from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.settings import Settings
from tests.api import Api, Caller
from tests.graphql_schema.arguments import (
    TYPE_OF_ID,
    Path,
    RootField,
    leaves,
    root_fields,
    with_value,
)
from tests.graphql_schema.lived import BOB, CONNECTIONS, Lived, live, page_cells, who_may
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import CONSUMER, Stage, all_rows, open_stage

DENIED = {"UNAUTHENTICATED", "FORBIDDEN"}
LISTED_BY = {
    "offers": "templateId",
    "tierChanges": "causeId",
    "surveyAnswers": "memberId",
    "referrals": "referredId",
}
"""What tells rows apart that have no id."""
OF_A_MEMBER = {"holds", "tierChanges", "purchases", "memberEvents"}
OTHER_GOODS = {("coupon", "productIds"), ("holdCoupon", "productIds")}
"""What a basket may hold without being told apart: any other id is other goods."""
INSTEAD_OF: dict[tuple[str, Path], dict[str, Any]] = {
    ("simulateCampaign", ("input", "campaignId")): {"draftId": None},
    ("draftFromTemplate", ("input", "productId")): {"couponTemplateId": None},
    ("draftFromTemplate", ("input", "couponTemplateId")): {
        "template": "RAMP",
        "budgetFen": 10**7,
        "startsAt": "2099-03-01T00:00:00+08:00",
        "endsAt": "2099-03-31T00:00:00+08:00",
        "productId": None,
    },
    ("createCouponTemplate", ("input", "offerId")): {
        "kind": "GIFT",
        "productId": None,
        "payFen": None,
        "placeIds": [],
        "productIds": [],
        "costFen": 0,
        "feeFen": 0,
    },
}
"""Of two ids one is given: what of the input is another thing, to try this one."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ours(api: Api, db: Database, settings: Settings) -> Lived:
    return await live(await open_stage(api, db, settings, "ours"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(ours: Lived) -> Lived:
    """Another brand in the same database, made alike, with the same phones."""
    return await live(await ours.stage.sister("theirs"))


def test_the_page_of_permissions_is_the_schemas() -> None:
    assert PERMISSIONS_FILE.read_text() == permissions_page(make_schema()), "type: make schema"
    assert list(ANSWERS_TO_FOREIGN) == [field.name for field in root_fields()]


async def test_every_root_field_answers_every_caller_as_the_page_says(stage: Stage) -> None:
    people = await (await live(stage)).people()
    assert list(people) == list(CALLERS)
    observed: dict[str, list[str]] = {}
    for field in root_fields():
        answers = [await answer(field, caller, stage) for caller in people.values()]
        observed[field.name] = answers
    assert observed == {name: page_cells()[name][:-1] for name in observed}


async def answer(field: RootField, caller: Caller, stage: Stage) -> str:
    # Signing in to a brand that there is takes its time, whatever comes of it.
    variables = field.variables(stage.unknown_id, known={"brand": "nobody"})
    reply = await caller.send(field.document, variables)
    assert reply.status == 200
    assert "INTERNAL" not in reply.codes
    denied = DENIED & set(reply.codes)
    return denied.pop() if denied else MAY


async def test_a_foreign_id_is_answered_like_a_made_up_one_and_changes_nothing(
    ours: Lived, theirs: Lived, db: Database
) -> None:
    people = await theirs.people(ALICE)
    before = await all_rows(db)
    tried = set()
    for field in root_fields():
        for path, kind in id_leaves(field):
            caller = people[who_may(field.name)]
            own = field.variables(theirs.ids.__getitem__, whole=True, known={"after": None})
            if (field.name, path) in INSTEAD_OF:
                own["input"] |= INSTEAD_OF[field.name, path]
            another = next(other for other in ours.ids if other != kind)
            answers = [
                await refusal(caller, field, with_value(own, path, id))
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
            told = page_cells()[field.name][-1]
            if told == "not listed":
                assert answers[0] == {"nodes": []}, (field.name, path)
            else:
                assert answers[0]["code"] == told, (field.name, path)
            tried.add(field.name)
    named = {name for name, told in ANSWERS_TO_FOREIGN.items() if told == "NOT_FOUND"}
    listed = {"redemptions", "adjustments", "webhookDeliveries", "clearingEntries", "auditLog"}
    listed |= {"packings"}
    assert tried == named | OF_A_MEMBER | listed
    assert await all_rows(db) == before


def id_leaves(field: RootField) -> Iterator[tuple[Path, str]]:
    """The places of a field's global ids, each with the type that it wants."""
    for path, type_name in leaves(field):
        name = next(str(step) for step in reversed(path) if isinstance(step, str))
        if type_name != "ID" or name == "idempotencyKey" or field.name == "node":
            continue
        if (field.name, name) not in OTHER_GOODS:
            yield path, TYPE_OF_ID[name]


async def refusal(caller: Caller, field: RootField, variables: dict[str, Any]) -> Any:
    reply = await caller.send(field.document, variables)
    assert "errors" not in reply.body, (field.name, reply.body)
    told = ("code", "message", "details", "nodes")
    return {name: value for name, value in reply.data[field.name].items() if name in told}


NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def test_node_shows_nothing_of_another_brand_and_nothing_that_is_not_there(
    ours: Lived, theirs: Lived
) -> None:
    """What it shows of the caller's own brand: test_rows_shown.py."""
    stage = ours.stage
    people = await theirs.people(ALICE)
    for role in set(CALLERS) - {"anonymous", CLERK_ROLE, PARTNER_ROLE}:
        for kind, id in ours.ids.items():
            assert (await people[role].ask(NODE, id=id))["node"] is None, (role, kind)
    for nothing in (
        stage.unknown_id("Member"),
        encode_id("Brand", stage.brand_id),
        ours.ids["Till"],
        ours.ids["Clerk"],
        "",
        "x" * 200,
        *(base64.b64encode(f"{kind}:{'f' * 32}".encode()).decode() for kind in ours.ids),
        *(base64.b64encode(f"{kind}:{'0' * 32}".encode()).decode() for kind in ours.ids),
    ):
        for caller in (stage.admin, ours.alice):
            assert (await caller.ask(NODE, id=nothing))["node"] is None, nothing


async def test_every_connection_lists_its_own_brand_alone(ours: Lived, theirs: Lived) -> None:
    callers = [await lived.people(ALICE) for lived in (ours, theirs)]
    members = [lived.ids["Member"] for lived in (ours, theirs)]
    for name, role in CONNECTIONS.items():
        id_name = LISTED_BY.get(name, "id")
        head, of = ("$id: ID!, ", "memberId: $id, ") if name in OF_A_MEMBER else ("", "")
        document = (
            f"query ({head}$after: String) {{ {name}({of}first: 100, after: $after)"
            f" {{ nodes {{ id: {id_name} }} pageInfo {{ startCursor }} }} }}"
        )
        whose = [{"id": id} if of else {} for id in members]
        lists = [
            (await people[role].ask(document, **own))[name]
            for people, own in zip(callers, whose, strict=True)
        ]
        mine, yours = ({node["id"] for node in page["nodes"]} - {None} for page in lists)
        assert mine and yours, name
        assert len(mine) == len(yours) or name == "auditLog", name  # as much as was done
        assert not mine & yours, name
        for cursor_of, people, own, allowed in (
            (lists[0], callers[1], whose[1], yours),
            (lists[1], callers[0], whose[0], mine),
        ):
            cursor = cursor_of["pageInfo"]["startCursor"]
            page = (await people[role].ask(document, after=cursor, **own))[name]
            assert {node["id"] for node in page["nodes"]} - {None} <= allowed, name
    connections = {
        field.name for field in root_fields() if str(field.field.type).endswith("Connection!")
    }
    assert connections == set(CONNECTIONS)


async def test_what_hangs_on_rows_and_figures_is_of_the_brand_alone(
    ours: Lived, theirs: Lived
) -> None:
    document = """{ scans { nodes { product { id } member { id entries { nodes { id } } }
                                    guide { id } } }
                    redemptions { nodes { id coupon { id } member { id } place { id } } }
                    payouts { nodes { id place { id } } }
                    places { nodes { id tills { nodes { id } } clerks { nodes { id } } } }
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


async def test_another_brands_coupon_is_answered_like_a_made_up_one(
    ours: Lived, theirs: Lived, db: Database
) -> None:
    before = await all_rows(db)
    clerk, made_up = theirs.shop.clerk, "0000 1111 2222 3333"
    answers = []
    for code in (ours.coupon_code, made_up, "nonsense", ""):
        answers.append(await clerk.look_up(code))
        answers.append(await clerk.do("holdCoupon", code=code))
    assert answers == [answers[0]] * len(answers)
    assert answers[0]["code"] == "COUPON_UNKNOWN"
    # Of another brand's product in the basket nothing is known either.
    for product in (ours.ids["Product"], theirs.stage.unknown_id("Product"), "other goods"):
        seen = await clerk.look_up(theirs.coupon_code, productIds=[product])
        assert (seen["notUsableReason"], seen["product"]) == ("PRODUCT", None), product
    own = await clerk.look_up(theirs.coupon_code, productIds=[theirs.ids["Product"]])
    assert (own["notUsableReason"], own["payFen"]) == (None, 100)
    assert await all_rows(db) == before


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
