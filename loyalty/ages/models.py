"""What people have said of their age."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import SQLModel

from loyalty.tables import own_id, reference, tenant


class AgeStatement(SQLModel, table=True):
    """Somebody has stated its age (年龄确认): ``age`` full years on the brand's local day of
    ``stated_at``, so it was born on ``born_by`` or before. With an ``operator_id`` it is that
    operator's correction, and what was stated before counts no more. Append-only. What follows
    from all that a person has stated is ``identities.born_by``."""

    __tablename__ = "age_statements"
    __table_args__ = (
        CheckConstraint("age BETWEEN 1 AND 120", name="age_of_people"),
        Index(None, "brand_id", "identity_id"),
        reference("identity_id", "identities"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    identity_id: UUID
    age: int
    born_by: date
    operator_id: UUID | None = None
    stated_at: datetime
