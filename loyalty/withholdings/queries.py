"""The SQL of withholdings."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty.brands.models import Brand
from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.ledger.models import Account, AccountKind, Asset
from loyalty.withholdings.models import Withholding

INSERT_WITHHOLDINGS = insert_statement(
    Withholding,
    "brand_id uuid, id uuid, member_id uuid, prize_kind text, prize_id uuid, credit_id uuid,"
    " gross_fen bigint, tax_fen bigint, rate_percent bigint, threshold_fen bigint,"
    " withheld_at timestamptz",
)

LIST_WITHHELD = Statement(
    """
    SELECT w.id, w.member_id, w.prize_kind, w.prize_id, w.credit_id, w.gross_fen, w.tax_fen,
        COALESCE(r.reversed, 0), w.rate_percent, w.threshold_fen, w.withheld_at
    FROM withholdings w
    LEFT JOIN transfer_reversals r ON r.brand_id = w.brand_id AND r.transfer_id = w.id
    WHERE w.brand_id = :brand_id AND w.id < :before AND w.withheld_at >= :since
        AND w.withheld_at < :until
    ORDER BY w.id DESC LIMIT :row_count_max
    """,
    params="brand_id uuid, before uuid, since timestamptz, until timestamptz, row_count_max bigint",
    returns="id uuid, member_id uuid, prize_kind text, prize_id uuid, credit_id uuid,"
    " gross_fen bigint, tax_fen bigint, returned_fen bigint, rate_percent bigint,"
    " threshold_fen bigint, withheld_at timestamptz",
)

_AFTER_ALL = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class WithheldRow:
    """A withholding, and what of its tax went back with a prize that was taken back."""

    id: UUID
    member_id: UUID
    prize_kind: str
    prize_id: UUID
    credit_id: UUID
    gross_fen: int
    tax_fen: int
    returned_fen: int
    rate_percent: int
    threshold_fen: int
    withheld_at: datetime

    @property
    def net_fen(self) -> int:
        return self.gross_fen - self.tax_fen


async def list_withheld(
    snapshot: Snapshot,
    brand_id: UUID,
    since: datetime,
    until: datetime,
    *,
    before: UUID | None,
    limit: int,
) -> list[WithheldRow]:
    """The brand's of a time, newest first, older than the id ``before``."""
    rows = await snapshot.fetch(
        LIST_WITHHELD,
        brand_id=brand_id,
        before=before or _AFTER_ALL,
        since=since,
        until=until,
        row_count_max=limit,
    )
    return [WithheldRow(*row) for row in rows]


async def list_of_credits(
    snapshot: Snapshot, brand_id: UUID, credit_ids: Collection[UUID]
) -> list[Withholding]:
    """What was withheld of these credits."""
    if not credit_ids:
        return []
    found = await snapshot.session.exec(
        select(Withholding).where(
            col(Withholding.brand_id) == brand_id, col(Withholding.credit_id).in_(credit_ids)
        )
    )
    return list(found)


async def list_of_prizes(
    snapshot: Snapshot, brand_id: UUID, prize_ids: Sequence[UUID]
) -> list[Withholding]:
    """For loaders: what was withheld of these draws and winners."""
    found = await snapshot.session.exec(
        select(Withholding).where(
            col(Withholding.brand_id) == brand_id, col(Withholding.prize_id).in_(prize_ids)
        )
    )
    return list(found)


async def set_terms(
    tx: Tx, brand_id: UUID, threshold_fen: int | None, rate_percent: int | None
) -> bool:
    """Set both and move the brand's revision on; False when there is no such brand."""
    moved = await tx.session.exec(
        update(Brand)
        .where(col(Brand.id) == brand_id)
        .values(
            withholding_threshold_fen=threshold_fen,
            withholding_rate_percent=rate_percent,
            revision=col(Brand.revision) + 1,
        )
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount == 1


async def get_tax_account_id(snapshot: Snapshot, brand_id: UUID) -> UUID:
    """The brand's own book of tax, of cash."""
    found = await snapshot.session.exec(
        select(Account.id).where(
            col(Account.brand_id) == brand_id,
            col(Account.owner_id) == brand_id,
            col(Account.asset) == Asset.CASH.value,
            col(Account.kind) == AccountKind.TAX.value,
        )
    )
    return found.one()
