"""Statements and books by download: whose they are, in which words they are refused, in pieces."""

import csv
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from typing import Any

import httpx2
from sqlmodel import col, select
from starlette.requests import Request
from starlette.routing import Route

from graphql_schema.pagination import encode_id, find_id_of
from loyalty.actor import CLERK_ROLE, Actor, ActorKind, OperatorRole
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.service import get_brand
from loyalty.clock import local_date, utc_now
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.ledger.history import EntryFilter
from server.callers import Callers
from server.statement_csv import PAGE_ROWS, BrandCalendar, brand_entries, member_statement
from server.statement_downloads import StatementDownloads
from tests.api import Caller
from tests.graphql_schema.stage import CONSUMER, Stage, outcome
from tests.loyalty.ledger.lots_made import give

STATEMENT, BOOKS, ENTRIES = (f"/downloads/{name}.csv" for name in ("statement", "books", "entries"))
ALICE, BOB = "13800138001", "13800138002"


async def get(caller: Caller, path: str, language: str = "en", **params: Any) -> httpx2.Response:
    headers = {"accept-language": language}
    if caller.token is not None:
        headers["authorization"] = f"Bearer {caller.token}"
    return await caller.api.client.get(path, params=params, headers=headers)


def rows_of(reply: httpx2.Response) -> list[dict[str, str]]:
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(reply.content.decode("utf-8-sig"))))


async def refused(
    caller: Caller, path: str, language: str = "en", **params: Any
) -> tuple[int, str, str]:
    reply = await get(caller, path, language, **params)
    return reply.status_code, reply.json()["code"], reply.json()["message"]


async def earner(stage: Stage, phone: str) -> tuple[Caller, str]:
    """A consumer whom a scan gave a hundred points, and its member's global id."""
    await stage.publish([outcome(CONSUMER, 100)])
    member = await stage.member(phone)
    await member.done("scanCode", code=await stage.code())
    return member, (await member.me())["id"]


async def test_a_member_reads_its_own_statement_and_operators_those_of_their_brand(
    stage: Stage, db: Database
) -> None:
    alice, alice_id = await earner(stage, ALICE)
    _, bob_id = await earner(stage, BOB)
    viewer = stage.operator(OperatorRole.VIEWER)
    own = rows_of(await get(alice, STATEMENT))
    assert [(row["kind"], row["balance"]) for row in own] == [("EARN", "100"), ("CLOSING", "100")]
    assert rows_of(await get(alice, STATEMENT, member=alice_id)) == own
    assert rows_of(await get(viewer, STATEMENT, member=alice_id)) == own
    filtered = await get(alice, STATEMENT, asset="POINTS", kind=["SPEND", "EXPIRE"])
    assert rows_of(filtered) == []
    async with db.snapshot() as snapshot:
        noted = await snapshot.session.exec(
            select(AuditLogEntry).where(
                col(AuditLogEntry.action) == "ledger.export_statement",
                col(AuditLogEntry.brand_id) == stage.brand_id,
            )
        )
        assert [entry.subject_id for entry in noted] == [find_id_of("Member", alice_id)]
    nobody = 404, "NOT_FOUND", "There is no such member."
    for foreign in (bob_id, stage.unknown_id("Member"), "nonsense"):
        assert await refused(alice, STATEMENT, member=foreign) == nobody
    theirs = await stage.sister("theirs")
    for caller in (theirs.operator(OperatorRole.ADMIN), await theirs.member(ALICE)):
        assert await refused(caller, STATEMENT, member=alice_id) == nobody
    assert await refused(await stage.member("13800138003"), STATEMENT) == nobody
    assert (await refused(alice, STATEMENT, "zh-CN", member=bob_id))[2] == "没有找到(member)。"


async def test_who_may_not_is_told_so_in_its_own_language(stage: Stage) -> None:
    actor = Actor(ActorKind.CLERK, stage.brand_id, new_id(), CLERK_ROLE, place_id=new_id())
    clerk = stage.caller(replace(actor, till_id=new_id()))
    alice, alice_id = await earner(stage, ALICE)
    for caller in (stage.api.nobody, stage.api.signed_in("no token")):
        for path in (STATEMENT, BOOKS, ENTRIES):
            assert (await refused(caller, path))[:2] == (401, "UNAUTHENTICATED")
    assert (await refused(stage.api.nobody, BOOKS, "zh"))[2] == "请先登录。"
    forbidden = 403, "FORBIDDEN", "无权进行此操作。"
    days = {"from": "2026-11-01", "until": "2026-11-30"}
    assert await refused(clerk, STATEMENT, "zh-CN", member=alice_id) == forbidden
    for caller in (alice, clerk, stage.operator(OperatorRole.MARKETER)):
        assert await refused(caller, BOOKS, "zh-CN") == forbidden
        assert await refused(caller, ENTRIES, "zh-CN", **days) == forbidden


