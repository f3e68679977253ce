"""A small schema with one of everything: permissions, refusals, lists, nulls, unions, pages."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField

from graphql_schema.context import Context, Info, Services
from graphql_schema.faults import Invalid
from graphql_schema.pagination import Connection, Cursor, connection_of, encode_id, page_of
from graphql_schema.permissions import HasGrant, IsMember, IsSignedIn, Public
from graphql_schema.scalars import SCALAR_MAP, BigInt
from loyalty.actor import Actor, ActorKind, Grant, MemberRole, system_actor
from loyalty.errors import NotFound, Refusal

BRAND = UUID(int=1)
MEMBER = Actor(ActorKind.MEMBER, BRAND, UUID(int=2), MemberRole.CONSUMER)
OPERATOR = Actor(ActorKind.OPERATOR, BRAND, UUID(int=3), "VIEWER", frozenset({Grant.READ}))
WEAK_OPERATOR = Actor(ActorKind.OPERATOR, BRAND, UUID(int=4), "VIEWER", frozenset())
SYSTEM = system_actor(BRAND)


@dataclass(frozen=True)
class Drink:
    id: UUID
    name: str
    points: int
    note: str | None = None


DRINKS = [Drink(UUID(int=i), f"青岛啤酒 {i} 🍺", i * 10**15) for i in range(1, 41)]


@strawberry.type(name="Drink")
class DrinkType:
    name: str
    points: BigInt
    note: str | None

    @strawberry.field
    def id(self, row: strawberry.Parent[Drink]) -> strawberry.ID:
        return encode_id("Drink", row.id)

    @strawberry.field
    async def friends(self, row: strawberry.Parent[Drink]) -> list["DrinkType"]:
        return DRINKS[:3]  # type: ignore[return-value]

    @strawberry.field
    def broken(self, row: strawberry.Parent[Drink]) -> str | None:
        raise RuntimeError(f"secret of {row.name}")

    @strawberry.field
    async def impossible(self, row: strawberry.Parent[Drink]) -> str:
        return None  # type: ignore[return-value]


@strawberry.type
class Refused:
    code: str
    message: str


class RefusalHandler(strawberry.ExceptionHandler[Refusal, Refused]):
    def handle(
        self, exception: Refusal, field: StrawberryField, info: strawberry.Info[Any, Any]
    ) -> Refused:
        return Refused(code=exception.code, message=exception.message(info.context.language))


@strawberry.type
class Receipt:
    text: str
    points: BigInt


@strawberry.input
class BuyInput:
    text: str
    points: BigInt
    tags: list[str] | None = None
    outcome: str = "receipt"


BuyResult = Annotated[Receipt | Refused, strawberry.union("BuyResult")]
CURSOR = Cursor(int, UUID)


@strawberry.type
class Query:
    @strawberry.field(extensions=[Public()])
    def echo(self, text: str) -> str:
        return text

    @strawberry.field(extensions=[Public()])
    def double(self, n: BigInt) -> BigInt:
        return BigInt(n * 2)

    @strawberry.field(graphql_type=DrinkType | None, extensions=[IsMember()])
    async def drink(self, index: int) -> Drink | None:
        return DRINKS[index] if index < len(DRINKS) else None

    @strawberry.field(graphql_type=Connection[DrinkType], extensions=[Public()])
    async def drinks(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Drink]:
        page = page_of(CURSOR, first, after, last, before)
        rows = DRINKS[::-1] if page.backward else DRINKS
        if page.start is not None:
            at = [(row.points, row.id) for row in rows].index(page.start)
            rows = rows[at + 1 :]
        return connection_of(rows[: page.limit], page, CURSOR, lambda row: (row.points, row.id))

    @strawberry.field(extensions=[IsSignedIn()])
    def whoami(self, info: Info) -> str:
        return info.context.caller.kind

    @strawberry.field(extensions=[HasGrant(Grant.READ)])
    async def figures(self) -> list[int]:
        return [1, 2, 3]

    @strawberry.field(extensions=[Public()])
    def fault(self) -> str | None:
        raise Invalid("No such page.")

    @strawberry.field(extensions=[Public()])
    def crash(self) -> str | None:
        raise RuntimeError("phone 13800138000")


@strawberry.type
class Mutation:
    @strawberry.mutation(graphql_type=BuyResult, extensions=[IsMember()])
    async def buy(self, input: BuyInput) -> Receipt:
        if input.outcome == "refused":
            raise NotFound(noun="drink")
        if input.outcome == "crash":
            raise RuntimeError("secret")
        return Receipt(text=input.text, points=input.points)


schema = strawberry.Schema(
    Query,
    Mutation,
    config=StrawberryConfig(scalar_map=SCALAR_MAP),
    exception_handlers=[RefusalHandler()],
)


def no_services() -> Services:
    """Services of which nothing may be touched: these resolvers need none."""
    return object.__new__(Services)


def context(actor: Actor | None = None) -> Context:
    """The context of a request in English."""
    return Context(no_services(), actor, "en", "192.0.2.1")
