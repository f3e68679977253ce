"""What coroutines ask of one connection at the same time, asked in one go: each of them reads as if
it were alone, and nothing waits on a timer."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from loyalty.statements import Statement

Asked = tuple[Statement, dict[str, Any]]


class Gathering:
    """Runs coroutines; once each of them has ended or asked, ``run`` answers all that was asked."""

    def __init__(self, run: Callable[[list[Asked]], Awaitable[list[list[Any]]]]) -> None:
        self._run = run
        self._asked: list[tuple[Asked, asyncio.Future[list[Any]]]] = []
        self._under_way = 0
        self._waiting = 0
        self._all_have_asked = asyncio.Event()

    async def ask(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        """The rows of one statement, called by one of the coroutines."""
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked.append(((statement, values), answer))
        self._look()
        return await answer

    async def all(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """What they return. What one of them raises ends the others."""
        tasks = self._started(coroutines)
        try:
            while self._under_way:
                await self._all_have_asked.wait()
                self._all_have_asked.clear()
                for task in tasks:
                    if task.done():
                        task.result()  # or what it raises
                asked, self._asked = self._asked, []
                if asked:
                    answers = await self._run([each for each, _ in asked])
                    for (_, answer), rows in zip(asked, answers, strict=True):
                        if not answer.done():  # whoever asked may have been ended
                            answer.set_result(rows)
            return [task.result() for task in tasks]
        finally:
            await _ended(tasks)

    async def nested(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """The same for some that one of the coroutines waits for."""
        self._waiting += 1
        tasks = self._started(coroutines)
        try:
            return [await task for task in tasks]
        finally:
            self._waiting -= 1
            await _ended(tasks)

    def _started(self, coroutines: Sequence[Coroutine[Any, Any, Any]]) -> list["asyncio.Task[Any]"]:
        self._under_way += len(coroutines)
        return [asyncio.create_task(self._followed(coroutine)) for coroutine in coroutines]

    async def _followed(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await coroutine
        finally:
            self._under_way -= 1
            self._look()

    def _look(self) -> None:
        if len(self._asked) + self._waiting >= self._under_way:
            self._all_have_asked.set()


async def _ended(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
