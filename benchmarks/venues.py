"""Where measurements take place: a database with the stage set, copied anew for each of them."""

import asyncio
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import bare_jobs, floor_sqlite
from benchmarks.capturing import begin_capturing, read_captured
from benchmarks.floor_postgresql import measure_floor
from benchmarks.load import Load, Measured, measure
from benchmarks.postgres import WORK, Postgres
from benchmarks.processes import SERVE, UVICORN, run_loyalty, serving
from benchmarks.rows import Effects, difference, effects, require_equal
from benchmarks.settlement import capture_coupons, require_captured, require_settled, settle
from benchmarks.stage import (
    REGULARS,
    TOKEN_TTL_SECONDS,
    Stage,
    build_stage,
    plan_scans,
    plan_setting,
)
from benchmarks.tills import TillSizes, build_till_stage, is_step_taken, redeeming
from benchmarks.wire import (
    SCAN_DOCUMENT,
    buying_requests,
    drawing_request,
    engine_document,
    home_requests,
    is_bought,
    is_home,
    is_paid,
    is_published,
    publishing_requests,
    scan_requests,
    twin_document,
)
from loyalty.access.tokens import TokenIssuer
from loyalty.clock import utc_now
from loyalty.crypto import Keyring

TWIN = [*UVICORN, "--port", "{port}", "benchmarks.twin:app"]
SETTING_CLIENTS = 64
CAPTURED_CLIENTS = 16
CAPTURED_SERVERS = 2
STAGE, DRAWING = "stage", "drawing"
"""Templates: with the demo's campaign, and with one more that draws, locks and unlocks."""
BUYING_CLIENTS = 4
"""All buy the same coupon: more of them only wait for its stock."""


def greet(request: bytes, port: int) -> None:
    """One scan before the crowd comes: connections, keys and configuration are opened by it."""
    measure(Load([request], 1, (port,)), is_paid)


def send_all(requests: list[bytes], port: int) -> None:
    """Each scan once, whatever time it takes."""
    greet(requests[0], port)
    measure(Load(requests[1:], SETTING_CLIENTS, (port,)), is_paid)


@dataclass(frozen=True)
class Secrets:
    """The same for all servers of a run, so that one set of tokens serves them all."""

    token: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    master: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def environment(self, url: str) -> dict[str, str]:
        """Ours alone, and nothing of the developer's own ``LOYALTY_*``."""
        inherited = {name: value for name, value in os.environ.items() if "LOYALTY_" not in name}
        return {
            **inherited,
            "LOYALTY_DATABASE_URL": url,
            "LOYALTY_TOKEN_SECRET": self.token.hex(),
            "LOYALTY_MASTER_KEY": self.master.hex(),
            "LOYALTY_TOKEN_TTL_SECONDS": str(TOKEN_TTL_SECONDS),
            "LOYALTY_LOG_LEVEL": "WARNING",
        }


