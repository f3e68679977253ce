"""Brands with a ladder and members on it, and events folded into their rows, without scans."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import SQLModel, col, select

from loyalty.actor import MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.clock import local_date
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.service import lock_member_accounts
from loyalty.members.models import Identity, Member
from tests.brands_made import make_brand
from tiers.ladders.rules import DEFAULT_POLICY, LadderPolicy, LadderView, Level
from tiers.ladders.service import current_ladders, publish_ladder
from tiers.standings.folding import MemberTier, TierEvent, after_event
from tiers.standings.loading import BrandTiers, load_tiers, write_tiers
from tiers.standings.service import brand_tiers

Row = TypeVar("Row", bound=SQLModel)
ROLE = MemberRole.CONSUMER


async def add_members(tx: Tx, brand_id: UUID, joined: Sequence[datetime]) -> list[UUID]:
    """Consumers who joined at these times, in the order of their ids."""
    ids = sorted(new_id() for _ in joined)
    for id, at in zip(ids, joined, strict=True):
        await tx.add(
            Identity(brand_id=brand_id, id=id, external_ref=id.hex, created_at=at),
            Member(brand_id=brand_id, id=id, identity_id=id, role=ROLE.value, enrolled_at=at),
        )
    return ids


async def publish(
    db: Database,
    brand: Brand,
    levels: Sequence[Level],
    policy: LadderPolicy = DEFAULT_POLICY,
    *,
    allow_lowering: bool = False,
) -> LadderView:
    """The next version of the consumers' ladder, as rules see it."""
    await db.in_transaction(
        publish_ladder,
        system_actor(brand.id),
        role=ROLE,
        levels=levels,
        policy=policy,
        allow_lowering=allow_lowering,
    )
    async with db.snapshot() as snapshot:
        return (await current_ladders(snapshot, brand.id))[ROLE.value]


async def brand_with(
    db: Database, levels: Sequence[Level], policy: LadderPolicy = DEFAULT_POLICY
) -> tuple[Brand, BrandTiers]:
    brand = await db.in_transaction(make_brand, f"b{new_id().hex[-30:]}")
    await publish(db, brand, levels, policy)
    return brand, await rules_of(db, brand)


async def rules_of(db: Database, brand: Brand) -> BrandTiers:
    """A brand's ladders, good until another one is published."""
    async with db.snapshot() as snapshot:
        return await brand_tiers(snapshot, brand.id)


async def fold(
    tx: Tx, brand_id: UUID, rules: BrandTiers, events: Sequence[tuple[UUID, TierEvent]]
) -> dict[tuple[UUID, UUID], MemberTier]:
    """One transaction as scans and purchases make it: lock, load, fold one by one, write."""
    await lock_member_accounts(tx, [(brand_id, member_id) for member_id, _ in events])
    wanted = [(brand_id, id, local_date(e.occurred_at, rules.timezone)) for id, e in events]
    tiers = await load_tiers(tx, {brand_id: rules}, wanted)
    for member_id, event in events:
        after_event(tiers[brand_id, member_id], event, new_id)
    await write_tiers(tx, tiers.values())
    return tiers


def bought(at: datetime, fen: int, **more: Any) -> TierEvent:
    return TierEvent(at, "PURCHASE", new_id(), spend_fen=fen, **more)


async def rows(db: Database, model: type[Row], **having: Any) -> list[Row]:
    """All rows of a table with these values, by primary key."""
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(model).where(
                *(col(getattr(model, name)) == value for name, value in having.items())
            )
        )
        return sorted(found, key=lambda row: [str(v) for v in _key(row).values()])


def _key(row: SQLModel) -> Mapping[str, Any]:
    return {
        name: getattr(row, name)
        for name in ("member_id", "metric", "day", "id")
        if hasattr(row, name)
    }
