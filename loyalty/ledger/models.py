"""Accounts, transfers and lots. Each transfer is one debit and one credit of one amount, so the
books balance by construction (after TigerBeetle)."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.assets.models import Asset
from loyalty.assets.rules import NEVER_EXPIRES
from loyalty.tables import brand_reference, own_id, tenant

__all__ = [
    "NEVER_EXPIRES",
    "Account",
    "AccountKind",
    "Asset",
    "ExpiryRun",
    "Lot",
    "LotExtension",
    "Transfer",
    "TransferKind",
    "TransferPhase",
    "TransferReversal",
]


class AccountKind(StrEnum):
    """A member's MAIN account, and what it owes (RECEIVABLE); a PLACE's rebate account; or one of
    the brand's own books: where value comes from (ISSUANCE), where it goes (SPENT, EXPIRED,
    REVERSED, FEES, CLEARING; PAYOUT for cash that leaves the house; TAX for what was withheld).
    PARTNER: what the brand owes another one, its owner; below zero what that one owes it."""

    MAIN = "MAIN"
    RECEIVABLE = "RECEIVABLE"
    PLACE = "PLACE"
    PARTNER = "PARTNER"
    ISSUANCE = "ISSUANCE"
    SPENT = "SPENT"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"
    FEES = "FEES"
    CLEARING = "CLEARING"
    PAYOUT = "PAYOUT"
    TAX = "TAX"


class TransferKind(StrEnum):
    """What a movement is; docs/decisions/2026-11-22-points-and-tiers.md says between whom."""

    EARN = "EARN"
    ADJUST = "ADJUST"
    MOVE = "MOVE"
    SPEND = "SPEND"
    EXPIRE = "EXPIRE"
    REVERSE = "REVERSE"
    OWE = "OWE"
    REPAY = "REPAY"
    REBATE = "REBATE"
    PAYOUT = "PAYOUT"
    WITHHOLD = "WITHHOLD"
    CLEAR = "CLEAR"


class TransferPhase(StrEnum):
    """POSTED in one step; or PENDING, and later POST or VOID naming the pending one."""

    POSTED = "POSTED"
    PENDING = "PENDING"
    POST = "POST"
    VOID = "VOID"


class Account(SQLModel, table=True):
    """Counters after TigerBeetle: balance = credits_posted - debits_posted. Only accounts declared
    ``overdraft_allowed`` may go below zero: the brand's issuance; its books of clearing and what
    it owes partners; a place's rebates, of which some may be taken back after they were paid out;
    and what a member owes, which is never above zero. Those of a member that was merged into
    another are closed: nothing comes to them any more, and what was past its date goes to the
    brand's EXPIRED books."""

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
        CheckConstraint(
            "kind <> 'RECEIVABLE' OR credits_posted <= debits_posted", name="nothing_owed_to_owers"
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
    closed_at: datetime | None = None


class Transfer(SQLModel, table=True):
    """An immutable movement. A MAIN side names its lot by expiry date (none: the lot that never
    expires), so the lots can be recomputed from the transfers and ``lot_extensions``.
    ``reverses_id`` is the transfer of which it takes back some or all. ``cause_id`` is the scan,
    purchase or command behind it; ``occurred_at`` that event's time, ``created_at`` when it was
    booked."""

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
    reverses_id: UUID | None = None
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


class TransferReversal(SQLModel, table=True):
    """How much of a transfer was taken back: never more than it moved."""

    __tablename__ = "transfer_reversals"
    __table_args__ = (CheckConstraint("reversed > 0 AND reversed <= amount", name="within_amount"),)

    brand_id: UUID = tenant()
    transfer_id: UUID = Field(primary_key=True)
    amount: int = Field(sa_type=BigInteger)
    reversed: int = Field(sa_type=BigInteger)


class LotExtension(SQLModel, table=True):
    """What moved from one lot of an account to a later one because the member was active.
    Append-only."""

    __tablename__ = "lot_extensions"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        Index(None, "brand_id", "account_id", "id"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    account_id: UUID
    from_expires_on: date
    to_expires_on: date
    amount: int = Field(sa_type=BigInteger)
    created_at: datetime


class Lot(SQLModel, table=True):
    """Credits of one MAIN account with one expiry date (the last day they are good), free or
    locked; credits to it merge. A locked lot has no date yet: its clock starts at unlock."""

    __tablename__ = "lots"
    __table_args__ = (
        CheckConstraint("remaining >= 0 AND remaining <= granted", name="remaining_within_granted"),
        # No condition on what remains: PostgreSQL could then not update a lot in place.
        Index("ix_lots_expiring", "brand_id", "expires_on", "account_id", "locked"),
    )

    brand_id: UUID = tenant()
    account_id: UUID = Field(primary_key=True)
    expires_on: date = Field(primary_key=True)
    locked: bool = Field(primary_key=True)
    granted: int = Field(sa_type=BigInteger)
    remaining: int = Field(sa_type=BigInteger)


class ExpiryRun(SQLModel, table=True):
    """A brand's sweep of lots past their last day (过期处理) on one of its local days; the cause
    of its transfers. It goes from the latest date downwards, through what is below
    ``below_expires_on`` and ``below_account_id``: ``lots_seen`` of ``lots_past``, in chunks."""

    __tablename__ = "expiry_runs"
    __table_args__ = (
        UniqueConstraint("brand_id", "swept_on"),
        CheckConstraint(
            "lots_past >= 0 AND lots_seen >= 0 AND lots_expired >= 0", name="counts_not_negative"
        ),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    swept_on: date
    below_expires_on: date
    below_account_id: UUID
    lots_past: int = Field(sa_type=BigInteger)
    lots_seen: int = Field(default=0, sa_type=BigInteger)
    lots_expired: int = Field(default=0, sa_type=BigInteger)
    started_at: datetime
    finished_at: datetime | None = None
