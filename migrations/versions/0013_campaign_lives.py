"""Campaigns' lives: drafts, status, conditions.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind()


def downgrade() -> None:
    op.get_bind()
