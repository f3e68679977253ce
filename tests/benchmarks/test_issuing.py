"""The bench of issuing at a tiny size: it runs, and refuses to tell a rate of work that was not
done."""

from pathlib import Path

from benchmarks.issuing import bars_of, issue
from benchmarks.postgres import Postgres
from tests.postgresql_server import PostgresqlServer
from tests.servers import environment_for

COUPONS, ENTRIES = 30, 40


def test_coupons_are_issued_both_ways_and_a_statement_is_drawn(
    postgresql_server: PostgresqlServer, secrets_env: dict[str, str]
) -> None:
    postgres = Postgres(Path("127.0.0.1"), postgresql_server.port, "")
    done = issue(postgres, environment_for("", secrets_env), COUPONS, ENTRIES)
    assert min(done.singles_per_second, done.listed_per_second) > 0
    assert min(done.drawn_per_second, done.bare_per_second) > 0
    assert done.entries == 2 * COUPONS + ENTRIES
    assert [bar.unit for bar in bars_of(done, 1.0)] == ["coupons/s", "coupons/s", "entries/s"]
