"""Coupons that partners issue are told apart.

Revision ID: 0027
Revises: 0026
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KNOWN = "cause_kind IN ('SCAN', 'BOUGHT', 'ORDER', 'GIFT'{more})"


def upgrade() -> None:
    _check_causes(KNOWN.format(more=", 'PARTNER'"))


def downgrade() -> None:
    _check_causes(KNOWN.format(more=""))


def _check_causes(known: str) -> None:
    with op.batch_alter_table("coupons") as batch:
        batch.drop_constraint(op.f("ck_coupons_cause_known"), type_="check")
        batch.create_check_constraint(op.f("ck_coupons_cause_known"), known)
