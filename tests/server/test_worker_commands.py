"""``loyalty worker`` says why it does not start. How it works: ``tests/workers``."""

import asyncio

import pytest
import typer

from loyalty.settings import Settings
from server.console import Exit
from server.worker_commands import work_until_stopped
from tests.server.commands import Commands


async def test_without_redis_there_is_nothing_to_be_called_by(command: Commands) -> None:
    done = await command("worker")
    assert done.code == Exit.SETTINGS
    assert "LOYALTY_REDIS_URL is not set" in done.err


async def test_a_schema_that_is_behind_is_not_worked_on(
    empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url=empty_database_url)
    with pytest.raises(typer.Exit) as ended:
        await asyncio.wait_for(work_until_stopped(settings, "redis://127.0.0.1:1"), 20)
    assert ended.value.exit_code == Exit.SCHEMA_BEHIND
    assert "loyalty migrate" in capsys.readouterr().err
