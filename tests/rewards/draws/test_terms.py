"""What an operator may say of a draw, and that it is kept as it was said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from loyalty.errors import InvalidInput
from rewards.draws.checks import check_cash, check_draw
from rewards.draws.models import Curve
from rewards.draws.terms import (
    AmountAward,
    Bonus,
    CouponAward,
    DrawTerms,
    Entry,
    Guarantee,
    Prize,
    Stage,
    awarded_assets,
    awarded_templates,
    draw_from_json,
    draw_to_json,
)

BEGIN = datetime(2026, 12, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=30)
CASH = Prize("CASH", "红包", "Cash", AmountAward("CASH", 500), stock=10, quota_per_day=2)
COUPON = Prize("COUPON", "券", "Coupon", CouponAward(UUID(int=7)))
THANKS = Prize("THANKS", "谢谢", "Thanks")
FIRST = Stage(400_000, 200_000, (Entry("CASH", 1, 500, 100), Entry("COUPON", 4)), Curve.EASE_OUT)
SECOND = Stage(50_000, 50_000, (Entry("COUPON", 1),), starts_at=BEGIN + timedelta(days=10))
ALWAYS = Stage(1_000_000, 1_000_000, (Entry("COUPON", 1),), takes_bonuses=False)
GOOD = DrawTerms(
    (CASH, COUPON, THANKS),
    (FIRST, SECOND),
    "THANKS",
    (Bonus("tier.rank >= 2", 10_000),),
    Guarantee("COUPON", 5),
)


def check(terms: DrawTerms) -> None:
    check_draw(terms, BEGIN, END)
    check_cash(terms, 5_000_000)


def test_a_good_draw_is_accepted_and_kept_as_it_is() -> None:
    check(GOOD)
    assert draw_from_json(orjson.loads(orjson.dumps(draw_to_json(GOOD)))) == GOOD
    check(replace(GOOD, stages=(ALWAYS, SECOND)))
    stages = (replace(FIRST, budgets=(("CASH", 100),)), SECOND)
    budgeted = replace(GOOD, stages=stages)
    assert draw_from_json(orjson.loads(orjson.dumps(draw_to_json(budgeted)))) == budgeted
    assert list(awarded_assets(GOOD)) == [("draw.prizes[0].asset", "CASH")]
    assert awarded_templates(GOOD) == (UUID(int=7),)


def entries(**changes: Any) -> tuple[Stage, ...]:
    return (replace(FIRST, entries=(replace(FIRST.entries[0], **changes),)), SECOND)


def prize(**changes: Any) -> tuple[Prize, ...]:
    return (replace(CASH, **changes), COUPON, THANKS)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no prizes": ({"prizes": ()}, "draw.prizes"),
    "a prize twice": ({"prizes": (CASH, CASH, THANKS)}, "draw.prizes[1].code"),
    "a code of spaces": ({"prizes": prize(code="A B")}, "draw.prizes[0].code"),
    "no name": ({"prizes": prize(name_zh=" ")}, "draw.prizes[0].nameZh"),
    "nothing of an asset": (
        {"prizes": prize(award=AmountAward("CASH", 0))},
        "draw.prizes[0].amount",
    ),
    "no stock at all": ({"prizes": prize(stock=0)}, "draw.prizes[0].stock"),
    "a quota over the stock": ({"prizes": prize(quota_per_day=11)}, "draw.prizes[0].quotaPerDay"),
    "no quota at all": ({"prizes": prize(quota_per_day=0)}, "draw.prizes[0].quotaPerDay"),
    "an unknown consolation": ({"consolation": "NONE"}, "draw.consolation"),
    "an unknown guarantee": ({"guarantee": Guarantee("NONE", 3)}, "draw.guarantee.prize"),
    "a guarantee at no draw": ({"guarantee": Guarantee("CASH", 0)}, "draw.guarantee.drawNo"),
    "no stages": ({"stages": ()}, "draw.stages"),
    "an empty stage": ({"stages": (replace(FIRST, entries=()), SECOND)}, "draw.stages[0].entries"),
    "an unknown prize in a stage": (
        {"stages": entries(prize="NONE")},
        "draw.stages[0].entries[0].prize",
    ),
    "a stage's budget of what it does not give": (
        {"stages": (replace(FIRST, budgets=(("POINTS", 900),)), SECOND)},
        "draw.stages[0].budgets[0].asset",
    ),
    "a stage's budget twice": (
        {"stages": (replace(FIRST, budgets=(("CASH", 900), ("CASH", 900))), SECOND)},
        "draw.stages[0].budgets[1].asset",
    ),
    "a stage's budget below its cheapest prize": (
        {"stages": (replace(FIRST, budgets=(("CASH", 99),)), SECOND)},
        "draw.stages[0].budgets[0].allowed",
    ),
    "weight 0": ({"stages": entries(weight=0)}, "draw.stages[0].entries[0].weight"),
    "an amount to, and none from": (
        {"stages": entries(amount_from=None)},
        "draw.stages[0].entries[0].amountFrom",
    ),
    "an amount of a coupon": (
        {"stages": entries(prize="COUPON")},
        "draw.stages[0].entries[0].amountFrom",
    ),
    "odds over 100 %": (
        {"stages": (replace(FIRST, odds_to_ppm=1_000_001), SECOND)},
        "draw.stages[0].oddsToPpm",
    ),
    "odds over 100 % with the bonuses": (
        {"bonuses": (Bonus("tier.rank >= 2", 300_000), Bonus("tier.rank < 2", 300_001))},
        "draw.stages[0].oddsFromPpm",
    ),
    "a bonus of nothing": ({"bonuses": (Bonus("tier.rank >= 2", 0),)}, "draw.bonuses[0].ppm"),
    "a bonus for an unknown fact": (
        {"bonuses": (Bonus("moon.isFull", 1),)},
        "draw.bonuses[0].condition",
    ),
    "a first stage later than the campaign": (
        {"stages": (replace(FIRST, starts_at=BEGIN + timedelta(days=1)), SECOND)},
        "draw.stages[0].startsAt",
    ),
    "a stage without a begin": (
        {"stages": (FIRST, replace(SECOND, starts_at=None))},
        "draw.stages[1].startsAt",
    ),
    "stages out of order": (
        {"stages": (FIRST, SECOND, replace(SECOND, starts_at=BEGIN + timedelta(days=9)))},
        "draw.stages[2].startsAt",
    ),
    "a stage before the campaign": (
        {"stages": (FIRST, replace(SECOND, starts_at=BEGIN - timedelta(days=1)))},
        "draw.stages[1].startsAt",
    ),
    "a stage after the campaign": (
        {"stages": (FIRST, replace(SECOND, starts_at=END))},
        "draw.stages[1].startsAt",
    ),
    "cash over the ceiling": (
        {"prizes": prize(award=AmountAward("CASH", 5_000_001))},
        "draw.prizes[0].amount",
    ),
    "cash over the ceiling in a stage": (
        {"stages": entries(amount_to=5_000_001)},
        "draw.stages[0].entries[0].amountTo",
    ),
}


@pytest.mark.parametrize(("changes", "path"), BAD.values(), ids=BAD.keys())
def test_a_bad_draw_is_refused_with_the_path_of(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(replace(GOOD, **changes))
    assert refused.value.details["field"] == path


def test_what_changes_along_a_curve_needs_a_begin_and_an_end() -> None:
    for window in ((None, END), (BEGIN, None)):
        alone = replace(GOOD, stages=(FIRST,))
        with pytest.raises(InvalidInput) as refused:
            check_draw(alone, *window)
        assert refused.value.details["field"] == "draw.stages[0]"
    check_draw(replace(GOOD, stages=(replace(SECOND, starts_at=None),)), None, None)
