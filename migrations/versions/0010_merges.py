"""Two members become one: where merged ones lead, who is one person, closed accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_members()
    with op.batch_alter_table("identities") as batch:
        batch.add_column(sa.Column("person_id", sa.Uuid(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_identities_brand_id_person_id_identities"),
            "identities",
            ["brand_id", "person_id"],
            ["brand_id", "id"],
        )
    _index("identities", "person", "person_id")
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "member_merges",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("from_member_id", sa.Uuid(), nullable=False),
        sa.Column("into_member_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "from_member_id <> into_member_id", name=op.f("ck_member_merges_two_members")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "from_member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_member_merges_brand_id_from_member_id_members"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "into_member_id"],
            ["members.brand_id", "members.id"],
            name=op.f("fk_member_merges_brand_id_into_member_id_members"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_member_merges")),
        sa.UniqueConstraint(
            "brand_id", "from_member_id", name=op.f("uq_member_merges_brand_id_from_member_id")
        ),
    )
    op.create_index(
        op.f("ix_member_merges_brand_id_into_member_id"),
        "member_merges",
        ["brand_id", "into_member_id"],
    )


def _widen_members() -> None:
    with op.batch_alter_table("members") as batch:
        batch.add_column(sa.Column("merged_into_id", sa.Uuid(), nullable=True))
        batch.drop_constraint(op.f("ck_members_status_known"), type_="check")
        for name, condition in (
            ("status_known", "status IN ('ACTIVE', 'FROZEN', 'MERGED')"),
            ("merged_whole", "(status = 'MERGED') = (merged_into_id IS NOT NULL)"),
            ("merged_into_another", "merged_into_id <> id"),
        ):
            batch.create_check_constraint(op.f(f"ck_members_{name}"), condition)
        batch.create_foreign_key(
            op.f("fk_members_brand_id_merged_into_id_members"),
            "members",
            ["brand_id", "merged_into_id"],
            ["brand_id", "id"],
        )
    _index("members", "merged", "merged_into_id")


def _index(table: str, name: str, column: str) -> None:
    """Of the few rows that have the column."""
    condition = sa.text(f"{column} IS NOT NULL")
    op.create_index(
        f"ix_{table}_{name}",
        table,
        ["brand_id", column],
        sqlite_where=condition,
        postgresql_where=condition,
    )
