"""``loyalty outbox``: dead letters are seen, and tried again on the record."""

from sqlalchemy import update
from sqlmodel import col, select

from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.outbox import OutboxEvent
from server.console import Exit
from tests.server.commands import Commands
from tests.workers.facts import add_event, states


async def add_dead(tx: Tx, brand: Brand, count: int) -> list[str]:
    ids = [await add_event(tx, brand, "moon.landed") for _ in range(count)]
    dead = {"dead_at": tx.now, "attempts": 12, "failures": 9, "last_error": "no [moon]: 月"}
    await tx.session.exec(update(OutboxEvent).where(col(OutboxEvent.id).in_(ids)).values(dead))
    return [str(event_id) for event_id in ids]


async def acts(db: Database) -> list[tuple[str, str, dict[str, object]]]:
    async with db.snapshot() as snapshot:
        entries = await snapshot.session.exec(select(AuditLogEntry))
        return [(entry.actor_kind, entry.action, entry.details) for entry in entries]


async def test_what_is_not_delivered_is_listed(
    db: Database, brand: Brand, command: Commands
) -> None:
    assert "Nothing" in (await command("outbox", "list")).out
    dead = await db.in_transaction(add_dead, brand, 1)
    pending = [str(await db.in_transaction(add_event, brand, "sun.risen"))]

    async def listed(*options: str) -> list[str]:
        done = await command("outbox", "list", *options, "--json")
        return [event["id"] for event in done.json["events"]]

    assert await listed() == [*dead, *pending]
    assert await listed("--dead") == dead
    assert await listed("--pending") == pending
    assert await listed("--topic", "moon.landed", "--brand", brand.slug) == dead
    assert await listed("--topic", "moon.landed", "--pending") == []
    (event,) = (await command("outbox", "list", "--dead", "--json")).json["events"]
    assert (event["brand"], event["state"]) == (brand.slug, "dead")
    assert (event["attempts"], event["failures"]) == (12, 9)
    assert event["last_error"] == "no [moon]: 月"
    assert dead[0] in (await command("outbox", "list")).out
    assert (await command("outbox", "list", "--dead", "--pending")).code == Exit.USAGE
    assert (await command("outbox", "list", "--brand", "nobody")).code == Exit.REFUSED


async def test_named_dead_letters_are_tried_again_all_or_none(
    db: Database, brand: Brand, command: Commands
) -> None:
    ids = await db.in_transaction(add_dead, brand, 3)
    alive = await db.in_transaction(add_event, brand, "sun.risen")
    for wrong in (alive, new_id()):
        refused = await command("outbox", "retry", ids[0], wrong)
        assert (refused.code, str(wrong) in refused.err) == (Exit.REFUSED, True)
    for unclear in ([], ["--all-dead", ids[0]]):
        assert (await command("outbox", "retry", *unclear)).code == Exit.USAGE
    assert await states(db) == {"dead": 3, "waiting": 1}
    assert await acts(db) == []
    done = await command("outbox", "retry", ids[0], ids[1], "--json")
    assert (done.code, done.json) == (Exit.OK, {"retried": 2})
    assert await states(db) == {"dead": 1, "waiting": 3}
    assert await acts(db) == [("SYSTEM", "outbox.retry", {"topics": {"moon.landed": 2}})]


async def test_all_dead_letters_are_tried_again_brand_by_brand(
    db: Database, brand: Brand, command: Commands
) -> None:
    other = Brand(slug="other", name="Other", created_at=brand.created_at)
    await db.in_transaction(Tx.add, other)
    for each, count in ((brand, 2), (other, 1)):
        await db.in_transaction(add_dead, each, count)
    assert (await command("outbox", "retry", "--all-dead", "--brand", "other", "--json")).json == {
        "retried": 1
    }
    assert (await command("outbox", "retry", "--all-dead", "--json")).json == {"retried": 2}
    assert (await command("outbox", "retry", "--all-dead", "--json")).json == {"retried": 0}
    assert [details for _, _, details in await acts(db)] == [
        {"topics": {"moon.landed": 1}},
        {"topics": {"moon.landed": 2}},
    ]
