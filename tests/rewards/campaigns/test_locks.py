"""What outcomes may wait for: durations, conditions that make sense, and how they are stored."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ids import new_id
from loyalty.ledger.rules import ReturnPolicy
from rewards.campaigns.checks import check_definition
from rewards.campaigns.locks import (
    DURATION_MAX,
    Lock,
    check_lock,
    duration_text,
    lock_from_json,
    lock_to_json,
    read_duration,
)
from rewards.campaigns.models import EventKind, Gate, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import (
    CampaignDefinition,
    CouponOutcome,
    Outcome,
    outcomes_from_json,
    outcomes_to_json,
)

CONSUMER, GUIDE, STORE = MemberRole.CONSUMER, MemberRole.GUIDE, MemberRole.STORE
NEXT_SCAN, ACTION = Lock(UnlockKind.NEXT_SCAN), Lock(UnlockKind.ACTION, action="follow")
AFTER = Lock(UnlockKind.AFTER, after=timedelta(days=7))
ON = Lock(UnlockKind.ON, on=date(2026, 12, 31))
BOX = Lock(UnlockKind.BOX_BOTTLES, 6, lapses_after=timedelta(days=30))

durations = st.integers(1, 3660 * 24).map(lambda hours: timedelta(hours=hours))
lapsing = st.none() | durations
locks = st.one_of(
    st.builds(
        Lock, st.just(UnlockKind.NEXT_SCAN), count=st.integers(1, 1000), lapses_after=lapsing
    ),
    st.builds(
        Lock, st.just(UnlockKind.BOX_BOTTLES), count=st.integers(1, 1000), lapses_after=durations
    ),
    st.builds(
        Lock,
        st.just(UnlockKind.ACTION),
        action=st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True),
        lapses_after=lapsing,
    ),
    st.builds(
        Lock, st.sampled_from([UnlockKind.ITEM, UnlockKind.INNER_SCAN]), lapses_after=lapsing
    ),
    st.builds(Lock, st.just(UnlockKind.AFTER), after=durations),
    st.builds(Lock, st.just(UnlockKind.ON), on=st.dates(date(2000, 1, 1), date(2999, 12, 31))),
)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("P7D", 168), ("P2W", 336), ("PT36H", 36), ("P1DT12H", 36), ("P3660D", 3660 * 24)],
)
def test_a_duration_is_of_weeks_or_of_days_and_hours(text: str, hours: int) -> None:
    assert read_duration(text, "after") == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P0D", "PT0H", "P1DT", "P1M", "P1Y", "PT30M", "P1W2D", "7D", "P-1D"),
        *("P1.5D", "P3661D", "P99999W", "P7D ", "p7d", "P７D"),
    ],
)
def test_any_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_duration(text, "lock.after")
    assert refused.value.details["field"] == "lock.after"


@given(durations)
def test_a_duration_is_read_as_it_was_written(duration: timedelta) -> None:
    assert duration <= DURATION_MAX
    assert read_duration(duration_text(duration), "after") == duration


@given(locks)
def test_a_lock_that_makes_sense_is_stored_and_read_again(lock: Lock) -> None:
    check_lock("lock", lock)
    assert lock_from_json(json.loads(json.dumps(lock_to_json(lock)))) == lock


@pytest.mark.parametrize(
    ("lock", "field"),
    [
        (Lock(UnlockKind.ITEM, count=2), "count"),
        (Lock(UnlockKind.INNER_SCAN, count=2), "count"),
        (Lock(UnlockKind.INNER_SCAN, action="follow"), "action"),
        (Lock(UnlockKind.NEXT_SCAN, count=0), "count"),
        (Lock(UnlockKind.NEXT_SCAN, count=1001), "count"),
        (replace(ACTION, count=2), "count"),
        (Lock(UnlockKind.ACTION), "action"),
        (replace(ACTION, action="Follow"), "action"),
        (replace(NEXT_SCAN, action="follow"), "action"),
        (Lock(UnlockKind.AFTER), "after"),
        (replace(ON, after=timedelta(days=1)), "after"),
        (Lock(UnlockKind.ON), "on"),
        (replace(AFTER, on=date(2026, 12, 31)), "on"),
        (replace(ON, on=date(1999, 12, 31)), "on"),
        (replace(AFTER, lapses_after=timedelta(days=1)), "lapsesAfter"),
        (replace(ON, lapses_after=timedelta(days=1)), "lapsesAfter"),
        (replace(BOX, count=0), "count"),
        (replace(BOX, action="follow"), "action"),
        (replace(BOX, lapses_after=None), "lapsesAfter"),
    ],
)
def test_a_lock_has_what_its_kind_needs_and_nothing_else(lock: Lock, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_lock("lock", lock)
    assert refused.value.details["field"] == f"lock.{field}"


# --- campaigns with locks ------------------------------------------------------------------------


def points(lock: Lock | None, to: MemberRole = CONSUMER) -> Outcome:
    return Outcome(to, "POINTS", OutcomeBasis.FIXED, 3, lock)


def campaign(*outcomes: Outcome | CouponOutcome, **more: Any) -> CampaignDefinition:
    return CampaignDefinition("scan", "扫码", "Scan", EventKind.SCAN, outcomes, **more)


def refused_field(definition: CampaignDefinition) -> Any:
    with pytest.raises(InvalidInput) as refused:
        check_definition(definition)
    return refused.value.details["field"]


def test_one_asset_may_be_paid_at_once_and_locked_each_way_once() -> None:
    longer = replace(NEXT_SCAN, lapses_after=timedelta(days=7))
    check_definition(campaign(*(points(lock) for lock in (None, NEXT_SCAN, longer, ACTION, AFTER))))
    check_definition(campaign(points(ON)))  # and nothing at once
    for lock in (None, NEXT_SCAN, longer):
        assert refused_field(campaign(points(lock), points(lock))) == "outcomes[1]"
    assert refused_field(campaign(points(Lock(UnlockKind.ON)))) == "outcomes[0].lock.on"


def test_only_scans_are_of_bottles_in_a_box() -> None:
    check_definition(campaign(points(BOX), points(BOX, GUIDE)))
    bought = replace(campaign(points(BOX)), event=EventKind.PURCHASE)
    assert refused_field(bought) == "outcomes[0].lock.kind"


def test_a_guides_reward_waits_for_the_gate_or_for_what_a_guide_can_bring_about() -> None:
    check_definition(campaign(points(None), points(ACTION, GUIDE)))
    assert refused_field(campaign(points(None), points(NEXT_SCAN, GUIDE))) == (
        "outcomes[1].lock.kind"
    )
    gated = campaign(points(None), points(AFTER, GUIDE), gate=Gate.CONSUMER_SCAN)
    assert refused_field(gated) == "outcomes[1].lock"


def test_purchases_may_lock_too() -> None:
    bought = Outcome(CONSUMER, "POINTS", OutcomeBasis.PER_CURRENCY_UNIT, 1, AFTER)
    check_definition(replace(campaign(bought), event=EventKind.PURCHASE))


def test_outcomes_are_stored_with_their_locks() -> None:
    outcomes = (points(None), points(NEXT_SCAN), points(AFTER, GUIDE))
    coupon = CouponOutcome(CONSUMER, new_id())
    assert outcomes_from_json(outcomes_to_json((*outcomes, coupon))) == outcomes


def test_a_return_policy_is_of_somebody_whom_the_campaign_pays() -> None:
    policies = {CONSUMER: ReturnPolicy.UNLIMITED, GUIDE: ReturnPolicy.ONLY_PENDING}
    check_definition(campaign(points(None), points(None, GUIDE), return_policies=policies))
    unpaid = campaign(points(None), return_policies=policies)
    assert refused_field(unpaid) == "returnPolicies.GUIDE"
