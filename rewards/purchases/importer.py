"""Import a CSV of purchases: read it as a stream, settle it in batches, write what was rejected.

A row is a line: no field that we accept holds a line break, and a stray quote must not swallow the
rows after it. What is in the database guards against repeats, so an import that was killed is
simply started again: it ends with the same rows, summary and reject file.
"""

import csv
import heapq
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO
from uuid import UUID

from loyalty.actor import Actor
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.text import for_spreadsheet
from rewards.purchases.reading import COLUMNS, RejectReason, read_fact
from rewards.purchases.rules import PurchaseFact, PurchaseResult, PurchaseStatus
from rewards.purchases.service import (
    BATCH_SIZE_MAX,
    ConfigurationCache,
    begin_import,
    settle_purchases,
)

LINE_BYTES_MAX = 16 * 1024
SHOWN_LENGTH_MAX = 1000
HELD_MAX = 100_000
RUN_BLOCK_RECORDS = 512
REJECT_COLUMNS = ("line", "reason")
REJECT_START = ",".join(REJECT_COLUMNS).encode()
UTF8_BOM = b"\xef\xbb\xbf"

Progress = Callable[[int, int], None]


class ImportRefused(Exception):
    """The file as a whole cannot be imported; ``str()`` says why, for people. Nothing was
    written."""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What a file holds, whenever it was imported; only ``already_recorded`` tells of this run.

    ``members`` and ``purchases`` are distinct ones of accepted rows, ``points_granted`` what the
    database says these purchases were granted, ``duplicates`` the accepted rows that repeat an
    earlier row, ``already_recorded`` the purchases that were there before this run came to them.
    """

    members: int
    purchases: int
    points_granted: int
    rejected: int
    duplicates: int
    already_recorded: int
    reject_file: Path | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A line as read: what it tells, or why it is rejected; ``fields`` for the reject file."""

    line: int
    fields: list[str]
    fact: PurchaseFact | RejectReason


class DistinctRecords:
    """Counts distinct records (16 bytes of id, an amount) of a file of any size in bounded memory:
    sorted runs on disk, merged once at the end."""

    _WIDTH = 24

    def __init__(self, spool: IO[bytes], held_max: int = HELD_MAX) -> None:
        self._spool = spool
        self._held_max = held_max
        self._held: set[bytes] = set()
        self._runs: list[tuple[int, int]] = []

    def add(self, record_id: UUID, amount: int = 0) -> None:
        self._held.add(record_id.bytes + amount.to_bytes(8, "big"))
        if len(self._held) >= self._held_max:
            self._write_run()

    def totals(self) -> tuple[int, int]:
        """How many there are, and the sum of their amounts."""
        runs = [self._read_run(start, end) for start, end in self._runs]
        count = total = 0
        last = b""
        for record in heapq.merge(sorted(self._held), *runs):
            if record != last:
                count += 1
                total += int.from_bytes(record[16:], "big")
                last = record
        return count, total

    def _write_run(self) -> None:
        start = self._spool.seek(0, os.SEEK_END)
        self._spool.write(b"".join(sorted(self._held)))
        self._runs.append((start, self._spool.tell()))
        self._held.clear()

    def _read_run(self, start: int, end: int) -> Iterator[bytes]:
        block = RUN_BLOCK_RECORDS * self._WIDTH
        while start < end:
            self._spool.seek(start)
            records = self._spool.read(min(block, end - start))
            start += len(records)
            for at in range(0, len(records), self._WIDTH):
                yield records[at : at + self._WIDTH]


