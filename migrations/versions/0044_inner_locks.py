"""Rewards that wait for an item's INNER code; the transfers behind levels that moved, all of them.

Revision ID: 0044
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_KINDS = "'ITEM', 'NEXT_SCAN', 'ACTION', 'AFTER', 'ON', 'BOX_BOTTLES'"

# What fell at night had no transfer: growth had expired by then.
_FELL = """
    UPDATE standing_changes SET transfer_id = (
        SELECT t.id FROM accounts a
        JOIN transfers t ON t.brand_id = a.brand_id AND t.debit_account_id = a.id
            AND t.kind = 'EXPIRE'
        WHERE a.brand_id = standing_changes.brand_id AND a.owner_id = standing_changes.member_id
            AND a.asset = 'GROWTH' AND a.kind = 'MAIN'
            AND t.created_at <= standing_changes.created_at
        ORDER BY t.id DESC LIMIT 1)
    WHERE transfer_id IS NULL AND cause_id IS NULL AND reason = 'DROPPED'
"""

# What counted spending, scans or visits had its event alone.
_ROSE = """
    UPDATE standing_changes SET transfer_id = (
        SELECT t.id FROM accounts a
        JOIN transfers t ON t.brand_id = a.brand_id AND t.credit_account_id = a.id
        WHERE a.brand_id = standing_changes.brand_id AND a.owner_id = standing_changes.member_id
            AND t.cause_id = standing_changes.cause_id
            AND t.cause_kind = standing_changes.cause_kind
        ORDER BY t.id LIMIT 1)
    WHERE transfer_id IS NULL AND cause_id IS NOT NULL AND reason = 'EARNED'
"""

_LOST = """
    UPDATE standing_changes SET transfer_id = (
        SELECT t.id FROM accounts a
        JOIN transfers t ON t.brand_id = a.brand_id AND t.debit_account_id = a.id
            AND t.kind <> 'EARN'
        WHERE a.brand_id = standing_changes.brand_id AND a.owner_id = standing_changes.member_id
            AND t.cause_id = standing_changes.cause_id
            AND t.cause_kind = standing_changes.cause_kind
        ORDER BY t.id LIMIT 1)
    WHERE transfer_id IS NULL AND cause_id IS NOT NULL AND reason = 'DROPPED'
"""


def upgrade() -> None:
    _check_kinds(f"{_KINDS}, 'INNER_SCAN'")
    with op.batch_alter_table("standings") as batch:
        batch.add_column(sa.Column("pending_transfer_id", sa.Uuid(), nullable=True))
    for statement in (_FELL, _ROSE, _LOST):
        op.execute(statement)


def downgrade() -> None:
    with op.batch_alter_table("standings") as batch:
        batch.drop_column("pending_transfer_id")
    _check_kinds(_KINDS)


def _check_kinds(kinds: str) -> None:
    with op.batch_alter_table("locked_rewards") as batch:
        batch.drop_constraint(op.f("ck_locked_rewards_kind_known"), type_="check")
        batch.create_check_constraint(
            op.f("ck_locked_rewards_kind_known"), f"unlock_kind IN ({kinds})"
        )
