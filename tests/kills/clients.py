"""Clients that never give up: they send a scan again under its key until it is answered, and keep
the receipt; what they hold in the end is compared with the books."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tests.races.stage import CONSUMER_POINTS, Caller, Stage, said
from tests.races.wire import NoReply, Wire, ask_once, request_bytes

RETRY_SECONDS = 0.05
PAUSE_SECONDS = 0.04
ANSWER_SECONDS_MAX = 120

SCANS = """query Books($after: String) { scans(first: 100, after: $after) {
  nodes { id verdict unpaidReason } pageInfo { hasNextPage endCursor } } }"""
ENTRIES = """query Books($after: String) { me { entries(first: 100, after: $after) {
  nodes { asset amount phase } pageInfo { hasNextPage endCursor } } } }"""


class Client:
    """One consumer at one device; ``port`` tells where a server is now."""

    def __init__(self, stage: Stage, caller: Caller, port: Callable[[], int], seed: int) -> None:
        self.caller = caller
        self.receipts: dict[str, dict[str, Any]] = {}
        self.lost: Counter[str] = Counter()
        self._stage = stage
        self._port = port
        self._chance = random.Random(seed)
        self._wire: Wire | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Scan codes at random, again and again, until told to stop."""
        for number in itertools.count():
            if stop.is_set():
                break
            code = self._chance.choice(self._stage.inner)
            await self.settle(code, f"{self.caller.identity_id.hex}-{number}")
            await asyncio.sleep(PAUSE_SECONDS)
        await self.hang_up()

    async def settle(self, code: str, key: str) -> None:
        """Send one scan until it is answered."""
        request = self._stage.scan(self.caller, code, key)
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while True:
                answer = await self._try(request)
                if answer["__typename"] == "ScanCodeReceipt":
                    self.receipts[key] = answer
                    return
                await asyncio.sleep(RETRY_SECONDS)

    async def _try(self, request: bytes) -> dict[str, Any]:
        try:
            if self._wire is None:
                self._wire = await Wire.open(self._port())
            answer = said(await self._wire.ask(request))
        except (NoReply, OSError):
            await self.hang_up()
            answer = {"__typename": "Fault", "fault": "no reply"}
        if answer["__typename"] != "ScanCodeReceipt":
            self.lost[str(answer.get("fault", answer.get("code")))] += 1
        return answer

    async def hang_up(self) -> None:
        """End the connection; the next scan opens another."""
        if self._wire is not None:
            await self._wire.close()
            self._wire = None


async def _pages(port: int, token: str, document: str, *path: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        found = (await ask_once(port, request_bytes(token, document, {"after": after})))["data"]
        for name in path:
            found = found[name]
        nodes += found["nodes"]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            return nodes


async def check_books(stage: Stage, clients: Sequence[Client], port: int) -> None:
    """Every receipt is in the books once, nothing else is, and everybody has what it was told."""
    receipts = [receipt for client in clients for receipt in client.receipts.values()]
    told = Counter((r["scanId"], r["unpaidReason"]) for r in receipts)
    assert not receipts or max(told.values()) == 1
    scans = await _pages(port, stage.operator(), SCANS, "scans")
    booked = Counter((s["id"], s["unpaidReason"]) for s in scans if s["verdict"] != "INACTIVE")
    assert booked == told
    for client in clients:
        paid = [r for r in client.receipts.values() if r["unpaidReason"] is None]
        if not client.receipts:
            continue
        entries = await _pages(port, client.caller.token, ENTRIES, "me", "entries")
        points = [int(e["amount"]) for e in entries if e["asset"] == "POINTS"]
        assert points == [CONSUMER_POINTS] * len(paid)


def lost_by(clients: Sequence[Client]) -> Counter[str]:
    """Why requests had to be sent again."""
    return sum((client.lost for client in clients), Counter())
