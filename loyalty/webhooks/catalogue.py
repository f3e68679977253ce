"""Pure: which facts are told outside, as what, in which words. Versions of a type are kept: what is
added is optional, what would change becomes the next version.

Nothing personal is told in clear: ids as the API has them, amounts, codes of configuration, and a
keyed hash of the item. The schemas in docs/webhooks/ are made from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty.ids import global_id

TEST_TYPE = "webhook.test"
SUBJECT = "@subject"

Schema = dict[str, Any]
Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One member of an event's data: ``kind`` is id:Type, text, int, bool, time or rewards.
    ``source`` is where the fact has it. What older facts do not say is null."""

    name: str
    kind: str
    source: str
    is_nullable: bool = False


@dataclass(frozen=True, slots=True)
class EventType:
    """What one kind of fact is told as."""

    name: str
    topic: str
    zh: str
    en: str
    data: tuple[Told, ...]
    version: int = 1


def _id(name: str, type_name: str, source: str | None = None, *, nullable: bool = False) -> Told:
    return Told(name, f"id:{type_name}", source or name, nullable)


def _plain(kind: str, *names: str, nullable: bool = False) -> tuple[Told, ...]:
    return tuple(Told(name, kind, name, nullable) for name in names)


_MEMBER = _id("member_id", "Member", SUBJECT)
_TIER = (
    *(_MEMBER, *_plain("text", "code"), *_plain("int", "from_rank", "to_rank")),
    *(*_plain("text", "reason", nullable=True), *_plain("time", "occurred_at", nullable=True)),
)
_SCAN = (
    *(_id("scan_id", "ScanEvent", SUBJECT), _id("product_id", "Product")),
    *_plain("bool", "first"),
    *(_id("member_id", "Member", nullable=True), *_plain("text", "role", "item")),
    *(_id("guide_member_id", "Member", nullable=True), *_plain("time", "occurred_at")),
)
_REDEMPTION = (
    *(_MEMBER, _id("coupon_id", "Coupon", nullable=True)),
    *(_id("template_id", "CouponTemplate"), _id("redemption_id", "Redemption", nullable=True)),
    _id("place_id", "Place"),
)
_ORDER = (_MEMBER, _id("order_id", "OfferOrder"), _id("offer_id", "MallOffer"))
_REWARD = (_MEMBER, *_plain("text", "asset"), *_plain("int", "amount"))
_PAYOUT = (
    _id("payout_id", "Payout", SUBJECT),
    _id("place_id", "Place"),
    *_plain("int", "amount_fen"),
)
_AGREEMENT = _id("agreement_id", "Agreement", SUBJECT)
_VERSION = (_AGREEMENT, *_plain("int", "number"), *_plain("text", "digest"))
_STATEMENT = (
    _id("statement_id", "ClearingStatement", SUBJECT),
    *_plain("text", "partner_slug"),
    *_plain("int", "number"),
)
_ADJUSTMENT = (
    _id("clearing_adjustment_id", "ClearingAdjustment", SUBJECT),
    *(*_plain("text", "partner_slug"), *_plain("bool", "by_partner"), *_plain("int", "owed_fen")),
)
_STEP = (_AGREEMENT, *_plain("bool", "by_partner"))

_NETTING = (
    _id("netting_run_id", "NettingRun", SUBJECT),
    *(*_plain("int", "net_fen"), *_plain("bool", "by_partner")),
)

