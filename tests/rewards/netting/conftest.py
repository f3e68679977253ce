"""Brands of each test's own, on one database for all tests of a file."""

from collections.abc import Iterator

import pytest
import pytest_asyncio

from loyalty.db import Database
from tests.clocks import SettableClock
from tests.databases import made_database
from tests.rewards.netting.rings import Ring, make_ring


@pytest.fixture(scope="module")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """As the fixture of that name for every test, but one for all tests of a file."""
    with made_database(request, tmp_path_factory.mktemp("netting")) as url:
        yield url


@pytest_asyncio.fixture
async def ring(clocked_db: Database, clock: SettableClock) -> Ring:
    return Ring(clocked_db, clock, await clocked_db.in_transaction(make_ring))
