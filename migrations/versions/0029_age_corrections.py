"""Ages that operators put right.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("age_statements", sa.Column("operator_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("age_statements", "operator_id")
