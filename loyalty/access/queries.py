"""How operators and sign-in codes are found, always inside one brand."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
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


async def set_failures(
    tx: Tx, operator: Operator, failed_attempts: int, locked_until: datetime | None
) -> None:
    """Count failed sign-ins of an operator that the caller has locked."""
    await tx.session.exec(
        update(Operator)
        .where(col(Operator.brand_id) == operator.brand_id, col(Operator.id) == operator.id)
        .values(failed_attempts=failed_attempts, locked_until=locked_until)
        .execution_options(synchronize_session=False)
    )


async def take_attempt(tx: Tx, code: SignInCode) -> bool:
    """Use up one guess of a living code; False when there is none left, or it is dead."""
    guess = await tx.session.exec(
        update(SignInCode)
        .where(
            col(SignInCode.brand_id) == code.brand_id,
            col(SignInCode.id) == code.id,
            col(SignInCode.attempts_left) > 0,
            col(SignInCode.used_at).is_(None),
            col(SignInCode.expires_at) > tx.now,
        )
        .values(attempts_left=col(SignInCode.attempts_left) - 1)
        .execution_options(synchronize_session=False)
    )
    return guess.rowcount == 1


async def use_code(tx: Tx, code: SignInCode) -> bool:
    """Use a code for good; False when somebody was first."""
    use = await tx.session.exec(
        update(SignInCode)
        .where(
            col(SignInCode.brand_id) == code.brand_id,
            col(SignInCode.id) == code.id,
            col(SignInCode.used_at).is_(None),
        )
        .values(used_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return use.rowcount == 1
