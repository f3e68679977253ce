"""Ages, tax withheld, prizes that are things.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _ages()


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


def downgrade() -> None:
    op.drop_table("age_statements")
    with op.batch_alter_table("products") as batch:
        batch.drop_constraint(op.f("ck_products_age_min_of_people"), type_="check")
        batch.drop_column("age_min")
    op.drop_column("identities", "born_by")
