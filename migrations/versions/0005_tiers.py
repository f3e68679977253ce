"""Tiers by any metric and period, with an end; days that qualify; grants; re-evaluation."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _add_tables()
    _widen_ladders()
    _widen_standings()


def _add_tables() -> None:
    op.create_table(
        "qualifying_days",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "brand_id", "member_id", "metric", "day", name=op.f("pk_qualifying_days")
        ),
    )
    op.create_table(
        "re_evaluations",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ladder_id", sa.Uuid(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("after_member_id", sa.Uuid(), nullable=True),
        sa.Column("rows_total", sa.BigInteger(), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("rows_moved", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('DUE', 'RANKED', 'ALL')", name=op.f("ck_re_evaluations_kind_known")
        ),
        sa.CheckConstraint(
            "(kind = 'DUE') = (ladder_id IS NULL)",
            name=op.f("ck_re_evaluations_ladder_of_its_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "ladder_id"],
            ["ladders.brand_id", "ladders.id"],
            name=op.f("fk_re_evaluations_brand_id_ladder_id_ladders"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_re_evaluations_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_re_evaluations")),
        sa.UniqueConstraint("brand_id", "name", name=op.f("uq_re_evaluations_brand_id_name")),
    )
    op.create_index(
        "ix_re_evaluations_open",
        "re_evaluations",
        ["brand_id", "id"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _widen_ladders() -> None:
    """Published ladders keep their meaning: the growth balance, at once, without end."""
    with op.batch_alter_table("ladders") as batch:
        for name in ("metric", "metric_asset", "period_kind", "period_unit"):
            batch.add_column(sa.Column(name, sa.String(), nullable=True))
        batch.add_column(sa.Column("period_count", sa.Integer(), nullable=True))
        for name in ("starts", "ends", "grace", "downgrade"):
            batch.add_column(sa.Column(name, sa.String(), nullable=True))
        batch.add_column(sa.Column("counting_id", sa.Uuid(), nullable=True))
    op.execute(
        "UPDATE ladders SET metric = 'GROWTH', starts = 'AT_ONCE', ends = 'NEVER',"
        " downgrade = 'TO_EARNED'"
    )
    with op.batch_alter_table("ladders") as batch:
        for name in ("metric", "starts", "ends", "downgrade"):
            batch.alter_column(name, existing_type=sa.String(), nullable=False)
        for name, condition in _LADDER_CHECKS.items():
            batch.create_check_constraint(op.f(f"ck_ladders_{name}"), condition)
    with op.batch_alter_table("ladder_levels") as batch:
        batch.add_column(sa.Column("invitation_only", sa.Boolean(), nullable=True))
        batch.drop_constraint(op.f("ck_ladder_levels_rank_0_is_free"), type_="check")
    op.execute("UPDATE ladder_levels SET invitation_only = false")
    with op.batch_alter_table("ladder_levels") as batch:
        batch.alter_column("invitation_only", existing_type=sa.Boolean(), nullable=False)
        batch.create_check_constraint(
            op.f("ck_ladder_levels_rank_0_is_free"),
            "(rank = 0 OR invitation_only) = (growth_threshold = 0)",
        )
        batch.create_check_constraint(
            op.f("ck_ladder_levels_rank_0_is_open"), "rank > 0 OR NOT invitation_only"
        )


_LADDER_CHECKS = {
    "metric_known": "metric IN ('GROWTH', 'EARNED', 'SPEND', 'SCANS', 'VISITS')",
    "earned_of_asset": "(metric = 'EARNED') = (metric_asset IS NOT NULL)",
    "period_kind_known": "period_kind IS NULL OR period_kind IN ('CALENDAR', 'ROLLING', 'JOIN')",
    "period_whole": "(period_kind IS NULL) = (period_unit IS NULL) AND (period_kind IS NULL) = (period_count IS NULL)",
    "counts_in_a_period": "metric = 'GROWTH' OR (period_kind IS NOT NULL AND counting_id IS NOT NULL)",
    "starts_known": "starts IN ('AT_ONCE', 'NEXT_PERIOD')",
    "ends_known": "ends IN ('NEVER', 'PERIOD_END', 'NEXT_PERIOD_END', 'BALANCE_DROP')",
    "downgrade_known": "downgrade IN ('ONE_STEP', 'TO_EARNED')",
}


def _widen_standings() -> None:
    """What members hold they have earned; what moved them was growth, or a new ladder."""
    with op.batch_alter_table("standings") as batch:
        batch.add_column(sa.Column("basis", sa.String(), nullable=True))
        batch.add_column(sa.Column("held_until", sa.Date(), nullable=True))
        batch.add_column(sa.Column("earned_rank", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("earned_until", sa.Date(), nullable=True))
        batch.add_column(sa.Column("grant_rank", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("grant_kind", sa.String(), nullable=True))
        batch.add_column(sa.Column("grant_until", sa.Date(), nullable=True))
        batch.add_column(sa.Column("grant_reason", sa.String(), nullable=True))
        batch.add_column(sa.Column("pending_rank", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("pending_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("due_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("counting_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("revision", sa.BigInteger(), nullable=True))
    op.execute("UPDATE standings SET basis = 'EARNED', earned_rank = rank, revision = 1")
    with op.batch_alter_table("standings") as batch:
        batch.alter_column("basis", existing_type=sa.String(), nullable=False)
        batch.alter_column("earned_rank", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("revision", existing_type=sa.BigInteger(), nullable=False)
        for name, condition in _STANDING_CHECKS.items():
            batch.create_check_constraint(op.f(f"ck_standings_{name}"), condition)
    op.create_index(
        "ix_standings_due",
        "standings",
        ["brand_id", "due_on", "member_id"],
        sqlite_where=sa.text("due_on IS NOT NULL"),
        postgresql_where=sa.text("due_on IS NOT NULL"),
    )
    with op.batch_alter_table("standing_changes") as batch:
        batch.add_column(sa.Column("reason", sa.String(), nullable=True))
        batch.add_column(sa.Column("cause_kind", sa.String(), nullable=True))
        batch.add_column(sa.Column("cause_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("note", sa.String(), nullable=True))
    op.execute(
        "UPDATE standing_changes SET note = '',"
        " reason = CASE WHEN transfer_id IS NULL THEN 'LADDER' ELSE 'EARNED' END"
    )
    with op.batch_alter_table("standing_changes") as batch:
        batch.alter_column("reason", existing_type=sa.String(), nullable=False)
        batch.alter_column("note", existing_type=sa.String(), nullable=False)
        batch.create_check_constraint(
            op.f("ck_standing_changes_reason_known"),
            "reason IN ('EARNED', 'LAPSED', 'DROPPED', 'GRANTED', 'GRANT_ENDED', 'INVITED', 'LADDER', 'MERGED')",
        )


_STANDING_CHECKS = {
    "basis_known": "basis IN ('EARNED', 'GRANTED', 'INVITED')",
    "grant_whole": "(grant_rank IS NULL) = (grant_kind IS NULL) AND (grant_rank IS NULL) = (grant_reason IS NULL) AND (grant_rank IS NOT NULL OR grant_until IS NULL)",
    "pending_whole": "(pending_rank IS NULL) = (pending_on IS NULL)",
}
