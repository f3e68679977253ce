"""How tests are spread over processes: those that start many processes of their own run one after
another, beside everything else."""

import pytest

PROCESS_TESTS = (
    "tests/kills/",
    "tests/races/",
    "tests/scenarios/test_operations.py",
    "tests/server/test_demo.py",
    "tests/workers/test_called_processes.py",
    "tests/workers/test_processes.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(PROCESS_TESTS):
            item.add_marker(pytest.mark.xdist_group("processes"))
