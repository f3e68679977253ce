"""Where an instant falls in a brand's calendar, and scans counted by it."""

import time
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules import count_by_hour, local_day
from loyalty.clock import first_id_at
from loyalty.ids import new_id
from loyalty.outbox import Leased

BRAND, PRODUCT = new_id(), new_id()
ZONES = ["Asia/Shanghai", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "UTC"]


def scan(at: datetime, *, first: bool = True, paid: bool = False) -> Leased:
    payload = {"product_id": PRODUCT.hex, "first": first, "paid": paid}
    return Leased(BRAND, new_id(), "scan.recorded", new_id(), payload, 1, at)


@pytest.mark.parametrize(
    ("zone", "on", "starts_at", "hours"),
    [
        ("Asia/Shanghai", date(2026, 11, 9), datetime(2026, 11, 8, 16, tzinfo=UTC), 24),
        ("America/New_York", date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
        ("America/New_York", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
        # Midnight itself is skipped there: the day begins at one o'clock.
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, tzinfo=UTC), 23),
    ],
)
def test_a_local_day_is_as_long_as_its_clocks_say(
    zone: str, on: date, starts_at: datetime, hours: int
) -> None:
    day = local_day(on, zone)
    assert day.starts_at == starts_at
    assert day.ends_at - day.starts_at == timedelta(hours=hours)


@given(
    seconds=st.integers(1_577_836_800, 2_208_988_800),
    zone=st.sampled_from(ZONES),
)
def test_each_instant_is_in_one_local_day_the_one_its_scan_is_counted_in(
    seconds: int, zone: str
) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    ((_, on, hour, _, *counts),) = count_by_hour([scan(at)], {BRAND: zone})
    day = local_day(on, zone)
    assert day.starts_at <= at < day.ends_at
    assert day.id_from <= first_id_at(at) < day.id_to
    assert local_day(on + timedelta(days=1), zone).starts_at == day.ends_at
    assert 0 <= hour <= 23
    assert counts == [1, 1, 0]


def test_an_id_sorts_among_the_instants_as_its_making_does() -> None:
    before = datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)
    made = new_id()
    after = before + timedelta(seconds=10)
    assert first_id_at(before) <= made < first_id_at(after)
    assert first_id_at(datetime.fromtimestamp(0, UTC)) == UUID(int=0)


def test_the_hour_that_is_repeated_counts_both_times() -> None:
    once, again = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))
    rows = count_by_hour([scan(once, paid=True), scan(again)], {BRAND: "America/New_York"})
    assert rows == [(BRAND, date(2026, 11, 1), 1, PRODUCT, 2, 2, 1)]


def test_rows_come_in_the_order_of_their_key() -> None:
    start = datetime(2026, 11, 9, tzinfo=UTC)
    events = [scan(start + timedelta(hours=hours)) for hours in (30, 2, 17, 2)]
    rows = count_by_hour(events, {BRAND: "UTC"})
    assert rows == sorted(rows)
    assert [row[4] for row in rows] == [2, 1, 1]


def test_a_malformed_scan_is_an_error() -> None:
    good = scan(datetime(2026, 11, 9, tzinfo=UTC))
    bad = Leased(BRAND, new_id(), good.topic, new_id(), {"first": True}, 1, good.created_at)
    with pytest.raises(KeyError):
        count_by_hour([good, bad], {BRAND: "UTC"})
    with pytest.raises(KeyError):
        count_by_hour([good], {})
