"""Races of clerks for coupons; as ``scan_races.py``. The coupons are bought for points."""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql_schema.pagination import encode_id
from loyalty.actor import system_actor
from loyalty.db import Tx
from loyalty.ledger.models import Account, AccountKind, Transfer
from loyalty.outbox import OutboxEvent
from rewards.coupons.models import Coupon, CouponKind
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import create_template
from rewards.redemptions.models import Redemption, RedemptionEvent
from tests.races.arena import Arena, Broken
from tests.races.stage import Stage, said
from tests.races.wire import ask_once, release_at_once, request_bytes
from tests.rewards.redemptions.shops import Counter, add_counter, add_place

BUY = """mutation Race($input: BuyCouponInput!) { buyCoupon(input: $input) {
  ... on BuyCouponReceipt { coupon { id code } } ... on Refused { code } } }"""
_STEP = """mutation Race($input: {Name}Input!) { {name}(input: $input) { __typename
  ... on {Name}Receipt { replayed redemption { id status tillName place { name } } }
  ... on Refused { code details } } }"""
REBATE_FEN = 120


@dataclass(frozen=True, slots=True)
class Clerk:
    """At a till of its own."""

    counter: Counter
    token: str

    @property
    def where(self) -> tuple[str, str]:
        return self.counter.place.name, self.counter.till.name


def _step(clerk: Clerk, name: str, key: str, **given: Any) -> bytes:
    document = _STEP.replace("{name}", name).replace("{Name}", name[0].upper() + name[1:])
    return request_bytes(clerk.token, document, {"input": given | {"idempotencyKey": key}})


async def _add_counters(tx: Tx, stage: Stage, count: int, places: int) -> list[Counter]:
    at = [await add_place(tx, stage.brand_id, f"place-{n}") for n in range(places)]
    return [await add_counter(tx, at[n % places], n) for n in range(count)]


async def _clerks(stage: Stage, count: int, *, places: int) -> list[Clerk]:
    """At the tills of these places in turn."""
    counters = await stage.db.in_transaction(_add_counters, stage, count, places)
    return [Clerk(counter, stage.clerk(counter.actor)) for counter in counters]


async def _bought(arena: Arena, stage: Stage, count: int) -> list[str]:
    """The numbers of coupons that one consumer bought."""
    template = await stage.db.in_transaction(
        create_template,
        system_actor(stage.brand_id),
        TemplateDefinition(
            code="races",
            name_zh="竞赛",
            name_en="Races",
            kind=CouponKind.AMOUNT_OFF,
            amount_off_fen=500,
            usable_days=30,
            cost_fen=REBATE_FEN - 20,
            fee_fen=20,
            points_price=1,
        ),
    )
    (buyer,) = await stage.consumers(1)
    await stage.warm(arena.ports)
    await ask_once(arena.ports[0], stage.scan(buyer, stage.inner[0], "points"))
    codes = []
    for n in range(count):
        given = {"idempotencyKey": f"b{n}", "templateId": encode_id("CouponTemplate", template.id)}
        request = request_bytes(buyer.token, BUY, {"input": given})
        codes.append(said(await ask_once(arena.ports[0], request), "buyCoupon")["coupon"]["code"])
    return codes


async def _release(
    arena: Arena, requests: Sequence[bytes], field: str, broken: Broken
) -> list[dict[str, Any]]:
    """All replies; a race that gets anything but receipts and refusals is broken."""
    replies = [said(answer, field) for answer in await release_at_once(arena.ports, requests)]
    faults = Tally(reply["fault"] for reply in replies if reply["__typename"] == "Fault")
    broken.unless(not faults, f"every request is answered, not by faults {dict(faults)}")
    return replies


def _ends(replies: Sequence[dict[str, Any]]) -> Tally[str]:
    return Tally(str(r.get("code", r.get("fault", r["__typename"]))) for r in replies)


async def _cash(stage: Stage) -> dict[str, tuple[int, int]]:
    """(balance, pending) of all places together, and of the brand's issuance."""
    sums = {AccountKind.PLACE.value: [0, 0], AccountKind.ISSUANCE.value: [0, 0]}
    for account in await stage.rows(Account):
        if account.asset == "CASH" and account.kind in sums:
            sums[account.kind][0] += account.credits_posted - account.debits_posted
            sums[account.kind][1] += account.credits_pending - account.debits_pending
    return {kind: (posted, pending) for kind, (posted, pending) in sums.items()}


