"""The points mall: offers, what of them is taken by day and by member, orders."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _add_offers()
    _add_counts()
    _add_orders()
    with op.batch_alter_table("coupons") as batch:
        batch.drop_constraint(op.f("ck_coupons_cause_known"), type_="check")
        batch.create_check_constraint(
            op.f("ck_coupons_cause_known"), "cause_kind IN ('SCAN', 'BOUGHT', 'ORDER')"
        )


def _add_offers() -> None:
    op.create_table(
        "offers",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("given_asset", sa.String(), nullable=True),
        sa.Column("given_amount", sa.BigInteger(), nullable=True),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("description_zh", sa.String(), nullable=False),
        sa.Column("description_en", sa.String(), nullable=False),
        sa.Column("picture_url", sa.String(), nullable=True),
        sa.Column("prices", JSON, nullable=False),
        sa.Column("fee_asset", sa.String(), nullable=True),
        sa.Column("fee_amount", sa.BigInteger(), nullable=True),
        sa.Column("stock_max", sa.BigInteger(), nullable=True),
        sa.Column("per_day_max", sa.BigInteger(), nullable=True),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("limits", JSON, nullable=False),
        sa.Column("rank_min", sa.Integer(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("early_opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("early_rank_min", sa.Integer(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('COUPON', 'ASSET', 'GIFT')", name=op.f("ck_offers_kind_known")
        ),
        sa.CheckConstraint("status IN ('ACTIVE', 'PAUSED')", name=op.f("ck_offers_status_known")),
        sa.CheckConstraint(
            "(kind = 'COUPON') = (template_id IS NOT NULL)", name=op.f("ck_offers_gives_coupons")
        ),
        sa.CheckConstraint(
            "(kind = 'ASSET') = (given_asset IS NOT NULL) AND (kind = 'ASSET') = (given_amount IS NOT NULL) AND given_amount > 0",
            name=op.f("ck_offers_gives_asset"),
        ),
        sa.CheckConstraint(
            "(fee_asset IS NULL) = (fee_amount IS NULL) AND fee_amount > 0",
            name=op.f("ck_offers_fee_whole"),
        ),
        sa.CheckConstraint(
            "(early_opens_at IS NULL) = (early_rank_min IS NULL) AND (early_opens_at IS NULL OR opens_at IS NOT NULL)",
            name=op.f("ck_offers_early_whole"),
        ),
        sa.CheckConstraint(
            "taken >= 0 AND (stock_max IS NULL OR taken <= stock_max)",
            name=op.f("ck_offers_within_stock"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "template_id"],
            ["coupon_templates.brand_id", "coupon_templates.id"],
            name=op.f("fk_offers_brand_id_template_id_coupon_templates"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_offers_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_offers")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_offers_brand_id_code")),
    )


def _add_counts() -> None:
    op.create_table(
        "offer_days",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("taken_max", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "taken >= 0 AND (taken_max IS NULL OR taken <= taken_max)",
            name=op.f("ck_offer_days_within_taken_max"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "offer_id", "day", name=op.f("pk_offer_days")),
    )
    op.create_table(
        "offer_counters",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("window_key", sa.String(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("times_max", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "used >= 0 AND (times_max IS NULL OR used <= times_max)",
            name=op.f("ck_offer_counters_within_times_max"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "offer_id", "member_id", "window_key", name=op.f("pk_offer_counters")
        ),
    )


def _add_orders() -> None:
    op.create_table(
        "offer_orders",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("ordered_on", sa.Date(), nullable=False),
        sa.Column("delivery_cipher", sa.String(), nullable=True),
        sa.Column("carrier", sa.String(), nullable=True),
        sa.Column("tracking_number", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_offer_orders_quantity_positive")),
        sa.CheckConstraint(
            "status IN ('PLACED', 'FULFILLED', 'CANCELLED')",
            name=op.f("ck_offer_orders_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'FULFILLED') = (fulfilled_at IS NOT NULL) AND (status = 'CANCELLED') = (cancelled_at IS NOT NULL)",
            name=op.f("ck_offer_orders_ended"),
        ),
        sa.CheckConstraint(
            "(status = 'CANCELLED') = (reason IS NOT NULL)",
            name=op.f("ck_offer_orders_cancelled_for"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_offer_orders_brand_id_member_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "offer_id"],
            ["offers.brand_id", "offers.id"],
            name=op.f("fk_offer_orders_brand_id_offer_id_offers"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_offer_orders")),
    )
    for other in ("member_id", "offer_id"):
        op.create_index(
            op.f(f"ix_offer_orders_brand_id_{other}_id"),
            "offer_orders",
            ["brand_id", other, "id"],
            unique=False,
        )
    op.create_index(
        "ix_offer_orders_placed",
        "offer_orders",
        ["brand_id", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'PLACED'"),
        postgresql_where=sa.text("status = 'PLACED'"),
    )
    op.create_table(
        "offer_order_parts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('PRICE', 'FEE', 'GIVEN')", name=op.f("ck_offer_order_parts_purpose_known")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_offer_order_parts_amount_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id", "order_id"],
            ["offer_orders.brand_id", "offer_orders.id"],
            name=op.f("fk_offer_order_parts_brand_id_order_id_offer_orders"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "order_id", "purpose", "asset", name=op.f("pk_offer_order_parts")
        ),
    )
