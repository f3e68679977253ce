"""A brand that lives through months in seconds: on a clock that is set, its purchases come in by
file and at the till, some are brought back, and periodic work runs. What its members then have is
read by set."""

import csv
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from loyalty.clock import local_date
from loyalty.db import Database, Statement
from loyalty.ledger.audit import audit
from loyalty.settings import Settings
from rewards.purchases.importer import import_purchases
from tests.api import api_in_process
from tests.clocks import SettableClock
from tests.databases import MASTER_KEY, TOKEN_SECRET
from tests.graphql_schema.stage import Stage, open_stage
from tests.model.purchases_by_hand import Act
from workers.periodic import PeriodicRunner

ZONE = ZoneInfo("America/New_York")
COLUMNS = ("purchase_ref", "member_ref", "purchased_on", "quantity", "amount")


def _members(rows: str, key: str) -> str:
    """Of rows those of the brand's members ``m``, known outside by ``i.external_ref``."""
    return f"""
    JOIN members m ON m.brand_id = {rows}.brand_id AND m.id = {rows}.{key}
    JOIN identities i ON i.brand_id = m.brand_id AND i.id = m.identity_id
    WHERE {rows}.brand_id = :brand
    """


_STANDINGS = Statement(
    f"SELECT i.external_ref, s.rank, s.held_until FROM standings s {_members('s', 'member_id')}",
    params="brand uuid",
    returns="ref text, rank bigint, held_until date",
)
_MOVES = Statement(
    f"""
    SELECT i.external_ref, c.occurred_at, c.to_rank
    FROM standing_changes c {_members("c", "member_id")} ORDER BY c.occurred_at, c.id
    """,
    params="brand uuid",
    returns="ref text, occurred_at timestamptz, to_rank bigint",
)
_ACCOUNTS = Statement(
    f"""
    SELECT i.external_ref, a.kind, a.asset, a.credits_posted - a.debits_posted
    FROM accounts a {_members("a", "owner_id")} AND a.credits_posted <> a.debits_posted
    """,
    params="brand uuid",
    returns="ref text, kind text, asset text, balance bigint",
)
_LOTS = Statement(
    f"""
    SELECT i.external_ref, a.asset, l.expires_on, l.remaining
    FROM lots l JOIN accounts a ON a.brand_id = l.brand_id AND a.id = l.account_id
    {_members("a", "owner_id")} AND l.remaining <> 0
    """,
    params="brand uuid",
    returns="ref text, asset text, expires_on date, remaining bigint",
)


@dataclass
class Company:
    """``stage`` is its brand; ``till`` are members whose purchases are recorded one by one."""

    stage: Stage
    db: Database
    clock: SettableClock
    folder: Path
    till: frozenset[str]

    def set_clock(self, day: date, at: time) -> None:
        """To the brand's local time."""
        self.clock.set(datetime.combine(day, at, ZONE).astimezone(UTC))

    async def live(self, until: date, acts: Sequence[Act]) -> None:
        """What happened since the last time, up to the end of a day: what is brought back is
        brought back on that day, after all purchases. Then the worker has its turn."""
        bought = [act for act in acts if not act.is_return]
        self.set_clock(until, time(23, 30))
        await self._import([act for act in bought if act.member not in self.till])
        for act in bought:
            if act.member in self.till:
                await self._record(act)
        for act in acts:
            if act.is_return:
                await self._bring_back(act)
        self.set_clock(until, time(23, 45))
        await PeriodicRunner(self.db).run_due()

    async def _import(self, bought: Iterable[Act]) -> None:
        """As ``loyalty import purchases`` does."""
        path = self.folder / "purchases.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for act in bought:
                amount = f"{act.fen // 100}.{act.fen % 100:02}"
                writer.writerow([act.ref, act.member, act.on, 1, amount])
        summary = await import_purchases(self.db, self.stage.slug, path)
        assert (summary.rejected, summary.already_recorded) == (0, 0)

    async def _record(self, act: Act) -> None:
        await self._send(
            "RecordPurchase",
            externalRef=act.member,
            occurredAt=datetime.combine(act.on, time(18), ZONE).isoformat(),
            quantity=1,
            source="TILL",
            **_purchase_of(act),
        )

    async def _bring_back(self, act: Act) -> None:
        ref = f"{act.ref} on {act.on}"
        await self._send(
            "ReturnPurchase", returnRef=ref, reason="brought back", **_purchase_of(act)
        )

    async def _send(self, name: str, **input: Any) -> None:
        """A mutation, of which nothing is asked but whether it was done: that is the faster half
        of it."""
        field = name[0].lower() + name[1:]
        query = (
            f"mutation ($input: {name}Input!) {{ {field}(input: $input) {{ __typename"
            " ... on Refused { code details } } }"
        )
        told = (await self.stage.admin.ask(query, input=input))[field]
        assert told == {"__typename": f"{name}Receipt"}, (input, told)

    async def states(self) -> dict[str, dict[str, Any]]:
        """As ``tests.model.purchases_by_hand.Member.state``, by reference."""
        await self._know_sizes()
        found: dict[str, dict[str, Any]] = defaultdict(
            lambda: {"rank": 0, "until": None, "moves": [], "balances": {}, "lots": {}, "owed": {}}
        )
        brand = self.stage.brand_id
        for ref, rank, until in await self.db.read(_STANDINGS, brand=brand):
            found[ref] |= {"rank": rank, "until": until}
        for ref, at, rank in await self.db.read(_MOVES, brand=brand):
            found[ref]["moves"].append((local_date(at, ZONE.key), rank))
        for ref, kind, asset, balance in await self.db.read(_ACCOUNTS, brand=brand):
            part = {"MAIN": ("balances", balance), "RECEIVABLE": ("owed", -balance)}[kind]
            found[ref][part[0]][asset] = part[1]
        for ref, asset, last_day, left in await self.db.read(_LOTS, brand=brand):
            found[ref]["lots"][asset, last_day] = left
        return found

    async def _know_sizes(self) -> None:
        """What a PostgreSQL in use does by itself, and the tests' does not (autovacuum): without
        it, it plans the audit of ten thousand lots as if there were none."""
        if self.db.dialect == "postgresql":
            async with self.db.engine.begin() as connection:
                await connection.exec_driver_sql("ANALYZE")

    async def offences(self) -> list[str]:
        """What the auditor finds broken."""
        checks = await audit(self.db, self.stage.slug)
        return [f"{check.name}: {check.examples}" for check in checks if check.broken]


