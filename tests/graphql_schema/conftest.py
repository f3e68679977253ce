"""The application in this process, and brands to play with."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from loyalty.db import Database
from loyalty.settings import Settings
from tests.api import Api, api_in_process
from tests.databases import MASTER_KEY, TOKEN_SECRET
from tests.fakes.wechat import FakeWechat
from tests.graphql_schema.stage import Stage, open_stage


@pytest.fixture
def wechat() -> Iterator[FakeWechat]:
    """Who answers whoever signs in by WeChat."""
    with FakeWechat() as wechat:
        yield wechat


@pytest.fixture
def settings(database_url: str, wechat: FakeWechat) -> Settings:
    """As ``loyalty serve`` has them, but nobody is throttled and no job runs by itself."""
    return Settings(
        database_url=database_url,
        token_secret=SecretStr(TOKEN_SECRET),
        master_key=SecretStr(MASTER_KEY),
        throttle=False,
        outbox_poll_seconds=3600,
        wechat_api_url=wechat.url,
    )


@pytest_asyncio.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with api_in_process(settings) as api:
        yield api


@pytest_asyncio.fixture
async def stage(api: Api, db: Database, settings: Settings) -> Stage:
    """A brand with a product; nothing published but what every brand begins with."""
    return await open_stage(api, db, settings, "ours")
