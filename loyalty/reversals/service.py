"""Verbs of reversals: taking back what was credited, giving back what was spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.assets.rules import NEVER_EXPIRES, expiry_from_json
from loyalty.assets.service import require_asset
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.errors import NotFound, TransferNotReversible
from loyalty.ids import new_id
from loyalty.ledger.models import AccountKind, TransferKind
from loyalty.ledger.rules import (
    AccountState,
    Book,
    Cause,
    LotPart,
    ReturnPolicy,
    ReversibleTransfer,
)
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
    MoveParties,
    Side,
    TakenBack,
    Wanted,
    account_of,
    check_left,
    fold_back,
    move_back,
    side_of,
)
from loyalty.text import checked_text

# Other nouns may call this service and never the queries: the last two are the reads they need.
__all__ = [
    "Reversal",
    "find_holders",
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
    """What a reversal did: of a credit or a move ``taken`` (nothing else for what went to the
    brand), of what was spent, taken by hand or expired ``given_back``. ``occurred_at`` is when what
    it reverses had occurred. The brand's side of ``book`` is still to be written."""

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
    """Take back what a member earned or was given by hand; give back what it spent or what was
    taken from it by hand, into the lot it came from; give a move back to who gave it; let live
    again what expired, as if it were earned today: the amount, or all that is left (None). Also of
    frozen members. ``book`` is an empty one, for who wants to see afterwards what moved.

    Writes the members' side. The caller returns to the campaign's budget what
    ``rules.returned_to_campaigns`` says, and then writes the brand's side of the book.
    Refuses NotFound (transfer), TransferNotReversible, ReversalTooLarge and InvalidInput; raises
    RetryTransaction when another reversal came first.
    """
    brand_id = actor.brand_id
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    if amount is not None:
        check_amount(amount)
    side_of(await _get(tx, brand_id, transfer_id))
    locked = await _lock(tx, brand_id, transfer_id)
    found = locked.found
    wanted = check_left(found, amount)
    if await tx.fetch(queries.IS_TAXED, brand_id=brand_id, credit_id=found.id):
        raise TransferNotReversible(reason="WITHHELD")
    today = local_date(tx.now, (await get_brand(tx, brand_id)).timezone)
    cause = Cause("OPERATOR", new_id(), actor.kind.value, actor.id, reason, tx.now)
    book = book or Book(new_id)
    taken = await _book(tx, book, locked, wanted, policy, cause, today)
    await write_members_side(tx, book)
    done = (
        {"taken": taken.taken, "owed": taken.owed, "left": taken.left}
        if taken is not None
        else {"given_back": wanted}
    )
    await audit_log.record(tx, actor, "ledger.reverse", transfer_id, reason, wanted=wanted, **done)
    given_back = 0 if taken else wanted
    return Reversal(cause.id, found.id, found.occurred_at, found.asset, taken, given_back, book)


@dataclass(frozen=True, slots=True)
class _Locked:
    """A transfer as it is once its members' accounts are locked; ``holder_ids`` have everything of
    those members by now, by their ids, and their accounts are locked too."""

    found: Found
    holder_ids: dict[UUID, UUID]
    has: AccountsByKey
    owes: AccountsByKey


async def _book(
    tx: Tx,
    book: Book,
    locked: _Locked,
    wanted: int,
    policy: ReturnPolicy,
    cause: Cause,
    today: date,
) -> TakenBack | None:
    """Put into the book what a reversal moves: what was taken, of a credit or a move."""
    found, has, owes = locked.found, locked.has, locked.owes
    holder_id = locked.holder_ids[found.member_id]
    side = side_of(found)
    if side is Side.CREDIT:
        want = Wanted(found.as_credited(), wanted, policy, holder_id)
        [taken] = await take_back(tx, book, [want], cause, today, has=has, owes=owes)
        return taken
    if side is Side.MOVE:
        return await _move_back(tx, book, locked, wanted, policy, cause, today)
    until = None
    if side is Side.EXPIRY:
        asset = await require_asset(tx, found.brand_id, found.asset)
        until = expiry_from_json(asset.expiry).last_day(today)
    await give_back(
        tx, book, found, wanted, cause, today, holder_id, has=has, owes=owes, until=until
    )
    return None


