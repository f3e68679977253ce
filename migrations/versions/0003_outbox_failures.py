"""Failures of outbox events, beside the leases that they took."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default stays: servers of the version before know nothing of it while they are replaced,
    # and neither database rewrites the table. Facts that wait start again at the first step.
    op.add_column(
        "outbox_events",
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
