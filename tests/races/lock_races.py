"""Races for what waits: scans that count a locked reward down, and who ends it; as
``scan_races.py``."""

from collections import Counter
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.actor import MemberRole, system_actor
from loyalty.ledger.models import Account, AccountKind, Asset
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import EventKind, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.grants.models import LockedReward, LockStatus
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import with_points
from tests.races.stage import Caller, Stage, said
from tests.races.wire import Answer, release_at_once, request_bytes

RECORD = """mutation Race($input: RecordPurchaseInput!) { recordPurchase(input: $input) { __typename
  ... on RecordPurchaseReceipt { alreadyRecorded } ... on Refused { code } } }"""
SCAN = """mutation Race($input: ScanCodeInput!) { scanCode(input: $input) { __typename
  ... on ScanCodeReceipt { unpaidReason unlocked { id } } ... on Refused { code } } }"""
REPORT = """mutation Race($input: ReportActionInput!) { reportAction(input: $input) { __typename
  ... on ReportActionReceipt { unlocked } ... on Refused { code } } }"""
VOID = """mutation Race($input: VoidLockedRewardInput!) { voidLockedReward(input: $input) {
  __typename ... on VoidLockedRewardReceipt { replayed } ... on Refused { code } } }"""
SOLD = {"occurredAt": "2026-11-02T09:30:00+08:00", "quantity": 1, "source": "TILL"}
FOLLOW = "follow"
SCANS = 8
"""Of each member, all at once."""
LOCKED_FEN = 500
LOCKED_CHANCES = 3

Has = dict[tuple[UUID, str], tuple[int, int]]
"""(balance, locked) by member and asset."""


async def _with_locked(
    arena: Arena, stage: Stage, count: int, cash: Lock, chances: Lock
) -> tuple[list[Caller], list[UUID]]:
    """Members with a purchase each, which gave them 500 fen and three chances that wait."""
    definition = CampaignDefinition(
        code="waiting",
        name_zh="待解锁",
        name_en="Waiting",
        event=EventKind.PURCHASE,
        outcomes=(
            Outcome(MemberRole.CONSUMER, Asset.CASH, OutcomeBasis.FIXED, LOCKED_FEN, cash),
            Outcome(
                MemberRole.CONSUMER, Asset.CHANCES, OutcomeBasis.FIXED, LOCKED_CHANCES, chances
            ),
        ),
        priority=1,
    )
    await stage.db.in_transaction(publish_campaign, system_actor(stage.brand_id), definition)
    callers = await with_points(arena, stage, count)
    ids = await stage.member_ids()
    members = [ids[caller.identity_id] for caller in callers]
    token = stage.operator()
    requests = [
        _command(token, RECORD, f"bought {id}", id, purchaseRef=f"P {id}", amountFen=100, **SOLD)
        for id in members
    ]
    await release_at_once(arena.ports, requests)
    return callers, members


def _command(token: str, document: str, key: str, member_id: UUID, **given: Any) -> bytes:
    wanted = {"idempotencyKey": key, "memberId": encode_id("Member", member_id), **given}
    return request_bytes(token, document, {"input": wanted})


def _void(token: str, reward: LockedReward, key: str) -> bytes:
    given = {"lockedRewardId": encode_id("LockedReward", reward.id), "reason": "races"}
    return request_bytes(token, VOID, {"input": {"idempotencyKey": key, **given}})


def _scan(caller: Caller, code: str, key: str) -> bytes:
    return request_bytes(caller.token, SCAN, {"input": {"code": code, "idempotencyKey": key}})


async def _has(stage: Stage) -> Has:
    return {
        (account.owner_id, account.asset): (
            account.credits_posted - account.debits_posted,
            account.credits_pending,
        )
        for account in await stage.rows(Account)
        if account.kind == AccountKind.MAIN.value
    }


