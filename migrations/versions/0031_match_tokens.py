"""Members matched by one-way tokens, and coupons that partners issue.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_wechat_accounts_brand_id_identity_id"),
        "wechat_accounts",
        ["brand_id", "identity_id"],
    )
    _matching()
    _issues()


def downgrade() -> None:
    for table in ("issue_counters", "partner_issues", "match_passes", "match_tokens"):
        op.drop_table(table)
    op.drop_index(op.f("ix_wechat_accounts_brand_id_identity_id"), "wechat_accounts")


def _matching() -> None:
    op.create_table(
        "match_tokens",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "agreement_id"],
            ["agreements.brand_id", "agreements.id"],
            name=op.f("fk_match_tokens_brand_id_agreement_id_agreements"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "agreement_id", "token", name=op.f("pk_match_tokens")),
    )
    op.create_table(
        "match_passes",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("tail_id", sa.Uuid(), nullable=False),
        sa.Column("sweep_id", sa.Uuid(), nullable=True),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "agreement_id"],
            ["agreements.brand_id", "agreements.id"],
            name=op.f("fk_match_passes_brand_id_agreement_id_agreements"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "agreement_id", name=op.f("pk_match_passes")),
    )


def _issues() -> None:
    op.create_table(
        "partner_issues",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("campaign", sa.String(), nullable=True),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("reserved_fen", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("brand_id <> host_id", name=op.f("ck_partner_issues_two_brands")),
        sa.CheckConstraint(
            "fee_fen >= 0 AND reserved_fen >= 0", name=op.f("ck_partner_issues_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["host_id"], ["brands.id"], name=op.f("fk_partner_issues_host_id_brands")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "agreement_id"],
            ["agreements.brand_id", "agreements.id"],
            name=op.f("fk_partner_issues_brand_id_agreement_id_agreements"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_partner_issues_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_partner_issues")),
    )
    op.create_index(
        op.f("ix_partner_issues_brand_id_coupon_id"),
        "partner_issues",
        ["brand_id", "coupon_id"],
        unique=True,
    )
    op.create_table(
        "issue_counters",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("window", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("used_max", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "used > 0 AND used <= used_max", name=op.f("ck_issue_counters_within_quota")
        ),
        sa.PrimaryKeyConstraint(
            "brand_id",
            "agreement_id",
            "template_id",
            "window",
            "starts_on",
            "campaign",
            name=op.f("pk_issue_counters"),
        ),
    )
