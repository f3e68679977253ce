"""Settlement: rebates of captured redemptions are posted, and what has come together is to be paid
out. All in the transaction that marks the facts delivered, hence exactly once."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from loyalty import outbox
from loyalty.db import Tx
from loyalty.outbox import Leased
from rewards.payouts import service as payouts
from rewards.payouts.providers import Paymaster
from rewards.payouts.service import Rebate
from rewards.redemptions import service as redemptions
from rewards.redemptions.models import RedemptionStatus
from workers.relay import Settle


class UnknownRedemption(Exception):
    """A fact about a redemption that the brand does not have."""


def settlement(paymaster: Paymaster) -> Mapping[str, Settle]:
    """What is done here about the topics of settlement, by topic."""

    async def settle_captures(tx: Tx, token: UUID, events: Sequence[Leased]) -> None:
        """``redemption.captured``: redemptions first, then accounts, then the brand's books. Those
        reversed meanwhile are passed over: reversing has voided their rebates."""
        await outbox.deliver(tx, token, events)
        keys = {(event.brand_id, event.subject_id) for event in events}
        locked = await redemptions.lock_redemptions(tx, keys)
        if len(locked) != len(keys):
            raise UnknownRedemption
        waiting = [
            redemption
            for redemption in locked
            if redemption.status == RedemptionStatus.CAPTURED.value
            and redemption.settled_at is None
        ]
        if not waiting:
            return
        await redemptions.mark_settled(tx, [(each.brand_id, each.id) for each in waiting])
        rebates = [
            Rebate(each.brand_id, each.place_id, each.id, transfer_id, each.rebate_fen)
            for each in waiting
            if (transfer_id := each.rebate_transfer_id) is not None
        ]
        if rebates:
            await payouts.post_rebates(tx, paymaster, rebates)

    async def open_due(tx: Tx, token: UUID, events: Sequence[Leased]) -> None:
        """``payout.due``: the subject is a place that may be paid by now."""
        await outbox.deliver(tx, token, events)
        places = {(event.brand_id, event.subject_id) for event in events}
        await payouts.open_due_payouts(tx, paymaster, places)

    return {redemptions.CAPTURED_TOPIC: settle_captures, payouts.DUE_TOPIC: open_due}
