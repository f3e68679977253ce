"""The initial schema: tenants, people, codes, the ledger, campaigns, scans and tiers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "brands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("points_valid_months", sa.Integer(), nullable=True),
        sa.Column("hold_seconds", sa.Integer(), nullable=False),
        sa.Column("reversal_window_seconds", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "hold_seconds > 0 AND reversal_window_seconds >= 0",
            name=op.f("ck_brands_windows_not_negative"),
        ),
        sa.CheckConstraint(
            "points_valid_months > 0", name=op.f("ck_brands_points_valid_months_positive")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brands")),
        sa.UniqueConstraint("slug", name=op.f("uq_brands_slug")),
    )
    op.create_table(
        "cap_counters",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("window_key", sa.String(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("times_max", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used <= times_max", name=op.f("ck_cap_counters_within_times_max")),
        sa.CheckConstraint("used > 0", name=op.f("ck_cap_counters_used_positive")),
        sa.PrimaryKeyConstraint(
            "brand_id",
            "campaign_id",
            "subject_kind",
            "subject",
            "window_key",
            name=op.f("pk_cap_counters"),
        ),
    )
    op.create_table(
        "claims",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("item_no", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("beneficiary_role", sa.String(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("settled_scan_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome NOT IN ('PAID', 'LOCKED', 'ATTRIBUTED') OR member_id IS NOT NULL",
            name=op.f("ck_claims_beneficiary_known"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "item_no", "purpose", "beneficiary_role", name=op.f("pk_claims")
        ),
    )
    op.create_table(
        "idempotency_records",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_hash", sa.String(), nullable=False),
        sa.Column("reply", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "brand_id", "actor_id", "operation", "key", name=op.f("pk_idempotency_records")
        ),
    )
    op.create_table(
        "item_codes",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("item_no", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("scan_count", sa.BigInteger(), nullable=False),
        sa.Column("first_scan_id", sa.Uuid(), nullable=False),
        sa.Column("first_scanned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_latitude", sa.Float(), nullable=True),
        sa.Column("first_longitude", sa.Float(), nullable=True),
        sa.Column("last_scan_id", sa.Uuid(), nullable=False),
        sa.Column("last_scanned_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scan_count > 0", name=op.f("ck_item_codes_scan_count_positive")),
        sa.PrimaryKeyConstraint("brand_id", "item_no", "kind", name=op.f("pk_item_codes")),
    )
    op.create_table(
        "locked_rewards",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("unlock_key", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("resolved_by_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'LOCKED') = (resolved_by_id IS NULL)",
            name=op.f("ck_locked_rewards_resolved_when_not_locked"),
        ),
        sa.CheckConstraint(
            "status IN ('LOCKED', 'UNLOCKED', 'VOIDED')",
            name=op.f("ck_locked_rewards_status_known"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_locked_rewards")),
    )
    op.create_index(
        op.f("ix_locked_rewards_brand_id_unlock_key"), "locked_rewards", ["brand_id", "unlock_key"]
    )
    op.create_table(
        "lots",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "remaining >= 0 AND remaining <= granted", name=op.f("ck_lots_remaining_within_granted")
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "account_id", "expires_on", "locked", name=op.f("pk_lots")
        ),
    )
    op.create_table(
        "outbox_events",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_outbox_events")),
    )
    op.create_index(
        "ix_outbox_events_due",
        "outbox_events",
        ["due_at"],
        sqlite_where=sa.text("delivered_at IS NULL AND dead_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL AND dead_at IS NULL"),
    )
    op.create_table(
        "scan_events",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_no", sa.BigInteger(), nullable=False),
        sa.Column("code_kind", sa.String(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("unpaid_reason", sa.String(), nullable=True),
        sa.Column("guide_member_id", sa.Uuid(), nullable=True),
        sa.Column("guide_unpaid_reason", sa.String(), nullable=True),
        sa.Column("campaign_version_id", sa.Uuid(), nullable=True),
        sa.Column("device_hash", sa.String(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("scene", sa.String(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_scan_events")),
    )
    op.create_index(op.f("ix_scan_events_brand_id_item_no"), "scan_events", ["brand_id", "item_no"])
    op.create_index(
        op.f("ix_scan_events_brand_id_member_id_id"), "scan_events", ["brand_id", "member_id", "id"]
    )
    op.create_table(
        "standing_changes",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("from_rank", sa.Integer(), nullable=False),
        sa.Column("to_rank", sa.Integer(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=True),
        sa.Column("ladder_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_standing_changes")),
    )
    op.create_index(
        op.f("ix_standing_changes_brand_id_member_id_id"),
        "standing_changes",
        ["brand_id", "member_id", "id"],
    )
    op.create_table(
        "transfers",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("debit_account_id", sa.Uuid(), nullable=False),
        sa.Column("credit_account_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("pending_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cause_kind", sa.String(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("debit_expires_on", sa.Date(), nullable=True),
        sa.Column("credit_expires_on", sa.Date(), nullable=True),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(phase IN ('POST', 'VOID')) = (pending_id IS NOT NULL)",
            name=op.f("ck_transfers_resolves_a_pending"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_transfers_amount_positive")),
        sa.CheckConstraint(
            "debit_account_id <> credit_account_id", name=op.f("ck_transfers_two_accounts")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_transfers")),
    )
    op.create_index("ix_transfers_credit", "transfers", ["brand_id", "credit_account_id", "id"])
    op.create_index(
        "ix_transfers_debit",
        "transfers",
        ["brand_id", "debit_account_id", "id"],
        sqlite_where=sa.text("kind <> 'EARN'"),
        postgresql_where=sa.text("kind <> 'EARN'"),
    )
    op.create_index(
        "uq_transfers_brand_id_pending_id",
        "transfers",
        ["brand_id", "pending_id"],
        unique=True,
        sqlite_where=sa.text("pending_id IS NOT NULL"),
        postgresql_where=sa.text("pending_id IS NOT NULL"),
    )
    op.create_table(
        "accounts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("overdraft_allowed", sa.Boolean(), nullable=False),
        sa.Column("credits_posted", sa.BigInteger(), nullable=False),
        sa.Column("debits_posted", sa.BigInteger(), nullable=False),
        sa.Column("credits_pending", sa.BigInteger(), nullable=False),
        sa.Column("debits_pending", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "credits_posted >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND debits_pending >= 0",
            name=op.f("ck_accounts_counters_not_negative"),
        ),
        sa.CheckConstraint(
            "overdraft_allowed OR credits_posted - debits_posted - debits_pending >= 0",
            name=op.f("ck_accounts_not_overdrawn"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_accounts_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_accounts")),
        sa.UniqueConstraint(
            "brand_id",
            "owner_id",
            "asset",
            "kind",
            name=op.f("uq_accounts_brand_id_owner_id_asset_kind"),
        ),
    )
    op.create_table(
        "audit_log",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_audit_log_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "campaigns",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_campaigns_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_campaigns_brand_id_code")),
    )
    op.create_table(
        "identities",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("phone_hash", sa.String(), nullable=True),
        sa.Column("phone_cipher", sa.String(), nullable=True),
        sa.Column("external_ref", sa.String(), nullable=True),
        sa.Column("wechat", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "phone_hash IS NOT NULL OR external_ref IS NOT NULL OR wechat",
            name=op.f("ck_identities_known_by_something"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_identities_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_identities")),
        sa.UniqueConstraint(
            "brand_id", "external_ref", name=op.f("uq_identities_brand_id_external_ref")
        ),
        sa.UniqueConstraint(
            "brand_id", "phone_hash", name=op.f("uq_identities_brand_id_phone_hash")
        ),
    )
    op.create_table(
        "key_epochs",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("wrapped_key", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_key_epochs_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_key_epochs")),
        sa.UniqueConstraint("key_id", name=op.f("uq_key_epochs_key_id")),
    )
    op.create_table(
        "ladders",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_ladders_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_ladders")),
        sa.UniqueConstraint(
            "brand_id", "role", "version", name=op.f("uq_ladders_brand_id_role_version")
        ),
    )
    op.create_table(
        "operators",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("totp_cipher", sa.String(), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=True),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('VIEWER', 'MARKETER', 'FINANCE', 'ADMIN')",
            name=op.f("ck_operators_role_known"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_operators_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_operators")),
        sa.UniqueConstraint("brand_id", "email", name=op.f("uq_operators_brand_id_email")),
    )
    op.create_table(
        "products",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("gtin", sa.String(), nullable=True),
        sa.Column("picture_url", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_products_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_products")),
        sa.UniqueConstraint("brand_id", "sku", name=op.f("uq_products_brand_id_sku")),
    )
    op.create_table(
        "roster_entries",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("phone_hash", sa.String(), nullable=False),
        sa.Column("phone_cipher", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('CONSUMER', 'GUIDE', 'STORE', 'DEALER', 'SALESPERSON')",
            name=op.f("ck_roster_entries_role_known"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_roster_entries_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_roster_entries")),
        sa.UniqueConstraint(
            "brand_id",
            "role",
            "phone_hash",
            name=op.f("uq_roster_entries_brand_id_role_phone_hash"),
        ),
    )
    op.create_table(
        "sign_in_codes",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("phone_hash", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("attempts_left", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "attempts_left >= 0", name=op.f("ck_sign_in_codes_attempts_left_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_sign_in_codes_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_sign_in_codes")),
    )
    op.create_index(
        op.f("ix_sign_in_codes_brand_id_phone_hash_created_at"),
        "sign_in_codes",
        ["brand_id", "phone_hash", "created_at"],
    )
    op.create_table(
        "unknown_code_counts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("device_hash", sa.String(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_unknown_code_counts_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "counted_on", "address", "device_hash", name=op.f("pk_unknown_code_counts")
        ),
    )
    op.create_index(
        op.f("ix_unknown_code_counts_brand_id_counted_on"),
        "unknown_code_counts",
        ["brand_id", "counted_on"],
    )
    op.create_table(
        "campaign_budgets",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("allowed", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "spent + reserved <= allowed", name=op.f("ck_campaign_budgets_within_allowed")
        ),
        sa.CheckConstraint(
            "spent >= 0 AND reserved >= 0", name=op.f("ck_campaign_budgets_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "campaign_id"],
            ["campaigns.brand_id", "campaigns.id"],
            name=op.f("fk_campaign_budgets_brand_id_campaign_id_campaigns"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "campaign_id", "asset", name=op.f("pk_campaign_budgets")
        ),
    )
    op.create_table(
        "campaign_versions",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcomes", JSON, nullable=False),
        sa.Column("caps", JSON, nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "ends_at IS NULL OR starts_at < ends_at",
            name=op.f("ck_campaign_versions_window_is_forward"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "campaign_id"],
            ["campaigns.brand_id", "campaigns.id"],
            name=op.f("fk_campaign_versions_brand_id_campaign_id_campaigns"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "product_id"],
            ["products.brand_id", "products.id"],
            name=op.f("fk_campaign_versions_brand_id_product_id_products"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_campaign_versions")),
        sa.UniqueConstraint(
            "brand_id",
            "campaign_id",
            "version",
            name=op.f("uq_campaign_versions_brand_id_campaign_id_version"),
        ),
    )
    op.create_table(
        "code_batches",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("series_no", sa.BigInteger(), nullable=False),
        sa.Column("key_epoch_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'PRINTED', 'ACTIVE', 'RETIRED')",
            name=op.f("ck_code_batches_status_known"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_code_batches_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id", "key_epoch_id"],
            ["key_epochs.brand_id", "key_epochs.id"],
            name=op.f("fk_code_batches_brand_id_key_epoch_id_key_epochs"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "product_id"],
            ["products.brand_id", "products.id"],
            name=op.f("fk_code_batches_brand_id_product_id_products"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_code_batches")),
        sa.UniqueConstraint("brand_id", "number", name=op.f("uq_code_batches_brand_id_number")),
        sa.UniqueConstraint(
            "brand_id", "series_no", "kind", name=op.f("uq_code_batches_brand_id_series_no_kind")
        ),
    )
    op.create_table(
        "ladder_levels",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("ladder_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("growth_threshold", sa.BigInteger(), nullable=False),
        sa.Column("points_multiplier_percent", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(rank = 0) = (growth_threshold = 0)", name=op.f("ck_ladder_levels_rank_0_is_free")
        ),
        sa.CheckConstraint(
            "growth_threshold >= 0", name=op.f("ck_ladder_levels_growth_threshold_not_negative")
        ),
        sa.CheckConstraint(
            "points_multiplier_percent BETWEEN 100 AND 1000",
            name=op.f("ck_ladder_levels_points_multiplier_in_range"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "ladder_id"],
            ["ladders.brand_id", "ladders.id"],
            name=op.f("fk_ladder_levels_brand_id_ladder_id_ladders"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "ladder_id", "rank", name=op.f("pk_ladder_levels")),
    )
    op.create_table(
        "members",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=True),
        sa.Column("invited_by_id", sa.Uuid(), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('CONSUMER', 'GUIDE', 'STORE', 'DEALER', 'SALESPERSON')",
            name=op.f("ck_members_role_known"),
        ),
        sa.CheckConstraint("status IN ('ACTIVE', 'FROZEN')", name=op.f("ck_members_status_known")),
        sa.ForeignKeyConstraint(
            ["brand_id", "identity_id"],
            ["identities.brand_id", "identities.id"],
            name=op.f("fk_members_brand_id_identity_id_identities"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "invited_by_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_members_brand_id_invited_by_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_members")),
        sa.UniqueConstraint(
            "brand_id", "identity_id", "role", name=op.f("uq_members_brand_id_identity_id_role")
        ),
    )
    op.create_index(
        op.f("ix_members_brand_id_invited_by_id"), "members", ["brand_id", "invited_by_id"]
    )
    op.create_table(
        "scan_rollups",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("scanned_on", sa.Date(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("scans", sa.BigInteger(), nullable=False),
        sa.Column("first_scans", sa.BigInteger(), nullable=False),
        sa.Column("paid_scans", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("hour BETWEEN 0 AND 23", name=op.f("ck_scan_rollups_hour_of_day")),
        sa.ForeignKeyConstraint(
            ["brand_id", "product_id"],
            ["products.brand_id", "products.id"],
            name=op.f("fk_scan_rollups_brand_id_product_id_products"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "scanned_on", "hour", "product_id", name=op.f("pk_scan_rollups")
        ),
    )
    op.create_table(
        "invitations",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inviter_id", sa.Uuid(), nullable=False),
        sa.Column("phone_hash", sa.String(), nullable=False),
        sa.Column("phone_cipher", sa.String(), nullable=False),
        sa.Column("accepted_member_id", sa.Uuid(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "accepted_member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_invitations_brand_id_accepted_member_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "inviter_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_invitations_brand_id_inviter_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_invitations")),
        sa.UniqueConstraint(
            "brand_id", "phone_hash", name=op.f("uq_invitations_brand_id_phone_hash")
        ),
    )
    op.create_index(
        op.f("ix_invitations_brand_id_inviter_id"), "invitations", ["brand_id", "inviter_id"]
    )
    op.create_table(
        "member_devices",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("device_hash", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_member_devices_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "device_hash", "member_id", name=op.f("pk_member_devices")
        ),
    )
    op.create_table(
        "notifications",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_notifications_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_notifications")),
    )
    op.create_table(
        "purchase_events",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purchase_ref", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("purchased_on", sa.Date(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("points_granted", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_fen >= 0 AND quantity >= 0", name=op.f("ck_purchase_events_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_purchase_events_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_purchase_events")),
        sa.UniqueConstraint(
            "brand_id", "purchase_ref", name=op.f("uq_purchase_events_brand_id_purchase_ref")
        ),
    )
    op.create_index(
        op.f("ix_purchase_events_brand_id_member_id_id"),
        "purchase_events",
        ["brand_id", "member_id", "id"],
    )
    op.create_table(
        "standings",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_standings_brand_id_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "member_id", name=op.f("pk_standings")),
    )
