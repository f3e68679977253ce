"""What is sold."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import SQLModel

from loyalty.tables import brand_reference, own_id, tenant


class Product(SQLModel, table=True):
    """A product (商品), by the brand's own SKU and, where it has one, its GTIN-14."""

    __tablename__ = "products"
    __table_args__ = (UniqueConstraint("brand_id", "sku"), brand_reference())

    brand_id: UUID = tenant()
    id: UUID = own_id()
    sku: str
    name_zh: str
    name_en: str
    gtin: str | None = None
    picture_url: str | None = None
    created_at: datetime
