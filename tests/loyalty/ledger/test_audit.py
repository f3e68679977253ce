"""What the auditor reads, counts and says. What it finds: ``test_corruptions.py``."""

import ast
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.ledger import audit as audit_module
from loyalty.ledger.audit import PROBES, NoSuchBrand, audit
from loyalty.ledger.models import Transfer
from migrations.metadata import metadata
from server.audit_table import INVARIANTS
from tests.loyalty.ledger.audited_books import write
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import broken, change, execute, repeat, the_transfer
from tiers.standings.models import Standing


async def _two_brands(db: Database) -> tuple[AuditedBrand, AuditedBrand]:
    brands = AuditedBrand("tea"), AuditedBrand("milk")
    for brand in brands:
        await db.in_transaction(write, brand)
    return brands


async def test_right_books_are_clean(db: Database) -> None:
    await _two_brands(db)
    assert broken(await audit(db)) == {}


async def test_a_lot_is_good_until_midnight_in_the_brands_zone(db: Database) -> None:
    brand, _ = await _two_brands(db)
    last = datetime(2028, 11, 1, 15, 59, 59, 999999, tzinfo=UTC)
    moved = change(Transfer, the_transfer(brand, "move"), occurred_at=last)
    await db.in_transaction(execute, [moved])
    assert broken(await audit(db)) == {}


async def test_it_counts_all_offenders_and_names_five(db: Database) -> None:
    brand, _ = await _two_brands(db)
    extra = [
        repeat(Transfer, the_transfer(brand, "move"), id=new_id(), phase="GIVEN") for _ in range(7)
    ]
    await db.in_transaction(execute, extra)
    check = next(check for check in await audit(db) if check.broken)
    assert (check.broken, len(check.examples), check.invariant) == (7, 5, 1)
    assert check.name_zh == "流水金额为正且账户不同"
    assert UUID(check.examples[0].partition(":")[0]).version == 7


async def test_it_looks_at_one_brand_when_asked(db: Database) -> None:
    await _two_brands(db)
    named: list[str] = []
    one = {check.name: check.checked for check in await audit(db, "milk", named.append)}
    both = {check.name: check.checked for check in await audit(db)}
    assert named == list(one)
    of_partner = 2  # accounts of the brand with which each of the two clears
    own = one["debits equal credits"]
    assert 2 * (own + of_partner) == both["debits equal credits"] == 74
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
            writes.append(loop.create_task(db.in_transaction(execute, [lifted])))

    assert broken(await audit(db, None, meanwhile)) == {}
    await writes[0]
    found = {check.name: check.broken for check in await audit(db) if check.broken}
    assert found == {
        "a standing is where its changes led": 2,
        "a level is the better of what was earned and what was given": 2,
    }
    assert broken(await audit(db, "milk")) == {}


def test_every_invariant_with_a_noun_is_asked() -> None:
    assert {probe.invariant for probe in PROBES} == set(INVARIANTS) == set(range(1, 13))
    assert len({probe.name for probe in PROBES}) == len(PROBES)


def test_it_follows_every_reference_of_every_table() -> None:
    asked = " ".join(" ".join(probe.sql.split()) for probe in PROBES if probe.invariant == 12)
    for table in metadata.sorted_tables:
        if "brand_id" not in table.columns:
            continue
        assert f"FROM {table.name} r LEFT JOIN brands b ON" in asked
        for key in table.foreign_key_constraints:
            target, column = key.referred_table.name, key.column_keys[-1]
            if target != "brands":
                assert f"FROM {table.name} r LEFT JOIN {target} x ON x.brand_id" in asked
                assert f"AND x.id = r.{column} WHERE" in asked


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
        "cel",  # the language of conditions, asked directly: nothing of ours
        "loyalty.db",
        "loyalty.settings",
    }
