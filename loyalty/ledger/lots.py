"""Pure: which lots pay."""

from collections.abc import Iterable
from datetime import date

from loyalty.ledger.states import LotPart


def plan_spend(lots: Iterable[LotPart], amount: int, on: date) -> list[LotPart] | None:
    """Which lots pay ``amount`` on a day: soonest expiry first, never-expiring last.

    ``lots`` is (expires_on, remaining) of free lots. Lots past their date pay nothing, swept or
    not. None when they do not suffice.
    """
    plan = plan_return(lots, amount, on, None)
    return plan if sum(part for _, part in plan) == amount else None


def plan_return(lots: Iterable[LotPart], amount: int, on: date, own: date | None) -> list[LotPart]:
    """Which lots give back up to ``amount`` on a day: the credit's ``own`` lot first, then soonest
    expiry first. Fewer than ``amount`` when there is not enough."""
    plan = []
    wanted = amount
    for expires_on, remaining in sorted(lots, key=lambda lot: (lot[0] != own, lot)):
        if expires_on < on or remaining == 0:
            continue
        part = min(remaining, wanted)
        if part == 0:
            break
        plan.append((expires_on, part))
        wanted -= part
    return plan


def spendable(lots: Iterable[LotPart], on: date) -> int:
    """Free lots not past their date."""
    return sum(remaining for expires_on, remaining in lots if expires_on >= on)
