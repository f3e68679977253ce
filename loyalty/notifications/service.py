"""Notifications in three steps, so that nothing is sent inside a transaction: prepare (snapshot),
send (provider), record (in the transaction that marks the fact delivered)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from loyalty.db import Snapshot, Tx
from loyalty.notifications import queries, rules
from loyalty.notifications.providers import Message

WELCOME = "WELCOME"
TIER_REACHED = "TIER_REACHED"
COUPON_ISSUED = "COUPON_ISSUED"
COUPON_REDEEMED = "COUPON_REDEEMED"
REWARD_UNLOCKED = "REWARD_UNLOCKED"


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


def welcome(to: Recipient) -> Message:
    """To a new member."""
    content = {"zh": f"欢迎加入{to.brand_name}!", "en": f"Welcome to {to.brand_name}!"}
    return Message(to.event_id, to.brand_id, to.member_id, WELCOME, content)


def tier_reached(to: Recipient, name_zh: str, name_en: str) -> Message:
    """To a member who has risen to the tier of this name."""
    content = {
        "zh": f"恭喜您成为{to.brand_name}{name_zh}!",
        "en": f"Congratulations! You are now {name_en} at {to.brand_name}.",
    }
    return Message(to.event_id, to.brand_id, to.member_id, TIER_REACHED, content)


def coupon_issued(to: Recipient, name_zh: str, name_en: str, *, bought: bool) -> Message:
    """To a member who has won a coupon, or bought it for points."""
    if bought:
        zh, en = f"您已兑换「{name_zh}」", f"You have bought a coupon: {name_en}"
    else:
        zh, en = f"恭喜您获得「{name_zh}」", f"You have won a coupon: {name_en}"
    content = {
        "zh": f"{zh}，到店出示券码即可使用。",
        "en": f"{en}. Show its number at the till to use it.",
    }
    return Message(to.event_id, to.brand_id, to.member_id, COUPON_ISSUED, content)


def coupon_redeemed(to: Recipient, name_zh: str, name_en: str, place_name: str) -> Message:
    """To a member whose coupon was used at a place."""
    content = {
        "zh": f"您的「{name_zh}」已在{place_name}使用。如非本人操作，请联系{to.brand_name}客服。",
        "en": f"Your coupon {name_en} was used at {place_name}. If it was not you, please contact"
        f" {to.brand_name}.",
    }
    return Message(to.event_id, to.brand_id, to.member_id, COUPON_REDEEMED, content)


def reward_unlocked(to: Recipient, asset: str, amount: int) -> Message:
    """To a member whose locked reward was paid; ``amount`` is in fen for CASH."""
    zh, en = rules.spoken_amount(asset, amount)
    content = {
        "zh": f"您在{to.brand_name}的{zh}已解锁到账。",
        "en": f"{en} you were waiting for at {to.brand_name} is now in your account.",
    }
    return Message(to.event_id, to.brand_id, to.member_id, REWARD_UNLOCKED, content)


async def record_all_sent(tx: Tx, messages: Sequence[Message], provider: str) -> None:
    """Record messages that a provider took, by one statement; those recorded before stay."""
    rows = sorted(
        (m.brand_id, m.id, m.member_id, m.kind, orjson.dumps(m.content).decode(), provider, tx.now)
        for m in messages
    )
    await tx.fetch(queries.INSERT_SENT, rows=rows)
