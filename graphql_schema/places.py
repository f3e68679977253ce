"""Places: what operators set up, what a store earns, and where a clerk stands."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.loaders import identity_loader, row_loader, rows_loader, value_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, Cursor, connection_of, page_of
from graphql_schema.permissions import HasGrant, IsClerk, IsMember
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from graphql_schema.tills import Clerk, Till
from loyalty.actor import Actor, ActorKind, Grant, MemberRole
from loyalty.db import Snapshot, Tx
from loyalty.ledger.queries import list_place_accounts
from loyalty.places import channel, queries, service
from loyalty.places.models import Clerk as ClerkRow
from loyalty.places.models import Place as PlaceRow
from loyalty.places.models import Till as TillRow

CURSOR = Cursor(UUID)


async def _places_by_id(
    snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]
) -> dict[UUID, PlaceRow]:
    return {row.id: row for row in await queries.find_places_by_ids(snapshot, brand_id, ids)}


place_loader = value_loader(_places_by_id)
rebate_loader = row_loader(list_place_accounts, key=attrgetter("owner_id"))
channel_loader = rows_loader(queries.list_channel, parent=lambda row: row[0])


async def may_look_inside(context: Context, place: PlaceRow) -> bool:
    """Operators who may read, and the STORE member who acts for the place by its phone."""
    actor = context.caller
    if actor.kind is not ActorKind.MEMBER:
        return bool(actor.grants & {Grant.READ, Grant.LEDGER})
    if actor.role != MemberRole.STORE.value or place.store_phone_hash is None:
        return False
    identity = await context.loader(identity_loader).load(actor.id)
    return identity is not None and identity.phone_hash == place.store_phone_hash


async def _phone_of(context: Context, place: PlaceRow, role: MemberRole) -> str | None:
    if not await may_look_inside(context, place):
        return None
    entries = await context.loader(channel_loader).load(place.id)
    named = [entry for _, entry in entries if entry.role == role]
    return channel.masked_entry_phone(context.keyring, named[0]) if named else None


@strawberry.type(
    description="What a place has earned by redemptions. balanceFen is booked, and below zero when"
    " more was taken back than was left; pendingFen is to be booked; payableFen may be paid out."
)
class Rebates:
    balance_fen: BigInt
    pending_fen: BigInt
    payable_fen: BigInt


@strawberry.type(
    description="A store's premises (网点). What comes after createdAt is the store's business:"
    " null for all but operators and the STORE member whose phone is the place's."
)
class Place(Node):
    id: strawberry.ID = id_field("Place")
    code: str
    name: str
    address: str
    latitude: float | None
    longitude: float | None
    status: str
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PlaceRow | cls)

    @strawberry.field(description="Masked: +86138****5678. Of who acts for the place as STORE.")
    async def store_phone(self, row: strawberry.Parent[PlaceRow], info: Info) -> str | None:
        if not await may_look_inside(info.context, row):
            return None
        return service.masked_store_phone(info.context.keyring, row)

    @strawberry.field(description="Masked. Of its dealer (所属经销商).")
    async def dealer_phone(self, row: strawberry.Parent[PlaceRow], info: Info) -> str | None:
        return await _phone_of(info.context, row, MemberRole.DEALER)

    @strawberry.field(description="Masked. Of its salesperson (所属业务员).")
    async def salesperson_phone(self, row: strawberry.Parent[PlaceRow], info: Info) -> str | None:
        return await _phone_of(info.context, row, MemberRole.SALESPERSON)

    @strawberry.field(description="How the payout provider knows the store.")
    async def payee(self, row: strawberry.Parent[PlaceRow], info: Info) -> str | None:
        return row.payee if await may_look_inside(info.context, row) else None

    @strawberry.field(description="Rebates are paid out once this much has come together.")
    async def payout_threshold_fen(
        self, row: strawberry.Parent[PlaceRow], info: Info
    ) -> BigInt | None:
        if not await may_look_inside(info.context, row):
            return None
        return BigInt(row.payout_threshold_fen)

    @strawberry.field
    async def rebates(self, row: strawberry.Parent[PlaceRow], info: Info) -> Rebates | None:
        if not await may_look_inside(info.context, row):
            return None
        account = await info.context.loader(rebate_loader).load(row.id)
        if account is None:
            return None
        balance_fen = account.credits_posted - account.debits_posted
        return Rebates(
            balance_fen=BigInt(balance_fen),
            pending_fen=BigInt(account.credits_pending),
            payable_fen=BigInt(max(0, balance_fen - account.debits_pending)),
        )

    @strawberry.field(graphql_type=Connection[Till] | None)
    async def tills(
        self,
        row: strawberry.Parent[PlaceRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[TillRow] | None:
        """Newest first, revoked ones too."""
        page = page_of(CURSOR, first, after)
        if not await may_look_inside(info.context, row):
            return None
        start = page.start[0] if page.start else None
        async with info.context.database.snapshot() as snapshot:
            rows = await queries.list_tills(
                snapshot, row.brand_id, row.id, before=start, limit=page.limit
            )
        return connection_of(rows, page, CURSOR, key=lambda till: (till.id,))

    @strawberry.field(graphql_type=Connection[Clerk] | None)
    async def clerks(
        self,
        row: strawberry.Parent[PlaceRow],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[ClerkRow] | None:
        """Newest first, those who left too."""
        page = page_of(CURSOR, first, after)
        if not await may_look_inside(info.context, row):
            return None
        start = page.start[0] if page.start else None
        async with info.context.database.snapshot() as snapshot:
            rows = await queries.list_clerks(
                snapshot, row.brand_id, row.id, before=start, limit=page.limit
            )
        return connection_of(rows, page, CURSOR, key=lambda clerk: (clerk.id,))


@strawberry.type(description="Where a clerk stands, and who it is.")
class Desk:
    place: PlaceRow = strawberry.field(graphql_type=Place)
    till: TillRow = strawberry.field(graphql_type=Till)
    clerk: ClerkRow = strawberry.field(graphql_type=Clerk)


@strawberry.type
class CreatePlaceReceipt:
    replayed: bool
    place: PlaceRow = strawberry.field(graphql_type=Place)


@strawberry.type
class SetPlaceStatusReceipt:
    replayed: bool
    place: PlaceRow = strawberry.field(graphql_type=Place)


@strawberry.input
class CreatePlaceInput:
    idempotency_key: strawberry.ID
    code: str
    name: str
    address: str
    payout_threshold_fen: BigInt
    latitude: float | None = None
    longitude: float | None = None
    store_phone: str | None = strawberry.field(
        default=None, description="Who signs in as STORE with it acts for the place."
    )
    payee: str | None = strawberry.field(
        default=None, description="How the payout provider knows the store."
    )
    dealer_phone: str | None = strawberry.field(
        default=None, description="On the roster of DEALER (setPlaceChannel)."
    )
    salesperson_phone: str | None = strawberry.field(
        default=None, description="On the roster of SALESPERSON (setPlaceChannel)."
    )


@strawberry.input
class SetPlaceStatusInput:
    idempotency_key: strawberry.ID
    place_id: strawberry.ID
    open: bool
    reason: str


TillResult = Annotated[Desk | Refused, strawberry.union("TillResult")]
CreatePlaceResult = Annotated[CreatePlaceReceipt | Refused, strawberry.union("CreatePlaceResult")]
SetPlaceStatusResult = Annotated[
    SetPlaceStatusReceipt | Refused, strawberry.union("SetPlaceStatusResult")
]


async def fetch_place(context: Context, id: UUID) -> PlaceRow | None:
    """For ``node``: any caller of the brand may see where its places are."""
    async with context.database.snapshot() as snapshot:
        return await queries.find_place(snapshot, context.caller.brand_id, id)


async def place_of_reply(context: Context, reply: dict[str, Any]) -> PlaceRow:
    """The place that a mutation answers with."""
    async with context.database.snapshot() as snapshot:
        return await queries.get_place(snapshot, context.caller.brand_id, UUID(hex=reply["id"]))


@strawberry.type
class PlaceQuery:
    @strawberry.field(graphql_type=Connection[Place], extensions=[HasGrant(Grant.READ)])
    async def places(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[PlaceRow]:
        """The brand's places, newest first."""
        return await page_of_brand(info.context, queries.list_places, first, after)

    @strawberry.field(graphql_type=list[Place], extensions=[IsMember(MemberRole.STORE)])
    async def my_places(self, info: Info) -> list[PlaceRow]:
        """The places that the caller acts for by its phone, oldest first, up to 100."""
        context = info.context
        identity = await context.loader(identity_loader).load(context.caller.id)
        if identity is None or identity.phone_hash is None:
            return []
        async with context.database.snapshot() as snapshot:
            return await queries.places_of_store_phone(
                snapshot, context.caller.brand_id, identity.phone_hash
            )

    @strawberry.field(extensions=[IsClerk()])
    async def till(self, info: Info) -> TillResult:
        """Where the caller stands; PLACE_CLOSED when it can no longer redeem there."""
        async with info.context.database.snapshot() as snapshot:
            desk = await service.require_desk(snapshot, info.context.caller)
        return Desk(place=desk.place, till=desk.till, clerk=desk.clerk)


