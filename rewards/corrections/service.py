"""What operators do to balances by hand, whole: what is taken back of a campaign's credit returns
to its budget, and tiers follow the growth that moved and the credits that no longer count.

Loyalty's verbs know neither campaigns nor tiers; these do the rest around them. Each refuses what
the verb inside refuses.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar
from uuid import UUID

from loyalty.actor import Actor
from loyalty.adjustments import service as adjustments
from loyalty.adjustments.models import Adjustment
from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.errors import TransferNotReversible
from loyalty.holds import service as holds
from loyalty.holds.models import Hold
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Book, Movement, ReturnPolicy
from loyalty.ledger.service import lock_member_accounts, write_brands_side
from loyalty.moves import service as moves
from loyalty.moves.rules import Leg
from loyalty.reversals import service as reversals
from loyalty.reversals.rules import TakenBack, returned_to_campaigns
from rewards.campaigns.service import find_budgets, write_budgets
from rewards.corrections.queries import find_open
from rewards.corrections.rules import no_longer_earned
from tiers.standings.folding import TierEvent, after_event, catch_up
from tiers.standings.following import growth_event
from tiers.standings.loading import load_tiers, write_tiers
from tiers.standings.service import brand_tiers

T = TypeVar("T")
GROWTH = Asset.GROWTH.value


async def adjust_balance(
    tx: Tx, actor: Actor, *, member_id: UUID, asset: str, amount: int, reason: str
) -> Adjustment:
    """``loyalty.adjustments.service.adjust_balance``, with the tier that it leads to."""
    book = Book(new_id)

    async def verb() -> Adjustment:
        return await adjustments.adjust_balance(
            tx, actor, member_id=member_id, asset=asset, amount=amount, reason=reason, book=book
        )

    if asset != GROWTH:
        return await verb()
    return await _followed(tx, actor.brand_id, [member_id], book, verb)


async def approve_adjustment(tx: Tx, actor: Actor, adjustment_id: UUID) -> Adjustment:
    """``loyalty.adjustments.service.approve_adjustment``, with the tier that it leads to."""
    seen = await adjustments.get_adjustment(tx, actor.brand_id, adjustment_id)
    book = Book(new_id)

    async def verb() -> Adjustment:
        return await adjustments.approve_adjustment(tx, actor, adjustment_id, book=book)

    if seen.asset != GROWTH:
        return await verb()
    return await _followed(tx, actor.brand_id, [seen.member_id], book, verb)


async def capture_hold(tx: Tx, actor: Actor, hold_id: UUID, amount: int | None = None) -> Hold:
    """``loyalty.holds.service.capture_hold``, with the tier that it leads to."""
    seen = await holds.get_hold(tx, actor.brand_id, hold_id)
    book = Book(new_id)

    async def verb() -> Hold:
        return await holds.capture_hold(tx, actor, hold_id, amount, book=book)

    if seen.asset != GROWTH:
        return await verb()
    return await _followed(tx, actor.brand_id, [seen.member_id], book, verb)


async def move_balance(
    tx: Tx,
    actor: Actor,
    *,
    from_member_id: UUID,
    to_member_id: UUID,
    asset: str,
    amount: int,
    reason: str,
    timezone: str,
    command_id: UUID,
) -> list[Movement]:
    """``loyalty.moves.service.move_balance``, with the tiers that it leads to."""
    book = Book(new_id)

    async def verb() -> list[Movement]:
        return await moves.move_balance(
            tx,
            actor,
            from_member_id=from_member_id,
            to_member_id=to_member_id,
            asset=asset,
            amount=amount,
            reason=reason,
            timezone=timezone,
            command_id=command_id,
            book=book,
        )

    if asset != GROWTH:
        return await verb()
    return await _followed(tx, actor.brand_id, {from_member_id, to_member_id}, book, verb)


async def move_balances(
    tx: Tx,
    actor: Actor,
    legs: Sequence[Leg],
    *,
    reason: str,
    timezone: str,
    command_id: UUID,
) -> list[list[Movement]]:
    """``loyalty.moves.service.move_balances``, with the tiers that it leads to."""
    book = Book(new_id)

    async def verb() -> list[list[Movement]]:
        return await moves.move_balances(
            tx,
            actor,
            legs,
            reason=reason,
            timezone=timezone,
            command_id=command_id,
            book=book,
        )

    growing = [leg for leg in legs if leg.asset == GROWTH]
    if not growing:
        return await verb()
    members = {id for leg in growing for id in (leg.from_member_id, leg.to_member_id)}
    return await _followed(tx, actor.brand_id, members, book, verb)


async def reverse_transfer(
    tx: Tx,
    actor: Actor,
    transfer_id: UUID,
    *,
    amount: int | None,
    policy: ReturnPolicy,
    reason: str,
) -> reversals.Reversal:
    """``loyalty.reversals.service.reverse``, whole: what is taken of a campaign's credit, or is
    owed of it, may be given again by the campaign, and no longer counts for the tier. Of an
    order that is placed, or an entry of a raffle that is not settled, nothing can be taken back by
    itself: they are cancelled."""
    holder_ids = await reversals.find_holders(tx, actor.brand_id, transfer_id)
    [found] = await reversals.find_transfers(tx, actor.brand_id, [transfer_id])
    is_open = await find_open(tx, actor.brand_id, found.cause_id)
    if is_open is not None:
        raise TransferNotReversible(reason=is_open)
    book = Book(new_id)

    async def verb() -> reversals.Reversal:
        return await reversals.reverse(
            tx, actor, transfer_id, amount=amount, policy=policy, reason=reason, book=book
        )

    def no_longer(done: reversals.Reversal) -> TierEvent | None:
        return no_longer_earned(done.taken, done.occurred_at, tx.now, done.cause_id)

    reversal = await _followed(tx, actor.brand_id, holder_ids, book, verb, no_longer)
    if reversal.taken is not None:
        await _return_to_budget(tx, reversal.taken)
    await write_brands_side(tx, book)
    return reversal


async def _return_to_budget(tx: Tx, taken: TakenBack) -> None:
    returned = returned_to_campaigns([taken])
    if returned:
        limited = await find_budgets(tx, {key[:2] for key in returned})
        await write_budgets(
            tx, {key: (-amount, 0) for key, amount in returned.items() if key in limited}
        )


async def _followed(
    tx: Tx,
    brand_id: UUID,
    member_ids: Collection[UUID],
    book: Book,
    verb: Callable[[], Awaitable[T]],
    also: Callable[[T], TierEvent | None] = lambda done: None,
) -> T:
    """Run a verb that writes the book, and let the members' tiers follow the growth that it moved,
    and what else the verb's answer says. They are read before: what is counted from history must
    not have the book in it already."""
    rules = await brand_tiers(tx, brand_id)
    today = local_date(tx.now, rules.timezone)
    await lock_member_accounts(tx, [(brand_id, id) for id in member_ids])
    tiers = await load_tiers(tx, {brand_id: rules}, [(brand_id, id, today) for id in member_ids])
    for tier in tiers.values():
        catch_up(tier, today, new_id)
    done = await verb()
    for tier in tiers.values():
        for event in (growth_event(book, tier.member_id), also(done)):
            if event is not None:
                after_event(tier, event, new_id)
    await write_tiers(tx, tiers.values(), book)
    return done
