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
from tests.servers import LOYALTY

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
}
_BATCHES = "replayed batches { id number kind purpose quantity status }"
_SIGNED_IN = "token role expiresAt refreshToken refreshExpiresAt"

_PLACE = """
    id code name address latitude longitude status storePhone payee payoutThresholdFen
    rebates { balanceFen pendingFen payableFen }
"""
_TILL = "id name keyHint status"
_CLERK = "id number name status lockedUntil"

_ASSET = """
    code name nameZh nameEn status adjustmentLimit
    expiry { kind unit count plusUnit on text }
"""
_HOLD = "id memberId asset amount captured status reason heldAt heldUntil endedAt"
_ADJUSTMENT = """
    id memberId asset amount status reason proposedById proposedAt decidedById decidedAt
    decisionReason
"""
_TEMPLATE = "id code kind status issued stockMax pointsPrice"
_COUPON = "id code templateCode kind status cause usableFrom usableUntil endedAt"
_OFFER = """
    id code name kind status stockMax perDayMax taken rankMin opensAt earlyHours earlyRankMin
    pictureUrl templateCode gives { asset amount } fee { asset amount }
    prices { rankMin parts { asset amount } } limits { window rankMin timesMax }
"""
_ORDER = """
    id quantity status orderedOn delivery carrier trackingNumber reason fulfilledAt cancelledAt
    offer { id name } parts { purpose asset amount }
"""
_PURCHASE = """
    id purchaseRef source purchasedOn occurredAt quantity amountFen returnedFen pointsGranted
    memberId
    lines { lineNo sku quantity amountFen returnedQuantity returnedFen product { sku } }
    returns { returnRef amountFen leftFen reason
              lines { lineNo quantity amountFen } takings { asset taken owed voided } }
"""
_AFTER_PURCHASE = """
    tierBefore { rank code } tierAfter { rank code nameZh nameEn }
    balances { asset balance spendable locked }
"""
_EVENT = """
    id kind eventRef type payload memberId occurredAt unpaidReason
    earned { asset amount locked }
"""
_TASK = "code name role counts target period startsAt endsAt forEverybody"
_REDEMPTION = """
    id status basketFen discountFen payFen rebateFen heldAt heldUntil capturedAt settledAt endedAt
    reason tillName clerkName place { id name } product { sku } coupon { id code }
    events { step actorKind tillName clerkName reason createdAt }
"""