async def one_coupon_is_held_once(arena: Arena, size: int) -> Broken:
    """One coupon at all tills of two places at once: one holds it, the others are told which."""
    broken = Broken()
    stage = await arena.stage("hold").build()
    [code] = await _bought(arena, stage, 1)
    clerks = await _clerks(stage, size, places=2)
    requests = [_step(c, "holdCoupon", f"h{n}", code=code) for n, c in enumerate(clerks)]
    replies = await _release(arena, requests, "holdCoupon", broken)
    ends = _ends(replies)
    broken.unless(
        ends == Tally({"HoldCouponReceipt": 1, "COUPON_TAKEN": size - 1}),
        f"one till holds the coupon, not {dict(ends)}",
    )
    winners = {c.where for c, r in zip(clerks, replies, strict=True) if "redemption" in r}
    named = {(r["details"]["place"], r["details"]["till"]) for r in replies if "details" in r}
    broken.unless(named == winners, f"{winners} won, and the others were told of {named}")
    redemptions = await stage.rows(Redemption)
    broken.unless(len(redemptions) == 1, f"one redemption was begun, not {len(redemptions)}")
    (coupon,) = await stage.rows(Coupon)
    broken.unless(
        coupon.redemption_id in {row.id for row in redemptions}, "the coupon knows who holds it"
    )
    return broken


async def one_coupon_is_captured_once(arena: Arena, size: int) -> Broken:
    """One held coupon, captured by every till of its place at once under keys of their own: one
    effect, one rebate, and the others are told."""
    broken = Broken()
    stage = await arena.stage("capture").build()
    [code] = await _bought(arena, stage, 1)
    clerks = await _clerks(stage, size, places=1)
    hold = await ask_once(arena.ports[0], _step(clerks[0], "holdCoupon", "hold", code=code))
    id = said(hold, "holdCoupon")["redemption"]["id"]
    name = "captureRedemption"
    requests = [_step(c, name, f"c{n}", redemptionId=id) for n, c in enumerate(clerks)]
    replies = await _release(arena, requests, name, broken)
    ends = _ends(replies)
    broken.unless(
        ends == Tally({"CaptureRedemptionReceipt": 1, "REDEMPTION_STATE_WRONG": size - 1}),
        f"one capture takes effect, not {dict(ends)}",
    )
    told = {r["details"]["status"] for r in replies if "details" in r}
    broken.unless(told <= {"CAPTURED"}, f"the others are told that it is captured, not {told}")
    steps = Tally(event.step for event in await stage.rows(RedemptionEvent))
    broken.unless(steps == Tally({"HOLD": 1, "CAPTURE": 1}), f"two steps, not {dict(steps)}")
    rebates = [t for t in await stage.rows(Transfer) if (t.kind, t.phase) == ("REBATE", "PENDING")]
    broken.unless(len(rebates) == 1, f"one rebate, not {len(rebates)}")
    cash = await _cash(stage)
    broken.unless(
        sum(cash["PLACE"]) == REBATE_FEN, f"the store is credited {REBATE_FEN}, not {cash}"
    )
    facts = Tally(e.topic for e in await stage.rows(OutboxEvent))
    broken.unless(
        facts["redemption.captured"] == facts["coupon.redeemed"] == 1,
        f"one fact of each kind, not {dict(facts)}",
    )
    return broken


async def captures_are_reversed_once(arena: Arena, size: int) -> Broken:
    """Coupons captured and, while the workers settle them, each reversed by two tills at once: one
    reversal each, and nobody keeps or loses a fen."""
    broken = Broken()
    stage = await arena.stage("reverse").build()
    codes = await _bought(arena, stage, size // 2)
    clerks = await _clerks(stage, 2, places=1)
    holds = [_step(clerks[0], "holdCoupon", f"h{n}", code=code) for n, code in enumerate(codes)]
    held = await _release(arena, holds, "holdCoupon", broken)
    ids = [reply["redemption"]["id"] for reply in held]
    name = "captureRedemption"
    captures = [_step(clerks[0], name, f"c{n}", redemptionId=id) for n, id in enumerate(ids)]
    await _release(arena, captures, name, broken)
    name = "reverseRedemption"
    requests = [
        _step(clerk, name, f"r{n}", redemptionId=id, reason="race")
        for n, id in enumerate(ids)
        for clerk in clerks
    ]
    replies = await _release(arena, requests, name, broken)
    ends = _ends(replies)
    broken.unless(
        ends == Tally({"ReverseRedemptionReceipt": len(ids), "REDEMPTION_STATE_WRONG": len(ids)}),
        f"each is reversed once, not {dict(ends)}",
    )
    statuses = Tally(row.status for row in await stage.rows(Redemption))
    broken.unless(statuses == Tally({"REVERSED": len(ids)}), f"all are reversed: {dict(statuses)}")
    cash = await _cash(stage)
    broken.unless(
        cash == {"PLACE": (0, 0), "ISSUANCE": (0, 0)}, f"every fen is back where it was, not {cash}"
    )
    return broken
