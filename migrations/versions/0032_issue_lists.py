"""Lists of coupons that partners issue.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issue_lists",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("upload_key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("done_count", sa.BigInteger(), nullable=False),
        sa.Column("issued_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("worked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('LOADING', 'OPEN', 'DONE', 'CANCELLED')",
            name=op.f("ck_issue_lists_status_known"),
        ),
        sa.CheckConstraint(
            "issued_count >= 0 AND issued_count <= done_count AND done_count <= row_count",
            name=op.f("ck_issue_lists_counts"),
        ),
        sa.CheckConstraint(
            "status <> 'DONE' OR done_count = row_count", name=op.f("ck_issue_lists_done_whole")
        ),
        sa.CheckConstraint(
            "(status IN ('DONE', 'CANCELLED')) = (ended_at IS NOT NULL)",
            name=op.f("ck_issue_lists_ended"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "agreement_id"],
            ["agreements.brand_id", "agreements.id"],
            name=op.f("fk_issue_lists_brand_id_agreement_id_agreements"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_issue_lists_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_issue_lists")),
        sa.UniqueConstraint(
            "brand_id", "upload_key", name=op.f("uq_issue_lists_brand_id_upload_key")
        ),
    )
    is_open = sa.text("status = 'OPEN'")
    op.create_index(
        "ix_issue_lists_open",
        "issue_lists",
        ["worked_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "issue_list_rows",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("row_no", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("issue_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(code = 'ISSUED') = (issue_id IS NOT NULL)", name=op.f("ck_issue_list_rows_issued")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "list_id"],
            ["issue_lists.brand_id", "issue_lists.id"],
            name=op.f("fk_issue_list_rows_brand_id_list_id_issue_lists"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "list_id", "row_no", name=op.f("pk_issue_list_rows")),
    )


def downgrade() -> None:
    op.drop_table("issue_list_rows")
    op.drop_table("issue_lists")
