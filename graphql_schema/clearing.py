"""Clearing between brands (联盟清算), for finance of both."""

from functools import partial
from typing import Annotated, TypeVar
from uuid import UUID

import strawberry
from sqlmodel import SQLModel

from graphql_schema.clearing_types import (
    ClearingAdjustment,
    ClearingEntry,
    ClearingPosition,
    ClearingStatement,
)
from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import local_id
from graphql_schema.pagination import Connection, find_id_of
from graphql_schema.permissions import HasGrant, HasGrantOrScope
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty import keyed
from loyalty.actor import Actor, Grant, Scope
from loyalty.brands.service import find_brand_by_slug
from loyalty.db import Tx
from loyalty.errors import NotFound
from rewards.clearing import queries, statements
from rewards.clearing.models import ClearingAdjustment as AdjustmentRow
from rewards.clearing.models import ClearingEntry as EntryRow
from rewards.clearing.models import ClearingPosition as PositionRow
from rewards.clearing.models import ClearingStatement as StatementRow

NOBODY = UUID(int=0)
READERS = HasGrantOrScope(Grant.READ, Scope.READ_STATEMENTS)

Row = TypeVar("Row", bound=SQLModel)


@strawberry.input
class ConfirmClearingStatementInput:
    idempotency_key: strawberry.ID
    statement_id: strawberry.ID
    closing_fen: BigInt = strawberry.field(description="What was read: it may be adjusted.")


@strawberry.input
class ProposeClearingAdjustmentInput:
    idempotency_key: strawberry.ID
    partner_slug: str
    owed_fen: BigInt = strawberry.field(
        description="What the brand would owe the partner more; less, below zero."
    )
    reason: str = strawberry.field(description="The partner reads it.")


@strawberry.input
class DecideClearingAdjustmentInput:
    idempotency_key: strawberry.ID
    clearing_adjustment_id: strawberry.ID
    accept: bool = strawberry.field(
        description="False declines; of one's own proposal it takes it back."
    )


@strawberry.input
class RecordClearingPaymentInput:
    idempotency_key: strawberry.ID
    partner_slug: str
    amount_fen: BigInt
    reference: str = strawberry.field(description="Of the bank's; the partner reads it.")


@strawberry.type
class ConfirmClearingStatementReceipt:
    replayed: bool
    statement: StatementRow = strawberry.field(graphql_type=ClearingStatement)


@strawberry.type
class ProposeClearingAdjustmentReceipt:
    replayed: bool
    adjustment: AdjustmentRow = strawberry.field(graphql_type=ClearingAdjustment)


@strawberry.type
class DecideClearingAdjustmentReceipt:
    replayed: bool
    adjustment: AdjustmentRow = strawberry.field(graphql_type=ClearingAdjustment)


@strawberry.type
class RecordClearingPaymentReceipt:
    replayed: bool
    entry: EntryRow = strawberry.field(graphql_type=ClearingEntry)


ConfirmClearingStatementResult = Annotated[
    ConfirmClearingStatementReceipt | Refused, strawberry.union("ConfirmClearingStatementResult")
]
ProposeClearingAdjustmentResult = Annotated[
    ProposeClearingAdjustmentReceipt | Refused, strawberry.union("ProposeClearingAdjustmentResult")
]
DecideClearingAdjustmentResult = Annotated[
    DecideClearingAdjustmentReceipt | Refused, strawberry.union("DecideClearingAdjustmentResult")
]
RecordClearingPaymentResult = Annotated[
    RecordClearingPaymentReceipt | Refused, strawberry.union("RecordClearingPaymentResult")
]


