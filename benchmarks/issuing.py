"""How fast a partner issues a host's coupons, one by one and by list, and a statement is drawn.

The real verbs in one process on PostgreSQL, as a server's requests and a worker's chunks call them:
no HTTP, no JSON. A statement is measured against one bare UPDATE of the same entries.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from benchmarks.postgres import Postgres
from benchmarks.processes import run_loyalty
from benchmarks.report import Bar, bar
from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.clock import local_date
from loyalty.db import Database, Tx
from rewards.alliances.service import propose, sign
from rewards.alliances.terms import (
    Draft,
    DraftLine,
    Funding,
    FundingKind,
    Quota,
    QuotaWindow,
    Share,
)
from rewards.clearing.statements import draw_statements
from rewards.coupons.models import CouponKind
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import create_template
from rewards.issues.lists import ListWanted, upload, work_off
from rewards.issues.service import Wanted, issue_coupon
from server.founding import BrandWanted, found_brand
from workers.issue_lists import CHUNK_ROWS

DATABASE, COUPONS = "issuing", "coupons/s"
AT_ONCE = 16
MEMBERS = 1_000
LIMIT_FEN = 10**11
QUOTA = 10**8


class NotIssued(Exception):
    """Not what was to be written was: the rate would be of something else."""


@dataclass(frozen=True)
class Issuing:
    """Coupons per second one by one, by list, and entries per second of a statement and of one
    bare UPDATE of them; ``entries`` are in the statement."""

    singles_per_second: float
    listed_per_second: float
    drawn_per_second: float
    bare_per_second: float
    entries: int


@dataclass(frozen=True)
class _Scene:
    db: Database
    host: Brand
    partner: Brand
    agreement_id: UUID
    template_id: UUID


def issue(postgres: Postgres, environment: dict[str, str], coupons: int, entries: int) -> Issuing:
    """Issue so many coupons each way, and draw a statement of at least so many entries."""
    url = postgres.create_database(DATABASE)
    try:
        run_loyalty({**environment, "LOYALTY_DATABASE_URL": url}, "migrate")
        return asyncio.run(_measure(postgres, url, coupons, entries))
    finally:
        postgres.drop_database(DATABASE)


async def _measure(postgres: Postgres, url: str, coupons: int, entries: int) -> Issuing:
    db = Database(url)
    try:
        scene = await db.in_transaction(_found, db)
        await asyncio.to_thread(_enrol, postgres, scene)
        singles = await _timed(_issue_one_by_one, scene, coupons)
        listed = await _timed(_issue_by_list, scene, coupons)
        [issued] = await _counted(postgres, "SELECT count(*) FROM partner_issues")
        if issued != 2 * coupons:
            raise NotIssued(f"{issued} coupons, not {2 * coupons}")
        await asyncio.to_thread(_owe, postgres, entries)
        bare = await _timed(_update_barely, postgres)
        drawn = await _timed(_draw, scene)
        told = "SELECT count(*), min(entry_count) FROM clearing_statements"
        count = 2 * coupons + entries
        if (statements := await _counted(postgres, told)) != [2, count]:
            raise NotIssued(f"{statements} statements of entries, not two of {count}")
        return Issuing(coupons / singles, coupons / listed, count / drawn, count / bare, count)
    finally:
        await db.close()


async def _counted(postgres: Postgres, sql: str) -> list[int]:
    rows = await asyncio.to_thread(postgres.execute, sql, database=DATABASE)
    return list(rows[0])


async def _timed(work: Callable[..., Awaitable[None]], *arguments: object) -> float:
    started = time.perf_counter()
    await work(*arguments)
    return time.perf_counter() - started


async def _found(tx: Tx, db: Database) -> _Scene:
    """Two brands that have agreed: the partner issues, within limits that nothing here reaches."""
    host = await found_brand(tx, BrandWanted(slug="host", name="Bench"))
    partner = await found_brand(tx, BrandWanted(slug="partner", name="Bench"))
    definition = TemplateDefinition(
        code="bench",
        name_zh="券",
        name_en="Coupon",
        kind=CouponKind.AMOUNT_OFF,
        amount_off_fen=500,
        usable_days=30,
        cost_fen=500,
    )
    template = await create_template(tx, system_actor(host.id), definition)
    line = DraftLine(
        template_id=template.id,
        issuer_id=partner.id,
        redeemer_ids=(host.id, partner.id),
        issuer_share=Share(basis_points=6_000),
        issue_fee_fen=5,
        redeem_fee_fen=7,
        quotas=(Quota(QuotaWindow.DAY, QUOTA), Quota(QuotaWindow.ALL, QUOTA)),
    )
    draft = Draft(
        first_on=local_date(tx.now, host.timezone) - timedelta(days=1),
        funding=(Funding(partner.id, FundingKind.POSTPAID, LIMIT_FEN, 0),),
        lines=(line,),
    )
    version = await propose(tx, system_actor(host.id), partner.slug, draft)
    for side in (host, partner):
        await sign(tx, system_actor(side.id), version.agreement_id, version.digest)
    return _Scene(db, host, partner, version.agreement_id, template.id)


def _token(number: int) -> str:
    """Of a member of that number: as good as one that is made of a phone."""
    return base64.urlsafe_b64encode(sha256(str(number).encode()).digest()).decode().rstrip("=")


def _enrol(postgres: Postgres, scene: _Scene) -> None:
    """So many members of the host, whose tokens are there."""
    tokens = ", ".join(f"('{_token(number)}')" for number in range(MEMBERS))
    host, agreement = scene.host.id, scene.agreement_id
    postgres.execute(
        "CREATE TEMPORARY TABLE people AS SELECT uuidv7() AS identity_id, uuidv7() AS member_id,"
        f" token FROM (VALUES {tokens}) AS t(token)",
        "INSERT INTO identities (brand_id, id, external_ref, created_at)"
        f" SELECT '{host}', identity_id, token, now() FROM people",
        "INSERT INTO members (brand_id, id, identity_id, role, status, enrolled_at)"
        f" SELECT '{host}', member_id, identity_id, 'CONSUMER', 'ACTIVE', now() FROM people",
        "INSERT INTO match_tokens (brand_id, agreement_id, token, identity_id)"
        f" SELECT '{host}', '{agreement}', token, identity_id FROM people",
        "ANALYZE",
        database=DATABASE,
    )


async def _issue_one_by_one(scene: _Scene, coupons: int) -> None:
    """As requests of a partner's systems do, so many at a time."""
    actor, numbers = system_actor(scene.partner.id), iter(range(coupons))

    async def some() -> None:
        for number in numbers:
            wanted = Wanted(_token(number % MEMBERS), f"order {number}")
            await scene.db.in_transaction(
                issue_coupon, actor, scene.agreement_id, scene.template_id, wanted
            )

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def _issue_by_list(scene: _Scene, coupons: int) -> None:
    """From the file to its last row."""
    lines = [f"{_token(number % MEMBERS)},{number}" for number in range(coupons)]
    body = "\n".join(["token,reference", *lines]).encode()
    wanted = ListWanted(scene.agreement_id, scene.template_id, "bench", "bench")
    await upload(scene.db, system_actor(scene.partner.id), wanted, body)
    while await scene.db.in_transaction(work_off, CHUNK_ROWS, set()) is not None:
        pass


