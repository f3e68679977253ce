"""Races of moves between members, of reversals and of holds; as ``scan_races.py``."""

import random
from collections import Counter
from typing import Any
from uuid import UUID

from graphql_schema.pagination import encode_id
from loyalty.ledger.models import Account, AccountKind, Asset, Transfer, TransferReversal
from tests.races.arena import Arena, Broken
from tests.races.stage import CONSUMER_POINTS, Stage, said
from tests.races.wire import ask_once, release_at_once, request_bytes

MOVE = """mutation Race($input: MoveBalanceInput!) { moveBalance(input: $input) { __typename
  ... on MoveBalanceReceipt { replayed transferCount amount } ... on Refused { code } } }"""
REVERSE = """mutation Race($input: ReverseTransferInput!) { reverseTransfer(input: $input) {
  __typename ... on ReverseTransferReceipt { replayed taken owed } ... on Refused { code } } }"""
HOLD = """mutation Race($input: HoldBalanceInput!) { holdBalance(input: $input) {
  __typename ... on HoldBalanceReceipt { hold { id } } ... on Refused { code } } }"""
END_HOLD = """mutation Race($input: %sHoldInput!) { %sHold(input: $input) {
  __typename ... on %sHoldReceipt { replayed } ... on Refused { code } } }"""
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


async def a_credit_is_taken_back_up_to_its_amount(arena: Arena, size: int) -> Broken:
    """What a member earned and has no more is taken back in parts, many at once: as many as fit
    are owed, and the others are refused."""
    broken = Broken()
    stage = await arena.stage("taken-back").build()
    members = await _members_with_points(arena, stage)
    token = stage.operator()
    gone = _request(token, (members[0], members[1], CONSUMER_POINTS), "gone")
    said(await ask_once(arena.ports[0], gone), "moveBalance")
    earned = [t for t in await stage.rows(Transfer) if t.kind == "EARN" and t.asset == "POINTS"]
    of_member = await _transfer_of(stage, members[0], earned)
    part = 30
    given = {"transferId": encode_id("Entry", of_member.id), "amount": part, "reason": "race"}
    requests = [
        request_bytes(
            token,
            REVERSE,
            {"input": {**given, "policy": "UNLIMITED", "idempotencyKey": f"r{n}"}},
        )
        for n in range(size)
    ]
    replies = [
        said(answer, "reverseTransfer") for answer in await release_at_once(arena.ports, requests)
    ]
    ends = Counter(r.get("code", r.get("fault", r.get("owed"))) for r in replies)
    fit = CONSUMER_POINTS // part
    wanted = Counter({part: fit, "REVERSAL_TOO_LARGE": size - fit})
    broken.unless(ends == wanted, f"as many as fit are owed, not {dict(ends)}")
    counted = [row.reversed for row in await stage.rows(TransferReversal)]
    broken.unless(counted == [fit * part], f"they are counted together, not {counted}")
    debts = [
        account.debits_posted - account.credits_posted
        for account in await stage.rows(Account)
        if account.kind == AccountKind.RECEIVABLE.value
    ]
    broken.unless(debts == [fit * part], f"all of it is owed, not {debts}")
    return broken


async def _transfer_of(stage: Stage, member_id: UUID, transfers: list[Transfer]) -> Transfer:
    """The one that credited the member."""
    accounts = {account.id: account.owner_id for account in await stage.rows(Account)}
    [found] = [t for t in transfers if accounts[t.credit_account_id] == member_id]
    return found


async def a_hold_ends_once(arena: Arena, size: int) -> Broken:
    """One hold, captured and released at once by many: one of them ends it."""
    broken = Broken()
    stage = await arena.stage("one-hold").build()
    member, *_ = await _members_with_points(arena, stage)
    token = stage.operator()
    held = 60
    wanted = {"memberId": encode_id("Member", member), "asset": "POINTS", "amount": held}
    given = {**wanted, "ttlSeconds": 600, "reason": "race", "idempotencyKey": "held"}
    hold = said(
        await ask_once(arena.ports[0], request_bytes(token, HOLD, {"input": given})),
        "holdBalance",
    )["hold"]["id"]
    verbs = ["capture" if n % 2 else "release" for n in range(size)]
    requests = [
        request_bytes(
            token,
            END_HOLD % (verb.title(), verb, verb.title()),
            {"input": {"holdId": hold, "idempotencyKey": f"e{n}"}},
        )
        for n, verb in enumerate(verbs)
    ]
    answers = await release_at_once(arena.ports, requests)
    replies = [said(a, f"{verb}Hold") for a, verb in zip(answers, verbs, strict=True)]
    ended = [v for v, r in zip(verbs, replies, strict=True) if r["__typename"].endswith("Receipt")]
    codes = Counter(r.get("code", r.get("fault")) for r in replies)
    broken.unless(len(ended) == 1, f"one ends it, not {ended}")
    broken.unless(codes["HOLD_STATE_WRONG"] == size - 1, f"the others are told, not {dict(codes)}")
    left = CONSUMER_POINTS - (held if ended == ["capture"] else 0)
    balances = await _balances(stage)
    broken.unless(balances[member] == left, f"{left} are left, not {balances[member]}")
    return broken
