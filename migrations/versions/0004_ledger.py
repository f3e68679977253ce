"""Assets with expiry policies, lots for every asset, the brand's own books, reversals, debts."""

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from uuid_utils.compat import uuid7

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NAMES = {
    "POINTS": ("积分", "Points"),
    "GROWTH": ("成长值", "Growth"),
    "CASH": ("红包", "Cash"),
    "CHANCES": ("抽奖次数", "Chances"),
}
BOOKS = ("SPENT", "EXPIRED", "REVERSED", "FEES", "CLEARING")
NEVER_EXPIRES = date(9999, 12, 31)


def upgrade() -> None:
    _add_tables()
    with op.batch_alter_table("transfers") as batch:
        batch.add_column(sa.Column("reverses_id", sa.Uuid(), nullable=True))
    with op.batch_alter_table("accounts") as batch:
        batch.create_check_constraint(
            op.f("ck_accounts_nothing_owed_to_owers"),
            "kind <> 'RECEIVABLE' OR credits_posted <= debits_posted",
        )
    op.create_index(
        "ix_lots_expiring", "lots", ["brand_id", "expires_on", "account_id", "locked"], unique=False
    )
    _fill_assets_and_books()
    _give_every_balance_a_lot()
    with op.batch_alter_table("brands") as batch:
        batch.drop_constraint(op.f("ck_brands_points_valid_months_positive"), type_="check")
        batch.drop_column("points_valid_months")


def _add_tables() -> None:
    op.create_table(
        "assets",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("expiry", JSON, nullable=False),
        sa.Column("adjustment_limit", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('ACTIVE', 'RETIRED')", name=op.f("ck_assets_status_known")),
        sa.CheckConstraint(
            "adjustment_limit >= 0", name=op.f("ck_assets_adjustment_limit_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_assets_brand_id_brands")
        ),
        sa.PrimaryKeyConstraint("brand_id", "code", name=op.f("pk_assets")),
    )
    op.create_table(
        "transfer_reversals",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reversed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "reversed > 0 AND reversed <= amount", name=op.f("ck_transfer_reversals_within_amount")
        ),
        sa.PrimaryKeyConstraint("brand_id", "transfer_id", name=op.f("pk_transfer_reversals")),
    )
    op.create_table(
        "lot_extensions",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("from_expires_on", sa.Date(), nullable=False),
        sa.Column("to_expires_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_lot_extensions_amount_positive")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_lot_extensions")),
    )


def _fill_assets_and_books() -> None:
    connection = op.get_bind()
    brands = sa.table(
        "brands",
        sa.column("id", sa.Uuid()),
        sa.column("points_valid_months", sa.Integer()),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    assets = sa.table(
        "assets",
        sa.column("brand_id", sa.Uuid()),
        sa.column("code", sa.String()),
        sa.column("name_zh", sa.String()),
        sa.column("name_en", sa.String()),
        sa.column("expiry", JSON),
        sa.column("status", sa.String()),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    counters = ("credits_posted", "debits_posted", "credits_pending", "debits_pending")
    accounts = sa.table(
        "accounts",
        sa.column("brand_id", sa.Uuid()),
        sa.column("id", sa.Uuid()),
        sa.column("owner_id", sa.Uuid()),
        sa.column("asset", sa.String()),
        sa.column("kind", sa.String()),
        sa.column("overdraft_allowed", sa.Boolean()),
        sa.column("created_at", sa.DateTime(timezone=True)),
        *(sa.column(name, sa.BigInteger()) for name in counters),
    )
    found = connection.execute(
        sa.select(brands.c.id, brands.c.points_valid_months, brands.c.created_at)
    ).all()
    for brand_id, months, created_at in found:
        for code, (name_zh, name_en) in NAMES.items():
            expiry = {"kind": "NEVER"}
            if code == "POINTS" and months is not None:
                expiry = {"kind": "AFTER", "unit": "MONTH", "count": months}
            connection.execute(
                assets.insert().values(
                    brand_id=brand_id,
                    code=code,
                    name_zh=name_zh,
                    name_en=name_en,
                    expiry=expiry,
                    status="ACTIVE",
                    created_at=created_at,
                )
            )
            for kind in BOOKS:
                connection.execute(
                    accounts.insert().values(
                        brand_id=brand_id,
                        id=uuid7(),
                        owner_id=brand_id,
                        asset=code,
                        kind=kind,
                        overdraft_allowed=False,
                        created_at=created_at,
                        **dict.fromkeys(counters, 0),
                    )
                )


def _give_every_balance_a_lot() -> None:
    """Only points had lots; what members have of the other assets never expires."""
    never = sa.bindparam("never", NEVER_EXPIRES, type_=sa.Date())
    free = """
        INSERT INTO lots (brand_id, account_id, expires_on, locked, granted, remaining)
        SELECT brand_id, id, :never, false, credits_posted, credits_posted - debits_posted
        FROM accounts WHERE kind = 'MAIN' AND asset <> 'POINTS' AND credits_posted > 0
    """
    # What was granted locked is the sum of pending transfers, resolved since or not.
    locked = """
        INSERT INTO lots (brand_id, account_id, expires_on, locked, granted, remaining)
        SELECT a.brand_id, a.id, :never, true, SUM(t.amount), MAX(a.credits_pending)
        FROM accounts a JOIN transfers t ON t.brand_id = a.brand_id
            AND t.credit_account_id = a.id AND t.phase = 'PENDING'
        WHERE a.kind = 'MAIN' AND a.asset <> 'POINTS'
        GROUP BY a.brand_id, a.id
    """
    for statement in (free, locked):
        op.get_bind().execute(sa.text(statement).bindparams(never))
