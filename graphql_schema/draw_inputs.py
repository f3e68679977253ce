"""A campaign's draw, as operators define it and read it."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from graphql_schema.enums import DrawCurve, MemberRole
from graphql_schema.nodes import local_id
from graphql_schema.outcomes import OutcomeLock, OutcomeLockInput, lock_of
from graphql_schema.pagination import encode_id
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.errors import InvalidInput
from loyalty.text import checked_instant
from rewards.campaigns.locks import Lock
from rewards.draws import terms


@strawberry.input(
    description="A prize: an amount of an asset, or a coupon of a template, or words alone. Stock"
    " is over the whole campaign, the quota per local day."
)
class DrawPrizeInput:
    code: str
    name_zh: str
    name_en: str
    asset: AssetCode | None = None
    amount: BigInt | None = None
    coupon_template_id: strawberry.ID | None = None
    stock: BigInt | None = None
    quota_per_day: BigInt | None = None


@strawberry.input(
    description="A prize of a stage, and its weight among those of the stage. The amount goes from"
    " amountFrom to amountTo as the odds go; without them it is the prize's own."
)
class DrawEntryInput:
    prize: str
    weight: int
    amount_from: BigInt | None = None
    amount_to: BigInt | None = None


@strawberry.input
class DrawBudgetInput:
    asset: AssetCode
    allowed: BigInt


@strawberry.input(
    description="From startsAt on (the first: from the campaign's own) until the next stage. Odds"
    " in parts per million; without oddsToPpm they stay as they are."
)
class DrawStageInput:
    odds_from_ppm: int
    entries: list[DrawEntryInput]
    odds_to_ppm: int | None = None
    curve: DrawCurve = DrawCurve.LINEAR
    starts_at: datetime | None = None
    takes_bonuses: bool = strawberry.field(
        default=True, description="False where bonuses add nothing, as where every scan wins."
    )
    budgets: list[DrawBudgetInput] = strawberry.field(
        default_factory=list, description="What its draws may give of an asset, in all."
    )
    budget_curve: DrawCurve | None = strawberry.field(
        default=None,
        description="How the budgets are spread over the stage: at no time is more given than the"
        " curve has come to by then. Null: as it comes.",
    )


@strawberry.input(description="What is added to the odds where a condition (CEL) holds.")
class DrawBonusInput:
    condition: str
    ppm: int


@strawberry.input(
    description="What a member gets at its so manieth draw, if it does not win (保底)."
)
class DrawGuaranteeInput:
    prize: str
    draw_no: int


@strawberry.input(
    description="A draw with each paid event. The consolation is the prize that is given in the"
    " place of one that has run out."
)
class DrawInput:
    prizes: list[DrawPrizeInput]
    stages: list[DrawStageInput]
    consolation: str
    bonuses: list[DrawBonusInput] = strawberry.field(default_factory=list)
    guarantee: DrawGuaranteeInput | None = None
    roles: list[MemberRole] = strawberry.field(
        default_factory=lambda: [MemberRole.CONSUMER],
        description="Who draws, each once, of those whom the event pays.",
    )
    lock: OutcomeLockInput | None = strawberry.field(
        default=None, description="What a prize waits for; else it is given at once."
    )


def terms_of(given: DrawInput) -> terms.DrawTerms:
    """The input as the value that rules check; refuses InvalidInput with the field's path."""
    guarantee = given.guarantee
    return terms.DrawTerms(
        tuple(_prize(f"{terms.PATH}.prizes[{i}]", prize) for i, prize in enumerate(given.prizes)),
        tuple(_stages(given.stages)),
        given.consolation,
        tuple(terms.Bonus(bonus.condition, bonus.ppm) for bonus in given.bonuses),
        terms.Guarantee(guarantee.prize, guarantee.draw_no) if guarantee else None,
        tuple(given.roles),
        None if given.lock is None else lock_of(f"{terms.PATH}.lock", given.lock),
    )


def _prize(path: str, given: DrawPrizeInput) -> terms.Prize:
    award: terms.Award | None = None
    if given.coupon_template_id is not None:
        if given.asset is not None or given.amount is not None:
            raise InvalidInput(field=f"{path}.couponTemplateId", problem="a coupon or an amount")
        award = terms.CouponAward(local_id("CouponTemplate", given.coupon_template_id))
    elif given.asset is not None or given.amount is not None:
        if given.asset is None:
            raise InvalidInput(field=f"{path}.asset", problem="needed with an amount")
        if given.amount is None:
            raise InvalidInput(field=f"{path}.amount", problem="needed with an asset")
        award = terms.AmountAward(given.asset, given.amount)
    return terms.Prize(
        given.code, given.name_zh, given.name_en, award, given.stock, given.quota_per_day
    )


