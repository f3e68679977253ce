"""What every table shares: the tenant key and composite foreign keys.

Tenant tables have the primary key (brand_id, id) and refer to each other by (brand_id, other_id),
so that rows of two brands cannot be mixed and brands can be sharded.
"""

from typing import Any

from sqlalchemy import ForeignKeyConstraint, MetaData
from sqlmodel import Field, SQLModel

from loyalty.ids import new_id

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


def own_id() -> Any:
    """The ``id`` column: a UUIDv7 made by whoever starts the action, part of the primary key."""
    return Field(default_factory=new_id, primary_key=True)


def tenant() -> Any:
    """The ``brand_id`` column: first part of the primary key."""
    return Field(primary_key=True)


def reference(column: str, table: str, target: str = "id") -> ForeignKeyConstraint:
    """A foreign key that stays inside the brand."""
    return ForeignKeyConstraint(["brand_id", column], [f"{table}.brand_id", f"{table}.{target}"])


def brand_reference() -> ForeignKeyConstraint:
    """The foreign key of a table to its tenant."""
    return ForeignKeyConstraint(["brand_id"], ["brands.id"])
