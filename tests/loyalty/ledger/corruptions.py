"""What breaks right books behind the engine's back, and how to say which rows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Table, delete, insert, inspect, literal, select, update
from sqlmodel import SQLModel

from loyalty.db import Tx
from loyalty.ledger.audit import Check
from tests.loyalty.ledger.audited_brand import GOOD_UNTIL, SERIES, AuditedBrand


@dataclass(frozen=True)
class Corruption:
    """``acts`` makes the statements from the brand to break and a right one beside it; ``caught``
    are exactly the checks that must see it.

    ``tables`` lose their keys and constraints first: the audit must not lean on what a restored
    dump or a mistaken migration may have lost.
    """

    name: str
    invariant: int
    acts: Callable[[AuditedBrand, AuditedBrand], list[Executable]]
    caught: tuple[str, ...]
    tables: tuple[str, ...] = ()


def _table(model: type[SQLModel]) -> Table:
    table: Table = inspect(model).local_table
    return table


def change(model: type[SQLModel], where: dict[str, Any], **values: Any) -> Executable:
    """Overwrite columns of the rows that match."""
    table = _table(model)
    return update(table).where(*(table.c[n] == v for n, v in where.items())).values(**values)


def add(model: type[SQLModel], where: dict[str, Any], column: str, amount: int) -> Executable:
    """Add to a number."""
    table = _table(model)
    matches = (table.c[n] == v for n, v in where.items())
    return update(table).where(*matches).values({column: table.c[column] + amount})


def remove(model: type[SQLModel], **where: Any) -> Executable:
    """Delete the rows that match."""
    table = _table(model)
    return delete(table).where(*(table.c[n] == v for n, v in where.items()))


def repeat(model: type[SQLModel], where: dict[str, Any], **changes: Any) -> Executable:
    """Insert the rows that match once more, with some columns changed."""
    table = _table(model)
    columns = [literal(changes[c.name], c.type) if c.name in changes else c for c in table.columns]
    source = select(*columns).where(*(table.c[n] == v for n, v in where.items()))
    return insert(table).from_select([c.name for c in table.columns], source)


def the_transfer(brand: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.transfers[name]}


def the_scan(brand: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.scans[name]}


def the_account(brand: AuditedBrand, owner_id: UUID, asset: str = "POINTS") -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.account(owner_id, asset)}


def the_lot(
    brand: AuditedBrand, owner_id: UUID, on: date = GOOD_UNTIL, asset: str = "POINTS"
) -> dict[str, Any]:
    return {"brand_id": brand.id, "account_id": brand.account(owner_id, asset), "expires_on": on}


def the_reversal(brand: AuditedBrand, transfer: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "transfer_id": brand.transfers[transfer]}


def the_claim(brand: AuditedBrand, serial: int, role: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "item_no": SERIES + serial, "beneficiary_role": role}


def the_counter(brand: AuditedBrand, kind: str, subject: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "subject_kind": kind, "subject": subject}


def the_code(brand: AuditedBrand, serial: int) -> dict[str, Any]:
    return {"brand_id": brand.id, "item_no": SERIES + serial, "kind": "INNER"}


def the_coupon(brand: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.coupons[name]}


def the_template(brand: AuditedBrand, code: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.templates[code]}


def the_redemption(brand: AuditedBrand, coupon: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.redemptions[coupon]}


def the_step(brand: AuditedBrand, coupon: str, step: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "redemption_id": brand.redemptions[coupon], "step": step}


def the_payout(brand: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.payouts[name]}


async def execute(tx: Tx, statements: list[Executable]) -> None:
    connection = await tx.session.connection()
    for statement in statements:
        result = await connection.execute(statement)
        assert result.rowcount > 0, "the corruption corrupted nothing"


def broken(checks: list[Check]) -> dict[str, list[str]]:
    """Examples by the names of the checks that found something."""
    return {check.name: check.examples for check in checks if check.broken}


STRANGER = UUID(int=7)
