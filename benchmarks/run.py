"""`make bench`: `python -m benchmarks [--full] [--allow-dirty] [--only PART ...]`.

Measures the ratios that the design asks for, each against something measured in the same run.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from rich.console import Console

from benchmarks.baselines import bare_ping, best_tpcb, codes_by_copy, prepare_pgbench
from benchmarks.campaigns import OTHERS, publish_others
from benchmarks.expiry import bare_update, expire, prepare_lots
from benchmarks.history import store_claims
from benchmarks.issuing import bars_of, issue
from benchmarks.on_sqlite import bars_on_sqlite
from benchmarks.postgres import SETTINGS, WORK, Postgres, running_postgres
from benchmarks.processes import SERVE
from benchmarks.reevaluation import bare_update as bare_update_of_standings
from benchmarks.reevaluation import prepare_standings, re_evaluate
from benchmarks.report import (
    FLOOR,
    RESULTS,
    SCANS,
    Bar,
    DirtyTree,
    bar,
    commit_of_clean_tree,
    fair_bar,
    machine,
    show,
    write,
)
from benchmarks.rows import require_equal
from benchmarks.settlement import REDIS_SETTINGS, running_redis, version_of
from benchmarks.sizes import FULL, QUICK, Sizes
from benchmarks.stage import ENROLLED, GUIDES, ONE_NEWCOMER_IN
from benchmarks.tills import TillSizes
from benchmarks.venues import DRAWING, STAGE, TWIN, PostgresVenue, Secrets, SqliteVenue, TillVenue
from benchmarks.webhooks import ENDPOINTS, HANGING, told_seconds
from loyalty.codes.printing import write_codes
from loyalty.codes.rules import KEY_BYTES, CodeKey
from loyalty.crypto import Keyring

T = TypeVar("T")
SET_AGAIN = {"first": 0.25, "then": 0.7}
"""Of the floor on PostgreSQL, what 0.35 and 1.0 of TPC-B were of that of the prototypes, which did
1.36 to 1.6 times TPC-B; rounded up (docs/performance.md)."""
PARTS = (
    *("codes", "scans", "tills", "settlement", "expiry"),
    *("tiers", "webhooks", "issuing", "sqlite"),
)  # what may be measured alone; the result is then not kept


class Bench:
    """One run: measures in turn, and says what it is doing."""

    def __init__(self, sizes: Sizes, console: Console, parts: Collection[str] = PARTS) -> None:
        self.sizes = sizes
        self.bars: list[Bar] = []
        self._parts = parts
        self._best_tpcb: float | None = None
        self._console = console
        self._started = time.monotonic()

    def step(self, name: str, measure: Callable[[], T]) -> T:
        """Do one thing and tell how long it took."""
        began = time.monotonic()
        with self._console.status(name):
            result = measure()
        now = time.monotonic()
        self._console.print(
            f"[dim]{now - self._started:5.0f} s[/] {name} [dim]({now - began:.0f} s)[/]"
        )
        return result

    def run(self) -> dict[str, Any]:
        """All bars; the versions of the databases."""
        keys = Secrets()
        with running_postgres() as postgres:
            versions = {"postgresql": postgres.version}
            if "codes" in self._parts:
                self._codes(postgres)
            if "scans" in self._parts:
                self._postgres(postgres, keys)
            if not {"tills", "settlement"}.isdisjoint(self._parts):
                versions["redis"] = self._tills(postgres, keys)
            if "expiry" in self._parts:
                self._expiry(postgres, keys)
            if "tiers" in self._parts:
                self._tiers(postgres, keys)
            if "webhooks" in self._parts:
                self._webhooks(postgres, keys)
            if "issuing" in self._parts:
                self._issuing(postgres, keys)
        if "sqlite" in self._parts:
            self._sqlite(keys)
        return versions

    def _tpcb(self, postgres: Postgres) -> float:
        """The best TPC-B of this run; measured once."""
        if self._best_tpcb is None:
            seconds = int(self.sizes.seconds * 0.8)
            self.step("TPC-B tables", lambda: prepare_pgbench(postgres))
            self._best_tpcb, _ = self.step("pgbench TPC-B", lambda: best_tpcb(postgres, seconds))
        return self._best_tpcb

    def _tills(self, postgres: Postgres, keys: Secrets) -> str:
        """Tills and settlement; the version of Redis."""
        sizes = self.sizes
        wanted = TillSizes(coupons=sizes.coupons)
        venue = self.step("Stores and coupons", lambda: TillVenue(postgres, keys, wanted))
        if "tills" in self._parts:
            tpcb = self._tpcb(postgres)
            pairs = self.step("Hold-capture", lambda: venue.pairs(sizes.clients, sizes.seconds))
            name = "hold-capture, PostgreSQL / TPC-B"
            self.bars.append(bar(name, pairs.per_second, tpcb, "pairs/s"))
        with running_redis() as redis:
            if "settlement" in self._parts:
                count = sizes.settlements
                bare = self.step(
                    "Bare arq jobs", lambda: venue.bare_jobs_per_second(redis.url, count)
                )
                settled = self.step(
                    "Settlement", lambda: venue.settled_per_second(redis.url, count)
                )
                name = "settlement through Redis / bare arq jobs"
                self.bars.append(bar(name, settled, bare, "jobs/s", first=0.5, then=0.8))
            return version_of(redis)

    def _postgres(self, postgres: Postgres, keys: Secrets) -> None:
        sizes = self.sizes
        venue = self.step(
            "Setting the stage on PostgreSQL", lambda: PostgresVenue(postgres, keys, sizes.requests)
        )
        self.step("PostgreSQL: engine and twin write equal rows", lambda: self._equal_twin(venue))
        tpcb = self._tpcb(postgres)
        scans = self.step("PostgreSQL: scans", lambda: venue.scans(sizes.clients, sizes.seconds))
        floor = self.step("PostgreSQL: the floor", lambda: venue.floor(STAGE, sizes.captured_scans))
        many = self.step(
            "PostgreSQL: scans, many clients",
            lambda: venue.scans(sizes.many_clients, sizes.seconds),
        )
        one, two = self.step(
            "PostgreSQL: scans of one server and of two, by turns",
            lambda: venue.scans_by_turns(sizes.clients, sizes.seconds / 2, turns=4),
        )
        twin = self.step("PostgreSQL: the twin", lambda: venue.twin(sizes.clients, sizes.seconds))
        stored = self.step("PostgreSQL: scans after many", lambda: self._after_many(venue))
        asked, among = self.step(
            "PostgreSQL: scans, many campaigns", lambda: self._among_many(venue)
        )
        self._home("PostgreSQL", venue)
        rate = scans.per_second
        self.bars[:0] = [
            bar(f"scan, PostgreSQL / {FLOOR}", rate, floor, SCANS, **SET_AGAIN),
            *self._drawing(venue, tpcb),
            bar("scan, PostgreSQL / TPC-B", rate, tpcb, SCANS, first=0.35, then=1.0),
            bar("scan, PostgreSQL / ORM twin", rate, twin.per_second, SCANS, first=8, then=20),
            fair_bar("PostgreSQL", sizes.many_clients, many),
            bar(
                f"scan with {sizes.stored_claims:,} claims stored / with none, PostgreSQL",
                *(stored, rate, SCANS),
                first=0.7,
                then=0.9,
            ),
            bar(
                f"scan with {OTHERS + 1} live campaigns ({asked} conditions asked) / with one,"
                " PostgreSQL",
                *(among, rate, SCANS),
                first=0.5,
            ),
            bar("two servers / one, by turns, PostgreSQL", two, one, SCANS, first=1.2, then=1.4),
        ]

    def _drawing(self, venue: PostgresVenue, tpcb: float) -> list[Bar]:
        """Scans that each draw, lock and unlock: more rows, and so a floor of their own."""
        sizes = self.sizes
        drawn = self.step(
            "PostgreSQL: scans that draw",
            lambda: venue.drawing_scans(sizes.clients, sizes.seconds),
        )
        floor = self.step(
            "PostgreSQL: the floor of these", lambda: venue.floor(DRAWING, sizes.captured_scans)
        )
        many = self.step(
            "PostgreSQL: scans that draw, many clients",
            lambda: venue.drawing_scans(sizes.many_clients, sizes.seconds),
        )
        one, two = self.step(
            "PostgreSQL: scans that draw, of one server and of two, by turns",
            lambda: venue.scans_by_turns(sizes.clients, sizes.seconds, turns=2, template=DRAWING),
        )
        name, rate = "scan with a draw, a lock and an unlock, PostgreSQL", drawn.per_second
        return [
            bar(f"{name} / {FLOOR}", rate, floor, SCANS, **SET_AGAIN),
            bar(f"{name} / TPC-B", rate, tpcb, SCANS, first=0.35, then=1.0),
            fair_bar("PostgreSQL, with draws", sizes.many_clients, many),
            bar("two servers / one, with draws, by turns", two, one, SCANS, first=1.2, then=1.4),
        ]

    def _equal_twin(self, venue: PostgresVenue) -> None:
        count = self.sizes.compared_scans
        engine = venue.effects_of(SERVE, venue.engine_scans[:count])
        require_equal(engine, venue.effects_of(TWIN, venue.twin_scans[:count]), "the twin")

    def _after_many(self, venue: PostgresVenue) -> float:
        with venue.copy() as url:
            store_claims(venue.postgres, "copied", venue.stage, self.sizes.stored_claims)
            return venue.scans_on(url, self.sizes.clients, self.sizes.seconds).per_second

    def _among_many(self, venue: PostgresVenue) -> tuple[int, float]:
        with venue.copy() as url:
            asked = publish_others(url, venue.stage)
            rate = venue.scans_on(url, self.sizes.clients, self.sizes.seconds).per_second
        return asked, rate

    def _home(self, name: str, venue: PostgresVenue | SqliteVenue) -> None:
        seconds = self.sizes.seconds / 2
        ping = self.step("Bare ping", lambda: bare_ping(self.sizes.clients, seconds))
        home = self.step(f"{name}: home", lambda: venue.home(self.sizes.clients, seconds))
        self.bars.append(
            bar(
                f"member home, {name} / bare ping",
                *(home.per_second, ping.per_second, "requests/s"),
                first=0.04,
                then=0.2,
            )
        )

    def _expiry(self, postgres: Postgres, keys: Secrets) -> None:
        """How fast lots expire; and that memory does not grow with their number."""
        lots, few = self.sizes.lots, self.sizes.few_lots
        environment = keys.environment("")
        self.step("A few lots", lambda: prepare_lots(postgres, environment, few))
        little = self.step("Expiry of a few lots", lambda: expire(postgres, environment, few))
        brand = self.step("Many lots", lambda: prepare_lots(postgres, environment, lots))
        bare = self.step("One bare UPDATE of lots", lambda: bare_update(postgres, brand, lots))
        much = self.step("Expiry", lambda: expire(postgres, environment, lots))
        name = f"expiry of {lots:,} lots, PostgreSQL / one bare UPDATE of them"
        self.bars.append(bar(name, much.lots_per_second, bare, "lots/s"))
        peak, small = much.peak_bytes / 2**20, little.peak_bytes / 2**20
        name = f"peak memory of the expiry of {lots:,} lots / of {few:,}"
        self.bars.append(Bar(name, peak / small, None, None, peak, small, "MiB", True))

    def _tiers(self, postgres: Postgres, keys: Secrets) -> None:
        """How fast standings are re-evaluated; and that memory does not grow with their number."""
        count, few = self.sizes.lots, self.sizes.few_lots
        environment = keys.environment("")
        self.step("A few standings", lambda: prepare_standings(postgres, environment, few))
        little = self.step(
            "Re-evaluation of a few", lambda: re_evaluate(postgres, environment, few)
        )
        brand = self.step("Many standings", lambda: prepare_standings(postgres, environment, count))
        bare = self.step(
            "One bare UPDATE of standings",
            lambda: bare_update_of_standings(postgres, brand, count),
        )
        much = self.step("Re-evaluation", lambda: re_evaluate(postgres, environment, count))
        name = f"re-evaluation of {count:,} standings, PostgreSQL / one bare UPDATE of them"
        self.bars.append(bar(name, much.standings_per_second, bare, "standings/s"))
        peak, small = much.peak_bytes / 2**20, little.peak_bytes / 2**20
        name = f"peak memory of the re-evaluation of {count:,} standings / of {few:,}"
        self.bars.append(Bar(name, peak / small, None, None, peak, small, "MiB", True))

    def _webhooks(self, postgres: Postgres, keys: Secrets) -> None:
        """Whether endpoints that hang delay the others."""
        environment = keys.environment("")
        keyring = Keyring(keys.master)
        healthy = self.step(
            "Webhooks", lambda: told_seconds(postgres, environment, keyring, hang=False)
        )
        hampered = self.step(
            "Webhooks, a tenth hangs",
            lambda: told_seconds(postgres, environment, keyring, hang=True),
        )
        name = f"time to tell the healthy of {ENDPOINTS:,} endpoints, {HANGING} hanging / none"
        self.bars.append(Bar(name, hampered / healthy, 1.5, 1.2, hampered, healthy, "s", True))

    def _issuing(self, postgres: Postgres, keys: Secrets) -> None:
        tpcb, sizes = self._tpcb(postgres), (self.sizes.coupons, self.sizes.lots)
        done = self.step("Issuing", lambda: issue(postgres, keys.environment(""), *sizes))
        self.bars += bars_of(done, tpcb)

    def _sqlite(self, keys: Secrets) -> None:
        sizes = self.sizes
        venue = self.step("Setting the stage on SQLite", lambda: SqliteVenue(keys, sizes.requests))
        try:
            self.bars[1:1] = bars_on_sqlite(venue, sizes, self.step)
            self._home("SQLite", venue)
        finally:
            venue.close()

    def _codes(self, postgres: Postgres) -> None:
        sizes = self.sizes
        usual = self.step(
            "Codes by secrets and COPY", lambda: codes_by_copy(postgres, sizes.codes_by_copy)
        )
        ours = self.step("Codes to a file", lambda: codes_to_file(sizes.codes))
        self.bars.append(
            bar("codes to a file / secrets + COPY", ours, usual, "codes/s", first=12, then=35)
        )


def codes_to_file(quantity: int) -> float:
    """Codes per second made by the engine, to a durable file."""
    path = WORK / "codes.txt"
    path.unlink(missing_ok=True)
    key = CodeKey(uuid4(), uuid4(), "0B0", secrets.token_bytes(KEY_BYTES))
    started = time.perf_counter()
    write_codes(path, key, 1, 0, quantity)
    seconds = time.perf_counter() - started
    path.unlink()
    return quantity / seconds


def main() -> int:
    """Run, show, and keep the figures of a clean tree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="millions instead of 10^5; an hour")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="measure uncommitted work; keeps no result"
    )
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="measure this part alone; keeps no result"
    )
    arguments = parser.parse_args()
    console = Console()
    try:
        commit, dirty = commit_of_clean_tree(arguments.allow_dirty)
    except DirtyTree as error:
        console.print(f"The tree is dirty: {error}", markup=False)
        return 2
    started = datetime.now(UTC)
    sizes = FULL if arguments.full else QUICK
    bench = Bench(sizes, console, arguments.only or PARTS)
    try:
        versions = bench.run()
    finally:
        # Also when a later part fails: a quarter of an hour's figures are not thrown away.
        show(console, bench.bars)
    mix = {"guides": GUIDES, "enrolled": ENROLLED, "one_newcomer_in": ONE_NEWCOMER_IN}
    about = {
        "commit": commit,
        "dirty": dirty,
        "full": arguments.full,
        "started_at": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds()),
        "machine": {**machine(), **versions},
        "sizes": {**asdict(sizes), **mix},
        "settings": {
            "postgresql": SETTINGS,
            "sqlite": {"synchronous": "FULL", "wal": True},
            "redis": REDIS_SETTINGS,
        },
    }
    is_kept = not dirty and not arguments.only
    path = RESULTS / "latest.json" if is_kept else WORK / "not_kept.json"
    write(path, bench.bars, about)
    console.print(f"Written to {path}{'' if is_kept else ' (not kept: dirty, or a part only)'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
