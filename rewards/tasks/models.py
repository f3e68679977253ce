"""Tasks (任务): so many of something in a window, and who has taken them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class TaskCounts(StrEnum):
    """What a task counts of a member, by the time when it happened. What was reversed or returned
    whole does not count. GUIDED_SCANS: consumers' paid scans that paid this guide. OWN_SCANS: its
    scans that claimed something. INVITED: consumers whom it invited and who enrolled.
    INVITED_SCANS: their paid scans. PURCHASES: at tills and by orders, not those of imports.
    REFERRALS: whom it referred and who scanned or bought since."""

    GUIDED_SCANS = "GUIDED_SCANS"
    OWN_SCANS = "OWN_SCANS"
    INVITED = "INVITED"
    INVITED_SCANS = "INVITED_SCANS"
    PURCHASES = "PURCHASES"
    CHECK_INS = "CHECK_INS"
    REFERRALS = "REFERRALS"


class TaskPeriod(StrEnum):
    """ONCE: the whole window. WEEK, MONTH: each of the brand's local weeks (from Monday) or months,
    anew."""

    ONCE = "ONCE"
    WEEK = "WEEK"
    MONTH = "MONTH"


class Task(SQLModel, table=True):
    """``target`` of what it ``counts`` in a period of the window; ``ends_at`` None is for as long
    as it is not ended. ``for_everybody``: of the role, without being taken."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint("target > 0", name="target_positive"),
        CheckConstraint("ends_at IS NULL OR starts_at <= ends_at", name="window_is_forward"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name_zh: str
    name_en: str
    role: str
    counts: str
    target: int
    period: str
    starts_at: datetime
    ends_at: datetime | None = None
    for_everybody: bool
    created_by: UUID
    created_at: datetime


class TaskTaking(SQLModel, table=True):
    """That a member took a task: for all of its periods from then on. Once."""

    __tablename__ = "task_takings"
    __table_args__ = (
        UniqueConstraint("brand_id", "member_id", "task_id"),
        reference("task_id", "tasks"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    task_id: UUID
    member_id: UUID
    taken_at: datetime
