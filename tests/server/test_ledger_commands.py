"""``loyalty ledger``: what expires, statements and books, on the command line."""

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import select

from graphql_schema.pagination import encode_id
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.clock import local_date, utc_now
from loyalty.db import Database
from loyalty.ids import new_id
from server.console import Exit
from tests.brands_made import make_brand
from tests.loyalty.ledger.lots_made import add_members, give, spend
from tests.server.commands import Commands

ZONE = "Asia/Shanghai"


async def actions(db: Database) -> list[str]:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(select(AuditLogEntry))
        return [entry.action for entry in found if entry.action.startswith("ledger")]


async def brand_with(
    db: Database, lots: dict[date, int], reason: str = "gift"
) -> tuple[Brand, UUID]:
    brand = await db.in_transaction(make_brand)
    (member_id,) = await db.in_transaction(add_members, brand, 1)
    await db.in_transaction(give, brand, {member_id: lots}, reason=reason)
    return brand, member_id


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


async def test_lots_are_expired_by_hand_and_on_record(db: Database, command: Commands) -> None:
    today = local_date(utc_now(), ZONE)
    days = [today - timedelta(days=n) for n in (0, 1, 2, 3)]
    brand, _ = await brand_with(db, dict.fromkeys(days, 5))
    for wanted in (3, 0):
        done = await command("ledger", "expire", "--brand", brand.slug, "--chunk", "2", "--json")
        assert (done.code, done.json["lots_expired"], done.json["lots_seen"]) == (0, wanted, 3)
        assert done.json["on"] == today.isoformat()
    assert await actions(db) == ["ledger.expire"] * 2
    assert "0 lots expired" in (await command("ledger", "expire", "--brand", brand.slug)).out
    assert (await command("ledger", "expire", "--brand", "nobody")).code == Exit.REFUSED


async def test_a_statement_tells_each_entry_with_the_balance_after_it(
    db: Database, command: Commands, tmp_path: Path
) -> None:
    today = local_date(utc_now(), ZONE)
    brand, member_id = await brand_with(db, {today: 50}, reason="=HYPERLINK(1)")
    await db.in_transaction(spend, brand, member_id, 20, today)

    async def written(name: str, *options: str) -> list[dict[str, str]]:
        path = tmp_path / name
        done = await command(
            *("ledger", "statement", "--brand", brand.slug, "--member", member_id),
            *("--file", path, *options, "--json"),
        )
        assert done.code == Exit.OK, done.err
        rows = rows_of(path)
        assert done.json == {"file": str(path), "lines": len(rows)}
        return rows

    told = [
        (row["kind"], row["amount"], row["balance"], row["reason"])
        for row in await written("all.csv")
    ]
    assert told == [
        ("EARN", "50", "50", "'=HYPERLINK(1)"),
        ("SPEND", "-20", "30", "spent"),
        ("CLOSING", "", "30", ""),
    ]
    since_today = await written("today.csv", "--from", today.isoformat())
    assert [row["kind"] for row in since_today] == ["EARN", "SPEND", "CLOSING"]
    tomorrow = (today + timedelta(days=1)).isoformat()
    later = await written("later.csv", "--from", tomorrow, "--until", tomorrow)
    assert [(row["kind"], row["balance"]) for row in later] == [
        ("OPENING", "30"),
        ("CLOSING", "30"),
    ]
    spent = await written("spent.csv", "--kind", "SPEND", "--asset", "POINTS")
    assert [(row["amount"], row["balance"]) for row in spent] == [("-20", "")]
    assert (await actions(db)) == ["ledger.export_statement"] * 4


