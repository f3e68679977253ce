"""Entries as their members read them: what each is called, and the way to what caused it."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, cast

import pytest
import pytest_asyncio

from graphql_schema.context import Context, Services
from graphql_schema.entries import NODE_BY_CAUSE, cause_id_of, name_of_cause, title_of
from graphql_schema.pagination import encode_id, find_id_of
from loyalty.actor import Actor, ActorKind, OperatorRole
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.ledger.audit_history import _CAUSES
from loyalty.ledger.models import TransferKind, TransferPhase
from loyalty.ledger.queries import EntryRow, read_entries
from loyalty.members.queries import get_member
from loyalty.settings import Settings
from tests.api import Api, Caller
from tests.graphql_schema.lived import BOB, Lived, live
from tests.graphql_schema.stage import open_stage
from tests.graphql_schema.test_tiers import CountingDatabase

ENTRIES = """
query ($id: ID!) { node(id: $id) { ... on Member {
  entries(first: 100) { nodes { id amount causeKind causeId title reason } } } } }
"""
SEEN = "query ($id: ID!) { node(id: $id) { __typename id } }"


def entry(kind: str, cause_kind: str, phase: str = "POSTED", **more: Any) -> EntryRow:
    now = datetime(2026, 11, 9, tzinfo=UTC)
    values: dict[str, Any] = {"amount": 5, "reason": "internal", "account": "MAIN"} | more
    return EntryRow(
        new_id(),
        "POINTS",
        values["amount"],
        phase,
        kind,
        cause_kind,
        values["reason"],
        None,
        now,
        values["account"],
        now,
        new_id(),
    )


# --- titles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "zh", "en"),
    [
        (entry("EARN", "SCAN"), "扫码奖励", "Scan reward"),
        (entry("EARN", "SCAN", "PENDING"), "扫码奖励（待解锁）", "Scan reward, locked"),
        (entry("EARN", "SCAN", "POST"), "奖励解锁", "Reward unlocked"),
        (entry("EARN", "LOCK", "VOID"), "待解锁奖励失效", "Locked reward ended"),
        (entry("EARN", "GIFT", reason="LEVEL_GIFT"), "升级礼", "Level gift"),
        (entry("EARN", "GIFT", reason="BIRTHDAY_GIFT"), "生日礼", "Birthday gift"),
        (entry("EARN", "GIFT", reason="of a later kind"), "奖励发放", "Reward"),
        (entry("MOVE", "OPERATOR", amount=-5), "余额转出", "Transfer out"),
        (entry("MOVE", "OPERATOR"), "余额转入", "Transfer in"),
        (entry("MOVE", "MERGE", amount=-5), "会员合并", "Memberships merged"),
        (entry("SPEND", "HOLD", "PENDING"), "余额预占", "Held"),
        (entry("SPEND", "HOLD", "VOID"), "预占释放", "Hold released"),
        (entry("EXPIRE", "EXPIRY", amount=-5), "到期失效", "Expired"),
    ],
)
def test_an_entry_is_called_by_what_it_is(of: EntryRow, zh: str, en: str) -> None:
    assert title_of(of) == (zh, en)
    assert title_of(of, ("茶杯", "Cup")) == (f"{zh}：茶杯", f"{en}: Cup")


def test_every_entry_there_can_be_has_a_title_in_both_languages() -> None:
    for kind, phase, cause in product(TransferKind, TransferPhase, [*_CAUSES, "OPERATOR"]):
        zh, en = title_of(entry(kind.value, cause, phase.value))
        assert zh and en.isascii() and not zh.isascii()
        assert "{" not in zh + en and "internal" not in zh + en


# --- causes ------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lived(api: Api, db: Database, settings: Settings) -> Lived:
    return await live(await open_stage(api, db, settings, "ours"))


async def entries_of(caller: Caller, member_id: str) -> dict[str, Any]:
    """By their ids."""
    found = (await caller.ask(ENTRIES, id=member_id))["node"]
    return {node["id"]: node for node in found["entries"]["nodes"]}


async def rows_of(lived: Lived) -> list[EntryRow]:
    """Alice's, as they are stored."""
    id, stage = find_id_of("Member", lived.ids["Member"]), lived.stage
    assert id is not None
    return await read_entries(stage.database, stage.brand_id, id, before=None, limit=100)


