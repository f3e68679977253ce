"""Whose things a member may see: those of every member that it is by now."""

from uuid import UUID

from graphql_schema.context import Context
from graphql_schema.loaders import member_loader
from loyalty.actor import ActorKind
from loyalty.members.queries import read_member


async def is_own(context: Context, member_id: UUID) -> bool:
    """Whether a member of the brand is the caller: enrolled by its identity, the one that it acts
    as since that one was merged into it, or one that was merged into that."""
    actor = context.caller
    member = await context.loader(member_loader).load(member_id)
    if member is None or actor.kind is not ActorKind.MEMBER:
        return False
    if member.identity_id == actor.id:
        return True
    acting = await read_member(context.database, actor.brand_id, actor.id, actor.role)
    return acting is not None and acting.id in (member.id, member.merged_into_id)
