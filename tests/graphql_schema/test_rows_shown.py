"""docs/permissions.md is true of rows: every field of every type with an id, as every caller, of
what is its own and of what is another's."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from graphql import (
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from graphql_schema.export import CALLERS, MAY, ROWS_SHOWN
from graphql_schema.schema import FETCH_BY_TYPE
from loyalty.actor import CLERK_ROLE, PARTNER_ROLE, system_actor
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.settings import Settings
from loyalty.webhooks.catalogue import TYPE_BY_NAME, WANTED_NAMES, schema_of
from loyalty.webhooks.service import create_endpoint, replay
from loyalty.webhooks.targets import Sender
from tests.api import Api, Caller
from tests.graphql_schema.arguments import CORE
from tests.graphql_schema.lived import BOB, Lived, live
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import open_stage
from tests.workers.receiver import fits, receiving
from workers.webhook_facts import Describer, replay_webhooks
from workers.webhooks import WebhookSender

NULL_TO_ALL = {
    "Product": {"gtin", "pictureUrl", "ageMin"},
    "Member": {"displayName", "externalRef", "invitedById", "mergedInto", "place"},
    "CodeBatch": {"printedAt", "activatedAt", "retiredAt"},
    "Campaign": {"startsAt", "endsAt", "product", "endedAt", "condition", "draw", "eventType"}
    | {"bonus"},
    "CampaignDraft": {"startsAt", "endsAt", "product", "draw", "eventType", "bonus"},
    "EarningEvent": {"type"},
    "Redemption": {"partnersCoupon"},
    "Simulation": {"problem", "startedAt", "endedAt", "draft", "running"},
    "WebhookEndpoint": {"blockedUntil"},
    "PartnerKey": {"revokedAt"},
    "IssueList": {"endedAt"},
    "ClearingStatement": {"confirmedAt", "partnerConfirmedAt"},
    "ClearingEntry": {"agreementId", "couponId", "redemptionId", "placeName", "tillName"}
    | {"nettingRunId"},
    "ClearingAdjustment": {"decidedAt", "entryId"},
    "NettingRun": {"approvedAt", "decidedAt", "reason"},
    "WebhookDelivery": {"deliveredAt", "deadAt", "lastStatusCode", "lastError"},
    "Raffle": {
        *("seed", "reason", "entriesCount", "entrantsCount"),
        *("closedAt", "drawnAt", "cancelledAt", "settledAt"),
    },
    "ScanEvent": {
        *("unpaidReason", "guideUnpaidReason", "latitude", "longitude", "reversedAt"),
    },
    "CouponTemplate": {
        *("amountOffFen", "usableFrom", "usableUntil", "boughtPerMemberMax", "stockMax"),
        "offerId",
    },
    "Coupon": {"amountOffFen", "endedAt"},
    "Payout": {"failure", "providerReference"},
    "LockedReward": {"couponName", "endedAt"},
    "MallOffer": {
        *("pictureUrl", "fee", "gives", "opensAt", "earlyHours", "earlyRankMin"),
        *("startsAt", "endsAt", "templateCode", "coupon"),
    },
    "OfferOrder": {
        *("couponId", "carrier", "trackingNumber", "reason", "fulfilledAt", "cancelledAt"),
    },
    "Hold": {"endedAt"},
    "Agreement": {"endedAt", "pausedAt", "partnerPausedAt"},
    "Adjustment": {"decidedAt", "decidedById", "decisionReason"},
}
"""What the rows of this test do not have."""

AT_THE_TILL = {
    "Product": "query ($code: String!) { coupon(code: $code) { ... on CouponAtTill"
    " { coupon { found: product { %s } } } } }",
    "Coupon": "query ($code: String!) { coupon(code: $code) { ... on CouponAtTill"
    " { found: coupon { %s } } } }",
    "Place": "{ till { ... on Desk { found: place { %s } } } }",
    "Redemption": "{ myRedemptions { found: nodes { %s } } }",
    "Member": "{ myRedemptions { nodes { found: member { %s } } } }",
}
"""How a clerk, whom ``node`` is closed to, comes to see a row."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lived(api: Api, db: Database, settings: Settings) -> Lived:
    return await live(await open_stage(api, db, settings, "ours"))


def fields_of(kind: str) -> Iterable[str]:
    """A selection for each field, enough of it to see whether there is something."""
    row = CORE.type_map[kind]
    assert isinstance(row, GraphQLObjectType)
    for name, field in row.fields.items():
        yield name + _little_of(get_named_type(field.type))


def _little_of(named: GraphQLNamedType) -> str:
    assert not isinstance(named, GraphQLUnionType)
    if is_leaf_type(named):
        return ""
    if named.name.endswith("Connection"):
        return " { nodes { __typename } }"
    return " { __typename }"


