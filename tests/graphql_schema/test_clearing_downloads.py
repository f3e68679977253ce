"""Statements between two brands by download: each side its own copy, which agree to the fen."""

import csv
from decimal import Decimal
from io import StringIO
from typing import Any

import httpx2
from sqlmodel import col, select

from graphql_schema.pagination import find_id_of
from loyalty.actor import ActorKind, OperatorRole, system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.service import find_brand_by_slug
from loyalty.db import Database
from rewards.clearing.models import EntryKind
from rewards.clearing.rules import Due
from rewards.clearing.service import post
from server.statement_csv import PAGE_ROWS
from tests.api import Caller
from tests.graphql_schema.allied import ALLY, agreed, ally, drawn, ended
from tests.graphql_schema.stage import Stage

PATH = "/downloads/clearing.csv"
LINES = "{ agreements { nodes { versions { terms { lines { templateId templateCode } } } } } }"
FORMULA = "=HYPERLINK(A1)"


async def get(caller: Caller, accept: str = "en", /, **params: Any) -> httpx2.Response:
    headers = {"accept-language": accept}
    if caller.token is not None:
        headers["authorization"] = f"Bearer {caller.token}"
    return await caller.api.client.get(PATH, params=params, headers=headers)


def rows_of(reply: httpx2.Response) -> list[dict[str, str]]:
    assert reply.status_code == 200, reply.text
    assert reply.content.startswith("\ufeff".encode())
    return list(csv.DictReader(StringIO(reply.content.decode("utf-8-sig"), newline="")))


async def key_of(stage: Stage, *scopes: str) -> Caller:
    made = await stage.admin.done("createPartnerKey", name="ERP", scopes=list(scopes))
    return stage.api.signed_in(made["key"])


async def posted(stage: Stage, count: int) -> None:
    """So many fees that the brand owes its ally, of 1 fen, 2 fen and so on, with a note to it."""
    async with stage.database.snapshot() as snapshot:
        other = await find_brand_by_slug(snapshot, ALLY)
    assert other is not None
    pair: Any = {"debtor_id": stage.brand_id, "creditor_id": other.id}
    dues = [
        Due(**pair, kind=EntryKind.FEE, amount_fen=number, note=FORMULA, place_name='一店,\n"东"')
        for number in range(1, count + 1)
    ]
    await stage.database.in_transaction(post, system_actor(stage.brand_id), dues)


async def test_both_sides_files_of_several_pages_agree_to_the_fen(
    stage: Stage, db: Database
) -> None:
    await agreed(stage)
    other = await ally(stage)
    count = 2 * PAGE_ROWS
    await posted(stage, count)
    id = await ended(stage)
    finance = stage.operator(OperatorRole.FINANCE)
    reply = await get(finance, statement=id)
    assert 'filename="clearing_ally_1.csv"' in reply.headers["content-disposition"]
    own, theirs = (
        rows_of(reply),
        rows_of(await get(await key_of(other, "READ_STATEMENTS"), statement=id)),
    )
    assert len(own) == len(theirs) == count + 2
    for mine, its in zip(own, theirs, strict=True):
        assert int(mine["amount_fen"]) == -int(its["amount_fen"])
        assert Decimal(mine["amount_yuan"]) * 100 == int(mine["amount_fen"])
        same = mine.keys() - {"amount_fen", "amount_yuan"}
        assert {name: mine[name] for name in same} == {name: its[name] for name in same}
    opening, *entries, closing = own
    assert [opening["kind"], opening["amount_yuan"], closing["kind"]] == [
        "OPENING",
        "0.00",
        "CLOSING",
    ]
    assert int(closing["amount_fen"]) == sum(int(each["amount_fen"]) for each in entries)
    assert entries[4]["amount_yuan"] == "0.05"
    assert theirs[5]["amount_yuan"] == "-0.05"
    assert {each["note"] for each in entries} == {f"'{FORMULA}"}
    assert entries[0]["occurred_at"].endswith("+08:00")
    assert entries[0]["place"] == '一店,\\n"东"'

    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(AuditLogEntry).where(
                col(AuditLogEntry.action) == "ledger.export_clearing",
                col(AuditLogEntry.subject_id) == find_id_of("ClearingStatement", id),
            )
        )
        noted = {(each.brand_id, each.actor_kind) for each in found}
    assert noted == {
        (stage.brand_id, ActorKind.OPERATOR.value),
        (other.brand_id, ActorKind.PARTNER.value),
    }


async def test_a_coupons_entry_tells_its_template_in_the_callers_language(stage: Stage) -> None:
    await agreed(stage)
    [agreement] = (await stage.admin.ask(LINES))["agreements"]["nodes"]
    [line] = agreement["versions"][0]["terms"]["lines"]
    template_id = find_id_of("CouponTemplate", line["templateId"])
    other = await ally(stage)
    due = Due(
        debtor_id=other.brand_id,
        creditor_id=stage.brand_id,
        kind=EntryKind.REDEMPTION,
        amount_fen=312,
        template_id=template_id,
        coupon_id=template_id,
        till_name="POS 1",
    )
    await stage.database.in_transaction(post, system_actor(stage.brand_id), [due])
    id = await ended(stage)
    for side, sign in ((stage, "-"), (other, "")):
        [_, row, closing] = rows_of(await get(side.admin, "zh-CN", statement=id))
        assert (row["类别"], row["券模板"], row["收银台"]) == (
            "核销",
            line["templateCode"],
            "POS 1",
        )
        assert (row["金额(元)"], row["金额(分)"]) == (f"{sign}3.12", f"{sign}312")
        assert closing["类别"] == "期末"
        assert rows_of(await get(side.admin, "zh-CN", statement=id, language="en"))[1]["kind"]


async def test_a_statement_is_for_its_two_brands_and_keys_of_the_scope(stage: Stage) -> None:
    await agreed(stage)
    id = await drawn(stage)
    stranger = (await stage.sister("stranger")).admin
    nobody = None
    for caller, named in (
        (stranger, id),
        (stranger, stage.unknown_id("ClearingStatement")),
        (stage.admin, "nonsense"),
    ):
        reply = await get(caller, statement=named)
        assert (reply.status_code, reply.json()["code"]) == (404, "NOT_FOUND")
        assert nobody in (None, reply.json())
        nobody = reply.json()
    wrong = await get(await key_of(stage, "READ_COUPONS"), statement=id)
    member = await get(await stage.member("13800138001"), statement=id)
    for reply in (wrong, member):
        assert (reply.status_code, reply.json()["code"]) == (403, "FORBIDDEN")
    reader = await key_of(stage, "READ_STATEMENTS")
    assert len(rows_of(await get(reader, statement=id))) == 3
    headers = {"authorization": f"Bearer {reader.token}"}
    books = await stage.api.client.get("/downloads/books.csv", headers=headers)
    assert books.status_code == 403
    for forged in (stage.api.nobody, stage.api.signed_in(f"{reader.token}x")):
        assert (await get(forged, statement=id)).status_code == 401
    for params, field in (({}, "statement"), ({"statement": id, "language": "fr"}, "language")):
        reply = await get(stage.admin, **params)
        assert reply.status_code == 400
        assert reply.json()["message"].startswith(f"{field}:")
