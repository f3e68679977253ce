"""Draws: seeds and receipts.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("campaign_versions") as batch:
        batch.add_column(sa.Column("draw", JSON, nullable=True))
    op.create_table(
        "draw_seeds",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("drawn_on", sa.Date(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("seed_hash", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seed", sa.String(), nullable=True),
        sa.Column("revealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(seed IS NULL) = (revealed_at IS NULL)", name=op.f("ck_draw_seeds_revealed_at_a_time")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "campaign_id"],
            ["campaigns.brand_id", "campaigns.id"],
            name=op.f("fk_draw_seeds_brand_id_campaign_id_campaigns"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "campaign_id", "drawn_on", name=op.f("pk_draw_seeds")),
    )
    op.create_table(
        "draws",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_version_id", sa.Uuid(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("claim", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=True),
        sa.Column("drawn_on", sa.Date(), nullable=False),
        sa.Column("seed_hash", sa.String(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("inputs", JSON, nullable=False),
        sa.Column("base_ppm", sa.BigInteger(), nullable=False),
        sa.Column("odds_ppm", sa.BigInteger(), nullable=False),
        sa.Column("u", sa.String(), nullable=False),
        sa.Column("member_draw_no", sa.BigInteger(), nullable=True),
        sa.Column("is_guaranteed", sa.Boolean(), nullable=False),
        sa.Column("pointed_prize", sa.String(), nullable=True),
        sa.Column("given_prize", sa.String(), nullable=True),
        sa.Column("exhausted", JSON, nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=True),
        sa.Column("day_ordinal", sa.BigInteger(), nullable=True),
        sa.Column("asset", sa.String(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("coupon_template_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_draws")),
        sa.UniqueConstraint("brand_id", "scan_id", name=op.f("uq_draws_brand_id_scan_id")),
    )
    op.create_index(
        op.f("ix_draws_brand_id_member_id_id"),
        "draws",
        ["brand_id", "member_id", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_draws_brand_id_campaign_id_drawn_on"),
        "draws",
        ["brand_id", "campaign_id", "drawn_on"],
        unique=False,
    )