def test_every_type_with_an_id_is_told_of() -> None:
    assert {name for name in ROWS_SHOWN if "." not in name} == set(FETCH_BY_TYPE)
    assert all(list(cells) and set(cells) == set(CALLERS) for cells in ROWS_SHOWN.values())


@pytest.mark.parametrize("kind", FETCH_BY_TYPE)
async def test_a_row_shows_every_caller_what_the_page_says(kind: str, lived: Lived) -> None:
    other_clerk = (await lived.shop.next_door(kind.lower())).clerk
    owners, others = await lived.people(ALICE), await lived.people(BOB, other_clerk)
    names = list(CORE.type_map[kind].fields)  # type: ignore[attr-defined]
    observed: dict[str, dict[str, str]] = {name: {} for name in names}
    for role in CALLERS:
        own, foreign = [await look(lived, role, who[role], kind) for who in (owners, others)]
        for name in names:
            observed[name][role] = told(own.get(name), foreign.get(name))
    nobodys = {name for name, cells in observed.items() if set(cells.values()) == {"null"}}
    assert nobodys == NULL_TO_ALL.get(kind, set())
    for name in set(names) - nobodys:
        assert observed[name] == ROWS_SHOWN.get(f"{kind}.{name}", ROWS_SHOWN[kind]), name


async def look(lived: Lived, role: str, caller: Caller, kind: str) -> dict[str, Any]:
    """The fields of the row as a caller sees it; empty for one that it does not."""
    seen: dict[str, Any] = {}
    every = list(fields_of(kind))
    for half in (every[::2], every[1::2]):  # the longest types cost too much at once
        seen |= await _look_at(lived, role, caller, kind, " ".join(half))
    return seen


async def _look_at(
    lived: Lived, role: str, caller: Caller, kind: str, fields: str
) -> dict[str, Any]:
    if role in ("anonymous", PARTNER_ROLE):
        return {}
    if role != CLERK_ROLE:
        document = f"query ($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {fields} }} }} }}"
        return (await caller.ask(document, id=lived.ids[kind]))["node"] or {}
    if kind not in AT_THE_TILL:
        return {}
    document = AT_THE_TILL[kind] % f"id {fields}"
    variables = {"code": lived.coupon_code} if "$code" in document else {}
    seen = rows_in(await caller.ask(document, **variables))
    return next((row for row in seen if row.get("id") == lived.ids[kind]), {})


def rows_in(value: Any) -> list[dict[str, Any]]:
    """What stands under ``found`` anywhere in a reply."""
    if isinstance(value, list):
        return [row for item in value for row in rows_in(item)]
    if not isinstance(value, dict):
        return []
    found = value.get("found") or []
    own = found if isinstance(found, list) else [found]
    return own + [row for item in value.values() for row in rows_in(item)]


def told(own: Any, foreign: Any) -> str:
    """One cell of the page."""
    seen, other = [
        "null" if value is None else "masked" if "****" in str(value) else MAY
        for value in (own, foreign)
    ]
    if seen == other:
        return seen
    assert other == "null", (own, foreign)
    return "own" if seen == MAY else f"own, {seen}"


async def test_all_that_happened_is_told_outside_as_the_schemas_say(
    lived: Lived, keyring: Keyring
) -> None:
    """An endpoint that wants everything, and is told of it from the beginning by a replay."""
    db, actor = lived.stage.database, system_actor(lived.stage.brand_id)
    async with receiving() as receiver:
        new = await db.in_transaction(
            create_endpoint,
            actor,
            keyring,
            url=receiver.url,
            event_types=WANTED_NAMES,
            description="",
            is_private_allowed=True,
        )
        await db.in_transaction(replay, actor, new.endpoint.id, datetime(2026, 1, 1, tzinfo=UTC))
        while await db.in_transaction(replay_webhooks, 1_000):
            pass
        sender = WebhookSender(db, keyring, Sender(5, is_private_allowed=True), Describer(keyring))
        await sender.run_once()
        await sender.stop()
    for got in receiver.got:
        assert fits(schema_of(TYPE_BY_NAME[got.body["type"]]), got.body), got.body
        assert not {ALICE, lived.coupon_code} & set(re.findall(r"\d+", got.raw.decode()))
    told = {got.body["type"]: got.body["data"] for got in receiver.got}
    assert set(told) >= {
        *("member.enrolled", "scan.paid", "tier.reached", "coupon.issued", "coupon.redeemed"),
        *("coupon.reversed", "payout.paid", "offer.redeemed", "purchase.recorded"),
    }
    assert told["coupon.reversed"]["coupon_id"] == lived.ids["Coupon"]
    assert told["payout.paid"]["payout_id"] == lived.ids["Payout"]
    scan = next(g.body["data"] for g in receiver.got if lived.ids["ScanEvent"] in g.raw.decode())
    assert scan["member_id"] == lived.ids["Member"]
    paid_to = {reward["member_id"] for reward in scan["rewards"]}
    assert paid_to == {scan["member_id"], scan["guide_member_id"]}
