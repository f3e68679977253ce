"""What brands owe each other: positions, entries, statements.

Books of clearing may go below zero from now on: a partner's account is their other side.

Revision ID: 0026
Revises: 0025
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_OWN_COUPON = "fk_redemptions_brand_id_coupon_id_coupons"


def upgrade() -> None:
    op.execute("UPDATE accounts SET overdraft_allowed = true WHERE kind = 'CLEARING'")
    op.create_table(
        "clearing_positions",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("owed_fen", sa.BigInteger(), nullable=False),
        sa.Column("reserved_fen", sa.BigInteger(), nullable=False),
        sa.Column("statement_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("brand_id <> partner_id", name=op.f("ck_clearing_positions_two_brands")),
        sa.CheckConstraint(
            "reserved_fen >= 0", name=op.f("ck_clearing_positions_reserved_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "account_id"],
            ["accounts.brand_id", "accounts.id"],
            name=op.f("fk_clearing_positions_brand_id_account_id_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_clearing_positions_brand_id_brands")
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["brands.id"], name=op.f("fk_clearing_positions_partner_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "partner_id", name=op.f("pk_clearing_positions")),
    )
    _entries()
    _redemptions()
    _statements()


def _redemptions() -> None:
    """Those of before are of their own brand's coupons, and under no agreement."""
    op.drop_index("uq_redemptions_live", "redemptions")
    op.drop_index(op.f("ix_redemptions_brand_id_coupon_id_id"), "redemptions")
    with op.batch_alter_table("redemptions") as batch:
        batch.add_column(sa.Column("coupon_brand_id", sa.Uuid(), nullable=True))
        for name in ("agreement_id", "partner_id", "issuer_id"):
            batch.add_column(sa.Column(name, sa.Uuid(), nullable=True))
        for name in ("partner_owes_fen", "redeem_fee_fen", "reserved_fen"):
            batch.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE redemptions SET coupon_brand_id = brand_id")
    with op.batch_alter_table("redemptions") as batch:
        batch.alter_column("coupon_brand_id", existing_type=sa.Uuid(), nullable=False)
        batch.alter_column("member_id", existing_type=sa.Uuid(), nullable=True)
        batch.drop_constraint(op.f(_OWN_COUPON), type_="foreignkey")
        batch.create_foreign_key(
            op.f("fk_redemptions_coupon_brand_id_coupon_id_coupons"),
            "coupons",
            ["coupon_brand_id", "coupon_id"],
            ["brand_id", "id"],
        )
        for name in ("partner_owes_fen", "redeem_fee_fen", "reserved_fen"):
            batch.alter_column(name, existing_type=sa.BigInteger(), server_default=None)
        batch.create_check_constraint(
            op.f("ck_redemptions_agreed_wholly"),
            "(agreement_id IS NULL) = (partner_id IS NULL)"
            " AND (agreement_id IS NULL) = (issuer_id IS NULL)"
            " AND (agreement_id IS NOT NULL OR coupon_brand_id = brand_id)",
        )
        batch.create_check_constraint(
            op.f("ck_redemptions_agreed_not_negative"),
            "partner_owes_fen >= 0 AND redeem_fee_fen >= 0 AND reserved_fen >= 0",
        )
    op.create_index(
        op.f("ix_redemptions_coupon_brand_id_coupon_id_id"),
        "redemptions",
        ["coupon_brand_id", "coupon_id", "id"],
    )
    is_live = sa.text("status IN ('HELD', 'CAPTURED')")
    op.create_index(
        "uq_redemptions_live",
        "redemptions",
        ["coupon_brand_id", "coupon_id"],
        unique=True,
        sqlite_where=is_live,
        postgresql_where=is_live,
    )


def _column(name: str, kind: sa.types.TypeEngine[Any], *, nullable: bool = False) -> Any:
    return sa.Column(name, kind, nullable=nullable)


def _brand(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["brand_id"], ["brands.id"], name=op.f(f"fk_{table}_brand_id_brands")
    )


