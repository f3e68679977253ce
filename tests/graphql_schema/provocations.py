"""How to provoke refusals and reasons not to pay, through GraphQL; what happens at tills is in
provocations_at_tills.py."""

from dataclasses import replace
from typing import Any

from loyalty.access.service import add_wechat_app
from loyalty.actor import OperatorRole, system_actor
from loyalty.errors import (
    AgeContradicted,
    AlreadyExists,
    AlreadyInvited,
    BatchStateWrong,
    BudgetBelowSpent,
    CampaignStateWrong,
    CodeUnknown,
    CredentialsWrong,
    DraftChanged,
    IdempotencyConflict,
    InsufficientBalance,
    InvalidInput,
    LadderLowersMembers,
    MemberFrozen,
    NotFound,
    NotOnRoster,
    ProviderUnavailable,
    RefreshTokenWrong,
    SameAccount,
    SignInCodeWrong,
    SimulationStateWrong,
    TooManySimulations,
    WechatBlocked,
    WechatCodeWrong,
)
from rewards.scans.models import GuideUnpaidReason, UnpaidReason
from tests.api import Caller
from tests.fakes.wechat import APP, APP_SECRET, BLOCKED, BUSY
from tests.graphql_schema.provoking import Call, guide_unpaid, refused, unpaid
from tests.graphql_schema.stage import (
    BOTH_PAID,
    CONSUMER,
    GUIDE,
    SCAN_CAMPAIGN,
    Stage,
    outcome,
)

ALICE, BOB, WANG = "13800138001", "13800138002", "13900139001"


def scan(caller: Caller, code: str, **more: Any) -> Call:
    return Call(caller, "scanCode", {"code": code, **more})


# --- refusals ----------------------------------------------------------------------------------


@refused(InvalidInput)
async def a_phone_that_is_none(stage: Stage) -> Call:
    return Call(await stage.member(ALICE), "inviteMember", {"phone": "12345"})


@refused(NotFound)
async def a_batch_that_is_not_there(stage: Stage) -> Call:
    return Call(stage.admin, "activateCodeBatch", {"id": stage.unknown_id("CodeBatch")})


@refused(AlreadyExists)
async def a_second_product_with_one_sku(stage: Stage) -> Call:
    return Call(stage.admin, "createProduct", {"sku": "SKU-1", "nameZh": "另一款", "nameEn": "Two"})


@refused(IdempotencyConflict)
async def a_key_used_for_something_else(stage: Stage) -> Call:
    admin = stage.admin
    product = {"idempotencyKey": "once", "nameZh": "甲", "nameEn": "A"}
    await admin.done("createProduct", sku="SKU-2", **product)
    return Call(admin, "createProduct", {"sku": "SKU-3", **product})


@refused(CodeUnknown)
async def a_forged_code(stage: Stage) -> Call:
    code = await stage.code()
    forged = code[:-1] + ("0" if code[-1] != "0" else "1")
    call = scan(await stage.member(ALICE), forged, deviceId="phone")
    return replace(call, keeps=frozenset({"unknown_code_counts"}))


@refused(NotOnRoster)
async def a_guide_whom_no_roster_names(stage: Stage) -> Call:
    return Call(await stage.member(WANG, GUIDE), "inviteMember", {"phone": ALICE})


@refused(MemberFrozen)
async def a_frozen_consumer_who_invites(stage: Stage) -> Call:
    alice = await _frozen(stage, await stage.member(ALICE))
    return Call(alice, "inviteMember", {"phone": BOB})


async def _frozen(stage: Stage, caller: Caller) -> Caller:
    """Freeze somebody, who has to act first in order to be a member."""
    me = await caller.me()
    if me is None:
        await caller.done("inviteMember", phone="13700137000")
        me = await caller.me()
    await stage.admin.done("setMemberStatus", memberId=me["id"], frozen=True, reason="farming")
    return caller


