"""Commands run inside the test's process: on a thread, as each runs a loop of its own."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from server.cli import app


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command: its exit code, and both outputs without line breaks."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """``await command("brand", "create", "tea")``."""

    async def __call__(self, *words: object) -> Done:
        arguments = [str(word) for word in words]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, " ".join(result.stderr.split()))
