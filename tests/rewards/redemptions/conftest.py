"""The shop floor of a brand of its own for each test, on a clock that the test moves; one database
for all tests of a file, as making one takes longer than most of them."""

from collections.abc import Iterator

import pytest
import pytest_asyncio

from loyalty.db import Database
from loyalty.ids import new_id
from rewards.redemptions.service import lapse_holds
from tests.clocks import SettableClock
from tests.databases import made_database
from tests.rewards.redemptions.floor import Floor
from tests.rewards.redemptions.shops import make_shops


@pytest.fixture(scope="module")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """As the fixture of that name for every test, but one for all tests of a file."""
    with made_database(request, tmp_path_factory.mktemp("redemptions")) as url:
        yield url


@pytest_asyncio.fixture
async def floor(clocked_db: Database, clock: SettableClock) -> Floor:
    now = clock()
    clock.advance(days=3650)  # what earlier tests still hold is over, and not for this one to count
    await clocked_db.in_transaction(lapse_holds, 10_000)
    clock.set(now)
    shops = await clocked_db.in_transaction(make_shops, f"shops-{new_id().hex}")
    return Floor(clocked_db, clock, shops)
