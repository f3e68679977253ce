"""Coupons for everybody in a file (名单发券): the file is kept row by row, the worker comes to one
chunk after another, each a transaction. Whoever is killed goes on where it was."""

import asyncio
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from uuid import UUID

from loyalty import audit_log, keyed, outbox
from loyalty.actor import Actor, system_actor
from loyalty.db import Database, Tx
from loyalty.errors import (
    IdempotencyConflict,
    InvalidInput,
    IssueListStateWrong,
    NotFound,
    Refusal,
    TooManyOpen,
)
from loyalty.text import checked_text
from rewards.alliances.service import terms_to_issue
from rewards.issues import queries
from rewards.issues.models import IssueList, IssueListRow, IssueListStatus, PartnerIssue
from rewards.issues.rules import REFERENCE_LENGTH_MAX, quotas_of
from rewards.issues.service import Wanted, checked_campaign, issue_coupons
from rewards.matching.rules import is_token

ROWS_MAX = 100_000
NAME_LENGTH_MAX = 80
KEY_LENGTH_MAX = 64
LOADED_AT_ONCE = 5_000
UNFINISHED_MAX = 20
ISSUED = "ISSUED"
DONE_TOPIC = "issue_list.done"
COLUMNS = ("token", "reference")


@dataclass(frozen=True, slots=True)
class ListWanted:
    """What a file is to become. ``upload_key`` makes sending it again harmless."""

    agreement_id: UUID
    template_id: UUID
    name: str
    upload_key: str
    campaign: str | None = None


# --- the file ----------------------------------------------------------------------------------


