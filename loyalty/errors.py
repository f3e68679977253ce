"""Every refusal the engine gives, on one screen.

A Refusal is expected and the caller can act on it. It rolls its transaction back and is answered
as ``Refused { code, message, details }``. It knows no HTTP and no GraphQL. What persists is a
receipt, never a refusal. Codes are stable; ``docs/errors.md`` explains each to its reader.
"""

from typing import Any, ClassVar


class Refusal(Exception):
    """The base of all refusals: one subclass per stable code, with its message in two languages."""

    code: ClassVar[str] = "REFUSED"
    en: ClassVar[str] = "The request was refused."
    zh: ClassVar[str] = "请求被拒绝。"

    def __init__(self, **details: Any) -> None:
        super().__init__(self.code)
        self.details = details

    def message(self, language: str) -> str:
        """The message in ``zh`` or ``en``, with the details filled in."""
        text = self.zh if language.startswith("zh") else self.en
        return text.format_map(self.details)


class InvalidInput(Refusal):
    code = "INVALID_INPUT"
    en = "{field}: {problem}."
    zh = "{field}:输入有误({problem})。"


class NotFound(Refusal):
    """Also the answer for another brand's rows, so that existence never leaks."""

    code = "NOT_FOUND"
    en = "There is no such {noun}."
    zh = "没有找到({noun})。"


class AlreadyExists(Refusal):
    code = "ALREADY_EXISTS"
    en = "A {noun} with this {field} already exists."
    zh = "已存在({noun},{field} 重复)。"


class IdempotencyConflict(Refusal):
    code = "IDEMPOTENCY_CONFLICT"
    en = "This idempotency key was already used with another request."
    zh = "该幂等键已用于另一个不同的请求。"


class CodeUnknown(Refusal):
    """Forged codes, other brands' codes and misreads get this one answer."""

    code = "CODE_UNKNOWN"
    en = "This code is not one of ours. Please check it and scan again."
    zh = "未识别到该码,请确认后重新扫描。"


class NotOnRoster(Refusal):
    code = "NOT_ON_ROSTER"
    en = "This phone number is not on the brand's list for the role {role}."
    zh = "该手机号不在品牌的{role}名册中。"


class AgeContradicted(Refusal):
    code = "AGE_CONTRADICTED"
    en = "You have stated another age before. Please come back when you are old enough."
    zh = "与您此前确认的年龄不符,请达到法定年龄后再来。"


class MemberFrozen(Refusal):
    code = "MEMBER_FROZEN"
    en = "This membership is frozen. Please contact the brand."
    zh = "该会员已被冻结,请联系品牌客服。"


class AlreadyInvited(Refusal):
    code = "ALREADY_INVITED"
    en = "This phone number has already been invited."
    zh = "该手机号已被邀请过。"


class SignInCodeWrong(Refusal):
    code = "SIGN_IN_CODE_WRONG"
    en = "The code is wrong or has expired. Please ask for a new one."
    zh = "验证码错误或已过期,请重新获取。"


class CredentialsWrong(Refusal):
    """Of operators and clerks; it never says what of it was wrong."""

    code = "CREDENTIALS_WRONG"
    en = "What you signed in with is wrong, or the account is locked for now."
    zh = "登录信息有误,或账号已被暂时锁定。"


class BatchStateWrong(Refusal):
    code = "BATCH_STATE_WRONG"
    en = "A batch that is {status} cannot be changed to {wanted}."
    zh = "状态为{status}的批次不能变更为{wanted}。"


class CampaignStateWrong(Refusal):
    code = "CAMPAIGN_STATE_WRONG"
    en = "A campaign that is {status} cannot be {wanted}."
    zh = "状态为{status}的活动不能变更为{wanted}。"


class SimulationStateWrong(Refusal):
    code = "SIMULATION_STATE_WRONG"
    en = "A dry run that is {status} cannot be {wanted}."
    zh = "状态为{status}的模拟不能变更为{wanted}。"


