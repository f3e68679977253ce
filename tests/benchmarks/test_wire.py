"""What the bench counts as a good answer: no rate of a page that shows less than the bar is of."""

from typing import Any

import orjson
import pytest

from benchmarks.wire import HOME_COUPONS, HOME_ENTRIES, is_bought, is_home


def home(**changes: Any) -> bytes:
    me = {
        "tier": {"growth": 10},
        "balances": [{"asset": "POINTS"}],
        "coupons": {"nodes": [{"id": "c"}] * HOME_COUPONS},
        "entries": {"nodes": [{"id": "e"}] * HOME_ENTRIES},
    }
    return orjson.dumps({"data": {"me": {**me, **changes}}})


def test_a_home_page_is_whole() -> None:
    assert (HOME_COUPONS, HOME_ENTRIES) == (5, 20)
    assert is_home(home())


@pytest.mark.parametrize(
    "changes",
    [
        {"tier": None},
        {"balances": []},
        {"coupons": {"nodes": []}},
        {"coupons": {"nodes": [{"id": "c"}] * (HOME_COUPONS - 1)}},
        {"entries": {"nodes": [{"id": "e"}] * (HOME_ENTRIES - 1)}},
    ],
    ids=["no tier", "no balances", "no coupons", "a coupon less", "an entry less"],
)
def test_less_than_a_home_page_is_none(changes: dict[str, Any]) -> None:
    assert not is_home(home(**changes))


def test_a_coupon_counts_as_bought_once() -> None:
    def reply(**receipt: Any) -> bytes:
        return orjson.dumps({"data": {"buyCoupon": receipt}})

    assert is_bought(reply(__typename="BuyCouponReceipt", replayed=False))
    assert not is_bought(reply(__typename="BuyCouponReceipt", replayed=True))
    assert not is_bought(reply(__typename="Refused"))
    assert not is_bought(orjson.dumps({"errors": [{"message": "no"}], "data": None}))
