"""Verbs of reversals: taking back what was credited, giving back what was spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.assets.rules import NEVER_EXPIRES
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.errors import NotFound, TransferNotReversible
from loyalty.ids import new_id
from loyalty.ledger.models import AccountKind, TransferKind
from loyalty.ledger.rules import AccountState, Book, Cause, ReturnPolicy, ReversibleTransfer
from loyalty.ledger.service import (
    REASON_LENGTH_MAX,
    AccountsByKey,
    brand_books,
    check_amount,
    find_free_lots,
    lock_accounts_and_debts,
    write_members_side,
)
from loyalty.members.service import follow_merges
from loyalty.reversals import queries
from loyalty.reversals.queries import find_credits, find_transfers
from loyalty.reversals.rules import (
    Found,
    Side,
    TakenBack,
    Wanted,
    check_left,
    fold_back,
    side_of,
)
from loyalty.text import checked_text

# Other nouns may call this service and never the queries: the last two are the reads they need.
__all__ = [
    "Reversal",
    "find_holder",
    "give_back",
    "reverse",
    "take_back",
    "find_credits",
    "find_transfers",
]


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
    locked them, before the credits were read (``find_credits``); those of ``Wanted.member_id``
    where a member was merged into another. What the book already takes from
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


@dataclass(frozen=True, slots=True)
class Reversal:
    """What a reversal did: of a credit ``taken`` (nothing else for a spend), of a spend
    ``given_back``. ``occurred_at`` is when what it reverses had occurred. The brand's side of
    ``book`` is still to be written."""

    cause_id: UUID
    transfer_id: UUID
    occurred_at: datetime
    asset: str
    taken: TakenBack | None
    given_back: int
    book: Book


async def reverse(
    tx: Tx,
    actor: Actor,
    transfer_id: UUID,
    *,
    amount: int | None,
    policy: ReturnPolicy,
    reason: str,
    book: Book | None = None,
) -> Reversal:
    """Take back what a member earned or was given by hand, or give back what it spent, into the
    lot it came from: the amount, or all that is left (None). Also of frozen members. ``book`` is
    an empty one, for who wants to see afterwards what moved.

    Writes the members' side. The caller returns to the campaign's budget what
    ``rules.returned_to_campaigns`` says, and then writes the brand's side of the book.
    Refuses NotFound (transfer), TransferNotReversible, ReversalTooLarge and InvalidInput; raises
    RetryTransaction when another reversal came first.
    """
    brand_id = actor.brand_id
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    if amount is not None:
        check_amount(amount)
    side = side_of(await _get(tx, brand_id, transfer_id))
    locked = await _lock(tx, brand_id, transfer_id)
    found = locked.found
    wanted = check_left(found, amount)
    if await tx.fetch(queries.IS_TAXED, brand_id=brand_id, credit_id=found.id):
        raise TransferNotReversible(reason="WITHHELD")
    today = local_date(tx.now, (await get_brand(tx, brand_id)).timezone)
    cause = Cause("OPERATOR", new_id(), actor.kind.value, actor.id, reason, tx.now)
    book = book or Book(new_id)
    taken = None
    if side is Side.CREDIT:
        want = Wanted(found.as_credited(), wanted, policy, locked.holder_id)
        [taken] = await take_back(tx, book, [want], cause, today, has=locked.has, owes=locked.owes)
    else:
        holder = locked.holder_id
        await give_back(
            tx, book, found, wanted, cause, today, holder, has=locked.has, owes=locked.owes
        )
    await write_members_side(tx, book)
    done = (
        {"taken": taken.taken, "owed": taken.owed, "left": taken.left}
        if taken is not None
        else {"given_back": wanted}
    )
    await audit_log.record(tx, actor, "ledger.reverse", transfer_id, reason, wanted=wanted, **done)
    given_back = 0 if taken else wanted
    return Reversal(cause.id, found.id, found.occurred_at, found.asset, taken, given_back, book)


async def find_holder(tx: Tx, brand_id: UUID, transfer_id: UUID) -> UUID:
    """The member who has by now what a transfer gave or took. Refuses NotFound (transfer) and
    TransferNotReversible."""
    found = await _get(tx, brand_id, transfer_id)
    side_of(found)
    return await _holder_of(tx, brand_id, found.member_id)


async def _get(tx: Tx, brand_id: UUID, transfer_id: UUID) -> Found:
    found = await queries.find_transfer(tx, brand_id, transfer_id)
    if found is None:
        raise NotFound(noun="transfer")
    return found


@dataclass(frozen=True, slots=True)
class _Locked:
    """A transfer as it is once its member's accounts are locked; ``holder_id`` has everything of
    that member by now, and its accounts are locked too."""

    found: Found
    holder_id: UUID
    has: AccountsByKey
    owes: AccountsByKey


async def _lock(tx: Tx, brand_id: UUID, transfer_id: UUID) -> _Locked:
    member_id = (await _get(tx, brand_id, transfer_id)).member_id
    holder_id = await _holder_of(tx, brand_id, member_id)
    both = (brand_id, member_id), (brand_id, holder_id)
    closed = both[:1] if holder_id != member_id else ()
    has, owes = await lock_accounts_and_debts(tx, both, closed_owners=closed)
    return _Locked(await _get(tx, brand_id, transfer_id), holder_id, has, owes)


async def _holder_of(tx: Tx, brand_id: UUID, member_id: UUID) -> UUID:
    return (await follow_merges(tx, brand_id, [member_id]))[member_id]


async def give_back(
    tx: Tx,
    book: Book,
    found: Found,
    amount: int,
    cause: Cause,
    today: date,
    holder_id: UUID,
    *,
    has: AccountsByKey,
    owes: AccountsByKey,
    books: AccountsByKey | None = None,
) -> None:
    """Give back so much of a spend, into the lot it came from, and on to ``holder_id`` where its
    member was merged into that one. ``has`` and ``owes`` are the accounts of both, as
    ``ledger.service.lock_accounts_and_debts`` locked them before the spend was read. The caller
    writes the book, which raises RetryTransaction when another reversal came first. ``books`` are
    the brand's of the kind that was paid, for who gives back many and has read them."""
    brand_id, asset = found.brand_id, found.asset
    books = books or await brand_books(tx, [brand_id], AccountKind(found.credit_kind))
    account = has[brand_id, found.member_id, asset]
    holder = (brand_id, holder_id, asset)
    part = (found.debit_expires_on or NEVER_EXPIRES, amount)
    # What is past its date is there until the next sweep: it repays nothing, and is not moved on.
    is_good = part[0] >= today
    is_merged = holder_id != found.member_id
    book.give_back(
        books[brand_id, brand_id, asset],
        account,
        part,
        cause,
        reverses=ReversibleTransfer(found.id, found.amount, found.campaign_id),
        owed=owes.get(holder) if is_good and not is_merged else None,
    )
    if is_good and is_merged:
        target = has.get(holder) or AccountState(brand_id, new_id(), holder_id, asset, is_new=True)
        # What comes of the same asset goes to the same account.
        has[holder] = target
        book.move(account, target, [part], cause)
        debt = owes.get(holder)
        if debt is not None and debt.balance < 0:
            repaid = (part[0], min(amount, -debt.balance))
            book.take(target, debt, [repaid], TransferKind.REPAY, cause)
