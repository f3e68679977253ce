"""Who may resolve a field. Every root field says so; one that does not is refused at start.

@strawberry.field(extensions=[IsMember()])
async def me(self, info: Info) -> Member: ...
"""

from collections.abc import Callable
from inspect import isawaitable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.base import StrawberryObjectDefinition

from graphql_schema.context import Context
from graphql_schema.faults import Forbidden, Unauthenticated
from loyalty.actor import Actor, ActorKind, Grant, MemberRole, Scope


class Permission(FieldExtension):
    """A check before the resolver runs. ``check`` raises a Fault, or lets pass; ``pass_on`` is for
    what follows that."""

    def check(self, actor: Actor | None) -> None:
        raise NotImplementedError

    def pass_on(self, context: Context, field_name: str) -> None:
        pass

    def resolve(
        self,
        next_: Callable[..., Any],
        source: Any,
        info: strawberry.Info[Context, Any],
        **kwargs: Any,
    ) -> Any:
        self.check(info.context.actor)
        self.pass_on(info.context, info.field_name)
        return next_(source, info, **kwargs)

    async def resolve_async(
        self,
        next_: Callable[..., Any],
        source: Any,
        info: strawberry.Info[Context, Any],
        **kwargs: Any,
    ) -> Any:
        self.check(info.context.actor)
        self.pass_on(info.context, info.field_name)
        result = next_(source, info, **kwargs)
        return await result if isawaitable(result) else result


class Public(Permission):
    """Anybody, signed in or not: said aloud, so that nothing is public by omission."""

    def check(self, actor: Actor | None) -> None:
        pass


class IsSignedIn(Permission):
    """Any member or operator; clerks only where a field says so."""

    def check(self, actor: Actor | None) -> None:
        if actor is None:
            raise Unauthenticated
        if actor.kind not in (ActorKind.MEMBER, ActorKind.OPERATOR):
            raise Forbidden


class IsMember(Permission):
    """A member, in any role or in one of these."""

    def __init__(self, *roles: MemberRole) -> None:
        self.roles = frozenset(roles or MemberRole)

    def check(self, actor: Actor | None) -> None:
        if actor is None:
            raise Unauthenticated
        if actor.kind is not ActorKind.MEMBER or actor.role not in self.roles:
            raise Forbidden


class IsClerk(Permission):
    """A clerk at a till. Whether both are still in service is for the verb to ask."""

    def check(self, actor: Actor | None) -> None:
        if actor is None:
            raise Unauthenticated
        if actor.kind is not ActorKind.CLERK:
            raise Forbidden


class HasGrant(Permission):
    """An operator who holds this grant. The system actor has no business on HTTP."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant

    def check(self, actor: Actor | None) -> None:
        if actor is None:
            raise Unauthenticated
        if actor.kind is not ActorKind.OPERATOR or self.grant not in actor.grants:
            raise Forbidden


class IsClerkOrHasGrant(HasGrant):
    """A clerk at a till, or an operator who holds this grant."""

    def check(self, actor: Actor | None) -> None:
        if actor is None or actor.kind is not ActorKind.CLERK:
            super().check(actor)


class HasScope(Permission):
    """A partner's key that has this scope, or any key. Each call is counted among its usage."""

    def __init__(self, scope: Scope | None = None) -> None:
        self.scope = scope

    def check(self, actor: Actor | None) -> None:
        if actor is None:
            raise Unauthenticated
        if actor.kind is not ActorKind.PARTNER:
            raise Forbidden
        if self.scope is not None and self.scope not in actor.scopes:
            raise Forbidden

    def pass_on(self, context: Context, field_name: str) -> None:
        context.count_use(field_name)


class HasGrantOrScope(HasScope):
    """An operator who holds this grant, or a partner's key that has this scope."""

    def __init__(self, grant: Grant, scope: Scope) -> None:
        super().__init__(scope)
        self.of_operators = HasGrant(grant)

    def check(self, actor: Actor | None) -> None:
        if actor is not None and actor.kind is ActorKind.PARTNER:
            super().check(actor)
        else:
            self.of_operators.check(actor)


def unguarded_fields(schema: strawberry.Schema) -> list[str]:
    """Root fields without a Permission, as ``Query.name``. Must be empty: the default is deny."""
    unguarded = []
    for root in (schema.query, schema.mutation, schema.subscription):
        if root is None:
            continue
        definition: StrawberryObjectDefinition = root.__strawberry_definition__  # type: ignore[attr-defined]
        for field in definition.fields:
            if not any(isinstance(extension, Permission) for extension in field.extensions):
                unguarded.append(f"{definition.name}.{field.python_name}")
    return unguarded
