"""Bonus campaigns, and what became of them.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("campaign_versions") as batch:
        batch.add_column(sa.Column("bonus", JSON, nullable=True))
    op.create_table(
        "bonuses",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("bonus_group", sa.String(), nullable=False),
        sa.Column("cause_kind", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_version_id", sa.Uuid(), nullable=False),
        sa.Column("guide_member_id", sa.Uuid(), nullable=True),
        sa.Column("unpaid_reason", sa.String(), nullable=True),
        sa.Column("rewards", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "cause_kind IN ('SCAN', 'PURCHASE', 'EVENT')",
            name=op.f("ck_bonuses_cause_kind_known"),
        ),
        sa.CheckConstraint(
            "unpaid_reason IN ('NOTHING', 'CAP', 'BUDGET')",
            name=op.f("ck_bonuses_unpaid_reason_known"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "cause_id", "bonus_group", name=op.f("pk_bonuses")),
    )


def downgrade() -> None:
    op.drop_table("bonuses")
    with op.batch_alter_table("campaign_versions") as batch:
        batch.drop_column("bonus")
