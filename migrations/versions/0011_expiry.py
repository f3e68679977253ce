"""Sweeps of lots past their last day; extensions are found by their account."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expiry_runs",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("swept_on", sa.Date(), nullable=False),
        sa.Column("below_expires_on", sa.Date(), nullable=False),
        sa.Column("below_account_id", sa.Uuid(), nullable=False),
        sa.Column("lots_past", sa.BigInteger(), nullable=False),
        sa.Column("lots_seen", sa.BigInteger(), nullable=False),
        sa.Column("lots_expired", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "lots_past >= 0 AND lots_seen >= 0 AND lots_expired >= 0",
            name=op.f("ck_expiry_runs_counts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_expiry_runs_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_expiry_runs")),
        sa.UniqueConstraint("brand_id", "swept_on", name=op.f("uq_expiry_runs_brand_id_swept_on")),
    )
    op.create_index(
        op.f("ix_lot_extensions_brand_id_account_id_id"),
        "lot_extensions",
        ["brand_id", "account_id", "id"],
        unique=False,
    )
