"""The import of a CSV: its totals, its reject file, and that nothing can keep it from ending the
same."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from loyalty.audit_log import AuditLogEntry
from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.errors import NotFound
from rewards.purchases.importer import (
    DistinctRecords,
    ImportRefused,
    ImportSummary,
    import_purchases,
)
from rewards.purchases.reading import RejectReason
from tests.brands_made import make_brand
from tests.child import start_child, stop_child
from tests.rewards.purchases.canonical import canonical_rows

PURCHASES = Path(__file__).parents[2] / "data" / "purchases.csv"
IMPORTING = Path(__file__).with_name("importing.py")
HEADER = "purchase_ref,member_ref,purchased_on,quantity,amount"
GOOD = "P1,M1,2026-01-02,1,5.00"
WAIT_SECONDS_MAX = 60
SOON = (utc_now() + timedelta(days=3)).date()

BAD_LINES: list[tuple[RejectReason, bytes]] = [
    (RejectReason.NOT_UTF8, "P2,会员,2026-01-02,1,5.00".encode("gb18030")),
    (RejectReason.LINE_TOO_LONG, b"P3," + b"x" * 50_000 + b",2026-01-02,1,5.00"),
    (RejectReason.QUOTES_BROKEN, b'P4,"M1,2026-01-02,1,5.00'),
    (RejectReason.FIELD_COUNT, b"P5,M1,2026-01-02,1"),
    (RejectReason.FIELD_COUNT, b"P5,M1,2026-01-02,1,5,00"),
    (RejectReason.PURCHASE_REF_INVALID, b",M1,2026-01-02,1,5.00"),
    (RejectReason.MEMBER_REF_INVALID, b"P6,a\x00b,2026-01-02,1,5.00"),
    (RejectReason.DATE_INVALID, b"P7,M1,2026-02-30,1,5.00"),
    (RejectReason.DATE_IN_FUTURE, f"P8,M1,{SOON},1,5.00".encode()),
    (RejectReason.QUANTITY_NOT_A_WHOLE_NUMBER, b"P9,M1,2026-01-02,1.5,5.00"),
    (RejectReason.QUANTITY_NEGATIVE, b"P10,M1,2026-01-02,-1,5.00"),
    (RejectReason.QUANTITY_TOO_LARGE, b"P11,M1,2026-01-02,99999999999,5.00"),
    (RejectReason.AMOUNT_NOT_A_NUMBER, b"P12,M1,2026-01-02,1,1e5"),
    (RejectReason.AMOUNT_NEGATIVE, b"P13,M1,2026-01-02,1,-5.00"),
    (RejectReason.AMOUNT_TOO_PRECISE, b"P14,M1,2026-01-02,1,5.001"),
    (RejectReason.AMOUNT_TOO_LARGE, b"P15,M1,2026-01-02,1,99999999999.00"),
    (RejectReason.PURCHASE_REF_CONFLICT, b"P1,M1,2026-01-02,1,6.00"),
]


def write_lines(path: Path, *lines: str | bytes, start: bytes = b"", end: bytes = b"\n") -> Path:
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    path.write_bytes(start + b"".join(line + end for line in encoded))
    return path


async def run(db: Database, path: Path, slug: str = "demo", **options: Any) -> ImportSummary:
    return await import_purchases(db, slug, path, **options)


def names_in(folder: Path, pattern: str) -> list[str]:
    return sorted(file.name for file in folder.glob(pattern))


def rejected(path: Path | None) -> list[list[str]]:
    assert path is not None
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


async def test_the_totals_are_what_the_file_says(db: Database, tmp_path: Path) -> None:
    with PURCHASES.open(newline="") as file:
        told = list(csv.DictReader(file))
    points = sum(int(row["amount"].partition(".")[0]) for row in told)
    assert sum(row["amount"] == "0.00" for row in told) == 8
    await db.in_transaction(make_brand)
    path = tmp_path / "purchases.csv"
    path.write_bytes(PURCHASES.read_bytes())
    summary = await run(db, path)
    assert summary == ImportSummary(
        members=len({row["member_ref"] for row in told}),
        purchases=len(told),
        points_granted=points,
        rejected=0,
        duplicates=0,
        already_recorded=0,
        reject_file=None,
    )
    assert names_in(tmp_path, "*.csv") == ["purchases.csv"]
    rows = await canonical_rows(db, "demo")
    assert len(rows["PurchaseEvent"]) == len(told)
    assert len(rows["Transfer"]) == 2 * sum(float(row["amount"]) >= 1 for row in told)
    assert await run(db, path) == replace(summary, already_recorded=len(told))
    assert await canonical_rows(db, "demo") == rows


async def test_the_import_is_audited(db: Database, tmp_path: Path) -> None:
    await db.in_transaction(make_brand)
    await run(db, write_lines(tmp_path / "p.csv", HEADER, GOOD))
    async with db.snapshot() as snapshot:
        entries = await snapshot.session.exec(select(AuditLogEntry))
        [entry] = [entry for entry in entries if entry.action == "purchases.import"]
    assert (entry.actor_kind, entry.details) == ("SYSTEM", {"file": "p.csv"})


async def test_every_bad_row_is_rejected_with_line_and_reason_and_the_rest_goes_on(
    db: Database, tmp_path: Path
) -> None:
    await db.in_transaction(make_brand)
    assert {reason for reason, _ in BAD_LINES} == set(RejectReason)
    bad = (line for _, line in BAD_LINES)
    lines: list[str | bytes] = [HEADER, GOOD, *bad, "P99,M2,2026-01-03,1,7.00"]
    path = write_lines(tmp_path / "p.csv", *lines)
    for batch_size in (500, 1, 3):  # the second and third time everything is there already
        summary = await run(db, path, batch_size=batch_size)
        assert (summary.members, summary.purchases, summary.points_granted) == (2, 2, 12)
        assert (summary.rejected, summary.duplicates) == (len(BAD_LINES), 0)
        assert summary.reject_file == tmp_path / "p.rejected.csv"
        header, *found = rejected(summary.reject_file)
        assert header == ["line", "reason", *HEADER.split(",")]
        assert [(int(row[0]), row[1]) for row in found] == [
            (line, reason.value) for line, (reason, _) in enumerate(BAD_LINES, start=3)
        ]
    assert summary.reject_file is not None
    assert summary.reject_file.stat().st_mode & 0o077 == 0
    by_reason = {row[1]: row[2:] for row in found}
    assert by_reason["AMOUNT_NEGATIVE"] == ["P13", "M1", "2026-01-02", "1", "'-5.00"]
    assert by_reason["MEMBER_REF_INVALID"][1] == "a\\x00b"
    assert len(by_reason["LINE_TOO_LONG"][0]) == 1000
    assert "\\xbb" in by_reason["NOT_UTF8"][0]


async def test_a_repeated_row_counts_once_even_far_apart(db: Database, tmp_path: Path) -> None:
    await db.in_transaction(make_brand)
    rest = [f"Q{n},M2,2026-01-02,1,1.00" for n in range(4)]
    path = write_lines(tmp_path / "p.csv", HEADER, GOOD, GOOD, *rest, "P1,M1,2026-01-02,01,5")
    for already in (0, 5):
        assert await run(db, path, batch_size=3) == ImportSummary(2, 5, 9, 0, 2, already, None)


WAYS_TO_WRITE = [
    (HEADER, GOOD, b"\xef\xbb\xbf", b"\n"),
    (HEADER, GOOD, b"", b"\r\n"),
    (HEADER, GOOD, b"", b"\n\n"),
    (HEADER, '"P1","M1","2026-01-02","1"," 5.00"', b"", b"\n"),
    ("amount,quantity,purchased_on,member_ref,purchase_ref", "5,1,2026-01-02,M1,P1", b"", b"\n"),
    (HEADER.replace(",", ", "), GOOD.replace(",", ", "), b"", b" \n"),
]


async def test_a_file_may_be_written_in_several_ways(db: Database, tmp_path: Path) -> None:
    await db.in_transaction(make_brand)
    for run_no, (header, row, start, end) in enumerate(WAYS_TO_WRITE):
        path = write_lines(tmp_path / "p.csv", header, row, start=start, end=end)
        assert await run(db, path) == ImportSummary(1, 1, 5, 0, 0, int(run_no > 0), None)


async def test_a_file_may_end_without_a_line_end_or_hold_no_row(
    db: Database, tmp_path: Path
) -> None:
    await db.in_transaction(make_brand)
    path = tmp_path / "p.csv"
    path.write_text(HEADER)
    assert await run(db, path) == ImportSummary(0, 0, 0, 0, 0, 0, None)
    path.write_text(f"{HEADER}\n{GOOD}")
    assert (await run(db, path)).purchases == 1


OTHER_HEADERS = [
    (b"", "is empty"),
    (b"\xef\xbb\xbf", "missing: 'purchase_ref'"),
    (HEADER.removesuffix(",amount").encode(), "missing: 'amount'"),
    (HEADER.encode() + b",note", "unknown: 'note'"),
    (HEADER.encode() + b",\x1b[2J", r"unknown: '\x1b[2J'"),
    (HEADER.encode() + b",amount", "named twice"),
    (HEADER.upper().encode(), "unknown: 'PURCHASE_REF'"),
    (HEADER.replace(",", ";").encode(), "missing"),
    (GOOD.encode(), "missing"),
    (HEADER.encode("utf-16"), "not CSV in UTF-8"),
    (b'"' + HEADER.encode(), "not CSV in UTF-8"),
    (b"x" * 100_000, "missing"),
]


async def test_a_file_with_another_header_is_refused_whole(db: Database, tmp_path: Path) -> None:
    await db.in_transaction(make_brand)
    path = tmp_path / "p.csv"
    for first_line, says in OTHER_HEADERS:
        path.write_bytes(first_line + b"\n" + GOOD.encode() if first_line else b"")
        with pytest.raises(ImportRefused) as refused:
            await run(db, path)
        assert says in str(refused.value)
        assert str(refused.value).isprintable()
    assert (await canonical_rows(db, "demo"))["PurchaseEvent"] == []


async def test_what_cannot_be_read_or_written_is_refused(db: Database, tmp_path: Path) -> None:
    await db.in_transaction(make_brand)
    path = write_lines(tmp_path / "p.csv", HEADER, GOOD, "bad")
    (tmp_path / "other").write_text("something dear")
    (tmp_path / "link.csv").symlink_to(path)
    for rejects in (path, tmp_path / "link.csv", tmp_path / "other", tmp_path, tmp_path / "no/r"):
        with pytest.raises(ImportRefused):
            await run(db, path, reject_path=rejects)
    with pytest.raises(ImportRefused):
        await run(db, path, reject_path=Path(os.devnull))
    for unreadable in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ImportRefused, match="cannot be read"):
            await run(db, unreadable)
    with pytest.raises(NotFound):
        await run(db, path, slug="nobody")
    with pytest.raises(ValueError, match="batch_size"):
        await run(db, path, batch_size=501)
    assert (await canonical_rows(db, "demo"))["PurchaseEvent"] == []
    assert (tmp_path / "other").read_text() == "something dear"


async def test_a_mended_file_leaves_no_stale_rejects(db: Database, tmp_path: Path) -> None:
    await db.in_transaction(make_brand)
    path = write_lines(tmp_path / "p.csv", HEADER, GOOD, "bad")
    first = await run(db, path)
    assert rejected(first.reject_file)[1:] == [["3", "FIELD_COUNT", "bad"]]
    again = await run(db, write_lines(path, HEADER, GOOD))
    assert again.reject_file is None
    assert names_in(tmp_path, "*p*.csv*") == ["p.csv"]


async def test_progress_reaches_the_end_of_the_file(db: Database) -> None:
    await db.in_transaction(make_brand)
    with tempfile.TemporaryDirectory() as folder:
        seen: list[tuple[int, int]] = []
        path = write_lines(Path(folder) / "p.csv", *PURCHASES.read_text().splitlines()[:60])
        await run(db, path, batch_size=25, progress=lambda done, total: seen.append((done, total)))
        size = path.stat().st_size
    assert [total for _, total in seen] == [size] * 3
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == size


async def test_a_file_of_any_size_is_read_in_little_memory(db: Database, tmp_path: Path) -> None:
    await db.in_transaction(make_brand)
    path = tmp_path / "p.csv"
    with path.open("wb") as file:
        file.write(f"{HEADER}\n{GOOD}\n".encode())
        file.write(b"x" * 30_000_000 + b"\n")
        for _ in range(20_000):
            file.write(b"bad" * 300 + b"\n")
    tracemalloc.start()
    try:
        summary = await run(db, path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (summary.purchases, summary.rejected) == (1, 20_001)
    assert peak_bytes < 10_000_000


@given(st.lists(st.tuples(st.integers(0, 30), st.just(7)), max_size=100), st.integers(1, 20))
def test_distinct_records_are_counted_like_a_set(
    records: list[tuple[int, int]], held_max: int
) -> None:
    with tempfile.TemporaryFile() as spool:
        distinct = DistinctRecords(spool, held_max)
        for number, amount in records:
            distinct.add(UUID(int=number), amount)
        assert distinct.totals() == (len(set(records)), 7 * len(set(records)))


class Importing:
    """An import in a process of its own, and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[str], go_file: Path) -> None:
        self.process = process
        self.output = output
        self.go_file = go_file

    def heard(self, word: str) -> None:
        line = self.output.readline()
        assert line.strip() == word, line + self.output.read()

    def summary(self) -> dict[str, Any]:
        lines = self.output.read().splitlines()
        assert self.process.wait(WAIT_SECONDS_MAX) == 0, lines
        found: dict[str, Any] = json.loads(lines[-1])
        return found


