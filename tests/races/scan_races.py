"""Races of scans. Each makes its own brand, releases its requests at once to both servers, and
answers the promises it found broken: none, while every guard stands."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from loyalty.actor import MemberRole
from loyalty.codes.models import ItemCode
from loyalty.idempotency import IdempotencyRecord
from loyalty.ledger.models import Account, AccountKind, Asset, Transfer
from loyalty.members.models import Member
from rewards.campaigns.models import (
    CampaignBudget,
    CapCounter,
    CapSubject,
    CapWindow,
    Gate,
    OutcomeBasis,
)
from rewards.campaigns.rules import Cap, Outcome
from rewards.grants.models import Bonus
from rewards.scans.models import Claim, ScanEvent
from tests.races.arena import Arena, Broken
from tests.races.stage import CONSUMER_POINTS, GUIDE_POINTS, Caller, Stage, said
from tests.races.wire import release_at_once

PAID = None


async def release(arena: Arena, requests: Sequence[bytes], broken: Broken) -> list[dict[str, Any]]:
    """All replies; a race that gets anything but receipts and refusals is broken."""
    replies = [said(answer) for answer in await release_at_once(arena.ports, requests)]
    faults = Counter(reply["fault"] for reply in replies if reply["__typename"] == "Fault")
    broken.unless(not faults, f"every request is answered, not by faults {dict(faults)}")
    return replies


def _reasons(replies: Sequence[dict[str, Any]]) -> Counter[str | None]:
    return Counter(r.get("unpaidReason", r.get("code", r.get("fault"))) for r in replies)


async def _points(stage: Stage) -> dict[Any, int]:
    """Points by member, what is locked left out."""
    return {
        account.owner_id: account.credits_posted - account.debits_posted
        for account in await stage.rows(Account)
        if account.kind == AccountKind.MAIN.value and account.asset == Asset.POINTS.value
    }


async def one_code_pays_once(arena: Arena, size: int) -> Broken:
    """One code, scanned by everybody at once: one consumer and its guide are paid, once."""
    broken = Broken()
    stage = await arena.stage("one-code").build()
    guides = await stage.guides(10)
    consumers = await stage.consumers(size, guides)
    await stage.warm(arena.ports)
    requests = [stage.scan(c, stage.inner[0], f"k{n}") for n, c in enumerate(consumers)]
    replies = await release(arena, requests, broken)
    reasons = _reasons(replies)
    broken.unless(
        reasons == Counter({PAID: 1, "ALREADY_CLAIMED": size - 1}),
        f"one code pays one consumer, not {dict(reasons)}",
    )
    first = Counter(reply.get("verdict") for reply in replies)
    broken.unless(first["FIRST"] == 1, f"one scan is the first, not {first['FIRST']}")
    ends = sorted((c.beneficiary_role, c.outcome) for c in await stage.rows(Claim))
    broken.unless(
        ends == [("CONSUMER", "PAID"), ("GUIDE", "PAID")], f"two claims were consumed, not {ends}"
    )
    points = sorted(amount for amount in (await _points(stage)).values() if amount)
    broken.unless(
        points == [GUIDE_POINTS, CONSUMER_POINTS], f"the consumer and its guide got {points}"
    )
    counted = max(code.scan_count for code in await stage.rows(ItemCode))
    broken.unless(counted == size, f"every scan of it is counted, not {counted}")
    return broken


async def first_scan_is_told_once(arena: Arena, size: int) -> Broken:
    """Codes that pay nobody, each scanned by two at once: one of the two is told it is first."""
    broken = Broken()
    stage = await arena.stage("first-scan").build(pays=False)
    consumers = await stage.consumers(2)
    await stage.warm(arena.ports)
    requests = [
        stage.scan(consumers[n % 2], stage.inner[n // 2], f"k{n}") for n in range(size - size % 2)
    ]
    replies = await release(arena, requests, broken)
    pairs = Counter(
        tuple(sorted(str(reply.get("verdict")) for reply in replies[n : n + 2]))
        for n in range(0, len(replies), 2)
    )
    broken.unless(
        pairs == Counter({("FIRST", "REPEAT"): len(replies) // 2}),
        f"one of two is first, the other a repeat, not {dict(pairs)}",
    )
    return broken


async def budget_is_paid_to_its_last_unit(arena: Arena, size: int) -> Broken:
    """Different codes at a budget's end: exactly what is left is paid, the rest is BUDGET."""
    broken = Broken()
    each, winners = CONSUMER_POINTS + GUIDE_POINTS, 7 if size < 100 else 37
    stage = await arena.stage("budget").build(budget=winners * each + each - 1)
    guides = await stage.guides(10)
    consumers = await stage.consumers(size, guides)
    await stage.warm(arena.ports)
    requests = [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(consumers)]
    reasons = _reasons(await release(arena, requests, broken))
    broken.unless(
        reasons == Counter({PAID: winners, "BUDGET": size - winners}),
        f"{winners} are paid and the others are BUDGET, not {dict(reasons)}",
    )
    (budget,) = await stage.rows(CampaignBudget)
    broken.unless(
        (budget.spent, budget.reserved) == (winners * each, 0), f"{budget.spent} were spent"
    )
    issued = sum((await _points(stage)).values())
    broken.unless(issued == winners * each, f"{issued} points were issued")
    return broken


