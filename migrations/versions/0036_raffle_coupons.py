"""Prizes of raffles that are coupons.

Revision ID: 0036
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _check_causes(", 'RAFFLE'")
    with op.batch_alter_table("raffle_winners") as batch:
        batch.add_column(sa.Column("coupon_template_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("no_coupon", sa.String(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_raffle_winners_no_coupon_for"),
            "no_coupon IS NULL OR no_coupon IN ('OUT_OF_STOCK', 'PAUSED', 'OVER')"
            " AND coupon_template_id IS NOT NULL AND paid_at IS NOT NULL",
        )
        batch.create_foreign_key(
            op.f("fk_raffle_winners_brand_id_coupon_template_id_coupon_templates"),
            "coupon_templates",
            ["brand_id", "coupon_template_id"],
            ["brand_id", "id"],
        )


def downgrade() -> None:
    with op.batch_alter_table("raffle_winners") as batch:
        batch.drop_constraint(
            op.f("fk_raffle_winners_brand_id_coupon_template_id_coupon_templates"),
            type_="foreignkey",
        )
        batch.drop_constraint(op.f("ck_raffle_winners_no_coupon_for"), type_="check")
        batch.drop_column("no_coupon")
        batch.drop_column("coupon_template_id")
    _check_causes("")


def _check_causes(more: str) -> None:
    known = f"cause_kind IN ('SCAN', 'BOUGHT', 'ORDER', 'GIFT', 'PARTNER'{more})"
    with op.batch_alter_table("coupons") as batch:
        batch.drop_constraint(op.f("ck_coupons_cause_known"), type_="check")
        batch.create_check_constraint(op.f("ck_coupons_cause_known"), known)
