"""The auditor finds right books clean, and each kind of wrong row by its name."""

import ast
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Executable

from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger import audit as audit_module
from loyalty.ledger.audit import PROBES, Check, NoSuchBrand, audit
from loyalty.ledger.models import Transfer
from tests.loyalty.ledger.audited_books import write
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import Corruption, change, repeat, the_transfer
from tests.loyalty.ledger.corruptions_of_books import OF_BOOKS
from tests.loyalty.ledger.corruptions_of_limits import OF_LIMITS
from tests.loyalty.ledger.corruptions_of_scans import OF_SCANS
from tiers.standings.models import Standing

CORRUPTIONS = (*OF_BOOKS, *OF_SCANS, *OF_LIMITS)

_CONSTRAINTS = """
    SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT "' || conname || '" CASCADE'
    FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype IN ('p', 'u', 'c', 'f')
"""
_INDEXES = """
    SELECT 'DROP INDEX "' || indexname || '"' FROM pg_indexes
    WHERE tablename = '{table}' AND schemaname = current_schema()
"""


async def _unguard(db: Database, table: str) -> None:
    """Take a table's keys, checks and indexes away."""
    async with db.engine.connect() as connection:
        if db.dialect == "postgresql":
            for query in (_CONSTRAINTS, _INDEXES):
                drops = await connection.exec_driver_sql(query.format(table=table))
                for drop in drops.scalars().all():
                    await connection.exec_driver_sql(drop)
        else:
            for statement in (
                f"CREATE TABLE bare AS SELECT * FROM {table}",
                f"DROP TABLE {table}",
                f"ALTER TABLE bare RENAME TO {table}",
            ):
                await connection.exec_driver_sql(statement)
        await connection.commit()


async def _without_foreign_keys(db: Database) -> None:
    if db.dialect == "sqlite":
        async with db.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.execute("PRAGMA foreign_keys=OFF")


async def _execute(tx: Tx, statements: list[Executable]) -> None:
    connection = await tx.session.connection()
    for statement in statements:
        result = await connection.execute(statement)
        assert result.rowcount > 0, "the corruption corrupted nothing"


async def _two_brands(db: Database) -> tuple[AuditedBrand, AuditedBrand]:
    brands = AuditedBrand("tea"), AuditedBrand("milk")
    for brand in brands:
        await db.in_transaction(write, brand)
    return brands


def _broken(checks: list[Check]) -> dict[str, list[str]]:
    return {check.name: check.examples for check in checks if check.broken}


async def test_right_books_are_clean(db: Database) -> None:
    await _two_brands(db)
    assert _broken(await audit(db)) == {}


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
async def test_it_sees(db: Database, corruption: Corruption) -> None:
    brand, other = await _two_brands(db)
    await _without_foreign_keys(db)
    for table in corruption.tables:
        await _unguard(db, table)
    await db.in_transaction(_execute, corruption.acts(brand, other))
    checks = await audit(db)
    assert corruption.invariant in {check.invariant for check in checks if check.broken}
    assert set(_broken(checks)) == set(corruption.caught)


async def test_a_lot_is_good_until_midnight_in_the_brands_zone(db: Database) -> None:
    brand, _ = await _two_brands(db)
    last = datetime(2028, 11, 1, 15, 59, 59, 999999, tzinfo=UTC)
    moved = change(Transfer, the_transfer(brand, "move"), occurred_at=last)
    await db.in_transaction(_execute, [moved])
    assert _broken(await audit(db)) == {}


async def test_it_counts_all_offenders_and_names_five(db: Database) -> None:
    brand, _ = await _two_brands(db)
    await _unguard(db, "transfers")
    extra = [
        repeat(Transfer, the_transfer(brand, "growth of scan 1"), id=new_id(), amount=0)
        for _ in range(7)
    ]
    await db.in_transaction(_execute, extra)
    (check,) = [check for check in await audit(db) if check.broken]
    assert (check.broken, len(check.examples), check.invariant) == (7, 5, 1)
    assert check.name_zh == "流水金额为正且账户不同"
    assert UUID(check.examples[0].partition(":")[0]).version == 7


async def test_it_looks_at_one_brand_when_asked(db: Database) -> None:
    await _two_brands(db)
    named: list[str] = []
    one = {check.name: check.checked for check in await audit(db, "milk", named.append)}
    both = {check.name: check.checked for check in await audit(db)}
    assert named == list(one)
    assert 2 * one["debits equal credits"] == both["debits equal credits"] == 16
    with pytest.raises(NoSuchBrand):
        await audit(db, "beer")


async def test_it_reads_one_snapshot(db: Database) -> None:
    """What commits while the audit runs is not half seen by it."""
    brand, _ = await _two_brands(db)
    loop = asyncio.get_running_loop()
    writes: list[asyncio.Task[None]] = []
    lifted = change(Standing, {"brand_id": brand.id}, rank=5)

    def meanwhile(_: str) -> None:
        if not writes:
            writes.append(loop.create_task(db.in_transaction(_execute, [lifted])))

    assert _broken(await audit(db, None, meanwhile)) == {}
    await writes[0]
    broken = {check.name: check.broken for check in await audit(db) if check.broken}
    assert broken == {"a standing is where its changes led": 2}
    assert _broken(await audit(db, "milk")) == {}


def test_every_invariant_with_a_noun_is_asked() -> None:
    assert {probe.invariant for probe in PROBES} == {1, 2, 3, 4, 5, 6, 8, 9, 10, 12}
    assert len({probe.name for probe in PROBES}) == len(PROBES)


def test_each_check_has_a_corruption_that_it_sees() -> None:
    seen = {name for corruption in CORRUPTIONS for name in corruption.caught}
    unseen = {probe.name for probe in PROBES} - seen
    assert all(name.endswith("refers only to its own brand") for name in unseen), unseen


def test_it_shares_no_code_with_the_writers() -> None:
    imported = set()
    for path in Path(audit_module.__file__).parent.glob("audit*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    ours = {n for n in imported if n.partition(".")[0] not in sys.stdlib_module_names}
    assert {n for n in ours if not n.startswith("loyalty.ledger.audit_")} <= {
        "loyalty.db",
        "loyalty.settings",
    }
