"""How to provoke what is refused of balances by hand, tiers, purchases, merges and the mall."""

from typing import Any

from loyalty.errors import (
    AdjustmentStateWrong,
    AssetRetired,
    BalanceHeld,
    BirthdaySet,
    HoldStateWrong,
    LevelByInvitation,
    LockedRewardEnded,
    MemberClosed,
    NotOpenYet,
    OrderStateWrong,
    PrivilegeUsedUp,
    RankTooLow,
    ReferenceConflict,
    ReturnTooLarge,
    ReversalTooLarge,
    RolesDiffer,
    ScanNotReversible,
    SecondOperatorNeeded,
    StockBelowTaken,
    TransferNotReversible,
)
from rewards.scans.models import GuideUnpaidReason
from tests.graphql_schema import effects_of_value as effects
from tests.graphql_schema.effects import BOB, WHY, Effect
from tests.graphql_schema.effects_of_value import ENTRIES, MALL_TERMS, PERKS, PLAIN, consumer
from tests.graphql_schema.provoking import Call, guide_unpaid, refused
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import GUIDE, Stage


async def done(effect: Effect, mutation: str) -> Call:
    """The call of an effect, after it has had it: another key, the same input."""
    await effect.caller.done(mutation, **effect.good)
    return Call(effect.caller, mutation, effect.good)


# --- balances ----------------------------------------------------------------------------------


@refused(AdjustmentStateWrong)
async def an_adjustment_decided_twice(stage: Stage) -> Call:
    return await done(await effects.approve_adjustment(stage), "approveAdjustment")


@refused(SecondOperatorNeeded)
async def an_adjustment_approved_by_who_proposed_it(stage: Stage) -> Call:
    proposal = (await effects.adjust_balance(stage)).good
    limit = {"code": "POINTS", "expiry": {"kind": "NEVER"}, "status": "ACTIVE"}
    proposer = stage.admin
    await proposer.done("configureAsset", **limit, adjustmentLimit=0)
    made = await proposer.done("adjustBalance", **proposal)
    return Call(proposer, "approveAdjustment", {"adjustmentId": made["adjustment"]["id"]})


@refused(AssetRetired)
async def a_retired_asset_given_by_hand(stage: Stage) -> Call:
    _, id = await consumer(stage)
    rules = {"code": "CHANCES", "expiry": {"kind": "NEVER"}, "status": "RETIRED"}
    await stage.admin.done("configureAsset", **rules)
    adjust = {"memberId": id, "asset": "CHANCES", "amount": 1} | WHY
    return Call(stage.admin, "adjustBalance", adjust)


@refused(HoldStateWrong)
async def a_hold_captured_twice(stage: Stage) -> Call:
    return await done(await effects.capture_hold(stage), "captureHold")


@refused(HoldStateWrong)
async def a_hold_captured_after_it_was_released(stage: Stage) -> Call:
    released = await done(await effects.release_hold(stage), "releaseHold")
    return Call(stage.admin, "captureHold", released.input)


async def _spent(stage: Stage) -> Any:
    """The entry of ten points that were held and captured."""
    caller, id = await consumer(stage)
    hold = {"memberId": id, "asset": "POINTS", "amount": 10, "ttlSeconds": 600} | WHY
    await stage.admin.done("holdBalance", **hold)
    entries = (await caller.ask(ENTRIES))["me"]["entries"]["nodes"]
    return next(entry["id"] for entry in entries if entry["kind"] == "SPEND")


@refused(TransferNotReversible)
async def a_hold_reversed_as_if_it_were_spent(stage: Stage) -> Call:
    reverse = {"transferId": await _spent(stage), "policy": "UNLIMITED"} | WHY
    return Call(stage.admin, "reverseTransfer", reverse)


@refused(ReversalTooLarge)
async def more_taken_back_than_a_transfer_gave(stage: Stage) -> Call:
    effect = await effects.reverse_transfer(stage)
    return Call(effect.caller, "reverseTransfer", effect.good | {"amount": 1_001})


@refused(LockedRewardEnded)
async def a_reward_voided_that_was_unlocked(stage: Stage) -> Call:
    _, id, [one, _] = await effects.waiting(stage)
    for action in ("follow", "wecom_contact"):
        await stage.admin.done("reportAction", memberId=id, action=action)
    return Call(stage.admin, "voidLockedReward", {"lockedRewardId": one} | WHY)


@refused(ScanNotReversible)
async def a_scan_taken_back_twice(stage: Stage) -> Call:
    return await done(await effects.reverse_scan(stage), "reverseScan")


