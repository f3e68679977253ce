"""Pure: campaigns that many brands want, each ready but for a code, a window and a budget.

What comes out is a definition like any other: it is saved as a draft, changed, tried and published.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ledger.models import Asset
from rewards.campaigns.catalogue import TEMPLATES, Template, TemplateCode
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import (
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import CampaignDefinition, Cap, CouponOutcome, Outcome
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
_REBATE_FEN = 20
_FOLLOWED_WITHIN = timedelta(days=7)
_COUPON_ODDS = {TemplateCode.EXCHANGE: 200_000, TemplateCode.ANOTHER_FREE: 100_000}
"""In millionths."""
_FIRST = "counters.memberTotal == 0"
_CONDITIONS = {
    TemplateCode.MEMBER_DAY: "calendar.memberDay",
    TemplateCode.FOLLOW: _FIRST,
    TemplateCode.PARTNER_GIFT: _FIRST,
}
_PRIORITIES = dict.fromkeys(_CONDITIONS, 10)
"""Of those that are for some scans alone: they are asked before a brand's usual one."""
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
    """A campaign made from a template; ``coupon_template_id``: what those give that give coupons,
    and the ramp's last stage if it is told. Refuses InvalidInput (what the template needs and was
    not given, a budget that it has no use for or that is too small, a coupon that it does not
    give)."""
    template = TEMPLATES[code]
    if template.needs_budget and (budget_fen is None or budget_fen < BUDGET_FEN_MIN):
        raise InvalidInput(field="budgetFen", problem=f"needed, {BUDGET_FEN_MIN} or more")
    if budget_fen is not None and not template.needs_budget:
        raise InvalidInput(field="budgetFen", problem="this template gives no cash")
    if template.needs_window and (starts_at is None or ends_at is None):
        raise InvalidInput(field="startsAt", problem="it needs a window: startsAt and endsAt")
    if product_id is not None and template.event is not EventKind.SCAN:
        raise InvalidInput(field="productId", problem="only for scans")
    may_give_coupons = template.needs_coupon or code is TemplateCode.RAMP
    if coupon_template_id is not None and not may_give_coupons:
        raise InvalidInput(field="couponTemplateId", problem="this template gives no coupons")
    if coupon_template_id is None and template.needs_coupon:
        raise InvalidInput(field="couponTemplateId", problem="needed: what it gives")
    budgets = {} if budget_fen is None else {Asset.CASH.value: budget_fen}
    return CampaignDefinition(
        code=campaign_code,
        name_zh=template.name_zh,
        name_en=template.name_en,
        event=template.event,
        outcomes=_outcomes(code) + _given_once(code, coupon_template_id),
        gate=Gate.CONSUMER_SCAN if code is TemplateCode.TWO_REWARDS else Gate.NONE,
        priority=_PRIORITIES.get(code, 0),
        product_id=product_id,
        starts_at=starts_at,
        ends_at=ends_at,
        caps=_caps(template),
        budgets=budgets,
        condition=_CONDITIONS.get(code),
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
    if code is TemplateCode.LINKED_REBATE:
        rebate = _fixed(MemberRole.STORE, Asset.CASH.value, _REBATE_FEN)
        return (_fixed(consumer, points, 10), rebate)
    if code in (TemplateCode.FOLLOW, TemplateCode.EXCHANGE, TemplateCode.PARTNER_GIFT):
        return (_fixed(consumer, points, 10),)
    if code is TemplateCode.MEMBER_DAY:
        return (_fixed(consumer, Asset.CHANCES.value, 1),)
    if code is TemplateCode.PURCHASE_POINTS:
        return tuple(
            Outcome(consumer, asset.value, OutcomeBasis.PER_CURRENCY_UNIT, 1)
            for asset in (Asset.POINTS, Asset.GROWTH)
        )
    return tuple(_fixed(role, points, amount) for role, amount in _EVERYBODY_PAID.get(code, ()))


def _given_once(
    code: TemplateCode, coupon_template_id: UUID | None
) -> tuple[Outcome | CouponOutcome, ...]:
    """What a member's first scan gives beside: the campaign is for that one alone."""
    consumer = MemberRole.CONSUMER
    if code is TemplateCode.FOLLOW:
        lock = Lock(UnlockKind.ACTION, action="follow", lapses_after=_FOLLOWED_WITHIN)
        return (Outcome(consumer, Asset.POINTS.value, OutcomeBasis.FIXED, 100, lock),)
    if code is TemplateCode.PARTNER_GIFT and coupon_template_id is not None:
        return (CouponOutcome(consumer, coupon_template_id),)
    return ()


def _fixed(beneficiary: MemberRole, asset: str, amount: int) -> Outcome:
    return Outcome(beneficiary, asset, OutcomeBasis.FIXED, amount)


def _caps(template: Template) -> tuple[Cap, ...]:
    """Scans have some from the beginning: a brand would not dare without."""
    if template.event is not EventKind.SCAN:
        return ()
    times = {CapSubject.MEMBER: 20, CapSubject.GUIDE: 100, CapSubject.DEVICE: 20}
    if template.code in (TemplateCode.CHANNEL, TemplateCode.LINKED_REBATE):
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
    if code in _COUPON_ODDS and coupon_template_id is not None:
        coupon = Prize("COUPON", "优惠券", "Coupon", CouponAward(coupon_template_id))
        stage = Stage(_COUPON_ODDS[code], _COUPON_ODDS[code], (Entry("COUPON", 1),))
        return DrawTerms((coupon, _THANKS), (stage,), "THANKS")
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
