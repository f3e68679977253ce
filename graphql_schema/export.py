"""What of the schema is committed, so that every change of it is seen: its SDL, and who may call
what, and the schemas of webhooks. ``python -m graphql_schema.export`` (``make schema``) writes
them."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import strawberry
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from graphql_schema.faults import Fault
from graphql_schema.permissions import Permission
from graphql_schema.schema import make_schema
from loyalty.actor import (
    CLERK_ROLE,
    GRANTS_BY_ROLE,
    PARTNER_ROLE,
    Actor,
    ActorKind,
    MemberRole,
    OperatorRole,
    Scope,
)
from loyalty.webhooks.catalogue import EVENT_TYPES, schema_of

SDL_FILE = Path(__file__).with_name("schema.graphql")
PERMISSIONS_FILE = Path(__file__).parents[1] / "docs" / "permissions.md"
WEBHOOKS_FOLDER = PERMISSIONS_FILE.with_name("webhooks")

MAY = "yes"
_NOBODY = UUID(int=0)


def _actors() -> dict[str, Actor | None]:
    members = {
        role.value: Actor(ActorKind.MEMBER, _NOBODY, _NOBODY, role.value) for role in MemberRole
    }
    operators = {
        role.value: Actor(ActorKind.OPERATOR, _NOBODY, _NOBODY, role.value, GRANTS_BY_ROLE[role])
        for role in OperatorRole
    }
    clerk = Actor(ActorKind.CLERK, _NOBODY, _NOBODY, CLERK_ROLE, place_id=_NOBODY, till_id=_NOBODY)
    partner = Actor(ActorKind.PARTNER, _NOBODY, _NOBODY, PARTNER_ROLE, scopes=frozenset(Scope))
    return {
        "anonymous": None,
        **members,
        CLERK_ROLE: clerk,
        PARTNER_ROLE: partner,
        **operators,
    }


CALLERS = _actors()
"""Every kind of caller by its name in the table; the anonymous is None."""

_PAGE = """\
# Who may call what

Made from the schema by `make schema`; a test sends every field of it as every caller.
The command line on the host may do everything, and all that it does is in the audit log.

`{may}`: allowed. Otherwise the code of the fault: nobody is signed in, or this role may not.
A token that is expired, forged or not ours gets HTTP 401, whatever it asks for.

Whoever may call a field reaches rows of its own brand and no others. What another brand's ids and
codes are answered with is in the last column, and a made-up id or code is answered alike:
`NOT_FOUND`, `CODE_UNKNOWN` (refusals), `null`, or nothing at all (`not listed`). Members reach
nobody but themselves: `node` is `null` for another member, and for what operators alone may see.
A role that may call a field can still be refused by its rules: a DEALER may not invite.

| Field | {heads} | Another brand's |
|---|{bars}---|
{rows}

## What rows show

A row that a caller reaches, by `node` or in the lists and receipts above, shows all of its fields
but those named here. `own`: of what is the caller's own, else `null`. A member's own are its
account, its coupons, orders and purchases and, as STORE, the places with its phone and their
payouts; a clerk's own are the place where it stands and what is redeemed there. A clerk sees the
coupon whose number it has. A consumer sees what is on sale in the mall. PARTNER is a key of a
partner's system that has all scopes; it needs that of the field (docs/partner-api.md).
`masked`: `****` stands for most of it.

