"""Rewards of guides that wait until consumers have taken what they got.

Revision ID: 0047
Revises: 0046
"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

_KINDS = "'ITEM', 'NEXT_SCAN', 'ACTION', 'AFTER', 'ON', 'BOX_BOTTLES', 'INNER_SCAN'"
_INDEX = "ix_locked_rewards_by_item"


def upgrade() -> None:
    _set_kinds(f"{_KINDS}, 'TAKEN'", "unlock_kind IN ('ITEM', 'TAKEN')")


def downgrade() -> None:
    _set_kinds(_KINDS, "unlock_kind = 'ITEM'")


def _set_kinds(kinds: str, of_item: str) -> None:
    op.drop_index(_INDEX, table_name="locked_rewards")
    with op.batch_alter_table("locked_rewards") as batch:
        batch.drop_constraint(op.f("ck_locked_rewards_kind_known"), type_="check")
        batch.create_check_constraint(
            op.f("ck_locked_rewards_kind_known"), f"unlock_kind IN ({kinds})"
        )
    where = sa.text(f"status = 'LOCKED' AND {of_item}")
    op.create_index(
        _INDEX,
        "locked_rewards",
        ["brand_id", "unlock_key"],
        sqlite_where=where,
        postgresql_where=where,
    )
