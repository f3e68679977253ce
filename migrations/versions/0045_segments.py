"""Segments: groups of members that campaigns tell apart.

Revision ID: 0045
Revises: 0044
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "segments",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_segments_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_segments")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_segments_brand_id_code")),
    )
    op.create_table(
        "segment_members",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "segment_id"],
            ["segments.brand_id", "segments.id"],
            name=op.f("fk_segment_members_brand_id_segment_id_segments"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_segment_members_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "segment_id", "member_id", name=op.f("pk_segment_members")
        ),
    )
    op.create_index(
        op.f("ix_segment_members_brand_id_member_id"),
        "segment_members",
        ["brand_id", "member_id"],
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_segment_members_brand_id_member_id"), table_name="segment_members")
    op.drop_table("segment_members")
    op.drop_table("segments")
