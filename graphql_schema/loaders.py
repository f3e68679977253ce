"""Children of many parents in one query: a loader a kind, one of each per request.

Resolvers run side by side, so every batch reads in a snapshot of its own.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from graphql_schema.context import Context
from loyalty.brands.models import Brand
from loyalty.brands.queries import list_brands_by_ids
from loyalty.db import Snapshot
from loyalty.members.queries import list_identities_by_ids, list_members_by_ids
from loyalty.products.queries import list_products_by_ids

Found = TypeVar("Found")
Row = TypeVar("Row")
Value = TypeVar("Value")

Find = Callable[[Snapshot, UUID, Sequence[UUID]], Awaitable[Found]]
"""A query of a brand's things by many keys: ``find(snapshot, brand_id, keys)``."""

MakeLoader = Callable[[Context], DataLoader[UUID, Value]]
"""What ``Context.loader`` takes. Made once, at import: it is also what the loader goes by."""


def _loader(
    find: Find[Found], pick: Callable[[Found, Sequence[UUID]], list[Value]]
) -> MakeLoader[Value]:
    def make(context: Context) -> DataLoader[UUID, Value]:
        async def load(keys: list[UUID]) -> list[Value]:
            async with context.database.snapshot() as snapshot:
                found = await find(snapshot, context.caller.brand_id, keys)
            return pick(found, keys)

        return DataLoader(load_fn=load)

    return make


def row_loader(
    find: Find[list[Row]], key: Callable[[Row], UUID] = attrgetter("id")
) -> MakeLoader[Row | None]:
    """The one row of each key, or None where there is none."""

    def pick(rows: list[Row], keys: Sequence[UUID]) -> list[Row | None]:
        by_key = {key(row): row for row in rows}
        return [by_key.get(each) for each in keys]

    return _loader(find, pick)


def rows_loader(find: Find[list[Row]], parent: Callable[[Row], UUID]) -> MakeLoader[list[Row]]:
    """All rows of each parent, in the order of ``find``; none is an empty list."""

    def pick(rows: list[Row], keys: Sequence[UUID]) -> list[list[Row]]:
        by_parent: dict[UUID, list[Row]] = {each: [] for each in keys}
        for row in rows:
            by_parent[parent(row)].append(row)
        return [by_parent[each] for each in keys]

    return _loader(find, pick)


def value_loader(find: Find[Mapping[UUID, Value]]) -> MakeLoader[Value]:
    """The value of each key, where a row refers to it and it is never deleted."""
    return _loader(find, lambda found, keys: [found[each] for each in keys])


async def _brands(snapshot: Snapshot, _: UUID, ids: Sequence[UUID]) -> dict[UUID, Brand]:
    return {brand.id: brand for brand in await list_brands_by_ids(snapshot, ids)}


brand_loader = value_loader(_brands)
product_loader = row_loader(list_products_by_ids)
member_loader = row_loader(list_members_by_ids)
identity_loader = row_loader(list_identities_by_ids)
