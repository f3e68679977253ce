"""What follows the end of a raffle, step by step: its entries are counted and put in order, the
winners drawn and the seed revealed, and the winners paid; of a cancelled one, what entries cost is
given back. Each step is a transaction of its own with the raffle locked, and says how far it came:
whoever is killed between two, or within one, leaves nothing half done."""

from collections.abc import Sequence
from uuid import UUID

from loyalty.actor import ActorKind, system_actor
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.models import AccountKind
from loyalty.ledger.rules import Book, Cause
from loyalty.members.service import follow_merges
from loyalty.reversals.service import find_transfers, give_back
from rewards.raffles import queries
from rewards.raffles.models import Raffle, RaffleStatus
from rewards.raffles.paying import lock_members, pay_winners
from rewards.raffles.rules import (
    message_of,
    score_of,
    step_of,
    table_from_json,
    winners_max,
    winners_of,
)
from rewards.raffles.service import ENTRY

PAGE_ENTRIES = 2_000
_BEFORE_ALL = UUID(int=0)


async def take_step(tx: Tx, keyring: Keyring, limit: int, failed: set[UUID]) -> Raffle | None:
    """Take the next step of the raffle that has waited longest, over up to ``limit`` entries or
    winners: the raffle as it was before. None when nothing is to be done.

    Those that have ``failed`` come after all others, so that none keeps others waiting. Whose step
    fails now is added, whose step does not is taken out.
    """
    raffle = await queries.lock_due_raffle(tx, failed)
    if raffle is None:
        return None
    failed.add(raffle.id)
    await _take(tx, keyring, raffle, limit)
    failed.discard(raffle.id)
    return raffle


async def _take(tx: Tx, keyring: Keyring, raffle: Raffle, limit: int) -> None:
    if raffle.status == RaffleStatus.OPEN:
        await _close(tx, raffle)
    elif raffle.status == RaffleStatus.CLOSED:
        await _score(tx, keyring, raffle, limit)
    elif raffle.status == RaffleStatus.DRAWN:
        await _pay(tx, raffle, limit)
    else:
        await _give_back(tx, raffle, limit)


async def _close(tx: Tx, raffle: Raffle) -> None:
    """Count who takes part; a member that was merged by now takes part as the other one."""
    key = {"brand": raffle.brand_id, "raffle": raffle.id}
    await tx.fetch(queries.FOLLOW_MERGES, **key)
    [(entries, entrants)] = await tx.fetch(queries.COUNT_POOL, **key)
    values = {
        "status": RaffleStatus.CLOSED.value,
        "closed_at": tx.now,
        "entries": entries,
        "entrants": entrants,
    }
    await queries.change_raffle(tx, raffle, values)


