"""Campaigns' lives: drafts, status, conditions; a brand's prize ceiling.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("brands") as batch:
        batch.add_column(
            sa.Column(
                "prize_ceiling_fen", sa.BigInteger(), nullable=False, server_default="5000000"
            )
        )
        batch.create_check_constraint(op.f("ck_brands_ceiling_positive"), "prize_ceiling_fen > 0")
    with op.batch_alter_table("campaigns") as batch:
        batch.add_column(sa.Column("status", sa.String(), nullable=False, server_default="RUNNING"))
        batch.add_column(sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
        batch.create_check_constraint(
            op.f("ck_campaigns_status_known"), "status IN ('RUNNING', 'PAUSED', 'ENDED')"
        )
        batch.create_check_constraint(
            op.f("ck_campaigns_ended_at_a_time"), "(status = 'ENDED') = (ended_at IS NOT NULL)"
        )
    with op.batch_alter_table("campaign_versions") as batch:
        batch.add_column(sa.Column("condition", sa.String(), nullable=True))
    op.create_table(
        "campaign_drafts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("definition", JSON, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("saved_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("revision > 0", name=op.f("ck_campaign_drafts_revision_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_campaign_drafts_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_campaign_drafts")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_campaign_drafts_brand_id_code")),
    )
