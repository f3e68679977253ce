"""Webhooks: endpoints, what they want, deliveries and their attempts.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

PENDING = sa.text("status = 'PENDING'")
DEAD = sa.text("status = 'DEAD'")
DUE = sa.text("status = 'ACTIVE' AND due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("secret_cipher", sa.String(), nullable=False),
        sa.Column("previous_cipher", sa.String(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replay_after_id", sa.Uuid(), nullable=True),
        sa.Column("replay_until_id", sa.Uuid(), nullable=True),
        sa.Column("replay_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('ACTIVE', 'DISABLED')", name=op.f("ck_webhook_endpoints_status_known")
        ),
        sa.CheckConstraint(
            "(lease_token IS NULL) = (leased_until IS NULL)",
            name=op.f("ck_webhook_endpoints_leased_wholly"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_webhook_endpoints_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index(
        "ix_webhook_endpoints_due",
        "webhook_endpoints",
        ["due_at"],
        sqlite_where=DUE,
        postgresql_where=DUE,
    )
    op.create_table(
        "webhook_subscriptions",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("certain_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "endpoint_id"],
            ["webhook_endpoints.brand_id", "webhook_endpoints.id"],
            name=op.f("fk_webhook_subscriptions_brand_id_endpoint_id_webhook_endpoints"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "endpoint_id", "event_type", name=op.f("pk_webhook_subscriptions")
        ),
    )
    op.create_index(
        op.f("ix_webhook_subscriptions_brand_id_event_type"),
        "webhook_subscriptions",
        ["brand_id", "event_type"],
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status_code", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PENDING', 'DELIVERED', 'DEAD')",
            name=op.f("ck_webhook_deliveries_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'DELIVERED') = (delivered_at IS NOT NULL)",
            name=op.f("ck_webhook_deliveries_delivered"),
        ),
        sa.CheckConstraint(
            "(status = 'DEAD') = (dead_at IS NOT NULL) AND (dead_at IS NULL OR last_error IS NOT"
            " NULL)",
            name=op.f("ck_webhook_deliveries_dead_of_something"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "endpoint_id"],
            ["webhook_endpoints.brand_id", "webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_brand_id_endpoint_id_webhook_endpoints"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "brand_id",
            "endpoint_id",
            "event_id",
            name=op.f("uq_webhook_deliveries_brand_id_endpoint_id_event_id"),
        ),
    )
    table = "webhook_deliveries"
    op.create_index("ix_webhook_deliveries_newest", table, ["brand_id", "endpoint_id", "id"])
    for name, columns, where in (
        ("pending", ["brand_id", "endpoint_id", "event_id"], PENDING),
        ("subject", ["brand_id", "endpoint_id", "subject_id", "event_id"], PENDING),
        ("dead", ["brand_id", "endpoint_id", "id"], DEAD),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}",
            table,
            columns,
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "webhook_attempts",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["brand_id", "delivery_id"],
            ["webhook_deliveries.brand_id", "webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_brand_id_delivery_id_webhook_deliveries"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_webhook_attempts")),
    )
    op.create_index(
        op.f("ix_webhook_attempts_brand_id_delivery_id_id"),
        "webhook_attempts",
        ["brand_id", "delivery_id", "id"],
    )


def downgrade() -> None:
    for table in (
        "webhook_attempts",
        "webhook_deliveries",
        "webhook_subscriptions",
        "webhook_endpoints",
    ):
        op.drop_table(table)
