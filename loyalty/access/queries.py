"""How operators and sign-in codes are found, always inside one brand."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from loyalty.access.models import Operator, SignInCode
from loyalty.db import Snapshot, Tx
from loyalty.errors import NotFound


async def find_operator_by_email(snapshot: Snapshot, brand_id: UUID, email: str) -> Operator | None:
    """By the normalised address."""
    found = await snapshot.session.exec(
        select(Operator).where(col(Operator.brand_id) == brand_id, col(Operator.email) == email)
    )
    return found.first()


async def get_operator(snapshot: Snapshot, brand_id: UUID, operator_id: UUID) -> Operator:
    found = await snapshot.session.exec(
        select(Operator).where(col(Operator.brand_id) == brand_id, col(Operator.id) == operator_id)
    )
    operator = found.first()
    if operator is None:
        raise NotFound(noun="operator")
    return operator


async def lock_operator(tx: Tx, brand_id: UUID, operator_id: UUID) -> Operator | None:
    """The row as it is now, and nobody else changes it until this transaction ends."""
    found = await tx.session.exec(
        select(Operator)
        .where(col(Operator.brand_id) == brand_id, col(Operator.id) == operator_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.first()


async def list_code_times(
    tx: Tx, brand_id: UUID, phone_hash: str, since: datetime
) -> Sequence[datetime]:
    """When codes were made for a phone after ``since``, oldest first."""
    found = await tx.session.exec(
        select(SignInCode.created_at)
        .where(
            col(SignInCode.brand_id) == brand_id,
            col(SignInCode.phone_hash) == phone_hash,
            col(SignInCode.created_at) > since,
        )
        .order_by(col(SignInCode.created_at))
    )
    return found.all()


async def find_newest_code(tx: Tx, brand_id: UUID, phone_hash: str) -> SignInCode | None:
    found = await tx.session.exec(
        select(SignInCode)
        .where(col(SignInCode.brand_id) == brand_id, col(SignInCode.phone_hash) == phone_hash)
        .order_by(col(SignInCode.created_at).desc(), col(SignInCode.id).desc())
        .limit(1)
    )
    return found.first()
