"""Netting as a pure decision: few payments that leave each brand's net as it was."""

from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from rewards.clearing.rules import PositionKey
from rewards.netting.rules import (
    Payment,
    legs_of,
    nets_of,
    payments_of,
    reached,
)

BRANDS = [UUID(int=n) for n in range(1, 9)]


@st.composite
def positions(draw: st.DrawFn) -> dict[PositionKey, int]:
    """Both sides of what up to eight brands owe one another."""
    count = draw(st.integers(2, len(BRANDS)))
    owed: dict[PositionKey, int] = {}
    for n, one in enumerate(BRANDS[:count]):
        for other in BRANDS[n + 1 : count]:
            fen = draw(st.one_of(st.integers(-3, 3), st.integers(-(10**13), 10**13)))
            owed[one, other], owed[other, one] = fen, -fen
    return owed


@given(positions())
def test_payments_settle_every_net_and_are_few(owed: dict[PositionKey, int]) -> None:
    nets = nets_of(owed)
    payments = payments_of(nets)
    left = dict(nets)
    for payment in payments:
        assert payment.amount_fen > 0
        left[payment.debtor_id] -= payment.amount_fen
        left[payment.creditor_id] += payment.amount_fen
    assert not any(left.values())
    assert len(payments) <= max(0, len(nets) - 1)
    pairs = {frozenset((payment.debtor_id, payment.creditor_id)) for payment in payments}
    assert len(pairs) == len(payments)


@given(st.data(), positions())
def test_the_order_of_what_is_given_does_not_matter(
    data: st.DataObject, owed: dict[PositionKey, int]
) -> None:
    shuffled = data.draw(st.permutations(list(owed.items())))
    assert payments_of(nets_of(dict(shuffled))) == payments_of(nets_of(owed))
    assert legs_of(dict(shuffled)) == legs_of(owed)


@given(positions())
def test_legs_leave_each_net_as_it_was(owed: dict[PositionKey, int]) -> None:
    legs = legs_of(owed)
    before = {key: leg.owed_fen for key, leg in legs.items()}
    after = {key: leg.pays_fen for key, leg in legs.items()}
    nets = {id: fen for id, fen in nets_of(owed).items() if fen}
    assert {id: fen for id, fen in nets_of(before).items() if fen} == nets
    assert {id: fen for id, fen in nets_of(after).items() if fen} == nets
    for (one, other), leg in legs.items():
        mirrored = legs[other, one]
        assert (mirrored.owed_fen, mirrored.pays_fen) == (-leg.owed_fen, -leg.pays_fen)


def test_the_largest_debtor_pays_the_largest_creditor() -> None:
    a, b, c, d = BRANDS[:4]
    assert payments_of({a: 50, b: 70, c: -90, d: -30}) == [
        Payment(b, c, 70),
        Payment(a, d, 30),
        Payment(a, c, 20),
    ]


def test_ties_go_by_the_brands_ids() -> None:
    a, b, c, d = BRANDS[:4]
    wanted = [Payment(a, c, 5), Payment(b, d, 5)]
    for order in permutations({a: 5, b: 5, c: -5, d: -5}.items()):
        assert payments_of(dict(order)) == wanted


def test_a_circle_comes_to_nothing() -> None:
    a, b, c = BRANDS[:3]
    owed = {}
    for one, other in ((a, b), (b, c), (c, a)):
        owed[one, other], owed[other, one] = 9, -9
    legs = legs_of(owed)
    assert len(legs) == 6
    assert {leg.pays_fen for leg in legs.values()} == {0}


def test_who_hangs_together() -> None:
    a, b, c, d, e = BRANDS[:5]
    pairs = [(a, b), (b, a), (b, c), (c, b), (d, e), (e, d)]
    assert reached(pairs, a) == {a, b, c}
    assert reached([], a) == {a}
