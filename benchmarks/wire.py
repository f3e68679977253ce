"""What goes over the wire: scans and home queries as bytes, and what counts as a good answer."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from benchmarks.load import request_bytes
from benchmarks.postgres import ROOT
from benchmarks.stage import (
    COUPONS_OF_A_REGULAR,
    REGULARS,
    PlannedScan,
    Stage,
    consumer_token,
    operator_token,
)
from graphql_schema.pagination import encode_id
from server.demo_campaign import BUDGETS, CAPS_PER_DAY, demo_campaign_input, demo_ladder_input

TRUSTED = ROOT / "graphql_schema" / "trusted"
SCAN_DOCUMENT = "scan_code.graphql"
HOME_DOCUMENT = "member_home.graphql"
HOME_ENTRIES = 20
HOME_COUPONS = 5
WIDER_CAPS = 100
WIDER_BUDGETS = 1_000
TWIN_QUERY = """
mutation Scan($input: ScanCodeInput!) {
  scanCode(input: $input) {
    id occurredAt verdict unpaidReason product isNewMember tier
    rewards { asset amount locked }
    balances { asset balance }
  }
}
"""

BUY_QUERY = """
mutation Buy($input: BuyCouponInput!) {
  buyCoupon(input: $input) { __typename ... on BuyCouponReceipt { replayed } }
}
"""


def engine_document(name: str) -> dict[str, str]:
    """A trusted document as a shipped client names it."""
    sha256 = hashlib.sha256((TRUSTED / name).read_bytes()).hexdigest()
    return {"documentId": f"sha256:{sha256}"}


def twin_document() -> dict[str, str]:
    """The twin keeps no documents: it gets the text."""
    return {"query": TWIN_QUERY}


def scan_requests(
    stage: Stage, scans: Iterable[PlannedScan], document: dict[str, str], now: datetime
) -> list[bytes]:
    """Scans as whole HTTP requests, each with its consumer's own token."""
    tokens: dict[UUID, str] = {}
    requests = []
    for scan in scans:
        token = tokens.get(scan.identity_id)
        if token is None:
            token = tokens[scan.identity_id] = consumer_token(stage, scan.identity_id, now)
        scan_input = {
            "code": stage.key.encode(stage.inner.number, scan.serial),
            "idempotencyKey": scan.idempotency_key,
            "deviceId": scan.device_id,
            "position": scan.position,
        }
        body = orjson.dumps({**document, "variables": {"input": scan_input}})
        requests.append(request_bytes("/graphql", body, token))
    return requests


def publishing_requests(stage: Stage, now: datetime) -> list[bytes]:
    """The demo's ladder and campaign as an operator publishes them."""
    return _publishing(stage, now, {}, [])


def _publishing(
    stage: Stage, now: datetime, more: dict[str, Any], outcomes: list[dict[str, Any]]
) -> list[bytes]:
    caps = {subject: times * WIDER_CAPS for subject, times in CAPS_PER_DAY.items()}
    budgets = {asset: allowed * WIDER_BUDGETS for asset, allowed in BUDGETS.items()}
    campaign = demo_campaign_input(gate="NONE", caps_per_day=caps, budgets=budgets) | more
    campaign["outcomes"] += outcomes
    campaign["code"] += "-and-a-draw" if "draw" in more else ""
    published = (("publishLadder", demo_ladder_input()), ("publishCampaign", campaign))
    requests = []
    for name, described in published:
        kind = name[0].upper() + name[1:]
        query = (
            f"mutation Publish($input: {kind}Input!) {{ {name}(input: $input)"
            f" {{ __typename ... on {kind}Receipt {{ replayed }} }} }}"
        )
        variables = {"input": {"idempotencyKey": name, **described}}
        body = orjson.dumps({"query": query, "variables": variables})
        requests.append(request_bytes("/graphql", body, operator_token(stage, now)))
    return requests


