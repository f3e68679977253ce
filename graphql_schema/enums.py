"""The engine's own enums as GraphQL enums. Registered before any type uses one; nouns import them
from here."""

import strawberry

from loyalty.actor import MemberRole, Scope
from loyalty.adjustments.models import AdjustmentStatus
from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import ExpiryKind
from loyalty.assets.rules import Unit as PeriodUnit
from loyalty.codes.models import BatchStatus, CodeKind, CodePurpose
from loyalty.holds.models import HoldStatus
from loyalty.ledger.models import TransferKind as EntryKind
from loyalty.ledger.states import ReturnPolicy
from loyalty.webhooks.models import DeliveryStatus as WebhookDeliveryStatus
from loyalty.webhooks.models import EndpointStatus as WebhookEndpointStatus
from rewards.alliances.models import AgreementStatus
from rewards.alliances.models import VersionStatus as AgreementVersionStatus
from rewards.alliances.terms import FundingKind, QuotaWindow, StatementPeriod
from rewards.alliances.terms import Rounding as ShareRounding
from rewards.alliances.terms import Side as AgreementSide
from rewards.campaigns.catalogue import TemplateCode as CampaignTemplateCode
from rewards.campaigns.models import (
    CampaignStatus,
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)
from rewards.clearing.models import AdjustmentStatus as ClearingAdjustmentStatus
from rewards.clearing.models import EntryKind as ClearingEntryKind
from rewards.coupons.models import (
    CouponCause,
    CouponKind,
    CouponStatus,
    CouponTemplateStatus,
)
from rewards.draws.models import Curve as DrawCurve
from rewards.draws.models import Limit as DrawLimit
from rewards.event_types.models import FieldKind as EventFieldKind
from rewards.events.models import EventUnpaidReason
from rewards.grants.models import BonusUnpaidReason, ChannelUnpaidReason
from rewards.grants.models import LockStatus as LockedRewardStatus
from rewards.issues.models import IssueListStatus
from rewards.netting.models import NettingStatus
from rewards.offers.models import LimitWindow, OfferKind, OfferStatus
from rewards.offers.rules import Availability
from rewards.orders.models import OrderStatus, PartPurpose
from rewards.payouts.models import PayoutStatus
from rewards.payouts.rules import ReportSource as PayoutReportSource
from rewards.payouts.rules import ReportState as PayoutReportState
from rewards.purchases.models import PurchaseSource
from rewards.raffles.models import NoCoupon, RaffleStatus
from rewards.redemptions.models import RedemptionStatus, RedemptionStep
from rewards.redemptions.rules import NotUsableReason
from rewards.referrals.models import ReferralRefusedReason, ReferralStatus
from rewards.scans.models import GuideUnpaidReason, UnpaidReason, Verdict
from rewards.simulations.models import SimulationStatus
from rewards.simulations.models import SourceKind as SimulationSource
from rewards.surveys.models import QuestionKind
from rewards.tasks.models import TaskCounts, TaskPeriod
from tiers.ladders.models import Downgrade, PeriodKind, TierEnd, TierMetric, TierStart
from tiers.privileges.rules import PrivilegeKind, QuotaPeriod
from tiers.standings.models import Basis as TierBasis
from tiers.standings.models import ChangeReason as TierChangeReason

__all__ = [
    "AdjustmentStatus",
    "AgreementSide",
    "AgreementStatus",
    "AgreementVersionStatus",
    "AssetStatus",
    "Availability",
    "BatchStatus",
    "BonusUnpaidReason",
    "CampaignStatus",
    "CampaignTemplateCode",
    "CapSubject",
    "CapWindow",
    "ChannelUnpaidReason",
    "CodeKind",
    "CodePurpose",
    "ClearingAdjustmentStatus",
    "ClearingEntryKind",
    "NettingStatus",
    "CouponCause",
    "IssueListStatus",
    "CouponKind",
    "CouponStatus",
    "CouponTemplateStatus",
    "Downgrade",
    "DrawCurve",
    "DrawLimit",
    "EntryKind",
    "EventFieldKind",
    "EventKind",
    "EventUnpaidReason",
    "ExpiryKind",
    "FundingKind",
    "Gate",
    "GuideUnpaidReason",
    "HoldStatus",
    "LimitWindow",
    "LockedRewardStatus",
    "MemberRole",
    "NoCoupon",
    "NotUsableReason",
    "OfferKind",
    "OfferStatus",
    "OrderStatus",
    "OutcomeBasis",
    "PartPurpose",
    "PayoutReportSource",
    "PayoutReportState",
    "PayoutStatus",
    "PeriodKind",
    "PeriodUnit",
    "PrivilegeKind",
    "PurchaseSource",
    "QuestionKind",
    "QuotaPeriod",
    "QuotaWindow",
    "RaffleStatus",
    "RedemptionStatus",
    "RedemptionStep",
    "ReferralRefusedReason",
    "ReferralStatus",
    "ReturnPolicy",
    "Scope",
    "ShareRounding",
    "SimulationSource",
    "SimulationStatus",
    "StatementPeriod",
    "TaskCounts",
    "TaskPeriod",
    "TierBasis",
    "TierChangeReason",
    "TierEnd",
    "TierMetric",
    "TierStart",
    "UnlockKind",
    "UnpaidReason",
    "Verdict",
    "WebhookDeliveryStatus",
    "WebhookEndpointStatus",
]

