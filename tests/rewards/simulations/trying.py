"""Dry runs over the past, beside what is on record."""

from collections import Counter
from typing import Any
from uuid import UUID

from loyalty.db import Database
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import CampaignDefinition
from rewards.campaigns.versions import find_newest_definition
from rewards.simulations.rules import Past
from rewards.simulations.service import prepare, total_costs
from tests.rewards.events.cafe import events

Outcome = tuple[dict[str, int], dict[str, int]]
"""What was given by asset, and how often why nothing was."""


async def tried(
    db: Database, brand_id: UUID, definition: CampaignDefinition | str, days: int
) -> Outcome:
    """What a dry run over so many days says; of a definition, or of the campaign with this code."""
    async with db.snapshot() as snapshot:
        if isinstance(definition, str):
            found = await find_newest_definition(snapshot, brand_id, definition)
            assert found is not None
            definition = found
        run = await prepare(snapshot, brand_id, definition, Past(days), 1)
    run.advance(run.total)
    report: dict[str, Any] = run.result()["draft"]
    given: Counter[str] = Counter()
    for (code, asset), amount in total_costs(report).items():
        assert code == definition.code
        given[asset] += amount
    assert report["events"] == report["paid"] + sum(report["unpaid"].values())
    return dict(given), report["unpaid"]


async def recorded(db: Database, kind: EventKind, after: UUID | None = None) -> Outcome:
    """What is on record of events of a kind, of those that were recorded after this one."""
    given: Counter[str] = Counter()
    unpaid: Counter[str] = Counter()
    for event in await events(db, kind):
        if after is not None and event.id <= after:
            continue
        if event.unpaid_reason is not None:
            unpaid[event.unpaid_reason] += 1
        for reward in event.earned:
            given[reward["asset"]] += reward["amount"]
    return dict(given), dict(unpaid)
