"""What conditions say, what of it is refused and where, and what they come to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.errors import InvalidInput
from rewards.campaigns.models import EventKind
from rewards.conditions.facts import calendar_facts, member_facts
from rewards.conditions.rules import (
    Condition,
    ConditionFailed,
    Facts,
    Questions,
    compile_condition,
    load_condition,
)

AT = datetime(2026, 11, 8, 16, 30, 59, tzinfo=UTC)  # the 9th, a Monday, half past midnight
FACTS: Facts = {
    "event": {
        "kind": "SCAN",
        "at": AT,
        "scene": "shelf",
        "located": True,
        "latitude": 30.25,
        "longitude": 120.15,
    },
    "product": {"sku": "TEA-1", "gtin": ""},
    "batch": {"number": 7, "kind": "INNER"},
    "member": member_facts(
        role="CONSUMER",
        is_new=False,
        invited_by_id=None,
        joined_at=datetime(2026, 11, 6, 15, 59, tzinfo=UTC),  # the 6th, a minute to midnight
        birthday="11-09",
        at=AT,
        timezone="Asia/Shanghai",
    ),
    "tier": {"rank": 2, "code": "GOLD"},
    "counters": {"memberToday": 0, "memberTotal": 5},
    "calendar": calendar_facts(AT, "Asia/Shanghai"),
}

HOLD = [
    "true",
    "event.kind == 'SCAN' && event.scene == \"shelf\"",
    "event.located && event.latitude > 30.0 && event.longitude < 121",
    "event.at > timestamp('2026-11-09T00:00:00+08:00')",
    "event.at - duration('36h') < timestamp('2026-11-08T00:00:00Z')",
    "product.sku in ['TEA-1', 'TEA-2'] && product.gtin == ''",
    "product.sku.startsWith('TEA') && product.sku.endsWith('1') && product.sku.contains('-')",
    "size(product.sku) == 5 && string(batch.number) == '7'",
    "batch.number == 7 && batch.kind != 'OUTER'",
    "!member.isNew && !member.isInvited && member.isBirthday",
    "member.daysSinceJoined == 3",
    "tier.rank >= 2 ? tier.code == 'GOLD' : false",
    "tier.rank > 1.5 && double(tier.rank) / 4.0 == 0.5",
    "counters.memberToday < 1 && (counters.memberTotal + 1) % 3 == 0",
    "calendar.date == '2026-11-09' && calendar.weekday == 1",
    "calendar.year == 2026 && calendar.month == 11 && calendar.day == 9",
    "calendar.hour == 0 && calendar.minute == 30",
    "-tier.rank < -1 // of two\n&& tier.rank - 1 > 0",
    "counters.memberToday == 0 || 100 / counters.memberToday > 10",
]


@pytest.mark.parametrize("text", HOLD)
def test_a_condition_holds(text: str) -> None:
    assert compile_condition(text, "condition").holds(FACTS)
    assert load_condition(text, EventKind.SCAN).holds(FACTS)
    denied = f"!({text}\n)"
    assert not load_condition(denied, EventKind.SCAN).holds(FACTS)


REFUSED: list[tuple[str, str]] = [
    ("", "1 to 500 characters"),
    (" \n", "1 to 500 characters"),
    ("true || " * 63 + "true", "1 to 500 characters"),
    ("true\x00", "line 1, column 5: a character that is not printable"),
    ("member.typo", "line 1, column 1: unknown fact 'member.typo'"),
    ("true || member.typo", "line 1, column 9: unknown fact 'member.typo'"),
    ("true ||\n  tier.rnak > 1", "line 2, column 3: unknown fact 'tier.rnak'"),
    ("'member.typo' == '//' && x", "line 1, column 26: unknown name 'x'"),
    ("// x\nmember.isNew && x", "line 2, column 17: unknown name 'x'"),
    ("member", "line 1, column 1: 'member' is no fact"),
    ("member['isNew']", "line 1, column 1: 'member' is no fact"),
    ("event.amountFen > 1", "line 1, column 1: unknown fact 'event.amountFen'"),
    ("custom.field == 1", "line 1, column 1: unknown fact 'custom.field'"),
    ("now() > event.at", "line 1, column 1: unknown function 'now'"),
    ("[1, 2].all(x, x > 0)", "line 1, column 8: unknown method 'all'"),
    ("['a'].exists(x, true)", "line 1, column 7: unknown method 'exists'"),
    ("has(member.isNew)", "line 1, column 1: unknown function 'has'"),
    ("product.sku.matches('(a+)+')", "line 1, column 13: unknown method 'matches'"),
    ("event.at.getHours() > 1", "line 1, column 10: unknown method 'getHours'"),
    ("member.isNew &&", "line 1, column 16: expected a value, found the end"),
    ("(member.isNew", "line 1, column 14: expected ')', found the end"),
    ("member.isNew member.isNew", "line 1, column 14: expected an operator or the end"),
    ("member.isNew & true", "line 1, column 14: '&' is not understood"),
    ("product.sku == 'a", 'line 1, column 16: "\'" is not understood'),
    ("tier.rank > 5u", "line 1, column 13: '5u' is no number"),
    ("(" * 21 + "true" + ")" * 21, "line 1, column 21: nested more than 20 deep"),
    ("tier.rank", "line 1, column 1: must be a bool, is a int"),
    ("tier.rank == '2'", "line 1, column 11: == has no meaning for int and string"),
    ("tier.rank in ['2']", "line 1, column 11: a int is never in a list of string"),
    ("tier.rank in 2", "line 1, column 14: in needs a list, not a int"),
    ("false && tier.rank", "line 1, column 10: && needs a bool, not a int"),
    ("true || !tier.rank", "line 1, column 9: ! has no meaning for int"),
    ("true ? true : tier.rank", "line 1, column 15: ? : has no meaning for bool and int"),
    ("tier.rank + 1.5 > 2.0", "line 1, column 11: + has no meaning for int and double"),
    ("member.isNew < true", "line 1, column 14: < has no meaning for bool"),
    ("1 < tier.rank < 3", "line 1, column 15: < has no meaning for bool and int"),
    ("size(tier.rank) > 1", "line 1, column 6: size has no meaning for int"),
    ("tier.rank in [1, '2']", "line 1, column 18: [...] has no meaning for int and string"),
    ("true || 99999999999999999999 > 1", "line 1, column 9: Failed to parse"),
    ("true || tier.rank / 0 > 1", "line 1, column 9: division by zero"),
    ("true || event.at > timestamp('noon')", "line 1, column 20: Function 'timestamp'"),
    ("true || int('x') == 1", "line 1, column 9: Function 'int'"),
    ("member.role == 'consumer'", "line 1, column 16: member.role is never 'consumer'"),
    ("event.kind == 'PURCHASE'", "line 1, column 15: event.kind is never 'PURCHASE'"),
    ("false", "nobody can ever meet this"),
    ("tier.rank > 5 && tier.rank < 5", "nobody can ever meet this"),
    ("tier.rank > 5 && tier.rank < 6", "nobody can ever meet this"),
    ("calendar.hour >= 24", "nobody can ever meet this"),
    ("member.isNew && !member.isNew", "nobody can ever meet this"),
    ("event.latitude > 90.0", "nobody can ever meet this"),
    ("product.sku == 'A' && product.sku == 'B'", "nobody can ever meet this"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_wrong_is_told_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        compile_condition(text, "bonuses[1].condition")
    assert refused.value.details["field"] == "bonuses[1].condition"
    assert problem in refused.value.details["problem"]


MEETABLE = [
    "event.latitude > 30.1 && event.latitude < 30.1001",
    "tier.rank > 5 && tier.rank < 7",
    "event.at > timestamp('2026-11-09T00:00:00Z') && event.at < timestamp('2026-11-09T00:00:01Z')",
    "product.sku > 'A' && product.sku < 'B'",
    "product.sku.startsWith('A') && product.sku.endsWith('Z')",
    "counters.memberTotal % 1000 == 777",
    "batch.number / 100 == 53",
    "tier.rank == counters.memberToday * 10 + 3",
    "'vip' in segment.codes && !('ABC-123' in segment.codes)",
    "size(segment.codes) > 99 && !('a' in segment.codes) || 'a' in segment.codes",
    " && ".join(f"'s{n}' in segment.codes" for n in range(10)),
]


@pytest.mark.parametrize("text", MEETABLE)
def test_nothing_that_somebody_may_meet_is_called_impossible(text: str) -> None:
    assert compile_condition(text, "condition").text == text


def test_a_purchase_has_other_facts_than_a_scan() -> None:
    of_money = compile_condition("event.amountFen >= 10000", "condition", EventKind.PURCHASE)
    assert of_money.facts == {"event.amountFen"}
    assert of_money.holds({"event": {"amountFen": 10_000}})
    for text in ("batch.number == 1", "product.sku == 'A'", "event.located"):
        with pytest.raises(InvalidInput, match="INVALID_INPUT") as refused:
            compile_condition(text, "condition", EventKind.PURCHASE)
        assert "line 1, column 1: unknown fact" in refused.value.details["problem"]


def test_a_condition_asks_for_no_root_that_it_does_not_read() -> None:
    condition = compile_condition("tier.rank == 2", "condition")
    assert condition.holds({"tier": {"rank": 2}})


def test_one_that_fails_on_some_facts_does_not_hold_and_is_noted_once() -> None:
    condition = compile_condition("100 / counters.memberToday > 10", "condition")
    facts: Any = {"counters": {"memberToday": 0}}
    with pytest.raises(ConditionFailed):
        condition.holds(facts)
    questions = Questions()
    assert not questions.holds(condition, facts)
    assert not questions.holds(condition, facts)
    assert questions.holds(condition, {"counters": {"memberToday": 2}})
    assert questions.asked == 3
    assert list(questions.failed) == [condition.text]
    assert "zero" in questions.failed[condition.text]


def test_who_was_born_on_leap_day_celebrates_the_day_before_in_other_years() -> None:
    def is_birthday(at: datetime) -> Any:
        return member_facts(
            role="CONSUMER",
            is_new=True,
            invited_by_id=None,
            joined_at=None,
            birthday="02-29",
            at=at,
            timezone="UTC",
        )["isBirthday"]

    assert is_birthday(datetime(2026, 2, 28, tzinfo=UTC))
    assert not is_birthday(datetime(2028, 2, 28, tzinfo=UTC))
    assert is_birthday(datetime(2028, 2, 29, tzinfo=UTC))


def test_conditions_of_one_text_are_equal() -> None:
    one, other = (compile_condition("member.isNew", "condition") for _ in range(2))
    assert one == other
    assert isinstance(one, Condition)
