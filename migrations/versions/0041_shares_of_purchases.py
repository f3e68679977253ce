"""What purchases came to for who is behind their places, and what returns took of whom.

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_TAKINGS = "purchase_return_takings"
_KEY = "pk_purchase_return_takings"


def upgrade() -> None:
    op.create_table(
        "purchase_shares",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("unpaid_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "role IN ('STORE', 'DEALER', 'SALESPERSON')",
            name=op.f("ck_purchase_shares_role_behind_a_place"),
        ),
        sa.CheckConstraint(
            "unpaid_reason IN ('NO_PLACE', 'VACANT', 'NOT_ENROLLED', 'FROZEN', 'SELF_DEALING',"
            " 'CAP', 'NOTHING')",
            name=op.f("ck_purchase_shares_unpaid_reason_known"),
        ),
        sa.CheckConstraint(
            "(member_id IS NULL) = (COALESCE(unpaid_reason, '') IN"
            " ('NO_PLACE', 'VACANT', 'NOT_ENROLLED'))",
            name=op.f("ck_purchase_shares_member_known_where_there_is_one"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_purchase_shares_brand_id_member_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "purchase_id"],
            ["purchase_events.brand_id", "purchase_events.id"],
            name=op.f("fk_purchase_shares_brand_id_purchase_id_purchase_events"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "purchase_id", "role", name=op.f("pk_purchase_shares")),
    )
    with op.batch_alter_table(_TAKINGS) as batch:
        batch.add_column(sa.Column("role", sa.String(), nullable=False, server_default="CONSUMER"))
        batch.drop_constraint(op.f(_KEY), type_="primary")
        batch.create_primary_key(op.f(_KEY), ["brand_id", "return_id", "role", "asset"])
    with op.batch_alter_table(_TAKINGS) as batch:
        batch.alter_column("role", server_default=None)


def downgrade() -> None:
    op.execute(f"DELETE FROM {_TAKINGS} WHERE role <> 'CONSUMER'")
    with op.batch_alter_table(_TAKINGS) as batch:
        batch.drop_constraint(op.f(_KEY), type_="primary")
        batch.drop_column("role")
        batch.create_primary_key(op.f(_KEY), ["brand_id", "return_id", "asset"])
    op.drop_table("purchase_shares")
