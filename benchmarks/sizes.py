"""How much of everything a run measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much of everything; ``seconds`` is one measurement, after its warm-up."""

    seconds: float
    requests: int
    compared_scans: int
    floor_scans: int
    captured_scans: int
    stored_claims: int
    codes: int
    codes_by_copy: int
    coupons: int
    settlements: int
    lots: int
    few_lots: int = 1_000
    clients: int = 64
    many_clients: int = 256


QUICK = Sizes(10, 60_000, 600, 10_000, 6_000, 100_000, 2_000_000, 200_000, 10_000, 5_000, 100_000)
FULL = Sizes(
    20, 120_000, 2_000, 20_000, 12_000, 10_000_000, 10_000_000, 1_000_000, 25_000, 20_000, 1_000_000
)
