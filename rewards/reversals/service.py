"""Reversals of what campaigns may have given: what is taken back returns to their budgets."""

from collections.abc import Iterable
from uuid import UUID

from loyalty.actor import Actor
from loyalty.db import Tx
from loyalty.ledger.rules import ReturnPolicy
from loyalty.ledger.service import write_brands_side
from loyalty.reversals.rules import TakenBack, returned_to_campaigns
from loyalty.reversals.service import Reversal, reverse
from rewards.campaigns.service import find_budgets, write_budgets


async def reverse_transfer(
    tx: Tx,
    actor: Actor,
    transfer_id: UUID,
    *,
    amount: int | None,
    policy: ReturnPolicy,
    reason: str,
) -> Reversal:
    """``loyalty.reversals.service.reverse``, whole: what is taken of a campaign's credit, or is
    owed of it, may be given again by the campaign. Refuses what that does."""
    reversal = await reverse(tx, actor, transfer_id, amount=amount, policy=policy, reason=reason)
    if reversal.taken is not None:
        await return_to_budgets(tx, [reversal.taken])
    await write_brands_side(tx, reversal.book)
    return reversal


async def return_to_budgets(tx: Tx, taken: Iterable[TakenBack]) -> None:
    """Let campaigns that have budgets give again what was taken of their credits or is owed. The
    budgets' rows are hot: after the members' side, before the brand's."""
    returned = returned_to_campaigns(taken)
    if returned:
        limited = await find_budgets(tx, {key[:2] for key in returned})
        await write_budgets(
            tx, {key: (-amount, 0) for key, amount in returned.items() if key in limited}
        )