@contextmanager
def importing(database_url: str, path: Path, rejects: Path, batch_size: int) -> Iterator[Importing]:
    """Start it, up to the moment before it begins; it begins when ``go_file`` appears."""
    go_file = rejects.with_suffix(".go")
    reading, writing = os.pipe()
    arguments = [database_url, "demo", str(path), str(rejects), str(batch_size), str(go_file)]
    with os.fdopen(writing, "wb") as log:
        process = start_child([sys.executable, str(IMPORTING), *arguments], log=log)
    with os.fdopen(reading) as output:
        try:
            started = Importing(process, output, go_file)
            started.heard("ready")
            yield started
        finally:
            stop_child(process, signal.SIGKILL, WAIT_SECONDS_MAX)


def untidy_copy(path: Path) -> Path:
    """The real rows with bad, repeated and contradicting ones between them."""
    header, *lines = PURCHASES.read_text().splitlines()
    for at, line in ((290, lines[3]), (200, f"{lines[5]}9"), (150, "bad"), (9, lines[8])):
        lines.insert(at, line)
    lines.append(f"{lines[0].rpartition(',')[0]},0.07")
    return write_lines(path, header, *lines)


@pytest.mark.parametrize("reports", [1, 6])
async def test_an_import_killed_anywhere_and_started_again_ends_the_same(
    db: Database, database_url: str, tmp_path: Path, reports: int
) -> None:
    for slug in ("demo", "undisturbed"):
        await db.in_transaction(make_brand, slug)
    path = untidy_copy(tmp_path / "p.csv")
    wanted = await run(db, path, "undisturbed", reject_path=tmp_path / "wanted.csv")
    assert (wanted.rejected, wanted.duplicates) == (3, 2)
    rejects = tmp_path / "killed.csv"
    with importing(database_url, path, rejects, 20) as killed:
        killed.go_file.touch()
        for _ in range(reports):
            killed.heard("committed")
        killed.process.kill()
        assert killed.process.wait(WAIT_SECONDS_MAX) == -signal.SIGKILL
    recorded = len((await canonical_rows(db, "demo"))["PurchaseEvent"])
    assert 0 < recorded < wanted.purchases
    assert names_in(tmp_path, "*killed.csv*") == []
    again = await run(db, path, reject_path=rejects)
    # One transaction may still have been on its way when we counted.
    assert recorded <= again.already_recorded <= recorded + 20
    assert replace(again, already_recorded=0, reject_file=wanted.reject_file) == wanted
    assert rejects.read_bytes() == (tmp_path / "wanted.csv").read_bytes()
    assert await canonical_rows(db, "demo") == await canonical_rows(db, "undisturbed")


async def test_two_imports_of_one_file_at_once_end_the_same(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    for slug in ("demo", "undisturbed"):
        await db.in_transaction(make_brand, slug)
    path = untidy_copy(tmp_path / "p.csv")
    wanted = await run(db, path, "undisturbed", reject_path=tmp_path / "wanted.csv")
    rejects = [tmp_path / "one.csv", tmp_path / "two.csv"]
    with (
        importing(database_url, path, rejects[0], 17) as one,
        importing(database_url, path, rejects[1], 23) as two,
    ):
        one.go_file.touch()
        two.go_file.touch()
        summaries = [await asyncio.to_thread(each.summary) for each in (one, two)]
    for summary, file in zip(summaries, rejects, strict=True):
        assert summary["purchases"] == wanted.purchases
        assert summary["points_granted"] == wanted.points_granted
        assert (summary["rejected"], summary["duplicates"]) == (3, 2)
        assert file.read_bytes() == (tmp_path / "wanted.csv").read_bytes()
    already = [summary["already_recorded"] for summary in summaries]
    assert sum(already) == wanted.purchases
    assert await canonical_rows(db, "demo") == await canonical_rows(db, "undisturbed")
