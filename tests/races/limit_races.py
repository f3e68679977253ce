"""Races at the end of limits that no other file has: of draws, of coupons won, of what is locked,
of purchases and of events; as ``scan_races.py``."""

from collections import Counter
from typing import Any

from loyalty.actor import MemberRole, system_actor
from loyalty.ledger.models import Account, Asset, Transfer
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import (
    CampaignBudget,
    CapSubject,
    CapWindow,
    EventKind,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import CampaignDefinition, Cap, CouponOutcome, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.coupons.models import Coupon, CouponTemplate
from rewards.draws.models import Draw
from rewards.draws.terms import AmountAward, DrawTerms, Entry, Guarantee, Prize
from rewards.draws.terms import Stage as DrawStage
from rewards.grants.models import LockedReward
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import on_sale
from tests.races.event_races import CHECK_IN
from tests.races.purchase_races import RECORD, SOLD
from tests.races.scan_races import release
from tests.races.stage import Stage, said
from tests.races.wire import release_at_once, request_bytes

EACH = 5
WINNERS = 7
BUDGET = EACH * WINNERS + EACH - 1
THANKS = Prize("THANKS", "谢谢", "Thanks")


async def _publish(stage: Stage, event: EventKind, *outcomes: Any, **terms: Any) -> None:
    definition = CampaignDefinition("limits", "限额", "Limits", event, outcomes, **terms)
    await stage.db.in_transaction(
        publish_campaign, system_actor(stage.brand_id), definition, stage.keyring
    )


def _consumers(asset: Asset, lock: Lock | None = None) -> Outcome:
    return Outcome(MemberRole.CONSUMER, asset, OutcomeBasis.FIXED, EACH, lock)


def _always(prize: Prize, **terms: Any) -> DrawTerms:
    stage = DrawStage(10**6, 10**6, (Entry(prize.code, 1),), **terms)
    return DrawTerms((prize, THANKS), (stage,), "THANKS")


async def _scan(arena: Arena, stage: Stage, size: int, broken: Broken, people: int = 0) -> None:
    """So many scans of as many people, or of so few."""
    consumers = await stage.consumers(people or size)
    await stage.warm(arena.ports)
    callers = [consumers[n % len(consumers)] for n in range(size)]
    requests = [stage.scan(caller, stage.inner[n], f"k{n}") for n, caller in enumerate(callers)]
    await release(arena, requests, broken)


async def _check_cash(stage: Stage, broken: Broken, locked: int = 0) -> None:
    owned = [row for row in await stage.rows(Account) if row.asset == Asset.CASH]
    held = [row for row in owned if row.owner_id != stage.brand_id and row.kind == "MAIN"]
    posted = sum(row.credits_posted - row.debits_posted for row in held)
    pending = sum(row.credits_pending for row in held)
    wanted = (0, BUDGET - EACH + 1) if locked else (BUDGET - EACH + 1, 0)
    broken.unless((posted, pending) == wanted, f"{posted} given and {pending} locked")


async def a_stages_budget_is_drawn_to_its_last_fen(arena: Arena, size: int) -> Broken:
    """Everybody draws cash at the end of a stage's budget: as many get it as it has room for."""
    return await _draw(arena, "stage-budget", {"budgets": (("CASH", BUDGET),)}, {}, size)


async def a_campaigns_budget_is_drawn_to_its_last_fen(arena: Arena, size: int) -> Broken:
    """The same at the end of the campaign's own."""
    return await _draw(arena, "draw-budget", {}, {"CASH": BUDGET}, size)


async def _draw(
    arena: Arena, name: str, stage_terms: dict[str, Any], budgets: dict[str, int], size: int
) -> Broken:
    broken = Broken()
    stage = await arena.stage(name).build(pays=False)
    packet = Prize("CASH", "红包", "Packet", AmountAward("CASH", EACH))
    terms = _always(packet, **stage_terms)
    await _publish(stage, EventKind.SCAN, draw=terms, budgets=budgets)
    await _scan(arena, stage, size, broken)
    draws = await stage.rows(Draw)
    given = Counter(draw.given_prize for draw in draws)
    wanted = Counter({"CASH": WINNERS, "THANKS": size - WINNERS})
    broken.unless(given == wanted, f"{WINNERS} packets are given, not {dict(given)}")
    told = sum(len(draw.exhausted) for draw in draws)
    broken.unless(told == size - WINNERS, f"all others are told why, not {told}")
    await _check_cash(stage, broken)
    return broken


async def a_guarantee_is_kept_once(arena: Arena, size: int) -> Broken:
    """One member's draws, none of which wins but its fifth: each has a number of its own. Nothing
    is paid beside, so that the member has no account to be locked."""
    broken = Broken()
    stage = await arena.stage("guarantee").build(pays=False)
    car = Prize("CAR", "汽车", "Car")
    never = DrawStage(0, 0, (Entry("CAR", 1),))
    terms = DrawTerms((car, THANKS), (never,), "THANKS", guarantee=Guarantee("CAR", EACH))
    await _publish(stage, EventKind.SCAN, draw=terms)
    await _scan(arena, stage, size, broken, people=1)
    draws = await stage.rows(Draw)
    numbers = sorted(draw.member_draw_no or 0 for draw in draws)
    broken.unless(numbers == list(range(1, size + 1)), f"each draw has its number, not {numbers}")
    won = [draw.member_draw_no for draw in draws if draw.given_prize == "CAR"]
    broken.unless(won == [EACH], f"the fifth wins, not {won}")
    return broken


async def coupons_are_won_to_the_last(arena: Arena, size: int) -> Broken:
    """Everybody scans for a coupon at its stock's end: as many are paid as there are coupons."""
    broken = Broken()
    stage = await arena.stage("won").build(pays=False)
    template_id = await on_sale(stage, stock_max=WINNERS)
    coupon = CouponOutcome(MemberRole.CONSUMER, template_id)
    await _publish(stage, EventKind.SCAN, _consumers(Asset.CASH), coupon)
    await _scan(arena, stage, size, broken)
    issued = [row.issued for row in await stage.rows(CouponTemplate)]
    made = len(await stage.rows(Coupon))
    broken.unless((issued, made) == ([WINNERS], WINNERS), f"{issued} issued, {made} there")
    await _check_cash(stage, broken)
    return broken


async def what_is_locked_stays_within_the_budget(arena: Arena, size: int) -> Broken:
    """Everybody is to get a locked packet at a budget's end: as many as it has room for."""
    broken = Broken()
    stage = await arena.stage("reserved").build(pays=False)
    follow = Lock(UnlockKind.ACTION, action="follow")
    packet = _consumers(Asset.CASH, follow)
    await _publish(stage, EventKind.SCAN, packet, budgets={"CASH": BUDGET})
    await _scan(arena, stage, size, broken)
    locked = len(await stage.rows(LockedReward))
    broken.unless(locked == WINNERS, f"{locked} packets wait")
    [budget] = await stage.rows(CampaignBudget)
    held = (budget.spent, budget.reserved)
    broken.unless(held == (0, EACH * WINNERS), f"{held} of the budget")
    await _check_cash(stage, broken, locked=WINNERS)
    return broken


async def everybody_together_is_paid_up_to_the_cap(arena: Arena, size: int) -> Broken:
    """The first so many scans of a campaign are paid, whoever makes them."""
    broken = Broken()
    stage = await arena.stage("together").build(pays=False)
    cap = Cap(CapSubject.ALL, CapWindow.CAMPAIGN, WINNERS)
    await _publish(stage, EventKind.SCAN, _consumers(Asset.CASH), caps=(cap,))
    await _scan(arena, stage, size, broken)
    await _check_cash(stage, broken)
    return broken


async def purchases_are_paid_to_the_budgets_last_unit(arena: Arena, size: int) -> Broken:
    """Everybody buys at a budget's end: all is recorded, and as many earn as it has room for."""
    broken = Broken()
    stage = await arena.stage("bought-budget").build(pays=False)
    await _publish(stage, EventKind.PURCHASE, _consumers(Asset.CASH), budgets={"CASH": BUDGET})
    await _buy(arena, stage, [f"b{n}" for n in range(size)], broken)
    await _check_cash(stage, broken)
    return broken


async def a_buyers_cap_is_kept(arena: Arena, size: int) -> Broken:
    """One buyer, as many purchases: exactly the cap earns."""
    broken = Broken()
    stage = await arena.stage("bought-cap").build(pays=False)
    cap = Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, WINNERS)
    await _publish(stage, EventKind.PURCHASE, _consumers(Asset.CASH), caps=(cap,))
    await _buy(arena, stage, ["ann"] * size, broken)
    await _check_cash(stage, broken)
    return broken


