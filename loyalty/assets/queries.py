"""The SQL of assets."""

from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty.assets.models import AssetDefinition
from loyalty.db import Snapshot, Tx


async def list_assets(snapshot: Snapshot, brand_id: UUID) -> list[AssetDefinition]:
    """The brand's assets, by code."""
    found = await snapshot.session.exec(
        select(AssetDefinition)
        .where(col(AssetDefinition.brand_id) == brand_id)
        .order_by(col(AssetDefinition.code))
        .execution_options(populate_existing=True)
    )
    return list(found)


async def find_asset(snapshot: Snapshot, brand_id: UUID, code: str) -> AssetDefinition | None:
    """The row as it is now."""
    found = await snapshot.session.exec(
        select(AssetDefinition)
        .where(col(AssetDefinition.brand_id) == brand_id, col(AssetDefinition.code) == code)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def change_asset(tx: Tx, brand_id: UUID, code: str, values: dict[str, Any]) -> bool:
    """Set columns of an asset; False when there is none such."""
    changed = await tx.session.exec(
        update(AssetDefinition)
        .where(col(AssetDefinition.brand_id) == brand_id, col(AssetDefinition.code) == code)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount == 1
