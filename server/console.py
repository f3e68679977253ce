"""What every command shares: settings, exit codes, how errors and results are said."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from enum import IntEnum
from typing import Any, TypeVar

import typer
from rich.console import Console

from loyalty.codes.service import KeyUnreadable
from loyalty.crypto import Keyring
from loyalty.db import Database, is_unavailable
from loyalty.errors import Refusal
from loyalty.settings import Settings, SettingsError, load_settings
from migrations.runner import pending

T = TypeVar("T")

out = Console()
err = Console(stderr=True)


class Exit(IntEnum):
    """Exit codes; 2 is typer's own for a command line that does not parse."""

    OK = 0
    FAILED = 1
    USAGE = 2
    SETTINGS = 3
    SCHEMA_BEHIND = 4
    REFUSED = 5
    AUDIT_BROKEN = 6


def fail(message: str, code: Exit) -> typer.Exit:
    """Say what is wrong on standard error; raise what this returns."""
    err.print(message, style="red", markup=False, highlight=False)
    return typer.Exit(int(code))


def read_settings() -> Settings:
    """The environment, or a readable error and exit code 3."""
    try:
        return load_settings()
    except SettingsError as error:
        raise fail(str(error), Exit.SETTINGS) from None


def keyring_of(settings: Settings) -> Keyring:
    return Keyring(settings.secret_bytes("master_key"))


async def require_schema(settings: Settings) -> None:
    """Exit code 4 unless the schema is at the newest revision."""
    behind = await pending(settings.database_url)
    if behind:
        raise fail(
            f"The database schema is behind by {len(behind)} revision(s). Type: loyalty migrate",
            Exit.SCHEMA_BEHIND,
        )


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; a refusal is said and becomes exit code 5."""
    try:
        return asyncio.run(work)
    except Refusal as refusal:
        raise fail(f"{refusal.code}: {refusal.message('en')}", Exit.REFUSED) from None
    except KeyUnreadable as error:
        raise fail(str(error), Exit.SETTINGS) from None
    except Exception as error:
        if not is_unavailable(error):
            raise
        raise fail(f"The database is out of reach ({type(error).__name__}).", Exit.FAILED) from None


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Open the database, check its schema, do the work, close it."""

    async def body() -> T:
        await require_schema(settings)
        database = Database(settings.database_url, pool_size=settings.database_pool_size)
        try:
            return await work(database)
        finally:
            await database.close()

    return run(body())


def say(result: dict[str, Any], as_json: bool, text: str) -> None:
    """The result: one JSON object for scripts, or a sentence for people."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, default=str) + "\n")
    else:
        out.print(text, highlight=False, soft_wrap=True)
