"""Members: the caller's own profile, the brand's list, invitations and rosters."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.acting import is_own
from graphql_schema.ages import MemberAges
from graphql_schema.channel import MemberPlace
from graphql_schema.context import Context, Info
from graphql_schema.coupons import Coupon, wallet_of
from graphql_schema.draws import MemberDraws
from graphql_schema.effects import effect_once
from graphql_schema.enums import CouponStatus, MemberRole
from graphql_schema.ledger import Balance
from graphql_schema.loaders import identity_loader, member_loader
from graphql_schema.locked_rewards import MemberLockedRewards
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.orders import OfferOrder, orders_of
from graphql_schema.pagination import Connection, Cursor, encode_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.purchase_types import MemberPurchases
from graphql_schema.raffle_types import MemberRaffles
from graphql_schema.refusals import Refused
from graphql_schema.segments import MemberSegments
from graphql_schema.statements import MemberStatements
from graphql_schema.tiers import MemberTiers
from loyalty.actor import Actor, ActorKind, Grant
from loyalty.clock import local_date, utc_now
from loyalty.db import Tx
from loyalty.ledger.queries import BalanceRow, read_balances
from loyalty.members import queries, service
from loyalty.members.models import Member as MemberRow
from loyalty.places.channel import import_roster
from rewards.coupons.states import CouponView
from rewards.orders.models import OfferOrder as OrderRow

CURSOR = Cursor(UUID)


@strawberry.type(description="A person's account in the brand, in one role (会员).")
class Member(
    Node,
    MemberTiers,
    MemberStatements,
    MemberPurchases,
    MemberLockedRewards,
    MemberDraws,
    MemberRaffles,
    MemberAges,
    MemberPlace,
    MemberSegments,
):
    id: strawberry.ID = id_field("Member")
    role: MemberRole
    status: str
    display_name: str | None
    enrolled_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, MemberRow | cls)

    @strawberry.field(description="Masked: +86138****5678. Null for one known by reference alone.")
    async def phone(self, row: strawberry.Parent[MemberRow], info: Info) -> str | None:
        identity = await info.context.loader(identity_loader).load(row.identity_id)
        return service.masked_phone(info.context.keyring, identity) if identity else None

    @strawberry.field(description="The outside reference of an imported member.")
    async def external_ref(self, row: strawberry.Parent[MemberRow], info: Info) -> str | None:
        identity = await info.context.loader(identity_loader).load(row.identity_id)
        return identity.external_ref if identity else None

    @strawberry.field(
        description="Month and day, MM-DD: to the member itself and to operators who may change it."
    )
    def birthday(self, row: strawberry.Parent[MemberRow], info: Info) -> str | None:
        actor = info.context.caller
        is_told = actor.kind is ActorKind.MEMBER or Grant.MEMBERS in actor.grants
        return row.birthday if is_told else None

    @strawberry.field(description="Who brought this member.")
    def invited_by_id(self, row: strawberry.Parent[MemberRow]) -> strawberry.ID | None:
        return encode_id("Member", row.invited_by_id) if row.invited_by_id else None

    @strawberry.field(
        graphql_type=Annotated["Member", strawberry.lazy("graphql_schema.members")] | None,
        description="Of a MERGED one: who has everything that was good of it (合并至).",
    )
    async def merged_into(self, row: strawberry.Parent[MemberRow], info: Info) -> MemberRow | None:
        if row.merged_into_id is None:
            return None
        return await info.context.loader(member_loader).load(row.merged_into_id)

    @strawberry.field(graphql_type=list[Balance])
    async def balances(self, row: strawberry.Parent[MemberRow], info: Info) -> list[BalanceRow]:
        today = local_date(utc_now(), await info.context.timezone(row.brand_id))
        return await read_balances(info.context.database, row.brand_id, row.id, today)

    @strawberry.field(graphql_type=Connection[Coupon])
    async def coupons(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        status: CouponStatus | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[CouponView]:
        """This member's coupons (卡券包), newest first; in one status, or all."""
        return await wallet_of(info.context, row.id, status, first, after)

    @strawberry.field(graphql_type=Connection[OfferOrder])
    async def orders(
        self,
        row: strawberry.Parent[MemberRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[OrderRow]:
        """What this member took in the points mall (兑换记录), newest first."""
        return await orders_of(info.context, row.id, first, after)


async def fetch_member(context: Context, id: UUID) -> MemberRow | None:
    """For ``node``: an operator sees the brand's members, a member itself, whom it was merged into
    and who was merged into it."""
    if Grant.READ in context.caller.grants or await is_own(context, id):
        return await context.loader(member_loader).load(id)
    return None


@strawberry.type
class InviteMemberReceipt:
    replayed: bool
    phone: str


@strawberry.input
class InviteMemberInput:
    idempotency_key: strawberry.ID
    phone: str


InviteMemberResult = Annotated[
    InviteMemberReceipt | Refused, strawberry.union("InviteMemberResult")
]


@strawberry.type
class RejectedRosterEntry:
    index: int
    reason: str


@strawberry.type
class ImportRosterReceipt:
    replayed: bool
    added: int
    unchanged: int
    rejected: list[RejectedRosterEntry]


@strawberry.input
class RosterEntryInput:
    phone: str
    name: str
    place_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of a guide: the place that it belongs to from now on."
    )


@strawberry.input
class ImportRosterInput:
    idempotency_key: strawberry.ID
    role: MemberRole
    entries: list[RosterEntryInput]


def _place_id(entry: RosterEntryInput) -> UUID | None:
    return None if entry.place_id is None else local_id("Place", entry.place_id)


ImportRosterResult = Annotated[
    ImportRosterReceipt | Refused, strawberry.union("ImportRosterResult")
]


@strawberry.type
class SetMemberStatusReceipt:
    replayed: bool
    member: MemberRow = strawberry.field(graphql_type=Member)


@strawberry.input
class SetMemberStatusInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    frozen: bool
    reason: str


SetMemberStatusResult = Annotated[
    SetMemberStatusReceipt | Refused, strawberry.union("SetMemberStatusResult")
]


@strawberry.type
class MemberQuery:
    @strawberry.field(graphql_type=Member | None, extensions=[IsMember()])
    async def me(self, info: Info) -> MemberRow | None:
        """The caller's membership in the role of its token; null until the first act makes one."""
        actor = info.context.caller
        return await queries.read_member(
            info.context.database, actor.brand_id, actor.id, actor.role
        )

    @strawberry.field(graphql_type=Connection[Member], extensions=[HasGrant(Grant.READ)])
    async def members(
        self,
        info: Info,
        role: MemberRole | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[MemberRow]:
        """The brand's members, newest first."""
        return await page_of_brand(
            info.context,
            partial(queries.list_members, role=role.value if role else None),
            first,
            after,
        )


@strawberry.type
class MemberMutation:
    @strawberry.mutation(extensions=[IsMember()])
    async def invite_member(self, info: Info, input: InviteMemberInput) -> InviteMemberResult:
        """Invite a phone; when it enrols as a consumer, the caller is who brought it."""
        keyring = info.context.keyring

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            invitation = await service.invite_member(tx, actor, keyring, input.phone)
            return {"phone": service.masked_cipher(keyring, actor.brand_id, invitation)}

        reply, replayed = await effect_once(info.context, "inviteMember", input, verb)
        return InviteMemberReceipt(replayed=replayed, phone=reply["phone"])

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def import_roster(self, info: Info, input: ImportRosterInput) -> ImportRosterResult:
        """Admit phones to a channel role; bad entries are rejected one by one. A place that is not
        there refuses them all."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            done = await import_roster(
                tx,
                actor,
                info.context.keyring,
                input.role.value,
                [(entry.phone, entry.name, _place_id(entry)) for entry in input.entries],
            )
            return {"added": done.added, "unchanged": done.unchanged, "rejected": done.rejected}

        reply, replayed = await effect_once(info.context, "importRoster", input, verb)
        return ImportRosterReceipt(
            replayed=replayed,
            added=reply["added"],
            unchanged=reply["unchanged"],
            rejected=[RejectedRosterEntry(index=i, reason=why) for i, why in reply["rejected"]],
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def set_member_status(
        self, info: Info, input: SetMemberStatusInput
    ) -> SetMemberStatusResult:
        """Freeze a member (its scans are recorded and pay nothing), or let it act again."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            change = service.freeze_member if input.frozen else service.unfreeze_member
            member = await change(tx, actor, local_id("Member", input.member_id), input.reason)
            return {"id": member.id.hex}

        reply, replayed = await effect_once(info.context, "setMemberStatus", input, verb)
        async with info.context.database.snapshot() as snapshot:
            member = await queries.get_member(
                snapshot, info.context.caller.brand_id, UUID(hex=reply["id"])
            )
        return SetMemberStatusReceipt(replayed=replayed, member=member)
