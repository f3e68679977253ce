"""Locked rewards (待解锁奖励): what they wait for, reports of actions, taking them back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry

from graphql_schema.acting import is_own
from graphql_schema.context import Context, Info
from graphql_schema.coupon_templates import template_loader
from graphql_schema.effects import effect_once
from graphql_schema.enums import LockedRewardStatus, UnlockKind
from graphql_schema.member_lists import page_of_member
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, encode_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty import keyed
from loyalty.actor import Actor, Grant
from loyalty.clock import utc_now
from loyalty.db import Tx
from loyalty.members.models import Member as MemberRow
from rewards.events import service as events
from rewards.grants import queries, unlocking
from rewards.grants.models import LockedReward as LockedRewardRow
from rewards.grants.rules import shown_status
from rewards.grants.world import Unlock

_ACTIONS = {
    "follow": ("关注公众号", "following the official account"),
    "wecom_contact": ("添加企业微信好友", "adding the WeCom contact"),
}
"""Actions with words of our own; others go by their names."""


@strawberry.type(description="What a locked reward waits for.")
class RewardLock:
    kind: UnlockKind
    still_to_come: int = strawberry.field(
        description="Scans, actions or bottles; 0 where it waits for a time."
    )
    action: str | None
    unlocks_at: datetime | None
    lapses_at: datetime | None = strawberry.field(description="From then on it is lost.")

    @strawberry.field(description="To be shown, in the caller's language and the brand's zone.")
    async def condition(self, info: Info) -> str:
        timezone = await info.context.timezone(info.context.caller.brand_id)
        return condition_text(self, timezone, info.context.language)


def lock_of(unlock: Unlock, still_to_come: int) -> RewardLock:
    return RewardLock(
        kind=unlock.kind,
        still_to_come=still_to_come,
        action=unlock.key if unlock.kind is UnlockKind.ACTION else None,
        unlocks_at=unlock.unlocks_at,
        lapses_at=unlock.lapses_at,
    )


def condition_text(lock: RewardLock, timezone: str, language: str) -> str:
    """What a member is to know: 再扫码2次后解锁; Unlocks after 2 more scans."""
    english = language == "en"
    lapses = "" if lock.lapses_at is None else _told(lock.lapses_at, timezone)
    if lock.unlocks_at is not None:
        at = _told(lock.unlocks_at, timezone)
        zh, en = f"{at}解锁", f"Unlocks on {at}"
    elif lock.kind is UnlockKind.ACTION:
        action = lock.action or ""
        what_zh, what_en = _ACTIONS.get(action, (f"完成“{action}”", f"“{action}” is done"))
        zh, en = f"{what_zh}后解锁", f"Unlocks after {what_en}"
    elif lock.kind is UnlockKind.INNER_SCAN:
        zh, en = "扫同一瓶的瓶内码后解锁", "Unlocks when you scan this item's inner code"
    elif lock.kind is UnlockKind.NEXT_SCAN:
        more = lock.still_to_come
        zh = f"再扫码{more}次后解锁"
        en = "Unlocks with your next scan" if more == 1 else f"Unlocks after {more} more scans"
    elif lock.kind is UnlockKind.BOX_BOTTLES:
        more = lock.still_to_come
        zh = f"同箱再扫{more}瓶后解锁"
        en = f"Unlocks after {more} more bottle{'' if more == 1 else 's'} of the same box"
    elif lock.kind is UnlockKind.TAKEN:
        zh = "顾客领取该商品的奖励后解锁"
        en = "Unlocks when the buyer has taken this item's rewards"
    else:
        zh, en = "顾客扫描该商品后解锁", "Unlocks when the buyer scans this item"
    if english:
        return f"{en}, before {lapses}" if lapses else en
    return f"{zh}，{lapses}前有效" if lapses else zh


def _told(at: datetime, timezone: str) -> str:
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


@strawberry.type(description="A reward that is granted and waits for something (待解锁红包).")
class LockedReward(Node):
    id: strawberry.ID = id_field("LockedReward")
    asset: AssetCode = strawberry.field(description="COUPON of one that is a coupon.")
    amount: BigInt

    @strawberry.field(description="Of one that is a coupon its name, in the caller's language.")
    async def coupon_name(self, row: strawberry.Parent[LockedRewardRow], info: Info) -> str | None:
        if row.coupon_template_id is None:
            return None
        template = await info.context.loader(template_loader).load(row.coupon_template_id)
        if template is None:
            return None
        return template.name_en if info.context.language == "en" else template.name_zh

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, LockedRewardRow | cls)

    @strawberry.field(description="One that waited for too long: LAPSED, swept or not.")
    def status(self, row: strawberry.Parent[LockedRewardRow]) -> LockedRewardStatus:
        return shown_status(row, utc_now())

    @strawberry.field
    def lock(self, row: strawberry.Parent[LockedRewardRow]) -> RewardLock:
        unlock = Unlock(
            UnlockKind(row.unlock_kind),
            row.unlock_key,
            row.unlock_count,
            row.unlocks_at,
            row.lapses_at,
        )
        return lock_of(unlock, row.unlock_count)

    @strawberry.field
    def member_id(self, row: strawberry.Parent[LockedRewardRow]) -> strawberry.ID:
        return encode_id("Member", row.member_id)

    @strawberry.field
    def granted_at(self, row: strawberry.Parent[LockedRewardRow]) -> datetime:
        return row.created_at

    @strawberry.field(description="When it was unlocked, lapsed or was taken back.")
    def ended_at(self, row: strawberry.Parent[LockedRewardRow]) -> datetime | None:
        has_lapsed = shown_status(row, utc_now()) is LockedRewardStatus.LAPSED
        return row.lapses_at if has_lapsed else row.resolved_at


@dataclass(frozen=True)
class _ReadLockedRewards:
    """Those in one status, or all."""

    status: LockedRewardStatus | None

    async def __call__(
        self, context: Context, member_ids: Sequence[UUID], before: UUID | None, limit: int
    ) -> list[tuple[UUID, LockedRewardRow]]:
        rows = await queries.read_locked_rewards(
            context.database,
            context.caller.brand_id,
            member_ids,
            status=self.status,
            now=utc_now(),
            before=before,
            limit=limit,
        )
        return [(row.member_id, row) for row in rows]


@strawberry.type
class MemberLockedRewards:
    """Of a member, for whoever sees it."""

    @strawberry.field(graphql_type=Connection[LockedReward])
    async def locked_rewards(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        status: LockedRewardStatus | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[LockedRewardRow]:
        """This member's locked rewards (待解锁奖励), newest first; in one status, or all."""
        read = _ReadLockedRewards(status)
        return await page_of_member(info.context, read, row.id, first, after)


