"""A brand's partners, what is agreed with them, and the mutations' inputs that take effect."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import col

from graphql_schema.nodes import local_id
from graphql_schema.pagination import encode_id
from loyalty.actor import Scope, system_actor
from loyalty.brands.service import find_brand_by_slug
from loyalty.db import Tx
from loyalty.ids import new_id
from rewards.clearing.models import ClearingPosition
from rewards.clearing.statements import draw_statements
from rewards.issues.lists import ListWanted, upload
from rewards.matching.rules import token_of
from rewards.matching.service import Matcher
from server.founding import BrandWanted, found_brand
from tests.api import Caller
from tests.graphql_schema.effects import WHY, Effect
from tests.graphql_schema.shop import TEMPLATE, Shop, open_place, open_shop
from tests.graphql_schema.stage import CONSUMER, Stage

ALLY, ISSUING = "ally", "issuing-ally"
SECRET = "query ($id: ID!) { matchSecret(agreementId: $id) { ... on MatchSecret { secret } } }"
STATEMENTS = "{ clearingStatements(first: 100) { nodes { id partnerSlug } } }"
ENTRIES = "query ($id: ID!) { clearingEntries(statementId: $id) { nodes { id } } }"


async def ally(stage: Stage, slug: str = ALLY) -> Stage:
    """Another brand on the same server, under a slug of one's choice; the same for all who ask."""
    async with stage.database.snapshot() as snapshot:
        brand = await find_brand_by_slug(snapshot, slug)
    if brand is None:
        brand = await stage.database.in_transaction(found_brand, BrandWanted(slug, slug.title()))
    return replace(stage, brand_id=brand.id, slug=slug, product_id="")


async def template(stage: Stage, code: str, **more: Any) -> str:
    """The global id of a template of 5.20 that nobody can buy."""
    wanted = TEMPLATE | {"pointsPrice": None} | more
    return str(
        (await stage.admin.done("createCouponTemplate", code=code, **wanted))["template"]["id"]
    )


def terms(template_id: str, **more: Any) -> dict[str, Any]:
    """The partner issues a template of the brand's on credit and bears six tenths, the brand 50
    fen; good at both tills."""
    line = {
        "templateId": template_id,
        "issuer": "PARTNER",
        "redeemers": ["OWN", "PARTNER"],
        "issuerShare": {"basisPoints": 6_000},
        "hostShare": {"fen": 50},
        "issueFeeFen": 5,
        "redeemFeeFen": 7,
        "quotas": [{"window": "DAY", "countMax": 1_000}],
    }
    funding = {"issuer": "PARTNER", "kind": "POSTPAID", "limitFen": 1_000_000, "warningFen": 1}
    return {"firstOn": "2020-01-01", "funding": [funding], "lines": [line | more]}


async def proposed(stage: Stage, slug: str = ALLY, **more: Any) -> dict[str, Any]:
    """{agreementId, digest} of terms on a new template that a partner and the brand may sign."""
    partner = await ally(stage, slug)
    said = terms(await template(stage, f"with-{slug}"), **more)
    made = await stage.admin.done("proposeAgreement", partnerSlug=partner.slug, terms=said)
    [version] = made["agreement"]["versions"]
    return {"agreementId": made["agreement"]["id"], "digest": version["digest"]}


async def agreed(stage: Stage, slug: str = ALLY, **more: Any) -> str:
    """The global id of an agreement that is in force."""
    signing = await proposed(stage, slug, **more)
    for side in (stage, await ally(stage, slug)):
        await side.admin.done("signAgreement", **signing)
    return str(signing["agreementId"])


async def drawn(stage: Stage, slug: str = ALLY) -> str:
    """The global id of a statement with a partner that the brand has an agreement with: one
    payment of 1.00."""
    paid = {"partnerSlug": slug, "amountFen": 100, "reference": "bank 1"}
    await stage.admin.done("recordClearingPayment", **paid)
    return await ended(stage, slug)


