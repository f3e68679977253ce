"""A schema of everything that may go wrong in a reply or come in an odd shape, for the compiler."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from typing import Annotated, Any, Optional

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.schema.config import StrawberryConfig

from graphql_schema.context import Info
from graphql_schema.faults import Invalid
from graphql_schema.permissions import HasGrant, IsMember, Permission, Public
from graphql_schema.scalars import SCALAR_MAP, BigInt
from loyalty.actor import Actor, Grant
from loyalty.errors import NotFound
from tests.graphql_schema.sample_schema import RefusalHandler, Refused

LOG: list[str] = []
"""What resolvers and extensions did, in order."""


@strawberry.enum
class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@strawberry.enum
class Size(Enum):
    SMALL = 1
    LARGE = 2


class Logged(Permission):
    """Lets pass, and leaves a line."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, actor: Actor | None) -> None:
        LOG.append(self.name)


class Doubling(FieldExtension):
    """Changes an argument and the answer."""

    async def resolve_async(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        kwargs["text"] = kwargs["text"] * 2
        return await next_(source, info, **kwargs) + "!"


@strawberry.interface
class Named:
    name: str


@dataclass
class CatRow:
    name: str
    lives: int = 9
    mood: Any = "red"
    friends: list[Any] = field(default_factory=list)


@strawberry.type
class Cat(Named):
    name: str
    lives: int
    mood: Colour | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        if getattr(obj, "name", "") == "nameless":
            raise RuntimeError("who is that")
        return isinstance(obj, CatRow | cls)

    @strawberry.field
    def shout(self, row: strawberry.Parent[CatRow], info: Info) -> str:
        return f"{row.name} in {info.context.language} at {info.path.as_list()}"

    @strawberry.field
    def moody(self, row: strawberry.Parent[CatRow]) -> str:
        if row.mood != "red":
            raise Invalid("in no mood")
        return "meow"

    @strawberry.field
    async def slow(self, row: strawberry.Parent[CatRow]) -> str:
        await asyncio.sleep(0)
        if row.lives == 0:
            raise RuntimeError("too slow")
        return f"slow {row.name}"

    @strawberry.field
    async def friend(
        self, row: strawberry.Parent[CatRow], at: int = 0
    ) -> Optional[Annotated["Cat", strawberry.lazy("tests.graphql_schema.edge_schema")]]:  # noqa: UP045
        return row.friends[at] if at < len(row.friends) else None

    @strawberry.field
    def friends(
        self, row: strawberry.Parent[CatRow]
    ) -> list[Annotated["Cat", strawberry.lazy("tests.graphql_schema.edge_schema")]]:
        return row.friends


@strawberry.type
class Dog(Named):
    name: str
    age: BigInt
    born: date | None = None
    seen: datetime | None = None


class Unknown:
    """A row of no type."""

    def __repr__(self) -> str:
        return "<unknown>"


TOM = CatRow("Tom", friends=[CatRow("Kit", 3, "blue"), CatRow("Old", 0, "grey")])
REX = Dog(
    name="Rex", age=BigInt(2**60), born=date(2020, 2, 29), seen=datetime(2026, 1, 1, tzinfo=UTC)
)


@strawberry.input
class CollarInput:
    colour: Colour
    width: float = 1.5
    tags: list[str] = strawberry.field(default_factory=lambda: ["new"])


@strawberry.input
class PetInput:
    name: str
    age: BigInt | None = None
    size: Size = Size.SMALL
    collars: list[CollarInput] | None = None
    born: date | None = None
    note: str | None = strawberry.UNSET
    good: bool = True
    nested_lists: list[list[int]] | None = None


Pet = Annotated[Cat | Dog, strawberry.union("Pet")]
PetOrRefused = Annotated[Dog | Refused, strawberry.union("PetOrRefused")]


async def later(value: Any) -> Any:
    """A value, or an exception to raise, after the others had their turn."""
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


_ODD: dict[str, Callable[[], Any]] = {
    "null": lambda: None,
    "error": lambda: RuntimeError("returned"),
    "awaited": lambda: later("late"),
    "awaited error": lambda: later(Invalid("late and wrong")),
    "number": lambda: 7,
    "list": lambda: ["a", "b"],
    "list with null": lambda: ["a", None, "c"],
    "list with errors": lambda: ["a", RuntimeError("b"), Invalid("c")],
    "awaited items": lambda: [later("a"), "b", later(None), later(RuntimeError("d"))],
    "tuple": lambda: ("a", 2, True),
    "generator": lambda: (text for text in "ab"),
    "cat": lambda: TOM,
    "cats": lambda: [TOM, CatRow("nameless"), None, REX, later(CatRow("Late"))],
    "dogs": lambda: [REX, Dog(name="Pup", age=BigInt(1))],
    "tall dogs": lambda: [REX, Dog(name="Tall", age=BigInt(2**70))],
    "unnamed dogs": lambda: [REX, Dog(name=None, age=BigInt(3))],  # type: ignore[arg-type]
    "pets": lambda: [TOM, REX],
    "object": Unknown,
}


def odd(name: str) -> Any:
    """A fresh value of that name."""
    return _ODD[name]()


@strawberry.type
class Query:
    @strawberry.field(extensions=[Public()])
    def text(self, name: str) -> str | None:
        return odd(name)  # type: ignore[no-any-return]

    @strawberry.field(extensions=[Public()])
    async def sure_text(self, name: str) -> str:
        return odd(name)  # type: ignore[no-any-return]

    @strawberry.field(extensions=[Public()])
    def texts(self, name: str) -> list[str] | None:
        return odd(name)  # type: ignore[no-any-return]

    @strawberry.field(extensions=[Public()])
    async def sure_texts(self, name: str) -> list[str | None]:
        return odd(name)  # type: ignore[no-any-return]

    @strawberry.field(extensions=[Public()])
    def colour(self, value: str) -> Colour | None:
        return {"red": Colour.RED, "blue": "blue"}.get(value, value)  # type: ignore[return-value]

    @strawberry.field(extensions=[Public()])
    def size(self, value: int) -> Size:
        return {1: Size.SMALL, 2: 2}.get(value, value)  # type: ignore[return-value]

    @strawberry.field(extensions=[Public()], graphql_type=Cat | None)
    async def cat(self, name: str = "cat") -> Any:
        return odd(name)

    @strawberry.field(extensions=[Public()], graphql_type=list[Cat | None] | None)
    def cats(self, name: str = "cats") -> Any:
        return odd(name)

    @strawberry.field(extensions=[Public()], graphql_type=list[Dog])
    def dogs(self, name: str) -> Any:
        return odd(name)

    @strawberry.field(extensions=[Public()], graphql_type=list[Dog | None])
    async def any_dogs(self, name: str) -> Any:
        return odd(name)

    @strawberry.field(extensions=[Public()], graphql_type=Pet | None)
    async def pet(self, name: str) -> Any:
        return odd(name)

    @strawberry.field(extensions=[Public()], graphql_type=list[Named])
    async def named(self, name: str) -> Any:
        return odd(name)

    @strawberry.field(extensions=[Public()])
    def grid(self) -> list[list[int | None]]:
        return [[1, None], [], [3]]

    @strawberry.field(extensions=[IsMember(), Logged("second")])
    async def members_only(self) -> str:
        return "members"

    @strawberry.field(extensions=[Logged("first"), HasGrant(Grant.READ)])
    def grant_only(self) -> str | None:
        return "granted"

    @strawberry.field(extensions=[Public(), Doubling()])
    async def doubled(self, text: str) -> str:
        return text

    @strawberry.field(extensions=[Public()])
    def describe(
        self,
        pet: PetInput | None = None,
        pets: list[PetInput] | None = None,
        sizes: list[Size | None] | None = None,
        on: date | None = None,
        ratio: float | None = strawberry.UNSET,
        limit: int = 3,
        colour: Colour = Colour.BLUE,
    ) -> str:
        for each in [pet, *(pets or [])]:  # whoever is given an input may change it
            if each is not None and each.collars:
                each.collars.append(CollarInput(colour=Colour.RED))
        return repr((pet, pets, sizes, on, ratio, limit, colour))

    @strawberry.field(extensions=[Public()])
    def told(self, info: Info, text: str = "t") -> str:
        raw: Any = info._raw_info
        return repr(
            (
                info.field_name,
                info.python_name,
                info.path.as_list(),
                info.variable_values,
                info.operation.name and info.operation.name.value,
                sorted(raw.fragments),
                str(raw.return_type),
                str(raw.parent_type),
                [(field.name, field.arguments) for field in info.selected_fields],  # type: ignore[union-attr]
                info.root_value,
                info.schema is not None,
            )
        )


@strawberry.type
class Mutation:
    @strawberry.mutation(extensions=[Public()])
    async def log(self, line: str, naps: int = 0) -> list[str]:
        LOG.append(f"{line} begun")
        for _ in range(naps):
            await asyncio.sleep(0)
        LOG.append(f"{line} done")
        return list(LOG)

    @strawberry.mutation(extensions=[Public()])
    def log_now(self, line: str) -> str | None:
        LOG.append(line)
        if line == "crash":
            raise RuntimeError("now")
        return line

    @strawberry.mutation(extensions=[Public()])
    async def fail(self) -> str:
        raise RuntimeError("surely")

    @strawberry.mutation(extensions=[Public()], graphql_type=PetOrRefused)
    async def adopt(self, pet: PetInput) -> Any:
        if pet.name == "refused":
            raise NotFound(noun="pet")
        if pet.name == "crash":
            raise RuntimeError("crash")
        return None if pet.name == "null" else Dog(name=pet.name, age=pet.age or BigInt(0))

    @strawberry.mutation(extensions=[Public()], graphql_type=PetOrRefused)
    def adopt_now(self, name: str) -> Any:
        if name == "refused":
            raise NotFound(noun="pet")
        return Dog(name=name, age=BigInt(1)) if name == "dog" else TOM


schema = strawberry.Schema(
    Query,
    Mutation,
    config=StrawberryConfig(scalar_map=SCALAR_MAP),
    exception_handlers=[RefusalHandler()],
)
