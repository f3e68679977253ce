"""What drafts are refused for, each with the path; and what each role may be given, and how."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ids import new_id
from rewards.campaigns.checks import check_definition, check_terms
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import EventKind, Gate, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import CampaignDefinition, CouponOutcome, Outcome, Step
from rewards.draws.terms import AmountAward, DrawTerms, Entry, Guarantee, Prize, Stage

CONSUMER, GUIDE, STORE, DEALER, SALESPERSON = MemberRole
SCAN, PURCHASE, CHECK_IN = EventKind.SCAN, EventKind.PURCHASE, EventKind.CHECK_IN
NOW = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)
CEILING_FEN = 5_000_000
WINDOW = {
    "starts_at": datetime(2026, 12, 1, tzinfo=UTC),
    "ends_at": datetime(2026, 12, 31, tzinfo=UTC),
}
POINT = Outcome(CONSUMER, "POINTS", OutcomeBasis.FIXED, 1)


def cash(amount: int, lock: Lock | None = None) -> Outcome:
    return Outcome(CONSUMER, "CASH", OutcomeBasis.FIXED, amount, lock)


def draw(*amounts: int) -> DrawTerms:
    prizes = [Prize(f"P{n}", "奖", "Prize", AmountAward("CASH", n)) for n in amounts]
    none = Prize("NONE", "谢谢", "Thanks")
    stage = Stage(10**6, 10**6, tuple(Entry(prize.code, 1) for prize in prizes))
    return DrawTerms((*prizes, none), (stage,), "NONE")


def refused(outcomes: tuple[Any, ...] = (POINT,), **terms: Any) -> str | None:
    """The field that it is refused for, if it is."""
    event = terms.pop("event", SCAN)
    definition = CampaignDefinition("c", "活动", "Campaign", event, outcomes, **terms)
    try:
        check_definition(definition)
        check_terms(definition, NOW, CEILING_FEN)
    except InvalidInput as wrong:
        return str(wrong.details["field"])
    return None


BAD: list[tuple[str, dict[str, Any]]] = [
    ("budgets.CASH", {"draw": draw(500, 700), "budgets": {"CASH": 499}}),
    ("budgets.CASH", {"outcomes": (cash(100),), "draw": draw(500), "budgets": {"CASH": 599}}),
    ("outcomes", {"outcomes": (cash(2_500_000),), "draw": draw(2_500_001)}),
    ("draw.prizes[0].amount", {"draw": draw(5_000_001)}),
    ("condition", {**WINDOW, "condition": "calendar.year == 2020"}),
    ("condition", {**WINDOW, "condition": "event.at < timestamp('2026-11-30T00:00:00Z')"}),
    ("condition", {**WINDOW, "condition": "event.at >= timestamp('2026-12-31T00:00:00Z')"}),
    ("condition", {**WINDOW, "condition": "calendar.month == 7"}),
    (
        "outcomes[0].lock.on",
        {**WINDOW, "outcomes": (cash(1, Lock(UnlockKind.ON, on=date(2026, 11, 29))),)},
    ),
    ("outcomes[0].lock.on", {"outcomes": (cash(1, Lock(UnlockKind.ON, on=date(2026, 11, 7))),)}),
    (
        "budgets.CASH",
        {
            "draw": DrawTerms(
                (Prize("CAR", "汽车", "Car"), Prize("P600", "奖", "P", AmountAward("CASH", 600))),
                (Stage(10**6, 10**6, (Entry("CAR", 1),)),),
                "P600",
            ),
            "budgets": {"CASH": 599},
        },
    ),
    ("condition", {"event": CHECK_IN, "condition": "member.role == 'STORE'"}),
    ("condition", {"condition": "member.role == 'GUIDE'"}),
    ("condition", {"event": PURCHASE, "condition": "member.role == 'DEALER'"}),
    (
        "outcomes[0].beneficiary",
        {
            "event": EventKind.REFERRAL,
            "outcomes": (Outcome(STORE, "POINTS", OutcomeBasis.FIXED, 1),),
        },
    ),
]


@pytest.mark.parametrize(("field", "terms"), BAD, ids=str)
def test_what_can_never_be_is_refused_with_its_path(field: str, terms: dict[str, Any]) -> None:
    assert refused(**terms) == field


GOOD: list[dict[str, Any]] = [
    {"outcomes": (cash(100),), "draw": draw(500), "budgets": {"CASH": 600}},
    {"outcomes": (cash(2_500_000),), "draw": draw(2_500_000)},
    {**WINDOW, "condition": "calendar.year == 2026 && calendar.month == 12"},
    {**WINDOW, "condition": "event.at >= timestamp('2026-12-30T23:00:00Z')"},
    {**WINDOW, "condition": "calendar.month == 12 && calendar.day == 31"},
    {"ends_at": datetime(9999, 12, 31, 23, tzinfo=UTC), "condition": "calendar.year == 2999"},
    {"outcomes": (cash(1, Lock(UnlockKind.ON, on=date(2026, 11, 9))),)},
    {"condition": "member.role != 'GUIDE'"},
    {"condition": "member.role in ['CONSUMER', 'GUIDE'] && calendar.hour > 3"},
    {
        "draw": replace(
            draw(500, 700),
            prizes=(*draw(500, 700).prizes, Prize("P100", "奖", "Prize", AmountAward("CASH", 100))),
            guarantee=Guarantee("P100", 3),
        ),
        "budgets": {"CASH": 200},
    },
    {
        "outcomes": (POINT, Outcome(GUIDE, "POINTS", OutcomeBasis.FIXED, 1)),
        "gate": Gate.CONSUMER_SCAN,
        "condition": "member.role == 'GUIDE' || member.isNew",
    },
]


@pytest.mark.parametrize("terms", GOOD, ids=str)
def test_what_may_be_is_not(terms: dict[str, Any]) -> None:
    assert refused(**terms) is None


LOCKS: dict[UnlockKind | None, Lock | None] = {
    None: None,
    UnlockKind.ITEM: Lock(UnlockKind.ITEM, lapses_after=timedelta(days=30)),
    UnlockKind.INNER_SCAN: Lock(UnlockKind.INNER_SCAN, lapses_after=timedelta(days=7)),
    UnlockKind.NEXT_SCAN: Lock(UnlockKind.NEXT_SCAN),
    UnlockKind.ACTION: Lock(UnlockKind.ACTION, action="follow"),
    UnlockKind.AFTER: Lock(UnlockKind.AFTER, after=timedelta(days=7)),
    UnlockKind.ON: Lock(UnlockKind.ON, on=date(2026, 12, 1)),
    UnlockKind.BOX_BOTTLES: Lock(UnlockKind.BOX_BOTTLES, 2, lapses_after=timedelta(days=7)),
}
BASES = [basis for basis in OutcomeBasis if basis is not OutcomeBasis.PERCENT_OF_MAIN]
PER_SALE = {OutcomeBasis.PER_CURRENCY_UNIT, OutcomeBasis.PER_UNIT, OutcomeBasis.TABLE}
EVENTS = [
    (SCAN, Gate.NONE),
    (SCAN, Gate.CONSUMER_SCAN),
    (PURCHASE, Gate.NONE),
    (CHECK_IN, Gate.NONE),
]


def expected(
    event: EventKind, gate: Gate, role: MemberRole, basis: OutcomeBasis | None, lock: Any
) -> str | None:
    """Of an outcome (a coupon without a ``basis``), the field that it is refused for."""
    if event is PURCHASE and role is GUIDE:
        return "beneficiary"
    if basis is None and gate is not Gate.NONE and role is GUIDE:
        return "couponTemplateId"
    if event is not PURCHASE and basis in PER_SALE:
        return "basis"
    if lock in (UnlockKind.BOX_BOTTLES, UnlockKind.INNER_SCAN) and event is not SCAN:
        return "lock.kind"
    is_gated = gate is not Gate.NONE and role is GUIDE
    if lock is UnlockKind.ITEM:
        return None if is_gated else "lock.kind"
    if lock is not None and is_gated:
        return "lock"
    if lock in (UnlockKind.NEXT_SCAN, UnlockKind.INNER_SCAN) and role is not CONSUMER:
        return "lock.kind"
    return None


def test_the_whole_table_of_event_role_outcome_and_lock() -> None:
    seen: Counter[bool] = Counter()
    cells = product(EVENTS, MemberRole, (*BASES, None), LOCKS)
    for (event, gate), role, basis, lock in cells:
        steps = (Step(0, 1),) if basis is OutcomeBasis.TABLE else ()
        amount = 0 if steps else 1
        tried: Outcome | CouponOutcome = CouponOutcome(role, new_id(), LOCKS[lock])
        if basis is not None:
            tried = Outcome(role, "GROWTH", basis, amount, LOCKS[lock], steps)
        besides = (POINT, Outcome(GUIDE, "POINTS", OutcomeBasis.FIXED, 1))
        outcomes = (tried, *(besides if event is SCAN else besides[:1]))
        field = expected(event, gate, role, basis, lock)
        told = refused(outcomes, event=event, gate=gate)
        assert told == (field and f"outcomes[0].{field}"), (event, gate, role, basis, lock)
        seen[field is None] += 1
    assert seen == Counter({True: 227, False: 573}), "cells that are allowed, and refused"
