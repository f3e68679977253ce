"""Whose things a member may see: those of every member that it is by now."""

from uuid import UUID

from strawberry.dataloader import DataLoader

from graphql_schema.context import Context
from graphql_schema.loaders import member_loader
from loyalty.actor import ActorKind
from loyalty.members.models import Member
from loyalty.members.queries import read_member


def acting_loader(context: Context) -> DataLoader[UUID, Member | None]:
    """Who the caller acts as, by its identity: asked once in a request."""
    actor = context.caller

    async def load(identity_ids: list[UUID]) -> list[Member | None]:
        return [
            await read_member(context.database, actor.brand_id, id, actor.role)
            for id in identity_ids
        ]

    return DataLoader(load_fn=load)


async def is_own(context: Context, member_id: UUID) -> bool:
    """Whether a member of the brand is the caller: enrolled by its identity, the one that it acts
    as since that one was merged into it, or one that was merged into that."""
    actor = context.caller
    member = await context.loader(member_loader).load(member_id)
    if member is None or actor.kind is not ActorKind.MEMBER:
        return False
    if member.identity_id == actor.id:
        return True
    acting = await context.loader(acting_loader).load(actor.id)
    return acting is not None and acting.id in (member.id, member.merged_into_id)