EVENT_TYPES: tuple[EventType, ...] = (
    EventType(
        "member.enrolled",
        "member.enrolled",
        "会员注册",
        "Somebody became a member.",
        (_MEMBER, *_plain("text", "role")),
    ),
    EventType(
        "scan.paid",
        "scan.recorded",
        "扫码得奖",
        "A scan was paid.",
        (*_SCAN, *_plain("rewards", "rewards")),
    ),
    EventType(
        "scan.unpaid",
        "scan.recorded",
        "扫码未得奖",
        "A scan paid nothing.",
        (*_SCAN, *_plain("text", "unpaid_reason")),
    ),
    EventType(
        "reward.unlocked", "reward.unlocked", "锁定奖励解锁", "A locked reward was paid.", _REWARD
    ),
    EventType("reward.lapsed", "reward.lapsed", "锁定奖励失效", "A locked reward lapsed.", _REWARD),
    EventType("tier.reached", "tier.reached", "会员升级", "A member rose to a level.", _TIER),
    EventType("tier.lowered", "tier.lowered", "会员降级", "A member holds a lower level.", _TIER),
    EventType(
        "coupon.issued",
        "coupon.issued",
        "发券",
        "A member has a coupon.",
        (
            _MEMBER,
            _id("coupon_id", "Coupon"),
            _id("template_id", "CouponTemplate"),
            *_plain("text", "cause"),
        ),
    ),
    EventType("coupon.redeemed", "coupon.redeemed", "核销", "A coupon was used.", _REDEMPTION),
    EventType(
        "coupon.reversed", "coupon.reversed", "撤销核销", "A use was taken back.", _REDEMPTION
    ),
    EventType(
        "purchase.recorded",
        "purchase.recorded",
        "消费",
        "A purchase was recorded.",
        (
            _MEMBER,
            _id("purchase_id", "Purchase"),
            *_plain("text", "source"),
            *_plain("int", "quantity", "amount_fen", "points_granted"),
        ),
    ),
    EventType(
        "purchase.returned",
        "purchase.returned",
        "退货",
        "Something was given back.",
        (_MEMBER, _id("purchase_id", "Purchase"), *_plain("int", "amount_fen", "left_fen")),
    ),
    EventType(
        "offer.redeemed",
        "offer.redeemed",
        "积分兑换",
        "A member took an offer of the mall.",
        (*_ORDER, *_plain("int", "quantity"), *_plain("text", "kind")),
    ),
    EventType("order.fulfilled", "order.fulfilled", "礼品发放", "A gift was handed out.", _ORDER),
    EventType("order.cancelled", "order.cancelled", "兑换取消", "An order was cancelled.", _ORDER),
    EventType(
        "raffle.won",
        "raffle.won",
        "抽奖中奖",
        "A member won a prize of a raffle.",
        (_MEMBER, _id("raffle_id", "Raffle"), *_plain("int", "prize_no")),
    ),
    EventType("payout.paid", "payout.paid", "付款成功", "A store was paid.", _PAYOUT),
    EventType("payout.failed", "payout.failed", "付款失败", "A payout failed for good.", _PAYOUT),
    EventType(
        "agreement.proposed",
        "agreement.proposed",
        "协议提议",
        "Terms were proposed.",
        (*_VERSION, *_plain("bool", "by_partner")),
    ),
    EventType(
        "agreement.signed",
        "agreement.signed",
        "协议签署",
        "One side has signed terms; with the second one's signature they are in force.",
        (*_VERSION, *_plain("bool", "by_partner", "in_force")),
    ),
    EventType(
        "agreement.paused",
        "agreement.paused",
        "协议暂停",
        "One side has paused an agreement.",
        (*_STEP, *_plain("text", "reason")),
    ),
    EventType(
        "agreement.resumed",
        "agreement.resumed",
        "协议恢复",
        "A side has ended its pause; issuing goes on once neither pauses it.",
        (*_STEP, *_plain("bool", "active")),
    ),
    EventType(
        "agreement.ended",
        "agreement.ended",
        "协议终止",
        "One side has ended an agreement, for good.",
        (*_STEP, *_plain("text", "reason")),
    ),
    EventType(
        "funds.low",
        "funds.low",
        "预付余额不足",
        "Less is left for issuing coupons than a partner's agreement warns of.",
        (*_plain("bool", "by_partner"), *_plain("int", "left_fen")),
    ),
    *(
        EventType(name, name, zh, en, _NETTING)
        for name, zh, en in (
            ("netting.proposed", "轧差提议", "A netting run wants the brand's approval."),
            ("netting.posted", "轧差过账", "All brands have approved a netting run: it is posted."),
            ("netting.declined", "轧差拒绝", "A brand of a netting run has declined it."),
            ("netting.withdrawn", "轧差撤回", "Who proposed a netting run has taken it back."),
        )
    ),
    EventType(
        "statement.drawn",
        "statement.drawn",
        "对账单生成",
        "A period with a partner is over.",
        (
            *(*_STATEMENT, *_plain("time", "starts_at", "ends_at")),
            *_plain("int", "opening_fen", "closing_fen", "entry_count"),
        ),
    ),
    EventType(
        "statement.confirmed",
        "statement.confirmed",
        "对账单确认",
        "One side has confirmed a statement; frozen once both have.",
        (*_STATEMENT, *_plain("bool", "by_partner", "frozen"), *_plain("int", "closing_fen")),
    ),
    EventType(
        "adjustment.proposed",
        "adjustment.proposed",
        "调整提议",
        "One side wants something to be put right.",
        _ADJUSTMENT,
    ),
    EventType(
        "adjustment.decided",
        "adjustment.decided",
        "调整处理",
        "An adjustment was accepted, declined or taken back.",
        (*_ADJUSTMENT, *_plain("text", "status"), _id("entry_id", "ClearingEntry", nullable=True)),
    ),
    EventType(
        "payment.recorded",
        "payment.recorded",
        "收付款登记",
        "Who received money from a partner has recorded it.",
        (
            *(_id("entry_id", "ClearingEntry", SUBJECT), *_plain("text", "partner_slug")),
            *(*_plain("bool", "by_partner"), *_plain("int", "owed_fen")),
        ),
    ),
    EventType(
        "issue_list.done",
        "issue_list.done",
        "名单发券完成",
        "All rows of a list of coupons to be issued have a result.",
        (_id("list_id", "IssueList", SUBJECT), *_plain("int", "rows", "issued")),
    ),
    EventType(
        TEST_TYPE,
        TEST_TYPE,
        "测试",
        "Sent by hand, to try an endpoint.",
        (_id("endpoint_id", "WebhookEndpoint", SUBJECT),),
    ),
)

