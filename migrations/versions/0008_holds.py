"""Holds of balances, and adjustments by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_holds()
    _add_adjustments()


def _add_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('HELD', 'CAPTURED', 'RELEASED', 'LAPSED')",
            name=op.f("ck_holds_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'HELD') = (ended_at IS NULL)", name=op.f("ck_holds_ended_at")
        ),
        sa.CheckConstraint(
            "amount > 0 AND captured >= 0 AND captured <= amount", name=op.f("ck_holds_amounts")
        ),
        sa.CheckConstraint(
            "(status = 'CAPTURED') = (captured > 0)", name=op.f("ck_holds_captured")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_holds_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_holds")),
    )
    op.create_index(
        "ix_holds_held",
        "holds",
        ["held_until"],
        unique=False,
        sqlite_where=sa.text("status = 'HELD'"),
        postgresql_where=sa.text("status = 'HELD'"),
    )
    op.create_index(
        op.f("ix_holds_brand_id_member_id_id"),
        "holds",
        ["brand_id", "member_id", "id"],
        unique=False,
    )


def _add_adjustments() -> None:
    op.create_table(
        "adjustments",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("proposed_by_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'APPLIED', 'REJECTED')",
            name=op.f("ck_adjustments_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'PROPOSED') = (decided_at IS NULL)", name=op.f("ck_adjustments_decided_at")
        ),
        sa.CheckConstraint(
            "decided_by_id <> proposed_by_id", name=op.f("ck_adjustments_two_people")
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_adjustments_amount_not_zero")),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_adjustments_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_adjustments")),
    )
    op.create_index(
        op.f("ix_adjustments_brand_id_member_id_id"),
        "adjustments",
        ["brand_id", "member_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_adjustments_proposed",
        "adjustments",
        ["brand_id", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'PROPOSED'"),
        postgresql_where=sa.text("status = 'PROPOSED'"),
    )
