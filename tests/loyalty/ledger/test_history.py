"""What statements say of the past is what stood there at the time."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlmodel import select

from loyalty.db import Database
from loyalty.errors import InvalidInput
from loyalty.ledger import history
from loyalty.ledger.audit import audit
from loyalty.ledger.history import EntryFilter, HistoryTooLong, booked_on
from loyalty.ledger.history_queries import EVER, entries_statement
from loyalty.ledger.models import NEVER_EXPIRES, Account, Transfer
from loyalty.ledger.queries import NEWEST, READ_ENTRIES, EntryRow, read_entries
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.loyalty.ledger.corruptions import broken
from tests.loyalty.ledger.lots_made import GROWTH, POINTS, add_members, give, spend
from tests.loyalty.ledger.played import PLAYED, Play, play_through

TODAY = date(2026, 11, 9)
_EXPLAIN = "EXPLAIN (ANALYZE, COSTS OFF)"
HOLDERS = ("MAIN", "RECEIVABLE", "PLACE")


async def test_the_books_and_every_balance_of_any_instant_are_what_they_were(
    clocked_db: Database, clock: SettableClock
) -> None:
    played = await play_through(clocked_db, clock, seed=3)
    begun = played.moments[0].at - timedelta(days=1)
    async with clocked_db.snapshot() as snapshot:
        for moment in played.moments:
            told = {
                (member_id, b.asset): (b.balance, b.locked, b.held, b.owed)
                for member_id in played.members
                for b in await history.list_balances_at(
                    snapshot, played.brand.id, member_id, moment.at
                )
            }
            had = {key: value for key, value in moment.own.items() if key[0] in played.members}
            assert told == had
            until = moment.at + timedelta(microseconds=1)
            books = await history.books_between(snapshot, played.brand.id, begun, until)
            for before, during, book in books:
                stood = {kind: moment.books[book.asset, kind] for kind in Counter(
                    kind for _, kind in moment.books
                )}  # fmt: skip
                assert book.issued == -stood["ISSUANCE"]
                assert (book.spent, book.expired) == (stood["SPENT"], stood["EXPIRED"])
                assert book.reversed == stood["REVERSED"]
                assert book.outstanding == sum(stood.get(kind, 0) for kind in HOLDERS)
                assert book.owed == -stood.get("RECEIVABLE", 0)
                assert book.issued == book.spent + book.expired + book.reversed + book.outstanding
                assert (before.issued, during.issued) == (0, book.issued)
    last = played.moments[-1].books
    assert all(last[POINTS, kind] for kind in ("SPENT", "EXPIRED", "REVERSED", "MAIN"))
    books_checks = [check for check in await audit(clocked_db) if check.invariant <= 3]
    assert broken(books_checks) == {}
    # What happened between two instants is the difference of the books.
    early, late = played.moments[PLAYED // 3].at, played.moments[2 * PLAYED // 3].at
    async with clocked_db.snapshot() as snapshot:
        brand_id = played.brand.id
        for before, during, after in await history.books_between(snapshot, brand_id, early, late):
            for name in ("issued", "spent", "expired", "reversed", "outstanding", "owed"):
                assert getattr(before, name) + getattr(during, name) == getattr(after, name)


async def test_statements_of_members_to_whom_all_kinds_of_things_happened(
    clocked_db: Database, clock: SettableClock
) -> None:
    played = await play_through(clocked_db, clock, seed=11)
    await entries_tell_each_transfer_once_and_add_up(clocked_db, played)
    await entries_are_filtered_by_asset_kind_and_day_and_paged(clocked_db, played)
    await entries_asked_for_at_a_time_are_each_members_own(clocked_db, played)
    await balances_are_explained_by_what_made_them(clocked_db, played)


async def entries_tell_each_transfer_once_and_add_up(clocked_db: Database, played: Play) -> None:
    brand_id = played.brand.id
    async with clocked_db.snapshot() as snapshot:
        accounts = {a.id: a for a in await snapshot.session.exec(select(Account))}
        transfers = {t.id: t for t in await snapshot.session.exec(select(Transfer))}
        for member_id in played.members:
            newest = await history.list_entries(
                snapshot, brand_id, member_id, EntryFilter(), start=None, limit=500
            )
            oldest = await history.list_entries(
                snapshot, brand_id, member_id, EntryFilter(), start=None, limit=500,
                oldest_first=True,
            )  # fmt: skip
            assert newest == oldest[::-1]
            ids = [line.entry.id for line in newest]
            own = {
                t.id
                for t in transfers.values()
                if member_id
                in (accounts[t.debit_account_id].owner_id, accounts[t.credit_account_id].owner_id)
            }
            assert (len(ids), set(ids)) == (len(own), own)
            sums: Counter[tuple[str, str]] = Counter()
            for line in newest:
                if line.entry.phase in ("POSTED", "POST"):
                    sums[line.entry.account, line.entry.asset] += line.entry.amount
            at = played.moments[-1].own
            assert sums["MAIN", POINTS] == at[member_id, POINTS][0]


async def entries_are_filtered_by_asset_kind_and_day_and_paged(
    clocked_db: Database, played: Play
) -> None:
    brand_id, member_id = played.brand.id, played.members[0]
    first, last = played.moments[10].at.date(), played.moments[-10].at.date()
    since, until = booked_on(first, last, played.brand.timezone, ("from", "until"))
    everything = EntryFilter()
    filters = [
        EntryFilter(asset=GROWTH),
        EntryFilter(kinds=("SPEND", "EXPIRE")),
        EntryFilter(since=since, until=until),
        EntryFilter(POINTS, ("EARN", "OWE", "REPAY"), since, until),
    ]
    async with clocked_db.snapshot() as snapshot:

        async def listed(wanted: EntryFilter, page: int) -> list[UUID]:
            found: list[UUID] = []
            while True:
                lines = await history.list_entries(
                    snapshot, brand_id, member_id, wanted,
                    start=found[-1] if found else None, limit=page,
                )  # fmt: skip
                found += [line.entry.id for line in lines]
                if len(lines) < page:
                    return found

        all_lines = await history.list_entries(
            snapshot, brand_id, member_id, everything, start=None, limit=500
        )
        for wanted in filters:
            right = [
                line.entry.id
                for line in all_lines
                if wanted.asset in (None, line.entry.asset)
                and (not wanted.kinds or line.entry.kind in wanted.kinds)
                and wanted.since <= line.entry.booked_at < wanted.until
            ]
            assert right
            assert await listed(wanted, 3) == await listed(wanted, 100) == right
        assert await listed(EntryFilter(asset="STARS"), 5) == []


def test_a_range_of_days_begins_and_ends_with_the_brands_days() -> None:
    zone = "Africa/Cairo"
    since, until = booked_on(date(2026, 4, 24), date(2026, 4, 24), zone, ("from", "until"))
    assert since == datetime(2026, 4, 23, 22, tzinfo=UTC)
    assert until - since == timedelta(hours=23), "clocks went forward"
    assert booked_on(None, None, zone, ("from", "until")) == EVER
    for first, last in ((TODAY, TODAY - timedelta(days=1)), (date.min, None), (None, date.max)):
        with pytest.raises(InvalidInput):
            booked_on(first, last, zone, ("from", "until"))


async def test_lots_that_end_soon_are_told_soonest_first(clocked_db: Database) -> None:
    brand = await clocked_db.in_transaction(make_brand)
    (ann, bob) = await clocked_db.in_transaction(add_members, brand, 2)
    days = [TODAY + timedelta(days=n) for n in (-1, 0, 3, 10, 11)]
    await clocked_db.in_transaction(
        give, brand, {ann: {**dict.fromkeys(days, 5), NEVER_EXPIRES: 9}, bob: {days[2]: 1}}
    )
    await clocked_db.in_transaction(give, brand, {ann: {days[2]: 2}}, GROWTH)
    await clocked_db.in_transaction(spend, brand, ann, 5, TODAY)

    async def expiring(after: tuple[date, str] | None, limit: int) -> list[Any]:
        async with clocked_db.snapshot() as snapshot:
            found = await history.list_expiring_lots(
                snapshot, brand.id, ann, TODAY, days[3], after=after, limit=limit
            )
        return [(lot.expires_on, lot.asset, lot.remaining) for lot in found]

    wanted = [(days[2], GROWTH, 2), (days[2], POINTS, 5), (days[3], POINTS, 5)]
    assert await expiring(None, 9) == wanted
    assert await expiring(wanted[0][:2], 1) == wanted[1:2]


async def entries_asked_for_at_a_time_are_each_members_own(
    clocked_db: Database, played: Play
) -> None:
    async with clocked_db.snapshot() as snapshot:
        pages: dict[tuple[UUID, int, UUID | None], list[EntryRow]] = {}
        for member_id in played.members:
            owner = (played.brand.id, member_id)
            lines = await history.list_entries(
                snapshot, *owner, EntryFilter(), start=None, limit=1_000
            )
            own = [line.entry for line in lines]
            for limit in (1, 2, 7, 1_000):
                pages[member_id, limit, None] = own[:limit]
                for place in (0, len(own) // 2):
                    pages[member_id, limit, own[place].id] = own[place + 1 :][:limit]
    found = await asyncio.gather(
        *(
            read_entries(clocked_db, played.brand.id, member_id, before=before, limit=limit)
            for member_id, limit, before in pages
        )
    )
    assert found == list(pages.values())
    assert len({entry.id for page in found for entry in page}) > 2 * len(played.members)


async def balances_are_explained_by_what_made_them(clocked_db: Database, played: Play) -> None:
    brand_id = played.brand.id
    async with clocked_db.snapshot() as snapshot:
        transfers = {t.id: t for t in await snapshot.session.exec(select(Transfer))}
        for member_id in played.members:
            for asset in (POINTS, GROWTH):
                balance, locked, held, _ = played.moments[-1].own.get(
                    (member_id, asset), (0, 0, 0, 0)
                )
                found = await history.explain(snapshot, brand_id, member_id, asset)
                credits = found.credits if found else []
                assert sum(p.amount for p in credits if not p.locked) == balance - held
                assert sum(p.amount for p in credits if p.locked) == locked
                assert found is None or [p.key for p in credits] == sorted(p.key for p in credits)
                for part in credits:
                    assert transfers[part.credit.id].kind == "EARN"
                    assert part.amount <= transfers[part.credit.id].amount
                    if part.moved is not None:
                        assert transfers[part.moved.id].kind == "MOVE"
        assert await history.explain(snapshot, brand_id, played.members[0], "STARS") is None
        with pytest.raises(HistoryTooLong):
            await history.explain(snapshot, brand_id, played.members[0], POINTS, movements_max=3)


@pytest.mark.only_database("postgresql", reason="looks at its plans")
async def test_a_page_of_entries_reads_no_more_than_a_page(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    members = await db.in_transaction(add_members, brand, 20)
    await db.in_transaction(give, brand, {id: {NEVER_EXPIRES: 5} for id in members})
    connection = await asyncpg.connect(db.url)
    try:
        await connection.execute(
            """
            INSERT INTO transfers (brand_id, id, debit_account_id, credit_account_id, asset, amount,
                phase, kind, cause_kind, cause_id, credit_expires_on, actor_kind, actor_id, reason,
                occurred_at, created_at)
            SELECT brand_id, uuidv7(), debit_account_id, credit_account_id, asset, amount, phase,
                kind, cause_kind, cause_id, credit_expires_on, actor_kind, actor_id, reason,
                occurred_at, created_at
            FROM transfers, generate_series(1, 1000)
            """
        )
        await connection.execute("ANALYZE transfers")
        accounts = await connection.fetch("SELECT id FROM accounts WHERE kind = 'MAIN' LIMIT 1")
        statement = entries_statement("M", True, False)
        sql, values = statement.postgresql_call(
            {
                "brand_id": brand.id,
                "start": UUID(int=2**128 - 1),
                "since": EVER[0],
                "until": EVER[1],
                "row_count_max": 21,
                "account_0": accounts[0][0],
                "kinds": [("EARN",), ("SPEND",)],
            }
        )
        newest = READ_ENTRIES.together.postgresql_call(
            {"asked": [(n, brand.id, id, NEWEST, 21) for n, id in enumerate(members)]}
        )
        plans = [
            "\n".join(row[0] for row in await connection.fetch(f"{_EXPLAIN} {text}", *given))
            for text, given in ((sql, values), newest)
        ]
    finally:
        await connection.close()
    for plan, row_count_max in zip(plans, (21, 21 * len(members)), strict=True):
        assert "ix_transfers_credit" in plan and "ix_transfers_debit" in plan, plan
        assert "Seq Scan" not in plan, plan
        rows = [
            float(line.split("rows=")[1].split()[0])
            for line in plan.splitlines()
            if "rows=" in line
        ]
        assert max(rows) <= row_count_max, plan
