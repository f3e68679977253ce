"""Which bottle is in which box.

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "packings",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bottle_batch_id", sa.Uuid(), nullable=False),
        sa.Column("first_item_no", sa.BigInteger(), nullable=False),
        sa.Column("last_item_no", sa.BigInteger(), nullable=False),
        sa.Column("per_box", sa.BigInteger(), nullable=False),
        sa.Column("box_batch_id", sa.Uuid(), nullable=False),
        sa.Column("first_box_item_no", sa.BigInteger(), nullable=False),
        sa.Column("last_box_item_no", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("per_box > 0", name=op.f("ck_packings_per_box_positive")),
        sa.CheckConstraint(
            "last_item_no >= first_item_no AND last_item_no - first_item_no + 1"
            " = per_box * (last_box_item_no - first_box_item_no + 1)",
            name=op.f("ck_packings_boxes_full"),
        ),
        *(
            sa.ForeignKeyConstraint(
                ["brand_id", column],
                ["code_batches.brand_id", "code_batches.id"],
                name=op.f(f"fk_packings_brand_id_{column}_code_batches"),
            )
            for column in ("bottle_batch_id", "box_batch_id")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_packings_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_packings")),
        sa.UniqueConstraint(
            "brand_id", "first_item_no", name=op.f("uq_packings_brand_id_first_item_no")
        ),
        sa.UniqueConstraint(
            "brand_id", "first_box_item_no", name=op.f("uq_packings_brand_id_first_box_item_no")
        ),
    )


def downgrade() -> None:
    op.drop_table("packings")