class RejectFile:
    """Rejected rows with line number and reason. Nothing is left behind by a killed import: the
    file appears, whole, at the end. Only its owner may read it."""

    def __init__(self, spool: IO[str], path: Path, header: Sequence[str]) -> None:
        self._spool = spool
        self._path = path
        self.count = 0
        self._writer = csv.writer(spool, lineterminator="\n")
        self._writer.writerow([*REJECT_COLUMNS, *header])

    def add(self, row: _Row, reason: RejectReason) -> None:
        self.count += 1
        self._writer.writerow([row.line, reason.value, *map(for_spreadsheet, row.fields)])

    def publish(self) -> Path | None:
        """Put the file in its place; None, and no stale file, if nothing was rejected."""
        if not self.count:
            self._path.unlink(missing_ok=True)
            return None
        self._spool.seek(0)
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            newline="",
            dir=self._path.parent,
            prefix=f".{self._path.name}.",
            delete=False,
        ) as target:
            while block := self._spool.read(1 << 20):
                target.write(block)
        Path(target.name).replace(self._path)
        return self._path


class PurchaseFile:
    """A CSV of purchases, UTF-8 with or without BOM; its header names the COLUMNS in any order.

    Raises ImportRefused if the header is another one.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._line = 0
        self._bytes_read = 0
        self.size_bytes = path.stat().st_size
        self.header = self._read_header(path)
        self._order = [self.header.index(column) for column in COLUMNS]

    @property
    def position_bytes(self) -> int:
        """How much has been read."""
        return self._bytes_read

    def _read_header(self, path: Path) -> list[str]:
        line = self._next_line()
        if line is None:
            raise ImportRefused(f"{path} is empty: the first line must be {','.join(COLUMNS)}")
        try:
            text = line.removeprefix(UTF8_BOM).decode()
            header = [name.strip() for name in next(csv.reader([text], strict=True), [])]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ImportRefused(f"the first line of {path} is not CSV in UTF-8") from error
        missing = [name for name in COLUMNS if name not in header]
        unknown = [name for name in header if name not in COLUMNS]
        if missing or unknown or len(header) != len(COLUMNS):
            parts = [
                f"{what}: {', '.join(ascii(name[:40]) for name in names[:10])}"
                for what, names in (("missing", missing), ("unknown", unknown))
                if names
            ]
            why = "; ".join(parts) or "a column is named twice"
            raise ImportRefused(
                f"the columns of {path} must be {', '.join(COLUMNS)} ({why}). Nothing was imported"
            )
        return header

    def _next_line(self) -> bytes | None:
        """The next line without its end; None at the end of the file. A line longer than
        LINE_BYTES_MAX comes cut, one byte too long."""
        line = self._file.readline(LINE_BYTES_MAX + 1)
        if not line:
            return None
        self._line += 1
        self._bytes_read += len(line)
        rest = line
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = self._file.readline(LINE_BYTES_MAX + 1)
            self._bytes_read += len(rest)
        return line.removesuffix(b"\n").removesuffix(b"\r") if rest is line else line

    def read_batch(self, size: int, today: date) -> list[_Row]:
        """The next rows, at most ``size``; empty at the end. Blank lines are no rows."""
        rows: list[_Row] = []
        while len(rows) < size and (line := self._next_line()) is not None:
            if line:
                rows.append(self._read_row(line, today))
        return rows

    def _read_row(self, line: bytes, today: date) -> _Row:
        if len(line) > LINE_BYTES_MAX:
            return self._unreadable(line, RejectReason.LINE_TOO_LONG)
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return self._unreadable(line, RejectReason.NOT_UTF8)
        try:
            fields = next(csv.reader([text], strict=True))
        except csv.Error:
            return self._unreadable(line, RejectReason.QUOTES_BROKEN)
        if len(fields) != len(COLUMNS):
            return _Row(self._line, fields, RejectReason.FIELD_COUNT)
        return _Row(self._line, fields, read_fact([fields[i] for i in self._order], today))

    def _unreadable(self, line: bytes, reason: RejectReason) -> _Row:
        shown = line.decode(errors="backslashreplace")[:SHOWN_LENGTH_MAX]
        return _Row(self._line, [shown], reason)


@dataclass(slots=True)
class _Tally:
    """What the rows come to, in bounded memory."""

    members: DistinctRecords
    purchases: DistinctRecords
    rejects: RejectFile
    cache: ConfigurationCache
    accepted: int = 0
    recorded: int = 0

    def count(self, result: PurchaseResult) -> None:
        if result.purchase_id is None or result.member_id is None:
            raise ValueError("a conflict is not an accepted row")
        self.accepted += 1
        self.recorded += result.status is PurchaseStatus.RECORDED
        self.members.add(result.member_id)
        self.purchases.add(result.purchase_id, result.points_granted)

    def summary(self) -> ImportSummary:
        members, _ = self.members.totals()
        purchases, points = self.purchases.totals()
        return ImportSummary(
            members=members,
            purchases=purchases,
            points_granted=points,
            rejected=self.rejects.count,
            duplicates=self.accepted - purchases,
            already_recorded=purchases - self.recorded,
            reject_file=self.rejects.publish(),
        )


async def import_purchases(
    db: Database,
    brand_slug: str,
    path: Path,
    *,
    reject_path: Path | None = None,
    batch_size: int = BATCH_SIZE_MAX,
    progress: Progress | None = None,
    keyring: Keyring | None = None,
) -> ImportSummary:
    """Post each row of a CSV as a purchase of its own date; bad rows go to the reject file
    (by default beside the file, ``NAME.rejected.csv``) and the rest goes on.

    ``keyring`` opens the seeds of draws. ``progress`` is called with (bytes read, bytes in all)
    whenever a batch of up to ``batch_size`` rows is committed. Raises ImportRefused when the file
    as a whole is no such CSV and NotFound (brand).
    """
    if not 1 <= batch_size <= BATCH_SIZE_MAX:
        raise ValueError(f"batch_size is 1 to {BATCH_SIZE_MAX}")
    with (
        _opened(path) as file,
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as rejected,
        tempfile.TemporaryFile() as members,
        tempfile.TemporaryFile() as purchases,
    ):
        source = PurchaseFile(file, path)
        rejects = RejectFile(rejected, _checked_reject_path(path, reject_path), source.header)
        actor, today = await db.in_transaction(begin_import, brand_slug, path.name)
        tally = _Tally(
            DistinctRecords(members),
            DistinctRecords(purchases),
            rejects,
            ConfigurationCache(keyring),
        )
        while rows := source.read_batch(batch_size, today):
            await _import_batch(db, actor, rows, tally)
            if progress is not None:
                progress(source.position_bytes, source.size_bytes)
        return tally.summary()


async def _import_batch(db: Database, actor: Actor, rows: Sequence[_Row], tally: _Tally) -> None:
    facts = [row.fact for row in rows if isinstance(row.fact, PurchaseFact)]
    results = iter(
        await db.in_transaction(settle_purchases, actor.brand_id, actor, facts, tally.cache)
        if facts
        else []
    )
    for row in rows:
        if isinstance(row.fact, RejectReason):
            tally.rejects.add(row, row.fact)
            continue
        result = next(results)
        if result.status is PurchaseStatus.CONFLICT:
            tally.rejects.add(row, RejectReason.PURCHASE_REF_CONFLICT)
        else:
            tally.count(result)


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from error


def _checked_reject_path(path: Path, reject_path: Path | None) -> Path:
    """Where rejects go; refused before anything is written if they could not."""
    chosen = reject_path or path.with_name(f"{path.stem}.rejected.csv")
    if chosen.exists() and chosen.samefile(path):
        raise ImportRefused("the reject file cannot be the file that is imported")
    if not chosen.parent.is_dir() or not os.access(chosen.parent, os.W_OK):
        raise ImportRefused(f"the reject file {chosen} cannot be written")
    if chosen.exists() and not _may_be_replaced(chosen):
        raise ImportRefused(f"{chosen} is in the way of the reject file and none itself")
    return chosen


def _may_be_replaced(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(REJECT_START))
    return start in (b"", REJECT_START)
