"""Locks that wait for an item are found by it through an index of their own.

The index by brand and key held all locked rewards of a brand under the one key of those that wait
for somebody's next scan: a plan that chose it, as for a young table it may, read all of them.

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_BY_KEY = "ix_locked_rewards_brand_id_unlock_key"
_BY_ITEM = "ix_locked_rewards_by_item"
_WAITS_FOR_ITEM = sa.text("status = 'LOCKED' AND unlock_kind = 'ITEM'")


def upgrade() -> None:
    op.create_index(
        _BY_ITEM,
        "locked_rewards",
        ["brand_id", "unlock_key"],
        sqlite_where=_WAITS_FOR_ITEM,
        postgresql_where=_WAITS_FOR_ITEM,
    )
    op.drop_index(op.f(_BY_KEY), "locked_rewards")


def downgrade() -> None:
    op.create_index(op.f(_BY_KEY), "locked_rewards", ["brand_id", "unlock_key"])
    op.drop_index(_BY_ITEM, "locked_rewards")
