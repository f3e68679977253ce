"""Which bottle is in which box (瓶箱关联), told by ranges."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class Packing(SQLModel, table=True):
    """Boxes packed one after the other: the ``per_box`` bottles from ``first_item_no`` on are in
    the box ``first_box_item_no``, as many after them in the next box, and so on. Items are numbered
    as everywhere (``series_no * 2**40 + serial``); the batches are those that told it. No bottle
    and no box is in two packings. Append-only."""

    __tablename__ = "packings"
    __table_args__ = (
        UniqueConstraint("brand_id", "first_item_no"),
        UniqueConstraint("brand_id", "first_box_item_no"),
        CheckConstraint("per_box > 0", name="per_box_positive"),
        CheckConstraint(
            "last_item_no >= first_item_no AND last_item_no - first_item_no + 1"
            " = per_box * (last_box_item_no - first_box_item_no + 1)",
            name="boxes_full",
        ),
        reference("bottle_batch_id", "code_batches"),
        reference("box_batch_id", "code_batches"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    bottle_batch_id: UUID
    first_item_no: int = Field(sa_type=BigInteger)
    last_item_no: int = Field(sa_type=BigInteger)
    per_box: int = Field(sa_type=BigInteger)
    box_batch_id: UUID
    first_box_item_no: int = Field(sa_type=BigInteger)
    last_box_item_no: int = Field(sa_type=BigInteger)
    created_at: datetime
