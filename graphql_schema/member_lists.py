"""Lists of what a brand has, newest first; and of what members have: a page of each of many members
in one query, as lists nest."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from graphql_schema.context import Context
from graphql_schema.pagination import Connection, Cursor, Page, connection_of, page_of
from loyalty.db import Snapshot

CURSOR = Cursor(UUID)


class Listed(Protocol):
    """What a list is of: its id tells when it was made."""

    @property
    def id(self) -> UUID: ...


Row = TypeVar("Row", bound=Listed)
Newest_co = TypeVar("Newest_co", bound=Listed, covariant=True)


class ReadNewest(Protocol[Newest_co]):
    """Reads up to ``limit`` rows of a brand, newest first, older than the id ``before``."""

    async def __call__(
        self, snapshot: Snapshot, brand_id: UUID, /, *, before: UUID | None, limit: int
    ) -> Sequence[Newest_co]: ...


async def page_of_brand(
    context: Context, read: ReadNewest[Row], first: int | None, after: str | None
) -> Connection[Row]:
    """A page of a list of the caller's brand; what else it goes by, ``read`` knows."""
    page = page_of(CURSOR, first, after)
    async with context.database.snapshot() as snapshot:
        rows = await read(
            snapshot,
            context.caller.brand_id,
            before=page.start[0] if page.start else None,
            limit=page.limit,
        )
    return connection_of(rows, page, CURSOR, key=lambda row: (row.id,))


Read = Callable[[Context, Sequence[UUID], UUID | None, int], Awaitable[Iterable[tuple[UUID, Row]]]]
"""``read(context, member_ids, before, limit)``: up to ``limit`` rows of each member, newest first,
older than the id ``before``, each with the id of whose list it is in. Equal ones share loaders."""


@dataclass(frozen=True)
class _Pages(Generic[Row]):
    """Makes the loader of many members' lists, this page of each."""

    read: Read[Row]
    page: Page

    def __call__(self, context: Context) -> DataLoader[UUID, list[Row]]:
        before: UUID | None = self.page.start[0] if self.page.start else None

        async def load(member_ids: Sequence[UUID]) -> list[list[Row]]:
            lists: dict[UUID, list[Row]] = {id: [] for id in member_ids}
            for member_id, row in await self.read(context, member_ids, before, self.page.limit):
                lists[member_id].append(row)
            return [lists[id] for id in member_ids]

        return DataLoader(load_fn=load)


async def page_of_member(
    context: Context, read: Read[Row], member_id: UUID, first: int | None, after: str | None
) -> Connection[Row]:
    """A page of a member's list; whoever sees the member may see it."""
    page = page_of(CURSOR, first, after)
    rows = await context.loader(_Pages(read, page)).load(member_id)
    return connection_of(rows, page, CURSOR, key=lambda row: (row.id,))
