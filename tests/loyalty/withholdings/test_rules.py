"""Of which prizes tax is withheld, and how much."""

from decimal import ROUND_HALF_UP, Decimal

import pytest

from loyalty.errors import InvalidInput
from loyalty.ids import new_id
from loyalty.withholdings.rules import RATE_PERCENT_MAX, Terms, check_terms, tax_of

RATES = range(1, RATE_PERCENT_MAX + 1)


def test_tax_is_the_rate_of_the_whole_prize_half_a_fen_up_and_never_all_of_it() -> None:
    for rate in RATES:
        terms = Terms(0, rate, new_id())
        for gross in (*range(1, 500), 10**9 + 1):
            exact = Decimal(gross * rate) / 100
            rounded = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
            tax = tax_of(terms, "CASH", gross)
            assert tax == (rounded if gross > 1 else 0)
            assert 0 <= tax < gross


def test_no_tax_up_to_the_threshold_of_other_assets_or_without_terms() -> None:
    terms = Terms(10_000, 20, new_id())
    assert [tax_of(terms, "CASH", gross) for gross in (9_999, 10_000, 10_001)] == [0, 0, 2_000]
    assert tax_of(terms, "POINTS", 10**6) == 0
    assert tax_of(None, "CASH", 10**6) == 0


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ((None, 20), "ratePercent"),
        ((0, None), "ratePercent"),
        ((-1, 20), "thresholdFen"),
        ((0, 0), "ratePercent"),
        ((0, RATE_PERCENT_MAX + 1), "ratePercent"),
    ],
)
def test_what_is_wrong_of_the_terms_is_told(
    terms: tuple[int | None, int | None], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_terms(*terms)
    assert refused.value.details["field"] == field
