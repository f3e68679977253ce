"""Raffles and member days.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("brands") as batch:
        batch.add_column(sa.Column("member_days", JSON, nullable=False, server_default="[]"))

    _raffles()
    _entries()
    _winners()


def _raffles() -> None:
    op.create_table(
        "raffles",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cost_asset", sa.String(), nullable=True),
        sa.Column("cost_amount", sa.BigInteger(), nullable=True),
        sa.Column("entries_max", sa.Integer(), nullable=False),
        sa.Column("condition", sa.String(), nullable=True),
        sa.Column("prize_table", JSON, nullable=False),
        sa.Column("budgets", JSON, nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("seed_hash", sa.String(), nullable=False),
        sa.Column("seed", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=True),
        sa.Column("entrants", sa.BigInteger(), nullable=True),
        sa.Column("progress_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_raffles_window")),
        sa.CheckConstraint(
            "(cost_asset IS NULL) = (cost_amount IS NULL) AND (cost_amount IS NULL"
            " OR cost_amount > 0)",
            name=op.f("ck_raffles_cost_whole"),
        ),
        sa.CheckConstraint("entries_max > 0", name=op.f("ck_raffles_entries_max_positive")),
        sa.CheckConstraint(
            "status IN ('OPEN', 'CLOSED', 'DRAWN', 'CANCELLED')",
            name=op.f("ck_raffles_status_known"),
        ),
        sa.CheckConstraint(
            "(seed IS NULL) = (status <> 'DRAWN')", name=op.f("ck_raffles_revealed_when_drawn")
        ),
        sa.CheckConstraint(
            "(status = 'DRAWN') = (drawn_at IS NOT NULL)",
            name=op.f("ck_raffles_drawn_at_a_time"),
        ),
        sa.CheckConstraint(
            "(status = 'CANCELLED') = (cancelled_at IS NOT NULL)"
            " AND (status = 'CANCELLED') = (reason IS NOT NULL)",
            name=op.f("ck_raffles_cancelled_for"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_raffles_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_raffles")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_raffles_brand_id_code")),
    )
    op.create_index(
        op.f("ix_raffles_unsettled"),
        "raffles",
        ["closes_at"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def _entries() -> None:
    op.create_table(
        "raffle_entries",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("raffle_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("entrant_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number > 0", name=op.f("ck_raffle_entries_number_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id", "raffle_id"],
            ["raffles.brand_id", "raffles.id"],
            name=op.f("fk_raffle_entries_brand_id_raffle_id_raffles"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_raffle_entries_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_raffle_entries")),
        sa.UniqueConstraint(
            "brand_id",
            "raffle_id",
            "member_id",
            "number",
            name=op.f("uq_raffle_entries_brand_id_raffle_id_member_id_number"),
        ),
    )
    op.create_index(
        op.f("ix_raffle_entries_brand_id_raffle_id_id"),
        "raffle_entries",
        ["brand_id", "raffle_id", "id"],
    )
    op.create_index(
        op.f("ix_raffle_entries_brand_id_raffle_id_score"),
        "raffle_entries",
        ["brand_id", "raffle_id", "score"],
    )
    op.create_index(
        op.f("ix_raffle_entries_brand_id_member_id_id"),
        "raffle_entries",
        ["brand_id", "member_id", "id"],
    )


def _winners() -> None:
    op.create_table(
        "raffle_winners",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("raffle_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("prize_no", sa.Integer(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "place > 0 AND prize_no >= 0 AND amount > 0", name=op.f("ck_raffle_winners_figures")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "raffle_id"],
            ["raffles.brand_id", "raffles.id"],
            name=op.f("fk_raffle_winners_brand_id_raffle_id_raffles"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "entry_id"],
            ["raffle_entries.brand_id", "raffle_entries.id"],
            name=op.f("fk_raffle_winners_brand_id_entry_id_raffle_entries"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_raffle_winners_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_raffle_winners")),
        sa.UniqueConstraint(
            "brand_id",
            "raffle_id",
            "place",
            name=op.f("uq_raffle_winners_brand_id_raffle_id_place"),
        ),
        sa.UniqueConstraint(
            "brand_id",
            "raffle_id",
            "member_id",
            name=op.f("uq_raffle_winners_brand_id_raffle_id_member_id"),
        ),
        sa.UniqueConstraint(
            "brand_id", "entry_id", name=op.f("uq_raffle_winners_brand_id_entry_id")
        ),
    )
