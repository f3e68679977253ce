"""Writing what a batch of purchases came to, by set."""

from datetime import datetime

from loyalty.db import RetryTransaction, Tx
from rewards.draws.folding import draw_rows
from rewards.draws.service import write_draws
from rewards.grants import service as grants
from rewards.purchases import queries
from rewards.purchases.rules import NewPurchase, PurchaseWorld


async def write(tx: Tx, world: PurchaseWorld) -> None:
    """Members first, then the events, then the brand's hottest rows: the global order of locks."""
    await grants.write_members_side(tx, world.grants)
    new = sorted(world.new, key=lambda each: each.fact.purchase_ref)
    rows = [_event_row(world, each, tx.now) for each in new]
    if len(await tx.fetch(queries.INSERT_PURCHASES, rows=rows)) != len(rows):
        raise RetryTransaction  # another process recorded one of them first
    lines = [row for each in new for row in _line_rows(world, each)]
    if lines:
        await tx.fetch(queries.INSERT_LINES, rows=lines)
    shares = [row for each in new for row in _share_rows(world, each)]
    if shares:
        await tx.fetch(queries.INSERT_SHARES, rows=shares)
    await grants.write_brands_side(tx, world.grants)
    await write_draws(tx, draw_rows(world.draws, world.grants.counted))


def _event_row(world: PurchaseWorld, new: NewPurchase, now: datetime) -> tuple[object, ...]:
    return (
        world.brand.id,
        new.recorded.id,
        new.fact.purchase_ref,
        new.recorded.content_hash,
        new.recorded.member_id,
        new.fact.purchased_on,
        new.fact.quantity,
        new.fact.amount_fen,
        new.recorded.points_granted,
        new.fact.source.value,
        new.campaign_version_id,
        new.fact.place.id if new.fact.place else None,
        new.occurred_at,
        now,
    )


def _line_rows(world: PurchaseWorld, new: NewPurchase) -> list[tuple[object, ...]]:
    return [
        (
            world.brand.id,
            new.recorded.id,
            line.line_no,
            line.sku,
            line.product_id,
            line.quantity,
            line.amount_fen,
        )
        for line in new.fact.lines
    ]


def _share_rows(world: PurchaseWorld, new: NewPurchase) -> list[tuple[object, ...]]:
    return [
        (
            world.brand.id,
            new.recorded.id,
            part.role,
            part.member.id if part.member else None,
            part.unpaid.value if part.unpaid else None,
        )
        for part in new.channel
    ]