async def ended(stage: Stage, slug: str = ALLY) -> str:
    """The period with a partner is over: the global id of the statement that is drawn."""
    db = stage.database
    await db.in_transaction(draw_statements, 1_000)  # says when periods end

    async def end(tx: Tx) -> None:
        own = (col(ClearingPosition.brand_id), col(ClearingPosition.partner_id))
        is_own = or_(*(column == stage.brand_id for column in own))
        await tx.session.exec(
            update(ClearingPosition)
            .where(is_own)
            .values(statement_due_at=tx.now)
            .execution_options(synchronize_session=False)
        )

    await db.in_transaction(end)
    await db.in_transaction(draw_statements, 1_000)
    found = (await stage.admin.ask(STATEMENTS))["clearingStatements"]["nodes"]
    return str(next(each["id"] for each in found if each["partnerSlug"] == slug))


async def cleared(stage: Stage) -> dict[str, str]:
    """Global ids of what came of an agreement with ``ALLY``, by type."""
    statement_id = await drawn(stage)
    [entry] = (await stage.admin.ask(ENTRIES, id=statement_id))["clearingEntries"]["nodes"]
    wanted = {"partnerSlug": ALLY, "owedFen": 5, "reason": "a cent too little"}
    made = await stage.admin.done("proposeClearingAdjustment", **wanted)
    return {
        "ClearingStatement": statement_id,
        "ClearingEntry": entry["id"],
        "ClearingAdjustment": made["adjustment"]["id"],
    }


async def issuer(
    stage: Stage, of: Mapping[str, Any] = MappingProxyType({}), **more: Any
) -> tuple[Caller, dict[str, Any]]:
    """The brand as a partner that may issue another brand's coupons: a key of its that may do
    everything, and what a coupon for the other brand's first member is asked for with. Of the
    terms what is given is otherwise."""
    host = await ally(stage, ISSUING)
    said = terms(await template(host, f"for-{stage.slug}", **of))
    said["lines"][0]["pooled"] = False
    for part in (said["lines"][0], said["funding"][0]):
        part |= {name: value for name, value in more.items() if name in part}
    made = await host.admin.done("proposeAgreement", partnerSlug=stage.slug, terms=said)
    [version] = made["agreement"]["versions"]
    agreement_id = made["agreement"]["id"]
    for side in (host, stage):
        signing = {"agreementId": agreement_id, "digest": version["digest"]}
        await side.admin.done("signAgreement", **signing)
    phone = "+8613800138999"
    await (await host.member(phone)).do("setBirthday", month=5, day=17)  # enrolled by that
    while await stage.database.in_transaction(Matcher(stage.keyring), 1_000):
        pass
    wanted = {"name": "ERP", "scopes": [scope.name for scope in Scope]}
    key = stage.api.signed_in((await stage.admin.done("createPartnerKey", **wanted))["key"])
    secret = (await key.ask(SECRET, id=agreement_id))["matchSecret"]["secret"]
    return key, {
        "agreementId": agreement_id,
        "templateId": said["lines"][0]["templateId"],
        "memberToken": token_of(secret, "phone", phone),
    }


async def issued(stage: Stage) -> dict[str, str]:
    """Global ids of a coupon that the brand has issued to another brand's member, and of a list of
    such."""
    key, asked = await issuer(stage)
    made = await key.done("issuePartnersCoupon", **asked, reference="order 1", campaign="moon")
    return {"PartnerIssue": made["issue"]["id"], "IssueList": await listed(stage, asked)}


async def listed(stage: Stage, asked: Mapping[str, str], key: str = "file 1") -> str:
    """The global id of a list of one row that waits."""
    wanted = ListWanted(
        local_id("Agreement", asked["agreementId"]),
        local_id("CouponTemplate", asked["templateId"]),
        "a list",
        key,
        "moon",
    )
    body = f"token\n{asked['memberToken']}\n".encode()
    row, _ = await upload(stage.database, system_actor(stage.brand_id), wanted, body)
    return encode_id("IssueList", row.id)


# --- what takes effect -------------------------------------------------------------------------


async def propose_agreement(stage: Stage) -> Effect:
    await ally(stage)
    good = {"partnerSlug": ALLY, "terms": terms(await template(stage, "one"))}
    other = {"partnerSlug": ALLY, "terms": terms(await template(stage, "other"))}
    unknown = {"terms": terms(stage.unknown_id("CouponTemplate"))}
    return Effect(stage.admin, good, other, good | unknown)


