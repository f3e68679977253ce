"""Privileges of levels: what they are, using what is counted, and birthdays, on which some give."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import PrivilegeKind, QuotaPeriod
from graphql_schema.nodes import local_id
from graphql_schema.pagination import encode_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.members import service as members
from rewards.events.service import tell_birthday
from tiers.privileges import rules, service
from tiers.privileges.service import UseKey


@strawberry.type(description="What a level grants (会员权益), beside multiplying points.")
class Privilege:
    code: str
    kind: PrivilegeKind
    name_zh: str
    name_en: str
    percent: int | None = strawberry.field(
        description="What points are multiplied by (150: one and a half times), or what is added"
        " to the odds."
    )
    count: int | None = strawberry.field(
        description="Hours of EARLY_ACCESS, further pieces of HIGHER_LIMIT."
    )
    offer_codes: list[str]
    asset: AssetCode | None
    amount: BigInt | None
    starts_on: date | None
    ends_on: date | None
    quota_count: int | None
    quota_period: QuotaPeriod | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, rules.Privilege | cls)

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[rules.Privilege], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh

    @strawberry.field(description="Of a gift that is a coupon.")
    def coupon_template_id(self, row: strawberry.Parent[rules.Privilege]) -> strawberry.ID | None:
        if row.coupon_template_id is None:
            return None
        return encode_id("CouponTemplate", row.coupon_template_id)


@dataclass(frozen=True, slots=True)
class HeldPrivilege:
    """A privilege of the level that a member holds, on a local day."""

    brand_id: UUID
    member_id: UUID
    privilege: rules.Privilege
    day: date


@strawberry.type(description="A privilege that a member has now.")
class MemberPrivilege:
    privilege: rules.Privilege = strawberry.field(graphql_type=Privilege)

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, HeldPrivilege | cls)

    @strawberry.field(description="Uses left in this period; null where there is no quota.")
    async def left(self, row: strawberry.Parent[HeldPrivilege], info: Info) -> int | None:
        if row.privilege.quota_count is None:
            return None
        uses = await info.context.loader(uses_loader).load(row.member_id)
        return service.left_of(uses, row.member_id, row.privilege, row.day)


def uses_loader(context: Context) -> DataLoader[UUID, dict[UseKey, int]]:
    """Members' uses of privileges, of many members at once."""

    async def load(member_ids: Sequence[UUID]) -> list[dict[UseKey, int]]:
        async with context.database.snapshot() as snapshot:
            uses = await service.find_uses(snapshot, context.caller.brand_id, member_ids)
        return [uses for _ in member_ids]

    return DataLoader(load_fn=load)


@strawberry.input(description="PrivilegeKind says which of the values each kind needs.")
class PrivilegeInput:
    code: str
    kind: PrivilegeKind
    name_zh: str
    name_en: str
    percent: int | None = None
    count: int | None = None
    offer_codes: list[str] = strawberry.field(default_factory=list)
    coupon_template_id: strawberry.ID | None = None
    asset: AssetCode | None = None
    amount: BigInt | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    quota_count: int | None = None
    quota_period: QuotaPeriod | None = None


def privileges_of(inputs: Sequence[PrivilegeInput]) -> tuple[rules.Privilege, ...]:
    """The privileges that an operator wrote."""
    return tuple(
        rules.Privilege(
            each.code,
            each.kind,
            each.name_zh,
            each.name_en,
            each.percent,
            each.count,
            tuple(each.offer_codes),
            local_id("CouponTemplate", each.coupon_template_id)
            if each.coupon_template_id is not None
            else None,
            each.asset,
            each.amount,
            each.starts_on,
            each.ends_on,
            each.quota_count,
            each.quota_period,
        )
        for each in inputs
    )


# --- using -------------------------------------------------------------------------------------


@strawberry.input
class UsePrivilegeInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    code: str


@strawberry.type
class UsePrivilegeReceipt:
    replayed: bool
    code: str
    left: int | None = strawberry.field(description="Uses left in this period; null without quota.")


@strawberry.input
class SetBirthdayInput:
    idempotency_key: strawberry.ID
    month: int
    day: int


@strawberry.input
class ChangeBirthdayInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    month: int
    day: int
    reason: str


@strawberry.type
class SetBirthdayReceipt:
    replayed: bool
    birthday: str = strawberry.field(description="Month and day: MM-DD.")


@strawberry.type
class ChangeBirthdayReceipt:
    replayed: bool
    birthday: str = strawberry.field(description="Month and day: MM-DD.")


UsePrivilegeResult = Annotated[
    UsePrivilegeReceipt | Refused, strawberry.union("UsePrivilegeResult")
]
SetBirthdayResult = Annotated[SetBirthdayReceipt | Refused, strawberry.union("SetBirthdayResult")]
ChangeBirthdayResult = Annotated[
    ChangeBirthdayReceipt | Refused, strawberry.union("ChangeBirthdayResult")
]


@strawberry.type
class PrivilegeMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def use_privilege(self, info: Info, input: UsePrivilegeInput) -> UsePrivilegeResult:
        """Count one use of a PERK that a member's level grants: a lounge visited, a wash given."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            member_id = local_id("Member", input.member_id)
            return {"left": await service.use_privilege(tx, actor, member_id, input.code)}

        reply, replayed = await effect_once(info.context, "usePrivilege", input, verb)
        return UsePrivilegeReceipt(replayed=replayed, code=input.code, left=reply["left"])

    @strawberry.mutation(extensions=[IsMember()])
    async def set_birthday(self, info: Info, input: SetBirthdayInput) -> SetBirthdayResult:
        """Tell one's birthday, once; after that an operator may change it. That completes one's
        profile, which may earn."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            cache = info.context.services.configurations
            return {"birthday": await tell_birthday(tx, actor, input.month, input.day, cache)}

        reply, replayed = await effect_once(info.context, "setBirthday", input, verb)
        return SetBirthdayReceipt(replayed=replayed, birthday=reply["birthday"])

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def change_birthday(self, info: Info, input: ChangeBirthdayInput) -> ChangeBirthdayResult:
        """Set a member's birthday for it."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            member_id = local_id("Member", input.member_id)
            birthday = await members.change_birthday(
                tx, actor, member_id, input.month, input.day, input.reason
            )
            return {"birthday": birthday}

        reply, replayed = await effect_once(info.context, "changeBirthday", input, verb)
        return ChangeBirthdayReceipt(replayed=replayed, birthday=reply["birthday"])


def held_privileges(
    brand_id: UUID, member_id: UUID, granted: Sequence[rules.Privilege], day: date
) -> list[HeldPrivilege]:
    """Those of a level that are live on a day."""
    return [
        HeldPrivilege(brand_id, member_id, privilege, day)
        for privilege in granted
        if privilege.is_live(day)
    ]
