"""The SQL of returns."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, insert_statement
from loyalty.ledger.models import Transfer
from loyalty.statements import columns_of
from rewards.returns.models import PurchaseReturn, PurchaseReturnLine, PurchaseReturnTaking

_RETURN = columns_of(PurchaseReturn)
_NAMES = ", ".join(PurchaseReturn.model_fields)

INSERT_RETURN = Statement(
    f"""
    INSERT INTO purchase_returns ({_NAMES}) SELECT {_NAMES} FROM {{rows}} WHERE true
    ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={"rows": _RETURN},
    returns="id uuid",
)

INSERT_LINES = insert_statement(PurchaseReturnLine, columns_of(PurchaseReturnLine))

INSERT_TAKINGS = insert_statement(PurchaseReturnTaking, columns_of(PurchaseReturnTaking))


async def find_return_by_ref(
    snapshot: Snapshot, brand_id: UUID, return_ref: str
) -> PurchaseReturn | None:
    found = await snapshot.session.exec(
        select(PurchaseReturn).where(
            col(PurchaseReturn.brand_id) == brand_id, col(PurchaseReturn.return_ref) == return_ref
        )
    )
    return found.first()


async def list_returns(
    snapshot: Snapshot, brand_id: UUID, purchase_ids: Sequence[UUID]
) -> list[PurchaseReturn]:
    """The returns of purchases, oldest first."""
    found = await snapshot.session.exec(
        select(PurchaseReturn)
        .where(
            col(PurchaseReturn.brand_id) == brand_id,
            col(PurchaseReturn.purchase_id).in_(purchase_ids),
        )
        .order_by(col(PurchaseReturn.id))
    )
    return list(found)


async def list_lines(
    snapshot: Snapshot, brand_id: UUID, return_ids: Sequence[UUID]
) -> list[PurchaseReturnLine]:
    """The lines of returns, each one's in their order."""
    found = await snapshot.session.exec(
        select(PurchaseReturnLine)
        .where(
            col(PurchaseReturnLine.brand_id) == brand_id,
            col(PurchaseReturnLine.return_id).in_(return_ids),
        )
        .order_by(col(PurchaseReturnLine.return_id), col(PurchaseReturnLine.line_no))
    )
    return list(found)


async def list_takings(
    snapshot: Snapshot, brand_id: UUID, return_ids: Sequence[UUID]
) -> list[PurchaseReturnTaking]:
    """What returns took, each one's by role and asset."""
    found = await snapshot.session.exec(
        select(PurchaseReturnTaking)
        .where(
            col(PurchaseReturnTaking.brand_id) == brand_id,
            col(PurchaseReturnTaking.return_id).in_(return_ids),
        )
        .order_by(
            col(PurchaseReturnTaking.return_id),
            col(PurchaseReturnTaking.role),
            col(PurchaseReturnTaking.asset),
        )
    )
    return list(found)


async def list_transfer_times(
    snapshot: Snapshot, brand_id: UUID, transfer_ids: Sequence[UUID]
) -> dict[UUID, datetime]:
    """When the events of transfers occurred."""
    rows = await keyed.list_rows_by_ids(snapshot, Transfer, brand_id, transfer_ids)
    return {row.id: row.occurred_at for row in rows}
