"""Who may take an offer when, for how much, and what it lacks: from values alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from loyalty.ids import new_id
from rewards.offers.models import LimitWindow, Offer, OfferKind, OfferStatus
from rewards.offers.rules import (
    NO_PRIVILEGES,
    Availability,
    Closed,
    Mine,
    Privileges,
    access,
    mine,
    total_of,
    window_keys,
)
from rewards.offers.terms import Part, RankLimit, stored_terms
from tests.rewards.offers.malls import priced, terms
from tiers.ladders.rules import LadderView
from tiers.ladders.service import starter_levels

NOW = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 9)
HOUR = timedelta(hours=1)
DAY_3, DAY_5 = RankLimit(LimitWindow.DAY, 0, 3), RankLimit(LimitWindow.DAY, 2, 5)
EVER_9 = RankLimit(LimitWindow.ALL, 1, 9)


def offer(*prices: Any, status: OfferStatus = OfferStatus.ACTIVE, **more: Any) -> Offer:
    return Offer(
        brand_id=new_id(),
        code="cup",
        kind=OfferKind.GIFT.value,
        status=status.value,
        created_at=NOW,
        **stored_terms(terms(*prices, **more)),
    )


@pytest.mark.parametrize(
    ("more", "rank", "privileges", "closed"),
    [
        ({}, 0, NO_PRIVILEGES, None),
        ({"status": OfferStatus.PAUSED}, 9, NO_PRIVILEGES, Closed.NOT_FOR_SALE),
        ({"starts_at": NOW}, 0, NO_PRIVILEGES, None),
        ({"starts_at": NOW + HOUR}, 9, Privileges(early_hours=9), Closed.NOT_FOR_SALE),
        ({"ends_at": NOW}, 9, NO_PRIVILEGES, Closed.NOT_FOR_SALE),
        ({"ends_at": NOW + HOUR}, 0, NO_PRIVILEGES, None),
        ({"rank_min": 2}, 1, NO_PRIVILEGES, Closed.RANK_TOO_LOW),
        ({"rank_min": 2}, 2, NO_PRIVILEGES, None),
        ({"rank_min": 2}, 1, Privileges(offer_codes=frozenset({"cup"})), None),
        ({"rank_min": 2}, 1, Privileges(offer_codes=frozenset({"hat"})), Closed.RANK_TOO_LOW),
        ({"opens_at": NOW}, 0, NO_PRIVILEGES, None),
        ({"opens_at": NOW + HOUR}, 9, NO_PRIVILEGES, Closed.NOT_OPEN_YET),
        ({"opens_at": NOW + HOUR}, 0, Privileges(early_hours=1), None),
        ({"opens_at": NOW + 2 * HOUR}, 0, Privileges(early_hours=1), Closed.NOT_OPEN_YET),
    ],
)
def test_it_is_open_or_says_why_not(
    more: dict[str, Any], rank: int, privileges: Privileges, closed: Closed | None
) -> None:
    assert access(offer(**more), rank, privileges, NOW).closed is closed


def test_it_opens_earlier_to_some_ranks_and_never_later_for_a_privilege() -> None:
    early = offer(opens_at=NOW + 5 * HOUR, early_hours=3, early_rank_min=2)
    for rank, hours, opens_at in (
        (1, 0, NOW + 5 * HOUR),
        (2, 0, NOW + 2 * HOUR),
        (2, 1, NOW + 2 * HOUR),
        (2, 4, NOW + HOUR),
        (0, 4, NOW + HOUR),
    ):
        found = access(early, rank, Privileges(early_hours=hours), NOW)
        assert (found.opens_at, found.closed) == (opens_at, Closed.NOT_OPEN_YET)
        assert access(early, rank, Privileges(early_hours=hours), opens_at).closed is None
    assert access(offer(), 9, Privileges(early_hours=4), NOW).opens_at is None


def test_a_rank_has_the_price_and_the_limits_of_the_highest_it_meets() -> None:
    found = offer(
        priced(("POINTS", 90), rank_min=2),
        priced(("POINTS", 500), ("CASH", 990)),
        limits=(DAY_5, DAY_3, EVER_9),
        fee=Part("CASH", 600),
    )
    for rank, price, limits in (
        (0, (Part("POINTS", 500), Part("CASH", 990)), {LimitWindow.DAY: 3}),
        (
            1,
            (Part("POINTS", 500), Part("CASH", 990)),
            {LimitWindow.DAY: 3, LimitWindow.ALL: 9},
        ),
        (7, (Part("POINTS", 90),), {LimitWindow.DAY: 5, LimitWindow.ALL: 9}),
    ):
        plain = access(found, rank, NO_PRIVILEGES, NOW)
        assert (plain.price, plain.limits, plain.fee) == (price, limits, Part("CASH", 600))
        more = access(found, rank, Privileges(more_times=2, waives_fees=True), NOW)
        assert (more.price, more.fee) == (price, None)
        assert more.limits == {window: times + 2 for window, times in limits.items()}


def seen(
    found: Offer,
    spendable: dict[str, int],
    *,
    taken_today: int = 0,
    coupons_left: int | None = None,
    **used: int,
) -> Mine:
    keys = {window.value: key for window, key in window_keys(TODAY).items()}
    counted = {keys[window]: times for window, times in used.items()}
    plain = access(found, 0, NO_PRIVILEGES, NOW)
    return mine(found, plain, spendable, counted, TODAY, taken_today, coupons_left)


def test_what_is_missing_is_told_by_asset_fee_included() -> None:
    found = offer(priced(("POINTS", 500), ("CASH", 990)), fee=Part("CASH", 600))
    assert seen(found, {}).missing == (Part("POINTS", 500), Part("CASH", 1590))
    assert seen(found, {"POINTS": 500, "CASH": 1000}).missing == (Part("CASH", 590),)
    assert seen(found, {"POINTS": 501, "CASH": 1590}).missing == ()
    assert total_of((), None) == {}


def test_what_is_left_is_the_least_of_all_limits_and_stocks() -> None:
    found = offer(limits=(DAY_3, RankLimit(LimitWindow.ALL, 0, 9)), stock_max=10, per_day_max=4)
    found.taken = 7
    assert (seen(found, {}).times_left, seen(found, {}).stock_left) == (3, 3)
    assert seen(found, {}, DAY=2, ALL=8).times_left == 1
    assert seen(found, {}, DAY=0, ALL=9).times_left == 0
    assert seen(found, {}, DAY=5).times_left == 0  # there was no limit before
    assert seen(found, {}, taken_today=2).stock_left == 2
    assert seen(found, {}, taken_today=5).stock_left == 0
    endless = seen(offer(), {})
    assert (endless.times_left, endless.stock_left) == (None, None)


@pytest.mark.parametrize(
    ("more", "gone", "availability", "limit_reached"),
    [
        ({}, {}, Availability.AVAILABLE, None),
        ({"rank_min": 1, "stock_max": 9}, {"taken": 9}, Availability.RANK_TOO_LOW, None),
        ({"opens_at": NOW + HOUR, "stock_max": 9}, {"taken": 9}, Availability.NOT_OPEN_YET, None),
        ({"stock_max": 9}, {"taken": 8}, Availability.AVAILABLE, None),
        (
            {"stock_max": 9, "limits": (DAY_3,)},
            {"taken": 9, "DAY": 3},
            Availability.SOLD_OUT,
            LimitWindow.DAY,
        ),
        ({}, {"coupons_left": 0}, Availability.SOLD_OUT, None),
        ({}, {"coupons_left": 1}, Availability.AVAILABLE, None),
        (
            {"limits": (DAY_3,), "per_day_max": 4},
            {"DAY": 3, "taken_today": 4},
            Availability.LIMIT_REACHED,
            LimitWindow.DAY,
        ),
        (
            {"limits": (DAY_3, RankLimit(LimitWindow.ALL, 0, 3))},
            {"DAY": 3, "ALL": 3},
            Availability.LIMIT_REACHED,
            LimitWindow.ALL,
        ),
        ({"per_day_max": 4}, {"taken_today": 4}, Availability.SOLD_OUT_TODAY, None),
    ],
)
def test_what_it_cannot_be_taken_for_is_told_as_it_would_be_refused(
    more: dict[str, Any],
    gone: dict[str, Any],
    availability: Availability,
    limit_reached: LimitWindow | None,
) -> None:
    found = offer(**more)
    found.taken = gone.pop("taken", 0)
    told = seen(found, {}, **gone)
    assert (told.availability, told.limit_reached) == (availability, limit_reached)
    assert told.missing, "what it costs is told beside"
    assert told.level_needed is None, "no ladder"


def test_the_level_that_is_needed_is_named_if_the_ladder_has_it() -> None:
    ladder = LadderView(new_id(), "CONSUMER", 1, tuple(starter_levels()))
    for rank_min, code in ((0, None), (2, "GOLD"), (3, "DIAMOND"), (4, None)):
        found = offer(rank_min=rank_min)
        plain = access(found, 0, NO_PRIVILEGES, NOW)
        needed = mine(found, plain, {}, {}, TODAY, 0, None, ladder).level_needed
        assert (needed.code if needed else None) == code


def test_counters_are_named_by_their_windows() -> None:
    assert window_keys(date(2026, 1, 2)) == {
        LimitWindow.ALL: "ALL",
        LimitWindow.DAY: "2026-01-02",
        LimitWindow.MONTH: "2026-01",
        LimitWindow.YEAR: "2026",
    }
