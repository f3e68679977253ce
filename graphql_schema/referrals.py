"""Referrals (邀请有礼): consumers open a code of their own and use another's."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import ReferralRefusedReason, ReferralStatus
from graphql_schema.member_lists import page_of_brand
from graphql_schema.pagination import Connection, Cursor, encode_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant, MemberRole
from loyalty.db import Tx
from loyalty.keyed import get_row
from loyalty.members.queries import find_member
from rewards.activities.service import use_referral_code
from rewards.referrals import service
from rewards.referrals.models import Referral as ReferralRow
from rewards.referrals.service import CodeStanding

CURSOR = Cursor(UUID)


@strawberry.type(description="A consumer's own code, for good, and how many people used it.")
class ReferralCode:
    code: str

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, CodeStanding | cls)

    @strawberry.field(description="They have neither scanned for a reward nor bought yet.")
    def waiting(self, standing: strawberry.Parent[CodeStanding]) -> int:
        return standing.counts.get(ReferralStatus.WAITING.value, 0)

    @strawberry.field(description="They have: the member's REFERRAL events say what it earned.")
    def settled(self, standing: strawberry.Parent[CodeStanding]) -> int:
        return standing.counts.get(ReferralStatus.SETTLED.value, 0)


@strawberry.type(description="That a member used another's code (docs/referrals.md).")
class Referral:
    created_at: datetime
    settled_at: datetime | None = strawberry.field(
        description="The time of the first paid scan or purchase."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ReferralRow | cls)

    @strawberry.field(description="Whose code it was: for operators alone.")
    def referrer_id(self, row: strawberry.Parent[ReferralRow], info: Info) -> strawberry.ID | None:
        is_told = Grant.READ in info.context.caller.grants
        return encode_id("Member", row.referrer_id) if is_told else None

    @strawberry.field(description="Who used it.")
    def referred_id(self, row: strawberry.Parent[ReferralRow]) -> strawberry.ID:
        return encode_id("Member", row.referred_id)

    @strawberry.field
    def status(self, row: strawberry.Parent[ReferralRow]) -> ReferralStatus:
        return ReferralStatus(row.status)

    @strawberry.field
    def refused_reason(self, row: strawberry.Parent[ReferralRow]) -> ReferralRefusedReason | None:
        return None if row.refused_reason is None else ReferralRefusedReason(row.refused_reason)


@strawberry.input
class OpenReferralCodeInput:
    idempotency_key: strawberry.ID
    device_id: str | None = strawberry.field(
        default=None, description="Whoever uses the code with the same device is refused."
    )


@strawberry.input
class UseReferralCodeInput:
    idempotency_key: strawberry.ID
    code: str = strawberry.field(description="Spaces, dashes and small letters are fine.")
    device_id: str | None = None


@strawberry.type
class OpenReferralCodeReceipt:
    replayed: bool
    code: str


@strawberry.type(description="Its status may be REFUSED: that is on record, and does not change.")
class UseReferralCodeReceipt:
    replayed: bool
    referral: ReferralRow = strawberry.field(graphql_type=Referral)


OpenReferralCodeResult = Annotated[
    OpenReferralCodeReceipt | Refused, strawberry.union("OpenReferralCodeResult")
]
UseReferralCodeResult = Annotated[
    UseReferralCodeReceipt | Refused, strawberry.union("UseReferralCodeResult")
]


@strawberry.type
class ReferralQuery:
    @strawberry.field(graphql_type=ReferralCode | None, extensions=[IsMember(MemberRole.CONSUMER)])
    async def my_referral_code(self, info: Info) -> CodeStanding | None:
        """The caller's own code; null until it opens one."""
        actor = info.context.caller
        async with info.context.database.snapshot() as snapshot:
            member = await find_member(snapshot, actor.brand_id, actor.id, actor.role)
            if member is None:
                return None
            return await service.find_code_standing(snapshot, actor.brand_id, member.id)

    @strawberry.field(graphql_type=Connection[Referral], extensions=[HasGrant(Grant.READ)])
    async def referrals(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[ReferralRow]:
        """Who used whose code, newest first, refused ones too."""
        return await page_of_brand(info.context, service.list_referrals, first, after)


@strawberry.type
class ReferralMutation:
    @strawberry.mutation(extensions=[IsMember(MemberRole.CONSUMER)])
    async def open_referral_code(
        self, info: Info, input: OpenReferralCodeInput
    ) -> OpenReferralCodeResult:
        """Open the caller's own referral code (生成邀请码); it is the same for good."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            row = await service.open_code(tx, actor, context.keyring, input.device_id)
            return {"code": row.code}

        reply, replayed = await effect_once(context, "openReferralCode", input, verb)
        return OpenReferralCodeReceipt(replayed=replayed, code=reply["code"])

    @strawberry.mutation(extensions=[IsMember(MemberRole.CONSUMER)])
    async def use_referral_code(
        self, info: Info, input: UseReferralCodeInput
    ) -> UseReferralCodeResult:
        """Say who brought the caller (填写邀请码), within days of its first coming, once."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            row = await use_referral_code(tx, actor, context.keyring, input.code, input.device_id)
            return {"id": row.id.hex}

        reply, replayed = await effect_once(context, "useReferralCode", input, verb)
        key = (context.caller.brand_id, UUID(hex=reply["id"]))
        async with context.database.snapshot() as snapshot:
            row = await get_row(snapshot, ReferralRow, *key, "referral")
        return UseReferralCodeReceipt(replayed=replayed, referral=row)
