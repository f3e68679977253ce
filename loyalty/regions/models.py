"""Parts of the country that a brand tells apart."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, tenant


class Region(SQLModel, table=True):
    """A region (区域) by the brand's own code. ``areas``: polygons, each a list of at least three
    corners, [latitude, longitude] in degrees (WGS 84); one without areas is nowhere. ``corners``:
    how many there are in all."""

    __tablename__ = "regions"
    __table_args__ = (UniqueConstraint("brand_id", "code"), brand_reference())

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name_zh: str
    name_en: str
    areas: list[list[list[float]]] = Field(sa_type=JsonColumn)
    corners: int
    created_at: datetime
    updated_at: datetime
