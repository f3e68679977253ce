"""Notifications in three steps, so that nothing is sent inside a transaction: prepare (snapshot),
send (provider), record (in the transaction that marks the fact delivered)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from loyalty.db import Snapshot, Tx
from loyalty.notifications import queries
from loyalty.notifications.providers import Message

WELCOME = "WELCOME"
TIER_REACHED = "TIER_REACHED"
TIER_LOWERED = "TIER_LOWERED"
COUPON_ISSUED = "COUPON_ISSUED"
COUPON_REDEEMED = "COUPON_REDEEMED"
REWARD_UNLOCKED = "REWARD_UNLOCKED"
REWARD_LAPSED = "REWARD_LAPSED"
OFFER_REDEEMED = "OFFER_REDEEMED"
ORDER_FULFILLED = "ORDER_FULFILLED"
ORDER_CANCELLED = "ORDER_CANCELLED"
PURCHASE_REWARDED = "PURCHASE_REWARDED"
PURCHASE_RETURNED = "PURCHASE_RETURNED"
RAFFLE_WON = "RAFFLE_WON"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a fact is told to. ``event_id`` is the fact's; ``is_told``: its message is recorded."""

    brand_id: UUID
    event_id: UUID
    member_id: UUID
    role: str
    brand_name: str
    is_told: bool


async def find_recipients(
    snapshot: Snapshot, facts: Iterable[tuple[UUID, UUID, UUID]]
) -> dict[UUID, Recipient]:
    """By event id, for (brand_id, event_id, member_id); unknown members are left out."""
    rows = await snapshot.fetch(queries.FIND_RECIPIENTS, facts=sorted(facts))
    return {
        event_id: Recipient(brand_id, event_id, member_id, role, name, told_id is not None)
        for brand_id, event_id, member_id, role, name, told_id in rows
    }


def _message(to: Recipient, kind: str, *, zh: str, en: str) -> Message:
    return Message(to.event_id, to.brand_id, to.member_id, kind, {"zh": zh, "en": en})


def welcome(to: Recipient) -> Message:
    """To a new member."""
    return _message(to, WELCOME, zh=f"欢迎加入{to.brand_name}!", en=f"Welcome to {to.brand_name}!")


def tier_reached(to: Recipient, name_zh: str, name_en: str) -> Message:
    """To a member who has risen to the tier of this name."""
    return _message(
        to,
        TIER_REACHED,
        zh=f"恭喜您成为{to.brand_name}{name_zh}!",
        en=f"Congratulations! You are now {name_en} at {to.brand_name}.",
    )


def tier_lowered(to: Recipient, name_zh: str, name_en: str) -> Message:
    """To a member who holds the tier of this name now, and held a higher one."""
    return _message(
        to,
        TIER_LOWERED,
        zh=f"您在{to.brand_name}的会员等级现为{name_zh}。",
        en=f"Your tier at {to.brand_name} is {name_en} now.",
    )


def coupon_issued(to: Recipient, name_zh: str, name_en: str, *, bought: bool) -> Message:
    """To a member who has won a coupon, or bought it for points."""
    if bought:
        zh, en = f"您已兑换「{name_zh}」", f"You have bought a coupon: {name_en}"
    else:
        zh, en = f"恭喜您获得「{name_zh}」", f"You have won a coupon: {name_en}"
    return _message(
        to,
        COUPON_ISSUED,
        zh=f"{zh}，到店出示券码即可使用。",
        en=f"{en}. Show its number at the till to use it.",
    )


def coupon_redeemed(to: Recipient, name_zh: str, name_en: str, place_name: str) -> Message:
    """To a member whose coupon was used at a place."""
    return _message(
        to,
        COUPON_REDEEMED,
        zh=f"您的「{name_zh}」已在{place_name}使用。如非本人操作，请联系{to.brand_name}客服。",
        en=f"Your coupon {name_en} was used at {place_name}. If it was not you, please contact"
        f" {to.brand_name}.",
    )


def reward_unlocked(to: Recipient, spoken: tuple[str, str]) -> Message:
    """To a member whose locked reward was paid; ``spoken`` as ``spoken_amount`` says it."""
    zh, en = spoken
    return _message(
        to,
        REWARD_UNLOCKED,
        zh=f"您在{to.brand_name}的{zh}已解锁到账。",
        en=f"{en} you were waiting for at {to.brand_name} is now in your account.",
    )


