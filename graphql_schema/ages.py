"""Ages: what members state of theirs, and what products ask for."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import effect_once
from graphql_schema.loaders import identity_loader
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.products import Product
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, ActorKind, Grant
from loyalty.ages import service
from loyalty.ages.rules import AGE_MAX, age_on
from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.members.models import Member as MemberRow
from loyalty.products import queries as products
from loyalty.products import service as product_service
from loyalty.products.models import Product as ProductRow


@strawberry.type
class MemberAges:
    """What is known of a member's age."""

    @strawberry.field(
        description="How old it is by what it has confirmed (年龄确认); null before it has."
        " To the member itself and to operators who may change it."
    )
    async def age_confirmed(self, row: strawberry.Parent[MemberRow], info: Info) -> int | None:
        actor = info.context.caller
        if actor.kind is not ActorKind.MEMBER and Grant.MEMBERS not in actor.grants:
            return None
        identity = await info.context.loader(identity_loader).load(row.identity_id)
        if identity is None or identity.born_by is None:
            return None
        timezone = await info.context.timezone(row.brand_id)
        async with info.context.database.snapshot() as snapshot:
            return age_on(identity.born_by, local_date(snapshot.now, timezone))


@strawberry.type
class ConfirmAgeReceipt:
    replayed: bool
    age_confirmed: int = strawberry.field(
        description="How old the caller is known to be: in all its roles."
    )


@strawberry.input
class ConfirmAgeInput:
    idempotency_key: strawberry.ID
    age: int = strawberry.field(
        description=f"In full years, 1 to {AGE_MAX}; of 18 and above it is read as at least."
    )


@strawberry.type
class CorrectAgeReceipt:
    replayed: bool
    age_confirmed: int = strawberry.field(
        description="How old the member is known to be from now on, in all its roles."
    )


@strawberry.input
class CorrectAgeInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    age: int = strawberry.field(description=f"In full years, 1 to {AGE_MAX}.")
    reason: str


CorrectAgeResult = Annotated[CorrectAgeReceipt | Refused, strawberry.union("CorrectAgeResult")]
ConfirmAgeResult = Annotated[ConfirmAgeReceipt | Refused, strawberry.union("ConfirmAgeResult")]


@strawberry.type
class SetProductAgeMinReceipt:
    replayed: bool
    product: ProductRow = strawberry.field(graphql_type=Product)


@strawberry.input
class SetProductAgeMinInput:
    idempotency_key: strawberry.ID
    product_id: strawberry.ID
    age_min: int | None = strawberry.field(
        description=f"1 to {AGE_MAX}; null: its scans pay consumers of any age."
    )


SetProductAgeMinResult = Annotated[
    SetProductAgeMinReceipt | Refused, strawberry.union("SetProductAgeMinResult")
]


@strawberry.type
class AgeMutation:
    @strawberry.mutation(extensions=[IsMember()])
    async def confirm_age(self, info: Info, input: ConfirmAgeInput) -> ConfirmAgeResult:
        """State one's age, which is kept; scans of products that ask for no more pay from now on.
        Who has stated an age below 18 cannot be older than time has made it since."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            return {"age": await service.confirm_age(tx, actor, input.age)}

        reply, replayed = await effect_once(info.context, "confirmAge", input, verb)
        return ConfirmAgeReceipt(replayed=replayed, age_confirmed=reply["age"])

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def correct_age(self, info: Info, input: CorrectAgeInput) -> CorrectAgeResult:
        """Put right how old a member is (更正年龄): what it has stated before counts no more, but
        is kept."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            member_id = local_id("Member", input.member_id)
            known = await service.correct_age(tx, actor, member_id, input.age, input.reason)
            return {"age": known}

        reply, replayed = await effect_once(info.context, "correctAge", input, verb)
        return CorrectAgeReceipt(replayed=replayed, age_confirmed=reply["age"])

    @strawberry.mutation(extensions=[HasGrant(Grant.CODES)])
    async def set_product_age_min(
        self, info: Info, input: SetProductAgeMinInput
    ) -> SetProductAgeMinResult:
        """Say how old a consumer has to be whom scans of a product pay (酒、烟的年龄限制)."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            product_id = local_id("Product", input.product_id)
            await product_service.set_age_min(tx, actor, product_id, input.age_min)
            return {"id": product_id.hex}

        reply, replayed = await effect_once(info.context, "setProductAgeMin", input, verb)
        async with info.context.database.snapshot() as snapshot:
            product = await products.get_product(
                snapshot, info.context.caller.brand_id, UUID(hex=reply["id"])
            )
        return SetProductAgeMinReceipt(replayed=replayed, product=product)
