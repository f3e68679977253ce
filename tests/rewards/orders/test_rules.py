"""What an order comes to, and which lots pay the price and which the fee."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from rewards.offers.terms import Part
from rewards.orders.rules import masked_delivery, split_parts, times

DAYS = [date(2026, 12, day) for day in range(1, 9)]


@given(
    lots=st.lists(st.tuples(st.sampled_from(DAYS), st.integers(1, 50)), max_size=6).map(sorted),
    share=st.floats(0, 1),
)
def test_lots_are_split_in_their_order_and_nothing_is_lost(
    lots: list[tuple[date, int]], share: float
) -> None:
    amount = int(sum(part for _, part in lots) * share)
    first, rest = split_parts(lots, amount)
    assert sum(part for _, part in first) == amount
    assert all(part > 0 for _, part in (*first, *rest))
    assert not first or not rest or first[-1][0] <= rest[0][0]
    joined: dict[date, int] = {}
    for day, part in (*first, *rest):
        joined[day] = joined.get(day, 0) + part
    whole: dict[date, int] = {}
    for day, part in lots:
        whole[day] = whole.get(day, 0) + part
    assert joined == whole


def test_pieces_multiply_each_part() -> None:
    price = (Part("POINTS", 500), Part("CASH", 990))
    assert times(price, 3) == (Part("POINTS", 1500), Part("CASH", 2970))


def test_an_address_is_masked_but_for_its_first_letter() -> None:
    assert masked_delivery("王小二 13800138000 人民路1号") == "王****"
