"""Dry runs; what stages of draws have given.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "simulations",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_code", sa.String(), nullable=False),
        sa.Column("definition", JSON, nullable=False),
        sa.Column("source", JSON, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("events_done", sa.BigInteger(), nullable=False),
        sa.Column("events_total", sa.BigInteger(), nullable=False),
        sa.Column("result", JSON, nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('WAITING', 'RUNNING', 'DONE', 'CANCELLED', 'FAILED')",
            name=op.f("ck_simulations_status_known"),
        ),
        sa.CheckConstraint(
            "events_done >= 0 AND events_total >= events_done",
            name=op.f("ck_simulations_within_total"),
        ),
        sa.CheckConstraint(
            "(status = 'DONE') = (result IS NOT NULL)",
            name=op.f("ck_simulations_done_has_a_result"),
        ),
        sa.CheckConstraint(
            "(status = 'FAILED') = (problem IS NOT NULL)",
            name=op.f("ck_simulations_failed_says_why"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_simulations_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_simulations")),
    )
    op.create_index(op.f("ix_simulations_status_id"), "simulations", ["status", "id"])
    op.execute(
        """
        INSERT INTO cap_counters
            (brand_id, campaign_id, subject_kind, subject, window_key, used, times_max)
        SELECT brand_id, campaign_id, 'STAGE', CAST(stage AS text) || ':' || asset, 'ALL',
            SUM(amount), 1000000000000
        FROM draws WHERE amount IS NOT NULL GROUP BY brand_id, campaign_id, stage, asset
        """
    )


def downgrade() -> None:
    op.execute("DELETE FROM cap_counters WHERE subject_kind = 'STAGE'")
    op.drop_table("simulations")
