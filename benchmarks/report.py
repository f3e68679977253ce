"""What a run found: ratios with what they are made of, as a table and as JSON."""

import os
import platform
import sqlite3
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.load import Measured
from benchmarks.postgres import ROOT

RESULTS = ROOT / "benchmarks" / "results"
SCANS = "scans/s"
FLOOR = "raw, one transaction each, same rows"
"""What the floors are."""


@dataclass(frozen=True)
class Bar:
    """One ratio. ``first`` and ``then`` are what the design asks for, now and later; None where it
    asks for nothing but to be told.

    ``lower_is_better`` marks the one that compares waiting times. Numerator and denominator are
    in ``unit``; they are this machine's and are never judged.
    """

    name: str
    value: float
    first: float | None
    then: float | None
    numerator: float
    denominator: float
    unit: str
    lower_is_better: bool = False

    def reaches(self, wanted: float | None) -> bool:
        if wanted is None:
            return False
        return self.value <= wanted if self.lower_is_better else self.value >= wanted

    @property
    def color(self) -> str:
        """Green has reached the second column, yellow the first; white was asked for nothing."""
        if self.first is None:
            return "white"
        return (
            "green" if self.reaches(self.then) else "yellow" if self.reaches(self.first) else "red"
        )


def fair_bar(database: str, clients: int, measured: Measured) -> Bar:
    """How long the slowest of so many clients wait, against what all would in a fair queue."""
    fair = clients / measured.per_second
    name = f"p99 at {clients} clients / a fair queue's mean, {database}"
    return Bar(name, measured.p99 / fair, 3.0, 1.5, measured.p99, fair, "s", lower_is_better=True)


def bar(
    name: str,
    numerator: float,
    denominator: float,
    unit: str,
    *,
    first: float | None = None,
    then: float | None = None,
) -> Bar:
    """A ratio of two rates."""
    return Bar(name, numerator / denominator, first, then, numerator, denominator, unit)


class DirtyTree(Exception):
    """The figures could not be traced to a commit."""


def commit_of_clean_tree(allow_dirty: bool) -> tuple[str, bool]:
    """The commit and whether the tree differs from it; results themselves do not count."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    if changed and not allow_dirty:
        raise DirtyTree(f"commit first, or pass --allow-dirty:\n{changed}")
    return commit, bool(changed)


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.rstrip()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def show(console: Console, bars: list[Bar]) -> None:
    """Print the table."""
    table = Table(title="Ratios measured in this run", title_justify="left")
    table.add_column("bar", overflow="fold")
    for title in ("value", "first", "then"):
        table.add_column(title, justify="right")
    table.add_column("made of", overflow="fold")
    for one in bars:
        sign = "≤ " if one.lower_is_better else ""
        asked = ["-" if wanted is None else f"{sign}{wanted:g}" for wanted in (one.first, one.then)]
        table.add_row(
            one.name,
            f"[{one.color}]{one.value:.3g}[/]",
            *asked,
            f"{one.numerator:,.4g} / {one.denominator:,.4g} {one.unit}",
        )
    console.print(table)


def write(path: Path, bars: list[Bar], about: dict[str, Any]) -> None:
    """Write the run as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**about, "bars": [asdict(one) for one in bars]}
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
