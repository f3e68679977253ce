"""The schema that migrations build is the one that the models declare, on both databases."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect

from loyalty.db import Database
from migrations.metadata import metadata
from migrations.runner import pending, upgrade

ALEMBIC_TABLE = "alembic_version"


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))


def _schema(connection: Connection) -> dict[str, Any]:
    """Everything the database itself knows of its tables, constraints by name."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            },
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": _by_name(inspector.get_foreign_keys(table)),
            "unique": _by_name(inspector.get_unique_constraints(table)),
            "checks": _by_name(inspector.get_check_constraints(table)),
            "indexes": _by_name(_index(index) for index in inspector.get_indexes(table)),
        }
        for table in inspector.get_table_names()
        if table != ALEMBIC_TABLE
    }


def _index(index: Any) -> dict[str, Any]:
    # A partial index's condition is an expression object: compared by its text.
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def _by_name(things: Any) -> dict[str, Any]:
    return {str(thing["name"]): thing for thing in things}


def _create_from_models(connection: Connection) -> None:
    models: MetaData = metadata
    models.create_all(connection)


async def test_the_migrated_schema_is_the_models_schema(db: Database) -> None:
    async with db.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_a_migrated_database_knows_the_same_as_one_made_from_the_models(
    db: Database, empty_database_url: str
) -> None:
    async with db.engine.connect() as connection:
        migrated = await connection.run_sync(_schema)
    made = Database(empty_database_url)
    try:
        async with made.engine.begin() as connection:
            await connection.run_sync(_create_from_models)
            from_models = await connection.run_sync(_schema)
    finally:
        await made.close()
    assert migrated.keys() == from_models.keys()
    for table, knows in from_models.items():
        assert migrated[table] == knows, table
        names = [*knows["checks"], *knows["unique"], *knows["foreign keys"]]
        assert all(name.startswith(("ck_", "uq_", "fk_")) for name in names), table


async def test_an_empty_database_is_behind_and_is_migrated_once(empty_database_url: str) -> None:
    behind = await pending(empty_database_url)
    assert behind
    assert await upgrade(empty_database_url) == behind
    assert await pending(empty_database_url) == []
    assert await upgrade(empty_database_url) == []


async def test_a_schema_newer_than_the_program_is_left_alone(
    db: Database, database_url: str
) -> None:
    async with db.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert await pending(database_url) == []
    assert await upgrade(database_url) == []
