"""The demo's GraphQL client: documents over real HTTP, and answers that are checked."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2

REQUEST_SECONDS_MAX = 30

_REDEMPTION = """replayed redemption {
    id status payFen rebateFen heldAt heldUntil capturedAt product { sku } }"""

_RECEIPTS = {
    "requestSignInCode": "RequestSignInCodeReceipt { sentTo expiresInSeconds }",
    "signInByCode": "SignInReceipt { token role }",
    "signInOperator": "SignInReceipt { token role }",
    "createProduct": "CreateProductReceipt { product { id sku nameZh nameEn } }",
    "publishCampaign": """PublishCampaignReceipt { campaign { code version gate
        outcomes { beneficiary asset amount } couponOutcomes { template { code } }
        caps { subject window timesMax }
        budgets { asset allowed spent reserved } } }""",
    "draftFromTemplate": "DraftFromTemplateReceipt { draft { id revision } }",
    "simulateCampaign": "SimulateCampaignReceipt { simulation { id } }",
    "publishCampaignDraft": "PublishCampaignDraftReceipt { campaign { code version } }",
    "checkIn": "CheckInReceipt { event { unpaidReason earned { asset amount } } }",
    "publishLadder": """PublishLadderReceipt { version levels {
        code nameZh nameEn growthThreshold pointsMultiplierPercent } }""",
    "importRoster": "ImportRosterReceipt { added unchanged rejected { index reason } }",
    "createCodeBatch": "CodeBatchesReceipt { batches { id number kind quantity status } }",
    "activateCodeBatch": "CodeBatchesReceipt { batches { number kind quantity status } }",
    "inviteMember": "InviteMemberReceipt { phone }",
    "scanCode": """ScanCodeReceipt { replayed scanId occurredAt verdict unpaidReason
        guideUnpaidReason scanCount firstScan { at latitude longitude } product { sku }
        rewards { asset amount locked } coupons { code templateCode }
        balances { asset balance locked } tier { rank code } tierChanged isNewMember }""",
    "createPlace": "CreatePlaceReceipt { place { id name payoutThresholdFen } }",
    "createTill": "CreateTillReceipt { key till { id name keyHint } }",
    "createClerk": "ClerkPinReceipt { pin clerk { id number name } }",
    "signInClerk": "SignInReceipt { token role }",
    "createCouponTemplate": "CreateCouponTemplateReceipt { template { id stockMax } }",
    "holdCoupon": f"HoldCouponReceipt {{ {_REDEMPTION} }}",
    "captureRedemption": f"CaptureRedemptionReceipt {{ {_REDEMPTION} }}",
}
_WITHOUT_KEY = {"requestSignInCode", "signInByCode", "signInOperator", "signInClerk"}

ME = """{ me { displayName phone
    tier { level { code nameZh nameEn growthThreshold pointsMultiplierPercent }
           nextLevel { nameZh nameEn growthThreshold } growth progressPercent }
    balances { asset balance locked } } }"""


class StoryBroke(Exception):
    """An answer was not the one the story tells; ``str()`` says which, for people."""


def expect(what: str, actual: object, wanted: object) -> None:
    """Every step checks its answer: StoryBroke unless both are equal."""
    if actual != wanted:
        raise StoryBroke(f"{what}: {actual!r}, where the story has {wanted!r}.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token, or nobody; ``language`` is what its client asks for."""

    client: httpx2.Client
    token: str | None = None
    language: str = "en"

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a document; StoryBroke if it has errors, or no answer comes."""
        headers = {"Accept-Language": self.language}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        body = {"query": query, "variables": variables}
        try:
            answer = self.client.post("/graphql", json=body, headers=headers).json()
        except (httpx2.HTTPError, ValueError) as error:
            raise StoryBroke(f"The server gave no answer ({type(error).__name__}).") from error
        if "errors" in answer:
            raise StoryBroke(f"The server answered: {answer['errors'][0]['message']}")
        return answer["data"]

    def attempt(self, mutation: str, key: str | None = None, **input: Any) -> Any:
        """The receipt or the Refused of a mutation; a fresh idempotency key if none is given."""
        if mutation not in _WITHOUT_KEY:
            input["idempotencyKey"] = key or str(uuid4())
        name = mutation[0].upper() + mutation[1:]
        document = (
            f"mutation {name}($input: {name}Input!) {{ {mutation}(input: $input) {{ __typename"
            f" ... on {_RECEIPTS[mutation]} ... on Refused {{ code message details }} }} }}"
        )
        return self.ask(document, input=input)[mutation]

    def do(self, mutation: str, **input: Any) -> Any:
        """The receipt of a mutation; StoryBroke if it was refused."""
        answer = self.attempt(mutation, **input)
        if answer["__typename"] == "Refused":
            raise StoryBroke(f"{mutation} was refused: {answer['code']} {answer['message']}")
        return answer

    def me(self) -> Any:
        """The caller's own profile; None before its first act."""
        return self.ask(ME)["me"]

    def balances(self) -> dict[str, tuple[int, int]]:
        """(balance, locked) by asset; empty before the first act."""
        me = self.me()
        return {b["asset"]: (b["balance"], b["locked"]) for b in me["balances"]} if me else {}


def connect(url: str) -> httpx2.Client:
    """A client that speaks to this address and to nothing else, whatever proxies are set."""
    return httpx2.Client(base_url=url, timeout=REQUEST_SECONDS_MAX, trust_env=False)