@refused(AlreadyInvited)
async def a_phone_that_somebody_has_invited(stage: Stage) -> Call:
    await (await stage.member(ALICE)).done("inviteMember", phone="13700137000")
    return Call(await stage.member(BOB), "inviteMember", {"phone": "137 0013 7000"})


@refused(SignInCodeWrong)
async def a_code_that_was_not_sent(stage: Stage) -> Call:
    await stage.api.nobody.done("requestSignInCode", brand=stage.slug, phone=ALICE)
    guess = {"brand": stage.slug, "phone": ALICE, "code": "guess!"}
    return Call(stage.api.nobody, "signInByCode", guess)


@refused(CredentialsWrong)
async def an_operator_who_is_none(stage: Stage) -> Call:
    words = {"email": "nobody@example.com", "password": "correct horse", "totp": "123456"}
    return Call(stage.api.nobody, "signInOperator", words | {"brand": stage.slug})


@refused(RefreshTokenWrong)
async def a_refresh_token_of_no_session(stage: Stage) -> Call:
    token = f"{stage.brand_id.hex}.made-up"
    return Call(stage.api.nobody, "refreshSession", {"refreshToken": token})


async def _by_wechat(stage: Stage, code: str) -> Call:
    """Signing in with a code that the fake WeChat answers as the code says."""
    actor, keyring = system_actor(stage.brand_id), stage.keyring
    await stage.database.in_transaction(add_wechat_app, actor, keyring, APP, APP_SECRET)
    words = {"brand": stage.slug, "appId": APP, "code": code}
    return Call(stage.api.nobody, "signInByWechat", words)


@refused(WechatCodeWrong)
async def a_wechat_code_that_was_never_made(stage: Stage) -> Call:
    return await _by_wechat(stage, "never-made")


@refused(WechatBlocked)
async def a_person_whom_wechat_blocks(stage: Stage) -> Call:
    return await _by_wechat(stage, BLOCKED)


@refused(ProviderUnavailable)
async def a_wechat_that_is_busy(stage: Stage) -> Call:
    return await _by_wechat(stage, BUSY)


@refused(BatchStateWrong)
async def a_draft_batch_activated(stage: Stage) -> Call:
    [batch_id] = await stage.order()
    return Call(stage.admin, "activateCodeBatch", {"id": batch_id})


@refused(CampaignStateWrong)
async def a_campaign_that_ended_published_again(stage: Stage) -> Call:
    campaign = (await stage.publish())["campaign"]
    await stage.admin.done("endCampaign", campaignId=campaign["id"], reason="over")
    return Call(stage.admin, "publishCampaign", SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)})


@refused(DraftChanged)
async def a_draft_saved_from_an_older_revision(stage: Stage) -> Call:
    written: dict[str, Any] = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)}
    draft = (await stage.admin.done("saveCampaignDraft", **written))["draft"]
    written |= {"draftId": draft["id"], "revision": 1}
    await stage.operator(OperatorRole.MARKETER).done("saveCampaignDraft", **written)
    return Call(stage.admin, "saveCampaignDraft", written)


async def _tried(stage: Stage) -> dict[str, Any]:
    written: dict[str, Any] = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)}
    draft = (await stage.admin.done("saveCampaignDraft", **written))["draft"]
    return {"draftId": draft["id"], "past": {"days": 1}}


@refused(SimulationStateWrong)
async def a_dry_run_cancelled_twice(stage: Stage) -> Call:
    asked = await stage.admin.done("simulateCampaign", **await _tried(stage))
    cancel = {"simulationId": asked["simulation"]["id"]}
    await stage.admin.done("cancelSimulation", **cancel)
    return Call(stage.admin, "cancelSimulation", cancel)


@refused(TooManySimulations)
async def a_sixth_dry_run_at_once(stage: Stage) -> Call:
    tried = await _tried(stage)
    for _ in range(5):
        await stage.admin.done("simulateCampaign", **tried)
    return Call(stage.admin, "simulateCampaign", tried)


