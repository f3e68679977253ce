"""Purchases name the place where they were made.

Revision ID: 0039
Revises: 0038
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_PLACE = "fk_purchase_events_brand_id_place_id_places"


def upgrade() -> None:
    with op.batch_alter_table("purchase_events") as batch:
        batch.add_column(sa.Column("place_id", sa.Uuid(), nullable=True))
        batch.create_foreign_key(
            op.f(_PLACE), "places", ["brand_id", "place_id"], ["brand_id", "id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("purchase_events") as batch:
        batch.drop_constraint(op.f(_PLACE), type_="foreignkey")
        batch.drop_column("place_id")