strawberry.enum(
    PrivilegeKind, description="积分倍数, 中奖加成, 专享商品, 提前购, 限购放宽, 免运费, 礼, 其他."
)
strawberry.enum(QuotaPeriod, description="By the brand's calendar.")
strawberry.enum(MemberRole, description="消费者, 导购员, 终端门店, 经销商, 业务员.")
strawberry.enum(CodeKind, description="盖内码, 瓶外码, 箱内码, 箱外码, 垛码, DM卡, 票券.")
strawberry.enum(CodePurpose, description="奖励, 导购码, 动销码, 溯源/防伪, 维修码.")
strawberry.enum(BatchStatus, description="草稿, 已印刷, 已激活, 已作废.")
strawberry.enum(EventKind, description="What earns (docs/events.md).")
strawberry.enum(
    Gate,
    description="NONE, or the guide's reward waits: for the consumer's scan, or until the consumer"
    " has taken what that gave, too.",
)
strawberry.enum(
    UnlockKind,
    description="ITEM: the buyer's scan of the guide's item (a gate). INNER_SCAN: the member's scan"
    " of the same item's INNER code. NEXT_SCAN: so many paid scans of the member. ACTION: a report"
    " that it did something. AFTER: a duration. ON: a local day. BOX_BOTTLES: so many scanned"
    " bottles of the box. TAKEN: the buyer of the guide's item has taken what it got (a gate).",
)
strawberry.enum(
    LockedRewardStatus, name="LockedRewardStatus", description="待解锁, 已解锁, 已收回, 已过期."
)
strawberry.enum(
    OutcomeBasis,
    description="Per event; per whole unit of currency spent; per item bought; by steps of what was"
    " spent; percent of what the event's first campaign gives (of bonuses).",
)
strawberry.enum(BonusUnpaidReason, description="Why a bonus campaign gave nothing.")
strawberry.enum(CapSubject, description="Whose paid events a cap counts.")
strawberry.enum(
    CampaignStatus,
    description="RUNNING: its newest version counts. PAUSED pays nothing for now, ENDED never"
    " again.",
)
strawberry.enum(CapWindow, description="A local day of the brand, or the whole campaign.")
strawberry.enum(CouponKind, description="代金券, 再来一瓶, N元换购, 实物礼品, 第三方券码.")
strawberry.enum(CouponStatus, description="可用, 核销中, 已核销, 已兑换, 已过期, 已作废.")
strawberry.enum(
    CouponCause,
    description="Won, bought, taken in the mall, a gift, a partner's, of a raffle.",
)
strawberry.enum(
    CouponTemplateStatus,
    description="PAUSED: no more of them are issued. PARTNER: by an agreement that is the partner's"
    " to do.",
)
strawberry.enum(OfferKind, description="优惠券, 资产 (抽奖次数, 红包...), 礼品.")
strawberry.enum(OfferStatus, description="PAUSED: nobody sees or takes it.")
strawberry.enum(
    Availability,
    description="可兑换, 等级不足, 未开放, 已兑完, 已达限兑次数, 今日已兑完: what a member would be"
    " refused for first, its balance apart.",
)
strawberry.enum(
    RaffleStatus,
    description="进行中, 已截止 (the winners are about to be drawn), 已开奖, 已取消.",
)
strawberry.enum(LimitWindow, description="For ever, or a day, month or year of the brand.")
strawberry.enum(OrderStatus, description="待发放, 已发放, 已取消.")
strawberry.enum(PartPurpose, description="兑换价, 运费等费用, 所得.")
strawberry.enum(PurchaseSource, description="收银台, 订单, 导入 (of past ones: no news).")
strawberry.enum(RedemptionStatus, description="已锁定, 已核销, 已取消, 已失效, 已撤销.")
strawberry.enum(RedemptionStep, description="What a redemption went through, each once.")
strawberry.enum(PayoutStatus, description="待发送, 已发送, 处理中, 已付款, 付款失败.")
strawberry.enum(PayoutReportSource, name="PayoutReportSource", description="How we heard.")
strawberry.enum(PayoutReportState, name="PayoutReportState", description="As the provider says.")
strawberry.enum(AssetStatus, description="RETIRED: no more of it is given out.")
strawberry.enum(ExpiryKind, description="永久有效, 自获得起若干天月年, 周期末, 固定日期, 活跃顺延.")
strawberry.enum(EntryKind, name="EntryKind", description="What a movement is, by its cause.")
strawberry.enum(HoldStatus, description="已预占, 已扣减, 已释放, 已失效.")
strawberry.enum(AdjustmentStatus, description="待审批, 已生效, 已驳回.")
strawberry.enum(
    ReturnPolicy,
    description="What a reversal may take: 仅冻结部分, 余额为限, 可欠 (what is missing is owed).",
)
strawberry.enum(NotUsableReason, description="Why a coupon cannot be used here and now.")
strawberry.enum(
    Verdict, description="First scan or not; or the batch is not (or no longer) active."
)
strawberry.enum(
    DrawCurve, name="DrawCurve", description="How a stage changes: 匀速, 先慢后快, 先快后慢."
)
strawberry.enum(
    DrawLimit,
    name="DrawLimit",
    description="What a prize ran out of: 库存, 每日限量, 阶段预算, 预算, 券.",
)
strawberry.enum(
    EventFieldKind, name="EventFieldKind", description="What a field of an event type holds."
)
strawberry.enum(EventUnpaidReason, description="Why a recorded event earned nothing.")
strawberry.enum(CampaignTemplateCode, name="CampaignTemplateCode", description="活动模板.")
strawberry.enum(SimulationStatus, description="待运行, 运行中, 已完成, 已取消, 失败.")
strawberry.enum(SimulationSource, name="SimulationSource", description="历史事件, 虚拟人群.")
strawberry.enum(UnpaidReason, description="Why a recorded scan paid its scanner nothing.")
strawberry.enum(GuideUnpaidReason, description="Why a paid scan has no guide's credit.")
strawberry.enum(
    ChannelUnpaidReason,
    description="Why a paid scan or purchase has no credit for a store, dealer or salesperson.",
)
strawberry.enum(
    TaskCounts,
    description="带奖的消费者扫码, 本人扫码, 邀请入会, 所邀会员扫码, 购买, 签到, 推荐.",
)
strawberry.enum(QuestionKind, description="单选, 多选, 打分, 文字.")
strawberry.enum(ReferralStatus, description="待首单, 已达成, 不成立.")
strawberry.enum(ReferralRefusedReason, description="同一人, 同一设备, 非新客.")
strawberry.enum(TaskPeriod, description="一次, 每周, 每月.")
strawberry.enum(PeriodUnit, name="PeriodUnit", description="日, 月, 季度, 年.")
strawberry.enum(PeriodKind, description="自然周期, 滚动周期, 入会周年.")
strawberry.enum(TierMetric, description="成长值余额; 周期内获得、消费、扫码次数、活跃天数.")
strawberry.enum(TierStart, description="立即生效, 下一周期生效.")
strawberry.enum(TierEnd, description="永不降级, 周期末, 下一周期末, 不达标即降.")
strawberry.enum(Downgrade, description="降一级, 降至实际达标等级.")
strawberry.enum(TierBasis, name="TierBasis", description="达标获得, 人工授予, 邀请.")
strawberry.enum(
    TierChangeReason,
    name="TierChangeReason",
    description="达标, 到期, 不达标, 授予, 授予结束, 邀请, 等级方案变更, 会员合并.",
)
strawberry.enum(
    WebhookDeliveryStatus, name="WebhookDeliveryStatus", description="待发送, 已送达, 死信."
)
strawberry.enum(WebhookEndpointStatus, name="WebhookEndpointStatus", description="启用, 停用.")
strawberry.enum(AgreementSide, name="AgreementSide", description="本方, 对方: to who asks.")
strawberry.enum(
    AgreementStatus,
    description="已提议, 生效中, 已终止. While ACTIVE each side may pause it.",
)
strawberry.enum(
    AgreementVersionStatus,
    name="AgreementVersionStatus",
    description="待签署, 生效中, 已被取代, 已撤回.",
)
strawberry.enum(FundingKind, description="预付: for what was paid in; 后付: up to a credit limit.")
strawberry.enum(QuotaWindow, description="By the calendar of the agreement's time zone; ALL 总计.")
strawberry.enum(ShareRounding, name="ShareRounding", description="四舍五入, 舍去.")
strawberry.enum(StatementPeriod, description="按周 (Monday first), 按月.")
strawberry.enum(Scope, name="PartnerScope", description="发券, 查券, 核销, 匹配会员, 查对账单.")
strawberry.enum(
    ClearingEntryKind,
    name="ClearingEntryKind",
    description="核销, 撤销, 费用, 付款, 调整, 轧差.",
)
strawberry.enum(NettingStatus, description="待各方批准, 已过账, 已拒绝, 已撤回.")
strawberry.enum(
    IssueListStatus,
    name="IssueListStatus",
    description="读取中, 发放中, 已完成, 已取消.",
)
strawberry.enum(
    ClearingAdjustmentStatus,
    name="ClearingAdjustmentStatus",
    description="待对方确认, 已接受, 已拒绝, 已撤回.",
)
strawberry.enum(NoCoupon, description="已发完, 已暂停, 已过期: of the template.")
