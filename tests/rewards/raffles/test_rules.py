"""What may be said of a raffle, and who wins: pure."""

import hashlib
import hmac
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty.errors import InvalidInput
from rewards.raffles.rules import (
    COST_MAX,
    ENTRIES_MAX_MAX,
    STEPS_MAX,
    WINNERS_MAX,
    Prize,
    RaffleDefinition,
    Step,
    check_definition,
    message_of,
    score_of,
    step_of,
    table_from_json,
    table_to_json,
    winners_of,
    worst_case,
)

NOW = datetime(2026, 12, 1, tzinfo=UTC)
CEILING_FEN = 5_000_000
TEA = Prize("茶", "Tea", 2, "POINTS", 100)
CASH = Prize("红包", "Packet", 1, "CASH", 9_900)
TABLE = (Step(1, (TEA,)), Step(10, (CASH, TEA)), Step(100, (replace(CASH, winners=3),)))
GOOD = RaffleDefinition(
    code="ninth",
    name_zh="抽奖",
    name_en="Raffle",
    opens_at=NOW,
    closes_at=NOW + timedelta(days=1),
    entries_max=3,
    table=TABLE,
    cost=("CHANCES", 1),
    condition="tier.rank >= 1 && calendar.memberDay || member.isNew",
    budgets=(("CASH", 29_700), ("POINTS", 200)),
)


def one(prize: Prize) -> dict[str, Any]:
    return {"table": (Step(1, (prize,)),), "budgets": ()}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"code": "a b"}, "code", "letters, digits"),
    ({"name_zh": " "}, "nameZh", "characters"),
    ({"closes_at": NOW}, "closesAt", "after opensAt"),
    ({"opens_at": NOW.replace(tzinfo=None)}, "opensAt", "time zone offset"),
    ({"closes_at": NOW.replace(year=3001)}, "closesAt", "from 2000 to 3000"),
    (
        {"opens_at": NOW - timedelta(days=2), "closes_at": NOW - timedelta(days=1)},
        "closesAt",
        "over already",
    ),
    ({"entries_max": 0}, "entriesMax", f"1 to {ENTRIES_MAX_MAX}"),
    ({"cost": ("CASH", 1)}, "cost.asset", "neither cash nor growth"),
    ({"cost": ("GROWTH", 1)}, "cost.asset", "neither cash nor growth"),
    ({"cost": ("POINTS", 0)}, "cost.amount", f"1 to {COST_MAX}"),
    ({"condition": "tier.rnak > 1"}, "condition", "line 1, column 1: unknown fact 'tier.rnak'"),
    (
        {"condition": "member.isNew ||\n  counters.memberTotal > 1"},
        "condition",
        "line 2, column 3: unknown fact 'counters.memberTotal'",
    ),
    ({"condition": "event.scene == 'a'"}, "condition", "line 1, column 1: unknown fact"),
    ({"condition": "member.role == 'GUIDE'"}, "condition", "column 16: member.role is never"),
    ({"condition": "tier.rank > 1 && tier.rank < 1"}, "condition", "nobody can ever meet this"),
    ({"table": ()}, "prizeTable", f"1 to {STEPS_MAX} steps"),
    ({"table": (Step(2, (TEA,)),)}, "prizeTable[0].poolMin", "a pool of 1"),
    ({"table": (TABLE[0], TABLE[0])}, "prizeTable[1].poolMin", "2 to"),
    ({"table": (Step(1, ()),)}, "prizeTable[0].prizes", "prizes"),
    (one(replace(TEA, winners=0)), "prizeTable[0].prizes[0].winners", f"1 to {WINNERS_MAX}"),
    (one(replace(TEA, amount=0)), "prizeTable[0].prizes[0].amount", "1 to"),
    (one(replace(TEA, name_en="")), "prizeTable[0].prizes[0].nameEn", "characters"),
    (one(replace(TEA, asset="GROWTH")), "prizeTable[0].prizes[0].asset", "not won"),
    (
        one(replace(CASH, amount=CEILING_FEN + 1)),
        "prizeTable[0].prizes[0].amount",
        "over the prize ceiling",
    ),
    (
        {"table": (Step(1, (replace(TEA, winners=WINNERS_MAX), CASH)),), "budgets": ()},
        "prizeTable[0].prizes",
        "winners",
    ),
    ({"budgets": (("CASH", 29_699),)}, "budgets[0].amount", "gives up to 29700"),
    ({"budgets": (("CASH", 29_700),) * 2}, "budgets[1].asset", "once"),
    ({"budgets": (("CASH", 0),)}, "budgets[0].amount", "1 to"),
]


@pytest.mark.parametrize(("wrong", "field", "problem"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_wrong_is_told_with_its_path(
    wrong: dict[str, Any], field: str, problem: str
) -> None:
    check_definition(GOOD, NOW, CEILING_FEN)
    with pytest.raises(InvalidInput) as refused:
        check_definition(replace(GOOD, **wrong), NOW, CEILING_FEN)
    assert refused.value.details["field"] == field
    assert problem in refused.value.details["problem"]


def test_the_table_goes_by_the_pool_and_its_worst_case_is_known() -> None:
    steps = [step_of(TABLE, entrants) for entrants in (0, 1, 9, 10, 99, 100, 10**6)]
    assert steps == [None, TABLE[0], TABLE[0], TABLE[1], TABLE[1], TABLE[2], TABLE[2]]
    assert worst_case(TABLE) == {"CASH": 29_700, "POINTS": 200}
    assert table_from_json(table_to_json(TABLE)) == TABLE


def test_servers_of_before_read_tables_without_coupons() -> None:
    plain = (Step(1, (Prize("奖", "Prize", 1, "POINTS", 5),)),)
    [prize] = table_to_json(plain)[0]["prizes"]
    assert "coupon_template_id" not in prize
    assert table_from_json(table_to_json(plain)) == plain


def test_prizes_go_to_the_first_entrants_and_the_last_ones_are_left() -> None:
    ids = [UUID(int=n) for n in range(1, 6)]
    firsts = [(id, id) for id in ids]
    step = Step(1, (CASH, TEA))
    assert [(w.place, w.entry_id, w.prize_no) for w in winners_of(firsts, step)] == [
        (1, ids[0], 0),
        (2, ids[1], 1),
        (3, ids[2], 1),
    ]
    assert [w.prize for w in winners_of(firsts[:2], step)] == [CASH, TEA]
    assert winners_of([], step) == []


def test_scores_are_the_hmac_and_favour_nobody() -> None:
    brand, raffle = UUID(int=1), UUID(int=2)
    message = message_of(brand, raffle, UUID(int=3))
    assert message == f"raffle-1|{1:032x}|{2:032x}|{3:032x}"
    seed = bytes(range(32))
    assert score_of(seed, message) == hmac.new(seed, message.encode(), hashlib.sha256).hexdigest()
    # 4,000 raffles of 4 entries each: an entry wins a quarter, give or take five deviations.
    wins: Counter[int] = Counter()
    for n in range(4_000):
        secret = hashlib.sha256(f"raffle {n}".encode()).digest()
        scores = [score_of(secret, message_of(brand, raffle, UUID(int=each))) for each in range(4)]
        wins[scores.index(min(scores))] += 1
    deviation = (4_000 * 0.25 * 0.75) ** 0.5
    assert all(abs(wins[each] - 1_000) < 5 * deviation for each in range(4))
