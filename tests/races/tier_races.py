"""Races for a member's tier: scans that each earn a level, and grants; as ``scan_races.py``."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.actor import MemberRole, system_actor
from loyalty.ledger.models import Account, AccountKind
from loyalty.outbox import OutboxEvent
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import with_points
from tests.races.stage import Stage, said
from tests.races.wire import release_at_once, request_bytes
from tiers.ladders.rules import Level
from tiers.ladders.service import publish_ladder
from tiers.privileges.rules import Privilege, PrivilegeKind
from tiers.standings.folding import GIFTS_TOPIC, REACHED_TOPIC
from tiers.standings.models import Standing, StandingChange

GRANT = """mutation Race($input: GrantTierInput!) { grantTier(input: $input) { __typename
  ... on GrantTierReceipt { replayed } ... on Refused { code } } }"""
PUBLISH = """mutation Race($input: PublishLadderInput!) { publishLadder(input: $input) {
  __typename ... on PublishLadderReceipt { version } ... on Refused { code } } }"""
GROWTH = 10
"""Of a scan, and from each level to the next: every scan earns one."""
SCANS = 6
"""Of each member, all at once; by one before them it stands at the first level."""
EARNED = 1 + SCANS
TOP = EARNED + 2
"""Beyond what anybody earns: some are granted it meanwhile."""
GIFT = "CHANCES"
GIFTS_POLLS_MAX = 300


async def _publish_levels(stage: Stage) -> None:
    """A ladder of which each level gives a chance to whoever rises to it."""
    gifts = [
        Privilege(f"GIFT_{n}", PrivilegeKind.LEVEL_GIFT, "升级礼", "Gift", asset=GIFT, amount=1)
        for n in range(TOP + 1)
    ]
    levels = [
        Level(n, f"L{n}", "等级", "Level", GROWTH * n, 100, privileges=(gift,) if n else ())
        for n, gift in enumerate(gifts)
    ]
    actor = system_actor(stage.brand_id)
    await stage.db.in_transaction(
        publish_ladder, actor, role=MemberRole.CONSUMER, levels=levels, allow_lowering=True
    )


async def _publish(stage: Stage, thresholds: dict[str, int]) -> None:
    levels = [
        Level(n, code, code, code, at, 100) for n, (code, at) in enumerate(thresholds.items())
    ]
    actor = system_actor(stage.brand_id)
    await stage.db.in_transaction(
        publish_ladder, actor, role=MemberRole.CONSUMER, levels=levels, allow_lowering=True
    )


def _grant(token: str, member_id: UUID) -> bytes:
    given = {
        "idempotencyKey": f"grant {member_id}",
        "memberId": encode_id("Member", member_id),
        "rank": TOP,
        "until": "2999-12-31",
        "reason": "races",
    }
    return request_bytes(token, GRANT, {"input": given})


async def _facts(stage: Stage, topic: str) -> list[OutboxEvent]:
    return [fact for fact in await stage.rows(OutboxEvent) if fact.topic == topic]


async def _gifts(stage: Stage) -> dict[UUID, int]:
    """What each member has of what levels give, once a worker has told of all of them."""
    for _ in range(GIFTS_POLLS_MAX):
        if all(fact.delivered_at is not None for fact in await _facts(stage, GIFTS_TOPIC)):
            break
        await asyncio.sleep(0.1)
    return {
        account.owner_id: account.credits_posted - account.debits_posted
        for account in await stage.rows(Account)
        if account.asset == GIFT and account.kind == AccountKind.MAIN.value
    }


def _check_history(
    broken: Broken, standing: Standing, changes: list[StandingChange], *, is_granted: bool
) -> None:
    """Level by level up to what was earned, or from some level on to the one that was granted."""
    steps = sorted((change.from_rank, change.to_rank) for change in changes)
    earned = [(n, n + 1) for n in range(EARNED)]
    if is_granted:
        granted_at = len(steps) - 1
        earned = [*earned[:granted_at], (granted_at, TOP)]
    broken.unless(steps == earned, f"each level is reached once, not {steps}")
    stands = (standing.rank, standing.earned_rank, standing.grant_rank)
    wanted = (TOP, EARNED, TOP) if is_granted else (EARNED, EARNED, None)
    broken.unless(stands == wanted, f"stands at what is earned and granted, not {stands}")


async def each_level_is_reached_once(arena: Arena, size: int) -> Broken:
    """Members whose scans earn a level each, all at once, and half of them are granted one
    meanwhile: no level is missed or reached twice, nothing granted is lost, and each level's gift
    is given once."""
    broken = Broken()
    stage = await arena.stage("levels").build()
    await _publish_levels(stage)
    callers = await with_points(arena, stage, size)
    ids = await stage.member_ids()
    members = [ids[caller.identity_id] for caller in callers]
    granted = set(members[::2])
    token, codes = stage.operator(), iter(stage.inner[size:])
    requests = []
    for caller, member_id in zip(callers, members, strict=True):
        scans = [stage.scan(caller, next(codes), f"scan {n}") for n in range(SCANS)]
        grants = [_grant(token, member_id)] if member_id in granted else []
        requests += [*scans[:2], *grants, *scans[2:]]
    answers = await release_at_once(arena.ports, requests)
    ends = Counter(_end_of(answer) for answer in answers)
    wanted = Counter({"scanned": size * SCANS, "granted": len(granted)})
    broken.unless(ends == wanted, f"everything is done, not {dict(ends)}")
    standings = {row.member_id: row for row in await stage.rows(Standing)}
    changes = await stage.rows(StandingChange)
    for id in members:
        own = [change for change in changes if change.member_id == id]
        _check_history(broken, standings[id], own, is_granted=id in granted)
    told = Counter(fact.payload["change_id"] for fact in await _facts(stage, REACHED_TOPIC))
    broken.unless(told == Counter(change.id.hex for change in changes), "each is told once")
    if not broken:
        gifts = await _gifts(stage)
        due = {id: TOP if id in granted else EARNED for id in members}
        broken.unless(gifts == due, "each level's gift is given once")
    return broken


def _end_of(answer: dict[str, Any]) -> str:
    """What a scan or a grant came to."""
    data = answer.get("data") or {}
    field, done = ("grantTier", "granted") if "grantTier" in data else ("scanCode", "scanned")
    reply = said(answer, field)
    is_done = reply["__typename"].endswith("Receipt") and reply.get("unpaidReason") is None
    return done if is_done else str(reply.get("unpaidReason", reply.get("code", reply)))


async def all_are_carried_to_a_new_ladder(arena: Arena, size: int) -> Broken:
    """A level below the one that members rise to is taken out of the ladder while they scan: all
    of them stand at what they have earned, which is one rank lower now."""
    broken = Broken()
    stage = await arena.stage("carried").build()
    await _publish(stage, {"BASIC": 0, "BRONZE": GROWTH, "SILVER": 2 * GROWTH, "GOLD": 10**6})
    callers = await with_points(arena, stage, size)
    codes = iter(stage.inner[size:])
    some = [stage.scan(caller, next(codes), "second") for caller in callers[::2]]
    await release_at_once(arena.ports, some)
    requests = [stage.scan(each, next(codes), f"scan {n}") for n in range(3) for each in callers]
    levels = [
        {"code": code, "nameZh": code, "nameEn": code, "threshold": str(growth)}
        for code, growth in {"BASIC": 0, "SILVER": 2 * GROWTH, "GOLD": 10**6}.items()
    ]
    given = {"idempotencyKey": "publish", "levels": levels, "allowLowering": True}
    requests.insert(size, request_bytes(stage.operator(), PUBLISH, {"input": given}))
    answers = await release_at_once(arena.ports, requests)
    published = said(answers[size], "publishLadder")["__typename"]
    broken.unless(published == "PublishLadderReceipt", f"it is published, not {published}")
    ranks = Counter(standing.rank for standing in await stage.rows(Standing))
    broken.unless(ranks == Counter({1: size}), f"all are SILVER, rank 1, not {dict(ranks)}")
    return broken