async def sign_agreement(stage: Stage) -> Effect:
    one, other = [await proposed(stage, slug) for slug in (ALLY, "another-ally")]
    return Effect(stage.admin, one, other, one | {"digest": "0" * 64})


async def _of_agreements(stage: Stage, **more: str) -> Effect:
    ids = [await agreed(stage, slug) for slug in (ALLY, "another-ally")]
    one, other, unknown = [
        {"agreementId": id} | more for id in (*ids, stage.unknown_id("Agreement"))
    ]
    return Effect(stage.admin, one, other, unknown)


async def stop_agreement(stage: Stage) -> Effect:
    return await _of_agreements(stage, **WHY)


async def resume_agreement(stage: Stage) -> Effect:
    effect = await _of_agreements(stage)
    for paused in (effect.good, effect.other):
        await stage.admin.done("pauseAgreement", **paused, **WHY)
    return effect


async def confirm_statement(stage: Stage) -> Effect:
    made = []
    for slug in (ALLY, "another-ally"):
        await agreed(stage, slug)
        made.append(await drawn(stage, slug))
    one, other = [{"statementId": id, "closingFen": 100} for id in made]
    return Effect(stage.admin, one, other, one | {"closingFen": 99})


async def propose_adjustment(stage: Stage) -> Effect:
    await agreed(stage)
    less = {"partnerSlug": ALLY, "owedFen": -5, "reason": "a cent too much"}
    return Effect(stage.admin, less, less | {"owedFen": 7}, less | {"owedFen": 0})


async def decide_adjustment(stage: Stage) -> Effect:
    await agreed(stage)
    partner = await ally(stage)
    wanted = {"partnerSlug": stage.slug, "owedFen": 5, "reason": "a cent too little"}
    made = [
        (await partner.admin.done("proposeClearingAdjustment", **wanted))["adjustment"]["id"]
        for _ in range(2)
    ]
    one, other, unknown = [
        {"clearingAdjustmentId": id, "accept": True}
        for id in (*made, stage.unknown_id("ClearingAdjustment"))
    ]
    return Effect(stage.admin, one, other, unknown)


async def record_payment(stage: Stage) -> Effect:
    await agreed(stage)
    paid = {"partnerSlug": ALLY, "amountFen": 100, "reference": "bank 1"}
    return Effect(stage.admin, paid, paid | {"amountFen": 1}, paid | {"amountFen": 0})


async def issue_coupon(stage: Stage) -> Effect:
    key, asked = await issuer(stage)
    other = asked | {"campaign": "autumn"}
    return Effect(key, asked, other, asked | {"memberToken": "A" * 43})


async def cancel_list(stage: Stage) -> Effect:
    key, asked = await issuer(stage)
    one, other, unknown = [
        {"issueListId": id}
        for id in (
            await listed(stage, asked),
            await listed(stage, asked, "file 2"),
            stage.unknown_id("IssueList"),
        )
    ]
    return Effect(key, one, other, unknown)


@dataclass
class Floor:
    """The brand as a partner that runs its own tills: a key of its that may do everything, where
    it reports from, and a host whose coupons are good there; it bears 60 % of 5.20."""

    key: Caller
    at: dict[str, Any]
    host: Shop
    template_id: str

    async def code(self) -> str:
        return str((await self.host.coupon(self.template_id))["code"])

    async def captured(self) -> str:
        """The global id of a redemption that the key may reverse."""
        made = await self.key.done("redeemPartnersCoupon", **self.at, code=await self.code())
        return str(made["redemption"]["id"])