async def test_a_statement_is_refused_in_words_and_leaves_no_file(
    db: Database, command: Commands, tmp_path: Path
) -> None:
    brand, member_id = await brand_with(db, {date(2030, 1, 1): 5})
    other = await db.in_transaction(make_brand, "other")
    there = tmp_path / "there.csv"
    there.write_text("mine")
    usual: dict[str, Any] = {"--brand": brand.slug, "--member": member_id, "--file": "-"}
    for wrong, code in (
        ({"--member": new_id()}, Exit.REFUSED),
        ({"--member": "nobody"}, Exit.REFUSED),
        ({"--brand": other.slug}, Exit.REFUSED),
        ({"--from": "yesterday"}, Exit.REFUSED),
        ({"--from": "2026-11-09", "--until": "2026-11-08"}, Exit.REFUSED),
        ({"--kind": "GIFT"}, Exit.USAGE),
        ({"--file": there}, Exit.FAILED),
        ({"--file": tmp_path / "no" / "folder.csv"}, Exit.FAILED),
    ):
        words = [word for pair in (usual | wrong).items() for word in pair]
        done = await command("ledger", "statement", *words)
        assert (done.code, bool(done.err)) == (code, True), wrong
    assert there.read_text() == "mine"
    assert there in files_in(tmp_path)
    assert [path for path in files_in(tmp_path) if path.suffix == ".csv"] == [there]
    named = usual | {"--member": encode_id("Member", member_id)}
    done = await command("ledger", "statement", *[word for pair in named.items() for word in pair])
    assert (done.code, "EARN" in done.out) == (Exit.OK, True)


async def test_the_books_and_all_entries_of_some_days(
    db: Database, command: Commands, tmp_path: Path
) -> None:
    today = local_date(utc_now(), ZONE)
    yesterday = today - timedelta(days=1)
    brand, member_id = await brand_with(db, {yesterday: 5, today: 50})
    await db.in_transaction(spend, brand, member_id, 20, today)
    await command("ledger", "expire", "--brand", brand.slug)
    days = ("--from", today.isoformat(), "--until", today.isoformat())
    done = await command("ledger", "books", "--brand", brand.slug, *days, "--json")
    [points] = done.json["books"]
    assert points == {
        "asset": "POINTS",
        "opening": 0,
        "issued": 55,
        "spent": 20,
        "expired": 5,
        "reversed": 0,
        "closing": 30,
        "owed": 0,
    }
    assert "30" in (await command("ledger", "books", "--brand", brand.slug)).out
    before = ("--from", "2026-01-01", "--until", yesterday.isoformat())
    none = await command("ledger", "books", "--brand", brand.slug, *before)
    assert "Nothing" in none.out
    books, entries = tmp_path / "books.csv", tmp_path / "entries.csv"
    await command("ledger", "books", "--brand", brand.slug, *days, "--file", books)
    [row] = rows_of(books)
    assert (row["from"], row["closing"]) == (today.isoformat(), "30")
    done = await command("ledger", "entries", "--brand", brand.slug, *days, "--file", entries)
    assert done.code == Exit.OK
    told = [(r["kind"], r["amount"], r["payer_kind"], r["payee_kind"]) for r in rows_of(entries)]
    assert told == [
        ("EARN", "5", "ISSUANCE", "MAIN"),
        ("EARN", "50", "ISSUANCE", "MAIN"),
        ("SPEND", "20", "MAIN", "SPENT"),
        ("EXPIRE", "5", "MAIN", "EXPIRED"),
    ]
    none = await command("ledger", "entries", "--brand", brand.slug, *before, "--file", "-")
    assert none.out.count("\n") == 1


async def test_a_balance_is_explained_on_the_host(db: Database, command: Commands) -> None:
    brand, member_id = await brand_with(db, {date(2030, 1, 1): 5, date(2029, 1, 1): 7})
    words = ("ledger", "explain", "--brand", brand.slug, "--member", member_id)
    credits = (await command(*words, "--json")).json["credits"]
    assert [(c["unspent"], c["until"], c["cause"]) for c in credits] == [
        (7, "2029-01-01", "OPERATOR"),
        (5, "2030-01-01", "OPERATOR"),
    ]
    assert "gift" in (await command(*words)).out
    assert "Nothing" in (await command(*words, "--asset", "CASH")).out
