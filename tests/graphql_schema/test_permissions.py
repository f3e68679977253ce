"""Who may: every permission against every kind of caller; nothing is open by omission."""

import pytest
import strawberry

from graphql_schema.faults import Fault
from graphql_schema.permissions import (
    HasGrant,
    IsMember,
    IsSignedIn,
    Permission,
    Public,
    unguarded_fields,
)
from loyalty.actor import Actor, Grant
from tests.graphql_schema.sample_schema import (
    MEMBER,
    OPERATOR,
    SYSTEM,
    WEAK_OPERATOR,
    context,
    schema,
)

CALLERS = (None, MEMBER, OPERATOR, WEAK_OPERATOR, SYSTEM)
NO, FORBIDDEN, YES = "UNAUTHENTICATED", "FORBIDDEN", None


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (Public(), (YES, YES, YES, YES, YES)),
        (IsSignedIn(), (NO, YES, YES, YES, FORBIDDEN)),
        (IsMember(), (NO, YES, FORBIDDEN, FORBIDDEN, FORBIDDEN)),
        (HasGrant(Grant.READ), (NO, FORBIDDEN, YES, FORBIDDEN, FORBIDDEN)),
        (HasGrant(Grant.LEDGER), (NO, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN)),
    ],
)
def test_permission_table(permission: Permission, expected: tuple[str | None, ...]) -> None:
    for actor, code in zip(CALLERS, expected, strict=True):
        assert code_of(permission, actor) == code


def code_of(permission: Permission, actor: Actor | None) -> str | None:
    try:
        permission.check(actor)
    except Fault as fault:
        return fault.code
    return None


async def test_permission_is_checked_before_the_resolver_runs() -> None:
    for text in ("{ whoami }", "{ figures }", "{ drink(index: 1) { id } }"):
        result = await schema.execute(text, None, context())
        assert result.errors
        assert result.errors[0].extensions == {"code": "UNAUTHENTICATED"}


def test_every_root_field_of_a_guarded_schema_has_a_permission() -> None:
    assert unguarded_fields(schema) == []


def test_a_root_field_without_permission_is_found() -> None:
    @strawberry.type
    class Query:
        plain: int = 1

        @strawberry.field(extensions=[Public()])
        def open(self) -> int:
            return 1

        @strawberry.field
        def forgotten(self) -> int:
            return 1

    @strawberry.type
    class Mutation:
        @strawberry.mutation
        def change(self) -> int:
            return 1

    found = unguarded_fields(strawberry.Schema(Query, Mutation))
    assert found == ["Query.plain", "Query.forgotten", "Mutation.change"]
