"""The SQL of payouts: a constant number of statements for any number of places and reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, insert_statement
from rewards.payouts.models import Payout, PayoutReport, PayoutStatus

FIND_TERMS = Statement(
    """
    SELECT p.brand_id, p.id, p.payee, p.payout_threshold_fen, p.status, l.id IS NOT NULL,
        f.resolved_at, f.request
    FROM {places} {each:p places ON p.brand_id = places.brand_id AND p.id = places.id}
    {maybe:l payouts ON l.brand_id = p.brand_id AND l.place_id = p.id
        AND l.status IN ('CREATED', 'SENT', 'PROCESSING')}
    {maybe:f payouts ON f.brand_id = p.brand_id AND f.status = 'FAILED' AND f.id = (
        SELECT x.id FROM payouts x WHERE x.brand_id = p.brand_id AND x.place_id = p.id
        ORDER BY x.id DESC LIMIT 1)}
    """,
    sets={"places": "brand_id uuid, id uuid"},
    returns="brand_id uuid, place_id uuid, payee text, threshold_fen bigint, status text,"
    " has_live boolean, failed_at timestamptz, failed_request text",
)

INSERT_PAYOUTS = Statement(
    """
    INSERT INTO payouts (brand_id, id, place_id, number, amount_fen, transfer_id, provider,
        request, status, created_at)
    SELECT brand_id, id, place_id, number, amount_fen, transfer_id, provider, request, 'CREATED',
        created_at FROM {rows} WHERE true
    ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, place_id uuid, number text, amount_fen bigint,"
        " transfer_id uuid, provider text, request text, created_at timestamptz"
    },
    returns="id uuid",
)

_VIEW = (
    "p.brand_id, p.id, p.place_id, p.number, p.amount_fen, p.transfer_id, p.provider, p.request,"
    " p.status"
)
_VIEW_TYPES = (
    "brand_id uuid, id uuid, place_id uuid, number text, amount_fen bigint, transfer_id uuid,"
    " provider text, request text, status text"
)

FIND_PAYOUTS = Statement(
    f"""
    SELECT {_VIEW}
    FROM {{keys}} {{each:p payouts ON p.brand_id = keys.brand_id AND p.id = keys.id}}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns=_VIEW_TYPES,
)

# A number is the provider's key and names no brand: it is looked up in each through its index.
FIND_BY_NUMBER = Statement(
    f"""
    SELECT {_VIEW}
    FROM brands b {{each:p payouts ON p.brand_id = b.id AND p.number = :number
        AND p.provider = :provider}}
    """,
    params="number text, provider text",
    returns=_VIEW_TYPES,
)

# Who finds a payout final, or further on, moves nothing.
MOVE_PAYOUTS = Statement(
    """
    UPDATE payouts SET status = moved.status, sent_at = COALESCE(payouts.sent_at, :now),
        provider_reference = COALESCE(moved.reference, payouts.provider_reference),
        failure = CASE WHEN moved.status = 'FAILED' THEN moved.detail END,
        resolved_at = CASE WHEN moved.status IN ('PAID', 'FAILED') THEN :now END
    FROM {moved} WHERE payouts.brand_id = moved.brand_id AND payouts.id = moved.id
        AND payouts.status IN ('CREATED', 'SENT', 'PROCESSING')
        AND (payouts.status <> 'PROCESSING' OR moved.status <> 'SENT')
    RETURNING payouts.id
    """,
    sets={"moved": "brand_id uuid, id uuid, status text, reference text, detail text"},
    params="now timestamptz",
    returns="id uuid",
)

INSERT_REPORTS = insert_statement(
    PayoutReport,
    "brand_id uuid, id uuid, payout_id uuid, source text, state text, detail text,"
    " created_at timestamptz",
)


@dataclass(frozen=True, slots=True)
class PayoutView:
    """A payout as those who carry it need it."""

    brand_id: UUID
    id: UUID
    place_id: UUID
    number: str
    amount_fen: int
    transfer_id: UUID
    provider: str
    request: str
    status: str

    @property
    def key(self) -> tuple[UUID, UUID]:
        return (self.brand_id, self.id)

    @property
    def place_key(self) -> tuple[UUID, UUID]:
        return (self.brand_id, self.place_id)


async def find_payouts(
    snapshot: Snapshot, keys: set[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], PayoutView]:
    """By (brand_id, id); unknown ones are left out."""
    rows = await snapshot.fetch(FIND_PAYOUTS, keys=sorted(keys))
    return {(row[0], row[1]): PayoutView(*row) for row in rows}


async def find_by_number(snapshot: Snapshot, number: str, provider: str) -> PayoutView | None:
    """Whichever brand's it is."""
    rows = await snapshot.fetch(FIND_BY_NUMBER, number=number, provider=provider)
    return PayoutView(*rows[0]) if rows else None


async def find_payout(snapshot: Snapshot, brand_id: UUID, payout_id: UUID) -> Payout | None:
    return await keyed.find_row(snapshot, Payout, brand_id, payout_id)


async def list_payouts(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    before: UUID | None,
    limit: int,
    status: PayoutStatus | None = None,
    place_ids: Sequence[UUID] | None = None,
) -> list[Payout]:
    """Newest first, older than the id ``before``; ``place_ids`` None is every place."""
    conditions = []
    if status is not None:
        conditions.append(col(Payout.status) == status.value)
    if place_ids is not None:
        conditions.append(col(Payout.place_id).in_(place_ids))
    return await keyed.list_newest(
        snapshot, Payout, brand_id, *conditions, before=before, limit=limit
    )


async def list_reports(
    snapshot: Snapshot, brand_id: UUID, payout_ids: Sequence[UUID]
) -> list[PayoutReport]:
    """What was reported of these payouts, first to last."""
    found = await snapshot.session.exec(
        select(PayoutReport)
        .where(col(PayoutReport.brand_id) == brand_id, col(PayoutReport.payout_id).in_(payout_ids))
        .order_by(col(PayoutReport.id))
    )
    return list(found)
