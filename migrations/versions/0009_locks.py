"""Locked rewards as a general mechanism, reported actions, scans taken back, return policies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("campaign_versions") as batch:
        batch.add_column(
            sa.Column("return_policies", JSON, server_default=sa.text("'{}'"), nullable=False)
        )
    _add_tables()
    _widen_locked_rewards()


def _add_tables() -> None:
    op.create_table(
        "action_reports",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reported_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_action_reports")),
    )
    op.create_index(
        op.f("ix_action_reports_brand_id_member_id_id"),
        "action_reports",
        ["brand_id", "member_id", "id"],
    )
    op.create_table(
        "scan_reversals",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("reversed_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_scan_reversals")),
        sa.UniqueConstraint("brand_id", "scan_id", name=op.f("uq_scan_reversals_brand_id_scan_id")),
    )


def _widen_locked_rewards() -> None:
    with op.batch_alter_table("locked_rewards") as batch:
        batch.add_column(sa.Column("cause_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("unlock_kind", sa.String(), nullable=True))
        batch.add_column(sa.Column("unlock_count", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("unlocks_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True))
        batch.drop_constraint(op.f("ck_locked_rewards_status_known"), type_="check")
    # Until now there was one kind: a guide's reward that waits for the consumer's scan.
    op.execute(
        """
        UPDATE locked_rewards SET unlock_kind = 'ITEM',
            unlock_count = CASE WHEN status = 'UNLOCKED' THEN 0 ELSE 1 END,
            cause_id = (SELECT t.cause_id FROM transfers t
                WHERE t.brand_id = locked_rewards.brand_id AND t.id = locked_rewards.id),
            resolved_at = (SELECT t.created_at FROM transfers t
                WHERE t.brand_id = locked_rewards.brand_id
                    AND t.id = locked_rewards.resolved_by_id)
        """
    )
    with op.batch_alter_table("locked_rewards") as batch:
        batch.alter_column("cause_id", existing_type=sa.Uuid(), nullable=False)
        batch.alter_column("unlock_kind", existing_type=sa.String(), nullable=False)
        batch.alter_column("unlock_count", existing_type=sa.BigInteger(), nullable=False)
        for name, condition in (
            ("status_known", "status IN ('LOCKED', 'UNLOCKED', 'VOIDED', 'LAPSED')"),
            ("resolved_at_a_time", "(resolved_by_id IS NULL) = (resolved_at IS NULL)"),
            ("kind_known", "unlock_kind IN ('ITEM', 'NEXT_SCAN', 'ACTION', 'AFTER', 'ON')"),
            ("unlocks_by_time", "(unlock_kind IN ('AFTER', 'ON')) = (unlocks_at IS NOT NULL)"),
            ("count_not_negative", "unlock_count >= 0"),
        ):
            batch.create_check_constraint(op.f(f"ck_locked_rewards_{name}"), condition)
    _index_locked_rewards()


def _index_locked_rewards() -> None:
    for columns in (("cause_id",), ("member_id", "id")):
        op.create_index(
            op.f(f"ix_locked_rewards_brand_id_{'_'.join(columns)}"),
            "locked_rewards",
            ["brand_id", *columns],
        )
    for name, found_by, condition in (
        ("waiting", ("brand_id", "member_id", "unlock_key"), "status = 'LOCKED'"),
        ("unlocking", ("unlocks_at",), "status = 'LOCKED' AND unlocks_at IS NOT NULL"),
        ("lapsing", ("lapses_at",), "status = 'LOCKED' AND lapses_at IS NOT NULL"),
    ):
        op.create_index(
            f"ix_locked_rewards_{name}",
            "locked_rewards",
            list(found_by),
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