@refused(BudgetBelowSpent)
async def a_budget_below_what_is_spent(stage: Stage) -> Call:
    await stage.publish(budgets=[{"asset": "POINTS", "allowed": 1000}])
    await scan(await stage.member(ALICE), await stage.code()).send()
    await scan(await stage.member(BOB), await stage.code()).send()
    less = {"outcomes": list(BOTH_PAID), "budgets": [{"asset": "POINTS", "allowed": 199}]}
    words = {"code": "scan", "nameZh": "少", "nameEn": "Less"}
    return Call(stage.admin, "publishCampaign", words | less)


async def _move(stage: Stage, amount: int, source: Caller, target: Caller) -> Call:
    input = {
        "fromMemberId": (await source.me())["id"],
        "toMemberId": (await target.me())["id"],
        "asset": "POINTS",
        "amount": amount,
        "reason": "credited to the wrong one",
    }
    return Call(stage.operator(OperatorRole.FINANCE), "moveBalance", input)


async def _two_members(stage: Stage) -> tuple[Caller, Caller]:
    """Alice with 100 points, Bob with none."""
    await stage.publish()
    code = await stage.code()
    alice, bob = await stage.member(ALICE), await stage.member(BOB)
    for caller in (alice, bob):
        await scan(caller, code).send()
    return alice, bob


@refused(InsufficientBalance)
async def more_points_than_there_are(stage: Stage) -> Call:
    return await _move(stage, 101, *await _two_members(stage))


@refused(SameAccount)
async def a_transfer_to_oneself(stage: Stage) -> Call:
    alice, _ = await _two_members(stage)
    return await _move(stage, 1, alice, alice)


@refused(AgeContradicted)
async def a_minor_who_grows_up_at_once(stage: Stage) -> Call:
    alice = await stage.member(ALICE)
    await alice.done("confirmAge", age=16)
    return Call(alice, "confirmAge", {"age": 18})


@refused(LadderLowersMembers)
async def a_ladder_without_a_rank_that_is_held(stage: Stage) -> Call:
    await stage.publish([outcome(CONSUMER, 5_000, "GROWTH")])
    await scan(await stage.member(ALICE), await stage.code()).send()
    level = {"code": "BASIC", "nameZh": "普通", "nameEn": "Basic", "growthThreshold": 0}
    return Call(stage.admin, "publishLadder", {"levels": [level]})


# --- recorded, and pays its scanner nothing ----------------------------------------------------


@unpaid(UnpaidReason.ALREADY_CLAIMED)
async def an_item_scanned_before(stage: Stage) -> Call:
    await stage.publish()
    code = await stage.code()
    await scan(await stage.member(ALICE), code).send()
    return scan(await stage.member(BOB), code)


@unpaid(UnpaidReason.INACTIVE)
async def a_batch_not_yet_active(stage: Stage) -> Call:
    await stage.publish()
    [[code]] = await stage.codes(active=False)
    return scan(await stage.member(ALICE), code)


@unpaid(UnpaidReason.RETIRED)
async def a_batch_retired(stage: Stage) -> Call:
    await stage.publish()
    [batch_id] = await stage.order()
    [code] = await stage.print(batch_id, 1)
    await stage.admin.done("retireCodeBatch", id=batch_id, reason="the file leaked")
    return scan(await stage.member(ALICE), code)


@unpaid(UnpaidReason.NO_CAMPAIGN)
async def a_campaign_that_is_paused(stage: Stage) -> Call:
    campaign = (await stage.publish())["campaign"]
    await stage.admin.done("pauseCampaign", campaignId=campaign["id"], reason="too much")
    return scan(await stage.member(ALICE), await stage.code())


@unpaid(UnpaidReason.ROSTER)
async def a_guide_off_the_roster(stage: Stage) -> Call:
    await stage.publish()
    [[code]] = await stage.codes(1, "OUTER")
    return scan(await stage.member(WANG, GUIDE), code)


@unpaid(UnpaidReason.SELF_DEALING)
async def a_guide_who_buys_what_it_sells(stage: Stage) -> Call:
    await stage.publish()
    [[inner], [outer]] = await stage.codes(1, "INNER", "OUTER")
    await scan(await stage.guide(WANG), outer).send()
    return scan(await stage.member(WANG, CONSUMER), inner)


