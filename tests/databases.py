"""A freshly migrated database for each test, on SQLite and on PostgreSQL.

Each kind is migrated once into a template; a test gets a copy of it, of PostgreSQL one that others
had before (``tests/spare_databases.py``). What asks for
``database_url``, directly or through another fixture, runs on both, unless it is marked
``@pytest.mark.only_database("postgresql", reason="...")``.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from migrations.runner import upgrade
from tests.clocks import SettableClock
from tests.postgresql_server import PostgresqlMissing, PostgresqlServer, run_apart
from tests.spare_databases import SpareDatabases

KINDS = ("sqlite", "postgresql")
TEMPLATE = "loyalty_template"
TOKEN_SECRET = "a5" * 32
MASTER_KEY = "5a" * 32

_postgresql_key = pytest.StashKey[PostgresqlServer]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only_database")
        kinds = KINDS if only is None else only.args
        metafunc.parametrize("database_url", kinds, ids=kinds, indirect=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    # Also reached by Ctrl-C; whatever ends us harder, the kernel ends the server with us.
    server = config.stash.get(_postgresql_key, None)
    if server is not None:
        server.stop()


def _start_postgresql(config: pytest.Config) -> PostgresqlServer:
    server = PostgresqlServer()
    config.stash[_postgresql_key] = server
    server.start()
    run_apart(upgrade(server.create_database(TEMPLATE)))
    return server


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config) -> PostgresqlServer:
    """The session's server, started by the first test that needs it."""
    try:
        return _start_postgresql(pytestconfig)
    except PostgresqlMissing as why:
        pytest.skip(f"missing PostgreSQL: {why}")


@pytest.fixture(scope="session")
def spare_databases(postgresql_server: PostgresqlServer) -> SpareDatabases:
    """The session's databases on its server."""
    return SpareDatabases(postgresql_server, TEMPLATE)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / f"{TEMPLATE}.db"
    run_apart(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture
def empty_database_url(database_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database without any table, of the kind of ``database_url``."""
    if database_url.startswith("sqlite"):
        yield f"{database_url}.empty"
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        name = f"empty_{database_url.rpartition('/')[2]}"
        yield server.create_database(name)
        server.drop_database(name)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of this test's own database, migrated and empty."""
    with made_database(request, tmp_path) as url:
        yield url


@contextmanager
def made_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """A database, migrated and empty, for as long as the fixture that asks for it lives; its
    parameter is the kind."""
    if request.param == "sqlite":
        path = folder / "loyalty.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        spares: SpareDatabases = request.getfixturevalue("spare_databases")
        url = spares.take()
        yield url
        spares.give_back(url)


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The test's database, on its own clock (PostgreSQL) or the machine's (SQLite)."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
def clock() -> SettableClock:
    """Stands at noon of 2026-11-09 in Shanghai until the test moves it."""
    return SettableClock()


@pytest_asyncio.fixture
async def clocked_db(database_url: str, clock: SettableClock) -> AsyncIterator[Database]:
    """The test's database, on the clock of the fixture ``clock``."""
    database = Database(database_url, clock=clock)
    yield database
    await database.close()


@pytest.fixture
def secrets_env() -> dict[str, str]:
    """The secrets as ``LOYALTY_*`` variables, for processes that a test starts."""
    return {"LOYALTY_TOKEN_SECRET": TOKEN_SECRET, "LOYALTY_MASTER_KEY": MASTER_KEY}


@pytest.fixture
def keyring() -> Keyring:
    """The keys of ``secrets_env``."""
    return Keyring(bytes.fromhex(MASTER_KEY))


async def _add_brand(tx: Tx) -> Brand:
    brand = Brand(slug="demo", name="Demo", created_at=tx.now)
    await tx.add(brand)
    return brand


@pytest_asyncio.fixture
async def brand(database_url: str) -> Brand:
    """A brand and nothing else: no campaign, no ladder, no keys."""
    database = Database(database_url)
    try:
        return await database.in_transaction(_add_brand)
    finally:
        await database.close()
