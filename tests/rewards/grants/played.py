"""A brand where scans lock rewards, played on a clock that the test moves."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.db import Database
from loyalty.errors import Refusal
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.ledger.models import Account, Asset, Lot
from loyalty.members.models import Member
from loyalty.outbox import OutboxEvent
from rewards.campaigns.models import CampaignBudget
from rewards.grants.models import LockedReward
from rewards.grants.unlocking import settle_due
from rewards.scans.service import ConfigurationCache, settle_scans
from tests.rewards.scans.worlds import (
    CONSUMER,
    GUIDE,
    BrandPlan,
    CampaignPlan,
    ScanPlan,
    World,
    make_world,
)

INNER, OUTER = 1, 2
LIMIT = 200

Locked = tuple[MemberRole, Asset, int, dict[str, Any]]


def plan_of(*locked: Locked, tiers_end: str = "NEVER", **campaign: Any) -> BrandPlan:
    """One campaign that pays the consumer 3 points at once, and locks these besides."""
    outcomes = {CONSUMER: {Asset.POINTS: 3}}
    plan = CampaignPlan(**{"outcomes": outcomes, "locked": locked, **campaign})
    return BrandPlan((plan,), frozenset(), points_valid_months=1, tiers_end=tiers_end)


def waits(kind: str, amount: int, asset: Asset = Asset.CASH, **lock: Any) -> Locked:
    """What a consumer gets once this happens."""
    return (CONSUMER, asset, amount, {"kind": kind, **lock})


@dataclass
class Played:
    """The world and what is asked of it. People are called by their names in ``PEOPLE``."""

    db: Database
    world: World
    cache: ConfigurationCache = field(default_factory=dict)

    @property
    def brand_id(self) -> UUID:
        return self.world.brand_ids[0]

    @property
    def operator(self) -> Actor:
        return Actor(ActorKind.OPERATOR, self.brand_id, new_id(), "ADMIN")

    async def scan(
        self, person: str, serial: int, role: MemberRole = CONSUMER, cache: bool = True
    ) -> dict[str, Any]:
        """The reply of one scan: a consumer's of the INNER code, a guide's of the OUTER one."""
        batch = INNER if role is CONSUMER else OUTER
        plan = ScanPlan(0, person, role, batch, serial, None, new_id().hex, foreign=False)
        [reply] = await self.settle(plan, cache=self.cache if cache else {})
        return reply

    async def settle(
        self, *plans: ScanPlan, cache: ConfigurationCache | None = None
    ) -> list[dict[str, Any]]:
        """The replies of one batch; without a ``cache`` all that is configured is read anew."""
        requests = [self.world.request(plan) for plan in plans]
        cache = {} if cache is None else cache
        answers = await self.db.in_transaction(settle_scans, requests, cache)
        replies = [answer.reply for answer in answers if not isinstance(answer, Refusal)]
        assert len(replies) == len(answers)
        return replies

    async def sweep(self, limit: int = LIMIT) -> int:
        return await self.db.in_transaction(settle_due, limit)

    async def rows(self, model: Any, *conditions: Any) -> list[Any]:
        """Rows of the brand, in the order of their keys."""
        table = model.__table__
        async with self.db.snapshot() as snapshot:
            connection = await snapshot.session.connection()
            found = await connection.execute(
                select(table)
                .where(table.c.brand_id == self.brand_id, *conditions)
                .order_by(*table.primary_key.columns)
            )
            return list(found)

    async def member(self, person: str, role: MemberRole = CONSUMER) -> Any:
        identity = self.world.people[0, person]
        table = Member.__table__  # type: ignore[attr-defined]
        [row] = await self.rows(Member, table.c.identity_id == identity, table.c.role == role)
        return row

    async def has(
        self, person: str, asset: Asset = Asset.CASH, role: MemberRole = CONSUMER
    ) -> tuple[int, int]:
        """(balance, locked) of an asset."""
        member = await self.member(person, role)
        table = Account.__table__  # type: ignore[attr-defined]
        found = await self.rows(
            Account,
            table.c.owner_id == member.id,
            table.c.asset == asset.value,
            table.c.kind == "MAIN",
        )
        return sum(row.credits_posted - row.debits_posted for row in found), sum(
            row.credits_pending for row in found
        )

    async def lots(self, person: str, asset: Asset) -> dict[Any, int]:
        """What is left in each free lot, by its date."""
        member = await self.member(person)
        accounts = Account.__table__  # type: ignore[attr-defined]
        [account] = await self.rows(
            Account, accounts.c.owner_id == member.id, accounts.c.asset == asset.value
        )
        lots = Lot.__table__  # type: ignore[attr-defined]
        found = await self.rows(Lot, lots.c.account_id == account.id, lots.c.locked.is_(False))
        return {row.expires_on: row.remaining for row in found}

    async def locked(self) -> list[Any]:
        """Every locked reward of the brand, oldest first."""
        return await self.rows(LockedReward)

    async def statuses(self) -> list[str]:
        return [row.status for row in await self.locked()]

    async def budget(self, asset: Asset = Asset.CASH) -> tuple[int, int]:
        """(spent, reserved)"""
        table = CampaignBudget.__table__  # type: ignore[attr-defined]
        [row] = await self.rows(CampaignBudget, table.c.asset == asset.value)
        return row.spent, row.reserved

    async def facts(self, topic: str) -> list[dict[str, Any]]:
        table = OutboxEvent.__table__  # type: ignore[attr-defined]
        return [row.payload for row in await self.rows(OutboxEvent, table.c.topic == topic)]

    async def broken(self) -> dict[str, list[str]]:
        """What the auditor finds."""
        return {c.name: c.examples for c in await audit(self.db) if c.broken}


async def play(db: Database, plan: BrandPlan) -> Played:
    return Played(db, await db.in_transaction(make_world, [plan]))


__all__ = ["CONSUMER", "GUIDE", "Played", "plan_of", "play", "waits"]