class TooManySimulations(Refusal):
    code = "TOO_MANY_SIMULATIONS"
    en = "{limit} dry runs are not finished yet. Wait for one, or cancel it."
    zh = "已有{limit}个模拟尚未结束，请等待完成或先取消。"


class DraftChanged(Refusal):
    """Somebody else saved it since: ``revision`` is the one it has now."""

    code = "DRAFT_CHANGED"
    en = "Somebody has saved this draft since you read it: it is at revision {revision} now."
    zh = "该草稿已被他人更新（当前版本 {revision}），请刷新后再保存。"


class AgreementStateWrong(Refusal):
    """``status``: as the agreement has it, PAUSED, or OUTSIDE_ITS_DAYS."""

    code = "AGREEMENT_STATE_WRONG"
    en = "An agreement that is {status} cannot be {wanted}."
    zh = "状态为{status}的联盟协议不能变更为{wanted}。"


class AgreementChanged(Refusal):
    """``number`` is the version that is proposed now."""

    code = "AGREEMENT_CHANGED"
    en = "Other terms are proposed now: version {number}. Read them before you sign."
    zh = "协议条款已变更（当前提议版本 {number}），请重新阅读后再签署。"


class TemplateUnderAgreement(Refusal):
    code = "TEMPLATE_UNDER_AGREEMENT"
    en = "The coupon template {template} is under an agreement with a partner."
    zh = "券模板 {template} 已归属一份联盟协议。"


class MemberUnknown(Refusal):
    """Also the answer for a member that is frozen: a partner learns no more of others' members."""

    code = "MEMBER_UNKNOWN"
    en = "Nobody who can be given something has this token."
    zh = "没有可发放的会员与该令牌匹配。"


class IssueQuotaReached(Refusal):
    """``window``: DAY, WEEK, MONTH or ALL of the agreement."""

    code = "ISSUE_QUOTA_REACHED"
    en = "The agreement's quota is used up: {count_max} ({window})."
    zh = "协议约定的发放额度已用完（{window}：{count_max} 张）。"


class FundsTooLow(Refusal):
    """Of a partner that issues: ``left_fen`` of what it has paid in or of its credit."""

    code = "FUNDS_TOO_LOW"
    en = "The funds do not suffice: {needed_fen} fen are needed, {left_fen} are left."
    zh = "额度不足：需要 {needed_fen} 分，剩余 {left_fen} 分。"


class IssueListStateWrong(Refusal):
    code = "ISSUE_LIST_STATE_WRONG"
    en = "A list that is {status} cannot be cancelled."
    zh = "状态为{status}的发券名单不能取消。"


class WebhookDisabled(Refusal):
    code = "WEBHOOK_DISABLED"
    en = "This endpoint is disabled. Make it active first."
    zh = "该 Webhook 已停用，请先启用。"


class BudgetBelowSpent(Refusal):
    code = "BUDGET_BELOW_SPENT"
    en = "The {asset} budget cannot be less than the {committed} already committed."
    zh = "{asset} 预算不能低于已发放及锁定的 {committed}。"


class InsufficientBalance(Refusal):
    code = "INSUFFICIENT_BALANCE"
    en = "The balance is too low: {available} available, {wanted} wanted."
    zh = "余额不足:可用 {available},需要 {wanted}。"


class LockedRewardEnded(Refusal):
    """``status`` is UNLOCKED, VOIDED or LAPSED."""

    code = "LOCKED_REWARD_ENDED"
    en = "This reward is no longer locked: {status}."
    zh = "该奖励已不在待解锁状态（{status}）。"


class ScanNotReversible(Refusal):
    """``reason``: NOT_PAID, PRE_SCAN or ALREADY_REVERSED."""

    code = "SCAN_NOT_REVERSIBLE"
    en = "What this scan gave cannot be taken back ({reason})."
    zh = "该次扫码的奖励无法收回（{reason}）。"