class Venue:
    """A template database and what makes copies of it."""

    def __init__(self, keys: Secrets) -> None:
        self.keys = keys
        self.keyring = Keyring(keys.master)
        self.stage: Stage
        self.engine_scans: list[bytes] = []
        self.twin_scans: list[bytes] = []

    @contextmanager
    def copy(self, template: str = STAGE) -> Iterator[str]:
        """The URL of a fresh copy of a template, dropped afterwards."""
        raise NotImplementedError

    def set_stage(self, url: str, scans: int) -> None:
        """Fill an empty database, through the engine's own HTTP where that is what it is for."""
        run_loyalty(self.keys.environment(url), "migrate")
        tokens = TokenIssuer(self.keys.token, TOKEN_TTL_SECONDS)
        self.stage = asyncio.run(build_stage(url, self.keyring, tokens))
        document = engine_document(SCAN_DOCUMENT)
        setting = scan_requests(self.stage, plan_setting(self.stage), document, utc_now())
        with serving(SERVE, self.keys.environment(url), "setting") as port:
            measure(Load(publishing_requests(self.stage, utc_now()), 1, (port,)), is_published)
            send_all(setting, port)
            buying = buying_requests(self.stage, utc_now())
            measure(Load(buying, BUYING_CLIENTS, (port,)), is_bought)
        plan = list(plan_scans(self.stage, scans))
        self.engine_scans = scan_requests(self.stage, plan, document, utc_now())
        self.twin_scans = scan_requests(self.stage, plan, twin_document(), utc_now())

    def scans(
        self,
        clients: int,
        seconds: float,
        *,
        warm_up: float = 2.0,
        servers: int = 1,
        template: str = STAGE,
    ) -> Measured:
        """The engine's scans over HTTP, on a fresh copy."""
        with self.copy(template) as url:
            return self.scans_on(url, clients, seconds, warm_up=warm_up, servers=servers)

    def scans_on(
        self, url: str, clients: int, seconds: float, *, warm_up: float = 2.0, servers: int = 1
    ) -> Measured:
        """The same on a database that is there already."""
        with ExitStack() as running:
            ports = tuple(
                running.enter_context(serving(SERVE, self.keys.environment(url), f"server-{n}"))
                for n in range(1, servers + 1)
            )
            for number, port in enumerate(ports, 1):
                greet(self.engine_scans[-number], port)
            return measure(Load(self.engine_scans, clients, ports, warm_up, seconds), is_paid)

    def scans_by_turns(
        self, clients: int, seconds: float, *, turns: int, template: str = STAGE
    ) -> tuple[float, float]:
        """Scans a second of one server and of two, each so often for so long, one after the other:
        what the machine has besides changes from minute to minute."""
        runs: dict[int, list[Measured]] = {1: [], 2: []}
        for _ in range(turns):
            for servers, of_it in runs.items():
                of_it.append(self.scans(clients, seconds, servers=servers, template=template))
        one, two = (
            sum(run.count for run in of_it) / sum(run.seconds for run in of_it)
            for of_it in runs.values()
        )
        return one, two

    def twin(self, clients: int, seconds: float) -> Measured:
        """The twin's scans over HTTP, on a fresh copy."""
        with self.copy() as url, serving(TWIN, self.keys.environment(url), "twin") as port:
            return measure(Load(self.twin_scans, clients, (port,), 2.0, seconds), is_paid)

    def _scans_alone(
        self, url: str, requests: list[bytes], servers: int = CAPTURED_SERVERS
    ) -> None:
        """Each scan in a batch of its own, so that one transaction is one scan."""
        alone = {**self.keys.environment(url), "LOYALTY_SCAN_BATCH_SIZE_MAX": "1"}
        with ExitStack() as running:
            ports = tuple(
                running.enter_context(serving(SERVE, alone, f"alone-{n}"))
                for n in range(1, servers + 1)
            )
            for request, port in zip(requests, ports, strict=False):
                greet(request, port)
            rest = Load(requests[servers:], CAPTURED_CLIENTS, ports)
            measure(rest, is_paid)

    def home(self, clients: int, seconds: float) -> Measured:
        """The regulars' home queries over HTTP."""
        requests = home_requests(self.stage, self.stage.consumers[:REGULARS], utc_now())
        with self.copy() as url, serving(SERVE, self.keys.environment(url), "home") as port:
            load = Load(requests, clients, (port,), 1.0, seconds, repeat=True)
            return measure(load, is_home)

    def effects_of(self, command: list[str], requests: list[bytes]) -> Effects:
        """What a server leaves in the database after some scans."""
        with self.copy() as url:
            before = effects(url)
            with serving(command, self.keys.environment(url), "effects") as port:
                send_all(requests, port)
            return difference(before, effects(url))


class PostgresVenue(Venue):
    """Copies by CREATE DATABASE ... TEMPLATE."""

    def __init__(self, postgres: Postgres, keys: Secrets, scans: int) -> None:
        super().__init__(keys)
        self.postgres = postgres
        self.set_stage(postgres.create_database(STAGE), scans)
        url = postgres.create_database(DRAWING, template=STAGE)
        with serving(SERVE, self.keys.environment(url), "publishing") as port:
            request = drawing_request(self.stage, utc_now())
            measure(Load([request], 1, (port,)), is_published)

    @contextmanager
    def copy(self, template: str = STAGE) -> Iterator[str]:
        with self.postgres.copy_of(template) as url:
            yield url

    def drawing_scans(self, clients: int, seconds: float) -> Measured:
        """Scans of which each also draws, unlocks what the last one locked, and locks."""
        with self.postgres.copy_of(DRAWING) as url:
            measured = self.scans_on(url, clients, seconds)
            run_loyalty(self.keys.environment(url), "audit")
        return measured

    def floor(self, template: str, count: int) -> float:
        """Scans per second of the floor, whose rows are those of so many of the engine's scans."""
        with self.postgres.copy_of(template) as url:
            before = effects(url)
            asyncio.run(begin_capturing(url))
            self._scans_alone(url, self.engine_scans[:count])
            engine = difference(before, effects(url))
            scans = asyncio.run(read_captured(url, count))
        with self.postgres.copy_of(template) as url:
            floor = measure_floor(self.postgres, url, scans)
        require_equal(engine, floor.written, "the floor")
        return floor.per_second


