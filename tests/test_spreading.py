"""Tests that must not run at once run in one process, and the others beside them."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.house.source import ROOT

TESTS = """
import time
import pytest
@pytest.mark.parametrize('database_url', ['sqlite', 'postgresql'])
@pytest.mark.parametrize('number', range(4))
def test_it(database_url, number): time.sleep(0.05)
"""
RAN = re.compile(r"\[(gw\d)\].* PASSED (tests/\w+/test_\w+.py)::test_it\[\d-(\w+)\]")


def test_what_stays_together_runs_in_one_process(tmp_path: Path) -> None:
    for name in ("kills/test_one.py", "races/test_two.py", "graphql_schema/test_three.py"):
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True)
        path.write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-n", "2", "-p", "no:cacheprovider"),
            *("-p", "tests.spreading", "--rootdir", tmp_path, "tests"),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    ran: dict[str, set[str]] = defaultdict(set)
    for process, file, kind in RAN.findall(done.stdout):
        ran[f"{file} {kind}" if "graphql_schema" in file else "processes"].add(process)
    assert len(ran) == 3, done.stdout
    assert all(len(processes) == 1 for processes in ran.values())
    assert len(set().union(*ran.values())) == 2
