"""Netting over several brands.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

KINDS = "kind IN ('REDEMPTION', 'REVERSAL', 'FEE', 'PAYMENT', 'ADJUSTMENT'{more})"
OPEN = sa.text("is_open")


def upgrade() -> None:
    with op.batch_alter_table("clearing_entries") as batch:
        batch.add_column(sa.Column("netting_run_id", sa.Uuid(), nullable=True))
        batch.drop_constraint(op.f("ck_clearing_entries_kind_known"), type_="check")
        batch.create_check_constraint(
            op.f("ck_clearing_entries_kind_known"), KINDS.format(more=", 'NETTING'")
        )
        batch.create_check_constraint(
            op.f("ck_clearing_entries_netting_run"),
            "(kind = 'NETTING') = (netting_run_id IS NOT NULL)",
        )
    _runs()
    _legs()


def downgrade() -> None:
    op.drop_table("netting_legs")
    op.drop_table("netting_runs")
    with op.batch_alter_table("clearing_entries") as batch:
        batch.drop_constraint(op.f("ck_clearing_entries_netting_run"), type_="check")
        batch.drop_constraint(op.f("ck_clearing_entries_kind_known"), type_="check")
        batch.create_check_constraint(op.f("ck_clearing_entries_kind_known"), KINDS.format(more=""))
        batch.drop_column("netting_run_id")


def _runs() -> None:
    time = sa.DateTime(timezone=True)
    checks = {
        "status_known": "status IN ('PROPOSED', 'POSTED', 'DECLINED', 'WITHDRAWN')",
        "decided_at": "(status = 'PROPOSED') = (decided_at IS NULL)",
        "reason": "(status = 'DECLINED') = (reason IS NOT NULL)",
        "approved_wholly": "(approved_at IS NULL) = (approved_by IS NULL)",
        "approved": "status <> 'POSTED' OR approved_at IS NOT NULL",
    }
    op.create_table(
        "netting_runs",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("net_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("proposed_at", time, nullable=False),
        sa.Column("approved_at", time, nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", time, nullable=True),
        *(
            sa.CheckConstraint(condition, name=op.f(f"ck_netting_runs_{name}"))
            for name, condition in checks.items()
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_netting_runs_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_netting_runs")),
    )


def _legs() -> None:
    checks = {
        "amount_not_zero": "owed_fen <> 0 OR pays_fen <> 0",
        "open": "NOT is_open OR owed_fen <> 0",
        "two_brands": "brand_id <> partner_id",
    }
    op.create_table(
        "netting_legs",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("owed_fen", sa.BigInteger(), nullable=False),
        sa.Column("pays_fen", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        *(
            sa.CheckConstraint(condition, name=op.f(f"ck_netting_legs_{name}"))
            for name, condition in checks.items()
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "run_id"],
            ["netting_runs.brand_id", "netting_runs.id"],
            name=op.f("fk_netting_legs_brand_id_run_id_netting_runs"),
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["brands.id"], name=op.f("fk_netting_legs_partner_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "run_id", "partner_id", name=op.f("pk_netting_legs")),
    )
    op.create_index(
        "uq_netting_legs_open",
        "netting_legs",
        ["brand_id", "partner_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
