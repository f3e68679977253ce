"""What callers see of bonus campaigns: what each gave on top of an event's first campaign."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context
from graphql_schema.enums import BonusUnpaidReason
from graphql_schema.loaders import rows_loader
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.db import Snapshot
from rewards.grants import queries
from rewards.grants.queries import BonusView


@strawberry.type(description="What an event earned of one asset. Locked: it waits for something.")
class EventReward:
    asset: AssetCode
    amount: BigInt
    locked: bool


@strawberry.type(
    description="What the choice of a bonus group came to: its campaign's code, and what it gave."
)
class Bonus:
    campaign: str
    group: str
    rewards: list[EventReward]
    unpaid_reason: BonusUnpaidReason | None


def rewards_shown(stored: Iterable[Mapping[str, Any]]) -> list[EventReward]:
    """As they are stored with an event."""
    return [EventReward(**reward) for reward in stored]


def bonus_shown(stored: Mapping[str, Any]) -> Bonus:
    """As a scan's reply keeps it."""
    unpaid = stored["unpaid_reason"]
    return Bonus(
        campaign=stored["campaign"],
        group=stored["group"],
        rewards=rewards_shown(stored["rewards"]),
        unpaid_reason=None if unpaid is None else BonusUnpaidReason(unpaid),
    )


async def _list(snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]) -> list[BonusView]:
    return await queries.list_bonus_views(snapshot, brand_id, ids)


_loader = rows_loader(_list, lambda view: view.bonus.cause_id)


async def bonuses_of(context: Context, cause_id: UUID) -> list[Bonus]:
    """Of a scan, a purchase or an event, by group; the caller may see it."""
    return [
        bonus_shown(
            {
                "campaign": view.code,
                "group": view.bonus.bonus_group,
                "rewards": view.bonus.rewards,
                "unpaid_reason": view.bonus.unpaid_reason,
            }
        )
        for view in await context.loader(_loader).load(cause_id)
    ]
