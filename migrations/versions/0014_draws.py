"""Draws: seeds and receipts.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind()


def downgrade() -> None:
    op.get_bind()
