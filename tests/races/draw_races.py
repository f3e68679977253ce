"""Races of draws; as ``scan_races.py``."""

from collections import Counter

from loyalty.db import Tx
from loyalty.ledger.audit_draw_receipts import verify_draws
from rewards.campaigns.models import CapCounter
from rewards.draws.models import Draw, DrawSeed
from rewards.draws.queries import REVEAL_SEEDS
from rewards.draws.terms import DrawTerms, Entry, Prize
from rewards.draws.terms import Stage as DrawStage
from tests.races.arena import Arena, Broken
from tests.races.scan_races import release
from tests.races.stage import Stage

PIECES = 7


def draw_terms(stock: int | None, quota_per_day: int | None) -> DrawTerms:
    """Everybody wins a car, of which there are few."""
    car = Prize("CAR", "汽车", "Car", stock=stock, quota_per_day=quota_per_day)
    always = DrawStage(10**6, 10**6, (Entry("CAR", 1),))
    return DrawTerms((car, Prize("THANKS", "谢谢", "Thanks")), (always,), "THANKS")


async def the_last_piece_of_a_prize_is_given_once(arena: Arena, size: int) -> Broken:
    """Everybody draws a prize at its stock's end: as many get it as there are, by ordinals of
    their own; the others get the consolation, and are told why."""
    return await _race(arena, "draw-stock", draw_terms(PIECES, None), size)


async def a_days_quota_of_a_prize_is_kept(arena: Arena, size: int) -> Broken:
    """The same of a prize of which there are enough, but not for one day."""
    return await _race(arena, "draw-quota", draw_terms(size, PIECES), size)


async def _race(arena: Arena, name: str, terms: DrawTerms, size: int) -> Broken:
    broken = Broken()
    stage = await arena.stage(name).build(draw=terms)
    consumers = await stage.consumers(size)
    await stage.warm(arena.ports)
    requests = [stage.scan(c, stage.inner[n], f"k{n}") for n, c in enumerate(consumers)]
    await release(arena, requests, broken)
    draws = await stage.rows(Draw)
    given = Counter(draw.given_prize for draw in draws)
    broken.unless(
        given == Counter({"CAR": PIECES, "THANKS": size - PIECES}),
        f"{PIECES} cars are given, not {dict(given)}",
    )
    for column in ("ordinal", "day_ordinal"):
        ordinals = sorted(getattr(draw, column) for draw in draws if draw.given_prize == "CAR")
        broken.unless(
            ordinals == list(range(1, PIECES + 1)), f"each piece once, not {column} {ordinals}"
        )
    told = Counter(each["limit"] for draw in draws for each in draw.exhausted)
    broken.unless(sum(told.values()) == size - PIECES, f"all others are told why, not {told}")
    used = {(c.subject, c.window_key == "ALL"): c.used for c in await stage.rows(CapCounter)}
    cars = (used.get(("CAR", True)), used.get(("CAR", False)))
    broken.unless(cars == (PIECES, PIECES), f"the counters say {cars}")
    await stage.db.in_transaction(_reveal, stage)
    report = await verify_draws(stage.db, stage.slug)
    broken.unless(report.receipts == size and not report.broken, f"verified: {report.examples}")
    return broken


async def _reveal(tx: Tx, stage: Stage) -> None:
    """What the worker does when the day is over."""
    for row in await stage.rows(DrawSeed):
        seed = stage.keyring.open_seed(row.brand_id, row.sealed).hex()
        key = (row.brand_id, row.campaign_id, row.drawn_on, seed)
        await tx.fetch(REVEAL_SEEDS, revealed=[key], now=tx.now)
