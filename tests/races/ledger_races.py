"""Races of moves between members; as ``scan_races.py``."""

import random
from collections import Counter
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.ledger.models import Account, AccountKind, Asset, Transfer
from tests.races.arena import Arena, Broken
from tests.races.stage import CONSUMER_POINTS, Stage, said
from tests.races.wire import release_at_once, request_bytes

MOVE = """mutation Race($input: MoveBalanceInput!) { moveBalance(input: $input) { __typename
  ... on MoveBalanceReceipt { replayed transferCount amount } ... on Refused { code } } }"""
MEMBERS = 8

Move = tuple[UUID, UUID, int]


def _request(token: str, move: Move, key: str) -> bytes:
    source, target, amount = move
    given = {
        "idempotencyKey": key,
        "fromMemberId": encode_id("Member", source),
        "toMemberId": encode_id("Member", target),
        "asset": "POINTS",
        "amount": amount,
        "reason": "race",
    }
    return request_bytes(token, MOVE, {"input": given})


async def _members_with_points(arena: Arena, stage: Stage) -> list[UUID]:
    """Members who earned their points by a scan each."""
    consumers = await stage.consumers(MEMBERS)
    await stage.warm(arena.ports)
    await release_at_once(
        arena.ports, [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(consumers)]
    )
    ids = await stage.member_ids()
    return [ids[consumer.identity_id] for consumer in consumers]


async def _balances(stage: Stage) -> dict[UUID, int]:
    return {
        account.owner_id: account.credits_posted - account.debits_posted
        for account in await stage.rows(Account)
        if account.asset == Asset.POINTS.value and account.kind == AccountKind.MAIN.value
    }


async def crossing_moves_keep_the_books(arena: Arena, size: int) -> Broken:
    """A to B and B to A at once, and a chain through all: each is done whole or refused for want
    of balance, and what everybody has is what the replies say."""
    broken = Broken()
    stage = await arena.stage("moves").build()
    members = await _members_with_points(arena, stage)
    chance = random.Random(7)
    moves: list[Move] = []
    for n in range(size):
        if n % 4 == 3:  # the chain
            at = n // 4 % (MEMBERS - 1)
            moves.append((members[at], members[at + 1], chance.randint(20, 80)))
        else:  # the crossing
            pair = members[:2] if n % 2 else members[1::-1]
            moves.append((pair[0], pair[1], chance.randint(20, 80)))
    token = stage.operator()
    requests = [_request(token, move, f"m{n}") for n, move in enumerate(moves)]
    replies = [
        said(answer, "moveBalance") for answer in await release_at_once(arena.ports, requests)
    ]
    ends = Counter(r.get("code", r.get("fault", r["__typename"])) for r in replies)
    broken.unless(
        set(ends) <= {"MoveBalanceReceipt", "INSUFFICIENT_BALANCE"},
        f"only want of balance refuses, not {dict(ends)}",
    )
    expected = dict.fromkeys(members, CONSUMER_POINTS)
    for (source, target, amount), reply in zip(moves, replies, strict=True):
        if reply["__typename"] == "MoveBalanceReceipt":
            expected[source] -= amount
            expected[target] += amount
    balances = await _balances(stage)
    broken.unless(balances == expected, "everybody has what the replies say")
    broken.unless(min(balances.values()) >= 0, "nobody is overdrawn")
    broken.unless(sum(balances.values()) == MEMBERS * CONSUMER_POINTS, "the total is unchanged")
    return broken


async def one_key_moves_once(arena: Arena, size: int) -> Broken:
    """One move under one key, as often as can be: it happens once, and all replies agree."""
    broken = Broken()
    stage = await arena.stage("one-move").build()
    members = await _members_with_points(arena, stage)
    token = stage.operator()
    requests = [_request(token, (members[0], members[1], 1), "once")] * size
    replies: list[dict[str, Any]] = [
        said(answer, "moveBalance") for answer in await release_at_once(arena.ports, requests)
    ]
    effected = Counter(str(r.get("replayed", r)) for r in replies)
    broken.unless(effected == Counter({"True": size - 1, "False": 1}), f"not {dict(effected)}")
    moved = [t for t in await stage.rows(Transfer) if t.kind == "MOVE"]
    broken.unless(len(moved) == 1, f"one transfer, not {len(moved)}")
    return broken
