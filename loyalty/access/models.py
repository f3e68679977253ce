"""Operators and the one-time codes by which people sign in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from loyalty.tables import brand_reference, own_id, tenant


class Operator(SQLModel, table=True):
    """A person who works the brand's console (品牌运营). The password is an argon2 hash."""

    __tablename__ = "operators"
    __table_args__ = (
        UniqueConstraint("brand_id", "email"),
        CheckConstraint("role IN ('VIEWER', 'MARKETER', 'FINANCE', 'ADMIN')", name="role_known"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    email: str
    name: str
    role: str
    password_hash: str
    failed_attempts: int = 0
    locked_until: datetime | None = None
    created_at: datetime


class SignInCode(SQLModel, table=True):
    """A one-time code sent to a phone, kept as a keyed hash; it dies of use, age or guesses."""

    __tablename__ = "sign_in_codes"
    __table_args__ = (
        CheckConstraint("attempts_left >= 0", name="attempts_left_not_negative"),
        Index(None, "brand_id", "phone_hash", "created_at"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    phone_hash: str
    code_hash: str
    attempts_left: int
    expires_at: datetime
    used_at: datetime | None = None
    created_at: datetime