DRAWING = {
    "prizes": [
        {"code": "BIG", "nameZh": "大奖", "nameEn": "Big", "asset": "CASH", "amount": 1_000}
        | {"stock": 1_000_000, "quotaPerDay": 1_000_000},
        {"code": "SMALL", "nameZh": "小奖", "nameEn": "Small", "asset": "POINTS", "amount": 5}
        | {"stock": 1_000_000, "quotaPerDay": 1_000_000},
        {"code": "THANKS", "nameZh": "谢谢参与", "nameEn": "Thanks"},
    ],
    "stages": [
        {
            "oddsFromPpm": 300_000,
            "entries": [{"prize": "BIG", "weight": 1}, {"prize": "SMALL", "weight": 9}],
        }
    ],
    "consolation": "THANKS",
    "bonuses": [{"condition": "tier.rank >= 1", "ppm": 100_000}],
    "guarantee": {"prize": "SMALL", "drawNo": 5},
}
"""A draw with stock, quotas, odds that rise with the level, and a guarantee."""
LOCKED = {"beneficiary": "CONSUMER", "asset": "CASH", "amount": 20} | {
    "lock": {"kind": "NEXT_SCAN", "count": 1}
}


def drawing_request(stage: Stage, now: datetime) -> bytes:
    """The demo's campaign once more, before the other one: with a draw on each scan, and with cash
    that each scan locks until the member's next one, which unlocks it."""
    [_, request] = _publishing(stage, now, {"draw": DRAWING, "priority": 1}, [LOCKED])
    return request


def buying_requests(stage: Stage, now: datetime) -> list[bytes]:
    """The coupons of the regulars, each bought by its member; nobody's second before everybody's
    first, as a member's purchases wait for each other."""
    template_id = encode_id("CouponTemplate", stage.template_id)
    requests = []
    for number in range(COUPONS_OF_A_REGULAR):
        bought = {"idempotencyKey": f"coupon-{number}", "templateId": template_id}
        body = orjson.dumps({"query": BUY_QUERY, "variables": {"input": bought}})
        requests += [
            request_bytes("/graphql", body, consumer_token(stage, consumer, now))
            for consumer in stage.consumers[:REGULARS]
        ]
    return requests


def home_requests(stage: Stage, consumers: Iterable[UUID], now: datetime) -> list[bytes]:
    """The member's home page, asked by each of the consumers."""
    body = orjson.dumps({**engine_document(HOME_DOCUMENT), "variables": {}})
    return [
        request_bytes("/graphql", body, consumer_token(stage, consumer, now))
        for consumer in consumers
    ]


def is_paid(reply: bytes) -> bool:
    """A first scan that paid its consumer and its guide."""
    answer = orjson.loads(reply)
    if "errors" in answer:
        return False
    receipt = answer["data"]["scanCode"]
    return (
        receipt.get("verdict") == "FIRST"
        and receipt.get("unpaidReason") is None
        and receipt.get("guideUnpaidReason") is None
        and bool(receipt.get("rewards"))
    )


def is_published(reply: bytes) -> bool:
    answer = orjson.loads(reply)
    return "errors" not in answer and all(
        receipt["__typename"].endswith("Receipt") for receipt in answer["data"].values()
    )


def is_bought(reply: bytes) -> bool:
    """A coupon, bought now."""
    answer = orjson.loads(reply)
    if "errors" in answer:
        return False
    return bool(
        answer["data"]["buyCoupon"] == {"__typename": "BuyCouponReceipt", "replayed": False}
    )


def is_home(reply: bytes) -> bool:
    """A home page with a tier, balances, and as many coupons and entries as the bar is of."""
    answer = orjson.loads(reply)
    if "errors" in answer:
        return False
    me = answer["data"]["me"]
    listed = (len(me["coupons"]["nodes"]), len(me["entries"]["nodes"]))
    return bool(me["tier"] and me["balances"] and listed == (HOME_COUPONS, HOME_ENTRIES))