@guide_unpaid(GuideUnpaidReason.GUIDE_VOIDED)
async def a_sale_whose_reward_was_voided(stage: Stage) -> Call:
    await stage.publish(gate="CONSUMER_SCAN")
    [[inner], [outer]] = await stage.codes(1, "INNER", "OUTER")
    guide = await stage.guide("13900139001")
    await guide.done("scanCode", code=outer)
    seen = (await guide.ask("{ me { lockedRewards { nodes { id } } } }"))["me"]["lockedRewards"]
    await stage.admin.done("voidLockedReward", lockedRewardId=seen["nodes"][0]["id"], **WHY)
    return Call(await stage.member(ALICE), "scanCode", {"code": inner})


# --- members and tiers -------------------------------------------------------------------------


@refused(BalanceHeld)
async def a_member_merged_whose_points_are_held(stage: Stage) -> Call:
    _, into = await consumer(stage, BOB)
    hold = (await effects.hold_balance(stage)).good
    await stage.admin.done("holdBalance", **hold)
    merge = {"fromMemberId": hold["memberId"], "intoMemberId": into} | WHY
    return Call(stage.admin, "mergeMembers", merge)


@refused(MemberClosed)
async def a_member_merged_before(stage: Stage) -> Call:
    return await done(await effects.merge_members(stage), "mergeMembers")


@refused(RolesDiffer)
async def a_guide_merged_into_a_consumer(stage: Stage) -> Call:
    _, into = await consumer(stage)
    guide = await stage.guide("13900139001")
    await guide.done("inviteMember", phone=BOB)
    merge = {"fromMemberId": (await guide.me())["id"], "intoMemberId": into} | WHY
    assert (await guide.me())["role"] == GUIDE
    return Call(stage.admin, "mergeMembers", merge)


@refused(LevelByInvitation)
async def an_invitation_to_a_level_that_is_earned(stage: Stage) -> Call:
    _, id = await consumer(stage)
    return Call(stage.admin, "inviteToTier", {"memberId": id, "rank": 1} | WHY)


@refused(PrivilegeUsedUp)
async def a_privilege_used_up(stage: Stage) -> Call:
    once = PERKS[0] | {"quotaCount": 1, "quotaPeriod": "YEAR"}
    level = PLAIN | {"privileges": [once]}
    await stage.admin.done("publishLadder", levels=[level], allowLowering=True)
    _, id = await consumer(stage)
    use = {"memberId": id, "code": once["code"]}
    await stage.admin.done("usePrivilege", **use)
    return Call(stage.admin, "usePrivilege", use)


@refused(BirthdaySet)
async def a_birthday_told_twice(stage: Stage) -> Call:
    return await done(await effects.set_birthday(stage), "setBirthday")


# --- purchases ---------------------------------------------------------------------------------


@refused(ReferenceConflict)
async def another_purchase_under_a_reference(stage: Stage) -> Call:
    effect = await effects.record_purchase(stage)
    await effect.caller.done("recordPurchase", **effect.good)
    return Call(effect.caller, "recordPurchase", effect.good | {"amountFen": 1})


@refused(ReturnTooLarge)
async def more_returned_than_was_bought(stage: Stage) -> Call:
    effect = await effects.return_purchase(stage)
    return Call(effect.caller, "returnPurchase", effect.refused)


# --- the mall ----------------------------------------------------------------------------------


async def _offer(stage: Stage, **more: Any) -> str:
    cup = (await effects.create_offer(stage)).good
    made = await stage.admin.done("createOffer", **cup | {"terms": MALL_TERMS | more})
    return str(made["offer"]["id"])


async def _take(stage: Stage, **more: Any) -> Call:
    caller, _ = await consumer(stage)
    take = {"offerId": await _offer(stage, **more), "delivery": "人民路1号"}
    return Call(caller, "redeemOffer", take)


@refused(RankTooLow)
async def an_offer_for_a_higher_level(stage: Stage) -> Call:
    return await _take(stage, rankMin=3)


@refused(NotOpenYet)
async def an_offer_before_it_opens(stage: Stage) -> Call:
    return await _take(stage, opensAt="2999-01-01T00:00:00Z")


@refused(StockBelowTaken)
async def a_stock_below_what_is_taken(stage: Stage) -> Call:
    call = await _take(stage, stockMax=3)
    await call.caller.done("redeemOffer", **call.input, quantity=2)
    less = {"terms": MALL_TERMS | {"stockMax": 1}, "status": "ACTIVE"}
    return Call(stage.admin, "updateOffer", less | {"offerId": call.input["offerId"]})


@refused(OrderStateWrong)
async def an_order_handed_out_twice(stage: Stage) -> Call:
    return await done(await effects.fulfil_order(stage), "fulfilOrder")


@refused(OrderStateWrong)
async def an_order_cancelled_after_it_was_handed_out(stage: Stage) -> Call:
    handed = await done(await effects.fulfil_order(stage), "fulfilOrder")
    return Call(stage.admin, "cancelOrder", handed.input | WHY)
