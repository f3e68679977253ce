"""Children of many parents in one query: a loader a kind, one of each per request."""

from collections.abc import Sequence
from uuid import UUID

from strawberry.dataloader import DataLoader

from graphql_schema.context import Context
from loyalty.members.models import Identity, Member
from loyalty.members.queries import list_identities_by_ids, list_members_by_ids
from loyalty.products.models import Product
from loyalty.products.queries import list_products_by_ids


def product_loader(context: Context) -> DataLoader[UUID, Product | None]:
    async def load(ids: Sequence[UUID]) -> list[Product | None]:
        async with context.database.snapshot() as snapshot:
            rows = await list_products_by_ids(snapshot, context.caller.brand_id, ids)
        found = {row.id: row for row in rows}
        return [found.get(id) for id in ids]

    return DataLoader(load_fn=load)


def member_loader(context: Context) -> DataLoader[UUID, Member | None]:
    async def load(ids: Sequence[UUID]) -> list[Member | None]:
        async with context.database.snapshot() as snapshot:
            rows = await list_members_by_ids(snapshot, context.caller.brand_id, ids)
        found = {row.id: row for row in rows}
        return [found.get(id) for id in ids]

    return DataLoader(load_fn=load)


def identity_loader(context: Context) -> DataLoader[UUID, Identity | None]:
    async def load(ids: Sequence[UUID]) -> list[Identity | None]:
        async with context.database.snapshot() as snapshot:
            rows = await list_identities_by_ids(snapshot, context.caller.brand_id, ids)
        found = {row.id: row for row in rows}
        return [found.get(id) for id in ids]

    return DataLoader(load_fn=load)