async def _buy(arena: Arena, stage: Stage, buyers: list[str], broken: Broken) -> None:
    token = stage.operator()
    sold = {**SOLD, "source": "TILL", "amountFen": 100}
    requests = [
        request_bytes(
            token,
            RECORD,
            {
                "input": sold
                | {"idempotencyKey": f"k{n}", "purchaseRef": f"P{n}", "externalRef": who}
            },
        )
        for n, who in enumerate(buyers)
    ]
    answers = await release_at_once(arena.ports, requests)
    ends = Counter(said(answer, "recordPurchase")["__typename"] for answer in answers)
    wanted = Counter({"RecordPurchaseReceipt": len(buyers)})
    broken.unless(ends == wanted, f"all are recorded, not {dict(ends)}")
    paid = len([row for row in await stage.rows(Transfer) if row.cause_kind == "PURCHASE"])
    broken.unless(paid == WINNERS, f"{paid} purchases earn")


async def events_are_paid_to_the_budgets_last_unit(arena: Arena, size: int) -> Broken:
    """Everybody checks in at a budget's end: as many earn as it has room for."""
    broken = Broken()
    stage = await arena.stage("checked-in").build(pays=False)
    await _publish(stage, EventKind.CHECK_IN, _consumers(Asset.CASH), budgets={"CASH": BUDGET})
    consumers = await stage.consumers(size)
    requests = [
        request_bytes(each.token, CHECK_IN, {"input": {"idempotencyKey": "today"}})
        for each in consumers
    ]
    answers = await release_at_once(arena.ports, requests)
    events = [said(answer, "checkIn").get("event") or {} for answer in answers]
    paid = Counter(len(event.get("earned", "?")) for event in events)
    broken.unless(paid == Counter({1: WINNERS, 0: size - WINNERS}), f"earned {dict(paid)}")
    await _check_cash(stage, broken)
    return broken
