"""How often privileges were used."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import reference, tenant


class PrivilegeUse(SQLModel, table=True):
    """Uses of one privilege by one member in one period of its quota (``rules.period_key``).
    ``times_max`` is the quota that the last use obeyed; None without one."""

    __tablename__ = "privilege_uses"
    __table_args__ = (
        CheckConstraint("used > 0", name="used_positive"),
        CheckConstraint("times_max IS NULL OR used <= times_max", name="within_quota"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    member_id: UUID = Field(primary_key=True)
    code: str = Field(primary_key=True)
    period_key: str = Field(primary_key=True)
    used: int = Field(sa_type=BigInteger)
    times_max: int | None = Field(default=None, sa_type=BigInteger)
