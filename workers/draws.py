"""Seeds of draws as periodic work: made and sealed for the days ahead, revealed when their day is
over."""

from dataclasses import dataclass

import structlog

from loyalty.brands.service import list_brands
from loyalty.crypto import Keyring
from loyalty.db import Tx
from rewards.campaigns.service import live_campaigns
from rewards.draws import service as draws

log = structlog.get_logger("draws")


@dataclass(frozen=True)
class SeedMaker:
    """Makes the seeds of each running campaign's next days."""

    keyring: Keyring

    async def __call__(self, tx: Tx, limit: int) -> int:
        """Make up to ``limit`` seeds of any brand; how many."""
        days = []
        for brand in await list_brands(tx):
            for campaign in (await live_campaigns(tx, brand.id)).all():
                if campaign.draw is not None:
                    window = (campaign.starts_at, campaign.ends_at)
                    days += draws.days_of(
                        brand.id, campaign.id, brand.timezone, window, tx.now, draws.DAYS_AHEAD
                    )
        made = await draws.make_seeds(tx, self.keyring, days, limit)
        if made:
            log.info("draw_seeds_made", seeds=made)
        return made


@dataclass(frozen=True)
class SeedRevealer:
    """Reveals the seeds of days that are over."""

    keyring: Keyring

    async def __call__(self, tx: Tx, limit: int) -> int:
        """Reveal up to ``limit`` seeds; how many."""
        revealed = 0
        for brand in await list_brands(tx):
            if revealed < limit:
                revealed += await draws.reveal_seeds(
                    tx, self.keyring, brand.id, brand.timezone, limit - revealed
                )
        if revealed:
            log.info("draw_seeds_revealed", seeds=revealed)
        return revealed
