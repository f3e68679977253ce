"""How to provoke what is refused of agreements."""

from loyalty.errors import (
    AgreementChanged,
    AgreementStateWrong,
    FundsTooLow,
    IssueListStateWrong,
    IssueQuotaReached,
    MemberUnknown,
    NettingOpen,
    NettingStateWrong,
    TemplateUnderAgreement,
)
from tests.graphql_schema.allied import (
    ALLY,
    agreed,
    ally,
    issuer,
    listed,
    proposed,
    stop_agreement,
    template,
    terms,
)
from tests.graphql_schema.effects import WHY
from tests.graphql_schema.netted import chain, netted
from tests.graphql_schema.provoking import Call, refused
from tests.graphql_schema.stage import Stage


@refused(AgreementChanged)
async def terms_that_another_proposal_has_replaced(stage: Stage) -> Call:
    signing = await proposed(stage)
    newer = terms(await template(stage, "newer"))
    await stage.admin.done("proposeAgreement", partnerSlug=ALLY, terms=newer)
    return Call((await ally(stage)).admin, "signAgreement", signing)


@refused(AgreementStateWrong)
async def an_agreement_paused_twice(stage: Stage) -> Call:
    effect = await stop_agreement(stage)
    await effect.caller.done("pauseAgreement", **effect.good)
    return Call(effect.caller, "pauseAgreement", effect.good)


@refused(AgreementStateWrong)
async def an_agreement_resumed_by_who_did_not_pause_it(stage: Stage) -> Call:
    paused = {"agreementId": await agreed(stage)}
    await stage.admin.done("pauseAgreement", **paused, **WHY)
    return Call((await ally(stage)).admin, "resumeAgreement", paused)


@refused(AgreementStateWrong)
async def an_agreement_ended_twice(stage: Stage) -> Call:
    effect = await stop_agreement(stage)
    await effect.caller.done("endAgreement", **effect.good)
    return Call(effect.caller, "endAgreement", effect.good)


@refused(TemplateUnderAgreement)
async def a_template_that_another_partner_has(stage: Stage) -> Call:
    await agreed(stage)
    other = await ally(stage, "another-ally")
    nodes = await stage.admin.ask("{ couponTemplates { nodes { id code } } }")
    [taken] = [
        node["id"] for node in nodes["couponTemplates"]["nodes"] if node["code"] == f"with-{ALLY}"
    ]
    said = {"partnerSlug": other.slug, "terms": terms(taken)}
    return Call(stage.admin, "proposeAgreement", said)


@refused(MemberUnknown)
async def a_coupon_for_nobody(stage: Stage) -> Call:
    key, asked = await issuer(stage)
    return Call(key, "issuePartnersCoupon", asked | {"memberToken": "A" * 43})


@refused(IssueQuotaReached)
async def more_coupons_than_agreed(stage: Stage) -> Call:
    key, asked = await issuer(stage, quotas=[{"window": "ALL", "countMax": 1}])
    await key.done("issuePartnersCoupon", **asked)
    return Call(key, "issuePartnersCoupon", asked)


@refused(FundsTooLow)
async def a_coupon_for_more_than_was_paid_in(stage: Stage) -> Call:
    key, asked = await issuer(stage, kind="PREPAID", limitFen=0)
    return Call(key, "issuePartnersCoupon", asked)


@refused(IssueListStateWrong)
async def a_list_cancelled_twice(stage: Stage) -> Call:
    key, asked = await issuer(stage)
    cancelled = {"issueListId": await listed(stage, asked)}
    await key.done("cancelIssueList", **cancelled)
    return Call(key, "cancelIssueList", cancelled)


@refused(NettingOpen)
async def a_pair_netted_twice_at_once(stage: Stage) -> Call:
    await netted(stage, "first", "second")
    await chain(stage, "first", "third")
    return Call(stage.admin, "proposeNetting", {"partnerSlugs": ["first", "third"]})


@refused(NettingStateWrong)
async def a_netting_run_withdrawn_twice(stage: Stage) -> Call:
    run = {"nettingRunId": await netted(stage, "first", "second")}
    await stage.admin.done("withdrawNetting", **run)
    return Call(stage.admin, "withdrawNetting", run)
