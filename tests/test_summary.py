"""What did not run is said aloud, with the word that fails the build."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT


def _pytest(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = folder / "test_inner.py"
    path.write_text(f"import pytest\n{code}")
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.summary", "-p", "no:cacheprovider"),
            *("--rootdir", folder, "-c", ROOT / "pyproject.toml", path),
            *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "def test_it():\n    pytest.skip('missing PostgreSQL: no wheel')",
            "NOT RUN: 1 (missing PostgreSQL: no wheel)",
        ),
        ("pytest.importorskip('no_such_part')\ndef test_it(): pass", "NOT RUN: 1 ("),
        ("@pytest.mark.xfail(reason='later')\ndef test_it(): assert False", "NOT RUN: 1 (later)"),
    ],
    ids=["skipped", "not collected", "expected to fail"],
)
def test_what_did_not_run_is_named(tmp_path: Path, code: str, line: str, processes: int) -> None:
    assert line in _pytest(tmp_path, code, "-n", str(processes)).stdout


@pytest.mark.parametrize("processes", [0, 2])
def test_counts_are_by_database_and_silence_means_that_all_ran(
    tmp_path: Path, processes: int
) -> None:
    code = (
        "@pytest.mark.parametrize('database_url', ['sqlite', 'postgresql'])\n"
        "def test_both(database_url): assert database_url != 'postgresql'\n"
        "def test_none(): pass\n"
        "@pytest.fixture\n"
        "def redis_url(): return ''\n"
        "@pytest.mark.parametrize('database_url', ['sqlite'])\n"
        "def test_with_redis(database_url, redis_url): pass\n"
    )
    said = _pytest(tmp_path, code, "-n", str(processes)).stdout
    assert (
        "databases: sqlite 2 passed, postgresql 0 passed 1 FAILED, redis 1 passed, none 1 passed"
        in said
    )
    assert "NOT RUN" not in said


def test_a_test_for_one_database_alone_gives_its_reason(tmp_path: Path) -> None:
    marked = "@pytest.mark.only_database('sqlite'{})\ndef test_it(): pass"
    named = _pytest(tmp_path, marked.format(", reason='asks for a file'"))
    assert "sqlite only (asks for a file): " in named.stdout
    assert _pytest(tmp_path, marked.format("")).returncode == pytest.ExitCode.USAGE_ERROR