def read_file(body: bytes) -> list[tuple[str, str | None]]:
    """(token, reference) of each row: CSV in UTF-8 whose head is ``token`` or ``token,reference``.
    Refuses InvalidInput for a file that cannot be read as a whole; what a row says is looked at
    later, row by row."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(field="file", problem="UTF-8") from None
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        head = tuple(cell.strip() for cell in next(lines, []))
        if head not in (COLUMNS[:1], COLUMNS):
            raise InvalidInput(field="file", problem="a first line of token,reference")
        rows = list(islice((row for row in lines if row), ROWS_MAX + 1))
    except csv.Error:
        raise InvalidInput(field="file", problem="CSV as in RFC 4180") from None
    if not 1 <= len(rows) <= ROWS_MAX:
        raise InvalidInput(field="file", problem=f"1 to {ROWS_MAX} rows")
    for number, row in enumerate(rows, 1):
        if len(row) > len(head):
            raise InvalidInput(field=f"file, row {number}", problem=f"{len(head)} columns")
    return [(row[0].strip(), row[1].strip() or None if len(row) > 1 else None) for row in rows]


def _row(of: IssueList, number: int, token: str, reference: str | None) -> IssueListRow:
    """As it is kept: what cannot be a row is refused at once, and kept with that."""
    has_token, has_reference = is_token(token), _is_reference(reference)
    return IssueListRow(
        brand_id=of.brand_id,
        list_id=of.id,
        row_no=number,
        token=token if has_token else "",
        reference=reference if has_reference else None,
        code=None if has_token and has_reference else InvalidInput.code,
    )


def _is_reference(text: str | None) -> bool:
    if text is None:
        return True
    try:
        checked_text(text, "reference", length_max=REFERENCE_LENGTH_MAX)
    except InvalidInput:
        return False
    return True


async def upload(
    database: Database, actor: Actor, wanted: ListWanted, body: bytes
) -> tuple[IssueList, bool]:
    """Keep a file, to be worked off by workers: the list, and whether it was there already. In
    several transactions: whoever was cut off sends the same again, and it goes on.

    Refuses InvalidInput, NotFound (agreement, coupon template), AgreementStateWrong and
    IdempotencyConflict (the key was for another file).
    """
    rows = await asyncio.to_thread(read_file, body)
    digest = hashlib.sha256(body).hexdigest()
    row, is_replayed = await database.in_transaction(_begin, actor, wanted, digest, len(rows))
    if row.status != IssueListStatus.LOADING:
        return row, is_replayed
    for start in range(0, len(rows), LOADED_AT_ONCE):
        chunk = [
            _row(row, number, *said)
            for number, said in enumerate(rows[start : start + LOADED_AT_ONCE], start + 1)
        ]
        await database.in_transaction(queries.add_rows, chunk)
    return await database.in_transaction(_open, row), is_replayed


async def _begin(
    tx: Tx, actor: Actor, wanted: ListWanted, digest: str, row_count: int
) -> tuple[IssueList, bool]:
    key = checked_text(wanted.upload_key, "idempotency-key", length_max=KEY_LENGTH_MAX)
    name = checked_text(wanted.name, "name", length_max=NAME_LENGTH_MAX)
    campaign = checked_campaign(wanted.campaign)
    found = await queries.find_by_upload_key(tx, actor.brand_id, key)
    if found is None:
        terms = (wanted.agreement_id, wanted.template_id)
        agreed = await terms_to_issue(tx, actor.brand_id, *terms, pooled=False)
        quotas_of(agreed.line, campaign)
        if await queries.count_unfinished(tx, actor.brand_id) >= UNFINISHED_MAX:
            raise TooManyOpen(noun="issue list", limit=UNFINISHED_MAX)
        row = IssueList(
            brand_id=actor.brand_id,
            agreement_id=wanted.agreement_id,
            template_id=wanted.template_id,
            campaign=campaign,
            name=name,
            upload_key=key,
            digest=digest,
            row_count=row_count,
            created_at=tx.now,
            worked_at=tx.now,
        )
        if await tx.insert_if_absent(row):
            await audit_log.record(tx, actor, "issue_list.upload", row.id, rows=row_count)
            return row, False
        found = await queries.find_by_upload_key(tx, actor.brand_id, key)
    same = (wanted.agreement_id, wanted.template_id, campaign, name, digest)
    if found is None or same != (
        *(found.agreement_id, found.template_id, found.campaign, found.name, found.digest),
    ):
        raise IdempotencyConflict()
    return found, True


async def _open(tx: Tx, row: IssueList) -> IssueList:
    """Unless another request with the same file has done so."""
    found = await queries.lock_list(tx, row.brand_id, row.id)
    if found is None:
        raise NotFound(noun="issue list")
    if found.status == IssueListStatus.LOADING:
        await keyed.write_row(tx, found, status=IssueListStatus.OPEN.value)
    return found


async def cancel_list(tx: Tx, actor: Actor, list_id: UUID) -> IssueList:
    """Issue no more of a list; what was issued stays. Refuses NotFound and IssueListStateWrong
    (DONE, or CANCELLED before)."""
    row = await queries.lock_list(tx, actor.brand_id, list_id)
    if row is None:
        raise NotFound(noun="issue list")
    if row.status in (IssueListStatus.DONE, IssueListStatus.CANCELLED):
        raise IssueListStateWrong(status=row.status)
    await keyed.write_row(tx, row, status=IssueListStatus.CANCELLED.value, ended_at=tx.now)
    await audit_log.record(tx, actor, "issue_list.cancel", row.id, done=row.done_count)
    return row


# --- worked off --------------------------------------------------------------------------------


async def work_off(tx: Tx, limit: int, failed: set[UUID]) -> IssueList | None:
    """Issue what the next rows of the list that has waited longest ask for, up to ``limit`` of
    them: the list as it is then. None when there is no open one. Those that have ``failed`` come
    after all others, so that none keeps others waiting."""
    row = await queries.lock_next(tx, failed)
    if row is None:
        return None
    failed.add(row.id)
    await _work(tx, row, limit)
    failed.discard(row.id)
    return row


async def _work(tx: Tx, row: IssueList, limit: int) -> None:
    rows = await queries.list_rows(tx, row.brand_id, row.id, after=row.done_count, limit=limit)
    waiting = [each for each in rows if each.code is None]
    wanted = [Wanted(each.token, each.reference) for each in waiting]
    found = await _issue(tx, row, wanted) if wanted else []
    results = [
        (row.brand_id, row.id, each.row_no, *_result(became))
        for each, became in zip(waiting, found, strict=True)
    ]
    if results:
        await tx.write(queries.WRITE_RESULTS, expected=len(results), results=results)
    done = row.done_count + len(rows)
    issued = row.issued_count + sum(code == ISSUED for *_, code, _ in results)
    changes = {"done_count": done, "issued_count": issued, "worked_at": tx.now}
    if done == row.row_count:
        await keyed.write_row(
            tx, row, **changes, status=IssueListStatus.DONE.value, ended_at=tx.now
        )
        told = {"rows": row.row_count, "issued": issued}
        fact = outbox.Fact(row.brand_id, DONE_TOPIC, row.id, told, tx.now)
        await outbox.emit(tx, [fact])
    else:
        await keyed.write_row(tx, row, **changes)


async def _issue(
    tx: Tx, row: IssueList, wanted: Sequence[Wanted]
) -> Sequence[PartnerIssue | Refusal]:
    """What concerns all of them is told of each: nothing was written by then."""
    actor = system_actor(row.brand_id)
    try:
        return await issue_coupons(
            tx, actor, row.agreement_id, row.template_id, wanted, row.campaign
        )
    except Refusal as refusal:
        return [refusal] * len(wanted)


def _result(became: PartnerIssue | Refusal) -> tuple[str, UUID | None]:
    return (became.code, None) if isinstance(became, Refusal) else (ISSUED, became.id)
