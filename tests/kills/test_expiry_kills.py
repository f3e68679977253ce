"""SIGKILL of the real ``loyalty ledger expire`` between its chunks: run again, it goes on, and each
lot has expired once."""

import asyncio
import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import col, func, select

from loyalty.clock import local_date, utc_now
from loyalty.db import Database
from loyalty.ledger.models import Account, ExpiryRun, Transfer
from tests.brands_made import make_brand
from tests.child import stop_child
from tests.forks import run_command, start_command
from tests.kills.holding import process_is_gone
from tests.loyalty.ledger.lots_made import POINTS, add_members, give
from tests.races.arena import audit_findings

MEMBERS, LOTS_EACH, UNITS = 10, 24, 3
LOTS = MEMBERS * LOTS_EACH
KILLED_AFTER = LOTS // 6  # long before its end, on a busy machine too
WAIT_SECONDS_MAX = 60


def command(slug: str, chunk: int) -> list[str]:
    return ["ledger", "expire", "--brand", slug, "--chunk", str(chunk), "--json"]


async def expired(db: Database) -> int:
    async with db.snapshot() as snapshot:
        counted = await snapshot.session.exec(
            select(func.count()).select_from(Transfer).where(col(Transfer.kind) == "EXPIRE")
        )
        return counted.one()


async def kill_after(
    db: Database, count: int, slug: str, log_path: Path, environment: dict[str, str]
) -> None:
    """Start it, lot by lot, and SIGKILL it as soon as so many have expired."""
    with log_path.open("wb") as log:
        process = start_command(command(slug, 1), environment, log)
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                while await expired(db) < count:
                    assert process.poll() is None, "it ended before it could be killed"
                    await asyncio.sleep(0.005)
        finally:
            code = stop_child(process, signal.SIGKILL, seconds=10)
    assert code == -signal.SIGKILL
    await process_is_gone(db.url)  # what it had sent may be committed yet


def finish(slug: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run it to its end; what it says."""
    done = run_command(command(slug, 50), environment, WAIT_SECONDS_MAX)
    done.check_returncode()
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


async def test_killed_between_its_chunks_it_goes_on_and_expires_each_lot_once(
    db: Database, command_env: dict[str, str], tmp_path: Path
) -> None:
    brand = await db.in_transaction(make_brand)
    members = await db.in_transaction(add_members, brand, MEMBERS)
    yesterday = local_date(utc_now(), brand.timezone) - timedelta(days=1)
    lots = {yesterday - timedelta(days=n): UNITS for n in range(LOTS_EACH)}
    await db.in_transaction(give, brand, dict.fromkeys(members, lots))
    await kill_after(db, KILLED_AFTER, brand.slug, tmp_path / "log", command_env)
    before = await expired(db)
    assert KILLED_AFTER <= before < LOTS
    summary = finish(brand.slug, command_env)
    assert (summary["lots_seen"], summary["lots_expired"]) == (LOTS, LOTS - before)
    async with db.snapshot() as snapshot:
        run = (await snapshot.session.exec(select(ExpiryRun))).one()
        accounts = (
            await snapshot.session.exec(select(Account).where(col(Account.asset) == POINTS))
        ).all()
    assert (run.lots_expired, run.lots_past) == (LOTS, LOTS)
    left = {a.kind: a.credits_posted - a.debits_posted for a in accounts if a.kind != "MAIN"}
    assert left["EXPIRED"] == -left["ISSUANCE"] == LOTS * UNITS
    assert all(a.credits_posted == a.debits_posted for a in accounts if a.kind == "MAIN")
    assert audit_findings(command_env, brand.slug) == []
