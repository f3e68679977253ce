"""Pure: how many of some coupons a partner may issue now, and why no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from loyalty.errors import FundsTooLow, InvalidInput, IssueQuotaReached, OutOfStock, Refusal
from rewards.alliances.terms import Line, Quota, QuotaWindow, Terms

REFERENCE_LENGTH_MAX = 64
EPOCH = date(2000, 1, 1)


def starts_on(window: QuotaWindow, today: date) -> date:
    """The first day of the window that a day is in."""
    if window is QuotaWindow.DAY:
        return today
    if window is QuotaWindow.WEEK:
        return today - timedelta(days=today.weekday())
    if window is QuotaWindow.MONTH:
        return today.replace(day=1)
    return EPOCH


def quotas_of(line: Line, campaign: str | None) -> list[Quota]:
    """Those that coupons of a campaign obey. Where quotas name campaigns, each coupon is of one of
    these. Refuses InvalidInput."""
    named = {quota.campaign for quota in line.quotas} - {None}
    if named and campaign not in named:
        said = ", ".join(sorted(filter(None, named)))
        raise InvalidInput(field="campaign", problem=f"one of the agreement's: {said}")
    return [quota for quota in line.quotas if quota.campaign in (None, campaign)]


@dataclass(frozen=True, slots=True)
class Room:
    """What is left: of each quota, of the issuer's funds in fen, of the template's stock (None
    without limit)."""

    quotas: Sequence[tuple[Quota, int]]
    funds_fen: int
    stock: int | None


def admit(wanted: int, room: Room, each_fen: int) -> tuple[int, Refusal | None]:
    """How many of the wanted coupons there is room for, the first ones, and what the rest is
    refused for. ``each_fen``: what one takes of the funds, at once and reserved."""
    limits: list[tuple[int, Refusal]] = [
        (left, IssueQuotaReached(window=quota.window.value, count_max=quota.count_max))
        for quota, left in room.quotas
    ]
    if room.stock is not None:
        limits.append((room.stock, OutOfStock()))
    affordable = room.funds_fen // each_fen if each_fen else wanted if room.funds_fen >= 0 else 0
    limits.append((affordable, FundsTooLow(left_fen=max(0, room.funds_fen), needed_fen=each_fen)))
    count, refusal = min(limits, key=lambda limit: limit[0])
    return (wanted, None) if count >= wanted else (max(0, count), refusal)


def limit_of(terms: Terms, line: Line) -> tuple[int, int]:
    """(limit_fen, warning_fen) of the funds of a line's issuer."""
    funding = terms.funding_of(line.issuer_id)
    return (0, 0) if funding is None else (funding.limit_fen, funding.warning_fen)
