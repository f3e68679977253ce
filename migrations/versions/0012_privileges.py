"""Privileges of levels, their uses, gifts, and members' birthdays."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("ladder_levels") as batch:
        batch.add_column(sa.Column("privileges", JSON, nullable=False, server_default="[]"))
    with op.batch_alter_table("ladder_levels") as batch:
        batch.alter_column("privileges", server_default=None)
    with op.batch_alter_table("members") as batch:
        batch.add_column(sa.Column("birthday", sa.String(), nullable=True))
    op.create_index(
        op.f("ix_members_brand_id_birthday"), "members", ["brand_id", "birthday"], unique=False
    )
    with op.batch_alter_table("coupons") as batch:
        batch.drop_constraint(op.f("ck_coupons_cause_known"), type_="check")
        batch.create_check_constraint(
            op.f("ck_coupons_cause_known"), "cause_kind IN ('SCAN', 'BOUGHT', 'ORDER', 'GIFT')"
        )
    op.create_table(
        "privilege_uses",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("period_key", sa.String(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("times_max", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("used > 0", name=op.f("ck_privilege_uses_used_positive")),
        sa.CheckConstraint(
            "times_max IS NULL OR used <= times_max", name=op.f("ck_privilege_uses_within_quota")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_privilege_uses_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "member_id", "code", "period_key", name=op.f("pk_privilege_uses")
        ),
    )
    op.create_table(
        "tier_gifts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("privilege_code", sa.String(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("coupon_template_id", sa.Uuid(), nullable=True),
        sa.Column("asset", sa.String(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('GIVEN', 'UNAVAILABLE')", name=op.f("ck_tier_gifts_status_known")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_tier_gifts_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_tier_gifts")),
        sa.UniqueConstraint(
            "brand_id",
            "member_id",
            "privilege_code",
            "occasion",
            name=op.f("uq_tier_gifts_brand_id_member_id_privilege_code_occasion"),
        ),
    )
    op.create_index(
        op.f("ix_tier_gifts_brand_id_member_id_id"),
        "tier_gifts",
        ["brand_id", "member_id", "id"],
        unique=False,
    )
