"""Pure: what every credit of an event comes with: its budget, its dates, and its member's tier."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from loyalty.clock import local_date
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import AccountState, Cause, Movement
from loyalty.withholdings.models import PrizeKind
from loyalty.withholdings.rules import credit_prize
from rewards.grants.world import (
    BrandConfiguration,
    BudgetKey,
    BudgetMove,
    GrantWorld,
    MemberState,
)
from tiers.standings.folding import TierEvent, after_event


def spend_budget(world: GrantWorld, key: BudgetKey, *, spent: int, reserved: int) -> None:
    if key not in world.budgets:
        return
    world.budgets[key] -= spent + reserved
    move = world.budget_moves.setdefault(key, BudgetMove())
    move.spent += spent
    move.reserved += reserved


def return_to_budgets(world: GrantWorld, returned: Mapping[BudgetKey, int]) -> None:
    """Give budgets back what was taken back of their credits."""
    for key, amount in returned.items():
        spend_budget(world, key, spent=-amount, reserved=0)


def credit_member(
    world: GrantWorld,
    member: MemberState,
    what: tuple[str, int],
    cause: Cause,
    campaign_id: UUID,
    draw_id: UUID | None,
    pending_id: UUID | None = None,
) -> Movement:
    """Credit so much of an asset, (asset, amount), for good: what is owed of it is repaid first, of
    a draw's prize tax is withheld, and it counts for the member's tier. ``pending_id``: the pending
    transfer that it posts."""
    asset, amount = what
    brand, account = world.brands[member.brand_id], world.account(member, asset)
    movement, withheld = credit_prize(
        world.book,
        None if draw_id is None else brand.withholding,
        (PrizeKind.DRAW, draw_id or cause.id),
        world.issuance[(brand.id, brand.id, asset)],
        account,
        amount,
        cause,
        campaign_id=campaign_id,
        expires_on=_good_until(world, brand, account, cause.occurred_at),
        owed=world.debt(member, asset),
        pending_id=pending_id,
    )
    world.withheld += [withheld] if withheld else []
    _count_credit(world, member, movement)
    return movement


def _good_until(
    world: GrantWorld, brand: BrandConfiguration, account: AccountState, earned_at: datetime
) -> date:
    """The last day of a credit earned then; under expiry by activity, of everything there is."""
    expiry = brand.assets[account.asset].expiry
    until = expiry.last_day(local_date(earned_at, brand.timezone))
    if expiry.is_extended:
        world.book.extend(account, local_date(world.now, brand.timezone), until)
    return until


def _count_credit(world: GrantWorld, member: MemberState, movement: Movement) -> None:
    """Let a credit count for its member's tier: the growth balance after it, or what was earned."""
    cause, credited = movement.cause, movement.credit
    is_growth = credited.asset == Asset.GROWTH.value
    event = TierEvent(
        cause.occurred_at,
        cause.kind,
        cause.id,
        movement.id,
        balance=credited.balance if is_growth else None,
        earned={credited.asset: movement.amount},
    )
    count_for_tier(world, member, event)


def count_for_tier(world: GrantWorld, member: MemberState, event: TierEvent) -> None:
    """Fold an event over its member's tier, if its role has a ladder."""
    tier = world.tiers.get((member.brand_id, member.id))
    if tier is not None:
        after_event(tier, event, world.new_id)
