"""Verbs of reversals: taking back what was credited."""

from collections.abc import Sequence
from datetime import date

from loyalty.db import Tx
from loyalty.ledger.models import AccountKind
from loyalty.ledger.rules import Book, Cause
from loyalty.ledger.service import AccountsByKey, brand_books, find_free_lots
from loyalty.reversals.queries import find_credits
from loyalty.reversals.rules import TakenBack, Wanted, fold_back

# Other nouns may call this service and never the queries: the last one is the read they need.
__all__ = ["take_back", "find_credits"]


async def take_back(
    tx: Tx,
    book: Book,
    wanted: Sequence[Wanted],
    cause: Cause,
    on: date,
    *,
    has: AccountsByKey,
    owes: AccountsByKey,
) -> list[TakenBack]:
    """Take back posted credits, of any number of members of any number of brands: a result each,
    in their order. ``on`` is the brands' local day.

    ``has`` and ``owes`` are the members' accounts as ``ledger.service.lock_accounts_and_debts``
    locked them, before the credits were read (``find_credits``). What the book already takes from
    their lots is not taken again; who begins to owe is added to ``owes``. The caller writes the
    book, and returns to campaigns' budgets what ``rules.returned_to_campaigns`` says; writing
    raises RetryTransaction when another reversal of one of the credits came first.
    """
    brands = {want.credit.brand_id for want in wanted}
    if not brands:
        return []
    reversed_books = await brand_books(tx, brands, AccountKind.REVERSED)
    keys = {want.account_key for want in wanted}
    lots = await find_free_lots(tx, book, [has[key] for key in keys if key in has], on)
    return fold_back(book, wanted, lots, has, owes, reversed_books, cause, on)
