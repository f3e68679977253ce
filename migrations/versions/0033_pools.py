"""Pools: stock that partners put in.

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coupon_pools",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("reserve_fen", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reserve_fen >= 0", name=op.f("ck_coupon_pools_not_negative")),
        sa.ForeignKeyConstraint(
            ["brand_id", "template_id"],
            ["coupon_templates.brand_id", "coupon_templates.id"],
            name=op.f("fk_coupon_pools_brand_id_template_id_coupon_templates"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "agreement_id"],
            ["agreements.brand_id", "agreements.id"],
            name=op.f("fk_coupon_pools_brand_id_agreement_id_agreements"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "template_id", name=op.f("pk_coupon_pools")),
    )
    op.create_table(
        "pool_moves",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("brand_id <> host_id", name=op.f("ck_pool_moves_two_brands")),
        sa.CheckConstraint("count <> 0", name=op.f("ck_pool_moves_some")),
        sa.ForeignKeyConstraint(
            ["host_id"], ["brands.id"], name=op.f("fk_pool_moves_host_id_brands")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "agreement_id"],
            ["agreements.brand_id", "agreements.id"],
            name=op.f("fk_pool_moves_brand_id_agreement_id_agreements"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_pool_moves_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_pool_moves")),
    )
    op.create_index(
        op.f("ix_pool_moves_brand_id_host_id_template_id"),
        "pool_moves",
        ["brand_id", "host_id", "template_id"],
    )


def downgrade() -> None:
    op.drop_table("pool_moves")
    op.drop_table("coupon_pools")
