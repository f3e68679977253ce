"""Accounts, transfers and lots. Each transfer is one debit and one credit of one amount, so the
books balance by construction (after TigerBeetle)."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, tenant

NEVER_EXPIRES = date(9999, 12, 31)


class Asset(StrEnum):
    """积分, 成长值, 红包 (fen), 抽奖次数."""

    POINTS = "POINTS"
    GROWTH = "GROWTH"
    CASH = "CASH"
    CHANCES = "CHANCES"


class AccountKind(StrEnum):
    """A member's MAIN account, a PLACE's rebate account, or one of the brand's own books: ISSUANCE,
    and PAYOUT, where cash goes that leaves the house."""

    MAIN = "MAIN"
    PLACE = "PLACE"
    ISSUANCE = "ISSUANCE"
    PAYOUT = "PAYOUT"


class TransferPhase(StrEnum):
    """POSTED in one step; or PENDING, and later POST or VOID naming the pending one."""

    POSTED = "POSTED"
    PENDING = "PENDING"
    POST = "POST"
    VOID = "VOID"


class Account(SQLModel, table=True):
    """Counters after TigerBeetle: balance = credits_posted - debits_posted. Only accounts declared
    ``overdraft_allowed`` may go below zero: the brand's issuance, and a place's rebates, of which
    some may be taken back after they were paid out."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("brand_id", "owner_id", "asset", "kind"),
        CheckConstraint(
            "overdraft_allowed OR credits_posted - debits_posted - debits_pending >= 0",
            name="not_overdrawn",
        ),
        CheckConstraint(
            "credits_posted >= 0 AND debits_posted >= 0"
            " AND credits_pending >= 0 AND debits_pending >= 0",
            name="counters_not_negative",
        ),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    owner_id: UUID
    asset: str
    kind: str = AccountKind.MAIN.value
    overdraft_allowed: bool = False
    credits_posted: int = Field(default=0, sa_type=BigInteger)
    debits_posted: int = Field(default=0, sa_type=BigInteger)
    credits_pending: int = Field(default=0, sa_type=BigInteger)
    debits_pending: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime


class Transfer(SQLModel, table=True):
    """An immutable movement. A side that keeps lots names its lot by expiry date, so the lots can
    be recomputed from the transfers alone. ``cause_id`` is the scan, purchase or command behind
    it; ``occurred_at`` that event's time, ``created_at`` when it was booked."""

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("debit_account_id <> credit_account_id", name="two_accounts"),
        CheckConstraint(
            "(phase IN ('POST', 'VOID')) = (pending_id IS NOT NULL)", name="resolves_a_pending"
        ),
        Index(
            "uq_transfers_brand_id_pending_id",
            "brand_id",
            "pending_id",
            unique=True,
            sqlite_where=text("pending_id IS NOT NULL"),
            postgresql_where=text("pending_id IS NOT NULL"),
        ),
        Index("ix_transfers_credit", "brand_id", "credit_account_id", "id"),
        Index(
            "ix_transfers_debit",
            "brand_id",
            "debit_account_id",
            "id",
            sqlite_where=text("kind <> 'EARN'"),
            postgresql_where=text("kind <> 'EARN'"),
        ),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    debit_account_id: UUID
    credit_account_id: UUID
    asset: str
    amount: int = Field(sa_type=BigInteger)
    phase: str
    pending_id: UUID | None = None
    kind: str
    cause_kind: str
    cause_id: UUID
    campaign_id: UUID | None = None
    debit_expires_on: date | None = None
    credit_expires_on: date | None = None
    actor_kind: str
    actor_id: UUID
    reason: str
    occurred_at: datetime
    created_at: datetime


class Lot(SQLModel, table=True):
    """Credits of one account with one expiry date (the last day they are good), free or locked;
    credits to it merge. A locked lot has no date yet: its clock starts at unlock."""

    __tablename__ = "lots"
    __table_args__ = (
        CheckConstraint("remaining >= 0 AND remaining <= granted", name="remaining_within_granted"),
    )

    brand_id: UUID = tenant()
    account_id: UUID = Field(primary_key=True)
    expires_on: date = Field(primary_key=True)
    locked: bool = Field(primary_key=True)
    granted: int = Field(sa_type=BigInteger)
    remaining: int = Field(sa_type=BigInteger)