| Row or field | {heads} |
|---|{bars}
{shown}
"""


def permissions_page(schema: strawberry.Schema) -> str:
    """docs/permissions.md: a line per root field, a column per caller."""
    rows = [
        f"| `{name}` | " + " | ".join(answers) + f" | {foreign} |"
        for name, answers, foreign in _rows(schema)
    ]
    shown = [
        f"| `{name}` | " + " | ".join(cells[caller] for caller in CALLERS) + " |"
        for name, cells in ROWS_SHOWN.items()
    ]
    return _PAGE.format(
        may=MAY,
        heads=" | ".join(CALLERS),
        bars="---|" * len(CALLERS),
        rows="\n".join(rows),
        shown="\n".join(shown),
    )


def _rows(schema: strawberry.Schema) -> Iterator[tuple[str, list[str], str]]:
    for root in (schema.query, schema.mutation):
        if root is None:
            continue
        definition: StrawberryObjectDefinition = root.__strawberry_definition__  # type: ignore[attr-defined]
        for field in definition.fields:
            name = schema.config.name_converter.get_graphql_name(field)
            answers = [_answer(field, actor) for actor in CALLERS.values()]
            yield name, answers, ANSWERS_TO_FOREIGN[name]


def _answer(field: StrawberryField, actor: Actor | None) -> str:
    for extension in field.extensions:
        if isinstance(extension, Permission):
            try:
                extension.check(actor)
            except Fault as fault:
                return fault.code
    return MAY


# Told by whoever adds a field: KeyError otherwise. The test finds out whether it is true.
ANSWERS_TO_FOREIGN = {
    "me": "not listed",
    "members": "not listed",
    "codeBatches": "not listed",
    "item": "CODE_UNKNOWN",
    "packings": "not listed",
    "scans": "not listed",
    "figures": "not listed",
    "campaigns": "not listed",
    "campaignDrafts": "not listed",
    "products": "not listed",
    "places": "not listed",
    "myPlaces": "not listed",
    "till": "not listed",
    "couponTemplates": "not listed",
    "offers": "not listed",
    "coupon": "COUPON_UNKNOWN",
    "redemptions": "not listed",
    "myRedemptions": "not listed",
    "payouts": "not listed",
    "myPayouts": "not listed",
    "purchases": "not listed",
    "assets": "not listed",
    "holds": "not listed",
    "adjustments": "not listed",
    "ladders": "not listed",
    "previewLadder": "NOT_FOUND",
    "tierChanges": "not listed",
    "mall": "not listed",
    "mallOffers": "not listed",
    "offerOrders": "not listed",
    **dict.fromkeys(("books", "drawSeeds", "eventTypes", "memberEvents"), "not listed"),
    **dict.fromkeys(("memberDays", "withholdingTerms", "withholdings"), "not listed"),
    **dict.fromkeys(("auditLog", "regions", "segments"), "not listed"),
    **dict.fromkeys(("raffles", "simulations", "campaignTemplates", "promotions"), "not listed"),
    **dict.fromkeys(("tasks", "myTasks", "surveys", "surveyAnswers", "mySurveys"), "not listed"),
    **dict.fromkeys(("myReferralCode", "referrals", "webhookEventTypes"), "not listed"),
    "webhookEndpoints": "not listed",
    "webhookDeliveries": "not listed",
    "agreements": "not listed",
    **dict.fromkeys(("clearingPositions", "clearingStatements"), "not listed"),
    "clearingEntries": "not listed",
    **dict.fromkeys(("clearingAdjustments", "nettingRuns"), "not listed"),
    **dict.fromkeys(("matchSecret", "matchedMembers"), "NOT_FOUND"),
    **dict.fromkeys(("partnerIssues", "issueLists", "couponPools"), "not listed"),
    "redeemableCoupon": "NOT_FOUND",
    **dict.fromkeys(("partnerKeys", "myPartnerKey"), "not listed"),
    "node": "null",
    "requestSignInCode": "not listed",
    "signInByCode": "not listed",
    "signInOperator": "not listed",
    "signInByWechat": "not listed",
    "refreshSession": "not listed",
    "signOut": "not listed",
    "scanCode": "CODE_UNKNOWN",
    "reportAction": "NOT_FOUND",
    "voidLockedReward": "NOT_FOUND",
    "reverseScan": "NOT_FOUND",
    "inviteMember": "not listed",
    "importRoster": "NOT_FOUND",
    "setMemberStatus": "NOT_FOUND",
    "mergeMembers": "NOT_FOUND",
    "createProduct": "not listed",
    "confirmAge": "not listed",
    "correctAge": "NOT_FOUND",
    "setProductAgeMin": "NOT_FOUND",
    "createCodeBatch": "NOT_FOUND",
    "activateCodeBatch": "NOT_FOUND",
    "retireCodeBatch": "NOT_FOUND",
    "packBoxes": "NOT_FOUND",
    "publishCampaign": "NOT_FOUND",
    "saveCampaignDraft": "NOT_FOUND",
    "deleteCampaignDraft": "NOT_FOUND",
    "publishCampaignDraft": "NOT_FOUND",
    "pauseCampaign": "NOT_FOUND",
    "resumeCampaign": "NOT_FOUND",
    "endCampaign": "NOT_FOUND",
    "publishLadder": "NOT_FOUND",
    "grantTier": "NOT_FOUND",
    "inviteToTier": "NOT_FOUND",
    "endTierGrant": "NOT_FOUND",
    "usePrivilege": "NOT_FOUND",
    "setBirthday": "not listed",
    "changeBirthday": "NOT_FOUND",
    "moveBalance": "NOT_FOUND",
    "moveBalances": "NOT_FOUND",
    "createAsset": "not listed",
    "configureAsset": "not listed",
    "holdBalance": "NOT_FOUND",
    "captureHold": "NOT_FOUND",
    "releaseHold": "NOT_FOUND",
    "adjustBalance": "NOT_FOUND",
    "approveAdjustment": "NOT_FOUND",
    "rejectAdjustment": "NOT_FOUND",
    "reverseTransfer": "NOT_FOUND",
    "createPlace": "not listed",
    "setPlaceStatus": "NOT_FOUND",
    "setPlaceChannel": "NOT_FOUND",
    "setGuidePlace": "NOT_FOUND",
    "signInClerk": "not listed",
    "createTill": "NOT_FOUND",
    "revokeTill": "NOT_FOUND",
    "createClerk": "NOT_FOUND",
    "setClerkPin": "NOT_FOUND",
    "setClerkStatus": "NOT_FOUND",
    "createCouponTemplate": "NOT_FOUND",
    "setCouponTemplateStatus": "NOT_FOUND",
    "buyCoupon": "NOT_FOUND",
    "voidCoupon": "NOT_FOUND",
    "holdCoupon": "COUPON_UNKNOWN",
    "captureRedemption": "NOT_FOUND",
    "voidRedemption": "NOT_FOUND",
    "reverseRedemption": "NOT_FOUND",
    "recordPurchase": "NOT_FOUND",
    "returnPurchase": "NOT_FOUND",
    "createOffer": "NOT_FOUND",
    "updateOffer": "NOT_FOUND",
    "redeemOffer": "NOT_FOUND",
    "orderGift": "NOT_FOUND",
    "fulfilOrder": "NOT_FOUND",
    "cancelOrder": "NOT_FOUND",
    "checkIn": "not listed",
    "registerEventType": "not listed",
    "postEvents": "NOT_FOUND",
    "setMemberDays": "not listed",
    "setWithholding": "not listed",
    **dict.fromkeys(("putRegion", "putSegment"), "not listed"),
    "setSegmentMembers": "NOT_FOUND",
    "createRaffle": "NOT_FOUND",
    "enterRaffle": "NOT_FOUND",
    "cancelRaffle": "NOT_FOUND",
    "simulateCampaign": "NOT_FOUND",
    "cancelSimulation": "NOT_FOUND",
    "draftFromTemplate": "NOT_FOUND",
    "createTask": "not listed",
    "endTask": "not listed",
    "takeTask": "not listed",
    "createSurvey": "not listed",
    "endSurvey": "not listed",
    "answerSurvey": "not listed",
    "openReferralCode": "not listed",
    "useReferralCode": "not listed",
    "createWebhookEndpoint": "not listed",
    "rotateWebhookSecret": "NOT_FOUND",
    "configureWebhookEndpoint": "NOT_FOUND",
    "replayWebhooks": "NOT_FOUND",
    "sendTestWebhook": "NOT_FOUND",
    "resendWebhook": "NOT_FOUND",
    "proposeAgreement": "NOT_FOUND",
    **dict.fromkeys(("signAgreement", "pauseAgreement"), "NOT_FOUND"),
    **dict.fromkeys(("resumeAgreement", "endAgreement"), "NOT_FOUND"),
    "confirmClearingStatement": "NOT_FOUND",
    "proposeClearingAdjustment": "not listed",
    "decideClearingAdjustment": "NOT_FOUND",
    "recordClearingPayment": "not listed",
    "proposeNetting": "not listed",
    **dict.fromkeys(("approveNetting", "declineNetting", "withdrawNetting"), "NOT_FOUND"),
    **dict.fromkeys(("issuePartnersCoupon", "cancelIssueList"), "NOT_FOUND"),
    **dict.fromkeys(("fillCouponPool", "drainCouponPool", "addCouponCodes"), "NOT_FOUND"),
    **dict.fromkeys(("fillCouponPoolWithCodes", "revealCouponCode"), "NOT_FOUND"),
    **dict.fromkeys(("redeemPartnersCoupon", "reversePartnersRedemption"), "NOT_FOUND"),
    "createPartnerKey": "not listed",
    "rotatePartnerKey": "NOT_FOUND",
    "configurePartnerKey": "NOT_FOUND",
    "revokePartnerKey": "NOT_FOUND",
}


def _shown(
    members: str = "null", clerk: str = "null", operators: str = MAY, **others: str
) -> dict[str, str]:
    """What each kind of caller sees; ``others`` by their names."""
    usual = dict.fromkeys(MemberRole, members) | dict.fromkeys(OperatorRole, operators)
    return {"anonymous": "null", **usual, CLERK_ROLE: clerk, PARTNER_ROLE: "null", **others}


# Told by whoever adds a type with an id; a test looks at every field of its rows as every caller.
ROWS_SHOWN = {
    "Product": _shown(members=MAY, clerk=MAY),
    "Member": _shown(members="own"),
    "Member.phone": _shown(members="own, masked", operators="masked"),
    "Member.birthday": _shown(members="own", VIEWER="null", FINANCE="null"),
    "Member.ageConfirmed": _shown(members="own", VIEWER="null", FINANCE="null"),
    "Member.segments": _shown(members="null"),
    "CodeBatch": _shown(),
    "Packing": _shown(),
    "Campaign": _shown(),
    "CampaignDraft": _shown(),
    "ScanEvent": _shown(),
    "CouponTemplate": _shown(),
    "Coupon": _shown(members="own", clerk=MAY),
    "Coupon.code": _shown(members="own", clerk="masked", operators="masked"),
    "Place": _shown(members=MAY, clerk="own"),
    "Place.storePhone": _shown(operators="masked", STORE="own, masked"),
    "Place.dealerPhone": _shown(operators="masked", STORE="own, masked"),
    "Place.salespersonPhone": _shown(operators="masked", STORE="own, masked"),
    "Place.payee": _shown(STORE="own"),
    "Place.payoutThresholdFen": _shown(STORE="own"),
    "Place.rebates": _shown(STORE="own"),
    "Place.tills": _shown(STORE="own"),
    "Place.clerks": _shown(STORE="own"),
    "Redemption": _shown(clerk="own"),
    "Redemption.member": _shown(),
    "Purchase": _shown(members="own"),
    "Purchase.channel": _shown(),
    "EarningEvent": _shown(members="own"),
    "Payout": _shown(STORE="own", VIEWER="null", MARKETER="null"),
    "Payout.payee": _shown(operators="masked", STORE="own, masked", VIEWER="null", MARKETER="null"),
    "MallOffer": _shown(CONSUMER=MAY),
    "MallOffer.stockMax": _shown(),
    "MallOffer.perDayMax": _shown(),
    "MallOffer.taken": _shown(),
    "MallOffer.stockLeft": _shown(operators="null", CONSUMER=MAY),
    "MallOffer.mine": _shown(operators="null", CONSUMER=MAY),
    "LockedReward": _shown(members="own"),
    "OfferOrder": _shown(members="own"),
    "OfferOrder.delivery": _shown(members="own", VIEWER="masked", FINANCE="masked"),
    "Raffle": _shown(members=MAY),
    "Hold": _shown(),
    "Adjustment": _shown(),
    "Simulation": _shown(),
    "WebhookEndpoint": _shown(),
    "WebhookDelivery": _shown(),
    "Agreement": _shown(),
    "ClearingStatement": _shown(),
    "ClearingEntry": _shown(),
    "ClearingAdjustment": _shown(),
    "NettingRun": _shown(),
    "PartnerKey": _shown(),
    "PartnerIssue": _shown(),
    "AuditLogEntry": _shown(VIEWER="null", MARKETER="null", FINANCE="null"),
    "IssueList": _shown(),
}


def sdl(schema: strawberry.Schema) -> str:
    """The schema as its users read it."""
    return schema.as_str() + "\n"


def webhook_schemas() -> dict[Path, str]:
    """The files of docs/webhooks/: a JSON Schema for each version of each type."""
    return {
        WEBHOOKS_FOLDER / f"{each.name}.v{each.version}.json": json.dumps(
            schema_of(each), indent=2, ensure_ascii=False
        )
        + "\n"
        for each in EVENT_TYPES
    }


def main() -> None:
    schema = make_schema()
    SDL_FILE.write_text(sdl(schema), encoding="utf-8")
    PERMISSIONS_FILE.write_text(permissions_page(schema), encoding="utf-8")
    for path, text in webhook_schemas().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
