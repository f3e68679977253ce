"""Pure: who may take an offer, when and for how much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from rewards.offers.models import LimitWindow, Offer, OfferStatus
from rewards.offers.terms import Part, RankLimit, RankPrice, fee_of, limits_of, prices_of
from tiers.ladders.rules import LadderView, Level

# --- who may take it, and for how much ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Privileges:
    """What a member's tier adds (特权): offers, by their codes, that are open to it whatever its
    rank; hours before ``opens_at``; so many more pieces in every window; no fees."""

    offer_codes: frozenset[str] = frozenset()
    early_hours: int = 0
    more_times: int = 0
    waives_fees: bool = False


NO_PRIVILEGES = Privileges()


class Closed(StrEnum):
    """Why an offer is not open to a member."""

    NOT_FOR_SALE = "NOT_FOR_SALE"
    RANK_TOO_LOW = "RANK_TOO_LOW"
    NOT_OPEN_YET = "NOT_OPEN_YET"


@dataclass(frozen=True, slots=True)
class Access:
    """What an offer is to one member at one time. ``closed`` None: it may take it, as far as stock
    and balance go; ``opens_at`` is when it opens to this member, None for always. ``price`` is of
    one piece, ``fee`` of an order. ``limits`` are of this member, a window without one left out."""

    closed: Closed | None
    opens_at: datetime | None
    price: tuple[Part, ...]
    fee: Part | None
    limits: Mapping[LimitWindow, int]


def access(offer: Offer, rank: int, privileges: Privileges, now: datetime) -> Access:
    """What an offer is to a member of this rank and with these privileges. Which of them it leans
    on is seen by asking without them."""
    opens_at = opens_to(offer, rank, privileges)
    closed = None
    if not is_on_sale(offer, now):
        closed = Closed.NOT_FOR_SALE
    elif rank < offer.rank_min and offer.code not in privileges.offer_codes:
        closed = Closed.RANK_TOO_LOW
    elif opens_at is not None and now < opens_at:
        closed = Closed.NOT_OPEN_YET
    fee = None if privileges.waives_fees else fee_of(offer)
    limits = {
        window: times_max + privileges.more_times
        for window, times_max in _limits_at(limits_of(offer), rank).items()
    }
    return Access(closed, opens_at, price_at(prices_of(offer), rank), fee, limits)


def is_on_sale(offer: Offer, now: datetime) -> bool:
    """Whether anybody may take it: active, and within its dates."""
    return (
        offer.status == OfferStatus.ACTIVE
        and (offer.starts_at is None or offer.starts_at <= now)
        and (offer.ends_at is None or now < offer.ends_at)
    )


def opens_to(offer: Offer, rank: int, privileges: Privileges) -> datetime | None:
    """When it opens to a member; None for an offer that was never closed."""
    if offer.opens_at is None:
        return None
    times = [offer.opens_at - timedelta(hours=privileges.early_hours)]
    if (
        offer.early_opens_at is not None
        and offer.early_rank_min is not None
        and rank >= offer.early_rank_min
    ):
        times.append(offer.early_opens_at)
    return min(times)


def level_at(ladder: LadderView | None, rank: int) -> Level | None:
    """The level of a rank, if the ladder goes up to it."""
    return None if ladder is None or rank > ladder.top else ladder.level(rank)


def price_at(prices: Sequence[RankPrice], rank: int) -> tuple[Part, ...]:
    """The price of the highest rank that a rank meets. There is one for rank 0."""
    met = [price for price in prices if price.rank_min <= rank]
    return max(met, key=lambda price: price.rank_min).parts


def _limits_at(limits: Sequence[RankLimit], rank: int) -> dict[LimitWindow, int]:
    """By window, the limit of the highest rank that a rank meets."""
    found: dict[LimitWindow, int] = {}
    for limit in sorted(limits, key=lambda limit: limit.rank_min):
        if limit.rank_min <= rank:
            found[limit.window] = limit.times_max
    return found


def window_keys(day: date) -> dict[LimitWindow, str]:
    """How a member's counters of a local day are called."""
    return {
        LimitWindow.ALL: "ALL",
        LimitWindow.DAY: day.isoformat(),
        LimitWindow.MONTH: f"{day:%Y-%m}",
        LimitWindow.YEAR: f"{day:%Y}",
    }


