"""The twin's credits: accounts, lots, transfers, tiers, and the brand's hot rows last."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from benchmarks.twin_configuration import Configuration
from loyalty.clock import local_date
from loyalty.ledger.models import Account, Lot, Transfer
from loyalty.members.models import Member
from loyalty.outbox import OutboxEvent
from rewards.campaigns.models import CampaignBudget
from tiers.ladders.models import LadderLevel
from tiers.standings.models import Standing, StandingChange


@dataclass
class Payment:
    """What one scan pays to whom."""

    session: AsyncSession
    configuration: Configuration
    identity_id: UUID
    scan_id: UUID
    now: datetime
    issued: dict[str, int] = field(default_factory=dict)
    rewards: list[dict[str, Any]] = field(default_factory=list)
    balances: dict[str, int] = field(default_factory=dict)
    ranks: dict[UUID, int] = field(default_factory=dict)

    async def pay(self, role: str, member: Member) -> None:
        outcomes = [o for o in self.configuration.campaign.outcomes if o["beneficiary"] == role]
        levels = self.configuration.levels.get(role)
        rank = await self.rank(member) if levels else 0
        for outcome in sorted(outcomes, key=lambda outcome: str(outcome["asset"])):
            amount = outcome["amount"]
            if outcome["asset"] == "POINTS" and levels:
                amount = amount * levels[rank].points_multiplier_percent // 100
            account, transfer = await self._credit(member, outcome["asset"], amount)
            if role == "CONSUMER":
                self.rewards.append({"asset": account.asset, "amount": amount, "locked": False})
                self.balances[account.asset] = account.credits_posted - account.debits_posted
            if outcome["asset"] == "GROWTH" and levels:
                await self._raise_standing(member, rank, account, transfer, levels)

    async def _credit(self, member: Member, asset: str, amount: int) -> tuple[Account, Transfer]:
        brand = self.configuration.brand
        account = (
            await self.session.exec(
                select(Account)
                .where(
                    Account.brand_id == brand.id,
                    Account.owner_id == member.id,
                    Account.asset == asset,
                    Account.kind == "MAIN",
                )
                .with_for_update()
            )
        ).first()
        if account is None:
            account = Account(
                brand_id=brand.id, owner_id=member.id, asset=asset, created_at=self.now
            )
        account.credits_posted += amount
        self.session.add(account)
        today = local_date(self.now, brand.timezone)
        expires_on = self.configuration.expiries[asset].last_day(today)
        lot = await self.session.get(Lot, (brand.id, account.id, expires_on, False))
        if lot is None:
            lot = Lot(
                brand_id=brand.id,
                account_id=account.id,
                expires_on=expires_on,
                locked=False,
                granted=0,
                remaining=0,
            )
        lot.granted += amount
        lot.remaining += amount
        self.session.add(lot)
        transfer = Transfer(
            brand_id=brand.id,
            debit_account_id=self.configuration.issuance[asset],
            credit_account_id=account.id,
            asset=asset,
            amount=amount,
            phase="POSTED",
            kind="EARN",
            cause_kind="SCAN",
            cause_id=self.scan_id,
            campaign_id=self.configuration.campaign.campaign_id,
            credit_expires_on=expires_on,
            actor_kind="MEMBER",
            actor_id=self.identity_id,
            reason="scan",
            occurred_at=self.now,
            created_at=self.now,
        )
        self.session.add(transfer)
        self.issued[asset] = self.issued.get(asset, 0) + amount
        return account, transfer

    async def _raise_standing(
        self,
        member: Member,
        rank: int,
        growth: Account,
        transfer: Transfer,
        levels: list[LadderLevel],
    ) -> None:
        balance = growth.credits_posted - growth.debits_posted
        earned = max(level.rank for level in levels if balance >= level.growth_threshold)
        if earned <= rank:
            return
        self.ranks[member.id] = earned
        standing = await self.session.get(Standing, (member.brand_id, member.id))
        if standing is None:
            standing = Standing(
                brand_id=member.brand_id, member_id=member.id, rank=earned, since=self.now
            )
        standing.rank = earned
        standing.since = self.now
        self.session.add(standing)
        self.emit("tier.reached", member.id, {"from_rank": rank, "to_rank": earned})
        self.session.add(
            StandingChange(
                brand_id=member.brand_id,
                member_id=member.id,
                from_rank=rank,
                to_rank=earned,
                transfer_id=transfer.id,
                ladder_id=levels[0].ladder_id,
                occurred_at=self.now,
                created_at=self.now,
            )
        )

    async def rank(self, member: Member) -> int:
        """The rank a member holds, read once."""
        if member.id not in self.ranks:
            standing = await self.session.get(Standing, (member.brand_id, member.id))
            self.ranks[member.id] = standing.rank if standing else 0
        return self.ranks[member.id]

    def emit(self, topic: str, subject_id: UUID, payload: dict[str, Any]) -> None:
        self.session.add(
            OutboxEvent(
                brand_id=self.configuration.brand.id,
                topic=topic,
                subject_id=subject_id,
                payload=payload,
                created_at=self.now,
                due_at=self.now,
            )
        )

    async def move_hot_rows(self) -> None:
        """Every request wants these rows: budgets first, the brand's books last, by asset."""
        campaign = self.configuration.campaign
        for asset, amount in sorted(self.issued.items()):
            await self.session.execute(
                update(CampaignBudget)
                .where(
                    col(CampaignBudget.brand_id) == campaign.brand_id,
                    col(CampaignBudget.campaign_id) == campaign.campaign_id,
                    col(CampaignBudget.asset) == asset,
                )
                .values(spent=col(CampaignBudget.spent) + amount)  # its CHECK guards the budget
                .execution_options(synchronize_session=False)
            )
        for asset, amount in sorted(self.issued.items()):
            await self.session.execute(
                update(Account)
                .where(
                    col(Account.brand_id) == campaign.brand_id,
                    col(Account.id) == self.configuration.issuance[asset],
                )
                .values(debits_posted=col(Account.debits_posted) + amount)
                .execution_options(synchronize_session=False)
            )