def reward_lapsed(to: Recipient, spoken: tuple[str, str]) -> Message:
    """To a member whose locked reward waited for too long."""
    zh, en = spoken
    return _message(
        to,
        REWARD_LAPSED,
        zh=f"您在{to.brand_name}的{zh}未在期限内解锁，已失效。",
        en=f"{en} at {to.brand_name} was not unlocked in time and has lapsed.",
    )


def purchase_rewarded(to: Recipient, points: int) -> Message:
    """To a member whose purchase has earned points."""
    return _message(
        to,
        PURCHASE_REWARDED,
        zh=f"您在{to.brand_name}的消费获得{points}积分。",
        en=f"Your purchase at {to.brand_name} has earned you {points} points.",
    )


def purchase_returned(to: Recipient, taken: int, owed: int) -> Message:
    """To a member who gave something back: points that were taken, and that later ones repay."""
    repaid_zh = f"，另有{owed}积分将从以后获得的积分中抵扣" if owed else ""
    repaid_en = f" Later points will repay {owed} more." if owed else ""
    return _message(
        to,
        PURCHASE_RETURNED,
        zh=f"您在{to.brand_name}的退货已处理，扣回{taken}积分{repaid_zh}。",
        en=f"Your return at {to.brand_name} has taken back {taken} points.{repaid_en}",
    )


def offer_redeemed(
    to: Recipient, name_zh: str, name_en: str, *, quantity: int, waits: bool
) -> Message:
    """To a member who has taken pieces of an offer of the mall; ``waits``: a gift, to come."""
    count_zh, count_en = (f"{quantity}份", f"{quantity} x ") if quantity > 1 else ("", "")
    return _message(
        to,
        OFFER_REDEEMED,
        zh=f"您已在{to.brand_name}兑换{count_zh}「{name_zh}」"
        + ("，我们会尽快为您发放。" if waits else "，已发放到您的账户。"),
        en=f"You have redeemed {count_en}{name_en} at {to.brand_name}. "
        + ("We will get it to you soon." if waits else "It is in your account."),
    )


def order_fulfilled(
    to: Recipient, name_zh: str, name_en: str, carrier: str | None, tracking_number: str | None
) -> Message:
    """To a member whose gift was handed out, or sent by a carrier."""
    by = " ".join(part for part in (carrier, tracking_number) if part)
    return _message(
        to,
        ORDER_FULFILLED,
        zh=f"您在{to.brand_name}兑换的「{name_zh}」已发放{f'（{by}）' if by else ''}。",
        en=f"{name_en} from {to.brand_name} has been handed out{f' ({by})' if by else ''}.",
    )


def order_cancelled(to: Recipient, name_zh: str, name_en: str, reason: str) -> Message:
    """To a member whose order was cancelled, and what it paid given back."""
    return _message(
        to,
        ORDER_CANCELLED,
        zh=f"您在{to.brand_name}兑换的「{name_zh}」已取消（{reason}），所付已退回您的账户。",
        en=f"Your order of {name_en} at {to.brand_name} was cancelled ({reason}). What you paid"
        " is back in your account.",
    )


def raffle_won(
    to: Recipient,
    raffle: tuple[str, str],
    prize: tuple[str, str],
    coupon: tuple[str, str] | None = None,
    instead: tuple[str, str] | None = None,
) -> Message:
    """To a member who has won a prize of a raffle; the names in zh and en: of both, of the coupon
    that the prize is, and (as ``spoken_amount`` says it) of what there was in its place."""
    zh, en = "奖品已发放到您的账户。", "It is in your account."
    if coupon is not None:
        zh = f"「{coupon[0]}」已放入您的券包。"
        en = f"The coupon {coupon[1]} is among your coupons."
    if coupon is not None and instead is not None:
        zh = f"「{coupon[0]}」已无券可发，{instead[0]}已发放到您的账户。"
        en = f"There was no coupon {coupon[1]} left. {instead[1]} is in your account instead."
    return _message(
        to,
        RAFFLE_WON,
        zh=f"恭喜您在{to.brand_name}「{raffle[0]}」中抽中「{prize[0]}」，{zh}",
        en=f"Congratulations! You have won {prize[1]} in {raffle[1]} at {to.brand_name}. {en}",
    )


async def record_all_sent(tx: Tx, messages: Sequence[Message], provider: str) -> None:
    """Record messages that a provider took, by one statement; those recorded before stay."""
    rows = sorted(
        (m.brand_id, m.id, m.member_id, m.kind, orjson.dumps(m.content).decode(), provider, tx.now)
        for m in messages
    )
    await tx.fetch(queries.INSERT_SENT, rows=rows)
