"""Partners' keys and their usage.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "partner_keys",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("start", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("networks", JSON, nullable=False),
        sa.Column("requests_per_minute", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "requests_per_minute > 0", name=op.f("ck_partner_keys_requests_positive")
        ),
        sa.CheckConstraint(
            "(previous_hash IS NULL) = (previous_until IS NULL)",
            name=op.f("ck_partner_keys_previous_wholly"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_partner_keys_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_partner_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_partner_keys_key_hash")),
        sa.UniqueConstraint("previous_hash", name=op.f("uq_partner_keys_previous_hash")),
    )
    op.create_table(
        "partner_key_uses",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("field_name", sa.String(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("calls > 0", name=op.f("ck_partner_key_uses_calls_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id", "key_id"],
            ["partner_keys.brand_id", "partner_keys.id"],
            name=op.f("fk_partner_key_uses_brand_id_key_id_partner_keys"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "key_id", "on_day", "field_name", name=op.f("pk_partner_key_uses")
        ),
    )


def downgrade() -> None:
    op.drop_table("partner_key_uses")
    op.drop_table("partner_keys")
