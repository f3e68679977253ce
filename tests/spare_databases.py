"""PostgreSQL databases that serve one test after another, emptied in between: making and dropping
one costs ten times as much as most tests.

A database is used again only if nobody is connected to it any more, and neither its schema nor its
statistics differ from what the migration left; else it is dropped, as it is after so many tests,
for what is deleted leaves its room behind.
"""

import asyncio

import asyncpg

from tests.postgresql_server import PostgresqlServer, run_apart

USES_MAX = 40
BYTES_MAX = 24 * 2**20  # empty it has 12 MiB
GOODBYE_ASKS = 20
GOODBYE_SECONDS = 0.005

_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'
"""

# Catalogs in which every change of a schema leaves a new row, or one less. VACUUM and ANALYZE
# change pg_class in place.
_CATALOGS = (
    *("pg_attrdef", "pg_attribute", "pg_class", "pg_constraint", "pg_event_trigger", "pg_index"),
    *("pg_namespace", "pg_proc", "pg_rewrite", "pg_statistic", "pg_trigger", "pg_type"),
)
_SCHEMA = " UNION ALL ".join(
    f"SELECT '{catalog}', count(*), coalesce(max(xmin::text::bigint), 0) FROM {catalog}"
    for catalog in _CATALOGS
) + (
    " UNION ALL SELECT 'pages', sum(relpages), sum(reltuples)::bigint FROM pg_class"
    " UNION ALL SELECT version_num, 0, 0 FROM alembic_version"
    " UNION ALL SELECT 'settings', count(*), 0 FROM pg_db_role_setting s"
    " JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()"
)

# One without a page never had a row, as most have not.
_TABLES = """
    SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0 ORDER BY relname
"""


class SpareDatabases:
    """Copies of one template on one server."""

    def __init__(self, server: PostgresqlServer, template: str, *, prefix: str = "test") -> None:
        self._server = server
        self._template = template
        self._prefix = prefix
        self._spare: list[str] = []
        self._uses: dict[str, int] = {}
        self._schemas: dict[str, list[tuple[str, int, int]]] = {}

    def take(self) -> str:
        """The address of a database, migrated and empty, that is nobody else's."""
        if self._spare:
            name = self._spare.pop()
        else:
            name = f"{self._prefix}_{len(self._uses) + 1}"
            self._uses[name] = 0
            self._server.create_database(name, self._template)
            self._schemas[name] = run_apart(self._read_schema(name))
        self._uses[name] += 1
        return self._server.url(name)

    def give_back(self, url: str) -> None:
        """Empty it for the next test, or drop it where it is not as it was."""
        name = url.rpartition("/")[2]
        if self._uses[name] < USES_MAX and run_apart(self._is_emptied(name)):
            self._spare.append(name)
        else:
            self._server.drop_database(name)

    def close(self) -> None:
        """Drop all that were made, given back or not."""
        for name in self._uses:
            self._server.drop_database(name)

    async def _read_schema(self, name: str) -> list[tuple[str, int, int]]:
        connection = await asyncpg.connect(self._server.url(name), timeout=5)
        try:
            return [tuple(row) for row in await connection.fetch(_SCHEMA)]
        finally:
            await connection.close()

    async def _is_emptied(self, name: str) -> bool:
        connection = await asyncpg.connect(self._server.url(name), timeout=5)
        try:
            for _ in range(GOODBYE_ASKS):
                if not await connection.fetchval(_OTHERS):
                    break
                await asyncio.sleep(GOODBYE_SECONDS)
            else:
                return False
            if [tuple(row) for row in await connection.fetch(_SCHEMA)] != self._schemas[name]:
                return False
            size = await connection.fetchval("SELECT pg_database_size(current_database())")
            if size > BYTES_MAX:
                return False
            tables = [row[0] for row in await connection.fetch(_TABLES)]
            # No foreign keys and no triggers meanwhile.
            await connection.execute(
                "SET session_replication_role = replica; BEGIN;"
                + "".join(f'DELETE FROM "{table}";' for table in tables)
                + "COMMIT"
            )
            return True
        finally:
            await connection.close()
