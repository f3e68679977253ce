"""The engine's own enums as GraphQL enums. Registered before any type uses one; nouns import them
from here."""

import strawberry

from loyalty.actor import MemberRole
from loyalty.codes.models import BatchStatus, CodeKind, CodePurpose
from loyalty.ledger.models import Asset
from rewards.campaigns.models import CapSubject, CapWindow, EventKind, Gate, OutcomeBasis
from rewards.coupons.models import (
    CouponCause,
    CouponKind,
    CouponStatus,
    CouponTemplateStatus,
)
from rewards.payouts.models import PayoutStatus
from rewards.payouts.rules import ReportSource as PayoutReportSource
from rewards.payouts.rules import ReportState as PayoutReportState
from rewards.redemptions.models import RedemptionStatus, RedemptionStep
from rewards.redemptions.rules import NotUsableReason
from rewards.scans.models import GuideUnpaidReason, UnpaidReason, Verdict

__all__ = [
    "Asset",
    "BatchStatus",
    "CapSubject",
    "CapWindow",
    "CodeKind",
    "CodePurpose",
    "CouponCause",
    "CouponKind",
    "CouponStatus",
    "CouponTemplateStatus",
    "EventKind",
    "Gate",
    "GuideUnpaidReason",
    "MemberRole",
    "NotUsableReason",
    "OutcomeBasis",
    "PayoutReportSource",
    "PayoutReportState",
    "PayoutStatus",
    "RedemptionStatus",
    "RedemptionStep",
    "UnpaidReason",
    "Verdict",
]

strawberry.enum(MemberRole, description="消费者, 导购员, 终端门店, 经销商, 业务员.")
strawberry.enum(Asset, description="积分, 成长值, 红包 (fen), 抽奖次数.")
strawberry.enum(CodeKind, description="盖内码, 瓶外码, 箱内码, 箱外码, 垛码, DM卡, 票券.")
strawberry.enum(CodePurpose, description="奖励, 导购码, 动销码, 溯源/防伪, 维修码.")
strawberry.enum(BatchStatus, description="草稿, 已印刷, 已激活, 已作废.")
strawberry.enum(EventKind, description="What earns: a scan, a purchase.")
strawberry.enum(Gate, description="NONE, or the guide's reward waits for the consumer's scan.")
strawberry.enum(OutcomeBasis, description="Per event, or per whole unit of currency spent.")
strawberry.enum(CapSubject, description="Whose paid events a cap counts.")
strawberry.enum(CapWindow, description="A local day of the brand, or the whole campaign.")
strawberry.enum(CouponKind, description="代金券, 再来一瓶, N元换购.")
strawberry.enum(CouponStatus, description="可用, 核销中, 已核销, 已过期, 已作废.")
strawberry.enum(CouponCause, description="Won by a scan, or bought for points.")
strawberry.enum(CouponTemplateStatus, description="PAUSED: no more of them are issued.")
strawberry.enum(RedemptionStatus, description="已锁定, 已核销, 已取消, 已失效, 已撤销.")
strawberry.enum(RedemptionStep, description="What a redemption went through, each once.")
strawberry.enum(PayoutStatus, description="待发送, 已发送, 处理中, 已付款, 付款失败.")
strawberry.enum(PayoutReportSource, name="PayoutReportSource", description="How we heard.")
strawberry.enum(PayoutReportState, name="PayoutReportState", description="As the provider says.")
strawberry.enum(NotUsableReason, description="Why a coupon cannot be used here and now.")
strawberry.enum(
    Verdict, description="First scan or not; or the batch is not (or no longer) active."
)
strawberry.enum(UnpaidReason, description="Why a recorded scan paid its scanner nothing.")
strawberry.enum(GuideUnpaidReason, description="Why a paid scan has no guide's credit.")