async def floor(stage: Stage) -> Floor:
    host = await open_shop(await stage.sister("host"))
    own = await open_place(stage, stage.admin, f"own-{new_id().hex[-6:]}")
    template_id = await host.template("good-at-allies")
    line = {
        "templateId": template_id,
        "issuer": "OWN",
        "redeemers": ["OWN", "PARTNER"],
        "issuerShare": {"basisPoints": 6_000},
    }
    said = {"firstOn": "2020-01-01", "lines": [line]}
    asked = {"partnerSlug": stage.slug, "terms": said}
    made = (await host.stage.admin.done("proposeAgreement", **asked))["agreement"]
    signing = {"agreementId": made["id"], "digest": made["versions"][0]["digest"]}
    for side in (host.stage, stage):
        await side.admin.done("signAgreement", **signing)
    wanted = {"name": "POS", "scopes": [scope.name for scope in Scope]}
    key = stage.api.signed_in((await stage.admin.done("createPartnerKey", **wanted))["key"])
    return Floor(key, {"tillId": own.till_id, "clerkId": own.clerk_id}, host, template_id)


async def redeem_coupon(stage: Stage) -> Effect:
    on = await floor(stage)
    one, other, unknown = [
        on.at | {"code": code} for code in (await on.code(), await on.code(), "9" * 12)
    ]
    return Effect(on.key, one, other, unknown)


async def reverse_redemption(stage: Stage) -> Effect:
    on = await floor(stage)
    one, other, unknown = [
        on.at | WHY | {"redemptionId": id}
        for id in (await on.captured(), await on.captured(), stage.unknown_id("Redemption"))
    ]
    return Effect(on.key, one, other, unknown)


async def fill_pool(stage: Stage) -> Effect:
    key, asked = await issuer(stage, pooled=True)
    pool = {name: asked[name] for name in ("agreementId", "templateId")}
    unknown = pool | {"templateId": stage.unknown_id("CouponTemplate")}
    good, other = pool | {"count": 2}, pool | {"count": 1}
    return Effect(key, good, other, unknown | {"count": 2})


async def drain_pool(stage: Stage) -> Effect:
    effect = await fill_pool(stage)
    await effect.caller.done("fillCouponPool", **effect.good | {"count": 9})
    return effect


OF_CODES = {"kind": "CODE", "amountOffFen": None, "costFen": 0, "feeFen": 0, "spendMinFen": 0}


async def fill_with_codes(stage: Stage) -> Effect:
    of_codes = {"redeemFeeFen": 0, "hostShare": {"fen": 0}, "pooled": True}
    key, asked = await issuer(stage, OF_CODES, **of_codes)
    pool = {name: asked[name] for name in ("agreementId", "templateId")}
    return Effect(
        key, pool | {"codes": ["A1", "A2"]}, pool | {"codes": ["B1"]}, pool | {"codes": []}
    )


async def add_codes(stage: Stage) -> Effect:
    made = {"templateId": await template(stage, "codes", **OF_CODES)}
    one, other, none = [made | {"codes": codes} for codes in (["A1", "A2"], ["B1"], [])]
    return Effect(stage.admin, one, other, none)


async def reveal_code(stage: Stage) -> Effect:
    """Of two coupons that a scan each has won."""
    template_id = await template(stage, "codes", **OF_CODES)
    await stage.admin.done("addCouponCodes", templateId=template_id, codes=["A1", "A2"])
    await stage.publish([{"beneficiary": CONSUMER, "couponTemplateId": template_id}])
    alice = await stage.member("13800138001")
    won = [(await alice.done("scanCode", code=await stage.code()))["coupons"] for _ in range(2)]
    one, other = [{"couponId": coupon["id"]} for [coupon] in won]
    return Effect(alice, one, other, {"couponId": stage.unknown_id("Coupon")})


ALLIANCE_EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = {
    "proposeAgreement": propose_agreement,
    "signAgreement": sign_agreement,
    "pauseAgreement": stop_agreement,
    "resumeAgreement": resume_agreement,
    "endAgreement": stop_agreement,
    "confirmClearingStatement": confirm_statement,
    "proposeClearingAdjustment": propose_adjustment,
    "decideClearingAdjustment": decide_adjustment,
    "recordClearingPayment": record_payment,
    "issuePartnersCoupon": issue_coupon,
    "cancelIssueList": cancel_list,
    "fillCouponPool": fill_pool,
    "drainCouponPool": drain_pool,
    "fillCouponPoolWithCodes": fill_with_codes,
    "addCouponCodes": add_codes,
    "revealCouponCode": reveal_code,
    "redeemPartnersCoupon": redeem_coupon,
    "reversePartnersRedemption": reverse_redemption,
}
