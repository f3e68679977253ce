"""SIGKILL of the real ``loyalty import purchases`` at several points: run again, it ends with the
same summary, rows and reject file as one that was never killed."""

import asyncio
import csv
import json
import signal
from pathlib import Path
from typing import Any

from sqlmodel import col, func, select

from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand_by_slug
from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.members.models import Identity
from rewards.purchases.models import PurchaseEvent
from tests.brands_made import make_brand
from tests.child import stop_child
from tests.forks import run_command, start_command
from tests.kills.holding import held, process_is_gone, process_waits
from tests.races.arena import audit_findings
from tests.rewards.purchases.canonical import canonical_rows

PURCHASES = Path(__file__).parents[1] / "data" / "purchases.csv"
COPIES = 8  # five batches of 500 rows: enough to be killed between them
KILLED_AFTER = (1, 1000)
WAIT_SECONDS_MAX = 60


def write_many(path: Path) -> int:
    """The purchases of tests/data several times over, under other references, and a bad row."""
    with PURCHASES.open(newline="") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for copy in range(COPIES):
            writer.writerows([f"{copy}-{ref}", f"{copy}-{who}", *rest] for ref, who, *rest in rows)
        writer.writerow(["bad", "row", "1997-01-01", "1", "-1.00"])
    return COPIES * len(rows)


def command(path: Path, slug: str, rejects: Path) -> list[str]:
    options = ["--brand", slug, "--reject-file", str(rejects), "--json"]
    return ["import", "purchases", str(path), *options]


def finish(path: Path, slug: str, rejects: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run it to its end: the summary, without what tells of this run alone."""
    done = run_command(command(path, slug, rejects), environment, WAIT_SECONDS_MAX)
    done.check_returncode()
    summary: dict[str, Any] = json.loads(done.stdout)
    del summary["already_recorded"], summary["reject_file"]
    return summary


async def recorded(db: Database, slug: str) -> int:
    async with db.snapshot() as snapshot:
        counted = await snapshot.session.exec(
            select(func.count())
            .select_from(PurchaseEvent)
            .join(Brand, col(Brand.id) == col(PurchaseEvent.brand_id))
            .where(col(Brand.slug) == slug)
        )
        return counted.one()


async def kill_after(
    db: Database,
    slug: str,
    count: int,
    started: list[str],
    log_path: Path,
    environment: dict[str, str],
) -> None:
    """Start it and SIGKILL it as soon as that many purchases are committed."""
    with log_path.open("wb") as log:
        process = start_command(started, environment, log)
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                while await recorded(db, slug) < count:
                    assert process.poll() is None, "it ended before it could be killed"
                    await asyncio.sleep(0.005)
        finally:
            code = stop_child(process, signal.SIGKILL, seconds=10)
    assert code == -signal.SIGKILL


async def control(db: Database, path: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What an import that is left alone comes to; and a second brand to be killed on."""
    await db.in_transaction(make_brand, "control")
    await db.in_transaction(make_brand, "killed")
    return finish(path, "control", path.with_name("control.csv"), environment)


async def test_killed_in_the_middle_of_its_transaction(
    db: Database, command_env: dict[str, str], tmp_path: Path
) -> None:
    path, rejects = tmp_path / "purchases.csv", tmp_path / "killed.csv"
    path.write_bytes(PURCHASES.read_bytes())
    wanted = await control(db, path, command_env)
    async with db.snapshot() as snapshot:
        brand = await get_brand_by_slug(snapshot, "killed")
    buyer = Identity(brand_id=brand.id, external_ref="00004", created_at=utc_now())
    started = command(path, "killed", rejects)
    with (tmp_path / "import.log").open("wb") as log:
        async with held(db, buyer):
            process = start_command(started, command_env, log)
            try:
                await process_waits(db.url, process.pid)
            finally:
                code = stop_child(process, signal.SIGKILL, seconds=10)
            assert code == -signal.SIGKILL
    await process_is_gone(db.url)
    assert await recorded(db, "killed") == 0
    assert finish(path, "killed", rejects, command_env) == wanted
    assert await canonical_rows(db, "killed") == await canonical_rows(db, "control")
    assert audit_findings(command_env, "killed") == []


async def test_killed_between_its_batches_again_and_again(
    db: Database, command_env: dict[str, str], tmp_path: Path
) -> None:
    path, rejects = tmp_path / "purchases.csv", tmp_path / "killed.csv"
    rows = write_many(path)
    wanted = await control(db, path, command_env)
    for count in KILLED_AFTER:
        started = command(path, "killed", rejects)
        log = tmp_path / f"import-{count}.log"
        await kill_after(db, "killed", count, started, log, command_env)
    assert KILLED_AFTER[-1] <= await recorded(db, "killed") < rows
    assert not rejects.exists()
    assert finish(path, "killed", rejects, command_env) == wanted
    assert await canonical_rows(db, "killed") == await canonical_rows(db, "control")
    assert rejects.read_bytes() == path.with_name("control.csv").read_bytes()
    assert audit_findings(command_env, "killed") == []
