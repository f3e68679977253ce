"""A file of members is worked off row by row, each once, whatever comes between."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from sqlmodel import select

from loyalty import keyed
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import (
    AgreementStateWrong,
    IdempotencyConflict,
    InvalidInput,
    IssueListStateWrong,
    NotFound,
    TooManyOpen,
)
from loyalty.outbox import OutboxEvent
from rewards.alliances.service import pause_agreement, resume_agreement
from rewards.alliances.terms import Quota, QuotaWindow
from rewards.issues import queries
from rewards.issues.lists import (
    DONE_TOPIC,
    UNFINISHED_MAX,
    ListWanted,
    _begin,
    cancel_list,
    read_file,
    upload,
    work_off,
)
from rewards.issues.models import IssueList, IssueListRow
from tests.rewards.issues.partners import Issuers, make_issuers
from tests.rewards.payouts.stores import rows

MANY = (Quota(QuotaWindow.ALL, 1_000),)


def file_of(issuers: Issuers, numbers: Sequence[int]) -> bytes:
    lines = [f"{issuers.token(number)},order {at}" for at, number in enumerate(numbers, 1)]
    return "\r\n".join(["token,reference", *lines]).encode()


def wanted(issuers: Issuers, key: str = "one") -> ListWanted:
    return ListWanted(issuers.agreement_id, issuers.pair.template.id, "autumn", key)


async def send(issuers: Issuers, body: bytes, key: str = "one") -> IssueList:
    row, _ = await upload(issuers.db, issuers.pair.partners, wanted(issuers, key), body)
    return row


async def finish(issuers: Issuers, at_once: int = 3) -> None:
    failed: set[UUID] = set()
    while await issuers.db.in_transaction(work_off, at_once, failed):
        pass


async def results(db: Database, row: IssueList) -> list[str | None]:
    async with db.snapshot() as snapshot:
        found = await queries.list_rows(snapshot, row.brand_id, row.id, after=0, limit=1_000)
    return [each.code for each in found]


async def state(db: Database, row: IssueList) -> tuple[str, int, int]:
    async with db.snapshot() as snapshot:
        now = await queries.get_list(snapshot, row.brand_id, row.id)
    return now.status, now.done_count, now.issued_count


async def test_each_row_has_its_own_result(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    body = file_of(issuers, [0, 9, 1, 0, 2]) + b"\r\nwhat is this,x\r\n"
    row = await send(issuers, body)
    assert (row.status, row.row_count) == ("OPEN", 6)
    assert row.digest == hashlib.sha256(body).hexdigest()
    await finish(issuers)
    unknown, wrong = "MEMBER_UNKNOWN", "INVALID_INPUT"
    assert await results(db, row) == ["ISSUED", unknown, *["ISSUED"] * 3, wrong]
    assert await state(db, row) == ("DONE", 6, 4)
    members = Counter(coupon.member_id for coupon in await issuers.coupons())
    assert members == {issuers.members[0].id: 2, issuers.members[1].id: 1, issuers.members[2].id: 1}
    assert {issue.reference for issue in await issuers.issues()} == {
        f"order {number}" for number in (1, 3, 4, 5)
    }
    [told] = [fact for fact in await rows(db, OutboxEvent) if fact.topic == DONE_TOPIC]
    assert (told.brand_id, told.payload) == (row.brand_id, {"rows": 6, "issued": 4})
    assert await issuers.broken() == {}


async def test_the_quota_ends_in_the_middle_of_a_file(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=(Quota(QuotaWindow.ALL, 4),))
    row = await send(issuers, file_of(issuers, [0, 1, 2, 3, 0, 1]))
    await finish(issuers)
    assert Counter(await results(db, row)) == {"ISSUED": 4, "ISSUE_QUOTA_REACHED": 2}
    assert (await results(db, row))[:4] == ["ISSUED"] * 4, "the first ones"
    assert await issuers.broken() == {}


async def test_a_pause_in_the_middle_is_told_of_each_row(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    row = await send(issuers, file_of(issuers, [0, 1, 2, 3]))
    assert await db.in_transaction(work_off, 2, set())
    agreed = (issuers.pair.hosts, issuers.agreement_id)
    await db.in_transaction(pause_agreement, *agreed, "a complaint")
    await finish(issuers)
    await db.in_transaction(resume_agreement, *agreed)
    assert await results(db, row) == ["ISSUED"] * 2 + ["AGREEMENT_STATE_WRONG"] * 2


async def test_the_same_file_again_is_the_same_list(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    body = file_of(issuers, [0, 1])
    row = await send(issuers, body)
    await finish(issuers)
    again, replayed = await upload(db, issuers.pair.partners, wanted(issuers), body)
    assert (again.id, again.status, replayed) == (row.id, "DONE", True)
    assert len(await issuers.issues()) == 2
    with pytest.raises(IdempotencyConflict):
        await send(issuers, file_of(issuers, [0]))
    other = replace(wanted(issuers), name="winter")
    with pytest.raises(IdempotencyConflict):
        await upload(db, issuers.pair.partners, other, body)


async def test_a_file_that_was_cut_off_goes_on(db: Database, keyring: Keyring) -> None:
    """Rows that are there already, of an upload whose process was killed, are kept."""
    issuers = await make_issuers(db, keyring, quotas=MANY)
    body = file_of(issuers, [0, 1, 2])
    row = await send(issuers, body)

    async def half(tx: Tx) -> None:
        found = await queries.lock_list(tx, row.brand_id, row.id)
        assert found is not None
        await keyed.write_row(tx, found, status="LOADING")

    await db.in_transaction(half)
    assert await db.in_transaction(work_off, 10, set()) is None, "not before all are there"
    again = await send(issuers, body)
    assert (again.id, again.status) == (row.id, "OPEN")
    assert len([each for each in await rows_of(db) if each.list_id == row.id]) == 3
    await finish(issuers)
    assert await state(db, row) == ("DONE", 3, 3)


async def rows_of(db: Database) -> list[IssueListRow]:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(select(IssueListRow))
        return list(found)


async def test_a_cancelled_list_goes_no_further(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    row = await send(issuers, file_of(issuers, [0, 1, 2]))
    assert await db.in_transaction(work_off, 1, set())
    await db.in_transaction(cancel_list, issuers.pair.partners, row.id)
    await finish(issuers)
    assert await state(db, row) == ("CANCELLED", 1, 1)
    with pytest.raises(IssueListStateWrong):
        await db.in_transaction(cancel_list, issuers.pair.partners, row.id)
    with pytest.raises(NotFound):
        await db.in_transaction(cancel_list, issuers.pair.hosts, row.id)
    assert await issuers.broken() == {}


async def test_a_list_whose_step_fails_keeps_no_other_waiting(
    db: Database, keyring: Keyring
) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    first = await send(issuers, file_of(issuers, [0]), "first")
    second = await send(issuers, file_of(issuers, [1]), "second")
    worked = await db.in_transaction(work_off, 10, {first.id})
    assert worked is not None
    assert worked.id == second.id
    worked = await db.in_transaction(work_off, 10, {first.id})
    assert worked is not None
    assert worked.id == first.id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"token,reference",
        b"token;reference\nx;y",
        b"token\nx,y",
        b"\xff\xfe",
        b'token\n"x',
        b"token\n" + b"x\n" * 100_001,
    ],
)
def test_what_is_no_file_is_refused_whole(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_file(body)


def test_a_file_as_spreadsheets_write_it() -> None:
    body = "\ufefftoken,reference\r\n abc , 订单一 \r\n\r\ndef,\r\n".encode()
    assert read_file(body) == [("abc", "订单一"), ("def", None)]


async def test_nobody_uploads_what_it_may_not_issue(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring)
    body = file_of(issuers, [0])
    with pytest.raises(NotFound):
        await upload(db, issuers.pair.hosts, wanted(issuers), body)
    await db.in_transaction(
        pause_agreement, issuers.pair.hosts, issuers.agreement_id, "a complaint"
    )
    with pytest.raises(AgreementStateWrong):
        await send(issuers, body)
    assert await rows(db, IssueList) == []


async def test_a_list_that_was_cut_off_may_be_cancelled(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    pair = issuers.pair
    row, _ = await db.in_transaction(_begin, pair.partners, wanted(issuers), "digest", 3)
    await db.in_transaction(cancel_list, pair.partners, row.id)
    assert await state(db, row) == ("CANCELLED", 0, 0)
    assert await issuers.broken() == {}


async def test_a_brand_has_so_many_lists_under_way(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    for number in range(UNFINISHED_MAX):
        await send(issuers, file_of(issuers, [0]), f"file {number}")
    with pytest.raises(TooManyOpen):
        await send(issuers, file_of(issuers, [0]), "one more")


async def test_lists_take_turns(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=MANY)
    long, short = [await send(issuers, file_of(issuers, [0] * n), f"{n}") for n in (4, 1)]
    for _ in range(2):
        await db.in_transaction(work_off, 1, set())
    assert (await state(db, short))[0] == "DONE"
    assert (await state(db, long))[1] == 1
