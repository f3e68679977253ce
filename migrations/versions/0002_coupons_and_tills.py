"""Coupons, places and tills, redemptions, payouts, sessions, WeChat apps, periodic work."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from uuid_utils.compat import uuid7

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "coupon_purchase_counters",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("times_max", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "used > 0 AND used <= times_max",
            name=op.f("ck_coupon_purchase_counters_within_times_max"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "template_id", "member_id", name=op.f("pk_coupon_purchase_counters")
        ),
    )
    op.create_table(
        "coupons",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("cause_kind", sa.String(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("usable_from", sa.Date(), nullable=False),
        sa.Column("usable_until", sa.Date(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'HELD') = (held_until IS NOT NULL)", name=op.f("ck_coupons_held_until")
        ),
        sa.CheckConstraint(
            "(status IN ('HELD', 'REDEEMED')) = (redemption_id IS NOT NULL)",
            name=op.f("ck_coupons_taken_by"),
        ),
        sa.CheckConstraint("cause_kind IN ('SCAN', 'BOUGHT')", name=op.f("ck_coupons_cause_known")),
        sa.CheckConstraint(
            "status IN ('ISSUED', 'HELD', 'REDEEMED', 'EXPIRED', 'VOID')",
            name=op.f("ck_coupons_status_known"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_coupons")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_coupons_brand_id_code")),
    )
    op.create_index(
        op.f("ix_coupons_brand_id_member_id_id"),
        "coupons",
        ["brand_id", "member_id", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_coupons_brand_id_template_id_id"),
        "coupons",
        ["brand_id", "template_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_coupons_expiring",
        "coupons",
        ["brand_id", "usable_until"],
        unique=False,
        sqlite_where=sa.text("status IN ('ISSUED', 'HELD')"),
        postgresql_where=sa.text("status IN ('ISSUED', 'HELD')"),
    )

    op.create_table(
        "periodic_jobs",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_periodic_jobs")),
    )
    op.create_index(
        "ix_outbox_events_dead",
        "outbox_events",
        ["dead_at"],
        unique=False,
        sqlite_where=sa.text("dead_at IS NOT NULL"),
        postgresql_where=sa.text("dead_at IS NOT NULL"),
    )
    op.create_table(
        "places",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("store_phone_hash", sa.String(), nullable=True),
        sa.Column("store_phone_cipher", sa.String(), nullable=True),
        sa.Column("payee", sa.String(), nullable=True),
        sa.Column("payout_threshold_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('OPEN', 'CLOSED')", name=op.f("ck_places_status_known")),
        sa.CheckConstraint(
            "payout_threshold_fen > 0", name=op.f("ck_places_payout_threshold_positive")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_places_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_places")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_places_brand_id_code")),
    )
    op.create_index(
        op.f("ix_places_brand_id_store_phone_hash"),
        "places",
        ["brand_id", "store_phone_hash"],
        unique=False,
    )

    op.create_table(
        "sign_in_sessions",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=True),
        sa.Column("till_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'CLERK') = (till_id IS NOT NULL)",
            name=op.f("ck_sign_in_sessions_clerk_has_till"),
        ),
        sa.CheckConstraint(
            "kind IN ('MEMBER', 'OPERATOR', 'CLERK')", name=op.f("ck_sign_in_sessions_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_sign_in_sessions_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_sign_in_sessions")),
    )
    op.create_index(
        op.f("ix_sign_in_sessions_brand_id_subject_id"),
        "sign_in_sessions",
        ["brand_id", "subject_id"],
        unique=False,
    )

    op.create_table(
        "wechat_apps",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.String(), nullable=False),
        sa.Column("secret_cipher", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_wechat_apps_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_wechat_apps")),
        sa.UniqueConstraint("brand_id", "app_id", name=op.f("uq_wechat_apps_brand_id_app_id")),
    )
    op.create_table(
        "clerks",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("pin_hash", sa.String(), nullable=False),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('ACTIVE', 'LEFT')", name=op.f("ck_clerks_status_known")),
        sa.ForeignKeyConstraint(
            ["brand_id", "place_id"],
            ["places.brand_id", "places.id"],
            name=op.f("fk_clerks_brand_id_place_id_places"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_clerks")),
        sa.UniqueConstraint(
            "brand_id", "place_id", "number", name=op.f("uq_clerks_brand_id_place_id_number")
        ),
    )
    op.create_table(
        "coupon_templates",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount_off_fen", sa.BigInteger(), nullable=True),
        sa.Column("spend_min_fen", sa.BigInteger(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("usable_from", sa.Date(), nullable=True),
        sa.Column("usable_until", sa.Date(), nullable=True),
        sa.Column("usable_days", sa.Integer(), nullable=True),
        sa.Column("place_ids", JSON, nullable=False),
        sa.Column("product_ids", JSON, nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("points_price", sa.BigInteger(), nullable=True),
        sa.Column("bought_per_member_max", sa.Integer(), nullable=True),
        sa.Column("stock_max", sa.BigInteger(), nullable=True),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'AMOUNT_OFF') = (amount_off_fen IS NOT NULL)",
            name=op.f("ck_coupon_templates_amount_off"),
        ),
        sa.CheckConstraint(
            "(kind = 'AMOUNT_OFF') = (product_id IS NULL)", name=op.f("ck_coupon_templates_product")
        ),
        sa.CheckConstraint(
            "(kind = 'PAY_N') = (pay_fen IS NOT NULL)", name=op.f("ck_coupon_templates_pay")
        ),
        sa.CheckConstraint(
            "kind IN ('AMOUNT_OFF', 'FREE_ITEM', 'PAY_N')",
            name=op.f("ck_coupon_templates_kind_known"),
        ),
        sa.CheckConstraint(
            "status IN ('ACTIVE', 'PAUSED')", name=op.f("ck_coupon_templates_status_known")
        ),
        sa.CheckConstraint(
            "cost_fen >= 0 AND fee_fen >= 0", name=op.f("ck_coupon_templates_rebate_not_negative")
        ),
        sa.CheckConstraint(
            "issued >= 0 AND (stock_max IS NULL OR issued <= stock_max)",
            name=op.f("ck_coupon_templates_within_stock"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "product_id"],
            ["products.brand_id", "products.id"],
            name=op.f("fk_coupon_templates_brand_id_product_id_products"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_coupon_templates_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_coupon_templates")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_coupon_templates_brand_id_code")),
    )
    op.create_table(
        "payouts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("provider_reference", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('PAID', 'FAILED')) = (resolved_at IS NOT NULL)",
            name=op.f("ck_payouts_resolved_at"),
        ),
        sa.CheckConstraint(
            "status IN ('CREATED', 'SENT', 'PROCESSING', 'PAID', 'FAILED')",
            name=op.f("ck_payouts_status_known"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payouts_amount_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id", "place_id"],
            ["places.brand_id", "places.id"],
            name=op.f("fk_payouts_brand_id_place_id_places"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("brand_id", "number", name=op.f("uq_payouts_brand_id_number")),
    )
    op.create_index(
        op.f("ix_payouts_brand_id_place_id_id"),
        "payouts",
        ["brand_id", "place_id", "id"],
        unique=False,
    )
    op.create_index(
        "uq_payouts_live",
        "payouts",
        ["brand_id", "place_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('CREATED', 'SENT', 'PROCESSING')"),
        postgresql_where=sa.text("status IN ('CREATED', 'SENT', 'PROCESSING')"),
    )

    op.create_table(
        "refresh_tokens",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["brand_id", "session_id"],
            ["sign_in_sessions.brand_id", "sign_in_sessions.id"],
            name=op.f("fk_refresh_tokens_brand_id_session_id_sign_in_sessions"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_refresh_tokens")),
        sa.UniqueConstraint(
            "brand_id", "token_hash", name=op.f("uq_refresh_tokens_brand_id_token_hash")
        ),
    )
    op.create_index(
        op.f("ix_refresh_tokens_brand_id_session_id"),
        "refresh_tokens",
        ["brand_id", "session_id"],
        unique=False,
    )

    op.create_table(
        "tills",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("key_hint", sa.String(), nullable=False),
        sa.Column("failures_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('ACTIVE', 'REVOKED')", name=op.f("ck_tills_status_known")),
        sa.ForeignKeyConstraint(
            ["brand_id", "place_id"],
            ["places.brand_id", "places.id"],
            name=op.f("fk_tills_brand_id_place_id_places"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_tills")),
        sa.UniqueConstraint("brand_id", "key_hash", name=op.f("uq_tills_brand_id_key_hash")),
    )
    op.create_index(
        "uq_tills_brand_id_place_id_name",
        "tills",
        ["brand_id", "place_id", "name"],
        unique=True,
        sqlite_where=sa.text("status = 'ACTIVE'"),
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )

    op.create_table(
        "wechat_accounts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.String(), nullable=False),
        sa.Column("openid", sa.String(), nullable=False),
        sa.Column("unionid", sa.String(), nullable=True),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "identity_id"],
            ["identities.brand_id", "identities.id"],
            name=op.f("fk_wechat_accounts_brand_id_identity_id_identities"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "app_id", "openid", name=op.f("pk_wechat_accounts")),
    )
    op.create_index(
        op.f("ix_wechat_accounts_brand_id_unionid"),
        "wechat_accounts",
        ["brand_id", "unionid"],
        unique=False,
    )

    op.create_table(
        "payout_reports",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payout_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "source IN ('SEND', 'ASK', 'CALLBACK')", name=op.f("ck_payout_reports_source_known")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "payout_id"],
            ["payouts.brand_id", "payouts.id"],
            name=op.f("fk_payout_reports_brand_id_payout_id_payouts"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_payout_reports")),
    )
    op.create_index(
        op.f("ix_payout_reports_brand_id_payout_id"),
        "payout_reports",
        ["brand_id", "payout_id"],
        unique=False,
    )

    op.create_table(
        "redemptions",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("till_id", sa.Uuid(), nullable=False),
        sa.Column("clerk_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("basket_fen", sa.BigInteger(), nullable=True),
        sa.Column("discount_fen", sa.BigInteger(), nullable=False),
        sa.Column("pay_fen", sa.BigInteger(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("rebate_fen", sa.BigInteger(), nullable=False),
        sa.Column("rebate_transfer_id", sa.Uuid(), nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(status IN ('CAPTURED', 'REVERSED')) = (captured_at IS NOT NULL)",
            name=op.f("ck_redemptions_captured_at"),
        ),
        sa.CheckConstraint(
            "status IN ('HELD', 'CAPTURED', 'VOIDED', 'LAPSED', 'REVERSED')",
            name=op.f("ck_redemptions_status_known"),
        ),
        sa.CheckConstraint(
            "discount_fen >= 0 AND rebate_fen >= 0",
            name=op.f("ck_redemptions_amounts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "clerk_id"],
            ["clerks.brand_id", "clerks.id"],
            name=op.f("fk_redemptions_brand_id_clerk_id_clerks"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "coupon_id"],
            ["coupons.brand_id", "coupons.id"],
            name=op.f("fk_redemptions_brand_id_coupon_id_coupons"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "place_id"],
            ["places.brand_id", "places.id"],
            name=op.f("fk_redemptions_brand_id_place_id_places"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "till_id"],
            ["tills.brand_id", "tills.id"],
            name=op.f("fk_redemptions_brand_id_till_id_tills"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_redemptions")),
    )
    op.create_index(
        op.f("ix_redemptions_brand_id_coupon_id_id"),
        "redemptions",
        ["brand_id", "coupon_id", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_redemptions_brand_id_place_id_id"),
        "redemptions",
        ["brand_id", "place_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_redemptions_held",
        "redemptions",
        ["held_until"],
        unique=False,
        sqlite_where=sa.text("status = 'HELD'"),
        postgresql_where=sa.text("status = 'HELD'"),
    )
    op.create_index(
        "uq_redemptions_live",
        "redemptions",
        ["brand_id", "coupon_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('HELD', 'CAPTURED')"),
        postgresql_where=sa.text("status IN ('HELD', 'CAPTURED')"),
    )

    op.create_table(
        "redemption_events",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("till_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "step IN ('HOLD', 'CAPTURE', 'VOID', 'LAPSE', 'REVERSE')",
            name=op.f("ck_redemption_events_step_known"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "redemption_id"],
            ["redemptions.brand_id", "redemptions.id"],
            name=op.f("fk_redemption_events_brand_id_redemption_id_redemptions"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_redemption_events")),
        sa.UniqueConstraint(
            "brand_id",
            "redemption_id",
            "step",
            name=op.f("uq_redemption_events_brand_id_redemption_id_step"),
        ),
    )

    _open_payout_books()


def _open_payout_books() -> None:
    """Each brand gets the account where cash goes that leaves the house."""
    accounts = sa.table(
        "accounts",
        sa.column("brand_id", sa.Uuid()),
        sa.column("id", sa.Uuid()),
        sa.column("owner_id", sa.Uuid()),
        sa.column("asset", sa.String()),
        sa.column("kind", sa.String()),
        sa.column("overdraft_allowed", sa.Boolean()),
        sa.column("credits_posted", sa.BigInteger()),
        sa.column("debits_posted", sa.BigInteger()),
        sa.column("credits_pending", sa.BigInteger()),
        sa.column("debits_pending", sa.BigInteger()),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    brands = sa.table(
        "brands", sa.column("id", sa.Uuid()), sa.column("created_at", sa.DateTime(timezone=True))
    )
    counters = dict.fromkeys(
        ("credits_posted", "debits_posted", "credits_pending", "debits_pending"), 0
    )
    for brand in op.get_bind().execute(sa.select(brands.c.id, brands.c.created_at)).all():
        op.get_bind().execute(
            accounts.insert().values(
                brand_id=brand.id,
                id=uuid7(),
                owner_id=brand.id,
                asset="CASH",
                kind="PAYOUT",
                overdraft_allowed=False,
                created_at=brand.created_at,
                **counters,
            )
        )