async def member_cap_is_kept(arena: Arena, size: int) -> Broken:
    """One member, as many codes and keys: exactly the cap is paid."""
    broken = Broken()
    cap = Cap(CapSubject.MEMBER, CapWindow.DAY, 7)
    stage = await arena.stage("member-cap").build(caps=[cap])
    (consumer,) = await stage.consumers(1)
    await stage.warm(arena.ports)
    requests = [stage.scan(consumer, stage.inner[n], f"k{n}") for n in range(size)]
    reasons = _reasons(await release(arena, requests, broken))
    broken.unless(
        reasons == Counter({PAID: 7, "CAP": size - 7}), f"the cap is 7, and {dict(reasons)}"
    )
    await _check_counters(stage, [7], broken)
    points = (await _points(stage)).values()
    broken.unless(sum(points) == 7 * CONSUMER_POINTS, f"{sum(points)} points were issued")
    return broken


async def device_cap_is_kept(arena: Arena, size: int) -> Broken:
    """One device in many hands: exactly the cap is paid."""
    broken = Broken()
    cap = Cap(CapSubject.DEVICE, CapWindow.CAMPAIGN, 9)
    stage = await arena.stage("device-cap").build(caps=[cap])
    consumers = await stage.consumers(size)
    await stage.warm(arena.ports)
    requests = [
        stage.scan(c, stage.inner[n], f"k{n}", device="one phone") for n, c in enumerate(consumers)
    ]
    reasons = _reasons(await release(arena, requests, broken))
    broken.unless(
        reasons == Counter({PAID: 9, "CAP": size - 9}), f"the cap is 9, and {dict(reasons)}"
    )
    await _check_counters(stage, [9], broken)
    return broken


async def bonuses_keep_limits_of_their_own(arena: Arena, size: int) -> Broken:
    """One device in many hands: all are paid, and the bonuses up to a cap and to a budget."""
    broken = Broken()
    stage = await arena.stage("bonuses").build()
    await stage.stack("cap", Asset.CHANCES, caps=[Cap(CapSubject.DEVICE, CapWindow.CAMPAIGN, 9)])
    await stage.stack("budget", Asset.CASH, budget=7)
    consumers = await stage.consumers(size)
    await stage.warm(arena.ports)
    requests = [
        stage.scan(c, stage.inner[n], f"k{n}", device="one phone") for n, c in enumerate(consumers)
    ]
    reasons = _reasons(await release(arena, requests, broken))
    broken.unless(reasons == Counter({PAID: size}), f"everybody is paid, not {dict(reasons)}")
    await _check_counters(stage, [9], broken)
    ends = Counter((b.bonus_group, b.unpaid_reason) for b in await stage.rows(Bonus))
    wanted = {("cap", None): 9, ("cap", "CAP"): size - 9}
    wanted |= {("budget", None): 7, ("budget", "BUDGET"): size - 7}
    broken.unless(ends == Counter(wanted), f"9 and 7 bonuses are paid, and {dict(ends)}")
    (budget,) = await stage.rows(CampaignBudget)
    broken.unless((budget.spent, budget.reserved) == (7, 0), f"{budget.spent} were spent")
    return broken


async def guide_cap_is_kept(arena: Arena, size: int) -> Broken:
    """One guide of everybody: all consumers are paid, the guide as often as the cap allows."""
    broken = Broken()
    cap = Cap(CapSubject.GUIDE, CapWindow.DAY, 5)
    stage = await arena.stage("guide-cap").build(caps=[cap])
    (guide,) = await stage.guides(1)
    consumers = await stage.consumers(size, [guide])
    await stage.warm(arena.ports)
    requests = [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(consumers)]
    replies = await release(arena, requests, broken)
    reasons = _reasons(replies)
    broken.unless(reasons == Counter({PAID: size}), f"every consumer is paid, not {dict(reasons)}")
    guides = Counter(reply.get("guideUnpaidReason") for reply in replies)
    broken.unless(
        guides == Counter({PAID: 5, "GUIDE_CAP": size - 5}), f"the cap is 5, and {dict(guides)}"
    )
    await _check_counters(stage, [5], broken)
    earned = (await _points(stage)).get(guide.member_id)
    broken.unless(earned == 5 * GUIDE_POINTS, f"the guide got {earned}")
    return broken


