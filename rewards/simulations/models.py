"""Dry runs that operators asked for (模拟)."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn, NullableJsonColumn
from loyalty.tables import brand_reference, own_id, tenant


class SimulationStatus(StrEnum):
    """WAITING for a worker; RUNNING; DONE with a result; CANCELLED by an operator; FAILED, and
    ``problem`` says of what."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class SourceKind(StrEnum):
    """What is folded: PAST, what the brand's members did; MADE_UP, what a crowd may do."""

    PAST = "PAST"
    MADE_UP = "MADE_UP"


class Simulation(SQLModel, table=True):
    """One dry run: a ``definition`` (``definition_to_json``) as it was when it was asked for, and
    the ``source`` of its events (``rules.source_to_json``). The same ``seed`` answers the same.
    Whoever finds it RUNNING and does not hold it in memory begins it anew; ``begun`` counts how
    often. ``result``: {draft, running}, each a ``tally.report_to_json``."""

    __tablename__ = "simulations"
    __table_args__ = (
        CheckConstraint(
            "status IN ('WAITING', 'RUNNING', 'DONE', 'CANCELLED', 'FAILED')", name="status_known"
        ),
        CheckConstraint("events_done >= 0 AND events_total >= events_done", name="within_total"),
        CheckConstraint("(status = 'DONE') = (result IS NOT NULL)", name="done_has_a_result"),
        CheckConstraint("(status = 'FAILED') = (problem IS NOT NULL)", name="failed_says_why"),
        Index(None, "status", "id"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    campaign_code: str
    definition: dict[str, Any] = Field(sa_type=JsonColumn)
    source: dict[str, Any] = Field(sa_type=JsonColumn)
    seed: int = Field(sa_type=BigInteger)
    begun: int = 0
    status: str = SimulationStatus.WAITING.value
    events_done: int = Field(default=0, sa_type=BigInteger)
    events_total: int = Field(default=0, sa_type=BigInteger)
    result: dict[str, Any] | None = Field(default=None, sa_type=NullableJsonColumn)
    problem: str | None = None
    requested_by: UUID
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