async def fetch_own(context: Context, model: type[Row], id: UUID) -> Row | None:
    """For ``node``: operators of either side, each its own copy."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await keyed.find_row(snapshot, model, context.caller.brand_id, id)


async def fetch_statement(context: Context, id: UUID) -> StatementRow | None:
    return await fetch_own(context, StatementRow, id)


async def fetch_entry(context: Context, id: UUID) -> EntryRow | None:
    return await fetch_own(context, EntryRow, id)


async def fetch_adjustment(context: Context, id: UUID) -> AdjustmentRow | None:
    return await fetch_own(context, AdjustmentRow, id)


async def partner_id_of(tx: Tx, slug: str) -> UUID:
    """NotFound as for a brand that is no partner: nobody learns which brands there are."""
    brand = await find_brand_by_slug(tx, slug)
    if brand is None:
        raise NotFound(noun="partner")
    return brand.id


@strawberry.type
class ClearingQuery:
    @strawberry.field(graphql_type=list[ClearingPosition], extensions=[READERS])
    async def clearing_positions(self, info: Info) -> list[PositionRow]:
        """How the brand stands with each of its partners."""
        async with info.context.database.snapshot() as snapshot:
            return await queries.list_positions(snapshot, info.context.caller.brand_id)

    @strawberry.field(graphql_type=Connection[ClearingStatement], extensions=[READERS])
    async def clearing_statements(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[StatementRow]:
        """Statements with all partners, newest first."""
        return await page_of_brand(info.context, queries.list_statements, first, after)

    @strawberry.field(graphql_type=Connection[ClearingEntry], extensions=[READERS])
    async def clearing_entries(
        self,
        info: Info,
        statement_id: strawberry.ID | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[EntryRow]:
        """What came to be owed: of a statement, or in all periods; newest first."""
        id = None
        if statement_id is not None:
            id = find_id_of("ClearingStatement", statement_id) or NOBODY
        return await page_of_brand(
            info.context, partial(queries.list_entries, statement_id=id), first, after
        )

    @strawberry.field(graphql_type=Connection[ClearingAdjustment], extensions=[READERS])
    async def clearing_adjustments(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[AdjustmentRow]:
        """What either side wants to be put right, newest first."""
        return await page_of_brand(info.context, queries.list_adjustments, first, after)


@strawberry.type
class ClearingMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def confirm_clearing_statement(
        self, info: Info, input: ConfirmClearingStatementInput
    ) -> ConfirmClearingStatementResult:
        """Confirm for the brand what a statement closes at. Frozen once both have."""

        async def step(tx: Tx, actor: Actor) -> StatementRow:
            id = local_id("ClearingStatement", input.statement_id)
            return await statements.confirm_statement(tx, actor, id, int(input.closing_fen))

        operation = "confirmClearingStatement"
        row, replayed = await row_once(info.context, operation, input, StatementRow, step)
        return ConfirmClearingStatementReceipt(replayed=replayed, statement=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def propose_clearing_adjustment(
        self, info: Info, input: ProposeClearingAdjustmentInput
    ) -> ProposeClearingAdjustmentResult:
        """Propose to a partner that something be put right; nothing moves before it accepts."""

        async def step(tx: Tx, actor: Actor) -> AdjustmentRow:
            partner_id = await partner_id_of(tx, input.partner_slug)
            owed_fen = int(input.owed_fen)
            return await statements.propose_adjustment(
                tx, actor, partner_id, owed_fen, input.reason
            )

        operation = "proposeClearingAdjustment"
        row, replayed = await row_once(info.context, operation, input, AdjustmentRow, step)
        return ProposeClearingAdjustmentReceipt(replayed=replayed, adjustment=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def decide_clearing_adjustment(
        self, info: Info, input: DecideClearingAdjustmentInput
    ) -> DecideClearingAdjustmentResult:
        """Accept or decline what the partner proposed, or take one's own proposal back. What is
        accepted goes into the last statement, unless both have confirmed that."""

        async def step(tx: Tx, actor: Actor) -> AdjustmentRow:
            id = local_id("ClearingAdjustment", input.clearing_adjustment_id)
            return await statements.decide_adjustment(tx, actor, id, accept=input.accept)

        operation = "decideClearingAdjustment"
        row, replayed = await row_once(info.context, operation, input, AdjustmentRow, step)
        return DecideClearingAdjustmentReceipt(replayed=replayed, adjustment=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def record_clearing_payment(
        self, info: Info, input: RecordClearingPaymentInput
    ) -> RecordClearingPaymentResult:
        """Note money that the brand has received from a partner: it owes so much less, or has paid
        in for what it will issue."""

        async def step(tx: Tx, actor: Actor) -> EntryRow:
            partner_id = await partner_id_of(tx, input.partner_slug)
            entry_id = await statements.record_payment(
                tx, actor, partner_id, int(input.amount_fen), input.reference
            )
            return await queries.get_entry(tx, actor.brand_id, entry_id)

        operation = "recordClearingPayment"
        row, replayed = await row_once(info.context, operation, input, EntryRow, step)
        return RecordClearingPaymentReceipt(replayed=replayed, entry=row)
