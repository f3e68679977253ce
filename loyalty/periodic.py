"""Periodic work and its due times: in the database, so that workers come and go, and of any
number of them one runs a job that is due.

Nobody's rows: a job looks after every brand.
"""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel


class PeriodicJob(SQLModel, table=True):
    """When a job is due next, and who runs it now: ``lease_token`` until ``leased_until``."""

    __tablename__ = "periodic_jobs"

    name: str = Field(primary_key=True)
    due_at: datetime
    lease_token: UUID | None = None
    leased_until: datetime | None = None
    ran_at: datetime | None = None
    last_error: str | None = None