async def _move_back(
    tx: Tx,
    book: Book,
    locked: _Locked,
    wanted: int,
    policy: ReturnPolicy,
    cause: Cause,
    today: date,
) -> TakenBack:
    """From who has it by now to who gave it, and on to whom that one was merged into."""
    found, has, owes = locked.found, locked.has, locked.owes
    brand_id, asset = found.brand_id, found.asset
    holder_id, giver_id = (locked.holder_ids[id] for id in found.member_ids)
    holder = account_of(book, has, (brand_id, holder_id, asset))
    giver = has[brand_id, found.debit_owner_id, asset]
    lots = (await find_free_lots(tx, book, [holder], today)).get(holder.id, {})
    reversed_book = (await brand_books(tx, [brand_id], AccountKind.REVERSED))[
        brand_id, brand_id, asset
    ]
    owed = account_of(book, owes, (brand_id, holder_id, asset), AccountKind.RECEIVABLE)
    parties = MoveParties(holder, lots, owed, giver, reversed_book)
    taken = move_back(book, found, wanted, policy, parties, cause, today)
    part = (found.debit_expires_on or NEVER_EXPIRES, taken.taken + taken.owed)
    if part[1]:
        _pass_on(book, giver, part, giver_id, cause, today, has, owes)
    return taken


async def find_holders(tx: Tx, brand_id: UUID, transfer_id: UUID) -> list[UUID]:
    """The members who have by now what a transfer gave or took: of a move both. Refuses NotFound
    (transfer) and TransferNotReversible."""
    found = await _get(tx, brand_id, transfer_id)
    side_of(found)
    return sorted(set((await follow_merges(tx, brand_id, found.member_ids)).values()))


async def _get(tx: Tx, brand_id: UUID, transfer_id: UUID) -> Found:
    found = await queries.find_transfer(tx, brand_id, transfer_id)
    if found is None:
        raise NotFound(noun="transfer")
    return found


async def _lock(tx: Tx, brand_id: UUID, transfer_id: UUID) -> _Locked:
    member_ids = (await _get(tx, brand_id, transfer_id)).member_ids
    holder_ids = await follow_merges(tx, brand_id, member_ids)
    everybody = sorted({(brand_id, id) for pair in holder_ids.items() for id in pair})
    closed = [(brand_id, id) for id, holder_id in holder_ids.items() if id != holder_id]
    has, owes = await lock_accounts_and_debts(tx, everybody, closed_owners=closed)
    return _Locked(await _get(tx, brand_id, transfer_id), holder_ids, has, owes)


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
    until: date | None = None,
) -> None:
    """Give back so much of a spend, into the lot it came from, and on to ``holder_id`` where its
    member was merged into that one. ``has`` and ``owes`` are the accounts of both, as
    ``ledger.service.lock_accounts_and_debts`` locked them before the spend was read. The caller
    writes the book, which raises RetryTransaction when another reversal came first. ``books`` are
    the brand's of the kind that was paid, for who gives back many and has read them. ``until`` is
    the day until which it lives on; None: that of its lot."""
    brand_id, asset = found.brand_id, found.asset
    books = books or await brand_books(tx, [brand_id], AccountKind(found.credit_kind))
    account = has[brand_id, found.member_id, asset]
    expires_on = found.debit_expires_on or NEVER_EXPIRES
    reverses = ReversibleTransfer(found.id, found.amount, found.campaign_id)
    book.give_back(
        books[brand_id, brand_id, asset], account, (expires_on, amount), cause, reverses=reverses
    )
    if until is not None:
        book.prolong(account, expires_on, until, amount)
    _pass_on(book, account, (until or expires_on, amount), holder_id, cause, today, has, owes)


def _pass_on(
    book: Book,
    account: AccountState,
    part: LotPart,
    holder_id: UUID,
    cause: Cause,
    today: date,
    has: AccountsByKey,
    owes: AccountsByKey,
) -> None:
    """What came back to an account goes on to who has everything of its member, and repays what is
    owed. What is past its date is there until the next sweep: it repays nothing, and stays."""
    expires_on, amount = part
    if expires_on < today:
        return
    holder = (account.brand_id, holder_id, account.asset)
    if holder_id != account.owner_id:
        # What comes of the same asset goes to the same account.
        target = account_of(book, has, holder)
        book.move(account, target, [part], cause)
        account = target
    debt = owes.get(holder)
    if debt is not None and debt.balance < 0:
        repaid = (expires_on, min(amount, -debt.balance))
        book.take(account, debt, [repaid], TransferKind.REPAY, cause)
