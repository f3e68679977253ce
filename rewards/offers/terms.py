"""Pure: what an offer is, how it is stored, and what an operator may say of it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty.assets.models import Asset
from loyalty.errors import InvalidInput
from loyalty.products.rules import check_picture_url
from loyalty.text import check_label, checked_text, is_clean
from rewards.offers.models import LimitWindow, Offer, OfferKind

CODE_LENGTH_MAX = 40
NAME_LENGTH_MAX = 80
DESCRIPTION_LENGTH_MAX = 2000
AMOUNT_MAX = 10**12
STOCK_MAX = 10**12
TIMES_MAX = 10**6
RANK_MAX = 100
EARLY_HOURS_MAX = 24 * 366
PRICE_PARTS_MAX = 2
PRICES_MAX = 20
LIMITS_MAX = 40
FIRST_YEAR, LAST_YEAR = 2000, 2999


@dataclass(frozen=True, slots=True)
class Part:
    """So much of an asset; CASH is in fen."""

    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class RankPrice:
    """What a piece costs from a rank up: one part or two, none is free of charge."""

    rank_min: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class RankLimit:
    """How many pieces a member may take in a window from a rank up."""

    window: LimitWindow
    rank_min: int
    times_max: int


@dataclass(frozen=True, slots=True)
class OfferGives:
    """What one piece is: a coupon of ``template_id``, ``amount`` of ``asset``, or a gift."""

    kind: OfferKind
    template_id: UUID | None = None
    asset: str | None = None
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """All that an operator may change; as in ``rewards.offers.models.Offer``. ``early_hours``
    before ``opens_at`` it is open to ranks of ``early_rank_min`` or more."""

    name_zh: str
    name_en: str
    prices: tuple[RankPrice, ...]
    description_zh: str = ""
    description_en: str = ""
    picture_url: str | None = None
    fee: Part | None = None
    stock_max: int | None = None
    per_day_max: int | None = None
    limits: tuple[RankLimit, ...] = ()
    rank_min: int = 0
    opens_at: datetime | None = None
    early_hours: int | None = None
    early_rank_min: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


# --- as stored ---------------------------------------------------------------------------------


def prices_of(offer: Offer) -> tuple[RankPrice, ...]:
    return tuple(
        RankPrice(stored["rank_min"], tuple(Part(**part) for part in stored["parts"]))
        for stored in offer.prices
    )


def limits_of(offer: Offer) -> tuple[RankLimit, ...]:
    return tuple(
        RankLimit(LimitWindow(stored["window"]), stored["rank_min"], stored["times_max"])
        for stored in offer.limits
    )


def gives_of(offer: Offer) -> OfferGives:
    return OfferGives(
        OfferKind(offer.kind), offer.template_id, offer.given_asset, offer.given_amount
    )


def fee_of(offer: Offer) -> Part | None:
    if offer.fee_asset is None or offer.fee_amount is None:
        return None
    return Part(offer.fee_asset, offer.fee_amount)


def early_hours_of(offer: Offer) -> int | None:
    if offer.opens_at is None or offer.early_opens_at is None:
        return None
    return (offer.opens_at - offer.early_opens_at) // timedelta(hours=1)


def stored_terms(terms: OfferTerms) -> dict[str, Any]:
    """Terms that were checked, as the columns of an offer."""
    stored = asdict(terms)
    early_hours, fee = stored.pop("early_hours"), stored.pop("fee") or {}
    early = timedelta(hours=early_hours or 0)
    return stored | {
        "name_zh": terms.name_zh.strip(),
        "name_en": terms.name_en.strip(),
        "fee_asset": fee.get("asset"),
        "fee_amount": fee.get("amount"),
        "early_opens_at": _utc(terms.opens_at - early) if terms.opens_at and early_hours else None,
        **{name: _utc(stored[name]) for name in ("opens_at", "starts_at", "ends_at")},
        "prices": [{**price, "parts": list(price["parts"])} for price in stored["prices"]],
        "limits": [
            {**limit, "window": LimitWindow(limit["window"]).value} for limit in stored["limits"]
        ],
    }


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


# --- what an operator may say ------------------------------------------------------------------


def check_code(code: str) -> str:
    check_label(code, "code", length_max=CODE_LENGTH_MAX)
    return code


def check_gives(gives: OfferGives) -> None:
    """Refuses InvalidInput with the field's path. That the asset and the template exist is asked
    elsewhere."""
    wanted = {
        "gives.templateId": (gives.template_id is not None, gives.kind is OfferKind.COUPON),
        "gives.asset": (gives.asset is not None, gives.kind is OfferKind.ASSET),
        "gives.amount": (gives.amount is not None, gives.kind is OfferKind.ASSET),
    }
    for path, (is_given, is_needed) in wanted.items():
        if is_needed != is_given:
            problem = f"{gives.kind.value} needs it" if is_needed else f"not for {gives.kind.value}"
            raise InvalidInput(field=path, problem=problem)
    if gives.asset == Asset.GROWTH:
        raise InvalidInput(field="gives.asset", problem="growth is earned, it has no price")
    _check_range("gives.amount", gives.amount, 1, AMOUNT_MAX)


def check_terms(terms: OfferTerms, gives: OfferGives) -> None:
    """Refuses InvalidInput with the field's path. That the assets exist is asked elsewhere."""
    checked_text(terms.name_zh, "terms.nameZh", length_max=NAME_LENGTH_MAX)
    checked_text(terms.name_en, "terms.nameEn", length_max=NAME_LENGTH_MAX)
    for path, words in (
        ("terms.descriptionZh", terms.description_zh),
        ("terms.descriptionEn", terms.description_en),
    ):
        if len(words) > DESCRIPTION_LENGTH_MAX or not is_clean(words.replace("\n", "")):
            raise InvalidInput(field=path, problem=f"up to {DESCRIPTION_LENGTH_MAX} characters")
    if terms.picture_url is not None:
        check_picture_url(terms.picture_url)
    _check_prices(terms, gives)
    _check_limits(terms)
    _check_range("terms.stockMax", terms.stock_max, 1, STOCK_MAX)
    _check_range("terms.perDayMax", terms.per_day_max, 1, STOCK_MAX)
    _check_range("terms.rankMin", terms.rank_min, 0, RANK_MAX)
    _check_times(terms)


