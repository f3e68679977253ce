"""Tills and clerks, and signing in at a till."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.access import SignInReceipt, open_for, receipt_of
from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.nodes import id_field, local_id
from graphql_schema.permissions import HasGrant, Public
from graphql_schema.refusals import Refused
from loyalty.access.sessions import NewSession
from loyalty.actor import CLERK_ROLE, Actor, ActorKind, Grant
from loyalty.brands.service import find_brand_by_slug
from loyalty.db import Tx
from loyalty.errors import CredentialsWrong, NotFound
from loyalty.places import queries, service
from loyalty.places.models import Clerk as ClerkRow
from loyalty.places.models import Till as TillRow


@strawberry.type(description="A till (收银台) of a place. Its key is shown once, when it is made.")
class Till:
    id: strawberry.ID = id_field("Till")
    name: str
    key_hint: str = strawberry.field(description="The last four characters of its key.")
    status: str
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TillRow | cls)


@strawberry.type(description="A store clerk (店员), who signs in with a staff number and a PIN.")
class Clerk:
    id: strawberry.ID = id_field("Clerk")
    number: str
    name: str
    status: str
    locked_until: datetime | None
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ClerkRow | cls)


@strawberry.type(
    description="The key is shown this once. Nobody keeps it, so it is null when replayed: whoever"
    " did not get to see it revokes the till and makes another."
)
class CreateTillReceipt:
    replayed: bool
    key: str | None
    till: TillRow = strawberry.field(graphql_type=Till)


@strawberry.type
class RevokeTillReceipt:
    replayed: bool
    till: TillRow = strawberry.field(graphql_type=Till)


@strawberry.type(
    description="A PIN that was made here is shown this once; it is null when one was given, and"
    " when replayed."
)
class ClerkPinReceipt:
    replayed: bool
    pin: str | None
    clerk: ClerkRow = strawberry.field(graphql_type=Clerk)


@strawberry.type
class SetClerkStatusReceipt:
    replayed: bool
    clerk: ClerkRow = strawberry.field(graphql_type=Clerk)


@strawberry.input
class SignInClerkInput:
    brand: str
    till_key: str
    clerk_number: str
    pin: str


@strawberry.input
class CreateTillInput:
    idempotency_key: strawberry.ID
    place_id: strawberry.ID
    name: str


@strawberry.input
class RevokeTillInput:
    idempotency_key: strawberry.ID
    till_id: strawberry.ID
    reason: str


@strawberry.input
class CreateClerkInput:
    idempotency_key: strawberry.ID
    place_id: strawberry.ID
    number: str
    name: str
    pin: str | None = strawberry.field(
        default=None, description="4 to 8 digits; one is made where none is given."
    )


@strawberry.input
class SetClerkPinInput:
    idempotency_key: strawberry.ID
    clerk_id: strawberry.ID
    pin: str | None = strawberry.field(
        default=None, description="4 to 8 digits; one is made where none is given."
    )


@strawberry.input
class SetClerkStatusInput:
    idempotency_key: strawberry.ID
    clerk_id: strawberry.ID
    active: bool
    reason: str


SignInClerkResult = Annotated[SignInReceipt | Refused, strawberry.union("SignInClerkResult")]
CreateTillResult = Annotated[CreateTillReceipt | Refused, strawberry.union("CreateTillResult")]
RevokeTillResult = Annotated[RevokeTillReceipt | Refused, strawberry.union("RevokeTillResult")]
CreateClerkResult = Annotated[ClerkPinReceipt | Refused, strawberry.union("CreateClerkResult")]
SetClerkPinResult = Annotated[ClerkPinReceipt | Refused, strawberry.union("SetClerkPinResult")]
SetClerkStatusResult = Annotated[
    SetClerkStatusReceipt | Refused, strawberry.union("SetClerkStatusResult")
]


async def _till(context: Context, reply: dict[str, Any]) -> TillRow:
    async with context.database.snapshot() as snapshot:
        return await queries.get_till(snapshot, context.caller.brand_id, UUID(hex=reply["id"]))


async def _clerk(context: Context, reply: dict[str, Any]) -> ClerkRow:
    async with context.database.snapshot() as snapshot:
        return await queries.get_clerk(snapshot, context.caller.brand_id, UUID(hex=reply["id"]))


@strawberry.type
class TillMutation:
    @strawberry.mutation(extensions=[Public()])
    async def sign_in_clerk(self, info: Info, input: SignInClerkInput) -> SignInClerkResult:
        """Sign in at a till, with its key, a staff number and a PIN. Whatever is wrong with them
        is answered alike."""
        context = info.context
        keyring = context.keyring
        async with context.database.snapshot() as snapshot:
            brand = await find_brand_by_slug(snapshot, input.brand)
            if brand is None:
                raise NotFound(noun="brand")
            attempt = await service.find_clerk_sign_in(
                snapshot, keyring, brand.id, input.till_key, input.clerk_number
            )
        matched = await service.match_pin(keyring, attempt, input.pin)

        async def settle(tx: Tx) -> tuple[Actor, NewSession] | None:
            desk = await service.settle_clerk_sign_in(tx, attempt, matched)
            if desk is None:
                return None
            actor = Actor(
                ActorKind.CLERK,
                brand.id,
                desk.clerk.id,
                CLERK_ROLE,
                place_id=desk.place.id,
                till_id=desk.till.id,
            )
            return actor, await open_for(tx, context, actor)

        settled = await context.database.in_transaction(settle)
        if settled is None:
            raise CredentialsWrong()
        return receipt_of(context, *settled)

    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def create_till(self, info: Info, input: CreateTillInput) -> CreateTillResult:
        """Add a till to a place, and make its key."""
        context = info.context
        made: list[service.NewTill] = []

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            new = await service.create_till(
                tx,
                actor,
                context.keyring,
                place_id=local_id("Place", input.place_id),
                name=input.name,
            )
            made[:] = [new]
            return {"id": new.till.id.hex}

        reply, replayed = await effect_once(context, "createTill", input, verb)
        key = None if replayed else made[0].key
        return CreateTillReceipt(replayed=replayed, till=await _till(context, reply), key=key)

    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def revoke_till(self, info: Info, input: RevokeTillInput) -> RevokeTillResult:
        """End a till's key (吊销), for good: nobody signs in or redeems with it any more."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            till = await service.revoke_till(
                tx, actor, local_id("Till", input.till_id), input.reason
            )
            return {"id": till.id.hex}

        reply, replayed = await effect_once(info.context, "revokeTill", input, verb)
        return RevokeTillReceipt(replayed=replayed, till=await _till(info.context, reply))

    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def create_clerk(self, info: Info, input: CreateClerkInput) -> CreateClerkResult:
        """Add a clerk to a place."""
        context = info.context
        pin = await service.prepare_pin(context.keyring, context.caller.brand_id, input.pin)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            clerk = await service.create_clerk(
                tx,
                actor,
                place_id=local_id("Place", input.place_id),
                number=input.number,
                name=input.name,
                pin=pin,
            )
            return {"id": clerk.id.hex}

        reply, replayed = await effect_once(context, "createClerk", input, verb)
        return ClerkPinReceipt(
            replayed=replayed,
            clerk=await _clerk(context, reply),
            pin=None if replayed or input.pin is not None else pin.clear,
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def set_clerk_pin(self, info: Info, input: SetClerkPinInput) -> SetClerkPinResult:
        """Give a clerk another PIN; one who is locked may sign in at once."""
        context = info.context
        pin = await service.prepare_pin(context.keyring, context.caller.brand_id, input.pin)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            clerk = await service.set_clerk_pin(tx, actor, local_id("Clerk", input.clerk_id), pin)
            return {"id": clerk.id.hex}

        reply, replayed = await effect_once(context, "setClerkPin", input, verb)
        return ClerkPinReceipt(
            replayed=replayed,
            clerk=await _clerk(context, reply),
            pin=None if replayed or input.pin is not None else pin.clear,
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def set_clerk_status(
        self, info: Info, input: SetClerkStatusInput
    ) -> SetClerkStatusResult:
        """A clerk leaves (离职) and signs in no more, or is back."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            clerk = await service.set_clerk_status(
                tx,
                actor,
                local_id("Clerk", input.clerk_id),
                active=input.active,
                reason=input.reason,
            )
            return {"id": clerk.id.hex}

        reply, replayed = await effect_once(info.context, "setClerkStatus", input, verb)
        return SetClerkStatusReceipt(replayed=replayed, clerk=await _clerk(info.context, reply))