async def _next_entries(tx: Tx, raffle: Raffle, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """The next (id, member_id) that the step has not come to; that it has is noted."""
    found = [
        (row[0], row[1])
        for row in await tx.fetch(
            queries.LIST_ENTRIES,
            brand=raffle.brand_id,
            raffle=raffle.id,
            after=raffle.progress_id or _BEFORE_ALL,
            limit=limit,
        )
    ]
    if found:
        await queries.change_raffle(tx, raffle, {"progress_id": UUID(int=found[-1][0].int)})
    return found


async def _score(tx: Tx, keyring: Keyring, raffle: Raffle, limit: int) -> None:
    seed = keyring.open_seed(raffle.brand_id, raffle.sealed)
    entries = await _next_entries(tx, raffle, limit)
    if entries:
        scored = [
            (raffle.brand_id, id, score_of(seed, message_of(raffle.brand_id, raffle.id, id)))
            for id, _ in entries
        ]
        await tx.fetch(queries.SCORE_ENTRIES, scored=scored)
    if len(entries) < limit:
        await _draw(tx, raffle, seed)


async def _draw(tx: Tx, raffle: Raffle, seed: bytes) -> None:
    """All entries have their scores: the winners are there at once, and the seed with them."""
    step = step_of(table_from_json(raffle.prize_table), raffle.entrants or 0)
    rows = []
    if step is not None:
        firsts = await _first_entries(tx, raffle, winners_max(step))
        rows = [
            (
                raffle.brand_id,
                new_id(),
                raffle.id,
                won.entry_id,
                won.entrant_id,
                won.place,
                won.prize_no,
                won.prize.asset,
                won.prize.amount,
                won.prize.coupon_template_id,
                tx.now,
            )
            for won in winners_of(firsts, step)
        ]
    await queries.write_winners(tx, rows)
    values = {
        "status": RaffleStatus.DRAWN.value,
        "seed": seed.hex(),
        "drawn_at": tx.now,
        "progress_id": None,
    }
    await queries.change_raffle(tx, raffle, values)


async def _first_entries(tx: Tx, raffle: Raffle, entrants: int) -> list[tuple[UUID, UUID]]:
    """(id, entrant_id) of the first entry of each of the first so many entrants: page by page, and
    no further than they reach."""
    found: dict[UUID, UUID] = {}
    after = ""
    while True:
        page = await tx.fetch(
            queries.LIST_BY_SCORE,
            brand=raffle.brand_id,
            raffle=raffle.id,
            after=after,
            limit=PAGE_ENTRIES,
        )
        for id, entrant_id, _ in page:
            if len(found) < entrants:
                found.setdefault(entrant_id, id)
        if len(found) == entrants or len(page) < PAGE_ENTRIES:
            return [(id, entrant_id) for entrant_id, id in found.items()]
        after = page[-1][2]


async def _pay(tx: Tx, raffle: Raffle, limit: int) -> None:
    if await pay_winners(tx, raffle, limit) < limit:
        await queries.change_raffle(tx, raffle, {"settled_at": tx.now})


# --- giving back -------------------------------------------------------------------------------


async def _give_back(tx: Tx, raffle: Raffle, limit: int) -> None:
    """Give back what the next entries cost, each once."""
    entries = await _next_entries(tx, raffle, limit)
    if entries:
        await _give_back_to(tx, raffle, entries)
    if len(entries) < limit:
        await queries.change_raffle(tx, raffle, {"settled_at": tx.now})


async def _give_back_to(tx: Tx, raffle: Raffle, entries: Sequence[tuple[UUID, UUID]]) -> None:
    brand_id, system = raffle.brand_id, system_actor(raffle.brand_id)
    today = local_date(tx.now, (await get_brand(tx, brand_id)).timezone)
    holders = await follow_merges(tx, brand_id, [member_id for _, member_id in entries])
    both = {(brand_id, id) for pair in holders.items() for id in pair}
    closed = [(brand_id, id) for id, holder_id in holders.items() if id != holder_id]
    has, owes = await lock_members(tx, both, closed)
    payers = [(brand_id, member_id, id) for id, member_id in entries]
    payments = [row[0] for row in await tx.fetch(queries.FIND_PAYMENTS, payers=payers)]
    books = await ledger.brand_books(tx, [brand_id], AccountKind.SPENT)
    book, reason = Book(new_id), raffle.reason or ""
    for paid in await find_transfers(tx, brand_id, payments):
        cause = Cause(ENTRY, paid.cause_id, ActorKind.SYSTEM.value, system.id, reason, tx.now)
        await give_back(
            tx,
            book,
            paid,
            paid.amount,
            cause,
            today,
            holders[paid.member_id],
            has=has,
            owes=owes,
            books=books,
        )
    returned = sorted((brand_id, id) for id, _ in entries)
    await ledger.write_members_side(tx, book)
    if len(await tx.fetch(queries.MARK_RETURNED, returned=returned, now=tx.now)) != len(returned):
        raise RetryTransaction  # somebody else has given one of them back
    await ledger.write_brands_side(tx, book)
