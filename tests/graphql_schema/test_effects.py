"""What of an input is the body that a key is kept for."""

from datetime import UTC, datetime

from strawberry import ID

from graphql_schema.effects import body_of
from graphql_schema.partner_issues import IssuePartnersCouponInput
from graphql_schema.raffles import CreateRaffleInput, RafflePrizeInput, RaffleStepInput
from graphql_schema.scalars import AssetCode, BigInt

AT = datetime(2026, 11, 9, tzinfo=UTC)


def issue(**more: str) -> IssuePartnersCouponInput:
    return IssuePartnersCouponInput(
        idempotency_key=ID("key"),
        agreement_id=ID("a"),
        template_id=ID("t"),
        member_token="m",
        **more,
    )


def test_a_field_that_came_later_is_no_part_of_a_body_that_does_not_name_it() -> None:
    before = {"agreement_id": "a", "template_id": "t", "member_token": "m", "reference": None}
    assert body_of("issuePartnersCoupon", issue()) == before
    named = body_of("issuePartnersCoupon", issue(campaign="autumn"))
    assert named == before | {"campaign": "autumn"}


def test_neither_is_one_within_a_list() -> None:
    prize = RafflePrizeInput(
        name_zh="奖", name_en="Prize", winners=1, asset=AssetCode("POINTS"), amount=BigInt(5)
    )
    step = RaffleStepInput(pool_min=1, prizes=[prize])
    input = CreateRaffleInput(
        idempotency_key=ID("key"),
        code="r",
        name_zh="抽",
        name_en="R",
        opens_at=AT,
        closes_at=AT,
        entries_max=1,
        prize_table=[step],
    )
    [told] = body_of("createRaffle", input)["prize_table"][0]["prizes"]
    assert set(told) == {"name_zh", "name_en", "winners", "asset", "amount"}
    prize.coupon_template_id = ID("t")
    [told] = body_of("createRaffle", input)["prize_table"][0]["prizes"]
    assert told["coupon_template_id"] == "t"