def _owe(postgres: Postgres, entries: int) -> None:
    """So many entries more, of both sides, and a period that is over."""
    names = "brand_id, id, partner_id, kind, owed_fen, occurred_at, created_at"
    sides = "(SELECT brand_id, partner_id, sign(owed_fen) AS way FROM clearing_positions) AS p"
    postgres.execute(
        f"CREATE TEMPORARY TABLE owed AS SELECT uuidv7() AS id FROM generate_series(1, {entries})",
        f"INSERT INTO clearing_entries ({names})"
        f" SELECT brand_id, id, partner_id, 'FEE', 5 * way, now(), now() FROM owed, {sides}",
        f"UPDATE clearing_positions SET owed_fen = owed_fen + 5 * {entries} * sign(owed_fen),"
        " statement_due_at = now()",
        "VACUUM ANALYZE",
        database=DATABASE,
    )


async def _update_barely(postgres: Postgres) -> None:
    """The least that drawing can be: both copies of each entry marked, and undone again."""
    connection = await postgres.connect(DATABASE)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE clearing_entries SET statement_id = uuidv7()")
        await transaction.rollback()
    finally:
        await connection.close()


async def _draw(scene: _Scene) -> None:
    if await scene.db.in_transaction(draw_statements, 10) != 1:
        raise NotIssued("no statement was due")


def bars_of(done: Issuing, tpcb: float) -> list[Bar]:
    """What a run came to, against transactions per second of TPC-B; no bar was set for it."""
    drawn = f"statement of {done.entries:,} entries / one bare UPDATE of them"
    return [
        bar("issuing one coupon, PostgreSQL / TPC-B", done.singles_per_second, tpcb, COUPONS),
        bar("issuing by list, PostgreSQL / TPC-B", done.listed_per_second, tpcb, COUPONS),
        bar(drawn, done.drawn_per_second, done.bare_per_second, "entries/s"),
    ]
