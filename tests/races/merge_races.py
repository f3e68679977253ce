"""Races of a merge with what its two members do at that moment; as ``scan_races.py``."""

from collections import Counter
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.ledger.models import Account, AccountKind, Asset
from loyalty.members.models import Member
from loyalty.members.service import enrol
from tests.races.arena import Arena, Broken
from tests.races.stage import CONSUMER_POINTS, Caller, Stage, said
from tests.races.wire import release_at_once, request_bytes

MERGE = """mutation Race($input: MergeMembersInput!) { mergeMembers(input: $input) { __typename
  ... on MergeMembersReceipt { replayed member { id } } ... on Refused { code } } }"""
SCANS = 2
"""Of each member that is merged, while it is."""
FRIENDS = 4


def _merge(token: str, source: UUID, target: UUID, key: str) -> bytes:
    given = {
        "idempotencyKey": key,
        "fromMemberId": encode_id("Member", source),
        "intoMemberId": encode_id("Member", target),
        "reason": "race",
    }
    return request_bytes(token, MERGE, {"input": given})


async def _enrol(stage: Stage, people: list[Caller]) -> None:
    """Members without accounts."""
    for person in people:
        role = MemberRole.CONSUMER.value
        actor = Actor(ActorKind.MEMBER, stage.brand_id, person.identity_id, role)
        await stage.db.in_transaction(enrol, actor)


async def _points(stage: Stage) -> dict[UUID, int]:
    return {
        account.owner_id: account.credits_posted - account.debits_posted
        for account in await stage.rows(Account)
        if account.asset == Asset.POINTS.value and account.kind == AccountKind.MAIN.value
    }


def _merged_all(broken: Broken, replies: list[dict[str, Any]]) -> None:
    ends = Counter(str(r.get("code", r.get("fault", r["__typename"]))) for r in replies)
    broken.unless(set(ends) == {"MergeMembersReceipt"}, f"all are merged, not {dict(ends)}")


async def _race(
    broken: Broken, arena: Arena, stage: Stage, *, have_points: bool, size: int
) -> None:
    """Pairs of members, of which one scans and is merged into the other at once."""
    people = await stage.consumers(2 * size)
    await stage.warm(arena.ports)
    await _enrol(stage, people)
    codes = iter(stage.inner)
    earned = Counter[UUID]()
    if have_points:
        firsts = [stage.scan(person, next(codes), "first") for person in people]
        await release_at_once(arena.ports, firsts)
        earned.update(person.identity_id for person in people)
    ids = await stage.member_ids()
    token = stage.operator()
    requests = []
    for n in range(size):
        one, other = people[2 * n], people[2 * n + 1]
        scans = [stage.scan(one, next(codes), f"scan {nth}") for nth in range(SCANS)]
        merge = _merge(token, ids[one.identity_id], ids[other.identity_id], f"merge {n}")
        requests += [*scans[:1], merge, *scans[1:]]
    answers = await release_at_once(arena.ports, requests)
    _merged_all(broken, [said(answer, "mergeMembers") for answer in answers[1 :: SCANS + 1]])
    points = await _points(stage)
    identities = [person.identity_id for person in people]
    for old, kept in zip(identities[::2], identities[1::2], strict=True):
        wanted = CONSUMER_POINTS * (earned[old] + earned[kept] + SCANS)
        found = points.get(ids[kept], 0), points.get(ids[old], 0)
        broken.unless(found == (wanted, 0), f"one has {wanted} and the other nothing, not {found}")


async def whoever_is_merged_is_paid_as_the_other(arena: Arena, size: int) -> Broken:
    """A member's scans while it is merged: each is paid, and the other one has everything."""
    broken = Broken()
    stage = await arena.stage("merged").build()
    await _race(broken, arena, stage, have_points=True, size=size)
    return broken


async def newcomers_are_merged_with_what_they_earn(arena: Arena, size: int) -> Broken:
    """The same of members that have no account yet to be locked by."""
    broken = Broken()
    stage = await arena.stage("newcomers").build()
    await _race(broken, arena, stage, have_points=False, size=size)
    return broken


async def whom_a_merged_guide_brings_is_brought_by_the_other(arena: Arena, size: int) -> Broken:
    """Consumers enrol by the invitation of a guide that is merged into another at that moment."""
    broken = Broken()
    stage = await arena.stage("brought").build()
    await stage.warm(arena.ports)
    token = stage.operator()
    guides = await stage.guides(2 * size)
    ones, others = guides[::2], guides[1::2]
    friends = await stage.consumers(FRIENDS * size, ones)  # each invites in turn
    scans = [stage.scan(f, code, "k") for f, code in zip(friends, stage.inner, strict=False)]
    requests = []
    for n, (one, other) in enumerate(zip(ones, others, strict=True)):
        merge = _merge(token, one.member_id, other.member_id, f"merge {n}")
        early, *late = scans[n::size]
        requests += [early, merge, *late]
    answers = await release_at_once(arena.ports, requests)
    _merged_all(broken, [said(answer, "mergeMembers") for answer in answers[1 :: FRIENDS + 1]])
    inviters = {row.identity_id: row.invited_by_id for row in await stage.rows(Member)}
    for n, friend in enumerate(friends):
        is_other = inviters[friend.identity_id] == others[n % size].member_id
        broken.unless(is_other, "who was merged has brought somebody")
    return broken
