"""What goes over the wire: scans and home queries as bytes, and what counts as a good answer."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import orjson

from benchmarks.load import request_bytes
from benchmarks.postgres import ROOT
from benchmarks.stage import PlannedScan, Stage, consumer_token

TRUSTED = ROOT / "graphql_schema" / "trusted"
SCAN_DOCUMENT = "scan_code.graphql"
HOME_DOCUMENT = "member_home.graphql"
TWIN_QUERY = """
mutation Scan($input: ScanCodeInput!) {
  scanCode(input: $input) {
    id occurredAt verdict unpaidReason product isNewMember tier
    rewards { asset amount locked }
    balances { asset balance }
  }
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


def is_home(reply: bytes) -> bool:
    """A home page with a tier, balances and as many entries as asked for."""
    answer = orjson.loads(reply)
    if "errors" in answer:
        return False
    me = answer["data"]["me"]
    return bool(me["tier"] and me["balances"] and len(me["entries"]["nodes"]) == HOME_ENTRIES)


HOME_ENTRIES = 20
