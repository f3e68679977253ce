"""The bench of expiry at a tiny size: it runs, and it refuses to tell a rate of work that was not
done."""

from pathlib import Path

import pytest

from benchmarks.expiry import TEMPLATE, NotExpired, bare_update, expire, prepare_lots
from benchmarks.postgres import Postgres
from tests.postgresql_server import PostgresqlServer
from tests.servers import environment_for

LOTS = 40


def test_lots_expire_and_are_counted(
    postgresql_server: PostgresqlServer, secrets_env: dict[str, str]
) -> None:
    postgres = Postgres(Path("127.0.0.1"), postgresql_server.port, "")
    environment = environment_for("", secrets_env)
    try:
        brand = prepare_lots(postgres, environment, LOTS)
        done = expire(postgres, environment, LOTS)
        assert done.lots_per_second > 0 and done.peak_bytes > 2**20
        with pytest.raises(NotExpired, match="UPDATE 40, not 41"):
            bare_update(postgres, brand, LOTS + 1)
    finally:
        postgres.drop_database(TEMPLATE)
