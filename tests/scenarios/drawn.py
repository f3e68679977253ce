"""A brand whose scans draw, on a clock that is set; and what its members export of it."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from loyalty.db import Database
from loyalty.ledger.audit import audit
from loyalty.ledger.audit_draw_receipts import DrawReport, verify_draws
from loyalty.settings import Settings
from tests.api import Caller, api_in_process
from tests.clocks import SettableClock
from tests.databases import MASTER_KEY, TOKEN_SECRET
from tests.graphql_schema.stage import Stage, open_stage
from workers.periodic import PeriodicRunner
from workers.wiring import make_jobs

DRAWS_PAGE = Path(__file__).parents[2] / "docs" / "draws.md"
RECEIPTS = """
{ me { draws(first: 50) { nodes {
  id campaignCode version on message seedHash stage basePpm levelOddsPercent oddsPpm u
  memberDrawNo isGuaranteed won pointedPrize prize { code name } consolation ordinal dayOrdinal
  stock quotaPerDay asset amount
  weights { prize weight } bonuses { condition ppm held } facts { name value counter }
  exhausted { prize limit subject left allowed } occurredAt } } } }
"""
SEEDS = """
query ($code: String!, $from: Date!, $to: Date!) {
  drawSeeds(campaignCode: $code, from: $from, to: $to) { on seedHash seed madeAt revealedAt } }
"""
RULES = """
query ($brand: String!, $code: String!, $version: Int!) {
  promotions(brand: $brand, campaign: $code, version: $version) {
    code version publishedAt startsAt endsAt draw {
      prizes { code asset amount stock quotaPerDay } consolation guarantee { prize drawNo }
      stages { startsAt oddsFromPpm oddsToPpm curve takesBonuses
        entries { prize weight amountFrom amountTo } }
      bonuses { condition ppm } } } }
"""
SCAN = """
mutation ($input: ScanCodeInput!) { scanCode(input: $input) { __typename
  ... on ScanCodeReceipt { replayed scanId unpaidReason rewards { asset amount }
    coupons { templateCode } draw { id won on seedHash prize { code name } } }
  ... on Refused { code message details } } }
"""


@dataclass
class Fair:
    """``people`` scan; ``codes`` are still to be scanned."""

    stage: Stage
    db: Database
    clock: SettableClock
    folder: Path
    people: list[Caller] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    async def open(self, people: int, codes: int) -> None:
        """So many members, and so many codes of one batch."""
        self.people = [await self.stage.member(f"1380013{n:04}") for n in range(people)]
        [self.codes] = await self.stage.codes(codes)

    def set_clock(self, at: str) -> None:
        self.clock.set(datetime.fromisoformat(at))

    async def scan(self, person: Caller, **more: Any) -> Any:
        """The receipt of a scan of the next code."""
        code = more.pop("code", None) or self.codes.pop()
        input = {"code": code, "idempotencyKey": f"key {len(self.codes)}"} | more
        receipt = (await person.ask(SCAN, input=input))["scanCode"]
        assert receipt["__typename"] == "ScanCodeReceipt", receipt
        return receipt

    async def scans(self, count: int) -> list[Any]:
        """So many scans, each by the next of the people."""
        found = []
        for n in range(count):
            person = self.people[n % len(self.people)]
            found.append(await self.scan(person, nonce=f"nonce {n} | of my own"))
        return found

    async def work(self) -> None:
        """What the worker does when it is its turn."""
        await PeriodicRunner(self.db, make_jobs(self.stage.keyring)).run_due()

    async def receipts(self) -> list[Any]:
        """Of all the people, each its own."""
        return [receipt for person in self.people for receipt in await self.receipts_of(person)]

    async def receipts_of(self, person: Caller) -> list[Any]:
        """Newest first."""
        return list((await person.ask(RECEIPTS))["me"]["draws"]["nodes"])

    async def seeds(self, code: str, first: str, last: str) -> list[Any]:
        asked = {"code": code, "from": first, "to": last}
        seeds = (await self.people[0].ask(SEEDS, **asked))["drawSeeds"]
        assert (await self.stage.admin.ask(SEEDS, **asked))["drawSeeds"] == seeds
        return list(seeds)

    async def rules(self, receipts: Iterable[Any], asker: Caller | None = None) -> list[Any]:
        """What was published for the draws of these receipts, as anybody reads it."""
        brand, found, asker = self.stage.slug, [], asker or self.stage.api.nobody
        for code, version in sorted({(each["campaignCode"], each["version"]) for each in receipts}):
            asked = {"brand": brand, "code": code, "version": version}
            found += (await asker.ask(RULES, **asked))["promotions"]
        return found

    def check_as_a_member(
        self, receipts: Sequence[Any], rules: list[Any], seeds: dict[str, list[Any]]
    ) -> subprocess.CompletedProcess[str]:
        """Runs the lines of docs/draws.md over exported receipts."""
        [lines] = re.findall(r"```python\n(.*?)```", DRAWS_PAGE.read_text("utf-8"), re.DOTALL)
        file = {"draws": receipts, "rules": rules, "seeds": seeds}
        exported = self.folder / "draws.json"
        exported.write_text(json.dumps(file), "utf-8")
        return subprocess.run(
            [sys.executable, "-c", lines, exported],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    async def verified(self, **wanted: Any) -> DrawReport:
        return await verify_draws(self.db, self.stage.slug, **wanted)

    async def offences(self) -> list[str]:
        """What the auditor finds broken."""
        checks = await audit(self.db, self.stage.slug)
        return [f"{check.name}: {check.examples}" for check in checks if check.broken]


@asynccontextmanager
async def fair_on(db: Database, clock: SettableClock, folder: Path) -> AsyncIterator[Fair]:
    """A new brand in Shanghai, on a database that goes by the clock; nothing runs by itself."""
    settings = Settings(
        database_url=db.url,
        redis_url="redis://127.0.0.1:1",  # jobs are left to workers that nobody has started
        token_secret=SecretStr(TOKEN_SECRET),
        master_key=SecretStr(MASTER_KEY),
        throttle=False,
    )
    async with api_in_process(settings, db) as api:
        stage = await open_stage(api, db, settings, "fair")
        yield Fair(stage, db, clock, folder)