async def test_what_is_asked_for_wrongly_is_refused_by_its_field(stage: Stage) -> None:
    alice, _ = await earner(stage, ALICE)
    finance = stage.operator(OperatorRole.FINANCE)
    wrong: list[tuple[Caller, str, dict[str, str], str]] = [
        (alice, STATEMENT, {"form": "2026-11-01"}, "form"),
        (alice, STATEMENT, {"from": "yesterday"}, "from"),
        (alice, STATEMENT, {"from": "2026-11-09", "until": "2026-11-08"}, "until"),
        (alice, STATEMENT, {"kind": "GIFT"}, "kind"),
        (alice, STATEMENT, {"asset": "\x00"}, "asset"),
        (finance, STATEMENT, {}, "member"),
        (finance, BOOKS, {"until": "0001-01-01"}, "until"),
        (finance, ENTRIES, {"from": "2026-11-09"}, "until"),
    ]
    for caller, path, params, field in wrong:
        status, code, message = await refused(caller, path, **params)
        assert (status, code) == (400, "INVALID_INPUT"), (path, params)
        assert message.startswith(f"{field}:"), message


async def test_finance_reads_the_brands_books_and_entries(stage: Stage) -> None:
    await earner(stage, ALICE)
    finance = stage.operator(OperatorRole.FINANCE)
    today = local_date(utc_now(), "Asia/Shanghai").isoformat()
    reply = await get(finance, BOOKS, **{"from": today, "until": today})
    assert f'filename="books_{today}_{today}.csv"' in reply.headers["content-disposition"]
    [points] = rows_of(reply)
    assert (points["asset"], points["issued"], points["closing"]) == ("POINTS", "100", "100")
    [earned] = rows_of(await get(finance, ENTRIES, **{"from": today, "until": today}))
    assert (earned["kind"], earned["payer_kind"], earned["amount"]) == ("EARN", "ISSUANCE", "100")
    theirs = (await stage.sister("theirs")).operator(OperatorRole.FINANCE)
    assert rows_of(await get(theirs, ENTRIES, **{"from": today, "until": today})) == []


async def nobody(_key: str, _address: str) -> None:
    return None


async def test_a_caller_has_one_download_at_a_time(stage: Stage, db: Database) -> None:
    await earner(stage, ALICE)
    finance = stage.operator(OperatorRole.FINANCE)
    actor = stage.tokens.verify(str(finance.token), utc_now())
    routes = {r.path: r for r in StatementDownloads(db, Callers(lambda _: actor, nobody)).routes()}

    async def ask(route: Route) -> Any:
        scope = {
            "type": "http", "method": "GET", "path": route.path, "query_string": b"",
            "headers": [(b"authorization", b"Bearer x")],
        }  # fmt: skip
        return await route.endpoint(Request(scope))

    first, second = await ask(routes[BOOKS]), await ask(routes[BOOKS])
    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["retry-after"]) > 0
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is received")

    await first({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    assert sent[0]["status"] == 200
    assert (await ask(routes[BOOKS])).status_code == 200


async def test_long_statements_come_in_pages(stage: Stage, db: Database) -> None:
    alice, alice_id = await earner(stage, ALICE)
    member_id = find_id_of("Member", alice_id)
    assert member_id is not None
    async with db.snapshot() as snapshot:
        brand = await get_brand(snapshot, stage.brand_id)
    lots = {date(2030, 1, 1) + timedelta(days=n): 1 for n in range(PAGE_ROWS)}
    await db.in_transaction(give, brand, {member_id: lots})
    calendar = BrandCalendar(brand.id, brand.timezone)
    today = local_date(utc_now(), brand.timezone)
    for pieces in (
        member_statement(db, calendar, member_id, EntryFilter()),
        brand_entries(db, calendar, today, today),
    ):
        told = [piece.count(b"\r\n") async for piece in pieces]
        assert max(told) == PAGE_ROWS
        assert sum(told) >= PAGE_ROWS + 2
    rows = rows_of(await get(alice, STATEMENT))
    assert [int(row["balance"]) for row in rows] == [*range(100, 2_101), 2_100]
    assert encode_id("Member", member_id) == alice_id
