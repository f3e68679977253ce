"""Coupons won by purchases and by other events than scans.

Revision ID: 0042
Revises: 0041
"""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _check_causes("'SCAN', 'PURCHASE', 'EVENT'")
    op.create_index(op.f("ix_coupons_brand_id_cause_id"), "coupons", ["brand_id", "cause_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_coupons_brand_id_cause_id"), table_name="coupons")
    _check_causes("'SCAN'")


def _check_causes(won: str) -> None:
    known = f"cause_kind IN ({won}, 'BOUGHT', 'ORDER', 'GIFT', 'PARTNER', 'RAFFLE')"
    with op.batch_alter_table("coupons") as batch:
        batch.drop_constraint(op.f("ck_coupons_cause_known"), type_="check")
        batch.create_check_constraint(op.f("ck_coupons_cause_known"), known)
