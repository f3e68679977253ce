"""Pure: a campaign's rules in words, as a lawful promotion publishes them (活动规则): when, for
what, what is given to whom, every prize with its number and its odds, and what limits it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.actor import MemberRole
from loyalty.ledger.models import Asset
from rewards.campaigns.caps import limiting
from rewards.campaigns.models import CapSubject, CapWindow, EventKind, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import LiveCampaign, Outcome
from rewards.draws.models import Curve
from rewards.draws.rules import LiveDraw
from rewards.draws.terms import PPM, AmountAward, CouponAward, Entry, Prize, Stage

FEN = 100


@dataclass(frozen=True, slots=True)
class Said:
    """One and the same in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Names:
    """What a brand calls its assets, by code, and what else a campaign names."""

    timezone: str
    assets: Mapping[str, Said]
    coupons: Mapping[UUID, Said]
    products: Mapping[UUID, Said]
    regions: Mapping[str, Said] = field(default_factory=dict)


def is_public(campaign: LiveCampaign, asker: MemberRole = MemberRole.CONSUMER) -> bool:
    """Whether it promises consumers anything, or lets who asks in this role draw: whatever else the
    channel is paid is nobody else's to know."""
    return campaign.pays(MemberRole.CONSUMER) or campaign.draws(asker)


def shows_draw(campaign: LiveCampaign, asker: MemberRole = MemberRole.CONSUMER) -> bool:
    """Whether its draw is a consumer's, or of who asks in this role."""
    return campaign.draws(MemberRole.CONSUMER) or campaign.draws(asker)


def rules_page(
    campaign: LiveCampaign, names: Names, asker: MemberRole = MemberRole.CONSUMER
) -> list[Said]:
    """The lines of the page for who asks in this role, in their order."""
    drawn = _drawn(campaign, names) if shows_draw(campaign, asker) else ()
    parts = (_frame(campaign, names), _gifts(campaign, names), drawn)
    return [line for part in (*parts, _caps(campaign)) for line in part]


_EVENTS = {
    EventKind.SCAN: Said("扫码", "a scan"),
    EventKind.PURCHASE: Said("购买", "a purchase"),
    EventKind.SIGN_UP: Said("入会", "joining"),
    EventKind.PROFILE_COMPLETED: Said("完善资料", "completing the profile"),
    EventKind.CHECK_IN: Said("签到", "a check-in"),
    EventKind.BIRTHDAY: Said("生日", "the birthday"),
    EventKind.TIER_REACHED: Said("升级", "reaching a level"),
    EventKind.ACTION: Said("完成指定动作", "a named action"),
    EventKind.FOLLOWED: Said("关注公众号", "following the account"),
    EventKind.TASK_COMPLETED: Said("完成任务", "completing a task"),
    EventKind.SURVEY_ANSWERED: Said("答完问卷", "answering a survey"),
    EventKind.REFERRAL: Said("推荐新会员", "referring a new member"),
    EventKind.CUSTOM: Said("指定事件", "a named event"),
}
_SUBJECTS = {
    CapSubject.ALL: Said("全部会员合计", "all members together"),
    CapSubject.MEMBER: Said("每位会员", "each member"),
    CapSubject.DEVICE: Said("每台设备", "each device"),
}
_WINDOWS = {
    CapWindow.DAY: Said("每天", "a day"),
    CapWindow.CAMPAIGN: Said("活动期间", "in the whole campaign"),
}
_CURVES = {
    Curve.LINEAR: Said("匀速", "evenly"),
    Curve.EASE_IN: Said("先慢后快", "late"),
    Curve.EASE_OUT: Said("先快后慢", "early"),
}
_LOCKS = {
    UnlockKind.INNER_SCAN: Said("扫同一瓶的瓶内码后到账", "opened by the same item's inner code"),
    UnlockKind.NEXT_SCAN: Said("下次扫码后到账", "opened by the next scans"),
    UnlockKind.ACTION: Said("完成指定动作后到账", "opened by a named action"),
    UnlockKind.AFTER: Said("一段时间后到账", "paid after a while"),
    UnlockKind.ON: Said("指定日期到账", "paid on a named day"),
    UnlockKind.BOX_BOTTLES: Said(
        "同箱扫满指定瓶数后到账", "opened once so many bottles of the box are scanned"
    ),
}


