"""The bench of tills and settlement at a tiny size: it runs, and it refuses to tell a rate of work
that was not done."""

import asyncio

import pytest

from benchmarks import bare_jobs
from benchmarks.bare_jobs import NotWorkedOff
from benchmarks.settlement import (
    NotSettled,
    capture_coupons,
    require_captured,
    require_settled,
    settle,
)
from benchmarks.tills import TillSizes, build_till_stage, redeeming
from loyalty.access.tokens import TokenIssuer
from loyalty.clock import utc_now
from loyalty.crypto import Keyring

COUPONS = 12
SIZES = TillSizes(places=2, tills_per_place=2, coupons=COUPONS, coupons_per_payout=2)

pytestmark = pytest.mark.only_database(
    "postgresql", reason="the bench settles on PostgreSQL, with Redis"
)


def test_coupons_are_captured_over_http_and_settled_by_a_worker(
    database_url: str,
    redis_url: str,
    keyring: Keyring,
    secrets_env: dict[str, str],
    command_env: dict[str, str],
) -> None:
    environment = {**command_env, "LOYALTY_REDIS_URL": redis_url}
    stage = asyncio.run(build_till_stage(database_url, keyring, SIZES))
    assert len(stage.clerks) == 4
    tokens = TokenIssuer(bytes.fromhex(secrets_env["LOYALTY_TOKEN_SECRET"]), ttl_seconds=600)
    holds, then = redeeming(stage, tokens, utc_now())
    capture_coupons(database_url, environment, holds, then)
    require_captured(database_url, COUPONS)
    with pytest.raises(NotSettled):
        require_captured(database_url, COUPONS + 1)
    with pytest.raises(NotSettled):
        require_settled(database_url, COUPONS)
    assert settle(database_url, environment, redis_url) > 0
    require_settled(database_url, COUPONS)
    with pytest.raises(NotSettled):
        require_settled(database_url, COUPONS - 1)


def test_bare_jobs_are_counted_by_the_rows_they_updated(database_url: str, redis_url: str) -> None:
    rows = range(1, 9)
    asyncio.run(bare_jobs.prepare_rows(database_url, len(rows)))
    asyncio.run(bare_jobs.enqueue(redis_url, rows[1:]))
    with pytest.raises(NotWorkedOff, match="7 rows were updated, not 8"):
        bare_jobs.work_off(database_url, redis_url, len(rows))
    asyncio.run(bare_jobs.enqueue(redis_url, rows[:1]))
    assert bare_jobs.work_off(database_url, redis_url, len(rows)) > 0
