"""The SQL of the brand's books: what crossed their border, and all transfers. Times are those of
booking."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from loyalty.clock import first_id_at
from loyalty.db import Snapshot, Statement

ID_SLACK = timedelta(days=1)
"""How far the clock by which a server makes ids may be off the database's."""
_FIRST_TIME = datetime(1970, 1, 2, tzinfo=UTC)

# Only the brand's own books are looked up, a handful: all other accounts, of members and places,
# hold what was issued, and the kind of a transfer tells which of a member's they are. What
# brands owe each other is nothing that was issued.
SUM_FLOWS = Statement(
    """
    SELECT t.asset, t.kind, d.id IS NULL, c.id IS NULL, t.created_at >= :since,
        COALESCE(d.kind, ''), CAST(SUM(t.amount) AS bigint)
    FROM transfers t
    LEFT JOIN accounts d ON d.brand_id = :brand_id AND d.owner_id = :brand_id
        AND d.id = t.debit_account_id
    LEFT JOIN accounts c ON c.brand_id = :brand_id AND c.owner_id = :brand_id
        AND c.id = t.credit_account_id
    WHERE t.brand_id = :brand_id AND t.created_at < :until AND t.phase IN ('POSTED', 'POST')
        AND t.kind <> 'CLEAR'
    GROUP BY 1, 2, 3, 4, 5, 6
    """,
    params="brand_id uuid, since timestamptz, until timestamptz",
    returns="asset text, kind text, is_out boolean, is_in boolean, is_recent boolean,"
    " book text, amount bigint",
)

LIST_BRAND_ENTRIES = Statement(
    """
    SELECT t.id, t.created_at, t.occurred_at, t.asset, t.kind, t.phase, t.amount, d.kind,
        d.owner_id, c.kind, c.owner_id, t.debit_expires_on, t.credit_expires_on, t.cause_kind,
        t.cause_id, t.campaign_id, t.pending_id, t.reverses_id, t.reason
    FROM (
        SELECT * FROM transfers AS own
        WHERE own.brand_id = :brand_id AND own.id > :after AND own.id < :before
            AND own.created_at >= :since AND own.created_at < :until
        ORDER BY own.id LIMIT :row_count_max
    ) AS t
    {each:d accounts ON d.brand_id = t.brand_id AND d.id = t.debit_account_id}
    {each:c accounts ON c.brand_id = t.brand_id AND c.id = t.credit_account_id}
    ORDER BY t.id
    """,
    params="brand_id uuid, after uuid, before uuid, since timestamptz, until timestamptz,"
    " row_count_max bigint",
    returns="id uuid, created_at timestamptz, occurred_at timestamptz, asset text, kind text,"
    " phase text, amount bigint, payer_kind text, payer_id uuid, payee_kind text, payee_id uuid,"
    " debit_expires_on date, credit_expires_on date, cause_kind text, cause_id uuid,"
    " campaign_id uuid, pending_id uuid, reverses_id uuid, reason text",
)


@dataclass(frozen=True, slots=True)
class Flow:
    """The sum of transfers of one kind, before a time or since: out of the accounts of those who
    hold what was issued (``is_out``), into them, or from one of them to another. ``book`` is the
    kind of the brand's own that it came out of, if it came out of one."""

    asset: str
    kind: str
    is_out: bool
    is_in: bool
    is_recent: bool
    book: str
    amount: int


@dataclass(frozen=True, slots=True)
class BrandEntry:
    """A transfer as the brand's books show it: who paid whom."""

    id: UUID
    booked_at: datetime
    occurred_at: datetime
    asset: str
    kind: str
    phase: str
    amount: int
    payer_kind: str
    payer_id: UUID
    payee_kind: str
    payee_id: UUID
    debit_expires_on: date | None
    credit_expires_on: date | None
    cause_kind: str
    cause_id: UUID
    campaign_id: UUID | None
    pending_id: UUID | None
    reverses_id: UUID | None
    reason: str


async def list_flows(
    snapshot: Snapshot, brand_id: UUID, since: datetime, until: datetime
) -> list[Flow]:
    """All that was posted before ``until``, summed; what was booked since ``since`` apart."""
    rows = await snapshot.fetch(SUM_FLOWS, brand_id=brand_id, since=since, until=until)
    return [Flow(*row) for row in rows]


async def list_brand_entries(
    snapshot: Snapshot,
    brand_id: UUID,
    since: datetime,
    until: datetime,
    *,
    after: UUID | None,
    limit: int,
) -> list[BrandEntry]:
    """A page of all transfers of a brand that were booked from ``since`` until just before
    ``until``, oldest first. Ids begin with the time: their range finds the page."""
    rows = await snapshot.fetch(
        LIST_BRAND_ENTRIES,
        brand_id=brand_id,
        after=after or first_id_at(max(since, _FIRST_TIME) - ID_SLACK),
        before=first_id_at(until + ID_SLACK),
        since=since,
        until=until,
        row_count_max=limit,
    )
    return [BrandEntry(*row) for row in rows]