@strawberry.type
class PlaceMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def create_place(self, info: Info, input: CreatePlaceInput) -> CreatePlaceResult:
        """Add a place, with its rebate account. Its store phone is put on the roster of STORE."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            place = await service.create_place(
                tx,
                actor,
                context.keyring,
                code=input.code,
                name=input.name,
                address=input.address,
                payout_threshold_fen=input.payout_threshold_fen,
                latitude=input.latitude,
                longitude=input.longitude,
                store_phone=input.store_phone,
                payee=input.payee,
            )
            if input.dealer_phone is not None or input.salesperson_phone is not None:
                await channel.set_place_channel(
                    tx,
                    actor,
                    context.keyring,
                    place.id,
                    dealer_phone=input.dealer_phone,
                    salesperson_phone=input.salesperson_phone,
                )
            return {"id": place.id.hex}

        reply, replayed = await effect_once(context, "createPlace", input, verb)
        return CreatePlaceReceipt(replayed=replayed, place=await place_of_reply(context, reply))

    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def set_place_status(
        self, info: Info, input: SetPlaceStatusInput
    ) -> SetPlaceStatusResult:
        """Close a place (停业): nobody signs in or redeems there. Or open it again."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            change = service.reopen_place if input.open else service.close_place
            place = await change(tx, actor, local_id("Place", input.place_id), input.reason)
            return {"id": place.id.hex}

        reply, replayed = await effect_once(info.context, "setPlaceStatus", input, verb)
        return SetPlaceStatusReceipt(
            replayed=replayed, place=await place_of_reply(info.context, reply)
        )
