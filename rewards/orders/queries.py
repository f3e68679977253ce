"""The SQL of orders, always inside one brand."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, Tx, insert_statement
from rewards.offers.terms import Part
from rewards.orders.models import OfferOrder, OfferOrderPart, OrderStatus, PartPurpose

# Through the accounts of the member: transfers are not found by their causes alone.
FIND_PAYMENTS = Statement(
    """
    SELECT t.id
    FROM {payers}
    {each:a accounts ON a.brand_id = payers.brand_id AND a.owner_id = payers.member_id
        AND a.kind = 'MAIN'}
    {each:t transfers ON t.brand_id = a.brand_id AND t.debit_account_id = a.id
        AND t.kind <> 'EARN' AND t.kind = 'SPEND' AND t.cause_id = payers.order_id}
    """,
    sets={"payers": "brand_id uuid, member_id uuid, order_id uuid"},
    returns="id uuid",
)

INSERT_PARTS = insert_statement(
    OfferOrderPart,
    "brand_id uuid, order_id uuid, purpose text, asset text, amount bigint",
)


async def find_order(snapshot: Snapshot, brand_id: UUID, order_id: UUID) -> OfferOrder | None:
    """The row as it is now."""
    return await keyed.find_row(snapshot, OfferOrder, brand_id, order_id)


async def get_order(snapshot: Snapshot, brand_id: UUID, order_id: UUID) -> OfferOrder:
    """The row as it is now; NotFound when the brand has none such."""
    return await keyed.get_row(snapshot, OfferOrder, brand_id, order_id, "order")


async def list_orders_by_ids(
    snapshot: Snapshot, brand_id: UUID, order_ids: Sequence[UUID]
) -> list[OfferOrder]:
    """Those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, OfferOrder, brand_id, order_ids)


async def list_orders(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    status: OrderStatus | None = None,
    before: UUID | None,
    limit: int,
) -> list[OfferOrder]:
    """The brand's orders, newest first, older than the id ``before``: in one status, or all."""
    conditions = [] if status is None else [col(OfferOrder.status) == status.value]
    return await keyed.list_newest(
        snapshot, OfferOrder, brand_id, *conditions, before=before, limit=limit
    )


async def list_orders_of_members(
    snapshot: Snapshot,
    brand_id: UUID,
    member_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[OfferOrder]:
    """Up to ``limit`` orders of each of some members, newest first, older than ``before``."""
    return await keyed.list_newest_of_each(
        snapshot, OfferOrder, brand_id, "member_id", member_ids, before=before, limit=limit
    )


async def end_order(
    tx: Tx, brand_id: UUID, order_id: UUID, status: OrderStatus, values: dict[str, Any]
) -> bool:
    """End an order that is PLACED, once; False when it is not."""
    ended = await tx.session.exec(
        update(OfferOrder)
        .where(
            col(OfferOrder.brand_id) == brand_id,
            col(OfferOrder.id) == order_id,
            col(OfferOrder.status) == OrderStatus.PLACED.value,
        )
        .values(status=status.value, **values)
        .execution_options(synchronize_session=False)
    )
    return ended.rowcount == 1


async def write_parts(
    tx: Tx, order: OfferOrder, parts: Mapping[PartPurpose, Sequence[Part]]
) -> None:
    """The amounts in an order, by what they are."""
    rows = [
        (order.brand_id, order.id, purpose.value, part.asset, part.amount)
        for purpose, found in parts.items()
        for part in found
    ]
    if rows:
        await tx.fetch(INSERT_PARTS, rows=sorted(rows))


async def list_payments(tx: Tx, order: OfferOrder) -> list[UUID]:
    """The transfers that paid for an order."""
    payer = (order.brand_id, order.member_id, order.id)
    return [row[0] for row in await tx.fetch(FIND_PAYMENTS, payers=[payer])]


async def list_parts(
    snapshot: Snapshot, brand_id: UUID, order_ids: Sequence[UUID]
) -> list[OfferOrderPart]:
    """For loaders: the amounts in orders, price first."""
    found = await snapshot.session.exec(
        select(OfferOrderPart)
        .where(
            col(OfferOrderPart.brand_id) == brand_id, col(OfferOrderPart.order_id).in_(order_ids)
        )
        .order_by(col(OfferOrderPart.purpose).desc(), col(OfferOrderPart.asset))
    )
    return list(found)
