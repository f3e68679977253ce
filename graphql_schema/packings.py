"""Packings (瓶箱关联): which bottles are in which boxes."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.codes import CodeBatch
from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.loaders import row_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, find_id_of
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.codes.models import CodeBatch as CodeBatchRow
from loyalty.codes.queries import list_batches_by_ids
from loyalty.codes.rules import serial_of
from loyalty.db import Tx
from loyalty.packings import queries, service
from loyalty.packings.models import Packing as PackingRow
from loyalty.packings.rules import Line

_batch_loader = row_loader(list_batches_by_ids)


@strawberry.type(
    description="Full boxes packed one after the other (瓶箱关联): perBox bottles from firstSerial"
    " on are in the box firstBoxSerial, as many after them in the next one, and so on."
)
class Packing(Node):
    id: strawberry.ID = id_field("Packing")
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PackingRow | cls)

    @strawberry.field(graphql_type=CodeBatch | None)
    async def bottle_batch(
        self, row: strawberry.Parent[PackingRow], info: Info
    ) -> CodeBatchRow | None:
        return await info.context.loader(_batch_loader).load(row.bottle_batch_id)

    @strawberry.field
    def first_serial(self, row: strawberry.Parent[PackingRow]) -> BigInt:
        return BigInt(serial_of(row.first_item_no))

    @strawberry.field(description="How many bottles.")
    def count(self, row: strawberry.Parent[PackingRow]) -> BigInt:
        return BigInt(row.last_item_no - row.first_item_no + 1)

    @strawberry.field
    def per_box(self, row: strawberry.Parent[PackingRow]) -> BigInt:
        return BigInt(row.per_box)

    @strawberry.field(graphql_type=CodeBatch | None)
    async def box_batch(
        self, row: strawberry.Parent[PackingRow], info: Info
    ) -> CodeBatchRow | None:
        return await info.context.loader(_batch_loader).load(row.box_batch_id)

    @strawberry.field
    def first_box_serial(self, row: strawberry.Parent[PackingRow]) -> BigInt:
        return BigInt(serial_of(row.first_box_item_no))


@strawberry.input(
    description="One line for one or more full boxes. Serials begin with 0 in each batch; of"
    " batches with the same serials, either tells of the same bottle or box."
)
class PackBoxesInput:
    idempotency_key: strawberry.ID
    bottle_batch_id: strawberry.ID = strawberry.field(description="Of INNER or OUTER codes.")
    first_serial: BigInt
    count: BigInt = strawberry.field(description="How many bottles: a multiple of perBox.")
    per_box: BigInt
    box_batch_id: strawberry.ID = strawberry.field(description="Of BOX_INNER or BOX_OUTER codes.")
    first_box_serial: BigInt


@strawberry.type
class PackBoxesReceipt:
    replayed: bool
    packing: PackingRow = strawberry.field(graphql_type=Packing)


PackBoxesResult = Annotated[PackBoxesReceipt | Refused, strawberry.union("PackBoxesResult")]


async def fetch_packing(context: Context, id: UUID) -> PackingRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await queries.find_packing(snapshot, context.caller.brand_id, id)


@strawberry.type
class PackingQuery:
    @strawberry.field(graphql_type=Connection[Packing], extensions=[HasGrant(Grant.READ)])
    async def packings(
        self,
        info: Info,
        batch_id: strawberry.ID | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[PackingRow]:
        """What was packed, the newest first: all, or of one batch, of bottles or of boxes; nothing
        of one that the brand does not have."""
        batch = None
        if batch_id is not None:
            batch = find_id_of("CodeBatch", batch_id) or UUID(int=0)
        read = partial(queries.list_packings, batch_id=batch)
        return await page_of_brand(info.context, read, first, after)


@strawberry.type
class PackingMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CODES)])
    async def pack_boxes(self, info: Info, input: PackBoxesInput) -> PackBoxesResult:
        """Tell which bottles are in which boxes (瓶箱关联), for good: a bottle is in one box."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            packing = await service.pack_boxes(
                tx,
                actor,
                bottle_batch_id=local_id("CodeBatch", input.bottle_batch_id),
                box_batch_id=local_id("CodeBatch", input.box_batch_id),
                line=Line(input.first_serial, input.count, input.per_box, input.first_box_serial),
            )
            return {"id": packing.id.hex}

        reply, replayed = await effect_once(info.context, "packBoxes", input, verb)
        row = await fetch_packing(info.context, UUID(hex=reply["id"]))
        if row is None:
            raise LookupError("a packing is gone")
        return PackBoxesReceipt(replayed=replayed, packing=row)
