"""How often a code was scanned, as conditions ask: told to scans and to dry runs alike."""

import asyncio
from datetime import datetime
from uuid import UUID

from loyalty.clock import utc_now
from loyalty.db import Database
from rewards.campaigns.versions import as_if_published, find_newest_definition
from rewards.grants.service import load_configuration
from rewards.simulations.beginning import Start, with_campaign
from rewards.simulations.folding import Fold
from rewards.simulations.past import read_past
from rewards.simulations.told import Window
from tests.graphql_schema.stage import Stage, outcome


async def _paid_since(db: Database, brand_id: UUID, begin: datetime) -> int:
    """How many of the scans from this moment on the campaign would have paid."""
    async with db.snapshot() as snapshot:
        definition = await find_newest_definition(snapshot, brand_id, "again")
        assert definition is not None
        draft = await as_if_published(snapshot, brand_id, definition)
        start = Start(await load_configuration(snapshot, brand_id))
        window = Window(brand_id, begin, snapshot.now)
        start, happenings = await read_past(snapshot, start, draft, window)
    fold = Fold(with_campaign(start, draft), {}, 1)
    for happening in happenings:
        fold.fold(happening)
    return fold.tally.paid


async def test_scans_before_the_days_of_a_dry_run_count(stage: Stage, db: Database) -> None:
    begin = utc_now()
    paid = [outcome("CONSUMER", 10, "POINTS")]
    said = {"code": "again", "nameZh": "再扫", "nameEn": "Again", "outcomes": paid}
    again = "item.scans == 1 && item.serial == 1"
    await stage.admin.done("publishCampaign", **said, event="SCAN", condition=again)
    member = await stage.member("13800138001")
    [codes] = await stage.codes(2)

    async def scan(code: str) -> str | None:
        reason: str | None = (await member.done("scanCode", code=code))["unpaidReason"]
        return reason

    assert [await scan(code) for code in codes] == ["NO_CAMPAIGN"] * 2
    await asyncio.sleep(0.01)  # ids tell milliseconds apart
    between = utc_now()
    assert [await scan(code) for code in codes] == ["NO_CAMPAIGN", None]
    for moment in (begin, between):
        assert await _paid_since(db, stage.brand_id, moment) == 1
