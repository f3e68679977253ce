"""``loyalty tiers``: what is due is looked at, also twice on one day, and the count is said."""

from datetime import timedelta

from loyalty.clock import local_date, utc_now
from loyalty.db import Database
from server.console import Exit
from tests.server.commands import Commands
from tests.tiers.standings.members import add_members, bought, brand_with, fold, rows
from tests.tiers.standings.timelines import MONTH, PERIOD_END, levels
from tiers.ladders.models import TierMetric
from tiers.ladders.rules import LadderPolicy
from tiers.standings.models import Standing

MONTHLY = LadderPolicy(TierMetric.SPEND, None, MONTH, ends=PERIOD_END)


async def test_standings_whose_day_has_come_are_looked_at(db: Database, command: Commands) -> None:
    brand, rules = await brand_with(db, levels(0, 100), MONTHLY)
    now = utc_now()
    ids = await db.in_transaction(add_members, brand.id, [now] * 3)
    first = local_date(now, brand.timezone).replace(day=1)
    long_ago = now - timedelta(days=70)
    held = [(ids[0], bought(now, 100)), (ids[1], bought(long_ago, 100))]
    await db.in_transaction(fold, brand.id, rules, held)
    done = await command("tiers", "re-evaluate", "--brand", brand.slug, "--json")
    day = local_date(now, brand.timezone)
    said = done.json
    assert said.pop("seconds") > 0
    assert said == {
        "runs": [{"name": f"DUE {day}", "done": 1, "moved": 1}],
        "done": 1,
        "moved": 1,
    }
    standings = {row.member_id: row for row in await rows(db, Standing)}
    assert (standings[ids[0]].rank, standings[ids[1]].rank) == (1, 0)
    assert local_date(standings[ids[1]].since, brand.timezone) <= first

    again = await command("tiers", "re-evaluate", "--brand", brand.slug)
    assert "Standings looked at: 0;" in again.out
    await db.in_transaction(fold, brand.id, rules, [(ids[2], bought(long_ago, 100))])
    later = await command("tiers", "re-evaluate", "--brand", brand.slug)
    assert "Standings looked at: 1; moved to another level: 1." in later.out


async def test_another_brand_is_refused(db: Database, command: Commands) -> None:
    done = await command("tiers", "re-evaluate", "--brand", "nobody")
    assert done.code == Exit.REFUSED
