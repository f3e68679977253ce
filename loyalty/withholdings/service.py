"""The verbs of withholdings: what tax is kept back of, and what goes back with a prize."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands.models import Brand
from loyalty.db import Snapshot, Tx
from loyalty.errors import NotFound
from loyalty.ledger.models import AccountKind
from loyalty.ledger.rules import Book, Cause, ReversibleTransfer
from loyalty.ledger.service import brand_books
from loyalty.reversals.rules import TakenBack
from loyalty.withholdings import queries
from loyalty.withholdings.models import Withholding
from loyalty.withholdings.rules import Terms, Withheld, check_terms, tax_returned


async def set_terms(
    tx: Tx, actor: Actor, threshold_fen: int | None, rate_percent: int | None
) -> None:
    """Of cash prizes over the threshold the brand withholds the rate from now on (代扣个税); of
    none, where both are null. Refuses InvalidInput."""
    check_terms(threshold_fen, rate_percent)
    if not await queries.set_terms(tx, actor.brand_id, threshold_fen, rate_percent):
        raise NotFound(noun="brand")
    await audit_log.record(
        *(tx, actor, "brand.withholding", actor.brand_id),
        threshold_fen=threshold_fen,
        rate_percent=rate_percent,
    )


async def terms_of(tx: Snapshot, brand: Brand) -> Terms | None:
    """A brand's terms with its TAX book, if it withholds anything."""
    threshold, rate = brand.withholding_threshold_fen, brand.withholding_rate_percent
    if threshold is None or rate is None:
        return None
    return Terms(threshold, rate, await queries.get_tax_account_id(tx, brand.id))


async def write(tx: Tx, withheld: Sequence[Withheld]) -> None:
    """Keep what the book of this transaction withheld."""
    rows = [
        (
            *(one.brand_id, one.id, one.member_id, one.prize_kind.value, one.prize_id),
            *(one.credit_id, one.gross_fen, one.tax_fen),
            *(one.terms.rate_percent, one.terms.threshold_fen, tx.now),
        )
        for one in withheld
    ]
    if rows:
        await tx.write(queries.INSERT_WITHHOLDINGS, rows=rows)


async def find_of_credits(
    tx: Snapshot, brand_id: UUID, credit_ids: Collection[UUID]
) -> dict[UUID, Withholding]:
    """What was withheld, by the transfer that credited the prize."""
    return {row.credit_id: row for row in await queries.list_of_credits(tx, brand_id, credit_ids)}


async def return_tax(
    tx: Tx,
    book: Book,
    taken: Sequence[TakenBack],
    withheld: Mapping[UUID, Withholding],
    cause: Cause,
) -> list[TakenBack]:
    """Take the tax of prizes back from the TAX book, each in proportion to what was taken of the
    net prize or is owed; what was taken in all then."""
    if not withheld:
        return list(taken)
    brand_id = next(iter(withheld.values())).brand_id
    taxes = await brand_books(tx, [brand_id], AccountKind.TAX)
    reversed_books = await brand_books(tx, [brand_id], AccountKind.REVERSED)
    found = []
    for one in taken:
        row = withheld.get(one.credit.id)
        if row is None:
            found.append(one)
            continue
        net = row.gross_fen - row.tax_fen
        tax = tax_returned(row.tax_fen, net, one.taken + one.owed)
        key = (brand_id, brand_id, one.credit.asset)
        reverses = ReversibleTransfer(row.id, row.tax_fen, one.credit.campaign_id)
        if tax:
            book.return_withheld(taxes[key], reversed_books[key], tax, cause, reverses=reverses)
        found.append(replace(one, taken=one.taken + tax))
    return found