@unpaid(UnpaidReason.CAP)
async def one_scan_too_many(stage: Stage) -> Call:
    await stage.publish(caps=[{"subject": "MEMBER", "window": "DAY", "timesMax": 1}])
    [[first, second]] = await stage.codes(2)
    alice = await stage.member(ALICE)
    await scan(alice, first).send()
    return scan(alice, second)


@unpaid(UnpaidReason.BUDGET)
async def a_budget_burnt(stage: Stage) -> Call:
    await stage.publish(budgets=[{"asset": "POINTS", "allowed": 130}])
    [[first, second]] = await stage.codes(2)
    alice = await stage.member(ALICE)
    await scan(alice, first).send()
    return scan(alice, second)


@unpaid(UnpaidReason.AGE)
async def a_drink_and_no_age(stage: Stage) -> Call:
    await stage.publish()
    await stage.admin.done("setProductAgeMin", productId=stage.product_id, ageMin=18)
    return scan(await stage.member(ALICE), await stage.code())


@unpaid(UnpaidReason.AWAITS_CONSUMER)
async def a_sale_without_a_gate(stage: Stage) -> Call:
    await stage.publish()
    [[code]] = await stage.codes(1, "OUTER")
    return scan(await stage.guide(WANG), code)


@unpaid(UnpaidReason.FROZEN)
async def a_frozen_consumer_who_scans(stage: Stage) -> Call:
    await stage.publish()
    return scan(await _frozen(stage, await stage.member(ALICE)), await stage.code())


# --- pays the consumer, and no guide -----------------------------------------------------------


@guide_unpaid(GuideUnpaidReason.NO_GUIDE)
async def a_consumer_whom_nobody_brought(stage: Stage) -> Call:
    await stage.publish()
    return scan(await stage.member(ALICE), await stage.code())


async def _invited(stage: Stage) -> tuple[Caller, Caller]:
    """A guide, and Alice whom it has invited."""
    guide = await stage.guide(WANG)
    await guide.done("inviteMember", phone=ALICE)
    return guide, await stage.member(ALICE)


@guide_unpaid(GuideUnpaidReason.GUIDE_CAP)
async def a_guide_who_brought_too_many(stage: Stage) -> Call:
    await stage.publish(caps=[{"subject": "GUIDE", "window": "CAMPAIGN", "timesMax": 1}])
    [[first, second]] = await stage.codes(2)
    _, alice = await _invited(stage)
    await scan(alice, first).send()
    return scan(alice, second)


@guide_unpaid(GuideUnpaidReason.GUIDE_FROZEN)
async def a_frozen_guide(stage: Stage) -> Call:
    await stage.publish()
    guide, alice = await _invited(stage)
    await _frozen(stage, guide)
    return scan(alice, await stage.code())


@guide_unpaid(GuideUnpaidReason.GUIDE_BUDGET)
async def a_sale_that_met_a_burnt_budget(stage: Stage) -> Call:
    budgets = [{"asset": "POINTS", "allowed": 130}]
    await stage.publish(gate="CONSUMER_SCAN", budgets=budgets)
    [[first, inner], [_, outer]] = await stage.codes(2, "INNER", "OUTER")
    await scan(await stage.member(BOB), first).send()
    await stage.publish(
        [outcome(CONSUMER, 1), outcome(GUIDE, 31)], gate="CONSUMER_SCAN", budgets=budgets
    )
    await scan(await stage.guide(WANG), outer).send()
    await stage.publish(gate="CONSUMER_SCAN", budgets=[{"asset": "POINTS", "allowed": 1000}])
    return scan(await stage.member(ALICE), inner)


@guide_unpaid(GuideUnpaidReason.NO_GUIDE_OUTCOME)
async def a_campaign_for_consumers_alone(stage: Stage) -> Call:
    await stage.publish([outcome(CONSUMER, 100)])
    _, alice = await _invited(stage)
    return scan(alice, await stage.code())
