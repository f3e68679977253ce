"""Stores at work while workers are killed, Redis forgets, and it all is to be survived."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from loyalty.access.tokens import TokenIssuer
from loyalty.clock import utc_now
from loyalty.db import Database
from rewards.coupons.models import Coupon
from tests.databases import TOKEN_SECRET
from tests.kills.forking import Worker, WorkerForks
from tests.races.stage import said
from tests.races.wire import Wire, request_bytes
from tests.redis_server import RedisServer
from tests.rewards.redemptions.chains import Chain, take_all
from tests.rewards.redemptions.shops import Counter
from tests.servers import ServerProcess

KILLS = 50
WORKERS = 3
AT_ONCE = 5
"""Redemptions of a store in a round."""
PAUSE_SECONDS_MAX = 0.6
BEGIN_SECONDS_MAX = 120

HOLD = """mutation Kills($input: HoldCouponInput!) { holdCoupon(input: $input) { __typename
  ... on HoldCouponReceipt { redemption { id } } ... on Refused { code } } }"""
CAPTURE = """mutation Kills($input: CaptureRedemptionInput!) { captureRedemption(input: $input) {
  __typename ... on CaptureRedemptionReceipt { redemption { id status } }
  ... on Refused { code } } }"""

FLUSHED_IN = (5, 15, 25, 35, 45)
GONE_IN = (15, 35)
"""Rounds in which everything in Redis is lost; and those after which it is itself gone, for one."""


@dataclass
class Storm:
    """What is at work, and what happens to it. ``coupons`` are those of each chain, not yet used;
    ``receipts`` what clerks were told, by redemption."""

    db: Database
    chains: list[Chain]
    coupons: list[list[Coupon]]
    server: ServerProcess
    redis: RedisServer
    forks: WorkerForks
    chance: random.Random
    workers: list[Worker] = field(default_factory=list)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def rage(self) -> None:
        """All rounds: in each every store redeems, and one worker dies."""
        self.workers = [self.forks.start() for _ in range(WORKERS)]
        for number in range(KILLS):
            await asyncio.gather(self.redeem(), self.kill_one(), self.trouble_redis(number))

    async def redeem(self) -> None:
        """Some coupons in each store; one of each chain by a clerk, through the API."""
        await asyncio.gather(*(self._redeem_in(number) for number in range(len(self.chains))))

    async def _redeem_in(self, number: int) -> None:
        chain, coupons = self.chains[number], self.coupons[number]
        staffed = self.chance.choice(chain.counters)
        for counter in chain.counters:
            own = [coupons.pop() for _ in range(AT_ONCE)]
            if counter is staffed:
                await self._at_the_till(counter, own.pop())
            await self.db.in_transaction(take_all, counter, own)

    async def _at_the_till(self, counter: Counter, coupon: Coupon) -> None:
        token = TokenIssuer(bytes.fromhex(TOKEN_SECRET), 3600).issue(counter.actor, utc_now())
        wire = await Wire.open(self.server.port)
        try:
            given = {"code": coupon.code, "idempotencyKey": f"h{coupon.code}"}
            answer = await wire.ask(request_bytes(token, HOLD, {"input": given}))
            held = said(answer, "holdCoupon")["redemption"]["id"]
            given = {"redemptionId": held, "idempotencyKey": f"c{coupon.code}"}
            answer = await wire.ask(request_bytes(token, CAPTURE, {"input": given}))
            self.receipts[held] = said(answer, "captureRedemption")
        finally:
            await wire.close()

    async def kill_one(self) -> None:
        """SIGKILL, some moment after it has begun to work; another takes its place."""
        place = self.chance.randrange(WORKERS)
        pause_seconds = self.chance.uniform(0, PAUSE_SECONDS_MAX)
        victim = self.workers[place]
        async with asyncio.timeout(BEGIN_SECONDS_MAX):
            while not victim.works():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        await asyncio.sleep(pause_seconds)
        assert victim.is_there(), victim.log.read_text()[-2000:]
        await asyncio.to_thread(victim.kill)
        self.workers[place] = self.forks.start()

    async def trouble_redis(self, number: int) -> None:
        """What happens to Redis in this round."""
        if number in FLUSHED_IN:
            await asyncio.to_thread(self.redis.flush)
        if number in GONE_IN:
            await asyncio.to_thread(self.redis.kill)
        elif number - 1 in GONE_IN:
            await asyncio.to_thread(self.redis.start)