class SameAccount(Refusal):
    code = "SAME_ACCOUNT"
    en = "A transfer needs two different members."
    zh = "转出方与转入方不能相同。"


class MemberClosed(Refusal):
    """Merged into another membership, which has everything now."""

    code = "MEMBER_CLOSED"
    en = "This membership was closed: another one has taken its place."
    zh = "该会员已注销（已合并至其他会员）。"


class RolesDiffer(Refusal):
    code = "ROLES_DIFFER"
    en = "A {role} and a {other} cannot become one member."
    zh = "角色不同（{role}、{other}）的会员不能合并。"


class BalanceHeld(Refusal):
    code = "BALANCE_HELD"
    en = "{held} {asset} of this member are held just now."
    zh = "该会员有 {held} {asset} 正被预占。"


class AssetRetired(Refusal):
    code = "ASSET_RETIRED"
    en = "{asset} is retired: no more of it is given out."
    zh = "{asset} 已停用，不再发放。"


class HoldStateWrong(Refusal):
    code = "HOLD_STATE_WRONG"
    en = "A hold that is {status} cannot be {wanted}."
    zh = "状态为{status}的预占不能变更为{wanted}。"


class AdjustmentStateWrong(Refusal):
    code = "ADJUSTMENT_STATE_WRONG"
    en = "An adjustment that is {status} cannot be {wanted}."
    zh = "状态为{status}的调账不能变更为{wanted}。"


class NettingOpen(Refusal):
    code = "NETTING_OPEN"
    en = "Two of these brands are in a netting run that has not ended."
    zh = "其中有品牌之间的轧差尚未结束。"


class NettingStateWrong(Refusal):
    code = "NETTING_STATE_WRONG"
    en = "A netting run that is {status} cannot be {wanted}."
    zh = "状态为{status}的轧差不能变更为{wanted}。"


class SecondOperatorNeeded(Refusal):
    code = "SECOND_OPERATOR_NEEDED"
    en = "Who proposed this cannot decide on it. Another operator has to."
    zh = "提交人不能审批自己的申请，需由另一位操作员处理。"


class TransferNotReversible(Refusal):
    """``reason``: KIND (what takes back or repays, and what a merge moved), VOIDED, LOCKED_REWARD,
    HELD, ORDER, RAFFLE, WITHHELD."""

    code = "TRANSFER_NOT_REVERSIBLE"
    en = "This transfer cannot be reversed ({reason})."
    zh = "该流水不能冲回（{reason}）。"


class ReversalTooLarge(Refusal):
    code = "REVERSAL_TOO_LARGE"
    en = "Of this transfer {left} may still be taken back: {wanted} wanted."
    zh = "该流水可冲回余额为 {left}，需要 {wanted}。"


class ReferenceConflict(Refusal):
    """``noun``: purchase or return. One reference, one content."""

    code = "REFERENCE_CONFLICT"
    en = "The {noun} reference {ref} was already used with other content."
    zh = "编号 {ref} 已用于内容不同的另一条记录（{noun}）。"


class ReturnTooLarge(Refusal):
    """``field`` is the amount or quantity that is above what earlier returns have left."""

    code = "RETURN_TOO_LARGE"
    en = "{field}: {left} of it is left to return, {wanted} wanted."
    zh = "{field}：剩余可退 {left}，申请退 {wanted}。"


class LadderLowersMembers(Refusal):
    """Editing a published ladder never silently lowers a holder."""

    code = "LADDER_LOWERS_MEMBERS"
    en = "This ladder would lower {members} members. Confirm with allowLowering, or change it."
    zh = "该等级方案会使 {members} 位会员降级,请确认(allowLowering)或修改方案。"


