"""Entries of members' accounts (流水): what each is called, and what caused it."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import strawberry

from graphql_schema.acting import is_own
from graphql_schema.context import Context, Info
from graphql_schema.coupons import coupon_loader
from graphql_schema.event_types import event_loader
from graphql_schema.loaders import MakeLoader, row_loader
from graphql_schema.nodes import id_field
from graphql_schema.offers import offer_loader
from graphql_schema.orders import order_loader
from graphql_schema.pagination import Cursor, encode_id
from graphql_schema.purchase_types import purchase_loader
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Grant
from loyalty.db import Snapshot
from loyalty.keyed import list_rows_by_ids
from loyalty.ledger.models import TransferKind, TransferPhase
from loyalty.ledger.queries import EntryRow
from rewards.campaigns.models import EventKind
from rewards.grants.models import LockedReward
from tiers.privileges.rules import PrivilegeKind

ENTRY_CURSOR = Cursor(UUID)

Words = tuple[str, str]
"""In Chinese and in English."""


# --- what it is called -------------------------------------------------------------------------

_KINDS: dict[TransferKind, Words] = {
    TransferKind.EARN: ("奖励发放", "Reward"),
    TransferKind.ADJUST: ("余额调整", "Adjustment"),
    TransferKind.MOVE: ("余额转移", "Transfer"),
    TransferKind.SPEND: ("消费", "Spent"),
    TransferKind.EXPIRE: ("到期失效", "Expired"),
    TransferKind.REVERSE: ("冲正", "Correction"),
    TransferKind.OWE: ("记为欠额", "Owed from now on"),
    TransferKind.REPAY: ("抵扣欠额", "Paid off what was owed"),
    TransferKind.REBATE: ("返利", "Rebate"),
    TransferKind.PAYOUT: ("打款", "Payout"),
    TransferKind.WITHHOLD: ("代扣个税", "Tax withheld"),
    TransferKind.CLEAR: ("联盟往来", "Owed between partners"),
}

_CAUSES: dict[tuple[str, TransferKind], Words] = {
    ("SCAN", TransferKind.EARN): ("扫码奖励", "Scan reward"),
    ("PURCHASE", TransferKind.EARN): ("消费奖励", "Purchase reward"),
    ("EVENT", TransferKind.EARN): ("活动奖励", "Reward for an activity"),
    ("ORDER", TransferKind.SPEND): ("商城兑换", "Redeemed"),
    ("ORDER", TransferKind.EARN): ("商城兑换所得", "From the points mall"),
    ("RAFFLE_ENTRY", TransferKind.SPEND): ("参与抽奖", "Raffle entry"),
    ("RAFFLE_ENTRY", TransferKind.REVERSE): ("抽奖取消退还", "Given back, raffle cancelled"),
    ("RAFFLE_PRIZE", TransferKind.EARN): ("抽奖中奖", "Won in a raffle"),
    ("ORDER", TransferKind.REVERSE): ("兑换取消退还", "Given back, order cancelled"),
    ("OFFER", TransferKind.SPEND): ("兑换优惠券", "Coupon bought"),
    ("PURCHASE_RETURN", TransferKind.REVERSE): ("退货扣回", "Taken back for a return"),
    ("SCAN_REVERSAL", TransferKind.REVERSE): ("扫码奖励收回", "Scan reward taken back"),
    ("MERGE", TransferKind.MOVE): ("会员合并", "Memberships merged"),
}
"""What a kind is called where its cause says more."""

_GIFTS: dict[str, Words] = {
    PrivilegeKind.LEVEL_GIFT: ("升级礼", "Level gift"),
    PrivilegeKind.BIRTHDAY_GIFT: ("生日礼", "Birthday gift"),
    PrivilegeKind.ANNIVERSARY_GIFT: ("周年礼", "Anniversary gift"),
}
"""By the reason of a GIFT."""

_EVENTS: dict[str, Words] = {
    EventKind.SIGN_UP: ("注册奖励", "For signing up"),
    EventKind.PROFILE_COMPLETED: ("完善资料奖励", "For completing the profile"),
    EventKind.CHECK_IN: ("签到奖励", "For checking in"),
    EventKind.BIRTHDAY: ("生日奖励", "For your birthday"),
    EventKind.TIER_REACHED: ("升级奖励", "For reaching a level"),
    EventKind.FOLLOWED: ("关注奖励", "For following us"),
    EventKind.TASK_COMPLETED: ("任务奖励", "For completing a task"),
    EventKind.SURVEY_ANSWERED: ("问卷奖励", "For answering a survey"),
    EventKind.REFERRAL: ("邀请有礼", "For bringing a friend"),
}
"""By the reason of an EVENT, which is its kind."""

_STEPS: dict[tuple[TransferKind, TransferPhase], Words] = {
    (TransferKind.EARN, TransferPhase.PENDING): ("{}（待解锁）", "{}, locked"),
    (TransferKind.EARN, TransferPhase.POST): ("奖励解锁", "Reward unlocked"),
    (TransferKind.EARN, TransferPhase.VOID): ("待解锁奖励失效", "Locked reward ended"),
    (TransferKind.SPEND, TransferPhase.PENDING): ("余额预占", "Held"),
    (TransferKind.SPEND, TransferPhase.POST): ("预占扣减", "Spent from a hold"),
    (TransferKind.SPEND, TransferPhase.VOID): ("预占释放", "Hold released"),
}
"""Of what goes in two steps; ``{}`` is what it is called otherwise."""


def title_of(entry: EntryRow, named: Words | None = None) -> Words:
    """What a member reads of an entry; ``named`` is what it was about, where that has a name."""
    kind, phase = TransferKind(entry.kind), TransferPhase(entry.phase)
    words = _CAUSES.get((entry.cause_kind, kind), _KINDS[kind])
    if entry.cause_kind == "GIFT":
        words = _GIFTS.get(entry.reason, words)
    elif entry.cause_kind == "EVENT":
        words = _EVENTS.get(entry.reason, words)
    elif kind is TransferKind.MOVE and entry.cause_kind != "MERGE":
        words = ("余额转入", "Transfer in") if entry.amount > 0 else ("余额转出", "Transfer out")
    zh, en = _STEPS.get((kind, phase), ("{}", "{}"))
    zh, en = zh.format(words[0]), en.format(words[1])
    return (f"{zh}：{named[0]}", f"{en}: {named[1]}") if named else (zh, en)


async def name_of_cause(context: Context, entry: EntryRow) -> Words | None:
    """What of the mall an entry is about."""
    if entry.cause_kind == "OFFER":
        view = await context.loader(coupon_loader).load(entry.cause_id)
        return None if view is None else (view.template.name_zh, view.template.name_en)
    if entry.cause_kind != "ORDER":
        return None
    order = await context.loader(order_loader).load(entry.cause_id)
    offer = None if order is None else await context.loader(offer_loader).load(order.offer_id)
    return None if offer is None else (offer.name_zh, offer.name_en)


# --- what caused it ----------------------------------------------------------------------------


async def _locked(snapshot: Snapshot, brand_id: UUID, ids: Any) -> list[LockedReward]:
    return await list_rows_by_ids(snapshot, LockedReward, brand_id, ids)


locked_reward_loader = row_loader(_locked)


FindOwner = Callable[[Context, UUID], Awaitable[UUID | None]]


def _owner_by(
    loader: MakeLoader[Any], member_id: Callable[[Any], UUID] = attrgetter("member_id")
) -> FindOwner:
    """Finds whose a row is."""

    async def find_owner(context: Context, id: UUID) -> UUID | None:
        row = await context.loader(loader).load(id)
        return None if row is None else member_id(row)

    return find_owner


NODE_BY_CAUSE: dict[str, tuple[str, FindOwner | None]] = {
    "SCAN": ("ScanEvent", None),
    "PURCHASE": ("Purchase", _owner_by(purchase_loader)),
    "EVENT": ("EarningEvent", _owner_by(event_loader)),
    "LOCK": ("LockedReward", _owner_by(locked_reward_loader)),
    "OFFER": ("Coupon", _owner_by(coupon_loader, attrgetter("coupon.member_id"))),
    "ORDER": ("OfferOrder", _owner_by(order_loader)),
    "REDEMPTION": ("Redemption", None),
    "HOLD": ("Hold", None),
    "ADJUSTMENT": ("Adjustment", None),
}
"""The type of what causes entries, and whose it is; None for what operators alone see. Other causes
have no node."""


async def cause_id_of(context: Context, entry: EntryRow) -> strawberry.ID | None:
    """The global id of what caused an entry, where ``node`` shows that to the caller."""
    type_name, find_owner = NODE_BY_CAUSE.get(entry.cause_kind, (None, None))
    if type_name is None:
        return None
    if Grant.READ not in context.caller.grants:
        owner_id = None if find_owner is None else await find_owner(context, entry.cause_id)
        if owner_id is None or not await is_own(context, owner_id):
            return None
    return encode_id(type_name, entry.cause_id)


@strawberry.type(description="One movement on a member's account (流水), newest first in lists.")
class Entry:
    id: strawberry.ID = id_field("Entry")
    asset: AssetCode
    amount: BigInt = strawberry.field(description="Signed: what it did, or will do when PENDING.")
    phase: str
    kind: str
    cause_kind: str
    reason: str = strawberry.field(
        description="As whoever did it wrote; a word of our own where nobody did: show the title."
    )
    expires_on: date | None
    occurred_at: datetime
    booked_at: datetime
    account: str = strawberry.field(
        description="MAIN; RECEIVABLE for what moved only what the member owes."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, EntryRow | cls)

    @strawberry.field(description="What members read, in the caller's language.")
    async def title(self, row: strawberry.Parent[EntryRow], info: Info) -> str:
        zh, en = title_of(row, await name_of_cause(info.context, row))
        return en if info.context.language == "en" else zh

    @strawberry.field(
        description="What caused it, by its id for node: an OfferOrder, Coupon, Purchase,"
        " EarningEvent or LockedReward; for operators also a ScanEvent, Redemption, Hold or"
        " Adjustment. Null for other causes, and for what the caller may not see."
    )
    async def cause_id(self, row: strawberry.Parent[EntryRow], info: Info) -> strawberry.ID | None:
        return await cause_id_of(info.context, row)
