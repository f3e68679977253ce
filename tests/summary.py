"""The end of a test run says what ran on which database, and what did not run at all.

Tests may be spread over processes: what the summary needs travels with each test's report.
"""

from collections import Counter
from collections.abc import Generator, Iterable

import pytest

PART, ONLY = "loyalty_part", "loyalty_only"
PARTS = ("sqlite", "postgresql", "redis", "none")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "only_database(kind, reason): the test makes sense on this database alone, and why.",
    )
    config.pluginmanager.register(Summary(), "loyalty-summary")


def _parts(item: pytest.Item) -> str:
    """What a test runs on: its database, Redis, both (``postgresql redis``), or ``none``."""
    callspec = getattr(item, "callspec", None)
    parts = []
    if callspec is not None and "database_url" in callspec.params:
        parts.append(str(callspec.params["database_url"]))
    if "redis_url" in getattr(item, "fixturenames", ()):
        parts.append("redis")
    return " ".join(parts) or "none"


class Summary:
    """Counts reports by the database of their test."""

    def __init__(self) -> None:
        self._passed: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._not_run: dict[str, str] = {}
        self._only: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.user_properties.append((PART, _parts(item)))
            marker = item.get_closest_marker("only_database")
            if marker is None:
                continue
            reason = str(marker.kwargs.get("reason", "")).strip()
            if len(marker.args) != 1 or marker.args[0] not in PARTS or not reason:
                raise pytest.UsageError(f"{item.nodeid}: only_database needs a kind and a reason")
            item.user_properties.append((ONLY, f"{marker.args[0]} only ({reason})"))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._not_run[report.nodeid] = _reason(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said = dict(report.user_properties)
        parts = str(said.get(PART, "none")).split()
        if ONLY in said:
            self._only[report.nodeid] = str(said[ONLY])
        if report.failed:
            self._failed.update(parts)
        elif report.skipped:
            self._not_run[report.nodeid] = _reason(report)
        elif report.when == "call":
            self._passed.update(parts)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # after everybody else's part of the summary
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        yield
        line = terminalreporter.write_line
        for nodeid, only in sorted(self._only.items()):
            line(f"{only}: {nodeid}")
        line("databases: " + ", ".join(self._count(part) for part in PARTS))
        if self._not_run:
            line(f"NOT RUN: {len(self._not_run)} ({_distinct(self._not_run.values())})", red=True)

    def _count(self, part: str) -> str:
        failed = f" {self._failed[part]} FAILED" if self._failed[part] else ""
        return f"{part} {self._passed[part]} passed{failed}"


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    # Nothing is skipped in silence: a skip or an expected failure means that a part is missing.
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) else getattr(report, "wasxfail", "skipped")
    return str(reason).removeprefix("Skipped: ").splitlines()[0]


def _distinct(reasons: Iterable[str]) -> str:
    return "; ".join(sorted(set(reasons)))