def assets_named(gives: OfferGives, terms: OfferTerms) -> set[str]:
    """The assets that an offer gives or takes."""
    parts = [part for price in terms.prices for part in price.parts]
    named = {part.asset for part in (*parts, *((terms.fee,) if terms.fee else ()))}
    return named | ({gives.asset} if gives.asset is not None else set())


def _check_prices(terms: OfferTerms, gives: OfferGives) -> None:
    if not 1 <= len(terms.prices) <= PRICES_MAX:
        raise InvalidInput(field="terms.prices", problem=f"1 to {PRICES_MAX}")
    ranks = [price.rank_min for price in terms.prices]
    if 0 not in ranks or len(set(ranks)) != len(ranks):
        raise InvalidInput(field="terms.prices", problem="one for rank 0, and one a rank")
    for index, price in enumerate(terms.prices):
        path = f"terms.prices[{index}]"
        _check_range(f"{path}.rankMin", price.rank_min, 0, RANK_MAX)
        assets = [part.asset for part in price.parts]
        if len(assets) > PRICE_PARTS_MAX or len(set(assets)) != len(assets):
            raise InvalidInput(
                field=f"{path}.parts", problem=f"up to {PRICE_PARTS_MAX}, of different assets"
            )
        for number, part in enumerate(price.parts):
            _check_part(f"{path}.parts[{number}]", part, gives)
    if terms.fee is not None:
        _check_part("terms.fee", terms.fee, gives)


def _check_part(path: str, part: Part, gives: OfferGives) -> None:
    _check_range(f"{path}.amount", part.amount, 1, AMOUNT_MAX)
    if part.asset == gives.asset:
        raise InvalidInput(field=f"{path}.asset", problem="what the offer gives cannot pay for it")


def _check_limits(terms: OfferTerms) -> None:
    if len(terms.limits) > LIMITS_MAX:
        raise InvalidInput(field="terms.limits", problem=f"up to {LIMITS_MAX}")
    keys = {(limit.window, limit.rank_min) for limit in terms.limits}
    if len(keys) != len(terms.limits):
        raise InvalidInput(field="terms.limits", problem="one a window and rank")
    for index, limit in enumerate(terms.limits):
        _check_range(f"terms.limits[{index}].rankMin", limit.rank_min, 0, RANK_MAX)
        _check_range(f"terms.limits[{index}].timesMax", limit.times_max, 1, TIMES_MAX)


def _check_times(terms: OfferTerms) -> None:
    starts_at, ends_at, opens_at = terms.starts_at, terms.ends_at, terms.opens_at
    for path, at in (("startsAt", starts_at), ("endsAt", ends_at), ("opensAt", opens_at)):
        if at is not None and at.tzinfo is None:
            raise InvalidInput(field=f"terms.{path}", problem="needs a time zone offset")
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            problem = f"in the years {FIRST_YEAR} to {LAST_YEAR}"
            raise InvalidInput(field=f"terms.{path}", problem=problem)
    if ends_at is not None and any(at and at >= ends_at for at in (starts_at, opens_at)):
        raise InvalidInput(field="terms.endsAt", problem="must be after startsAt and opensAt")
    if (terms.early_hours is None) != (terms.early_rank_min is None):
        raise InvalidInput(field="terms.earlyHours", problem="goes with earlyRankMin")
    if terms.early_hours is not None and opens_at is None:
        raise InvalidInput(field="terms.earlyHours", problem="goes with opensAt")
    _check_range("terms.earlyHours", terms.early_hours, 1, EARLY_HOURS_MAX)
    _check_range("terms.earlyRankMin", terms.early_rank_min, 0, RANK_MAX)


def _check_range(path: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidInput(field=path, problem=f"{least} to {most}")
