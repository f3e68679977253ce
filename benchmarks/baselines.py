"""What the engine is measured against, where that is not the engine's own twin or floor."""

import asyncio
import base64
import os
import re
import secrets
import subprocess
import time

from benchmarks.load import Load, Measured, get_bytes, measure
from benchmarks.postgres import BIN, Postgres
from benchmarks.processes import UVICORN, serving

PGBENCH_SCALE = 50
PGBENCH_CLIENTS = (4, 8, 16)
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


def prepare_pgbench(postgres: Postgres) -> None:
    """Load the tables of TPC-B; the time is not counted."""
    postgres.create_database("pgbench")
    _pgbench(postgres, "-i", "-q", "-s", str(PGBENCH_SCALE), "pgbench")
    postgres.execute("CHECKPOINT")


def best_tpcb(postgres: Postgres, seconds: int) -> tuple[float, int]:
    """Transactions per second of TPC-B, prepared, at its best number of clients; that number."""
    _tpcb(postgres, PGBENCH_CLIENTS[0], 2)
    return max((_tpcb(postgres, clients, seconds), clients) for clients in PGBENCH_CLIENTS)


def _tpcb(postgres: Postgres, clients: int, seconds: int) -> float:
    return transactions_per_second(postgres, clients, "-T", str(seconds), "pgbench")


def transactions_per_second(postgres: Postgres, clients: int, *arguments: str) -> float:
    """What pgbench measures, prepared; RuntimeError if one transaction failed. The arguments end
    with the database."""
    output = _pgbench(postgres, "-M", "prepared", "-n", "-c", str(clients), "-j", "2", *arguments)
    found = _TPS.search(output)
    if found is None or "number of failed transactions: 0 " not in output:
        raise RuntimeError(f"pgbench:\n{output}")
    return float(found[1])


def _pgbench(postgres: Postgres, *arguments: str) -> str:
    return subprocess.run(
        [str(BIN / "pgbench"), *postgres.client_arguments(), *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def bare_ping(clients: int, seconds: float) -> Measured:
    """Requests per second of a bare Starlette route on the engine's own web server."""
    command = [*UVICORN, "--port", "{port}", "benchmarks.ping:app"]
    with serving(command, dict(os.environ), "ping") as port:
        load = Load([get_bytes("/ping")], clients, (port,), 1.0, seconds, repeat=True)
        return measure(load, lambda reply: reply == b"pong")


def codes_by_copy(postgres: Postgres, quantity: int) -> float:
    """Codes per second made the usual way: random, kept as rows under a unique index."""
    postgres.create_database("codes_by_copy")
    try:
        return asyncio.run(_copy_codes(postgres, quantity))
    finally:
        postgres.drop_database("codes_by_copy")


async def _copy_codes(postgres: Postgres, quantity: int) -> float:
    connection = await postgres.connect("codes_by_copy")
    try:
        await connection.execute("CREATE TABLE codes (code text PRIMARY KEY, batch bigint)")
        started = time.perf_counter()
        codes = (
            (base64.b32encode(secrets.token_bytes(16))[:26].decode(), 1) for _ in range(quantity)
        )
        await connection.copy_records_to_table("codes", records=codes)
        seconds = time.perf_counter() - started
        count = await connection.fetchval("SELECT count(*) FROM codes")
    finally:
        await connection.close()
    if count != quantity:
        raise RuntimeError(f"{count} codes copied, not {quantity}")
    return quantity / seconds
