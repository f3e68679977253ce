"""Agreements between brands.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TEMPLATES_FK = "fk_coupon_templates_brand_id_agreement_id_agreements"
_STATUS = "ck_coupon_templates_status_known"
_OF_AN_AGREEMENT = "ck_coupon_templates_partner_of_an_agreement"


def upgrade() -> None:
    _create_agreements()
    _create_versions()
    with op.batch_alter_table("coupon_templates") as batch:
        batch.add_column(sa.Column("agreement_id", sa.Uuid(), nullable=True))
        batch.create_foreign_key(
            op.f(_TEMPLATES_FK), "agreements", ["brand_id", "agreement_id"], ["brand_id", "id"]
        )
        batch.drop_constraint(op.f(_STATUS), type_="check")
        batch.create_check_constraint(op.f(_STATUS), "status IN ('ACTIVE', 'PAUSED', 'PARTNER')")
        batch.create_check_constraint(
            op.f(_OF_AN_AGREEMENT), "status <> 'PARTNER' OR agreement_id IS NOT NULL"
        )


def _create_agreements() -> None:
    op.create_table(
        "agreements",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("partner_slug", sa.String(), nullable=False),
        sa.Column("partner_name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("partner_paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pauses", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'ACTIVE', 'ENDED')", name=op.f("ck_agreements_status_known")
        ),
        sa.CheckConstraint(
            "(status = 'ENDED') = (ended_at IS NOT NULL)", name=op.f("ck_agreements_ended_at")
        ),
        sa.CheckConstraint("brand_id <> partner_id", name=op.f("ck_agreements_two_brands")),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_agreements_brand_id_brands")
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["brands.id"], name=op.f("fk_agreements_partner_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_agreements")),
    )
    live = sa.text("status <> 'ENDED'")
    op.create_index(
        "uq_agreements_live",
        "agreements",
        ["brand_id", "partner_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )


def _create_versions() -> None:
    op.create_table(
        "agreement_versions",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("terms", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("partner_signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("in_force_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("in_force_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'IN_FORCE', 'OVER', 'WITHDRAWN')",
            name=op.f("ck_agreement_versions_status_known"),
        ),
        sa.CheckConstraint(
            "(signed_at IS NULL) = (signed_by IS NULL)",
            name=op.f("ck_agreement_versions_signed_wholly"),
        ),
        sa.CheckConstraint(
            "(status IN ('IN_FORCE', 'OVER')) = (in_force_from IS NOT NULL)",
            name=op.f("ck_agreement_versions_in_force_from"),
        ),
        sa.CheckConstraint(
            "(status = 'OVER') = (in_force_until IS NOT NULL)",
            name=op.f("ck_agreement_versions_in_force_until"),
        ),
        sa.CheckConstraint(
            "in_force_from IS NULL OR (signed_at IS NOT NULL AND partner_signed_at IS NOT NULL)",
            name=op.f("ck_agreement_versions_signed_by_both"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "agreement_id"],
            ["agreements.brand_id", "agreements.id"],
            name=op.f("fk_agreement_versions_brand_id_agreement_id_agreements"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_agreement_versions")),
        sa.UniqueConstraint(
            "brand_id",
            "agreement_id",
            "number",
            name=op.f("uq_agreement_versions_brand_id_agreement_id_number"),
        ),
    )
    for name, status in (("proposed", "PROPOSED"), ("in_force", "IN_FORCE")):
        where = sa.text(f"status = '{status}'")
        op.create_index(
            f"uq_agreement_versions_{name}",
            "agreement_versions",
            ["brand_id", "agreement_id"],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )


def downgrade() -> None:
    with op.batch_alter_table("coupon_templates") as batch:
        batch.drop_constraint(op.f(_OF_AN_AGREEMENT), type_="check")
        batch.drop_constraint(op.f(_STATUS), type_="check")
        batch.create_check_constraint(op.f(_STATUS), "status IN ('ACTIVE', 'PAUSED')")
        batch.drop_constraint(op.f(_TEMPLATES_FK), type_="foreignkey")
        batch.drop_column("agreement_id")
    op.drop_table("agreement_versions")
    op.drop_table("agreements")