async def fetch_locked_reward(context: Context, id: UUID) -> LockedRewardRow | None:
    """For ``node``: an operator sees the brand's locked rewards, a member its own."""
    async with context.database.snapshot() as snapshot:
        row = await keyed.find_row(snapshot, LockedRewardRow, context.caller.brand_id, id)
    if row is None or Grant.READ in context.caller.grants:
        return row
    return row if await is_own(context, row.member_id) else None


@strawberry.input
class ReportActionInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    action: str = strawberry.field(
        description="What the member did, as campaigns call it: follow, wecom_contact."
    )


@strawberry.input
class VoidLockedRewardInput:
    idempotency_key: strawberry.ID
    locked_reward_id: strawberry.ID
    reason: str


@strawberry.type(description="How many rewards the action has unlocked; none is no mistake.")
class ReportActionReceipt:
    replayed: bool
    unlocked: int


@strawberry.type
class VoidLockedRewardReceipt:
    replayed: bool
    locked_reward: LockedRewardRow = strawberry.field(graphql_type=LockedReward)


ReportActionResult = Annotated[
    ReportActionReceipt | Refused, strawberry.union("ReportActionResult")
]
VoidLockedRewardResult = Annotated[
    VoidLockedRewardReceipt | Refused, strawberry.union("VoidLockedRewardResult")
]


@strawberry.type
class LockedRewardMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def report_action(self, info: Info, input: ReportActionInput) -> ReportActionResult:
        """Tell that a member did something that rewards wait for, or that earns itself: followed
        the official account, added a WeCom contact."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            member_id = local_id("Member", input.member_id)
            reported = await events.report_action(
                tx, actor, member_id, input.action, info.context.services.configurations
            )
            return {"unlocked": len(reported.unlocked)}

        reply, replayed = await effect_once(info.context, "reportAction", input, verb)
        return ReportActionReceipt(replayed=replayed, unlocked=reply["unlocked"])

    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def void_locked_reward(
        self, info: Info, input: VoidLockedRewardInput
    ) -> VoidLockedRewardResult:
        """Take back a reward that is still locked, for good; its budget is free again."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            id = local_id("LockedReward", input.locked_reward_id)
            row = await unlocking.void_locked_reward(tx, actor, id, input.reason)
            return {"id": row.id.hex}

        reply, replayed = await effect_once(info.context, "voidLockedReward", input, verb)
        row = await fetch_locked_reward(info.context, UUID(hex=reply["id"]))
        if row is None:
            raise LookupError("a locked reward is gone")
        return VoidLockedRewardReceipt(replayed=replayed, locked_reward=row)
