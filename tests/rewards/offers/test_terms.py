"""What operators may say of an offer, and that what is stored is what they said."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from loyalty.errors import InvalidInput
from loyalty.ids import new_id
from rewards.offers.models import LimitWindow, Offer, OfferKind
from rewards.offers.terms import (
    OfferGives,
    Part,
    RankLimit,
    assets_named,
    check_code,
    check_gives,
    check_terms,
    early_hours_of,
    fee_of,
    gives_of,
    limits_of,
    prices_of,
    stored_terms,
)
from tests.rewards.offers.malls import GIFT, priced, terms

NOON = datetime(2026, 11, 9, 12, 0, tzinfo=timezone(timedelta(hours=8)))
CHANCES = OfferGives(OfferKind.ASSET, asset="CHANCES", amount=3)
LIMIT = RankLimit(LimitWindow.DAY, 0, 1)


@pytest.mark.parametrize(
    ("gives", "field"),
    [
        (OfferGives(OfferKind.COUPON), "gives.templateId"),
        (OfferGives(OfferKind.GIFT, template_id=new_id()), "gives.templateId"),
        (OfferGives(OfferKind.ASSET, amount=1), "gives.asset"),
        (OfferGives(OfferKind.ASSET, asset="CASH"), "gives.amount"),
        (OfferGives(OfferKind.ASSET, asset="CASH", amount=0), "gives.amount"),
        (OfferGives(OfferKind.ASSET, asset="CASH", amount=10**12 + 1), "gives.amount"),
        (OfferGives(OfferKind.ASSET, asset="GROWTH", amount=1), "gives.asset"),
        (OfferGives(OfferKind.GIFT, asset="CASH"), "gives.asset"),
        (OfferGives(OfferKind.GIFT, amount=1), "gives.amount"),
    ],
)
def test_what_it_gives_is_whole(gives: OfferGives, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_gives(gives)
    assert refused.value.details["field"] == field


@pytest.mark.parametrize(
    ("prices", "more", "field"),
    [
        ((), {"name_zh": " "}, "terms.nameZh"),
        ((), {"name_en": "x" * 81}, "terms.nameEn"),
        ((), {"description_zh": "x" * 2001}, "terms.descriptionZh"),
        ((), {"description_en": "\x00"}, "terms.descriptionEn"),
        ((), {"picture_url": "http://example.com/cup.jpg"}, "pictureUrl"),
        ((), {"prices": ()}, "terms.prices"),
        ((priced(("POINTS", 1), rank_min=1),), {}, "terms.prices"),
        ((priced(("POINTS", 1)), priced(("CASH", 1))), {}, "terms.prices"),
        ((priced(("POINTS", 1)), priced(rank_min=101)), {}, "terms.prices[1].rankMin"),
        ((priced(("POINTS", 0)),), {}, "terms.prices[0].parts[0].amount"),
        ((priced(("POINTS", 1), ("CASH", -1)),), {}, "terms.prices[0].parts[1].amount"),
        ((priced(("POINTS", 1), ("POINTS", 1)),), {}, "terms.prices[0].parts"),
        ((priced(("POINTS", 1), ("CASH", 1), ("STARS", 1)),), {}, "terms.prices[0].parts"),
        ((priced(("CHANCES", 1)),), {}, "terms.prices[0].parts[0].asset"),
        ((), {"fee": Part("CHANCES", 1)}, "terms.fee.asset"),
        ((), {"fee": Part("CASH", 0)}, "terms.fee.amount"),
        ((), {"stock_max": 0}, "terms.stockMax"),
        ((), {"per_day_max": 0}, "terms.perDayMax"),
        ((), {"limits": (LIMIT, LIMIT)}, "terms.limits"),
        ((), {"limits": (RankLimit(LimitWindow.ALL, -1, 1),)}, "terms.limits[0].rankMin"),
        ((), {"limits": (LIMIT, RankLimit(LimitWindow.ALL, 0, 0))}, "terms.limits[1].timesMax"),
        ((), {"rank_min": -1}, "terms.rankMin"),
        ((), {"starts_at": NOON, "ends_at": NOON}, "terms.endsAt"),
        ((), {"opens_at": NOON, "ends_at": NOON}, "terms.endsAt"),
        ((), {"opens_at": NOON.replace(tzinfo=None)}, "terms.opensAt"),
        ((), {"starts_at": NOON.replace(year=1)}, "terms.startsAt"),
        ((), {"ends_at": NOON.replace(year=9999)}, "terms.endsAt"),
        ((), {"early_hours": 1, "early_rank_min": 1}, "terms.earlyHours"),
        ((), {"opens_at": NOON, "early_hours": 1}, "terms.earlyHours"),
        ((), {"opens_at": NOON, "early_rank_min": 1}, "terms.earlyHours"),
        ((), {"opens_at": NOON, "early_hours": 0, "early_rank_min": 1}, "terms.earlyHours"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_path(
    prices: tuple[Any, ...], more: dict[str, Any], field: str
) -> None:
    words: dict[str, Any] = {"name_zh": "茶杯", "name_en": "A cup"}
    given = terms(*prices)
    values = {name: getattr(given, name) for name in given.__slots__} | words | more
    with pytest.raises(InvalidInput) as refused:
        check_terms(type(given)(**values), CHANCES)
    assert refused.value.details["field"] == field


def test_what_is_stored_is_what_was_said() -> None:
    said = terms(
        priced(("POINTS", 500), ("CASH", 990)),
        priced(rank_min=3),
        limits=(LIMIT,),
        fee=Part("CASH", 600),
        opens_at=NOON,
        early_hours=36,
        early_rank_min=2,
        description_zh="一行\n两行",
    )
    check_gives(CHANCES)
    check_terms(said, GIFT)
    stored = Offer(
        brand_id=new_id(),
        code="cup",
        kind="ASSET",
        given_asset="CHANCES",
        given_amount=3,
        created_at=NOON,
        **stored_terms(said),
    )
    assert gives_of(stored) == CHANCES
    assert (prices_of(stored), limits_of(stored)) == (said.prices, said.limits)
    assert (fee_of(stored), early_hours_of(stored)) == (said.fee, 36)
    assert stored.opens_at == NOON
    assert stored.opens_at.tzinfo is UTC
    assert stored.early_opens_at == NOON - timedelta(hours=36)
    assert assets_named(CHANCES, said) == {"CHANCES", "POINTS", "CASH"}


@pytest.mark.parametrize("code", ["", "x" * 41, "a b", "a/b"])
def test_a_code_is_short_and_plain(code: str) -> None:
    with pytest.raises(InvalidInput):
        check_code(code)
