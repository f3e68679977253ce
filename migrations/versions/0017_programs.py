"""Tasks, surveys and referrals, and the notes of what members do that may lead to something.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _create_activities()
    _create_tasks()
    _create_surveys()
    _create_referrals()


def _create_activities() -> None:
    op.create_table(
        "activities",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_activities_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_activities")),
    )
    op.create_index(op.f("ix_activities_id"), "activities", ["id"])


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("counts", sa.String(), nullable=False),
        sa.Column("target", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("for_everybody", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("target > 0", name=op.f("ck_tasks_target_positive")),
        sa.CheckConstraint(
            "ends_at IS NULL OR starts_at <= ends_at", name=op.f("ck_tasks_window_is_forward")
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_tasks_brand_id_brands")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_tasks_brand_id_code")),
    )
    op.create_table(
        "task_takings",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_task_takings_brand_id_member_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "task_id"],
            ["tasks.brand_id", "tasks.id"],
            name=op.f("fk_task_takings_brand_id_task_id_tasks"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_task_takings")),
        sa.UniqueConstraint(
            "brand_id",
            "member_id",
            "task_id",
            name=op.f("uq_task_takings_brand_id_member_id_task_id"),
        ),
    )


def _create_surveys() -> None:
    op.create_table(
        "surveys",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("questions", JSON, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("starts_at <= ends_at", name=op.f("ck_surveys_window_is_forward")),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_surveys_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_surveys")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_surveys_brand_id_code")),
    )
    op.create_table(
        "survey_answers",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("survey_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_survey_answers_brand_id_member_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "survey_id"],
            ["surveys.brand_id", "surveys.id"],
            name=op.f("fk_survey_answers_brand_id_survey_id_surveys"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_survey_answers")),
        sa.UniqueConstraint(
            "brand_id",
            "survey_id",
            "member_id",
            name=op.f("uq_survey_answers_brand_id_survey_id_member_id"),
        ),
    )
    op.create_index(
        op.f("ix_survey_answers_brand_id_member_id"), "survey_answers", ["brand_id", "member_id"]
    )


def _create_referrals() -> None:
    op.create_table(
        "referral_codes",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("device_hash", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_referral_codes_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_referral_codes")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_referral_codes_brand_id_code")),
        sa.UniqueConstraint(
            "brand_id", "member_id", name=op.f("uq_referral_codes_brand_id_member_id")
        ),
    )
    op.create_table(
        "referrals",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("referred_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("refused_reason", sa.String(), nullable=True),
        sa.Column("device_hash", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('WAITING', 'SETTLED', 'REFUSED')",
            name=op.f("ck_referrals_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'REFUSED') = (refused_reason IS NOT NULL)",
            name=op.f("ck_referrals_refused_why"),
        ),
        sa.CheckConstraint(
            "(status = 'SETTLED') = (settled_at IS NOT NULL)",
            name=op.f("ck_referrals_settled_a_time"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referred_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_referrals_brand_id_referred_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_referrals_brand_id_referrer_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_referrals")),
        sa.UniqueConstraint(
            "brand_id",
            "referred_id",
            "referrer_id",
            name=op.f("uq_referrals_brand_id_referred_id_referrer_id"),
        ),
    )
    waiting, alive = sa.text("status = 'WAITING'"), sa.text("status <> 'REFUSED'")
    op.create_index(
        "uq_referrals_once_in_a_life",
        "referrals",
        ["brand_id", "referred_id"],
        unique=True,
        sqlite_where=alive,
        postgresql_where=alive,
    )
    op.create_index(
        "ix_referrals_waiting",
        "referrals",
        ["brand_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index(
        op.f("ix_referrals_brand_id_referrer_id_id"), "referrals", ["brand_id", "referrer_id", "id"]
    )
