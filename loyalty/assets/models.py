"""What members can have (资产): four in every brand, and custom ones by name."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, tenant


class Asset(StrEnum):
    """The four that every brand has: 积分, 成长值, 红包 (fen), 抽奖次数. Rules carry an asset as
    its code, a ``str``, since a brand may have others."""

    POINTS = "POINTS"
    GROWTH = "GROWTH"
    CASH = "CASH"
    CHANCES = "CHANCES"


class AssetStatus(StrEnum):
    """RETIRED: no more of it is issued; what members have stays good."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class AssetDefinition(SQLModel, table=True):
    """An asset of a brand. ``expiry`` is a policy as ``loyalty.assets.rules.expiry_from_json``
    reads it; it dates later credits only. An adjustment by hand above ``adjustment_limit`` (units
    of the asset) waits for a second operator; None: every one may be made alone."""

    __tablename__ = "assets"
    __table_args__ = (
        CheckConstraint("status IN ('ACTIVE', 'RETIRED')", name="status_known"),
        CheckConstraint("adjustment_limit >= 0", name="adjustment_limit_not_negative"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    code: str = Field(primary_key=True)
    name_zh: str
    name_en: str
    expiry: dict[str, Any] = Field(sa_type=JsonColumn)
    adjustment_limit: int | None = Field(default=None, sa_type=BigInteger)
    status: str = AssetStatus.ACTIVE.value
    created_at: datetime
