"""How to provoke what is refused of tasks, surveys, referrals and webhooks."""

from loyalty.errors import (
    AlreadyAnswered,
    AlreadyReferred,
    NotOpen,
    PartnerKeyRevoked,
    TooManyOpen,
    WebhookDisabled,
)
from tests.graphql_schema import programs
from tests.graphql_schema.effects import BOB, CAROL, HOOK
from tests.graphql_schema.provoking import Call, refused
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import Stage


@refused(NotOpen)
async def a_task_taken_after_its_end(stage: Stage) -> Call:
    effect = await programs.take_task(stage)
    await stage.admin.done("endTask", **effect.good)
    return Call(effect.caller, "takeTask", effect.good)


@refused(NotOpen)
async def a_survey_answered_after_its_end(stage: Stage) -> Call:
    effect = await programs.answer_survey(stage)
    await stage.admin.done("endSurvey", code=effect.good["code"])
    return Call(effect.caller, "answerSurvey", effect.good)


@refused(AlreadyAnswered)
async def a_survey_answered_twice(stage: Stage) -> Call:
    effect = await programs.answer_survey(stage)
    await effect.caller.done("answerSurvey", **effect.good)
    return Call(effect.caller, "answerSurvey", effect.good)


@refused(AlreadyReferred)
async def two_referral_codes_used(stage: Stage) -> Call:
    one, other = [
        {"code": (await (await stage.member(phone)).done("openReferralCode"))["code"]}
        for phone in (BOB, CAROL)
    ]
    alice = await stage.member(ALICE)
    await alice.done("useReferralCode", **one)
    return Call(alice, "useReferralCode", other)


@refused(TooManyOpen)
async def a_fifty_first_survey(stage: Stage) -> Call:
    survey = (await programs.create_survey(stage)).good
    for number in range(50):
        await stage.admin.done("createSurvey", **survey | {"code": f"survey-{number}"})
    return Call(stage.admin, "createSurvey", survey)


@refused(PartnerKeyRevoked)
async def of_a_revoked_key(stage: Stage) -> Call:
    made = await stage.admin.done("createPartnerKey", name="ERP", scopes=["READ_COUPONS"])
    key = {"keyId": made["partnerKey"]["id"]}
    await stage.admin.done("revokePartnerKey", **key, reason="leaked")
    return Call(stage.admin, "rotatePartnerKey", key)


@refused(WebhookDisabled)
async def a_test_for_an_endpoint_that_is_disabled(stage: Stage) -> Call:
    made = await stage.admin.done("createWebhookEndpoint", **HOOK)
    endpoint = {"endpointId": made["endpoint"]["id"]}
    await stage.admin.done("configureWebhookEndpoint", **endpoint, active=False)
    return Call(stage.admin, "sendTestWebhook", endpoint)
