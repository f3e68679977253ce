"""Raffles (抽奖活动, 开奖制): entries gathered over a period, and the winners drawn at its end."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant


class RaffleStatus(StrEnum):
    """OPEN until its end, also before its beginning; CLOSED: the entries are counted, and are being
    put in order; DRAWN: the winners are known, and are being paid; CANCELLED: what entries cost is
    being given back. ``settled_at`` says when nothing was left to do."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    DRAWN = "DRAWN"
    CANCELLED = "CANCELLED"


class NoCoupon(StrEnum):
    """Why a winner got an amount in the place of its coupon: the template had none left, was
    paused, or was past its dates."""

    OUT_OF_STOCK = "OUT_OF_STOCK"
    PAUSED = "PAUSED"
    OVER = "OVER"


class Raffle(SQLModel, table=True):
    """A raffle, as it was announced: nothing of it is ever changed.

    An entry costs ``cost_amount`` of ``cost_asset``, or nothing. ``condition``: whose entries it
    takes. ``prize_table`` and ``budgets`` as ``rewards.raffles.rules`` stores them. ``seed_hash``,
    the SHA-256 of the seed, is public from the beginning; ``seed`` (hexadecimal) stays NULL until
    the winners are drawn. ``entries`` and ``entrants`` are counted when it closes. ``progress_id``:
    up to which entry the step that is being taken has come.
    """

    __tablename__ = "raffles"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        brand_reference(),
        CheckConstraint("opens_at < closes_at", name="window"),
        CheckConstraint(
            "(cost_asset IS NULL) = (cost_amount IS NULL) AND (cost_amount IS NULL"
            " OR cost_amount > 0)",
            name="cost_whole",
        ),
        CheckConstraint("entries_max > 0", name="entries_max_positive"),
        CheckConstraint("status IN ('OPEN', 'CLOSED', 'DRAWN', 'CANCELLED')", name="status_known"),
        CheckConstraint("(seed IS NULL) = (status <> 'DRAWN')", name="revealed_when_drawn"),
        CheckConstraint("(status = 'DRAWN') = (drawn_at IS NOT NULL)", name="drawn_at_a_time"),
        CheckConstraint(
            "(status = 'CANCELLED') = (cancelled_at IS NOT NULL)"
            " AND (status = 'CANCELLED') = (reason IS NOT NULL)",
            name="cancelled_for",
        ),
        Index(
            "ix_raffles_unsettled",
            "closes_at",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name_zh: str
    name_en: str
    opens_at: datetime
    closes_at: datetime
    cost_asset: str | None = None
    cost_amount: int | None = Field(default=None, sa_type=BigInteger)
    entries_max: int
    condition: str | None = None
    prize_table: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    budgets: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    sealed: str
    seed_hash: str
    seed: str | None = None
    status: str = RaffleStatus.OPEN.value
    entries: int | None = Field(default=None, sa_type=BigInteger)
    entrants: int | None = Field(default=None, sa_type=BigInteger)
    progress_id: UUID | None = None
    reason: str | None = None
    created_at: datetime
    closed_at: datetime | None = None
    drawn_at: datetime | None = None
    cancelled_at: datetime | None = None
    settled_at: datetime | None = None


class RaffleEntry(SQLModel, table=True):
    """One member's entry. ``number`` counts its member's, from 1. ``entrant_id`` is the member
    that it counts for: at the end that may be the one it was merged into. ``score`` (64
    hexadecimal digits) puts the entries in order, once the raffle is closed. Its id is the cause
    of the transfers that paid for it, and that gave it back at ``returned_at``."""

    __tablename__ = "raffle_entries"
    __table_args__ = (
        UniqueConstraint("brand_id", "raffle_id", "member_id", "number"),
        CheckConstraint("number > 0", name="number_positive"),
        Index(None, "brand_id", "raffle_id", "id"),
        Index(None, "brand_id", "raffle_id", "score"),
        Index(None, "brand_id", "member_id", "id"),
        reference("raffle_id", "raffles"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    raffle_id: UUID
    member_id: UUID
    number: int
    entrant_id: UUID
    score: str | None = None
    created_at: datetime
    returned_at: datetime | None = None


class RaffleWinner(SQLModel, table=True):
    """What an entry won: one entry of an entrant, which was the ``place``-th of them in order, from
    1; ``prize_no`` in the prizes of the table's step. Its id is the cause of its transfer, or of
    its coupon: of one of ``coupon_template_id``, unless ``no_coupon`` says why it got ``amount`` of
    ``asset`` instead."""

    __tablename__ = "raffle_winners"
    __table_args__ = (
        UniqueConstraint("brand_id", "raffle_id", "place"),
        UniqueConstraint("brand_id", "raffle_id", "member_id"),
        UniqueConstraint("brand_id", "entry_id"),
        CheckConstraint("place > 0 AND prize_no >= 0 AND amount > 0", name="figures"),
        CheckConstraint(
            "no_coupon IS NULL OR no_coupon IN ('OUT_OF_STOCK', 'PAUSED', 'OVER')"
            " AND coupon_template_id IS NOT NULL AND paid_at IS NOT NULL",
            name="no_coupon_for",
        ),
        reference("raffle_id", "raffles"),
        reference("entry_id", "raffle_entries"),
        reference("member_id", "members"),
        reference("coupon_template_id", "coupon_templates"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    raffle_id: UUID
    entry_id: UUID
    member_id: UUID
    place: int
    prize_no: int
    asset: str
    amount: int = Field(sa_type=BigInteger)
    coupon_template_id: UUID | None = None
    created_at: datetime
    paid_at: datetime | None = None
    no_coupon: str | None = None