def _statements() -> None:
    time, whole = sa.DateTime(timezone=True), sa.BigInteger()
    op.create_table(
        "clearing_statements",
        *(_column(name, sa.Uuid()) for name in ("brand_id", "id", "partner_id")),
        _column("number", sa.Integer()),
        *(_column(name, time) for name in ("starts_at", "ends_at")),
        *(_column(name, whole) for name in ("opening_fen", "closing_fen", "entry_count")),
        _column("drawn_at", time),
        _column("confirmed_at", time, nullable=True),
        _column("confirmed_by", sa.Uuid(), nullable=True),
        _column("partner_confirmed_at", time, nullable=True),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_clearing_statements_period")),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (confirmed_by IS NULL)",
            name=op.f("ck_clearing_statements_confirmed_wholly"),
        ),
        _brand("clearing_statements"),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_clearing_statements")),
        sa.UniqueConstraint(
            *("brand_id", "partner_id", "number"),
            name=op.f("uq_clearing_statements_brand_id_partner_id_number"),
        ),
    )
    op.create_table(
        "clearing_adjustments",
        *(_column(name, sa.Uuid()) for name in ("brand_id", "id", "partner_id")),
        _column("owed_fen", whole),
        *(_column(name, sa.String()) for name in ("reason", "status")),
        _column("is_ours", sa.Boolean()),
        _column("entry_id", sa.Uuid(), nullable=True),
        _column("proposed_at", time),
        _column("decided_at", time, nullable=True),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'ACCEPTED', 'DECLINED', 'WITHDRAWN')",
            name=op.f("ck_clearing_adjustments_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'PROPOSED') = (decided_at IS NULL)",
            name=op.f("ck_clearing_adjustments_decided_at"),
        ),
        sa.CheckConstraint(
            "(status = 'ACCEPTED') = (entry_id IS NOT NULL)",
            name=op.f("ck_clearing_adjustments_entry"),
        ),
        sa.CheckConstraint("owed_fen <> 0", name=op.f("ck_clearing_adjustments_amount_not_zero")),
        _brand("clearing_adjustments"),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_clearing_adjustments")),
    )
    proposed = sa.text("status = 'PROPOSED'")
    op.create_index(
        "ix_clearing_adjustments_proposed",
        "clearing_adjustments",
        ["brand_id", "partner_id"],
        sqlite_where=proposed,
        postgresql_where=proposed,
    )


def _entries() -> None:
    op.create_table(
        "clearing_entries",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("owed_fen", sa.BigInteger(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("coupon_id", sa.Uuid(), nullable=True),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("place_name", sa.String(), nullable=True),
        sa.Column("till_name", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("statement_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("owed_fen <> 0", name=op.f("ck_clearing_entries_amount_not_zero")),
        sa.CheckConstraint(
            "kind IN ('REDEMPTION', 'REVERSAL', 'FEE', 'PAYMENT', 'ADJUSTMENT')",
            name=op.f("ck_clearing_entries_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_clearing_entries_brand_id_brands")
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["brands.id"], name=op.f("fk_clearing_entries_partner_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_clearing_entries")),
    )
    for columns in (("partner_id", "id"), ("statement_id", "id")):
        names = ["brand_id", *columns]
        op.create_index(op.f(f"ix_clearing_entries_{'_'.join(names)}"), "clearing_entries", names)
    has_redemption = sa.text("redemption_id IS NOT NULL")
    op.create_index(
        "ix_clearing_entries_redemption",
        "clearing_entries",
        ["brand_id", "redemption_id"],
        sqlite_where=has_redemption,
        postgresql_where=has_redemption,
    )


def downgrade() -> None:
    _own_redemptions()
    for table in ("clearing_adjustments", "clearing_statements"):
        op.drop_table(table)
    op.drop_table("clearing_entries")
    op.drop_table("clearing_positions")


def _own_redemptions() -> None:
    """What was redeemed of partners' coupons cannot be told without them."""
    is_live = sa.text("status IN ('HELD', 'CAPTURED')")
    op.drop_index("uq_redemptions_live", "redemptions")
    op.drop_index(op.f("ix_redemptions_coupon_brand_id_coupon_id_id"), "redemptions")
    op.execute(
        "DELETE FROM redemption_events WHERE (brand_id, redemption_id) IN"
        " (SELECT brand_id, id FROM redemptions WHERE coupon_brand_id <> brand_id)"
    )
    op.execute("DELETE FROM redemptions WHERE coupon_brand_id <> brand_id")
    with op.batch_alter_table("redemptions") as batch:
        for name in ("agreed_wholly", "agreed_not_negative"):
            batch.drop_constraint(op.f(f"ck_redemptions_{name}"), type_="check")
        batch.drop_constraint(
            op.f("fk_redemptions_coupon_brand_id_coupon_id_coupons"), type_="foreignkey"
        )
        batch.create_foreign_key(
            op.f(_OWN_COUPON), "coupons", ["brand_id", "coupon_id"], ["brand_id", "id"]
        )
        batch.alter_column("member_id", existing_type=sa.Uuid(), nullable=False)
        for name in ("coupon_brand_id", "agreement_id", "partner_id", "issuer_id"):
            batch.drop_column(name)
        for name in ("partner_owes_fen", "redeem_fee_fen", "reserved_fen"):
            batch.drop_column(name)
    op.create_index(
        op.f("ix_redemptions_brand_id_coupon_id_id"), "redemptions", ["brand_id", "coupon_id", "id"]
    )
    op.create_index(
        "uq_redemptions_live",
        "redemptions",
        ["brand_id", "coupon_id"],
        unique=True,
        sqlite_where=is_live,
        postgresql_where=is_live,
    )
