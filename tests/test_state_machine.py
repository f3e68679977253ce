"""A state machine plays the engine and an independent model side by side; and it finds bugs."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis.stateful import run_state_machine_as_test

from loyalty.crypto import Keyring
from tests.house.source import ENGINE, ROOT, Source, read_sources
from tests.machine.stages import PROFILE, on_stage

PLAYED = {
    *("done", "paid", "locked", "risen", "replayed", "FIRST", "REPEAT", "INACTIVE", "RETIRED"),
    *("ALREADY_CLAIMED", "AWAITS_CONSUMER", "BUDGET", "CAP", "FROZEN", "NO_CAMPAIGN", "ROSTER"),
    *("SELF_DEALING", "NO_GUIDE", "GUIDE_CAP", "GUIDE_FROZEN", "NO_GUIDE_OUTCOME"),
    *("CODE_UNKNOWN", "IDEMPOTENCY_CONFLICT", "INSUFFICIENT_BALANCE", "SAME_ACCOUNT"),
    *("NOT_ON_ROSTER", "MEMBER_FROZEN", "ALREADY_INVITED", "BATCH_STATE_WRONG"),
    *("BUDGET_BELOW_SPENT", "LADDER_LOWERS_MEMBERS", "gone bad", "all gone bad"),
    *("lived on", "expired", "lowered"),
    *("taken back", "owed", "repaid", "CONSUMER's leg", "GUIDE's leg"),
    *("returned", "returned again", "unlocked", "lapsed", "less waits", "void with its scan"),
    *("merged", "acts as another", "risen together", "repaid by a merge", "waits for another"),
    *("MEMBER_CLOSED", "ROLES_DIFFER"),
    *("REFERENCE_CONFLICT", "RETURN_TOO_LARGE"),
    *("REVERSAL_TOO_LARGE", "TRANSFER_NOT_REVERSIBLE", "SCAN_NOT_REVERSIBLE"),
}
"""What a run must have come across, lest it agree about nothing."""


def test_engine_and_model_agree(database_url: str, keyring: Keyring) -> None:
    with on_stage(database_url, keyring) as machine:
        run_state_machine_as_test(machine, settings=PROFILE)
    assert {name for name in PLAYED if not machine.stage.seen[name]} == set()


def _foreign_to_the_model(source: Source) -> list[str]:
    """What the model imports beyond itself and the standard library."""
    return [
        source.at(line, module)
        for line, module, _ in source.imports
        if module.partition(".")[0] not in sys.stdlib_module_names
        and module.rpartition(".")[0] != "tests.model"
    ]


def test_the_model_shares_nothing_with_the_engine() -> None:
    sources = list(read_sources("tests/model"))
    assert sources
    assert [offence for source in sources for offence in _foreign_to_the_model(source)] == []


def test_the_models_rule_bites() -> None:
    for code in ("import loyalty.clock", "from tests.machine import engine", "import sqlmodel"):
        assert _foreign_to_the_model(Source("tests/model/world.py", code))


@dataclass(frozen=True)
class Planted:
    """One line of the engine made wrong."""

    name: str
    path: str
    right: str
    wrong: str


PLANTED = [
    Planted(
        "points live a month longer",
        "loyalty/assets/rules.py",
        "day.year * 12 + day.month - 1 + months",
        "day.year * 12 + day.month + months",
    ),
    Planted(
        "what is there does not live on",
        "loyalty/ledger/journal.py",
        "until = later",
        "until = expires_on",
    ),
    Planted(
        "a cap forgets what came before this batch",
        "rewards/grants/caps.py",
        "all(world.counters.get(key, 0) < times_max for key, times_max in keys)",
        "all(world.counter_moves.get(key, (0, 0))[0] < times_max for key, times_max in keys)",
    ),
    Planted(
        "an unlocked reward stays reserved",
        "rewards/grants/ending.py",
        "reserved=-state.amount,",
        "reserved=0,",
    ),
    Planted(
        "a level needs more growth than its threshold",
        "tiers/ladders/rules.py",
        "if amount >= level.growth_threshold",
        "if amount > level.growth_threshold",
    ),
    Planted(
        "a guide may sell to its own device",
        "rewards/scans/world.py",
        "return device is not None and",
        "return device is None and",
    ),
    Planted(
        "a frozen guide is paid",
        "rewards/scans/guides.py",
        'if guide.status != "ACTIVE":',
        'if guide.status == "GONE":',
    ),
    Planted(
        "a reversal makes debts that its policy forbids",
        "loyalty/reversals/rules.py",
        "owed = amount - taken if want.policy is ReturnPolicy.UNLIMITED else 0",
        "owed = amount - taken",
    ),
    Planted(
        "a return in part takes everything back",
        "rewards/returns/rules.py",
        "amount = net - credit.reversed - share.keeps(net, credit.granted_by_id)",
        "amount = net - credit.reversed",
    ),
    Planted(
        "a merge leaves the last lot behind",
        "rewards/merges/rules.py",
        "sorted(free.items()) if amount]",
        "sorted(free.items())[:-1] if amount]",
    ),
]


def _play_copy(folder: Path, template: Path, planted: Planted | None, examples: int) -> str:
    """The verdict of the state machine on a copy of the engine. Pure code is spoiled, which no
    database sees: one kind is enough."""
    engine, database = folder / "engine", folder / "played.db"
    shutil.copyfile(template, database)
    ignored = shutil.ignore_patterns("node_modules")  # compiled as they are
    for package in (*ENGINE, "tests"):
        shutil.copytree(ROOT / package, engine / package, ignore=ignored)
    if planted is not None:
        source = (engine / planted.path).read_text(encoding="utf-8")
        assert source.count(planted.right) == 1, "the line to spoil is not where it was"
        (engine / planted.path).write_text(source.replace(planted.right, planted.wrong))
    done = subprocess.run(
        [sys.executable, "-m", "tests.machine", f"sqlite:///{database}", engine, str(examples)],
        cwd=engine,
        env={**os.environ, "PYTHONPATH": str(engine)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout or done.stderr[-2000:]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name.replace(" ", "_"))
def test_it_finds_a_planted_bug(planted: Planted, sqlite_template: Path, tmp_path: Path) -> None:
    verdict = _play_copy(tmp_path, sqlite_template, planted, PROFILE.max_examples)
    assert verdict.startswith("FOUND ")


def test_it_finds_nothing_in_a_faithful_copy(sqlite_template: Path, tmp_path: Path) -> None:
    assert _play_copy(tmp_path, sqlite_template, None, examples=10) == "AGREED"
