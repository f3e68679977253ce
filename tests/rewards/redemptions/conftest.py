"""The shop floor of a brand of its own for each test, on a clock that the test moves; one database
for all tests of a file, as making one takes longer than most of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from loyalty.db import Database
from loyalty.ids import new_id
from rewards.redemptions.service import lapse_holds
from tests.clocks import SettableClock
from tests.databases import TEMPLATE
from tests.postgresql_server import PostgresqlServer
from tests.rewards.redemptions.floor import Floor
from tests.rewards.redemptions.shops import make_shops


@pytest.fixture(scope="module")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """As the fixture of that name for every test, but one for all tests of a file."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path_factory.mktemp("redemptions") / "loyalty.db"
        shutil.copyfile(template, path)
        yield f"sqlite:///{path}"
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        name = f"redemptions_{abs(hash(request.node.nodeid)):x}"
        yield server.create_database(name, TEMPLATE)
        server.drop_database(name)


@pytest_asyncio.fixture
async def floor(clocked_db: Database, clock: SettableClock) -> Floor:
    now = clock()
    clock.advance(days=3650)  # what earlier tests still hold is over, and not for this one to count
    await clocked_db.in_transaction(lapse_holds, 10_000)
    clock.set(now)
    shops = await clocked_db.in_transaction(make_shops, f"shops-{new_id().hex}")
    return Floor(clocked_db, clock, shops)