@pytest.mark.parametrize("role", ["member", *OperatorRole])
async def test_a_cause_is_named_to_whoever_may_see_it_by_node(lived: Lived, role: str) -> None:
    is_member = role == "member"
    caller = lived.alice if is_member else lived.stage.operator(OperatorRole(role))
    shown = await entries_of(caller, lived.ids["Member"])
    rows = await rows_of(lived)
    assert shown.keys() == {encode_id("Entry", row.id) for row in rows}
    named = set()
    for row in rows:
        type_name, _ = NODE_BY_CAUSE.get(row.cause_kind, (None, None))
        of_cause = None if type_name is None else encode_id(type_name, row.cause_id)
        seen = None if of_cause is None else (await caller.ask(SEEN, id=of_cause))["node"]
        cause_id = shown[encode_id("Entry", row.id)]["causeId"]
        assert cause_id == (None if seen is None else of_cause), row.cause_kind
        named |= {seen["__typename"]} if seen else set()
    of_all = {"OfferOrder", "Coupon", "Purchase"}
    assert named == (of_all if is_member else of_all | {"ScanEvent", "Hold"})


async def test_what_others_do_is_not_named(lived: Lived) -> None:
    bob = await lived.stage.member(BOB)
    await bob.done("scanCode", code=lived.fresh_code)
    actor = Actor(ActorKind.MEMBER, lived.stage.brand_id, new_id(), "CONSUMER")
    for row in await rows_of(lived):
        assert await cause_id_of(context_of(lived.stage.database, actor), row) is None


async def test_a_member_reads_titles_with_the_names_of_the_mall(lived: Lived) -> None:
    id = lived.ids["Member"]
    english = {e["causeKind"]: e["title"] for e in (await entries_of(lived.alice, id)).values()}
    chinese_alice = replace(lived.alice, language="zh-CN")
    chinese = {e["causeKind"]: e["title"] for e in (await entries_of(chinese_alice, id)).values()}
    assert (english["ORDER"], chinese["ORDER"]) == ("Redeemed: A cup", "商城兑换：茶杯")
    assert (english["OFFER"], chinese["OFFER"]) == ("Coupon bought: Five off", "兑换优惠券：五元券")
    assert (english["PURCHASE"], chinese["PURCHASE"]) == ("Purchase reward", "消费奖励")
    reasons = {e["reason"] for e in (await entries_of(lived.alice, id)).values()}
    assert {"scan", "a basket"} <= reasons, "what was written stays as it is"


def context_of(database: Database, actor: Actor) -> Context:
    services = Services(database, *(cast(Any, None) for _ in range(8)))
    return Context(services, actor)


async def test_more_entries_are_named_by_as_many_statements(
    lived: Lived, database_url: str
) -> None:
    id, brand_id = find_id_of("Member", lived.ids["Member"]), lived.stage.brand_id
    assert id is not None
    async with lived.stage.database.snapshot() as snapshot:
        identity_id = (await get_member(snapshot, brand_id, id)).identity_id
    actor = Actor(ActorKind.MEMBER, brand_id, identity_id, "CONSUMER")
    rows = await rows_of(lived)
    by_cause = {row.cause_kind: row for row in rows}
    database = CountingDatabase(database_url)
    try:
        few = await asked(database, actor, by_cause.values())
        repeated = [row._replace(id=new_id()) for row in rows for _ in range(3)]
        assert len(repeated) > 2 * len(by_cause)
        assert await asked(database, actor, repeated) == few > 0
    finally:
        await database.close()


async def asked(database: CountingDatabase, actor: Actor, rows: Iterable[EntryRow]) -> int:
    """What the causes of entries and their names cost in one request."""
    context, several = context_of(database, actor), list(rows)
    database.asked = 0
    found: list[Any] = await asyncio.gather(
        *(cause_id_of(context, row) for row in several),
        *(name_of_cause(context, row) for row in several),
    )
    assert any(found)
    return database.asked