SELECTIONS = {
    "requestSignInCode": "sentTo expiresInSeconds",
    "signInByCode": _SIGNED_IN,
    "signInOperator": _SIGNED_IN,
    "signInByWechat": _SIGNED_IN,
    "refreshSession": _SIGNED_IN,
    "signOut": "signedOut",
    "signInClerk": _SIGNED_IN,
    "createPlace": f"replayed place {{ {_PLACE} }}",
    "setPlaceStatus": f"replayed place {{ {_PLACE} }}",
    "createTill": f"replayed key till {{ {_TILL} }}",
    "revokeTill": f"replayed till {{ {_TILL} }}",
    "createClerk": f"replayed pin clerk {{ {_CLERK} }}",
    "setClerkPin": f"replayed pin clerk {{ {_CLERK} }}",
    "setClerkStatus": f"replayed clerk {{ {_CLERK} }}",
    "scanCode": """
        replayed scanId occurredAt verdict unpaidReason guideUnpaidReason scanCount
        firstScan { at latitude longitude } latestScan { at latitude longitude }
        product { id sku name } rewards { asset amount locked }
        coupons { id code templateCode nameZh nameEn kind usableFrom usableUntil }
        balances { asset balance locked } tier { rank code } tierChanged isNewMember
    """,
    "inviteMember": "replayed phone",
    "importRoster": "replayed added unchanged rejected { index reason }",
    "setMemberStatus": "replayed member { id role status }",
    "mergeMembers": """
        replayed couponCount lockedRewardCount assets { asset amount owed repaid }
        member { id role status mergedInto { id } }
    """,
    "createProduct": "replayed product { id sku nameZh nameEn gtin pictureUrl }",
    "createCodeBatch": _BATCHES,
    "activateCodeBatch": _BATCHES,
    "retireCodeBatch": _BATCHES,
    "publishCampaign": """
        replayed campaign { id code version gate budgets { asset allowed spent reserved } }
    """,
    **dict.fromkeys(
        ("publishCampaignDraft", "pauseCampaign", "resumeCampaign", "endCampaign"),
        "replayed campaign { id code version status endedAt condition }",
    ),
    **dict.fromkeys(
        ("saveCampaignDraft", "deleteCampaignDraft", "draftFromTemplate"),
        "replayed draft { id code revision condition }",
    ),
    **dict.fromkeys(
        ("simulateCampaign", "cancelSimulation"),
        "replayed simulation { id campaignCode status }",
    ),
    "publishLadder": "replayed version role levels { rank code growthThreshold }",
    **dict.fromkeys(
        ("grantTier", "inviteToTier", "endTierGrant"),
        "replayed tier { level { rank code } basis until }",
    ),
    "usePrivilege": "replayed code left",
    "reportAction": "replayed unlocked",
    "voidLockedReward": "replayed lockedReward { id asset amount status endedAt }",
    "reverseScan": """
        replayed couponsVoided scan { id reversedAt }
        legs { beneficiary asset taken owed voided left }
    """,
    "setBirthday": "replayed birthday",
    "changeBirthday": "replayed birthday",
    "moveBalance": "replayed transferCount amount",
    "moveBalances": "replayed legCount transferCount",
    "createAsset": f"replayed asset {{ {_ASSET} }}",
    "configureAsset": f"replayed asset {{ {_ASSET} }}",
    "holdBalance": f"replayed hold {{ {_HOLD} }}",
    "captureHold": f"replayed hold {{ {_HOLD} }}",
    "releaseHold": f"replayed hold {{ {_HOLD} }}",
    "adjustBalance": f"replayed adjustment {{ {_ADJUSTMENT} }}",
    "approveAdjustment": f"replayed adjustment {{ {_ADJUSTMENT} }}",
    "rejectAdjustment": f"replayed adjustment {{ {_ADJUSTMENT} }}",
    "reverseTransfer": "replayed asset taken owed left givenBack",
    "createCouponTemplate": f"replayed template {{ {_TEMPLATE} }}",
    "setCouponTemplateStatus": f"replayed template {{ {_TEMPLATE} }}",
    "buyCoupon": f"""
        replayed coupon {{ {_COUPON} }} balances {{ asset balance spendable locked }}
    """,
    "voidCoupon": f"replayed coupon {{ {_COUPON} }}",
    "createOffer": f"replayed offer {{ {_OFFER} }}",
    "updateOffer": f"replayed offer {{ {_OFFER} }}",
    "redeemOffer": f"""
        replayed order {{ {_ORDER} }} coupons {{ {_COUPON} }}
        balances {{ asset balance spendable locked }}
    """,
    "fulfilOrder": f"replayed order {{ {_ORDER} }}",
    "cancelOrder": f"replayed order {{ {_ORDER} }}",
    "holdCoupon": f"replayed redemption {{ {_REDEMPTION} }}",
    "captureRedemption": f"replayed redemption {{ {_REDEMPTION} }}",
    "voidRedemption": f"replayed redemption {{ {_REDEMPTION} }}",
    "reverseRedemption": f"replayed redemption {{ {_REDEMPTION} }}",
    "recordPurchase": f"""
        replayed alreadyRecorded purchase {{ {_PURCHASE} }} earned {{ asset amount locked }}
        {_AFTER_PURCHASE}
    """,
    "checkIn": f"replayed alreadyCheckedIn event {{ {_EVENT} }}",
    "registerEventType": """
        replayed eventType { code version name fields { name kind required since } }
    """,
    "postEvents": """
        replayed results { eventRef status eventId unpaidReason earned { asset amount locked }
                           refused { code message details } }
    """,
    "createRaffle": "replayed raffle { id code status seedHash worstCase { asset amount } }",
    "enterRaffle": "replayed entry { id raffleCode message entrant won { place } }",
    "cancelRaffle": "replayed raffle { id code status reason }",
    "createTask": f"replayed task {{ {_TASK} }}",
    "endTask": f"replayed task {{ {_TASK} }}",
    "takeTask": "replayed alreadyTaken task { period progress takenAt task { code target } }",
    "createSurvey": "replayed survey { code }",
    "endSurvey": "replayed survey { code endsAt }",
    "answerSurvey": f"replayed event {{ {_EVENT} }}",
    "setMemberDays": "replayed memberDays { dayOfMonth on name nextOn }",
    "returnPurchase": f"""
        replayed alreadyRecorded purchase {{ {_PURCHASE} }} amountFen
        taken {{ asset taken owed voided }} {_AFTER_PURCHASE}
    """,
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
        return subprocess.run(
            [LOYALTY, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
