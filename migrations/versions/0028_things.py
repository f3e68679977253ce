"""Prizes that are things: coupons for a gift, and the orders that they are exchanged for.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

PAID_BY_COUPON = sa.text("coupon_id IS NOT NULL AND status <> 'CANCELLED'")
KINDS = "kind IN ('AMOUNT_OFF', 'FREE_ITEM', 'PAY_N'{more})"
STATUSES = "status IN ('ISSUED', 'HELD', 'REDEEMED', {more}'EXPIRED', 'VOID')"
NO_PRODUCT = "({which}) = (product_id IS NULL)"


def upgrade() -> None:
    _check_templates(KINDS.format(more=", 'GIFT'"), "kind IN ('AMOUNT_OFF', 'GIFT')")
    with op.batch_alter_table("coupon_templates") as batch:
        batch.add_column(sa.Column("offer_id", sa.Uuid(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_coupon_templates_gift"), "(kind = 'GIFT') = (offer_id IS NOT NULL)"
        )
    _check_coupons(STATUSES.format(more="'ORDERED', "))
    with op.batch_alter_table("offer_orders") as batch:
        batch.add_column(sa.Column("coupon_id", sa.Uuid(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_offer_orders_one_of_a_coupon"), "coupon_id IS NULL OR quantity = 1"
        )
    op.create_index(
        "uq_offer_orders_coupon",
        "offer_orders",
        ["brand_id", "coupon_id"],
        unique=True,
        sqlite_where=PAID_BY_COUPON,
        postgresql_where=PAID_BY_COUPON,
    )


def downgrade() -> None:
    op.drop_index("uq_offer_orders_coupon", "offer_orders")
    with op.batch_alter_table("offer_orders") as batch:
        batch.drop_constraint(op.f("ck_offer_orders_one_of_a_coupon"), type_="check")
        batch.drop_column("coupon_id")
    _check_coupons(STATUSES.format(more=""))
    with op.batch_alter_table("coupon_templates") as batch:
        batch.drop_constraint(op.f("ck_coupon_templates_gift"), type_="check")
        batch.drop_column("offer_id")
    _check_templates(KINDS.format(more=""), "kind = 'AMOUNT_OFF'")


def _check_templates(kinds: str, without_product: str) -> None:
    with op.batch_alter_table("coupon_templates") as batch:
        for name, condition in (
            ("kind_known", kinds),
            ("product", NO_PRODUCT.format(which=without_product)),
        ):
            batch.drop_constraint(op.f(f"ck_coupon_templates_{name}"), type_="check")
            batch.create_check_constraint(op.f(f"ck_coupon_templates_{name}"), condition)


def _check_coupons(statuses: str) -> None:
    with op.batch_alter_table("coupons") as batch:
        batch.drop_constraint(op.f("ck_coupons_status_known"), type_="check")
        batch.create_check_constraint(op.f("ck_coupons_status_known"), statuses)
