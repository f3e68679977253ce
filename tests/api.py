"""The public surface as its callers see it: GraphQL over HTTP, and the ``loyalty`` command.

async with api_of(server.url) as api:          # a real server, or
async with api_in_process(settings) as api:    # the same application without a socket
    guide = api.signed_in(token)
    receipt = await guide.do("scanCode", code=code)
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

from loyalty.db import Database
from loyalty.settings import Settings
from server.asgi import create_app
from tests.forks import run_command
from tests.selections import SELECTIONS

REQUEST_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 120

_KEYLESS = {
    *("requestSignInCode", "signInByCode", "signInOperator", "signInByWechat"),
    *("refreshSession", "signOut", "signInClerk"),
}
_RECEIPTS = {
    "createCodeBatch": "CodeBatchesReceipt",
    "activateCodeBatch": "CodeBatchesReceipt",
    "retireCodeBatch": "CodeBatchesReceipt",
    "signInByCode": "SignInReceipt",
    "signInOperator": "SignInReceipt",
    "signInByWechat": "SignInReceipt",
    "refreshSession": "SignInReceipt",
    "signInClerk": "SignInReceipt",
    "createClerk": "ClerkPinReceipt",
    "setClerkPin": "ClerkPinReceipt",
    **dict.fromkeys(("createWebhookEndpoint", "rotateWebhookSecret"), "WebhookSecretReceipt"),
    **dict.fromkeys(("configureWebhookEndpoint", "replayWebhooks"), "WebhookEndpointReceipt"),
    **dict.fromkeys(("createPartnerKey", "rotatePartnerKey"), "NewPartnerKeyReceipt"),
    **dict.fromkeys(("configurePartnerKey", "revokePartnerKey"), "PartnerKeyReceipt"),
    **dict.fromkeys(("sendTestWebhook", "resendWebhook"), "WebhookDeliveryReceipt"),
}
ME = """
{ me { id role status displayName phone invitedById
       tier { level { rank code pointsMultiplierPercent } nextLevel { code growthThreshold }
              growth growthToNext progressPercent since }
       balances { asset balance spendable locked }
       entries(first: 100) { nodes { id asset amount phase kind causeKind expiresOn } } } }
"""

ITEM = """
query ($code: String!) { item(code: $code) { __typename
  ... on Item { verdict claimed kind scanCount firstScan { at latitude longitude } latestScan { at }
                product { sku } }
  ... on Refused { code message details } } }
"""


WALLET = """
query ($status: CouponStatus) { me { coupons(status: $status, first: 100) { nodes {
  id code templateCode name kind status cause payFen product { sku } placeIds
  usableFrom usableUntil heldUntil endedAt } } } }
"""

LOOK_UP = """
query ($code: String!, $basketFen: BigInt, $productIds: [ID!]) {
  coupon(code: $code, basketFen: $basketFen, productIds: $productIds) { __typename
    ... on CouponAtTill { coupon { code name status } notUsableReason discountFen payFen rebateFen
                          product { sku } takenBy { placeName tillName at status } }
    ... on Refused { code message details } } }
"""


def document_of(mutation: str) -> str:
    """The mutation as one document that takes ``$input``, with the receipt's usual fields."""
    name = mutation[0].upper() + mutation[1:]
    receipt = _RECEIPTS.get(mutation, f"{name}Receipt")
    return (
        f"mutation {name}($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename"
        f" ... on {receipt} {{ {SELECTIONS[mutation]} }}"
        " ... on Refused { code message details } } }"
    )


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def data(self) -> Any:
        return self.body.get("data")

    @property
    def codes(self) -> list[str]:
        """The code of each of ``errors[]``."""
        return [error["extensions"]["code"] for error in self.body.get("errors", [])]


class UnexpectedErrors(AssertionError):
    """A reply with ``errors[]`` where the test wanted data."""


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, or nobody; ``language`` is what its client asks for."""

    api: "Api"
    token: str | None = None
    language: str = "en"

    async def send(self, query: str, variables: dict[str, Any] | None = None) -> Reply:
        """A document as text, whatever comes of it."""
        return await self.api.post({"query": query, "variables": variables}, self)

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of a document; UnexpectedErrors if there are errors."""
        reply = await self.send(query, variables)
        if reply.status != 200 or "errors" in reply.body:
            raise UnexpectedErrors(reply.status, reply.body)
        return reply.data

    async def do(self, mutation: str, **input: Any) -> Any:
        """The receipt or the Refused of a mutation; a fresh idempotency key unless one is given."""
        if mutation not in _KEYLESS:
            input.setdefault("idempotencyKey", str(uuid4()))
        return (await self.ask(document_of(mutation), input=input))[mutation]

    async def done(self, mutation: str, **input: Any) -> Any:
        """The receipt of a mutation; UnexpectedErrors if it is refused."""
        result = await self.do(mutation, **input)
        if result["__typename"] == "Refused":
            raise UnexpectedErrors(mutation, result)
        return result

    async def me(self) -> Any:
        """The caller's own profile; None before its first act."""
        return (await self.ask(ME))["me"]

    async def balances(self) -> dict[str, tuple[int, int]]:
        """(balance, locked) by asset; empty before the first act."""
        me = await self.me()
        return {b["asset"]: (b["balance"], b["locked"]) for b in me["balances"]} if me else {}

    async def wallet(self, status: str | None = None) -> list[Any]:
        """The caller's own coupons, newest first."""
        me = (await self.ask(WALLET, status=status))["me"]
        return list(me["coupons"]["nodes"]) if me else []

    async def look_up(self, code: str, **basket: Any) -> Any:
        """What a coupon would do at the caller's till, or the Refused."""
        return (await self.ask(LOOK_UP, code=code, **basket))["coupon"]


class Api:
    """One server's GraphQL endpoint."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    @property
    def nobody(self) -> Caller:
        return Caller(self)

    def signed_in(self, token: str, language: str = "en") -> Caller:
        return Caller(self, token, language)

    async def post(self, body: Any, caller: Caller) -> Reply:
        """Any JSON body, or raw bytes as they are."""
        headers = {
            "accept": "application/graphql-response+json",
            "accept-language": caller.language,
            "content-type": "application/json",
        }
        if caller.token is not None:
            headers["authorization"] = f"Bearer {caller.token}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = await self.client.post("/graphql", content=content, headers=headers)
        return Reply(reply.status_code, reply.headers, reply.json())


@asynccontextmanager
async def api_of(url: str) -> AsyncIterator[Api]:
    """The API of a server that listens."""
    async with httpx2.AsyncClient(base_url=url, timeout=REQUEST_SECONDS_MAX) as client:
        yield Api(client)


@asynccontextmanager
async def api_in_process(
    settings: Settings, database: Database | None = None
) -> AsyncIterator[Api]:
    """The API of an application in this process: everything but the socket. On a ``database`` with
    a clock of its own, what is written is written at that time; who reads, reads today."""
    app = create_app(settings, database)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://loyalty.test") as client,
    ):
        yield Api(client)


class CommandFailed(AssertionError):
    """A command ended with another code than 0: (arguments, code, standard error)."""


class Host:
    """The command line of the host on one database."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    async def run(self, *arguments: str) -> Any:
        """The JSON that ``loyalty ... --json`` prints; CommandFailed for any code but 0."""
        done = await self.finish(*arguments, "--json")
        if done.returncode:
            raise CommandFailed(arguments, done.returncode, done.stderr)
        return json.loads(done.stdout)

    async def finish(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever its code."""
        return await asyncio.to_thread(self._finish, arguments)

    def _finish(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return run_command(arguments, self._environment, COMMAND_SECONDS_MAX)