class SqliteVenue(Venue):
    """Copies of the file."""

    def __init__(self, keys: Secrets, scans: int) -> None:
        super().__init__(keys)
        self._folder = WORK / "sqlite"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self.set_stage(f"sqlite:///{self._folder / 'stage.db'}", scans)
        self._close_file(STAGE)
        shutil.copyfile(self._folder / f"{STAGE}.db", self._folder / f"{DRAWING}.db")
        url = f"sqlite:///{self._folder / f'{DRAWING}.db'}"
        with serving(SERVE, self.keys.environment(url), "publishing") as port:
            request = drawing_request(self.stage, utc_now())
            measure(Load([request], 1, (port,)), is_published)
        self._close_file(DRAWING)

    def _close_file(self, template: str) -> None:
        """Nothing is left in its write-ahead log: it can be copied."""
        with sqlite3.connect(self._folder / f"{template}.db") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def copy(self, template: str = STAGE) -> Iterator[str]:
        with self.copied_file(template) as path:
            yield f"sqlite:///{path}"

    def drawing_scans(self, clients: int, seconds: float) -> Measured:
        """Scans of which each also draws, unlocks what the last one locked, and locks."""
        with self.copy(DRAWING) as url:
            measured = self.scans_on(url, clients, seconds)
            run_loyalty(self.keys.environment(url), "audit")
        return measured

    def drawing_floor(self, count: int) -> float:
        """Scans per second of the floor, whose rows are those of so many of these scans."""
        with self.copied_file(DRAWING) as path:
            url = f"sqlite:///{path}"
            before = effects(url)
            floor_sqlite.begin_capturing(path)
            self._scans_alone(url, self.engine_scans[:count], servers=1)
            scans = floor_sqlite.end_capturing(path, count)
            engine = difference(before, effects(url))
        with self.copied_file(DRAWING) as path:
            per_second, written = floor_sqlite.write_again(path, scans)
        require_equal(engine, written, "the floor")
        return per_second

    @contextmanager
    def copied_file(self, template: str = STAGE) -> Iterator[Path]:
        """The file itself, for the floor."""
        path = self._folder / "copied.db"
        shutil.copyfile(self._folder / f"{template}.db", path)
        try:
            yield path
        finally:
            for file in self._folder.glob("copied.db*"):
                file.unlink()

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class TillVenue:
    """PostgreSQL with stores, tills and coupons (``tills.py``), copied as the other one."""

    def __init__(self, postgres: Postgres, keys: Secrets, sizes: TillSizes) -> None:
        self._postgres = postgres
        self._keys = keys
        url = postgres.create_database("tills")
        run_loyalty(keys.environment(url), "migrate")
        self._stage = asyncio.run(build_till_stage(url, Keyring(keys.master), sizes))
        self._tokens = TokenIssuer(keys.token, TOKEN_TTL_SECONDS)

    def pairs(self, clients: int, seconds: float) -> Measured:
        """Coupons held and captured over HTTP, by so many tills at once."""
        holds, then = redeeming(self._stage, self._tokens, utc_now())
        with self._postgres.copy_of("tills") as url:
            with serving(SERVE, self._keys.environment(url), "tills") as port:
                # One before the crowd comes, which is then not to ask for the same coupon.
                first = Load([holds.pop()], 1, (port,), then=then.at(len(holds)))
                measure(first, is_step_taken)
                load = Load(holds, clients, (port,), 2.0, seconds, then=then)
                measured = measure(load, is_step_taken)
            require_captured(url, measured.sent + 1)
        return measured

    def settled_per_second(self, redis_url: str, count: int) -> float:
        """Redemptions that one ``loyalty worker`` settles, called through Redis."""
        holds, then = redeeming(self._stage, self._tokens, utc_now())
        with self._postgres.copy_of("tills") as url:
            environment = {**self._keys.environment(url), "LOYALTY_REDIS_URL": redis_url}
            capture_coupons(url, environment, holds[:count], then)
            seconds = settle(url, environment, redis_url)
            require_settled(url, count)
            run_loyalty(environment, "audit")
        return count / seconds

    def bare_jobs_per_second(self, redis_url: str, count: int) -> float:
        """Jobs of one bare arq worker, through the same Redis to the same PostgreSQL."""
        url = self._postgres.create_database("bare")
        try:
            asyncio.run(bare_jobs.prepare_rows(url, count))
            asyncio.run(bare_jobs.enqueue(redis_url, range(1, count + 1)))
            return bare_jobs.work_off(url, redis_url, count)
        finally:
            self._postgres.drop_database("bare")
