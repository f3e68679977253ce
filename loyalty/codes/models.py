"""Batches of printed codes, the keys they are made with, and the codes that were ever scanned."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class CodeKind(StrEnum):
    """Where a code is printed: 盖内码, 瓶外码, 箱内码, 箱外码, 垛码, DM卡, 票券."""

    INNER = "INNER"
    OUTER = "OUTER"
    BOX_INNER = "BOX_INNER"
    BOX_OUTER = "BOX_OUTER"
    PALLET = "PALLET"
    CARD = "CARD"
    TICKET = "TICKET"


class CodePurpose(StrEnum):
    """What a scan means: a reward, 导购码, 动销码, 溯源/防伪, 维修码."""

    REWARD = "REWARD"
    GUIDE = "GUIDE"
    SELL_THROUGH = "SELL_THROUGH"
    TRACE = "TRACE"
    SERVICE = "SERVICE"


class BatchStatus(StrEnum):
    DRAFT = "DRAFT"
    PRINTED = "PRINTED"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class KeyEpoch(SQLModel, table=True):
    """One AES key of one brand. ``key_id`` is the clear prefix of every code made with it and is
    unique over all brands; the key is wrapped by the master key."""

    __tablename__ = "key_epochs"
    __table_args__ = (UniqueConstraint("key_id"), brand_reference())

    brand_id: UUID = tenant()
    id: UUID = own_id()
    key_id: str
    wrapped_key: str
    created_at: datetime


class CodeBatch(SQLModel, table=True):
    """A print run of codes (码批次). The batches of one series share their serials: the INNER and
    the OUTER code of one bottle name one item, ``series_no * 2**40 + serial``."""

    __tablename__ = "code_batches"
    __table_args__ = (
        UniqueConstraint("brand_id", "number"),
        UniqueConstraint("brand_id", "series_no", "kind"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("status IN ('DRAFT', 'PRINTED', 'ACTIVE', 'RETIRED')", name="status_known"),
        reference("key_epoch_id", "key_epochs"),
        reference("product_id", "products"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    number: int = Field(sa_type=BigInteger)
    series_no: int = Field(sa_type=BigInteger)
    key_epoch_id: UUID
    product_id: UUID
    kind: str
    purpose: str
    quantity: int = Field(sa_type=BigInteger)
    status: str = BatchStatus.DRAFT.value
    printed_at: datetime | None = None
    activated_at: datetime | None = None
    retired_at: datetime | None = None
    created_at: datetime


class ItemCode(SQLModel, table=True):
    """A code that has been scanned at least once (一物一码). A code has no row before that."""

    __tablename__ = "item_codes"
    __table_args__ = (CheckConstraint("scan_count > 0", name="scan_count_positive"),)

    brand_id: UUID = tenant()
    item_no: int = Field(primary_key=True, sa_type=BigInteger)
    kind: str = Field(primary_key=True)
    batch_id: UUID
    scan_count: int = Field(sa_type=BigInteger)
    first_scan_id: UUID
    first_scanned_at: datetime
    first_latitude: float | None = None
    first_longitude: float | None = None
    last_scan_id: UUID
    last_scanned_at: datetime


class UnknownCodeCount(SQLModel, table=True):
    """Codes that were not ours, counted per day, address and device rather than kept one by one."""

    __tablename__ = "unknown_code_counts"
    __table_args__ = (Index(None, "brand_id", "counted_on"), brand_reference())

    brand_id: UUID = tenant()
    counted_on: date = Field(primary_key=True)
    address: str = Field(primary_key=True)
    device_hash: str = Field(primary_key=True)
    attempts: int = Field(sa_type=BigInteger)