def _stages(given: Sequence[DrawStageInput]) -> list[terms.Stage]:
    return [
        terms.Stage(
            stage.odds_from_ppm,
            stage.odds_from_ppm if stage.odds_to_ppm is None else stage.odds_to_ppm,
            tuple(
                terms.Entry(entry.prize, entry.weight, entry.amount_from, entry.amount_to)
                for entry in stage.entries
            ),
            stage.curve,
            checked_instant(stage.starts_at, f"{terms.PATH}.stages[{i}].startsAt"),
            stage.takes_bonuses,
            tuple((str(budget.asset), int(budget.allowed)) for budget in stage.budgets),
            stage.budget_curve,
        )
        for i, stage in enumerate(given)
    ]


# --- as operators read it ----------------------------------------------------------------------


@strawberry.type(description="A prize of a draw (奖品).")
class DrawPrize:
    code: str
    name_zh: str
    name_en: str
    asset: AssetCode | None
    amount: BigInt | None
    coupon_template_id: strawberry.ID | None
    stock: BigInt | None
    quota_per_day: BigInt | None


@strawberry.type(description="A prize of a stage, and its weight among those of the stage.")
class DrawEntry:
    prize: str
    weight: int
    amount_from: BigInt | None
    amount_to: BigInt | None


@strawberry.type(description="What the draws of a stage may give of an asset (阶段预算).")
class DrawBudget:
    asset: AssetCode
    allowed: BigInt


@strawberry.type(description="From startsAt on until the next stage (阶段); odds in ppm.")
class DrawStage:
    odds_from_ppm: int
    odds_to_ppm: int
    curve: DrawCurve
    starts_at: datetime | None
    takes_bonuses: bool
    entries: list[DrawEntry]
    budgets: list[DrawBudget]
    budget_curve: DrawCurve | None


@strawberry.type(description="What is added to the odds where a condition holds.")
class DrawBonus:
    condition: str
    ppm: int


@strawberry.type(
    description="What a member gets at its so manieth draw, if it does not win (保底)."
)
class DrawGuarantee:
    prize: str
    draw_no: int


@strawberry.type(description="The draw of a campaign (抽奖规则), as published.")
class CampaignDraw:
    prizes: list[DrawPrize]
    stages: list[DrawStage]
    consolation: str
    bonuses: list[DrawBonus]
    guarantee: DrawGuarantee | None
    roles: list[MemberRole]
    lock: Lock | None = strawberry.field(graphql_type=OutcomeLock | None)


def shown(draw: terms.DrawTerms) -> CampaignDraw:
    """A draw's terms as they are shown."""
    guarantee = draw.guarantee
    return CampaignDraw(
        prizes=[_shown_prize(prize) for prize in draw.prizes],
        stages=[_shown_stage(stage) for stage in draw.stages],
        consolation=draw.consolation,
        bonuses=[DrawBonus(condition=each.condition, ppm=each.ppm) for each in draw.bonuses],
        guarantee=DrawGuarantee(prize=guarantee.prize, draw_no=guarantee.draw_no)
        if guarantee
        else None,
        roles=list(draw.roles),
        lock=draw.lock,
    )


def _big(value: int | None) -> BigInt | None:
    return None if value is None else BigInt(value)


def _shown_prize(prize: terms.Prize) -> DrawPrize:
    award = prize.award
    return DrawPrize(
        code=prize.code,
        name_zh=prize.name_zh,
        name_en=prize.name_en,
        asset=AssetCode(award.asset) if isinstance(award, terms.AmountAward) else None,
        amount=BigInt(award.amount) if isinstance(award, terms.AmountAward) else None,
        coupon_template_id=encode_id("CouponTemplate", award.template_id)
        if isinstance(award, terms.CouponAward)
        else None,
        stock=_big(prize.stock),
        quota_per_day=_big(prize.quota_per_day),
    )


def _shown_stage(stage: terms.Stage) -> DrawStage:
    return DrawStage(
        odds_from_ppm=stage.odds_from_ppm,
        odds_to_ppm=stage.odds_to_ppm,
        curve=stage.curve,
        starts_at=stage.starts_at,
        takes_bonuses=stage.takes_bonuses,
        entries=[
            DrawEntry(
                prize=entry.prize,
                weight=entry.weight,
                amount_from=_big(entry.amount_from),
                amount_to=_big(entry.amount_to),
            )
            for entry in stage.entries
        ],
        budgets=[
            DrawBudget(asset=AssetCode(asset), allowed=BigInt(allowed))
            for asset, allowed in stage.budgets
        ],
        budget_curve=stage.budget_curve,
    )