class Availability(StrEnum):
    """Whether a member may take an offer that is on sale, whatever its balance; if not, why not:
    what it would be refused for first. SOLD_OUT is for good, SOLD_OUT_TODAY until midnight."""

    AVAILABLE = "AVAILABLE"
    RANK_TOO_LOW = "RANK_TOO_LOW"
    NOT_OPEN_YET = "NOT_OPEN_YET"
    SOLD_OUT = "SOLD_OUT"
    LIMIT_REACHED = "LIMIT_REACHED"
    SOLD_OUT_TODAY = "SOLD_OUT_TODAY"


@dataclass(frozen=True, slots=True)
class Mine:
    """An offer as one member sees it: ``missing`` is what it lacks for one piece and the fee,
    empty when it can afford that; ``times_left`` how many pieces it may still take today, None
    without end, whatever the stock; ``stock_left`` likewise what there is of it today.
    ``level_needed`` is the lowest that may take it where the member's is too low, and
    ``limit_reached`` the longest window whose limit is used up."""

    access: Access
    missing: tuple[Part, ...]
    times_left: int | None
    stock_left: int | None
    availability: Availability
    level_needed: Level | None
    limit_reached: LimitWindow | None


def mine(
    offer: Offer,
    found: Access,
    spendable: Mapping[str, int],
    used: Mapping[str, int],
    day: date,
    taken_today: int,
    coupons_left: int | None,
    ladder: LadderView | None = None,
) -> Mine:
    """Put together for one member: what it may spend by asset, what it ``used`` by window key, and
    what of the offer and of its coupons is gone. ``ladder`` is of its role."""
    keys = window_keys(day)
    missing = tuple(
        Part(asset, amount - spendable.get(asset, 0))
        for asset, amount in total_of(found.price, found.fee).items()
        if amount > spendable.get(asset, 0)
    )
    times = {
        window: max(times_max - used.get(keys[window], 0), 0)
        for window, times_max in found.limits.items()
    }
    in_stock = None if offer.stock_max is None else offer.stock_max - offer.taken
    today = None if offer.per_day_max is None else offer.per_day_max - taken_today
    stocks = [max(left, 0) for left in (in_stock, coupons_left, today) if left is not None]
    limit_reached = next((w for w in _LONGEST_FIRST if times.get(w) == 0), None)
    if found.closed is not None:
        availability = _WHY_CLOSED[found.closed]
    elif any(left is not None and left <= 0 for left in (in_stock, coupons_left)):
        availability = Availability.SOLD_OUT
    elif limit_reached is not None:
        availability = Availability.LIMIT_REACHED
    else:
        is_gone = today is not None and today <= 0
        availability = Availability.SOLD_OUT_TODAY if is_gone else Availability.AVAILABLE
    is_too_low = found.closed is Closed.RANK_TOO_LOW
    return Mine(
        found,
        missing,
        min(times.values()) if times else None,
        min(stocks) if stocks else None,
        availability,
        level_at(ladder, offer.rank_min) if is_too_low else None,
        limit_reached,
    )


_LONGEST_FIRST = (LimitWindow.ALL, LimitWindow.YEAR, LimitWindow.MONTH, LimitWindow.DAY)
_WHY_CLOSED = {
    Closed.RANK_TOO_LOW: Availability.RANK_TOO_LOW,
    Closed.NOT_OPEN_YET: Availability.NOT_OPEN_YET,
}
"""Of what is on sale."""


def total_of(price: Sequence[Part], fee: Part | None) -> dict[str, int]:
    """What has to be there, by asset: the fee may be of an asset of the price."""
    total: dict[str, int] = {}
    for part in (*price, *((fee,) if fee else ())):
        total[part.asset] = total.get(part.asset, 0) + part.amount
    return total
