"""Two servers on one database for all races of a file: each race has a brand of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from loyalty.db import Database
from tests.databases import MASTER_KEY, TOKEN_SECRET, made_database
from tests.races.arena import Arena, start_side_by_side
from tests.servers import ServerFactory, environment_for

SECRETS = {"LOYALTY_TOKEN_SECRET": TOKEN_SECRET, "LOYALTY_MASTER_KEY": MASTER_KEY}
PORTS = 2


@pytest.fixture(scope="module")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """As the fixture of that name for every test, but one for all races of a file."""
    with made_database(request, tmp_path_factory.mktemp("races")) as url:
        yield url


@pytest.fixture(scope="module")
def race_ports(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """The ports of two servers on the database."""
    environment = environment_for(database_url, SECRETS)
    factory = ServerFactory(tmp_path_factory.mktemp("servers"), environment)
    try:
        yield [server.port for server in start_side_by_side(factory, PORTS)]
    finally:
        factory.stop_all()


@pytest_asyncio.fixture
async def arena(database_url: str, race_ports: list[int], tmp_path: Path) -> AsyncIterator[Arena]:
    """Both servers and their database."""
    db = Database(database_url)
    environment = environment_for(database_url, SECRETS)
    yield Arena(db, race_ports, environment, environment, tmp_path)
    await db.close()
