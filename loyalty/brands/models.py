"""Tenants. Every row of every other table belongs to one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import own_id


class Brand(SQLModel, table=True):
    """A brand (品牌). ``revision`` moves with every change of its configuration, so that servers
    know when what they hold in memory is old. A till's hold of a coupon lapses after
    ``hold_seconds``; a redemption may be reversed for ``reversal_window_seconds``. No campaign may
    promise more than ``prize_ceiling_fen`` of cash at once; of prizes of more than
    ``withholding_threshold_fen`` so many percent are withheld as tax. ``member_days`` is its
    calendar of them (会员日), as ``loyalty.brands.rules.member_days_to_json`` stores it."""

    __tablename__ = "brands"
    __table_args__ = (
        CheckConstraint(
            "hold_seconds > 0 AND reversal_window_seconds >= 0", name="windows_not_negative"
        ),
        CheckConstraint("prize_ceiling_fen > 0", name="ceiling_positive"),
        CheckConstraint(
            "(withholding_threshold_fen IS NULL) = (withholding_rate_percent IS NULL)",
            name="withholding_whole",
        ),
    )

    id: UUID = own_id()
    slug: str = Field(unique=True)
    name: str
    timezone: str = "Asia/Shanghai"
    currency: str = "CNY"
    hold_seconds: int = 300
    reversal_window_seconds: int = Field(default=7 * 86400, sa_type=BigInteger)
    prize_ceiling_fen: int = Field(
        default=5_000_000, sa_type=BigInteger, sa_column_kwargs={"server_default": "5000000"}
    )
    withholding_threshold_fen: int | None = Field(default=None, sa_type=BigInteger)
    withholding_rate_percent: int | None = None
    member_days: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=JsonColumn, sa_column_kwargs={"server_default": "[]"}
    )
    revision: int = Field(default=1, sa_type=BigInteger)
    created_at: datetime
