"""A gateway on a socket: takes messages over HTTP, or takes them and does not answer."""

import asyncio
from types import TracebackType
from typing import Self


class GatewayServer:
    """Counts what it ``received``; answers while ``answers`` is set."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                headers = dict(
                    line.lower().split(": ", 1) for line in head.decode().splitlines()[1:] if line
                )
                await reader.readexactly(int(headers["content-length"]))
                self.received.append(headers["webhook-id"])
                await self.answers.wait()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the worker has gone, or we go; asyncio's streams make a fuss of either
        finally:
            writer.close()
            self._tasks.discard(task)
