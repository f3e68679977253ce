"""Gifts that levels grant: given in the transaction that marks their facts delivered."""

from collections.abc import Sequence
from uuid import UUID

from loyalty import outbox
from loyalty.db import Tx
from loyalty.outbox import Leased
from rewards.gifts.rules import GiftDue
from rewards.gifts.service import give_gifts
from tiers.privileges.rules import privileges_from_json
from tiers.standings.folding import GIFTS_TOPIC

__all__ = ["GIFTS_TOPIC", "give_level_gifts"]


async def give_level_gifts(tx: Tx, token: UUID, events: Sequence[Leased]) -> None:
    """``tier.gifts_due``: coupons and amounts, each once, whatever is told twice."""
    await outbox.deliver(tx, token, events)
    await give_gifts(tx, [due for event in events for due in _dues(event)])


def _dues(event: Leased) -> list[GiftDue]:
    gifts = event.payload["gifts"]
    privileges = privileges_from_json(gift["privilege"] for gift in gifts)
    return [
        GiftDue(event.brand_id, event.subject_id, privilege, gift["occasion"])
        for gift, privilege in zip(gifts, privileges, strict=True)
    ]
