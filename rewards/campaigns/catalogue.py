"""What campaigns can be made from, as operators choose it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rewards.campaigns.models import EventKind


class TemplateCode(StrEnum):
    """What campaigns can be made from."""

    TWO_REWARDS = "TWO_REWARDS"
    CHANNEL = "CHANNEL"
    LINKED_REBATE = "LINKED_REBATE"
    RED_PACKET = "RED_PACKET"
    FOLLOW = "FOLLOW"
    EXCHANGE = "EXCHANGE"
    ANOTHER_FREE = "ANOTHER_FREE"
    PARTNER_GIFT = "PARTNER_GIFT"
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
    needs_coupon: bool = False


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
            TemplateCode.LINKED_REBATE,
            EventKind.SCAN,
            "关联返利",
            "Linked rebate",
            "消费者扫码得10积分；导购背后的终端门店每瓶返利0.20元，每天最多500瓶。",
            "The consumer's scan gives 10 points, and the store behind its guide a rebate of 0.20 a"
            " bottle, up to 500 bottles a day.",
            needs_budget=True,
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
            TemplateCode.FOLLOW,
            EventKind.SCAN,
            "关注有礼",
            "Follow the account",
            "会员首次扫码得10积分，另有100积分在7天内关注公众号后到账。",
            "A member's first scan gives 10 points, and 100 more, which following the official"
            " account within 7 days opens.",
        ),
        Template(
            TemplateCode.EXCHANGE,
            EventKind.SCAN,
            "一元乐享（加价换购）",
            "Pay one, get one",
            "扫码得10积分，五分之一的机会抽中换购券，到门店加价换购。",
            "Each scan gives 10 points and, one in five, a coupon that buys another bottle for the"
            " little it says, at a store.",
            needs_coupon=True,
        ),
        Template(
            TemplateCode.ANOTHER_FREE,
            EventKind.SCAN,
            "再来一瓶",
            "Another bottle free",
            "扫码十分之一的机会中“再来一瓶”，凭券在收银台直接核销。",
            "One scan in ten wins a coupon for another bottle, redeemed at the till.",
            needs_coupon=True,
        ),
        Template(
            TemplateCode.PARTNER_GIFT,
            EventKind.SCAN,
            "异业赠券",
            "A partner's gift",
            "消费者首次扫码，除10积分外，再得一张合作品牌的优惠券。",
            "A member's first scan gives 10 points and a partner's coupon.",
            needs_coupon=True,
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
