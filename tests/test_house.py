"""The rules of docs/house.md, checked; and each rule is shown to bite."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from migrations.metadata import MODULES, metadata
from tests.house import checks
from tests.house.allowed import TABLES_WITHOUT_BRAND
from tests.house.checks import ENGINE_CHECKS, EVERYWHERE_CHECKS, Check
from tests.house.samples import BAD, GOOD
from tests.house.source import ENGINE, ROOT, Source, read_sources

EVERYWHERE = (*ENGINE, "benchmarks", "tests")
AUDIT_MAY_IMPORT = ("loyalty.settings", "loyalty.db", "loyalty.ledger.audit")
HOUSE_PAGE = ROOT / "docs" / "house.md"

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
FORBIDDEN_IMPORTS = {
    "loyalty/clock.py": "import tiers",
    "tiers/__init__.py": "import rewards",
    "graphql_schema/__init__.py": "import workers",
    "loyalty/brands/__init__.py": "import loyalty.members",
    "loyalty/members/__init__.py": "import loyalty.ledger",
}


def _offences(check: Check, *folders: str) -> list[str]:
    return [offence for source in read_sources(*folders) for offence in check(source)]


@pytest.mark.parametrize("check", ENGINE_CHECKS, ids=lambda check: check.__name__)
def test_the_engine_is_free_of(check: Check) -> None:
    offences = _offences(check, *ENGINE)
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize("check", EVERYWHERE_CHECKS, ids=lambda check: check.__name__)
def test_the_whole_checkout_is_free_of(check: Check) -> None:
    offences = _offences(check, *EVERYWHERE)
    assert not offences, "\n".join(offences)


def test_every_noun_has_four_rooms_or_says_why_more() -> None:
    documented = HOUSE_PAGE.read_text(encoding="utf-8")
    extra = [o for source in read_sources(*ENGINE) for o in checks.fifth_rooms(source, documented)]
    assert not extra, "\n".join(extra)


@pytest.mark.parametrize(("check", "path", "code"), BAD)
def test_a_rule_bites_its_bad_sample(check: Check, path: str, code: str) -> None:
    assert list(check(Source(path, code)))


@pytest.mark.parametrize("source", GOOD, ids=lambda source: source.path)
def test_no_rule_bites_a_good_sample(source: Source) -> None:
    assert [o for check in (*ENGINE_CHECKS, *EVERYWHERE_CHECKS) for o in check(source)] == []


def test_every_rule_has_a_bad_sample() -> None:
    assert {*ENGINE_CHECKS, *EVERYWHERE_CHECKS, checks.fifth_rooms} == {check for check, *_ in BAD}


def test_a_documented_fifth_room_is_admitted() -> None:
    source = Source("rewards/scans/batcher.py", "")
    assert not list(checks.fifth_rooms(source, "- `rewards/scans/batcher.py`: the hot path"))


def _tables_without_brand(tables: MetaData) -> list[str]:
    """Tables whose primary key does not begin with the brand."""
    return [
        table.name
        for table in tables.sorted_tables
        if [*table.primary_key.columns.keys(), ""][0] != "brand_id"
        and table.name not in TABLES_WITHOUT_BRAND
    ]


def test_every_tenant_table_begins_its_key_with_the_brand() -> None:
    assert metadata.tables
    assert _tables_without_brand(metadata) == []


def test_the_brand_rule_bites() -> None:
    bad = MetaData()
    Table("no_brand", bad, Column("id", Integer, primary_key=True))
    Table("no_key", bad, Column("brand_id", Integer))
    Table(
        "second",
        bad,
        Column("id", Integer, primary_key=True),
        Column("brand_id", Integer, primary_key=True),
    )
    assert _tables_without_brand(bad) == ["no_brand", "no_key", "second"]


def test_migrations_know_every_file_that_declares_a_table() -> None:
    declaring = {
        source.path.removesuffix(".py").replace("/", ".")
        for source in read_sources(*ENGINE)
        if "table=True" in source.text
    }
    assert declaring == {module.__name__ for module in MODULES}


def _foreign_to_the_audit(source: Source) -> list[str]:
    """Our own code that the auditor imports beyond settings and db: it shares none with writers."""
    return [
        source.at(line, module)
        for line, module, name in source.imports
        if module.partition(".")[0] in ENGINE
        and not f"{module}.{name}".startswith(AUDIT_MAY_IMPORT)
    ]


def test_the_audit_shares_no_code_with_the_writers() -> None:
    auditors = [s for s in read_sources("loyalty") if s.path.startswith("loyalty/ledger/audit")]
    assert [offence for source in auditors for offence in _foreign_to_the_audit(source)] == []


def test_the_audit_rule_bites() -> None:
    for code in ("from loyalty.ledger import service", "import loyalty.ledger.models"):
        assert _foreign_to_the_audit(Source("loyalty/ledger/audit.py", code))


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo", "--config", ROOT / "pyproject.toml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_run_one_way() -> None:
    done = _lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


def test_the_import_rules_bite(tmp_path: Path) -> None:
    for source in read_sources(*ENGINE):
        stub = tmp_path / source.path
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("")
    clean = _lint_imports(tmp_path)
    assert clean.returncode == 0, clean.stdout

    for path, code in FORBIDDEN_IMPORTS.items():
        (tmp_path / path).write_text(code)
    dirty = _lint_imports(tmp_path)
    assert dirty.returncode == 1
    for path, code in FORBIDDEN_IMPORTS.items():
        importer = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        assert f"{importer} -> {code.removeprefix('import ')}" in dirty.stdout

    (tmp_path / "loyalty" / "novelty.py").write_text("")
    assert "novelty" in _lint_imports(tmp_path).stdout
