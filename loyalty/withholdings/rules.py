"""Pure: how much tax is kept back of a prize, and how it is booked."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty.errors import InvalidInput
from loyalty.ledger.models import AccountKind, Asset
from loyalty.ledger.rules import AccountState, Book, Cause, Movement
from loyalty.withholdings.models import PrizeKind

RATE_PERCENT_MAX = 50
THRESHOLD_FEN_MAX = 10**12


@dataclass(frozen=True, slots=True)
class Terms:
    """Of what a brand withholds tax: of a cash prize over the threshold the rate of all of it."""

    threshold_fen: int
    rate_percent: int
    tax_account_id: UUID


@dataclass(frozen=True, slots=True)
class Withheld:
    """A withholding to be written; fields as in ``Withholding``."""

    brand_id: UUID
    id: UUID
    member_id: UUID
    prize_kind: PrizeKind
    prize_id: UUID
    credit_id: UUID
    gross_fen: int
    tax_fen: int
    terms: Terms


def check_terms(threshold_fen: int | None, rate_percent: int | None) -> None:
    """Both or neither. Refuses InvalidInput."""
    if threshold_fen is None or rate_percent is None:
        if threshold_fen is not rate_percent:
            raise InvalidInput(field="ratePercent", problem="with thresholdFen, or neither")
        return
    if not 0 <= threshold_fen <= THRESHOLD_FEN_MAX:
        raise InvalidInput(field="thresholdFen", problem=f"0 to {THRESHOLD_FEN_MAX}")
    if not 1 <= rate_percent <= RATE_PERCENT_MAX:
        raise InvalidInput(field="ratePercent", problem=f"1 to {RATE_PERCENT_MAX}")


def tax_of(terms: Terms | None, asset: str, gross: int) -> int:
    """In fen, half a fen up, but never the whole of it; 0 of what is no cash, or not over the
    threshold."""
    if terms is None or asset != Asset.CASH.value or gross <= terms.threshold_fen:
        return 0
    return min((gross * terms.rate_percent + 50) // 100, gross - 1)


def credit_prize(
    book: Book,
    terms: Terms | None,
    prize: tuple[PrizeKind, UUID],
    issuance: AccountState,
    account: AccountState,
    gross: int,
    cause: Cause,
    *,
    campaign_id: UUID | None,
    expires_on: date,
    owed: AccountState | None,
    pending_id: UUID | None = None,
) -> tuple[Movement, Withheld | None]:
    """Credit a prize, or post one that was pending, less the tax of it, which goes to the brand's
    TAX book before anything of it repays what the member owes."""
    tax = tax_of(terms, account.asset, gross)
    if terms is None or tax == 0:
        given = (issuance, account, gross, cause)
        if pending_id is None:
            credited = book.credit(
                *given, campaign_id=campaign_id, expires_on=expires_on, owed=owed
            )
        else:
            credited = book.resolve(
                *given,
                pending_id=pending_id,
                campaign_id=campaign_id,
                expires_on=expires_on,
                owed=owed,
            )
        return credited, None
    brand_id, asset = account.brand_id, account.asset
    tax_book = AccountState(
        *(brand_id, terms.tax_account_id, brand_id, asset),
        kind=AccountKind.TAX.value,
        is_brand=True,
    )
    credited, kept = book.credit_less(
        issuance,
        account,
        gross,
        (tax_book, tax),
        cause,
        campaign_id=campaign_id,
        expires_on=expires_on,
        owed=owed,
        pending_id=pending_id,
    )
    return credited, Withheld(
        *(brand_id, kept.id, account.owner_id, *prize, credited.id, gross, tax, terms)
    )


def tax_returned(tax: int, net: int, taken: int) -> int:
    """How much of the tax goes back when so much of the net prize does: in proportion, down."""
    return tax * taken // net
