"""Standings follow growth that no event has moved: what was paid with it, and handed back."""

from collections.abc import Iterable
from uuid import UUID

from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.ledger.models import AccountKind, Asset, TransferPhase
from loyalty.ledger.rules import AccountState, Book, Movement
from tiers.standings.folding import TierEvent, after_event, catch_up
from tiers.standings.loading import load_tiers, write_tiers
from tiers.standings.service import brand_tiers

_COUNTS = (TransferPhase.POSTED, TransferPhase.POST)


async def follow_growth(tx: Tx, brand_id: UUID, book: Book) -> None:
    """Let the tiers of a brand's members follow the growth that a book moves; a few statements if
    it moves any, else none. To be asked once the book is whole and before it is written; the
    members' accounts are locked. Raises RetryTransaction as ``write_tiers`` does."""
    member_ids = sorted(set(_growing(book.movements)))
    if not member_ids:
        return
    rules = await brand_tiers(tx, brand_id)
    today = local_date(tx.now, rules.timezone)
    tiers = await load_tiers(tx, {brand_id: rules}, [(brand_id, id, today) for id in member_ids])
    for tier in tiers.values():
        catch_up(tier, today, new_id)
        event = growth_event(book, tier.member_id)
        if event is not None:
            after_event(tier, event, new_id)
    await write_tiers(tx, tiers.values(), book)


def growth_event(book: Book, member_id: UUID) -> TierEvent | None:
    """The growth that a member has after the book; None when it did not move."""
    for movement in reversed(book.movements):
        for account in _growth_accounts(movement):
            if account.owner_id == member_id:
                return TierEvent(
                    movement.cause.occurred_at,
                    movement.cause.kind,
                    movement.cause.id,
                    transfer_id=movement.id,
                    balance=account.balance,
                )
    return None


def _growing(movements: Iterable[Movement]) -> Iterable[UUID]:
    for movement in movements:
        for account in _growth_accounts(movement):
            yield account.owner_id


def _growth_accounts(movement: Movement) -> list[AccountState]:
    """The members' accounts whose growth a movement changes: none for what is pending."""
    if movement.credit.asset != Asset.GROWTH or movement.phase not in _COUNTS:
        return []
    both = movement.debit, movement.credit
    return [account for account in both if account.kind == AccountKind.MAIN]
