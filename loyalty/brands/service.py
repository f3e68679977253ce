"""The verbs of brands."""

from collections.abc import Sequence
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, system_actor
from loyalty.brands.models import Brand
from loyalty.brands.queries import (
    find_brand_by_slug,
    get_brand,
    get_brand_by_slug,
    list_brands,
    move_revision,
)
from loyalty.brands.queries import set_member_days as write_member_days
from loyalty.brands.rules import (
    HOLD_SECONDS,
    PRIZE_CEILING_FEN,
    REVERSAL_WINDOW_SECONDS,
    MemberDay,
    check_currency,
    check_hold,
    check_member_days,
    check_prize_ceiling,
    check_reversal_window,
    check_slug,
    check_timezone,
    member_days_to_json,
)
from loyalty.db import Tx
from loyalty.errors import AlreadyExists, NotFound
from loyalty.text import checked_text

NAME_LENGTH_MAX = 100

# Other nouns may call this service and never the queries: these are the reads they need.
__all__ = [
    "create_brand",
    "find_brand_by_slug",
    "get_brand",
    "get_brand_by_slug",
    "list_brands",
    "set_member_days",
    "touch_configuration",
]


async def create_brand(
    tx: Tx,
    *,
    slug: str,
    name: str,
    timezone: str = "Asia/Shanghai",
    currency: str = "CNY",
    hold_seconds: int = HOLD_SECONDS,
    reversal_window_seconds: int = REVERSAL_WINDOW_SECONDS,
    prize_ceiling_fen: int = PRIZE_CEILING_FEN,
) -> Brand:
    """A new tenant; AlreadyExists when the slug is taken. Only the command line makes brands."""
    brand = Brand(
        slug=check_slug(slug),
        name=checked_text(name, "name", length_max=NAME_LENGTH_MAX),
        timezone=check_timezone(timezone),
        currency=check_currency(currency),
        hold_seconds=check_hold(hold_seconds),
        reversal_window_seconds=check_reversal_window(reversal_window_seconds),
        prize_ceiling_fen=check_prize_ceiling(prize_ceiling_fen),
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(brand):
        raise AlreadyExists(noun="brand", field="slug")
    await audit_log.record(tx, system_actor(brand.id), "brand.create", brand.id, slug=brand.slug)
    return brand


async def touch_configuration(tx: Tx, brand_id: UUID) -> None:
    """Move the brand's revision: whatever servers hold of its configuration in memory is old."""
    if not await move_revision(tx, brand_id):
        raise NotFound(noun="brand")


async def set_member_days(tx: Tx, actor: Actor, days: Sequence[MemberDay]) -> None:
    """Set the whole calendar of the actor's brand; its revision moves, so that servers read it
    anew. Refuses InvalidInput (with the field's path)."""
    check_member_days(days)
    stored = member_days_to_json(days)
    if not await write_member_days(tx, actor.brand_id, stored):
        raise NotFound(noun="brand")
    await audit_log.record(tx, actor, "brand.member_days", actor.brand_id, days=stored)
