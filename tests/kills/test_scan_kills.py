"""SIGKILL at the worst moments of a scan: nothing lost, nothing doubled, the retry answers."""

import asyncio
import random

import pytest
from sqlmodel import SQLModel

from graphql_schema.pagination import encode_id
from loyalty.clock import utc_now
from loyalty.codes.models import ItemCode
from loyalty.db import Database
from loyalty.idempotency import IdempotencyRecord
from loyalty.ids import new_id
from loyalty.ledger.models import Account, Lot, Transfer
from loyalty.members.models import Member
from loyalty.outbox import OutboxEvent
from rewards.scans.models import Claim, ScanEvent
from tests.kills.clients import Client, check_books, lost_by
from tests.kills.holding import held, process_is_gone, process_waits
from tests.races.arena import SERVERS, audit_findings
from tests.races.stage import Caller, Stage, said
from tests.races.wire import NoReply, ask_once, release_at_once
from tests.servers import ServerFactory, ServerProcess

WRITTEN: tuple[type[SQLModel], ...] = (
    *(Account, Claim, IdempotencyRecord, ItemCode, Lot, Member, OutboxEvent, ScanEvent, Transfer),
)
SEED = 20261121
ROUNDS = 20
CLIENTS = 16


async def _counts(stage: Stage) -> dict[str, int]:
    return {model.__name__: len(await stage.rows(model)) for model in WRITTEN}


def claim_of(stage: Stage, serial: int) -> Claim:
    """A claim of an item that nobody made."""
    return Claim(
        brand_id=stage.brand_id,
        item_no=stage.item_no(serial),
        purpose="REWARD",
        beneficiary_role="CONSUMER",
        scan_id=new_id(),
        member_id=None,
        outcome="BUDGET",
        campaign_id=None,
        created_at=utc_now(),
    )


async def test_killed_at_the_claim_nothing_is_written_and_the_retry_pays_once(
    db: Database, server_process: ServerFactory, command_env: dict[str, str]
) -> None:
    stage = await Stage(db, "claim").build()
    server = server_process(environment=SERVERS)
    await stage.warm([server.port])
    (consumer,) = await stage.consumers(1, await stage.guides(1))
    request = stage.scan(consumer, stage.inner[0], "key")
    before = await _counts(stage)
    async with held(db, claim_of(stage, 0)):
        asking = asyncio.create_task(ask_once(server.port, request))
        await process_waits(db.url, server.pid)
        await asyncio.to_thread(server.kill)
        with pytest.raises(NoReply):
            await asking
    await process_is_gone(db.url)
    assert await _counts(stage) == before
    again = server_process(environment=SERVERS)
    reply = said(await ask_once(again.port, request))
    assert (reply["replayed"], reply["unpaidReason"], reply["verdict"]) == (False, None, "FIRST")
    assert said(await ask_once(again.port, request)) == {**reply, "replayed": True}
    after = await _counts(stage)
    assert (after["ScanEvent"], after["Claim"]) == (before["ScanEvent"] + 1, 2)
    assert after["Transfer"] == 3  # points and growth of the consumer, points of the guide
    assert audit_findings(command_env, stage.slug) == []


class ReplySwallower:
    """A TCP proxy before a server: the first byte of a reply kills the server, and what it said
    never reaches the client."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.swallowed = b""

    async def start(self) -> int:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection("127.0.0.1", self._server.port)
        forward = asyncio.create_task(self._forward(reader, ahead))
        self.swallowed = await behind.read(1 << 16)
        await asyncio.to_thread(self._server.kill)
        forward.cancel()
        ahead.close()
        writer.close()

    async def _forward(self, reader: asyncio.StreamReader, ahead: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            ahead.write(data)
            await ahead.drain()

    async def stop(self) -> None:
        self._listener.close()
        await self._listener.wait_closed()


async def test_killed_after_commit_before_the_reply_the_retry_gives_the_original(
    db: Database, server_process: ServerFactory, command_env: dict[str, str]
) -> None:
    stage = await Stage(db, "reply").build()
    server = server_process(environment=SERVERS)
    await stage.warm([server.port])
    (consumer,) = await stage.consumers(1, await stage.guides(1))
    request = stage.scan(consumer, stage.inner[0], "key")
    proxy = ReplySwallower(server)
    port = await proxy.start()
    with pytest.raises(NoReply):
        await ask_once(port, request)
    await proxy.stop()
    assert b"200 OK" in proxy.swallowed
    committed = await _counts(stage)
    assert (committed["Claim"], committed["Transfer"]) == (2, 3)
    again = server_process(environment=SERVERS)
    reply = said(await ask_once(again.port, request))
    assert (reply["replayed"], reply["unpaidReason"]) == (True, None)
    assert reply["scanId"] in [encode_id("ScanEvent", e.id) for e in await stage.rows(ScanEvent)]
    assert await _counts(stage) == committed
    assert audit_findings(command_env, stage.slug) == []


async def _unheard(stage: Stage, caller: Caller, dying: ServerProcess, spare: int) -> Client:
    """A client whose server dies of its reply to it, and that asks again at the spare's port."""
    await stage.warm([dying.port])
    swallower = ReplySwallower(dying)
    ports = [await swallower.start()]
    client = Client(stage, caller, lambda: ports.pop() if ports else spare, SEED)
    await client.settle(stage.inner[0], "unheard")
    await client.hang_up()
    await swallower.stop()
    assert client.receipts["unheard"]["replayed"]
    return client


