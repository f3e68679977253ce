"""Rollups: written by the outbox worker, read by operators."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import reference, tenant


class ScanRollup(SQLModel, table=True):
    """Scans of one product in one local hour of one local day (brand's time zone)."""

    __tablename__ = "scan_rollups"
    __table_args__ = (
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour_of_day"),
        reference("product_id", "products"),
    )

    brand_id: UUID = tenant()
    scanned_on: date = Field(primary_key=True)
    hour: int = Field(primary_key=True)
    product_id: UUID = Field(primary_key=True)
    scans: int = Field(sa_type=BigInteger)
    first_scans: int = Field(sa_type=BigInteger)
    paid_scans: int = Field(sa_type=BigInteger)
