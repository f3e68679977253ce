"""The audit log is asked for what was done to one thing.

Revision ID: 0035
Revises: 0034
"""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_audit_log_brand_id_subject_id_id"), "audit_log", ["brand_id", "subject_id", "id"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_audit_log_brand_id_subject_id_id"), "audit_log")
