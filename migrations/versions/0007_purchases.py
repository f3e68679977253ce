"""What purchases were of, what rewarded them, and what was given back of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_purchases()
    op.create_table(
        "purchase_lines",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("returned_quantity", sa.BigInteger(), nullable=False),
        sa.Column("returned_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND amount_fen >= 0", name=op.f("ck_purchase_lines_positive")
        ),
        sa.CheckConstraint(
            "returned_quantity >= 0 AND returned_quantity <= quantity"
            " AND returned_fen >= 0 AND returned_fen <= amount_fen",
            name=op.f("ck_purchase_lines_returned_within_line"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "product_id"],
            ["products.brand_id", "products.id"],
            name=op.f("fk_purchase_lines_brand_id_product_id_products"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "purchase_id"],
            ["purchase_events.brand_id", "purchase_events.id"],
            name=op.f("fk_purchase_lines_brand_id_purchase_id_purchase_events"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "purchase_id", "line_no", name=op.f("pk_purchase_lines")
        ),
    )
    _add_returns()


def _widen_purchases() -> None:
    """What is there came by import, and nothing of it was returned."""
    with op.batch_alter_table("purchase_events") as batch:
        batch.add_column(sa.Column("source", sa.String(), nullable=True))
        batch.add_column(sa.Column("campaign_version_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("returned_fen", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE purchase_events SET source = 'IMPORT', returned_fen = 0")
    # A purchase was rewarded by the newest version of that moment.
    op.execute(
        """
        UPDATE purchase_events SET campaign_version_id = rewarded.version_id
        FROM (
            SELECT t.brand_id, t.cause_id, v.id AS version_id
            FROM (SELECT DISTINCT brand_id, cause_id, campaign_id, created_at FROM transfers
                WHERE cause_kind = 'PURCHASE' AND kind = 'EARN') AS t
            JOIN campaign_versions v ON v.brand_id = t.brand_id AND v.campaign_id = t.campaign_id
                AND v.version = (SELECT MAX(w.version) FROM campaign_versions w
                    WHERE w.brand_id = t.brand_id AND w.campaign_id = t.campaign_id
                        AND w.published_at <= t.created_at)
        ) AS rewarded
        WHERE rewarded.brand_id = purchase_events.brand_id
            AND rewarded.cause_id = purchase_events.id
        """
    )
    with op.batch_alter_table("purchase_events") as batch:
        batch.alter_column("source", existing_type=sa.String(), nullable=False)
        batch.alter_column("returned_fen", existing_type=sa.BigInteger(), nullable=False)
        batch.create_check_constraint(
            op.f("ck_purchase_events_source_known"), "source IN ('TILL', 'ORDER', 'IMPORT')"
        )
        batch.create_check_constraint(
            op.f("ck_purchase_events_returned_within_amount"),
            "returned_fen >= 0 AND returned_fen <= amount_fen",
        )
        batch.create_check_constraint(
            op.f("ck_purchase_events_returned_when_nothing_is_left"),
            "CASE WHEN returned_at IS NULL THEN returned_fen < amount_fen OR amount_fen = 0"
            " ELSE returned_fen = amount_fen END",
        )


def _add_returns() -> None:
    op.create_table(
        "purchase_returns",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("return_ref", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("left_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_fen >= 0 AND left_fen >= 0", name=op.f("ck_purchase_returns_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "purchase_id"],
            ["purchase_events.brand_id", "purchase_events.id"],
            name=op.f("fk_purchase_returns_brand_id_purchase_id_purchase_events"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_purchase_returns")),
        sa.UniqueConstraint(
            "brand_id", "return_ref", name=op.f("uq_purchase_returns_brand_id_return_ref")
        ),
    )
    op.create_index(
        op.f("ix_purchase_returns_brand_id_purchase_id_id"),
        "purchase_returns",
        ["brand_id", "purchase_id", "id"],
    )
    op.create_table(
        "purchase_return_lines",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "quantity >= 0 AND amount_fen >= 0", name=op.f("ck_purchase_return_lines_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "return_id"],
            ["purchase_returns.brand_id", "purchase_returns.id"],
            name=op.f("fk_purchase_return_lines_brand_id_return_id_purchase_returns"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "return_id", "line_no", name=op.f("pk_purchase_return_lines")
        ),
    )
    op.create_table(
        "purchase_return_takings",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("owed", sa.BigInteger(), nullable=False),
        sa.Column("voided", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "taken >= 0 AND owed >= 0 AND voided >= 0 AND taken + owed + voided > 0",
            name=op.f("ck_purchase_return_takings_something"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "return_id"],
            ["purchase_returns.brand_id", "purchase_returns.id"],
            name=op.f("fk_purchase_return_takings_brand_id_return_id_purchase_returns"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "return_id", "asset", name=op.f("pk_purchase_return_takings")
        ),
    )
