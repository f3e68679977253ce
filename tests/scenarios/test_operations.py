"""The demo's story on PostgreSQL and Redis, by the commands that docs/operations.md shows."""

import asyncio
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api import Api, Caller, Host, Reply
from tests.child import start_child, stop_child
from tests.house.source import ROOT
from tests.postgresql_server import free_port
from tests.scenarios.shop import Shop, Store, coupon_outcome, enter_shop, eventually
from tests.servers import LOYALTY

SECTION = "The demo's story on PostgreSQL and Redis"
COMMAND_SECONDS_MAX = 120
END_SECONDS_MAX = 20
COUPONS = 6
REBATE_FEN = 400


def shown_commands() -> list[list[str]]:
    """The section's blocks of commands, a list of lines each."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {SECTION}\n")[2].partition("\n## ")[0]
    return [block.splitlines() for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)]


class Terminal:
    """Runs lines as somebody types them into a shell; ``&`` is a job, which ends with the test.

    ``addresses`` are what each address of the document is here.
    """

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        self._folder = folder
        self._addresses = addresses
        self._logs = ExitStack()
        self.jobs: list[subprocess.Popen[bytes]] = []
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("LOYALTY_")
        }
        self.environment["PATH"] = f"{LOYALTY.parent}{os.pathsep}{self.environment['PATH']}"

    def address_of(self, shown: str) -> str:
        """What an address of the document is here."""
        return self._addresses[shown]

    def type(self, line: str) -> str:
        """What the line said; AssertionError if it failed."""
        for shown in self._addresses:
            line = line.replace(shown, self.address_of(shown))
        if line.startswith("export "):
            done = self._run(f"{line}\nenv -0")
            self.environment = dict(
                pair.split("=", 1) for pair in done.strip("\0").split("\0") if "=" in pair
            )
            return ""
        if line.startswith("kill "):
            return self._end(line.split()[1:])
        if line.endswith("&"):
            return self._start(shlex.split(line.removesuffix("&")))
        return self._run(line)

    def _run(self, script: str) -> str:
        done = subprocess.run(
            ["sh", "-c", script],
            env=self.environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    def _start(self, command: Sequence[str]) -> str:
        path = self._folder / f"job-{len(self.jobs) + 1}.log"
        log = self._logs.enter_context(path.open("wb"))
        self.jobs.append(
            start_child(command, log=log, environment=self.environment, cwd=self._folder)
        )
        return ""

    def _end(self, jobs: Sequence[str]) -> str:
        assert jobs == [f"%{number}" for number in range(1, len(self.jobs) + 1)]
        for job in self.jobs:
            job.send_signal(signal.SIGTERM)
        ends = [job.wait(END_SECONDS_MAX) for job in self.jobs]
        assert ends == [0] * len(self.jobs), self.log_text()
        return ""

    def log_text(self) -> str:
        """All that the jobs wrote so far."""
        logs = sorted(self._folder.glob("job-*.log"))
        return "\n".join(log.read_text(errors="replace") for log in logs)

    def close(self) -> None:
        for job in self.jobs:
            stop_child(job, signal.SIGKILL, END_SECONDS_MAX)
        self._logs.close()


class InTurns(Api):
    """Several servers as one: each request goes to the next of them."""

    def __init__(self, clients: Sequence[httpx2.AsyncClient]) -> None:
        super().__init__(clients[0])
        self._next = cycle([Api(client) for client in clients])

    async def post(self, body: Any, caller: Caller) -> Reply:
        return await next(self._next).post(body, caller)


@pytest.fixture
def terminal(empty_database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Terminal]:
    """A shell whose addresses are a database without tables, an empty Redis and free ports."""
    addresses = {
        "postgresql://loyalty:secret@127.0.0.1/loyalty": empty_database_url,
        "redis://127.0.0.1:6379/0": redis_url,
        **{port: str(free_port()) for port in ("8001", "8002")},
    }
    shown = "\n".join(line for block in shown_commands() for line in block)
    assert all(address in shown for address in addresses)
    terminal = Terminal(tmp_path, addresses)
    yield terminal
    terminal.close()


@pytest.mark.only_database("postgresql", reason="what production runs on")
async def test_two_servers_and_two_workers_on_postgresql_and_redis_play_it_all(
    terminal: Terminal, tmp_path: Path
) -> None:
    opening, printing, ending = shown_commands()
    said = await type_all(terminal, opening)
    assert len(terminal.jobs) == 4
    [(email, password)] = re.findall(r"Sign in as (\S+) with: (\S+)", said)
    [secret] = re.findall(r"Secret: (\S+)", said)
    host = Host(terminal.environment)
    async with AsyncExitStack() as stack:
        servers = [
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{terminal.address_of(port)}")
            for port in re.findall(r"--port (\d+)", "\n".join(opening))
        ]
        for server in servers:
            await wait_ready(await stack.enter_async_context(server), terminal)
        shop = await enter_shop(InTurns(servers), host, terminal, tmp_path, email, password, secret)
        store = await open_the_store(shop)
        await shop.admin.done(
            "createCodeBatch", productId=shop.product_id, quantity=COUPONS, kinds=["INNER"]
        )
        await type_all(terminal, printing)
        consumer = await shop.person("13800138001")
        for code in (tmp_path / "codes.txt").read_text().split():
            await take_at_both_tills(store, await win(consumer, code))
        assert [coupon["status"] for coupon in await consumer.wallet()] == ["REDEEMED"] * COUPONS
        payouts = await eventually(store.payouts, all_is_paid)
        assert len({payout["number"] for payout in payouts}) == len(payouts)
        assert await store.rebates() == (0, 0, 0)

    look, *rest = ending
    assert look == "loyalty outbox list"
    await eventually(lambda: type_all(terminal, [look]), lambda said: "Nothing." in said)
    assert "The books agree." in await type_all(terminal, rest)


async def type_all(terminal: Terminal, lines: Sequence[str]) -> str:
    """All that these lines said."""
    return "\n".join([await asyncio.to_thread(terminal.type, line) for line in lines])


async def wait_ready(server: httpx2.AsyncClient, terminal: Terminal) -> None:
    async def is_ready() -> bool:
        assert all(job.poll() is None for job in terminal.jobs), terminal.log_text()
        try:
            return (await server.get("/readyz")).is_success
        except httpx2.TransportError:
            return False

    await eventually(is_ready, bool)


async def open_the_store(shop: Shop) -> Store:
    """A store with two tills, paid from the first coupon on, and a campaign of coupons for it."""
    store = await shop.store(
        "plum", "梅子小铺", "13700137001", tills=2, payoutThresholdFen=REBATE_FEN, payee="acct-0001"
    )
    template_id = await shop.template(
        "another-bottle",
        "FREE_ITEM",
        nameZh="再来一瓶",
        nameEn="Another bottle free",
        costFen=REBATE_FEN,
        placeIds=[store.id],
    )
    await shop.publish([coupon_outcome(template_id)])
    return store


async def win(consumer: Caller, code: str) -> str:
    """The number of the coupon that this bottle wins."""
    receipt = await consumer.done("scanCode", code=code)
    [coupon] = receipt["coupons"]
    number: str = coupon["code"]
    return number


async def take_at_both_tills(store: Store, code: str) -> None:
    """Held through both servers at once: one has it and captures it, the other is told."""
    answers = await asyncio.gather(
        *(till.clerk.do("holdCoupon", code=code) for till in store.tills)
    )
    held = [answer.get("redemption") for answer in answers]
    winner = held.index(next(redemption for redemption in held if redemption))
    told = answers[1 - winner]
    assert told["code"] == "COUPON_TAKEN"
    assert told["details"]["till"] == store.tills[winner].name
    clerk = store.tills[winner].clerk
    done = await clerk.done("captureRedemption", redemptionId=held[winner]["id"])
    assert done["redemption"]["status"] == "CAPTURED"


def all_is_paid(payouts: Sequence[Any]) -> bool:
    paid = [payout["amountFen"] for payout in payouts if payout["status"] == "PAID"]
    return len(paid) == len(payouts) and sum(paid) == COUPONS * REBATE_FEN
