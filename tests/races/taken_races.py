"""A race for a guide's reward that waits until its buyer has taken what it got; as
``scan_races.py``."""

from collections import Counter

from graphql_schema.pagination import encode_id
from loyalty.actor import MemberRole
from loyalty.ledger.models import Asset
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import Gate, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import Outcome
from rewards.grants.models import LockedReward
from tests.races.arena import Arena, Broken
from tests.races.lock_races import REPORT
from tests.races.stage import GUIDE_POINTS, said
from tests.races.wire import release_at_once, request_bytes

ACTIONS = {Asset.CASH: "follow", Asset.CHANCES: "join_group"}


async def the_last_that_is_taken_pays_the_guide(arena: Arena, size: int) -> Broken:
    """Consumers whose two rewards wait for an action each, and their guides for both; both actions
    of everybody are told at once: whoever comes last pays the guide, and nobody is forgotten."""
    broken = Broken()
    waiting = [
        Outcome(
            MemberRole.CONSUMER, asset, OutcomeBasis.FIXED, 5, Lock(UnlockKind.ACTION, action=name)
        )
        for asset, name in ACTIONS.items()
    ]
    stage = await arena.stage("taken").build(gate=Gate.CONSUMER_TAKEN, besides=waiting)
    await stage.warm(arena.ports)
    guides = await stage.guides(size)
    callers = await stage.consumers(size, invited_by=guides)
    scans = [stage.scan(each, stage.inner[n], f"scan {n}") for n, each in enumerate(callers)]
    ends = Counter(
        (reply.get("unpaidReason", "?"), reply.get("guideUnpaidReason", "?"))
        for reply in map(said, await release_at_once(arena.ports, scans))
    )
    broken.unless(ends == Counter({(None, None): size}), f"all are paid, not {dict(ends)}")

    ids, token = await stage.member_ids(), stage.operator()
    reports = []
    for caller in callers:
        member_id = encode_id("Member", ids[caller.identity_id])
        for name in ACTIONS.values():
            key = f"{name} {member_id}"
            told = {"idempotencyKey": key, "memberId": member_id, "action": name}
            reports.append(request_bytes(token, REPORT, {"input": told}))
    answers = await release_at_once(arena.ports, reports)
    unlocked = Counter(said(answer, "reportAction").get("unlocked") for answer in answers)
    broken.unless(unlocked == Counter({1: 2 * size}), f"each unlocks its own, not {dict(unlocked)}")
    rewards = await stage.rows(LockedReward)
    found = Counter((row.unlock_kind, row.amount, row.status) for row in rewards)
    wanted = {("ACTION", 5, "UNLOCKED"): 2 * size, ("TAKEN", GUIDE_POINTS, "UNLOCKED"): size}
    broken.unless(found == Counter(wanted), f"every guide is paid, not {dict(found)}")
    return broken