TYPE_BY_NAME: Mapping[str, EventType] = {each.name: each for each in EVENT_TYPES}
WANTED_NAMES = frozenset(TYPE_BY_NAME) - {TEST_TYPE}
"""What an endpoint may ask for; the test is sent by hand."""
_NAME_BY_TOPIC: Mapping[str, str] = {
    each.topic: each.name for each in EVENT_TYPES if each.topic == each.name
}
PUBLIC_TOPICS = frozenset(each.topic for each in EVENT_TYPES) - {TEST_TYPE}


def type_of(topic: str, payload: Payload) -> str | None:
    """What a fact is told as; None for what stays inside. Never raises: it is asked of whatever
    the outbox holds."""
    if topic == "scan.recorded":
        return "scan.paid" if payload.get("paid") else "scan.unpaid"
    return _NAME_BY_TOPIC.get(topic) if topic in PUBLIC_TOPICS else None


def body_of(
    event_type: str, event_id: UUID, subject_id: UUID, at: datetime, payload: Payload
) -> dict[str, Any]:
    """What is sent: {id, type, version, timestamp, data}. KeyError, ValueError or TypeError when
    the fact does not say what its type tells of."""
    described = TYPE_BY_NAME[event_type]
    return {
        "id": str(event_id),
        "type": event_type,
        "version": described.version,
        "timestamp": at.isoformat(),
        "data": {
            told.name: _value(told, {SUBJECT: subject_id.hex, **payload}) for told in described.data
        },
    }


def _value(told: Told, payload: Payload) -> Any:
    value = payload.get(told.source) if told.is_nullable else payload[told.source]
    if value is None:
        if not told.is_nullable:
            raise ValueError(f"{told.name} is missing")
        return None
    if told.kind == "rewards":
        return [_reward(each) for each in value]
    if told.kind.startswith("id:"):
        return global_id(told.kind[3:], UUID(hex=str(value)))
    if told.kind == "int":
        return int(value)
    return value if told.kind == "bool" else str(value)


def _reward(reward: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "member_id": global_id("Member", UUID(hex=str(reward["member_id"]))),
        "asset": str(reward["asset"]),
        "amount": int(reward["amount"]),
        "locked": bool(reward["locked"]),
    }


# --- schemas -----------------------------------------------------------------------------------

_ID: Schema = {"type": "string", "contentEncoding": "base64"}
_KINDS: Mapping[str, Schema] = {
    "text": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "rewards": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "member_id": _ID,
                "asset": {"type": "string"},
                "amount": {"type": "integer"},
                "locked": {"type": "boolean"},
            },
            "required": ["member_id", "asset", "amount", "locked"],
        },
    },
}


def schema_of(described: EventType) -> Schema:
    """The JSON Schema of a type's body. Receivers pass over members that they do not know."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{described.name} v{described.version}",
        "description": f"{described.en} {described.zh}.",
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "type": {"const": described.name},
            "version": {"const": described.version},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {
                "type": "object",
                "properties": {told.name: _schema(told) for told in described.data},
                "required": [told.name for told in described.data],
            },
        },
        "required": ["id", "type", "version", "timestamp", "data"],
    }


def _schema(told: Told) -> Schema:
    if told.kind.startswith("id:"):
        schema = {**_ID, "description": f"The id of a {told.kind[3:]}, as the API has it."}
    else:
        schema = dict(_KINDS[told.kind])
    if told.is_nullable:
        schema["type"] = [schema["type"], "null"]
    return schema
