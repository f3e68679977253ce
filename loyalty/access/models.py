"""Operators, one-time codes, sessions, and the WeChat apps by which people sign in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class Operator(SQLModel, table=True):
    """A person who works the brand's console (品牌运营). The password is an argon2 hash; the TOTP
    secret is encrypted, and ``totp_last_step`` is the newest time step that a code was taken for,
    so that none works twice."""

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
    totp_cipher: str | None = None
    totp_last_step: int | None = Field(default=None, sa_type=BigInteger)
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


class SignInSession(SQLModel, table=True):
    """One sign-in of one caller: the family of refresh tokens that came of it. ``kind``, ``role``
    and ``subject_id`` are the actor's; ``place_id`` and ``till_id`` a clerk's."""

    __tablename__ = "sign_in_sessions"
    __table_args__ = (
        CheckConstraint("kind IN ('MEMBER', 'OPERATOR', 'CLERK')", name="kind_known"),
        CheckConstraint("(kind = 'CLERK') = (till_id IS NOT NULL)", name="clerk_has_till"),
        Index(None, "brand_id", "subject_id"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    kind: str
    subject_id: UUID
    role: str
    place_id: UUID | None = None
    till_id: UUID | None = None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_reason: str | None = None


class RefreshToken(SQLModel, table=True):
    """A token that is good for one refresh, as a keyed hash. One that is used again ends its whole
    session: somebody has a copy."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        UniqueConstraint("brand_id", "token_hash"),
        Index(None, "brand_id", "session_id"),
        reference("session_id", "sign_in_sessions"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    session_id: UUID
    token_hash: str
    created_at: datetime
    used_at: datetime | None = None


class WechatApp(SQLModel, table=True):
    """A mini-program (小程序) of the brand. The secret is encrypted."""

    __tablename__ = "wechat_apps"
    __table_args__ = (UniqueConstraint("brand_id", "app_id"), brand_reference())

    brand_id: UUID = tenant()
    id: UUID = own_id()
    app_id: str
    secret_cipher: str
    created_at: datetime


class WechatAccount(SQLModel, table=True):
    """Whom an openid of a mini-program is. The unionid, where WeChat gives one, joins the accounts
    of one person over the brand's apps."""

    __tablename__ = "wechat_accounts"
    __table_args__ = (
        Index(None, "brand_id", "unionid"),
        Index(None, "brand_id", "identity_id"),
        reference("identity_id", "identities"),
    )

    brand_id: UUID = tenant()
    app_id: str = Field(primary_key=True)
    openid: str = Field(primary_key=True)
    unionid: str | None = None
    identity_id: UUID
    created_at: datetime
