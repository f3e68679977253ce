"""Scans on SQLite beside their floors: plain ones, and those that draw, lock and unlock."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.floor import FloorPlan, measure_floor
from benchmarks.processes import SERVE
from benchmarks.report import FLOOR, SCANS, Bar, bar
from benchmarks.rows import difference, effects, require_equal
from benchmarks.sizes import Sizes
from benchmarks.stage import plan_scans
from benchmarks.venues import SqliteVenue

Step = Callable[[str, Callable[[], object]], object]
"""Does one part of a run, and says so."""


def bars_on_sqlite(venue: SqliteVenue, sizes: Sizes, step: Step) -> list[Bar]:
    """Both, each beside the same rows written raw, one transaction a scan."""
    rates: dict[str, float] = {}

    def measured(name: str, part: Callable[[], float]) -> None:
        def run() -> None:
            rates[name] = part()

        step(name, run)

    equal, floor = "SQLite: engine and floor write equal rows", "SQLite: the floor"
    scans, drawn = "SQLite: scans", "SQLite: scans that draw"
    drawn_floor = "SQLite: the floor of these"
    each = (sizes.clients, sizes.seconds)
    step(equal, lambda: _require_equal_floor(venue, sizes.compared_scans))
    measured(floor, lambda: _floor(venue, sizes.floor_scans))
    measured(scans, lambda: venue.scans(*each).per_second)
    measured(drawn, lambda: venue.drawing_scans(*each).per_second)
    measured(drawn_floor, lambda: venue.drawing_floor(sizes.captured_scans))
    named = "scan with a draw, a lock and an unlock, SQLite"
    return [
        bar(f"{name} / {FLOOR}", rates[ours], rates[raw], SCANS, first=0.5, then=1.2)
        for name, ours, raw in (("scan, SQLite", scans, floor), (named, drawn, drawn_floor))
    ]


def _require_equal_floor(venue: SqliteVenue, count: int) -> None:
    engine = venue.effects_of(SERVE, venue.engine_scans[:count])
    with venue.copied_file() as path:
        before = effects(f"sqlite:///{path}")
        _write_floor(venue, path, count)
        written = difference(before, effects(f"sqlite:///{path}"))
    require_equal(engine, written, "the floor")


def _floor(venue: SqliteVenue, count: int) -> float:
    with venue.copied_file() as path:
        return _write_floor(venue, path, count)


def _write_floor(venue: SqliteVenue, path: Path, count: int) -> float:
    plan = FloorPlan(path, venue.stage, venue.keyring)
    return measure_floor(path, [plan.steps(scan) for scan in plan_scans(venue.stage, count)])