async def scans_at_once_all_count(arena: Arena, size: int) -> Broken:
    """Members with a reward that waits for as many scans as they do at once, and one that waits
    for one more: the first is unlocked by one of them, and the other waits for one more."""
    broken = Broken()
    stage = await arena.stage("counted").build()
    cash, chances = (Lock(UnlockKind.NEXT_SCAN, count) for count in (SCANS, SCANS + 1))
    callers, members = await _with_locked(arena, stage, size, cash, chances)
    codes = iter(stage.inner[size:])
    requests = [_scan(each, next(codes), f"scan {n}") for n in range(SCANS) for each in callers]
    replies = [said(answer) for answer in await release_at_once(arena.ports, requests)]
    ends = Counter(str(r.get("unpaidReason", r.get("code", r.get("fault")))) for r in replies)
    broken.unless(ends == Counter({"None": len(requests)}), f"all are paid, not {dict(ends)}")
    told = Counter(reward["id"] for reply in replies for reward in reply.get("unlocked", ()))
    rewards = await stage.rows(LockedReward)
    wanted = Counter(encode_id("LockedReward", r.id) for r in rewards if r.asset == Asset.CASH)
    broken.unless(told == wanted, f"one scan of each unlocks, not {sorted(told.values())}")
    left = Counter((row.asset, row.status, row.unlock_count) for row in rewards)
    broken.unless(
        left == Counter({("CASH", "UNLOCKED", 0): size, ("CHANCES", "LOCKED", 1): size}),
        f"all scans count, once each, not {dict(left)}",
    )
    has = await _has(stage)
    broken.unless(
        all(has[id, "CASH"] == (LOCKED_FEN, 0) for id in members)
        and all(has[id, "CHANCES"] == (0, LOCKED_CHANCES) for id in members),
        "everybody has what was unlocked, and waits for the rest",
    )
    return broken


async def a_locked_reward_ends_once(arena: Arena, size: int) -> Broken:
    """Members with a reward that waits for a scan and one that waits for a report, who scan and are
    reported, and whose rewards are voided, each twice and all at once: one of them ends it."""
    broken = Broken()
    stage = await arena.stage("ended").build()
    cash, chances = Lock(UnlockKind.NEXT_SCAN), Lock(UnlockKind.ACTION, action=FOLLOW)
    callers, members = await _with_locked(arena, stage, size, cash, chances)
    rewards = await stage.rows(LockedReward)
    by_member = {(reward.member_id, reward.asset): reward for reward in rewards}
    token, codes = stage.operator(), iter(stage.inner[size:])
    asked: list[tuple[str, UUID, bytes]] = []
    for caller, id in zip(callers, members, strict=True):
        waiting = by_member[id, "CASH"], by_member[id, "CHANCES"]
        for n in range(2):
            asked += [
                ("scanCode", waiting[0].id, _scan(caller, next(codes), f"scan {n}")),
                ("voidLockedReward", waiting[0].id, _void(token, waiting[0], f"{id} cash {n}")),
                (
                    "reportAction",
                    waiting[1].id,
                    _command(token, REPORT, f"{id} did {n}", id, action=FOLLOW),
                ),
                ("voidLockedReward", waiting[1].id, _void(token, waiting[1], f"{id} void {n}")),
            ]
    answers = await release_at_once(arena.ports, [request for *_, request in asked])
    ended = {reward.id: Counter[str]() for reward in rewards}
    for (field, reward_id, _), answer in zip(asked, answers, strict=True):
        ended[reward_id][_end_by(broken, field, answer)] += 1
    has = await _has(stage)
    for row in await stage.rows(LockedReward):
        by = {end: count for end, count in ended[row.id].items() if end}
        status = LockStatus(row.status)
        broken.unless(by == {status.value: 1}, f"one ends it, not {by}; it is {status}")
        got = (row.amount if status is LockStatus.UNLOCKED else 0, 0)
        found = has[row.member_id, row.asset]
        broken.unless(found == got, f"who is told {status} has {got}, not {found}")
    return broken


def _end_by(broken: Broken, field: str, answer: Answer) -> str:
    """How this request ended the reward; nothing if another one did."""
    reply = said(answer, field)
    if field == "voidLockedReward":
        if reply["__typename"] == "VoidLockedRewardReceipt":
            return LockStatus.VOIDED.value
        code = reply.get("code", reply.get("fault"))
        broken.unless(code == "LOCKED_REWARD_ENDED", f"the others are told, not {code}")
        return ""
    unlocked = reply.get("unlocked")
    broken.unless(unlocked is not None, f"whoever acts is answered, not {reply}")
    return LockStatus.UNLOCKED.value if unlocked else ""