class LevelByInvitation(Refusal):
    """A level by invitation only is not granted, and nobody is invited to another."""

    code = "LEVEL_BY_INVITATION"
    en = "Members are either invited to the level {level} or granted it: this is not the way."
    zh = "等级“{level}”的授予方式不符（邀请制与普通等级须分别办理）。"


class CouponUnknown(Refusal):
    """Also for another brand's coupons, and for a clerk's typing error."""

    code = "COUPON_UNKNOWN"
    en = "This is not one of our coupons. Please check its number."
    zh = "未识别到该优惠券，请核对券码。"


class CouponTaken(Refusal):
    """``place``, ``till``, ``at`` (RFC 3339) and ``status`` say who has it and since when."""

    code = "COUPON_TAKEN"
    en = "This coupon is {status} at {place}, {till}, since {at}."
    zh = "该券已被占用或核销（{status}）：{place}，{till}，{at}。"


class CouponTakenElsewhere(Refusal):
    """As CouponTaken, at another brand's till: which, is that brand's affair."""

    code = "COUPON_TAKEN_ELSEWHERE"
    en = "This coupon is {status} at another brand's till, since {at}."
    zh = "该券已在其他品牌门店被占用或核销（{status}）：{at}。"


class CouponNotUsable(Refusal):
    """``reason``: NOT_YET, EXPIRED, VOID, PLACE, PRODUCT, SPEND_MIN, GIFT or KIND; HELD, REDEEMED
    or ORDERED of one that is to be declared void, or exchanged for its gift."""

    code = "COUPON_NOT_USABLE"
    en = "This coupon cannot be used here and now ({reason})."
    zh = "该券当前无法在此使用（{reason}）。"


class RedemptionStateWrong(Refusal):
    code = "REDEMPTION_STATE_WRONG"
    en = "A redemption that is {status} cannot be {wanted}."
    zh = "状态为{status}的核销单不能变更为{wanted}。"


class ReversalWindowOver(Refusal):
    code = "REVERSAL_WINDOW_OVER"
    en = "This redemption could be reversed until {until}."
    zh = "该核销单已超过撤销期限（{until}）。"


class NotForSale(Refusal):
    """No price, paused, or outside its dates."""

    code = "NOT_FOR_SALE"
    en = "This is not on offer now."
    zh = "该商品当前不可兑换。"


class RankTooLow(Refusal):
    code = "RANK_TOO_LOW"
    en = "This is for members from {level_min_en} up; your level is {level_en}."
    zh = "该商品仅限{level_min_zh}及以上等级兑换，您当前为{level_zh}。"


class NotOpen(Refusal):
    """Not yet, or not any more."""

    code = "NOT_OPEN"
    en = "This {noun} is not open now."
    zh = "当前未开放({noun})。"


class TooManyOpen(Refusal):
    """``noun``: survey, task, agreement, adjustment or issue list; those that have not ended."""

    code = "TOO_MANY_OPEN"
    en = "{limit} {noun}s have not ended yet. End one first."
    zh = "尚未结束的({noun})已达上限 {limit} 个，请先结束其中一个。"


class AlreadyAnswered(Refusal):
    code = "ALREADY_ANSWERED"
    en = "You have answered this survey already."
    zh = "您已填写过该问卷。"


class AlreadyReferred(Refusal):
    code = "ALREADY_REFERRED"
    en = "You have used another referral code already."
    zh = "您已使用过其他邀请码。"


class NotOpenYet(Refusal):
    """``opens_at``, RFC 3339 on the brand's clock: when it opens to this member."""

    code = "NOT_OPEN_YET"
    en = "This opens to you at {opens_at}."
    zh = "该商品将于{opens_at}对您开放兑换。"


class OutOfStock(Refusal):
    code = "OUT_OF_STOCK"
    en = "This is out of stock."
    zh = "该商品已兑完。"


class StockBelowTaken(Refusal):
    code = "STOCK_BELOW_TAKEN"
    en = "The stock cannot be less than the {taken} already taken."
    zh = "库存不能低于已兑出的{taken}件。"


