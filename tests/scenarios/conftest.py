"""What scenes are played on: a real server, the command line, people who sign in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.api import Host, api_of
from tests.scenarios.calendar_days import CalendarDays
from tests.scenarios.shop import Shop, open_shop
from tests.servers import ServerFactory

HOLD_SECONDS = 6
"""Long enough to capture within, short enough to wait for."""


@pytest_asyncio.fixture
async def shop(
    server_process: ServerFactory, command_env: dict[str, str], tmp_path: Path
) -> AsyncIterator[Shop]:
    """A brand with one product and nothing printed, on a server of its own."""
    server = server_process()
    async with api_of(server.url) as api:
        yield await open_shop(api, Host(command_env), server, tmp_path)


@pytest_asyncio.fixture
async def hasty_shop(
    server_process: ServerFactory, command_env: dict[str, str], tmp_path: Path
) -> AsyncIterator[Shop]:
    """The same, where holds of coupons lapse within seconds."""
    server = server_process()
    async with api_of(server.url) as api:
        options = ("--hold-seconds", str(HOLD_SECONDS))
        yield await open_shop(api, Host(command_env), server, tmp_path, *options)


@pytest_asyncio.fixture
async def days(database_url: str, tmp_path: Path) -> CalendarDays:
    """The clock of ``dated_shop``: it stands at the real time until the scene moves it."""
    days = CalendarDays(database_url, tmp_path)
    await days.open()
    return days


@pytest_asyncio.fixture
async def dated_shop(
    server_process: ServerFactory,
    command_env: dict[str, str],
    tmp_path: Path,
    days: CalendarDays,
) -> AsyncIterator[Shop]:
    """A shop where days pass as ``days`` tells."""
    server = server_process(environment=days.environment)
    async with api_of(server.url) as api:
        yield await open_shop(api, Host(command_env | days.environment), server, tmp_path)