async def store_cap_is_kept(arena: Arena, size: int) -> Broken:
    """One store behind everybody's guide: all consumers are paid, the store up to its cap."""
    broken = Broken()
    cap = Cap(CapSubject.STORE, CapWindow.DAY, 5)
    pays = Outcome(MemberRole.STORE, Asset.CASH, OutcomeBasis.FIXED, 7)
    stage = await arena.stage("store-cap").build(caps=[cap], besides=[pays])
    (guide,) = await stage.guides(1)
    store_id = await stage.store_of(guide)
    consumers = await stage.consumers(size, [guide])
    await stage.warm(arena.ports)
    requests = [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(consumers)]
    reasons = _reasons(await release(arena, requests, broken))
    broken.unless(reasons == Counter({PAID: size}), f"every consumer is paid, not {dict(reasons)}")
    claims = [claim for claim in await stage.rows(Claim) if claim.beneficiary_role == "STORE"]
    ends = Counter((claim.outcome, claim.member_id) for claim in claims)
    wanted = Counter({("PAID", store_id): 5, ("CAP", store_id): size - 5})
    broken.unless(ends == wanted, f"the cap is 5, and {dict(ends)}")
    await _check_counters(stage, [5], broken)
    return broken


async def guides_are_paid_for_each_scan(arena: Arena, size: int) -> Broken:
    """A few guides of everybody, credited for the first time: each gets what its scans earned."""
    broken = Broken()
    stage = await arena.stage("guides").build()
    guides = await stage.guides(5)  # an odd number: each is credited by both servers
    consumers = await stage.consumers(size - size % 5, guides)
    await stage.warm(arena.ports)
    requests = [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(consumers)]
    reasons = _reasons(await release(arena, requests, broken))
    broken.unless(reasons == Counter({PAID: len(requests)}), f"all are paid, not {dict(reasons)}")
    points = await _points(stage)
    for guide in guides:
        got = points.get(guide.member_id)
        broken.unless(got == size // 5 * GUIDE_POINTS, f"a guide got {got}")
    return broken


async def _check_counters(stage: Stage, wanted: list[int], broken: Broken) -> None:
    used = [counter.used for counter in await stage.rows(CapCounter)]
    broken.unless(used == wanted, f"the counters say {used}")


async def one_key_has_one_effect(arena: Arena, size: int) -> Broken:
    """One key and body as often as can be: one effect and one reply, also if it pays nothing.

    Three sets at once: a code that pays, one that was claimed before, and one key with as many
    other bodies.
    """
    broken = Broken()
    stage = await arena.stage("one-key").build()
    consumer, other = await stage.consumers(2)
    await stage.warm(arena.ports)
    before = [stage.scan(other, stage.inner[1], "before")]
    await release(arena, before, broken)
    third = size // 3
    sets = [
        [stage.scan(consumer, stage.inner[0], "paid")] * third,
        [stage.scan(consumer, stage.inner[1], "repeated")] * third,
        [stage.scan(consumer, stage.inner[2], "clash", device=f"d{n}") for n in range(third)],
    ]
    mixed = [request for group in zip(*sets, strict=True) for request in group]
    replies = await release(arena, mixed, broken)
    for start, reason in ((0, PAID), (1, "ALREADY_CLAIMED")):
        same = replies[start::3]
        effected = [r for r in same if r.get("replayed") is False]
        told = {str({**r, "replayed": None}) for r in same}
        broken.unless(len(effected) == 1, f"one of them is the effect, not {len(effected)}")
        broken.unless(len(told) == 1, f"all say the same, not {len(told)} things")
        broken.unless(_reasons(same) == Counter({reason: third}), f"not {_reasons(same)}")
    clash = Counter(r.get("code", r.get("replayed")) for r in replies[2::3])
    broken.unless(
        clash == Counter({False: 1, "IDEMPOTENCY_CONFLICT": third - 1}),
        f"one body wins and the others conflict, not {dict(clash)}",
    )
    keys = [r.key for r in await stage.rows(IdempotencyRecord) if not r.key.startswith("warm")]
    broken.unless(sorted(keys) == ["before", "clash", "paid", "repeated"], f"records: {keys}")
    events = [e for e in await stage.rows(ScanEvent) if e.verdict != "INACTIVE"]
    broken.unless(len(events) == 4, f"four scans are recorded, not {len(events)}")
    return broken


async def one_key_is_recorded_once(arena: Arena, size: int) -> Broken:
    """Scans that pay nothing, each sent twice at once under one key: one is recorded, the other
    answered with its reply."""
    broken = Broken()
    stage = await arena.stage("recorded").build()
    consumer, other = await stage.consumers(2)
    await stage.warm(arena.ports)
    await release(arena, [stage.scan(other, stage.inner[0], "before")], broken)
    requests = [stage.scan(consumer, stage.inner[0], f"k{n // 2}") for n in range(size)]
    replies = await release(arena, requests, broken)
    pairs = Counter(
        tuple(sorted(str(reply.get("replayed")) for reply in replies[n : n + 2]))
        for n in range(0, size, 2)
    )
    broken.unless(pairs == Counter({("False", "True"): size // 2}), f"not {dict(pairs)}")
    events = [e for e in await stage.rows(ScanEvent) if e.verdict == "REPEAT"]
    broken.unless(len(events) == size // 2, f"{size // 2} scans, not {len(events)} recorded")
    return broken


async def first_act_makes_one_member(arena: Arena, size: int) -> Broken:
    """The first scans ever of a few people, many codes each at once: each is one member."""
    broken = Broken()
    people = 5
    stage = await arena.stage("first-act").build()
    guides = await stage.guides(1)
    consumers = await stage.consumers(people, guides)
    await stage.warm(arena.ports)
    requests = [
        stage.scan(consumers[n % people], stage.inner[n], f"k{n}")
        for n in range(size - size % people)
    ]
    replies = await release(arena, requests, broken)
    broken.unless(_reasons(replies) == Counter({PAID: len(requests)}), f"{_reasons(replies)}")
    new = sum(reply.get("isNewMember", False) for reply in replies)
    broken.unless(new == people, f"{people} are welcomed, not {new}")
    held = Counter(m.identity_id for m in await stage.rows(Member) if m.role == "CONSUMER")
    many = [count for person, count in held.items() if count > 1]
    broken.unless(not many and len(held) == people + 1, f"one member each, not {many}")
    points = await _points(stage)
    ids = await stage.member_ids()
    each = len(requests) // people * CONSUMER_POINTS
    for consumer in consumers:
        got = points.get(ids.get(consumer.identity_id))
        broken.unless(got == each, f"each gets {each} points, not {got}")
    return broken


async def pre_scans_race_scans(arena: Arena, size: int) -> Broken:
    """A guide's pre-scan and the consumer's scan of each item at the same moment, gate on: either
    order, nothing in between, nothing left pending."""
    broken = Broken()
    items = size // 2
    stage = await arena.stage("pre-scan").build(gate=Gate.CONSUMER_SCAN)
    guides = await stage.guides(5)
    consumers = await stage.consumers(items)
    await stage.warm(arena.ports)
    requests: list[bytes] = []
    for n, consumer in enumerate(consumers):
        guide = guides[n % len(guides)]
        pair = [
            stage.scan(guide, stage.outer[n], f"g{n}"),
            stage.scan(consumer, stage.inner[n], f"c{n}"),
        ]
        requests += pair if n % 4 < 2 else reversed(pair)
    replies = await release(arena, requests, broken)
    wanted: Counter[Caller] = Counter()
    ends: dict[int, tuple[Any, ...]] = {}
    for n in range(items):
        pair_at = replies[2 * n : 2 * n + 2]
        pre, scan = pair_at if n % 4 < 2 else reversed(pair_at)
        ends[n] = (scan.get("unpaidReason"), scan.get("guideUnpaidReason"), pre.get("unpaidReason"))
        if ends[n] == (PAID, PAID, PAID):
            wanted[guides[n % len(guides)]] += GUIDE_POINTS
    legal = {(PAID, PAID, PAID), (PAID, "NO_GUIDE", "ALREADY_CLAIMED")}
    broken.unless(set(ends.values()) <= legal, f"only legal ends, not {set(ends.values())}")
    points = await _points(stage)
    for guide in guides:
        got = points.get(guide.member_id, 0)
        broken.unless(got == wanted[guide], f"a guide got {got}, not {wanted[guide]}")
    pending = [a.id for a in await stage.rows(Account) if a.credits_pending or a.debits_pending]
    broken.unless(not pending, f"nothing stays pending, not {len(pending)} accounts")
    phases = Counter(t.phase for t in await stage.rows(Transfer))
    broken.unless(phases["PENDING"] == phases["POST"], f"what was locked was posted: {phases}")
    return broken