def _frame(campaign: LiveCampaign, names: Names) -> Iterator[Said]:
    begin, end = (_instant(at, names.timezone) for at in (campaign.starts_at, campaign.ends_at))
    until = f"至{end}止" if end else "长期有效"
    yield Said(
        f"活动时间：{begin or '即日'}起，{until}（{names.timezone}）。",
        f"When: from {begin or 'now'}{f' until {end}' if end else ' on'} ({names.timezone}).",
    )
    event = _EVENTS[campaign.event]
    product = names.products[campaign.product_id] if campaign.product_id else None
    yield Said(
        f"参与方式：{event.zh}{f'（{product.zh}）' if product else ''}。",
        f"For: {event.en}{f' of {product.en}' if product else ''}.",
    )
    if campaign.regions:
        where = [names.regions[code] for code in campaign.regions]
        yield Said(
            f"活动区域：{'、'.join(place.zh for place in where)}（以扫码时的定位为准）。",
            f"Where: {', '.join(place.en for place in where)} (as the scan is located).",
        )
    if campaign.condition is not None:
        text = " ".join(campaign.condition.text.split())
        yield Said(f"参与条件：{text}", f"On condition: {text}")


def _instant(at: datetime | None, timezone: str) -> str:
    return "" if at is None else at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")


def _gifts(campaign: LiveCampaign, names: Names) -> Iterator[Said]:
    """What consumers get; what the channel earns is between the brand and its channel."""
    for outcome in campaign.outcomes_for(MemberRole.CONSUMER):
        what = _outcome(outcome, names)
        lock = None if outcome.lock is None else _LOCKS[outcome.lock.kind]
        yield Said(
            f"消费者得{what.zh}{f'（{lock.zh}）' if lock else ''}。",
            f"The consumer gets {what.en}{f', {lock.en}' if lock else ''}.",
        )
    for given in campaign.coupons_for(MemberRole.CONSUMER):
        coupon = names.coupons[given.template_id]
        lock = None if given.lock is None else _LOCKS[given.lock.kind]
        yield Said(
            f"消费者得{coupon.zh}1张{f'（{lock.zh}）' if lock else ''}。",
            f"The consumer gets a coupon: {coupon.en}{f', {lock.en}' if lock else ''}.",
        )


def _outcome(outcome: Outcome, names: Names) -> Said:
    each = _amount(outcome.asset, outcome.amount, names)
    match outcome.basis:
        case OutcomeBasis.PER_CURRENCY_UNIT:
            return Said(f"每消费1元{each.zh}", f"{each.en} for each whole unit of currency")
        case OutcomeBasis.PER_UNIT:
            return Said(f"每件{each.zh}", f"{each.en} for each item")
        case OutcomeBasis.PERCENT_OF_MAIN:
            asset = names.assets[outcome.asset]
            return Said(f"基础{asset.zh}的{outcome.amount}%", f"{outcome.amount} % more {asset.en}")
        case OutcomeBasis.TABLE:
            steps = [
                (_money(step.from_fen), _amount(outcome.asset, step.amount, names))
                for step in outcome.steps
            ]
            return Said(
                "；".join(f"满{at}元{what.zh}" for at, what in steps),
                "; ".join(f"{what.en} from {at} on" for at, what in steps),
            )
        case _:
            return each


def _money(fen: int) -> str:
    return f"{fen / FEN:.2f}".rstrip("0").rstrip(".")


def _amount(asset: str, amount: int, names: Names) -> Said:
    if asset == Asset.CASH:
        return Said(f"{amount / FEN:.2f}元红包", f"a packet of {amount / FEN:.2f}")
    name = names.assets[asset]
    return Said(f"{amount}{name.zh}", f"{amount} {name.en}")


# --- the draw ----------------------------------------------------------------------------------


def _drawn(campaign: LiveCampaign, names: Names) -> Iterator[Said]:
    draw = campaign.draw
    if draw is None:
        return
    lock = None if draw.terms.lock is None else _LOCKS[draw.terms.lock.kind]
    for prize in draw.terms.prizes:
        yield _prize(prize, names)
    if lock is not None:
        yield Said(f"中得的奖品{lock.zh}。", f"What is won is {lock.en}.")
    for number, (stage, window) in enumerate(zip(draw.terms.stages, draw.windows, strict=True), 1):
        yield from _stage(number, stage, window[0], draw, names)
    if draw.terms.guarantee is not None:
        prize, nth = draw.prizes[draw.terms.guarantee.prize], draw.terms.guarantee.draw_no
        yield Said(
            f"保底：第{nth}次抽奖必得{prize.name_zh}。",
            f"Draw {nth} of a member wins {prize.name_en} for certain.",
        )
    consolation = draw.prizes[draw.terms.consolation]
    yield Said(
        f"奖品发完即止，改发{consolation.name_zh}，其他奖品的中奖概率不变。",
        f"Who draws a prize that has run out gets {consolation.name_en};"
        " nobody's odds change by that.",
    )


