"""Codes: batches for operators, and what a code says of its item."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import BatchStatus, CodeKind, CodePurpose, Verdict
from graphql_schema.loaders import product_loader
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, Cursor, connection_of, page_of
from graphql_schema.permissions import HasGrant, IsSignedIn
from graphql_schema.products import Product
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.codes import queries, service
from loyalty.codes.models import CodeBatch as CodeBatchRow
from loyalty.db import Tx
from loyalty.errors import CodeUnknown
from loyalty.products.models import Product as ProductRow
from loyalty.text import checked_text
from rewards.scans.items import ItemView, look_at_item

CURSOR = Cursor(int)
REASON_LENGTH_MAX = 500


@strawberry.type(description="A print run of codes (码批次).")
class CodeBatch(Node):
    id: strawberry.ID = id_field("CodeBatch")
    number: BigInt
    kind: CodeKind
    purpose: CodePurpose
    quantity: BigInt
    status: BatchStatus
    printed_at: datetime | None
    activated_at: datetime | None
    retired_at: datetime | None
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, CodeBatchRow | cls)

    @strawberry.field(graphql_type=Product | None)
    async def product(self, row: strawberry.Parent[CodeBatchRow], info: Info) -> ProductRow | None:
        return await info.context.loader(product_loader).load(row.product_id)


@strawberry.type(description="When, and about where: to some ten kilometres.")
class Sighting:
    at: datetime
    latitude: float | None
    longitude: float | None


@strawberry.type(description="What a code says of its item; looking claims nothing.")
class Item:
    verdict: Verdict
    claimed: bool = strawberry.field(description="Whether the consumer's reward is taken.")
    kind: CodeKind
    scan_count: BigInt
    first_scan: Sighting | None
    latest_scan: Sighting | None
    product: ProductRow | None = strawberry.field(graphql_type=Product | None)


ItemResult = Annotated[Item | Refused, strawberry.union("ItemResult")]


@strawberry.type
class CodeBatchesReceipt:
    replayed: bool
    batches: list[CodeBatchRow] = strawberry.field(graphql_type=list[CodeBatch])


@strawberry.input
class CreateCodeBatchInput:
    idempotency_key: strawberry.ID
    product_id: strawberry.ID
    quantity: BigInt
    kinds: list[CodeKind]


@strawberry.input
class ActivateCodeBatchInput:
    idempotency_key: strawberry.ID
    id: strawberry.ID
    include_paired: bool = True


@strawberry.input
class RetireCodeBatchInput:
    idempotency_key: strawberry.ID
    id: strawberry.ID
    reason: str
    include_paired: bool = True


CreateCodeBatchResult = Annotated[
    CodeBatchesReceipt | Refused, strawberry.union("CreateCodeBatchResult")
]
ActivateCodeBatchResult = Annotated[
    CodeBatchesReceipt | Refused, strawberry.union("ActivateCodeBatchResult")
]
RetireCodeBatchResult = Annotated[
    CodeBatchesReceipt | Refused, strawberry.union("RetireCodeBatchResult")
]


async def fetch_batch(context: Context, id: UUID) -> CodeBatchRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await queries.find_batch(snapshot, context.caller.brand_id, id)


async def _receipt(context: Context, reply: dict[str, Any], replayed: bool) -> CodeBatchesReceipt:
    async with context.database.snapshot() as snapshot:
        batches = await queries.list_batches_by_ids(
            snapshot, context.caller.brand_id, [UUID(hex=id) for id in reply["ids"]]
        )
    return CodeBatchesReceipt(
        replayed=replayed, batches=sorted(batches, key=lambda batch: batch.number)
    )


def _ids(batches: list[CodeBatchRow]) -> dict[str, Any]:
    return {"ids": [batch.id.hex for batch in batches]}


@strawberry.type
class CodeQuery:
    @strawberry.field(graphql_type=Connection[CodeBatch], extensions=[HasGrant(Grant.READ)])
    async def code_batches(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[CodeBatchRow]:
        """The brand's batches, newest first."""
        page = page_of(CURSOR, first, after)
        async with info.context.database.snapshot() as snapshot:
            rows = await queries.list_batches(
                snapshot,
                info.context.caller.brand_id,
                below_number=page.start[0] if page.start else None,
                limit=page.limit,
            )
        return connection_of(rows, page, CURSOR, key=lambda row: (row.number,))

    @strawberry.field(extensions=[IsSignedIn()])
    async def item(self, info: Info, code: str) -> ItemResult:
        """The verdict on a code, without claiming anything."""
        context = info.context
        context.check_guessing()
        brand_id = context.caller.brand_id
        recognised = await context.services.scans.recognise(brand_id, code)
        try:
            async with context.database.snapshot() as snapshot:
                view = await look_at_item(snapshot, brand_id, recognised)
        except CodeUnknown:
            context.count_guess()
            raise
        return _item(view)


def _item(view: ItemView) -> Item:
    code = view.code
    return Item(
        verdict=view.verdict,
        claimed=view.claimed,
        kind=CodeKind(view.batch.kind),
        scan_count=BigInt(code.scan_count if code else 0),
        first_scan=None
        if code is None
        else Sighting(
            at=code.first_scanned_at,
            latitude=_rounded(code.first_latitude),
            longitude=_rounded(code.first_longitude),
        ),
        latest_scan=None
        if code is None
        else Sighting(at=code.last_scanned_at, latitude=None, longitude=None),
        product=view.product,
    )


def _rounded(degrees: float | None) -> float | None:
    return None if degrees is None else round(degrees, 1)


@strawberry.type
class CodeMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CODES)])
    async def create_code_batch(
        self, info: Info, input: CreateCodeBatchInput
    ) -> CreateCodeBatchResult:
        """Order codes for a product: one batch a kind, which share their items (瓶盖内外关联)."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            return _ids(
                await service.create_batches(
                    tx,
                    actor,
                    info.context.keyring,
                    product_id=local_id("Product", input.product_id),
                    quantity=input.quantity,
                    kinds=input.kinds,
                )
            )

        reply, replayed = await effect_once(info.context, "createCodeBatch", input, verb)
        return await _receipt(info.context, reply, replayed)

    @strawberry.mutation(extensions=[HasGrant(Grant.CODES)])
    async def activate_code_batch(
        self, info: Info, input: ActivateCodeBatchInput
    ) -> ActivateCodeBatchResult:
        """Let a printed batch be scanned for rewards (激活), with the batch it is paired with."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            batch_id = local_id("CodeBatch", input.id)
            return _ids(await service.activate_batch(tx, actor, batch_id, input.include_paired))

        reply, replayed = await effect_once(info.context, "activateCodeBatch", input, verb)
        return await _receipt(info.context, reply, replayed)

    @strawberry.mutation(extensions=[HasGrant(Grant.CODES)])
    async def retire_code_batch(
        self, info: Info, input: RetireCodeBatchInput
    ) -> RetireCodeBatchResult:
        """Let a batch pay no more, for good (作废)."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            batch_id = local_id("CodeBatch", input.id)
            reason = checked_text(input.reason, "reason", length_max=REASON_LENGTH_MAX)
            return _ids(
                await service.retire_batch(tx, actor, batch_id, input.include_paired, reason)
            )

        reply, replayed = await effect_once(info.context, "retireCodeBatch", input, verb)
        return await _receipt(info.context, reply, replayed)
