"""Ages, tax withheld, prizes that are things.

Revision ID: 0021
Revises: 0020
"""

from uuid import uuid5

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _ages()
    _withholdings()


def _ages() -> None:
    op.add_column("identities", sa.Column("born_by", sa.Date(), nullable=True))
    with op.batch_alter_table("products") as batch:
        batch.add_column(sa.Column("age_min", sa.Integer(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_products_age_min_of_people"), "age_min BETWEEN 1 AND 120"
        )
    op.create_table(
        "age_statements",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("age", sa.Integer(), nullable=False),
        sa.Column("born_by", sa.Date(), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("age BETWEEN 1 AND 120", name=op.f("ck_age_statements_age_of_people")),
        sa.ForeignKeyConstraint(
            ["brand_id", "identity_id"],
            ["identities.brand_id", "identities.id"],
            name=op.f("fk_age_statements_brand_id_identity_id_identities"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_age_statements")),
    )
    op.create_index(
        op.f("ix_age_statements_brand_id_identity_id"),
        "age_statements",
        ["brand_id", "identity_id"],
    )


def _withholdings() -> None:
    with op.batch_alter_table("brands") as batch:
        batch.add_column(sa.Column("withholding_threshold_fen", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("withholding_rate_percent", sa.Integer(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_brands_withholding_whole"),
            "(withholding_threshold_fen IS NULL) = (withholding_rate_percent IS NULL)",
        )
    op.create_table(
        "withholdings",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("prize_kind", sa.String(), nullable=False),
        sa.Column("prize_id", sa.Uuid(), nullable=False),
        sa.Column("credit_id", sa.Uuid(), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("tax_fen", sa.BigInteger(), nullable=False),
        sa.Column("rate_percent", sa.Integer(), nullable=False),
        sa.Column("threshold_fen", sa.BigInteger(), nullable=False),
        sa.Column("withheld_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "tax_fen > 0 AND tax_fen < gross_fen",
            name=op.f("ck_withholdings_part_of_the_prize"),
        ),
        sa.CheckConstraint(
            "prize_kind IN ('DRAW', 'RAFFLE')", name=op.f("ck_withholdings_prize_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_withholdings_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_withholdings")),
        sa.UniqueConstraint(
            "brand_id", "credit_id", name=op.f("uq_withholdings_brand_id_credit_id")
        ),
        sa.UniqueConstraint("brand_id", "prize_id", name=op.f("uq_withholdings_brand_id_prize_id")),
    )
    op.create_index(
        op.f("ix_withholdings_brand_id_withheld_at"), "withholdings", ["brand_id", "withheld_at"]
    )
    _open_tax_books()


def _open_tax_books() -> None:
    """Of brands that have a book for payouts: as old as that one."""
    columns = ("brand_id", "owner_id", "asset", "kind", "overdraft_allowed", "created_at")
    types = (sa.Uuid(), sa.Uuid(), sa.String(), sa.String(), sa.Boolean(), None)
    accounts = sa.table(
        "accounts",
        sa.column("id", sa.Uuid()),
        *(
            sa.column(name, type_ or sa.DateTime(timezone=True))
            for name, type_ in zip(columns, types, strict=True)
        ),
        *(
            sa.column(name, sa.BigInteger())
            for name in ("credits_posted", "debits_posted", "credits_pending", "debits_pending")
        ),
    )
    connection = op.get_bind()
    found = connection.execute(
        sa.select(accounts.c.brand_id, accounts.c.created_at).where(accounts.c.kind == "PAYOUT")
    )
    zeros = dict.fromkeys(
        ("credits_posted", "debits_posted", "credits_pending", "debits_pending"), 0
    )
    rows = [
        {
            **zeros,
            "brand_id": brand_id,
            "id": uuid5(brand_id, "TAX"),
            "owner_id": brand_id,
            "asset": "CASH",
            "kind": "TAX",
            "overdraft_allowed": False,
            "created_at": created_at,
        }
        for brand_id, created_at in found
    ]
    if rows:
        connection.execute(accounts.insert(), rows)


def downgrade() -> None:
    op.drop_table("withholdings")
    op.execute("DELETE FROM accounts WHERE kind = 'TAX'")
    with op.batch_alter_table("brands") as batch:
        batch.drop_constraint(op.f("ck_brands_withholding_whole"), type_="check")
        batch.drop_column("withholding_rate_percent")
        batch.drop_column("withholding_threshold_fen")
    op.drop_table("age_statements")
    with op.batch_alter_table("products") as batch:
        batch.drop_constraint(op.f("ck_products_age_min_of_people"), type_="check")
        batch.drop_column("age_min")
    op.drop_column("identities", "born_by")