def _prize(prize: Prize, names: Names) -> Said:
    worth = None
    if isinstance(prize.award, AmountAward):
        worth = _amount(prize.award.asset, prize.award.amount, names)
    elif isinstance(prize.award, CouponAward):
        worth = names.coupons[prize.award.template_id]
    zh = f"奖品：{prize.name_zh}{f'（{worth.zh}）' if worth else ''}"
    en = f"Prize: {prize.name_en}{f' ({worth.en})' if worth else ''}"
    if prize.stock is not None:
        zh, en = f"{zh}，共{prize.stock}份", f"{en}, {prize.stock} in all"
    if prize.quota_per_day is not None:
        zh, en = f"{zh}，每天{prize.quota_per_day}份", f"{en}, {prize.quota_per_day} a day"
    return Said(f"{zh}。", f"{en}.")


def _stage(
    number: int, stage: Stage, begins: datetime | None, draw: LiveDraw, names: Names
) -> Iterator[Said]:
    begin, moves = _instant(begins, names.timezone), stage.odds_from_ppm != stage.odds_to_ppm
    odds, last = _percent(stage.odds_from_ppm), _percent(stage.odds_to_ppm)
    curve = _CURVES[stage.curve]
    yield Said(
        f"第{number}阶段{f'（{begin}起）' if begin else ''}：中奖概率{odds}"
        f"{f'，{curve.zh}变为{last}' if moves else ''}。",
        f"Stage {number}{f', from {begin}' if begin else ''}: {odds} of draws win"
        f"{f', going {curve.en} to {last}' if moves else ''}.",
    )
    weights = sum(entry.weight for entry in stage.entries)
    for entry in stage.entries:
        yield _entry(entry, weights, draw, names)
    if stage.takes_bonuses:
        for bonus in draw.terms.bonuses:
            text, more = " ".join(bonus.condition.split()), _percent(bonus.ppm)
            yield Said(f"　符合 {text} 时概率加{more}。", f"  {more} more where {text}.")
    for asset, allowed in stage.budgets:
        most = _amount(asset, allowed, names)
        pace = None if stage.budget_curve is None else _CURVES[stage.budget_curve]
        yield Said(
            f"　本阶段最多发放{most.zh}{f'，{pace.zh}放出' if pace else ''}。",
            f"  This stage gives at most {most.en} in all"
            f"{f', released {pace.en}' if pace else ''}.",
        )


def _entry(entry: Entry, weights: int, draw: LiveDraw, names: Names) -> Said:
    prize, share = draw.prizes[entry.prize], _percent(entry.weight * PPM // weights)
    zh, en = f"　中奖者中{share}得{prize.name_zh}", f"  {share} of them {prize.name_en}"
    if entry.amount_from is not None and isinstance(prize.award, AmountAward):
        amounts = [entry.amount_from]
        if entry.amount_to not in (None, entry.amount_from):
            amounts.append(entry.amount_to or 0)
        said = [_amount(prize.award.asset, amount, names) for amount in amounts]
        zh = f"{zh}（{'至'.join(each.zh for each in said)}）"
        en = f"{en} ({' to '.join(each.en for each in said)})"
    return Said(f"{zh}。", f"{en}.")


def _percent(ppm: int) -> str:
    return f"{ppm / (PPM // 100):.4f}".rstrip("0").rstrip(".") + "%"


def _caps(campaign: LiveCampaign) -> Iterator[Said]:
    for cap in limiting(campaign.caps):
        if cap.subject not in _SUBJECTS:
            continue  # limits the channel
        subject, window = _SUBJECTS[cap.subject], _WINDOWS[cap.window]
        yield Said(
            f"{subject.zh}{window.zh}最多{cap.times_max}次。",
            f"At most {cap.times_max} times {window.en} for {subject.en}.",
        )
