"""Verbs of assets."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.assets.models import Asset, AssetDefinition, AssetStatus
from loyalty.assets.queries import change_asset, find_asset, list_assets
from loyalty.assets.rules import (
    NEVER,
    Expiry,
    ExpiryKind,
    Unit,
    check_code,
    check_expiry,
    expiry_from_json,
    expiry_to_json,
)
from loyalty.brands.service import touch_configuration
from loyalty.db import Snapshot, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound
from loyalty.text import checked_text

NAME_LENGTH_MAX = 40
ADJUSTMENT_LIMIT_MAX = 10**15
ASSETS_MAX = 30
NAMES = {
    Asset.POINTS: ("积分", "Points"),
    Asset.GROWTH: ("成长值", "Growth"),
    Asset.CASH: ("红包", "Cash"),
    Asset.CHANCES: ("抽奖次数", "Chances"),
}

# Other nouns may call this service and never the queries: these are the reads they need.
__all__ = [
    "AssetView",
    "assets_by_code",
    "configure_asset",
    "create_asset",
    "find_asset",
    "list_assets",
    "open_assets",
    "require_asset",
]


@dataclass(frozen=True, slots=True)
class AssetView:
    """An asset as rules see it."""

    code: str
    expiry: Expiry
    adjustment_limit: int | None
    status: str


async def open_assets(tx: Tx, brand_id: UUID, points_valid_months: int | None) -> None:
    """The four assets of a new brand. Points are good for so many months (None: for ever), the
    others for ever."""
    months = Expiry(ExpiryKind.AFTER, Unit.MONTH, points_valid_months or 0)
    points = check_expiry(NEVER if points_valid_months is None else months, "pointsValidMonths")
    for asset, (name_zh, name_en) in NAMES.items():
        await tx.add(
            AssetDefinition(
                brand_id=brand_id,
                code=asset.value,
                name_zh=name_zh,
                name_en=name_en,
                expiry=expiry_to_json(points if asset is Asset.POINTS else NEVER),
                created_at=tx.now,
            )
        )


async def create_asset(
    tx: Tx,
    actor: Actor,
    *,
    code: str,
    name_zh: str,
    name_en: str,
    expiry: Expiry = NEVER,
    adjustment_limit: int | None = None,
) -> AssetDefinition:
    """A custom asset of the actor's brand. Its books are opened by ``ledger.service.open_books``.

    Refuses InvalidInput, AlreadyExists (code).
    """
    _check_limit(adjustment_limit)
    asset = AssetDefinition(
        brand_id=actor.brand_id,
        code=check_code(code),
        name_zh=checked_text(name_zh, "nameZh", length_max=NAME_LENGTH_MAX),
        name_en=checked_text(name_en, "nameEn", length_max=NAME_LENGTH_MAX),
        expiry=expiry_to_json(check_expiry(expiry)),
        adjustment_limit=adjustment_limit,
        created_at=tx.now,
    )
    if len(await list_assets(tx, actor.brand_id)) >= ASSETS_MAX:
        raise InvalidInput(field="code", problem=f"a brand has at most {ASSETS_MAX} assets")
    if not await tx.insert_if_absent(asset):
        raise AlreadyExists(noun="asset", field="code")
    await touch_configuration(tx, actor.brand_id)
    await audit_log.record(tx, actor, "asset.create", actor.brand_id, code=code)
    return asset


def _check_limit(limit: int | None) -> None:
    if limit is not None and not 0 <= limit <= ADJUSTMENT_LIMIT_MAX:
        raise InvalidInput(field="adjustmentLimit", problem=f"0 to {ADJUSTMENT_LIMIT_MAX}")


async def configure_asset(
    tx: Tx,
    actor: Actor,
    code: str,
    *,
    expiry: Expiry,
    adjustment_limit: int | None,
    status: AssetStatus,
) -> AssetDefinition:
    """Set an asset's policies. Refuses NotFound (asset) and InvalidInput. Lots keep their dates."""
    values: dict[str, Any] = {
        "expiry": expiry_to_json(check_expiry(expiry)),
        "adjustment_limit": adjustment_limit,
        "status": status.value,
    }
    _check_limit(adjustment_limit)
    if not await change_asset(tx, actor.brand_id, code, values):
        raise NotFound(noun="asset")
    await touch_configuration(tx, actor.brand_id)
    await audit_log.record(tx, actor, "asset.configure", actor.brand_id, **{"code": code} | values)
    return await require_asset(tx, actor.brand_id, code)


async def require_asset(snapshot: Snapshot, brand_id: UUID, code: str) -> AssetDefinition:
    """The brand's asset of this code; NotFound when it has none."""
    asset = await find_asset(snapshot, brand_id, code)
    if asset is None:
        raise NotFound(noun="asset")
    return asset


async def assets_by_code(snapshot: Snapshot, brand_id: UUID) -> dict[str, AssetView]:
    """The brand's assets as rules see them."""
    return {
        row.code: AssetView(
            row.code, expiry_from_json(row.expiry), row.adjustment_limit, row.status
        )
        for row in await list_assets(snapshot, brand_id)
    }