async def test_killed_at_random_every_receipt_is_in_the_books_once(
    db: Database, server_process: ServerFactory, command_env: dict[str, str]
) -> None:
    """The next server boots while the present one is under load, so that a round takes as long
    as a start. The last one to be killed has committed what one more client never hears of."""
    chance = random.Random(SEED)
    stage = await Stage(db, "random").build()
    guides = await stage.guides(4)
    *callers, unheard = await stage.consumers(CLIENTS + 1, guides)
    servers = [server_process(environment=SERVERS)]
    clients = [
        Client(stage, caller, lambda: servers[0].port, SEED + number)
        for number, caller in enumerate(callers)
    ]
    await stage.warm([servers[0].port])
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.run(stop))
        for number in range(1, ROUNDS + 1):
            spare = server_process(environment=SERVERS, ready=False)
            await asyncio.to_thread(spare.wait_ready)
            await asyncio.sleep(chance.uniform(0, 0.3))
            killed, servers[0] = servers[0], spare
            if number < ROUNDS:
                await asyncio.to_thread(killed.kill)
            else:
                clients.append(await _unheard(stage, unheard, killed, spare.port))
        stop.set()
    lost = lost_by(clients)
    assert lost["no reply"] >= ROUNDS
    assert sum(any(r["replayed"] for r in client.receipts.values()) for client in clients)
    await check_books(stage, clients, servers[0].port)
    assert audit_findings(command_env, stage.slug) == []


async def test_an_orderly_end_answers_what_was_accepted(
    db: Database, server_process: ServerFactory, command_env: dict[str, str]
) -> None:
    """SIGTERM while a hundred scans wait for the writer: all are answered, then it ends with 0."""
    stage = await Stage(db, "orderly").build()
    server = server_process(environment=SERVERS)
    await stage.warm([server.port])
    callers = await stage.consumers(100, await stage.guides(4))
    requests = [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(callers)]
    async with held(db, claim_of(stage, 0)):
        asking = asyncio.create_task(release_at_once([server.port], requests))
        await process_waits(db.url, server.pid)
        await asyncio.sleep(0.3)
        ending = asyncio.create_task(asyncio.to_thread(server.terminate))
        await asyncio.sleep(0.3)
        assert not ending.done()
        with pytest.raises((NoReply, OSError)):
            await ask_once(server.port, requests[0])  # it takes nobody new
    replies = [said(answer) for answer in await asking]
    assert [reply.get("unpaidReason", reply) for reply in replies] == [None] * 100
    assert await ending == 0
    assert "Traceback" not in server.log_text()
    assert len(await stage.rows(ScanEvent)) == 101
    assert audit_findings(command_env, stage.slug) == []


async def test_ended_under_load_nothing_is_lost(
    db: Database, server_process: ServerFactory, command_env: dict[str, str]
) -> None:
    stage = await Stage(db, "under-load").build()
    callers = await stage.consumers(CLIENTS, await stage.guides(2))
    servers = [server_process(environment=SERVERS)]
    clients = [Client(stage, c, lambda: servers[0].port, n) for n, c in enumerate(callers)]
    await stage.warm([servers[0].port])
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.run(stop))
        await asyncio.sleep(1)
        ended, servers[0] = servers[0], server_process(environment=SERVERS)
        assert await asyncio.to_thread(ended.terminate) == 0
        assert "Traceback" not in ended.log_text()
        await asyncio.sleep(0.5)
        stop.set()
    assert set(lost_by(clients)) <= {"no reply"}
    await check_books(stage, clients, servers[0].port)
    assert audit_findings(command_env, stage.slug) == []
