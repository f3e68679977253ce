"""Pure: campaigns that many brands want, each ready but for a code, a window and a budget.

What comes out is a definition like any other: it is saved as a draft, changed, tried and published.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ledger.models import Asset
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import (
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import CampaignDefinition, Cap, Outcome
from rewards.draws.models import Curve
from rewards.draws.terms import (
    PPM,
    AmountAward,
    Bonus,
    CouponAward,
    DrawTerms,
    Entry,
    Prize,
    Stage,
)

BUDGET_FEN_MIN = 100_000
RAMP_DAYS_MIN = 4
_PACKET_LAPSES_AFTER = timedelta(days=30)
_RAMP_BUDGETS_PERCENT = (33, 5, 2)
"""Of the second stage on; the first has the rest. As their odds and amounts share what is given, if
as many scan each day: so that none runs out much before its end."""


class TemplateCode(StrEnum):
    """What campaigns can be made from."""

    TWO_REWARDS = "TWO_REWARDS"
    CHANNEL = "CHANNEL"
    RED_PACKET = "RED_PACKET"
    RAMP = "RAMP"
    MEMBER_DAY = "MEMBER_DAY"
    PURCHASE_POINTS = "PURCHASE_POINTS"
    WELCOME = "WELCOME"
    CHECK_IN = "CHECK_IN"
    BIRTHDAY = "BIRTHDAY"
    REFERRAL = "REFERRAL"
    SURVEY = "SURVEY"
    TASK = "TASK"


@dataclass(frozen=True, slots=True)
class Template:
    """What one is called and does, and what it cannot be made without."""

    code: TemplateCode
    event: EventKind
    name_zh: str
    name_en: str
    description_zh: str
    description_en: str
    needs_budget: bool = False
    needs_window: bool = False


TEMPLATES: Mapping[TemplateCode, Template] = {
    template.code: template
    for template in (
        Template(
            TemplateCode.TWO_REWARDS,
            EventKind.SCAN,
            "一码双奖",
            "One code, two rewards",
            "消费者扫码得10积分10成长值，导购得5积分；导购奖励在消费者扫码后到账。",
            "The consumer's scan gives 10 points and 10 growth, and its guide 5 points, which wait"
            " for that scan.",
        ),
        Template(
            TemplateCode.CHANNEL,
            EventKind.SCAN,
            "一码多奖（渠道联动）",
            "One code, the whole channel",
            "消费者扫码得10积分，导购得5积分，导购背后的终端门店得3积分、经销商和业务员各得1积分。",
            "The consumer's scan gives 10 points, its guide 5, and behind the guide the store 3,"
            " the dealer and the salesperson 1 each.",
        ),
        Template(
            TemplateCode.RED_PACKET,
            EventKind.SCAN,
            "待解锁红包",
            "Locked red packet",
            "每次扫码得10积分和一个0.88元红包，下次扫码解锁，30天内有效。",
            "Each scan gives 10 points and a packet of 0.88, which the next scan within 30 days"
            " opens.",
            needs_budget=True,
        ),
        Template(
            TemplateCode.RAMP,
            EventKind.SCAN,
            "四阶段抽奖",
            "Four-stage ramp",
            "第一阶段人人有奖、金额大，之后中奖率和金额按阶段递减，每阶段各有预算；"
            "最后阶段可改发优惠券。",
            "Every scan wins at first, and much; then odds and amounts fall by schedule, each stage"
            " within a budget of its own. The last may give coupons in the place of cash.",
            needs_budget=True,
            needs_window=True,
        ),
        Template(
            TemplateCode.MEMBER_DAY,
            EventKind.SCAN,
            "会员日",
            "Member day",
            "会员日扫码得1次抽奖机会，并可抽红包，扫码越多中奖率越高。",
            "On member days a scan gives a chance and may win a packet, the likelier the more one"
            " has scanned.",
            needs_budget=True,
        ),
        Template(
            TemplateCode.PURCHASE_POINTS,
            EventKind.PURCHASE,
            "消费积分",
            "Points for purchases",
            "每消费1元得1积分1成长值。",
            "A point and a growth for each whole unit of currency.",
        ),
        Template(
            TemplateCode.WELCOME,
            EventKind.SIGN_UP,
            "入会礼",
            "Welcome",
            "新会员得100积分。",
            "100 points for a new member.",
        ),
        Template(
            TemplateCode.CHECK_IN,
            EventKind.CHECK_IN,
            "每日签到",
            "Daily check-in",
            "每天签到得5积分。",
            "5 points a day.",
        ),
        Template(
            TemplateCode.BIRTHDAY,
            EventKind.BIRTHDAY,
            "生日礼",
            "Birthday",
            "生日当天得200积分。",
            "200 points on the birthday.",
        ),
        Template(
            TemplateCode.REFERRAL,
            EventKind.REFERRAL,
            "推荐有礼",
            "Referral",
            "推荐的新会员首次扫码或消费后，推荐人得100积分。",
            "100 points when the new member one brought does its first scan or purchase.",
        ),
        Template(
            TemplateCode.SURVEY,
            EventKind.SURVEY_ANSWERED,
            "问卷有礼",
            "Survey",
            "答完问卷得50积分。",
            "50 points for an answer.",
        ),
        Template(
            TemplateCode.TASK,
            EventKind.TASK_COMPLETED,
            "任务奖励",
            "Task",
            "完成任务，导购或业务员得200积分。",
            "200 points when a guide or a salesperson completes a task.",
        ),
    )
}
_EVERYBODY_PAID: Mapping[TemplateCode, tuple[tuple[MemberRole, int], ...]] = {
    TemplateCode.WELCOME: ((MemberRole.CONSUMER, 100),),
    TemplateCode.CHECK_IN: ((MemberRole.CONSUMER, 5),),
    TemplateCode.BIRTHDAY: ((MemberRole.CONSUMER, 200),),
    TemplateCode.REFERRAL: ((MemberRole.CONSUMER, 100),),
    TemplateCode.SURVEY: ((MemberRole.CONSUMER, 50),),
    TemplateCode.TASK: ((MemberRole.GUIDE, 200), (MemberRole.SALESPERSON, 200)),
}
_CHANNEL = (
    (MemberRole.CONSUMER, 10),
    (MemberRole.GUIDE, 5),
    (MemberRole.STORE, 3),
    (MemberRole.DEALER, 1),
    (MemberRole.SALESPERSON, 1),
)
_STORE_TIMES_A_DAY = 500
_PACKET = Prize("PACKET", "现金红包", "Red packet", AmountAward(Asset.CASH.value, 88))
_THANKS = Prize("THANKS", "谢谢参与", "Thank you")


def definition_from(
    code: TemplateCode,
    campaign_code: str,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    budget_fen: int | None = None,
    product_id: UUID | None = None,
    coupon_template_id: UUID | None = None,
) -> CampaignDefinition:
    """A campaign made from a template; with ``coupon_template_id`` the ramp's last stage gives such
    coupons. Refuses InvalidInput (what the template needs and was not given, a budget that it has
    no use for or that is too small, a coupon that it does not give)."""
    template = TEMPLATES[code]
    if template.needs_budget and (budget_fen is None or budget_fen < BUDGET_FEN_MIN):
        raise InvalidInput(field="budgetFen", problem=f"needed, {BUDGET_FEN_MIN} or more")
    if budget_fen is not None and not template.needs_budget:
        raise InvalidInput(field="budgetFen", problem="this template gives no cash")
    if template.needs_window and (starts_at is None or ends_at is None):
        raise InvalidInput(field="startsAt", problem="it needs a window: startsAt and endsAt")
    if product_id is not None and template.event is not EventKind.SCAN:
        raise InvalidInput(field="productId", problem="only for scans")
    if coupon_template_id is not None and code is not TemplateCode.RAMP:
        raise InvalidInput(field="couponTemplateId", problem="this template gives no coupons")
    budgets = {} if budget_fen is None else {Asset.CASH.value: budget_fen}
    return CampaignDefinition(
        code=campaign_code,
        name_zh=template.name_zh,
        name_en=template.name_en,
        event=template.event,
        outcomes=_outcomes(code),
        gate=Gate.CONSUMER_SCAN if code is TemplateCode.TWO_REWARDS else Gate.NONE,
        priority=10 if code is TemplateCode.MEMBER_DAY else 0,
        product_id=product_id,
        starts_at=starts_at,
        ends_at=ends_at,
        caps=_caps(template),
        budgets=budgets,
        condition="calendar.memberDay" if code is TemplateCode.MEMBER_DAY else None,
        draw=_draw(code, starts_at, ends_at, budget_fen or 0, coupon_template_id),
    )


def _outcomes(code: TemplateCode) -> tuple[Outcome, ...]:
    points, consumer = Asset.POINTS.value, MemberRole.CONSUMER
    if code is TemplateCode.TWO_REWARDS:
        return (
            _fixed(consumer, points, 10),
            _fixed(consumer, Asset.GROWTH.value, 10),
            _fixed(MemberRole.GUIDE, points, 5),
        )
    if code is TemplateCode.CHANNEL:
        return tuple(_fixed(role, points, amount) for role, amount in _CHANNEL)
    if code is TemplateCode.RED_PACKET:
        lock = Lock(UnlockKind.NEXT_SCAN, count=1, lapses_after=_PACKET_LAPSES_AFTER)
        packet = Outcome(consumer, Asset.CASH.value, OutcomeBasis.FIXED, 88, lock)
        return (_fixed(consumer, points, 10), packet)
    if code is TemplateCode.MEMBER_DAY:
        return (_fixed(consumer, Asset.CHANCES.value, 1),)
    if code is TemplateCode.PURCHASE_POINTS:
        return tuple(
            Outcome(consumer, asset.value, OutcomeBasis.PER_CURRENCY_UNIT, 1)
            for asset in (Asset.POINTS, Asset.GROWTH)
        )
    return tuple(_fixed(role, points, amount) for role, amount in _EVERYBODY_PAID.get(code, ()))


def _fixed(beneficiary: MemberRole, asset: str, amount: int) -> Outcome:
    return Outcome(beneficiary, asset, OutcomeBasis.FIXED, amount)


def _caps(template: Template) -> tuple[Cap, ...]:
    """Scans have some from the beginning: a brand would not dare without."""
    if template.event is not EventKind.SCAN:
        return ()
    times = {CapSubject.MEMBER: 20, CapSubject.GUIDE: 100, CapSubject.DEVICE: 20}
    if template.code is TemplateCode.CHANNEL:
        times[CapSubject.STORE] = _STORE_TIMES_A_DAY
    return tuple(Cap(subject, CapWindow.DAY, most) for subject, most in times.items())


def _draw(
    code: TemplateCode,
    starts_at: datetime | None,
    ends_at: datetime | None,
    budget_fen: int,
    coupon_template_id: UUID | None,
) -> DrawTerms | None:
    if code is TemplateCode.MEMBER_DAY:
        bonuses = (
            Bonus("counters.memberTotal >= 3", 50_000),
            Bonus("counters.memberTotal >= 10", 100_000),
        )
        stage = Stage(100_000, 100_000, (Entry("PACKET", 1),))
        return DrawTerms((_PACKET, _THANKS), (stage,), "THANKS", bonuses)
    if code is not TemplateCode.RAMP or starts_at is None or ends_at is None:
        return None
    if ends_at - starts_at < timedelta(days=RAMP_DAYS_MIN):
        raise InvalidInput(field="endsAt", problem=f"{RAMP_DAYS_MIN} days or more after startsAt")
    shares = _RAMP_BUDGETS_PERCENT if coupon_template_id is None else _RAMP_BUDGETS_PERCENT[:-1]
    later = [budget_fen * percent // 100 for percent in shares]
    allowed = [(((Asset.CASH.value, part),)) for part in (budget_fen - sum(later), *later)]
    hours = (ends_at - starts_at) // timedelta(hours=1)
    second, third, last = (
        starts_at + timedelta(hours=hours * twelfths // 12) for twelfths in (2, 6, 9)
    )
    stages = (
        Stage(PPM, PPM, _packets(288, 188), takes_bonuses=False, budgets=allowed[0]),
        Stage(600_000, 300_000, _packets(188, 88), starts_at=second, budgets=allowed[1]),
        Stage(300_000, 100_000, _packets(88, 66), Curve.EASE_OUT, third, budgets=allowed[2]),
    )
    if coupon_template_id is None:
        at_last = Stage(100_000, 20_000, _packets(66, 66), Curve.EASE_IN, last, budgets=allowed[3])
        return DrawTerms((_PACKET, _THANKS), (*stages, at_last), "THANKS")
    coupon = Prize("COUPON", "优惠券", "Coupon", CouponAward(coupon_template_id))
    at_last = Stage(300_000, 100_000, (Entry("COUPON", 1),), Curve.EASE_IN, last)
    return DrawTerms((_PACKET, coupon, _THANKS), (*stages, at_last), "THANKS")


def _packets(amount_from: int, amount_to: int) -> tuple[Entry, ...]:
    return (Entry("PACKET", 1, amount_from, amount_to),)
