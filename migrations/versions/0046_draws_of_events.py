"""Draws of purchases and other events, of every role, and prizes that wait.

Revision ID: 0046
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_OLD_KEY = "uq_draws_brand_id_scan_id"
_NEW_KEY = "uq_draws_brand_id_cause_id_role"


def upgrade() -> None:
    with op.batch_alter_table("draws") as batch:
        batch.drop_constraint(op.f(_OLD_KEY), type_="unique")
        batch.alter_column("scan_id", new_column_name="cause_id")
        batch.add_column(
            sa.Column("cause_kind", sa.String(), nullable=False, server_default="SCAN")
        )
        batch.add_column(sa.Column("role", sa.String(), nullable=False, server_default="CONSUMER"))
        batch.add_column(
            sa.Column("is_locked", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("draws") as batch:
        batch.create_unique_constraint(op.f(_NEW_KEY), ["brand_id", "cause_id", "role"])
        batch.create_check_constraint(
            op.f("ck_draws_cause_kind_known"), "cause_kind IN ('SCAN', 'PURCHASE', 'EVENT')"
        )
        for name in ("cause_kind", "role", "is_locked"):
            batch.alter_column(name, server_default=None)
    with op.batch_alter_table("locked_rewards") as batch:
        batch.add_column(sa.Column("draw_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("locked_rewards") as batch:
        batch.drop_column("draw_id")
    # Those of others than consumers' scans are nothing that was known before.
    op.execute("DELETE FROM draws WHERE cause_kind <> 'SCAN' OR role <> 'CONSUMER'")
    with op.batch_alter_table("draws") as batch:
        batch.drop_constraint(op.f(_NEW_KEY), type_="unique")
        batch.drop_constraint(op.f("ck_draws_cause_kind_known"), type_="check")
        for name in ("cause_kind", "role", "is_locked"):
            batch.drop_column(name)
    with op.batch_alter_table("draws") as batch:
        batch.alter_column("cause_id", new_column_name="scan_id")
        batch.create_unique_constraint(op.f(_OLD_KEY), ["brand_id", "scan_id"])
