"""The application in this process, and brands to play with.

One server and one database of each kind serve all tests of a file, on one loop: each test has a
brand of its own instead, which nobody else touches.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from loyalty.db import Database
from loyalty.settings import Settings
from tests.api import Api, api_in_process
from tests.databases import MASTER_KEY, TOKEN_SECRET, made_database
from tests.fakes.wechat import FakeWechat
from tests.graphql_schema.stage import Stage, open_stage

BRANDS_AT_ONCE = 4
"""A server looks for the keys of brands new to it ten times at once, and then once a second."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_one_loop = pytest.mark.asyncio(loop_scope="module")
    for item in items:
        if item.path.parent == Path(__file__).parent and pytest_asyncio.is_async_test(item):
            item.add_marker(on_one_loop, append=False)


@pytest.fixture(scope="module")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of this file's own database, migrated and empty."""
    with made_database(request, tmp_path_factory.mktemp("database")) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="module")
def wechat() -> Iterator[FakeWechat]:
    """Who answers whoever signs in by WeChat."""
    with FakeWechat() as wechat:
        yield wechat


@pytest.fixture(scope="module")
def settings(database_url: str, wechat: FakeWechat) -> Settings:
    """As ``loyalty serve`` has them, but nobody is throttled; and no job runs by itself, as it is
    left to workers that nobody has started."""
    return Settings(
        database_url=database_url,
        redis_url="redis://127.0.0.1:1",
        token_secret=SecretStr(TOKEN_SECRET),
        master_key=SecretStr(MASTER_KEY),
        throttle=False,
        wechat_api_url=wechat.url,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with api_in_process(settings) as api:
        yield api


@pytest.fixture(scope="module")
def brands_to_come(api: Api) -> list[Stage]:
    """Founded on this server, and nobody's yet."""
    return []


@pytest_asyncio.fixture(loop_scope="module")
async def stage(api: Api, db: Database, settings: Settings, brands_to_come: list[Stage]) -> Stage:
    """A brand with a product; nothing published but what every brand begins with."""
    if not brands_to_come:
        for _ in range(BRANDS_AT_ONCE):
            brands_to_come.append(await open_stage(api, db, settings, "ours"))
    return brands_to_come.pop()
