"""Coupons that wait for something before they are issued.

Revision ID: 0043
Revises: 0042
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _check_causes("'SCAN', 'PURCHASE', 'EVENT', 'LOCK'")
    with op.batch_alter_table("locked_rewards") as batch:
        batch.add_column(sa.Column("coupon_template_id", sa.Uuid(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_locked_rewards_coupon_or_amount"),
            "(coupon_template_id IS NOT NULL) = (asset = 'COUPON')",
        )


def downgrade() -> None:
    with op.batch_alter_table("locked_rewards") as batch:
        batch.drop_constraint(op.f("ck_locked_rewards_coupon_or_amount"), type_="check")
        batch.drop_column("coupon_template_id")
    _check_causes("'SCAN', 'PURCHASE', 'EVENT'")


def _check_causes(won: str) -> None:
    known = f"cause_kind IN ({won}, 'BOUGHT', 'ORDER', 'GIFT', 'PARTNER', 'RAFFLE')"
    with op.batch_alter_table("coupons") as batch:
        batch.drop_constraint(op.f("ck_coupons_cause_known"), type_="check")
        batch.create_check_constraint(op.f("ck_coupons_cause_known"), known)
