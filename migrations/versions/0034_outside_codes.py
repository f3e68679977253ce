"""Codes of third parties as stock of coupons.

Revision ID: 0034
Revises: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

GIVEN = sa.text("coupon_id IS NOT NULL")
SPARE = sa.text("coupon_id IS NULL")


def upgrade() -> None:
    _check_kinds(", 'CODE'")
    op.create_table(
        "outside_codes",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("code_cipher", sa.String(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(coupon_id IS NULL) = (given_at IS NULL)", name=op.f("ck_outside_codes_given_wholly")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "template_id"],
            ["coupon_templates.brand_id", "coupon_templates.id"],
            name=op.f("fk_outside_codes_brand_id_template_id_coupon_templates"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_outside_codes")),
        sa.UniqueConstraint(
            "brand_id",
            "template_id",
            "code_hash",
            name=op.f("uq_outside_codes_brand_id_template_id_code_hash"),
        ),
    )
    op.create_index(
        "uq_outside_codes_coupon",
        "outside_codes",
        ["brand_id", "coupon_id"],
        unique=True,
        sqlite_where=GIVEN,
        postgresql_where=GIVEN,
    )
    op.create_index(
        "ix_outside_codes_spare",
        "outside_codes",
        ["brand_id", "template_id", "id"],
        sqlite_where=SPARE,
        postgresql_where=SPARE,
    )


def downgrade() -> None:
    op.drop_table("outside_codes")
    _check_kinds("")


def _check_kinds(more: str) -> None:
    known = f"kind IN ('AMOUNT_OFF', 'FREE_ITEM', 'PAY_N', 'GIFT'{more})"
    without_product = f"(kind IN ('AMOUNT_OFF', 'GIFT'{more})) = (product_id IS NULL)"
    with op.batch_alter_table("coupon_templates") as batch:
        for name, condition in (("kind_known", known), ("product", without_product)):
            batch.drop_constraint(op.f(f"ck_coupon_templates_{name}"), type_="check")
            batch.create_check_constraint(op.f(f"ck_coupon_templates_{name}"), condition)