class MemberLimitReached(Refusal):
    """Of the mall's offers also ``window``: ALL, DAY, MONTH or YEAR."""

    code = "MEMBER_LIMIT_REACHED"
    en = "Each member can have {times_max} of these."
    zh = "每位会员限兑{times_max}份。"


class OrderStateWrong(Refusal):
    code = "ORDER_STATE_WRONG"
    en = "An order that is {status} cannot be {wanted}."
    zh = "状态为{status}的兑换单不能变更为{wanted}。"


class RaffleNotOpen(Refusal):
    """``reason``: NOT_YET, OVER or CANCELLED. It takes entries from ``opens_at`` until
    ``closes_at``, RFC 3339 on the brand's clock."""

    code = "RAFFLE_NOT_OPEN"
    en = "This raffle takes no entries now ({reason}): it runs from {opens_at} to {closes_at}."
    zh = "该抽奖当前不可参与（{reason}），参与时间为{opens_at}至{closes_at}。"


class RaffleNotForMember(Refusal):
    code = "RAFFLE_NOT_FOR_MEMBER"
    en = "This raffle is for other members."
    zh = "您不符合该抽奖的参与条件。"


class RaffleEntriesUsedUp(Refusal):
    code = "RAFFLE_ENTRIES_USED_UP"
    en = "Each member can enter this raffle {entries_max} times."
    zh = "每位会员最多可参与该抽奖{entries_max}次。"


class RaffleStateWrong(Refusal):
    code = "RAFFLE_STATE_WRONG"
    en = "A raffle that is {status} cannot be {wanted}."
    zh = "状态为{status}的抽奖不能变更为{wanted}。"


class BirthdaySet(Refusal):
    """Gifts depend on it, so a member tells it once."""

    code = "BIRTHDAY_SET"
    en = "Your birthday is known already. Please contact the brand to change it."
    zh = "生日已登记，如需修改请联系品牌客服。"


class PrivilegeUsedUp(Refusal):
    code = "PRIVILEGE_USED_UP"
    en = "This privilege ({privilege}) has been used {times_max} times in this period."
    zh = "本期权益（{privilege}）的{times_max}次使用机会已用完。"


class PartnerKeyRevoked(Refusal):
    code = "PARTNER_KEY_REVOKED"
    en = "This key is revoked. Please make another one."
    zh = "该密钥已吊销，请另行创建。"


class PlaceClosed(Refusal):
    """The place is closed, its till revoked or its clerk has left."""

    code = "PLACE_CLOSED"
    en = "This place, till or clerk can no longer redeem coupons."
    zh = "该网点、收银台或店员已停用，无法核销。"


class RefreshTokenWrong(Refusal):
    """Unknown, used before, or of a session that has ended."""

    code = "REFRESH_TOKEN_WRONG"
    en = "This session has ended. Please sign in again."
    zh = "登录已失效，请重新登录。"


class WechatCodeWrong(Refusal):
    code = "WECHAT_CODE_WRONG"
    en = "WeChat did not accept this sign-in. Please try again."
    zh = "微信登录凭证无效，请重试。"


class WechatBlocked(Refusal):
    code = "WECHAT_BLOCKED"
    en = "WeChat has blocked this account from signing in."
    zh = "该微信账号存在风险，已被微信限制登录。"


class ProviderUnavailable(Refusal):
    """An outside service did not answer in time; the same request may be sent again."""

    code = "PROVIDER_UNAVAILABLE"
    en = "The service behind this ({provider}) is not answering. Please try again."
    zh = "外部服务（{provider}）暂时不可用，请稍后重试。"


def all_refusals() -> list[type[Refusal]]:
    """Every concrete refusal, for the docs and the tests that must cover each."""
    return sorted(Refusal.__subclasses__(), key=lambda refusal: refusal.code)
