"""What alembic runs: on a connection that ``migrations.runner`` gives it, in one transaction."""

from alembic import context

from migrations.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's DDL is transactional too, once BEGIN is said; alembic does not assume so.
    transactional_ddl=True,
    render_as_batch=True,
)

with context.begin_transaction():
    context.run_migrations()
