"""Draws: the sealed seeds of days, and the receipt of every draw (抽奖)."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import own_id, reference, tenant


class Curve(StrEnum):
    """How odds and amounts go from the beginning of a stage to its end. With p the part of the
    stage that has passed: LINEAR p; EASE_IN p squared (late); EASE_OUT 1 - (1 - p) squared
    (early)."""

    LINEAR = "LINEAR"
    EASE_IN = "EASE_IN"
    EASE_OUT = "EASE_OUT"


class Limit(StrEnum):
    """What a prize may run out of: its stock, its quota of a local day, the stage's or the
    campaign's budget of the asset that it gives, so much of the stage's as may be spent by now
    (PACE), the coupons of the template that it gives."""

    STOCK = "STOCK"
    QUOTA = "QUOTA"
    STAGE_BUDGET = "STAGE_BUDGET"
    PACE = "PACE"
    BUDGET = "BUDGET"
    COUPON = "COUPON"


class DrawSeed(SQLModel, table=True):
    """The secret of one campaign's local day. ``seed_hash``, the SHA-256 of the seed, is public
    from the beginning; ``seed`` (hexadecimal) stays NULL until the day is over."""

    __tablename__ = "draw_seeds"
    __table_args__ = (
        CheckConstraint("(seed IS NULL) = (revealed_at IS NULL)", name="revealed_at_a_time"),
        reference("campaign_id", "campaigns"),
    )

    brand_id: UUID = tenant()
    campaign_id: UUID = Field(primary_key=True)
    drawn_on: date = Field(primary_key=True)
    sealed: str
    seed_hash: str
    made_at: datetime
    seed: str | None = None
    revealed_at: datetime | None = None


class Draw(SQLModel, table=True):
    """The receipt of one draw. Append-only, whatever becomes of its scan.

    ``cause_kind`` and ``cause_id`` tell what drew, a SCAN, a PURCHASE or an EVENT: one draw at most
    for each ``role`` that it pays. ``is_locked``: what it gave waits for what the campaign says.
    ``u`` is in 16 hexadecimal digits. ``inputs``: the facts that the bonuses asked for, each with
    its value and the counter it came from if it was one, and the bonuses that held.
    ``pointed_prize`` is what u, or the guarantee, points at; ``given_prize`` that one, else the
    consolation, else None. ``exhausted``: why the pointed one (and the consolation) was not given.
    ``ordinal`` and ``day_ordinal`` count the given prize over the campaign and in its local day.
    ``member_draw_no`` counts the member's draws, in campaigns that guarantee a prize.
    """

    __tablename__ = "draws"
    __table_args__ = (
        CheckConstraint("cause_kind IN ('SCAN', 'PURCHASE', 'EVENT')", name="cause_kind_known"),
        UniqueConstraint("brand_id", "cause_id", "role"),
        Index(None, "brand_id", "member_id", "id"),
        Index(None, "brand_id", "campaign_id", "drawn_on"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    campaign_id: UUID
    campaign_version_id: UUID
    cause_kind: str
    cause_id: UUID
    role: str
    member_id: UUID
    claim: str
    nonce: str | None
    drawn_on: date
    seed_hash: str
    stage: int
    inputs: dict[str, Any] = Field(sa_type=JsonColumn)
    base_ppm: int = Field(sa_type=BigInteger)
    odds_ppm: int = Field(sa_type=BigInteger)
    u: str
    member_draw_no: int | None = Field(sa_type=BigInteger)
    is_guaranteed: bool
    pointed_prize: str | None
    given_prize: str | None
    exhausted: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    ordinal: int | None = Field(sa_type=BigInteger)
    day_ordinal: int | None = Field(sa_type=BigInteger)
    asset: str | None
    amount: int | None = Field(sa_type=BigInteger)
    coupon_template_id: UUID | None
    is_locked: bool
    occurred_at: datetime
