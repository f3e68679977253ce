"""Events that earn, and the types of those that others tell of.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("campaign_versions") as batch:
        batch.add_column(sa.Column("event_type", JSON, nullable=True))
    op.create_table(
        "event_types",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_event_types_version_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_event_types_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_event_types")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_event_types_brand_id_code")),
    )
    op.create_table(
        "earning_events",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("event_type_id", sa.Uuid(), nullable=True),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("campaign_version_id", sa.Uuid(), nullable=True),
        sa.Column("unpaid_reason", sa.String(), nullable=True),
        sa.Column("earned", JSON, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_earning_events_brand_id_member_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "event_type_id"],
            ["event_types.brand_id", "event_types.id"],
            name=op.f("fk_earning_events_brand_id_event_type_id_event_types"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_earning_events")),
        sa.UniqueConstraint(
            "brand_id", "kind", "ref", name=op.f("uq_earning_events_brand_id_kind_ref")
        ),
    )
    op.create_index(
        op.f("ix_earning_events_brand_id_member_id_id"),
        "earning_events",
        ["brand_id", "member_id", "id"],
    )