def _purchase_of(act: Act) -> dict[str, Any]:
    return {
        "idempotencyKey": f"{act.ref} {act.on} {act.is_return}",
        "purchaseRef": str(act.ref),
        "amountFen": act.fen,
    }


@asynccontextmanager
async def company_on(
    db: Database, clock: SettableClock, folder: Path, till: Iterable[str], founded_on: date
) -> AsyncIterator[Company]:
    """A new brand on a database that goes by the clock; ``live`` moves it on."""
    settings = Settings(
        database_url=db.url,
        # No job runs by itself: it is left to workers that nobody has started.
        redis_url="redis://127.0.0.1:1",
        token_secret=SecretStr(TOKEN_SECRET),
        master_key=SecretStr(MASTER_KEY),
        throttle=False,
    )
    clock.set(datetime.combine(founded_on, time(9), ZONE).astimezone(UTC))
    async with api_in_process(settings, db) as api:
        stage = await open_stage(api, db, settings, "music", timezone=ZONE.key, currency="USD")
        yield Company(stage, db, clock, folder, frozenset(till))


def differences(
    found: Mapping[str, Mapping[str, Any]],
    wanted: Mapping[str, Mapping[str, Any]],
    acts: Iterable[Act],
) -> list[str]:
    """Member by member, for people: what the engine has otherwise than the model, and what the
    member did. Empty if they agree."""
    told = []
    for ref in sorted({*found, *wanted}):
        one, other = found.get(ref, {}), wanted.get(ref, {})
        parts = [part for part in {**one, **other} if one.get(part) != other.get(part)]
        if parts:
            lines = [f"member {ref}"]
            for part in parts:
                lines.append(f"  {part}: engine {_shown(one.get(part), other.get(part))}")
                lines.append(
                    f"  {' ' * len(part)}  model  {_shown(other.get(part), one.get(part))}"
                )
            lines += [
                f"  {act.on} {'brings back' if act.is_return else 'buys'} {act.ref}: {act.fen}"
                for act in acts
                if act.member == ref
            ]
            told.append("\n".join(lines))
    return told


def _shown(this: Any, that: Any) -> str:
    """Of lots and balances only those that differ."""
    if isinstance(this, dict) and isinstance(that, dict):
        this = {key: this[key] for key in sorted(this) if this[key] != that.get(key)}
        return ", ".join(f"{' '.join(map(str, _keys(k)))}: {n}" for k, n in this.items()) or "none"
    if isinstance(this, list):
        return ", ".join(f"{day} to {rank}" for day, rank in this) or "none"
    return str(this)


def _keys(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)
