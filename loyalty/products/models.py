"""What is sold."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import SQLModel

from loyalty.tables import brand_reference, own_id, tenant


class Product(SQLModel, table=True):
    """A product (商品), by the brand's own SKU and, where it has one, its GTIN-14. Scans of one
    with an ``age_min`` (alcohol, tobacco) pay only consumers who have confirmed that age."""

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("brand_id", "sku"),
        CheckConstraint("age_min BETWEEN 1 AND 120", name="age_min_of_people"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    sku: str
    name_zh: str
    name_en: str
    gtin: str | None = None
    picture_url: str | None = None
    age_min: int | None = None
    created_at: datetime
