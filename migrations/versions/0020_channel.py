"""Who stands behind a guide; what the channel earns by a scan.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guide_places",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("roster_entry_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "roster_entry_id"],
            ["roster_entries.brand_id", "roster_entries.id"],
            name=op.f("fk_guide_places_brand_id_roster_entry_id_roster_entries"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "place_id"],
            ["places.brand_id", "places.id"],
            name=op.f("fk_guide_places_brand_id_place_id_places"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "roster_entry_id", name=op.f("pk_guide_places")),
    )
    op.create_table(
        "place_channels",
        sa.Column("brand_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("roster_entry_id", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('DEALER', 'SALESPERSON')", name=op.f("ck_place_channels_role_known")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "place_id"],
            ["places.brand_id", "places.id"],
            name=op.f("fk_place_channels_brand_id_place_id_places"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "roster_entry_id"],
            ["roster_entries.brand_id", "roster_entries.id"],
            name=op.f("fk_place_channels_brand_id_roster_entry_id_roster_entries"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "place_id", "role", name=op.f("pk_place_channels")),
    )


def downgrade() -> None:
    op.drop_table("place_channels")
    op.drop_table("guide_places")
