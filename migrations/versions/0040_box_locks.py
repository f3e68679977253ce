"""Rewards that wait for so many bottles of a box, and how many bottles of one were scanned.

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_KINDS = "'ITEM', 'NEXT_SCAN', 'ACTION', 'AFTER', 'ON'"
_WAITS_FOR_BOX = sa.text("status = 'LOCKED' AND box_item_no IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "box_counts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("box_item_no", sa.BigInteger(), nullable=False),
        sa.Column("bottles", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("bottles > 0", name=op.f("ck_box_counts_bottles_positive")),
        sa.PrimaryKeyConstraint("brand_id", "box_item_no", name=op.f("pk_box_counts")),
    )
    with op.batch_alter_table("locked_rewards") as batch:
        batch.add_column(sa.Column("box_item_no", sa.BigInteger(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_locked_rewards_box_of_bottles"),
            "box_item_no IS NULL OR unlock_kind = 'BOX_BOTTLES'",
        )
    _check_kinds(f"{_KINDS}, 'BOX_BOTTLES'")
    op.create_index(
        "ix_locked_rewards_by_box",
        "locked_rewards",
        ["brand_id", "box_item_no"],
        sqlite_where=_WAITS_FOR_BOX,
        postgresql_where=_WAITS_FOR_BOX,
    )


def downgrade() -> None:
    op.drop_index("ix_locked_rewards_by_box", "locked_rewards")
    with op.batch_alter_table("locked_rewards") as batch:
        batch.drop_constraint(op.f("ck_locked_rewards_box_of_bottles"), type_="check")
        batch.drop_column("box_item_no")
    _check_kinds(_KINDS)
    op.drop_table("box_counts")


def _check_kinds(kinds: str) -> None:
    with op.batch_alter_table("locked_rewards") as batch:
        batch.drop_constraint(op.f("ck_locked_rewards_kind_known"), type_="check")
        batch.create_check_constraint(
            op.f("ck_locked_rewards_kind_known"), f"unlock_kind IN ({kinds})"
        )
