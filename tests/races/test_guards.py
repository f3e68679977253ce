"""Each guard is needed: without it, its race goes red.

The servers run from a copy of the engine in which the guard is taken away, and say so themselves.
"""

import http.client
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loyalty.db import Database
from tests.forks import Forks
from tests.house.source import ENGINE, ROOT
from tests.postgresql_server import PostgresqlServer
from tests.races.alliance_guards import ALLIANCE_GUARDS
from tests.races.arena import Arena, audit_findings, start_side_by_side
from tests.races.box_guards import BOX_GUARDS
from tests.races.conftest import SECRETS
from tests.races.draw_guards import DRAW_GUARDS
from tests.races.event_guards import EVENT_GUARDS
from tests.races.guards import GUARDS as ENGINE_GUARDS
from tests.races.guards import Edit, Guard
from tests.races.issue_guards import ISSUE_GUARDS
from tests.races.ledger_guards import LEDGER_GUARDS
from tests.races.limit_guards import LIMIT_GUARDS
from tests.races.lock_guards import LOCK_GUARDS
from tests.races.merge_guards import MERGE_GUARDS
from tests.races.netting_guards import NETTING_GUARDS
from tests.races.offer_guards import OFFER_GUARDS
from tests.races.purchase_guards import PURCHASE_GUARDS
from tests.races.raffle_guards import RAFFLE_GUARDS
from tests.races.tier_guards import TIER_GUARDS
from tests.races.webhook_guards import WEBHOOK_GUARDS
from tests.servers import ServerFactory, environment_for
from tests.spare_databases import SpareDatabases

GUARDS = (
    *ENGINE_GUARDS,
    *LEDGER_GUARDS,
    *MERGE_GUARDS,
    *OFFER_GUARDS,
    *PURCHASE_GUARDS,
    *EVENT_GUARDS,
    *TIER_GUARDS,
    *LOCK_GUARDS,
    *DRAW_GUARDS,
    *RAFFLE_GUARDS,
    *WEBHOOK_GUARDS,
    *ALLIANCE_GUARDS,
    *NETTING_GUARDS,
    *ISSUE_GUARDS,
    *BOX_GUARDS,
    *LIMIT_GUARDS,
)
ROUNDS_MAX = 12
PAGE = ROOT / "docs" / "guards.md"

# The copy's answer to "how are you": where each of its packages came from.
MARKER = Edit(
    "server/asgi.py",
    'return PlainTextResponse("ok")',
    f'return PlainTextResponse(" ".join(__import__(name).__file__ for name in {ENGINE!r}))',
)


def copy_engine(folder: Path, edits: tuple[Edit, ...]) -> Path:
    """The engine's packages in a folder, compiled as they are, and edited; each old text is there
    exactly once."""
    for package in ENGINE:
        shutil.copytree(ROOT / package, folder / package)
    for edit in edits:
        path = folder / edit.path
        text = path.read_text(encoding="utf-8")
        found = text.count(edit.old)
        assert found == 1, f"{edit.path} holds {found} times: {edit.old}"
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return folder


def packages_of(port: int) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/healthz")
    paths = connection.getresponse().read().decode().split()
    connection.close()
    return paths


@asynccontextmanager
async def servers_without(guard: Guard, url: str, folder: Path) -> AsyncIterator[Arena]:
    """Two servers on a copy without the guard."""
    copy = copy_engine(folder / "copy", (*guard.edits, MARKER))
    environment = environment_for(url, SECRETS)
    engine = {**environment, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"}
    forks = Forks(str(copy))
    factory = ServerFactory(folder, engine, forks)
    db = Database(url)
    try:
        ports = [server.port for server in start_side_by_side(factory, 2)]
        for port in ports:
            paths = packages_of(port)
            assert len(paths) == len(ENGINE)
            assert all(path.startswith(f"{copy}/") for path in paths)
        yield Arena(db, ports, environment, engine, folder)
    finally:
        await db.close()
        factory.stop_all()
        forks.close()


@pytest.fixture
def weakened_url(guard: Guard, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the guard's kind, without the guard's constraints."""
    if guard.kind == "sqlite":
        path = tmp_path / "loyalty.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    spares: SpareDatabases = request.getfixturevalue("spare_databases")
    url = spares.take()
    for statement in guard.statements:
        server.execute(statement, url.rpartition("/")[2])
    yield url
    spares.give_back(url)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
async def test_the_race_goes_red_without(guard: Guard, weakened_url: str, tmp_path: Path) -> None:
    found: list[str] = []
    async with servers_without(guard, weakened_url, tmp_path) as arena:
        for _ in range(ROUNDS_MAX):
            found += await guard.race(arena, guard.size)
            if found:
                break
            found += audit_findings(arena.environment, arena.stages[-1].slug)
            if found:
                break
    assert found, f"nothing broke without {guard.name}"


def page_of_guards() -> str:
    """The table of docs/guards.md."""
    lines = ["| guard | what it keeps | the race that goes red | covered by |", "|---|---|---|---|"]
    for guard in GUARDS:
        race = f"`{guard.race.__module__.rpartition('.')[2]}.{guard.race.__name__}`"
        kind = " (SQLite)" if guard.kind == "sqlite" else ""
        lines.append(f"| {guard.name} | {guard.keeps} | {race}{kind} | {guard.covered_by} |")
    return "\n".join(lines)


def test_the_page_lists_every_guard() -> None:
    assert page_of_guards() in PAGE.read_text(encoding="utf-8")
