"""Surveys (问卷), and what members answered."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant


class QuestionKind(StrEnum):
    """ONE: one of the options. SEVERAL: any of them. SCALE: a whole number. TEXT: words."""

    ONE = "ONE"
    SEVERAL = "SEVERAL"
    SCALE = "SCALE"
    TEXT = "TEXT"


class Survey(SQLModel, table=True):
    """``questions``: as ``rules.questions_to_json`` writes them; they never change."""

    __tablename__ = "surveys"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint("starts_at <= ends_at", name="window_is_forward"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name_zh: str
    name_en: str
    role: str
    questions: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    starts_at: datetime
    ends_at: datetime
    created_by: UUID
    created_at: datetime


class SurveyAnswer(SQLModel, table=True):
    """One a member. ``answers``: by the question's code, the options' codes, a number or a text."""

    __tablename__ = "survey_answers"
    __table_args__ = (
        UniqueConstraint("brand_id", "survey_id", "member_id"),
        Index(None, "brand_id", "member_id"),
        reference("survey_id", "surveys"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    survey_id: UUID
    member_id: UUID
    answers: dict[str, Any] = Field(sa_type=JsonColumn)
    answered_at: datetime
