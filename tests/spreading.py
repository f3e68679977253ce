"""How tests are spread over processes: those that start many processes of their own run one after
another, beside everything else; those that share a server and a database stay together. What takes
longest begins early: begun last, it would run on beside idle processes."""

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

PROCESS_TESTS = (
    "tests/kills/",
    "tests/races/",
    "tests/scenarios/test_operations.py",
    "tests/server/test_demo.py",
    "tests/workers/test_called_processes.py",
    "tests/workers/test_processes.py",
)
SHARING_TESTS = ("tests/graphql_schema/",)
LONG_TESTS = (
    "tests/test_state_machine.py",
    "tests/scenarios/test_scene_12_alliance_quarter.py",
    "tests/rewards/scans/test_partition.py",
)
"""Of those that run by themselves."""
KINDS = ("sqlite", "postgresql")


def scope_of(nodeid: str) -> str:
    """What runs in one process, one test after another."""
    if nodeid.startswith(PROCESS_TESTS):
        return "processes"
    if nodeid.startswith(SHARING_TESTS):
        file, _, test = nodeid.partition("::")
        return f"{file} {next((kind for kind in KINDS if kind in test), '')}"
    return nodeid


class Spreading(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's own groups (``xdist_group``) are without effect, silently, since pytest has a new
    way to keep the names of tests."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Among groups of one test each, the order is that of the collection."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG_TESTS))


@pytest.hookimpl(optionalhook=True)  # not there without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Spreading:
    return Spreading(config, log)
