"""The SQL of what partners issue: the issuer's own rows, and the states of the host's coupons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlmodel import col, func, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.statements import columns_of, names_of
from rewards.alliances.models import Agreement, AgreementVersion
from rewards.coupons.models import Coupon
from rewards.issues.models import (
    IssueCounter,
    IssueList,
    IssueListRow,
    IssueListStatus,
    PartnerIssue,
)

_ISSUE_COLUMNS = columns_of(PartnerIssue)
_ISSUE_NAMES = names_of(_ISSUE_COLUMNS)

INSERT_ISSUES = insert_statement(PartnerIssue, _ISSUE_COLUMNS)

# The guard of quotas: of two at once the second one waits, and sees what the first has used.
COUNT_ISSUES = Statement(
    """
    INSERT INTO issue_counters
        (brand_id, agreement_id, template_id, "window", starts_on, campaign, used, used_max)
    SELECT brand_id, agreement_id, template_id, "window", starts_on, campaign, used, used_max
    FROM {rows}
    WHERE true
    ON CONFLICT (brand_id, agreement_id, template_id, "window", starts_on, campaign) DO UPDATE
        SET used = issue_counters.used + excluded.used, used_max = excluded.used_max
        WHERE issue_counters.used + excluded.used <= excluded.used_max
    RETURNING used
    """,
    sets={
        "rows": 'brand_id uuid, agreement_id uuid, template_id uuid, "window" text,'
        " starts_on date, campaign text, used bigint, used_max bigint"
    },
    returns="used bigint",
)

# The template's row is the host's: only a partner's agreement lets it be counted here.
TAKE_STOCK = Statement(
    """
    UPDATE coupon_templates SET issued = issued + :amount
    WHERE brand_id = :brand_id AND id = :id AND status = 'PARTNER'
        AND (stock_max IS NULL OR issued + :amount <= stock_max)
    RETURNING id
    """,
    params="amount bigint, brand_id uuid, id uuid",
    returns="id uuid",
)

# The stock of a pool is what was put in: never less than what is out.
MOVE_POOL = Statement(
    """
    UPDATE coupon_templates SET stock_max = stock_max + :amount
    WHERE brand_id = :brand_id AND id = :id AND stock_max + :amount >= issued
        AND EXISTS (SELECT 1 FROM coupon_pools p WHERE p.brand_id = :brand_id
            AND p.template_id = :id)
    RETURNING stock_max - issued
    """,
    params="amount bigint, brand_id uuid, id uuid",
    returns="stock_left bigint",
)

# A host's pools that a partner fills under an agreement, whichever side is asked about.
LIST_POOLS = Statement(
    """
    SELECT a.brand_id, t.id, a.id, t.code, t.name_zh, t.name_en, t.stock_max - t.issued,
        t.issued, p.reserve_fen
    FROM agreements own
    JOIN agreements a ON a.brand_id = own.partner_id AND a.id = own.id
    JOIN coupon_pools p ON p.brand_id = a.brand_id AND p.agreement_id = a.id
    JOIN coupon_templates t ON t.brand_id = p.brand_id AND t.id = p.template_id
    WHERE own.brand_id = :brand_id
    ORDER BY p.opened_at, t.id
    """,
    params="brand_id uuid",
    returns="host_id uuid, template_id uuid, agreement_id uuid, code text, name_zh text,"
    " name_en text, left_count bigint, given bigint, reserve_fen bigint",
)

# What was reserved for coupons that partners issued or put into pools, of some that have ended
# unused.
FIND_RESERVED = Statement(
    """
    SELECT a.partner_id, a.brand_id,
        CAST(SUM(COALESCE(i.reserved_fen, p.reserve_fen, 0)) AS bigint)
    FROM {ended} {each:c coupons ON c.brand_id = ended.brand_id AND c.id = ended.id}
    JOIN coupon_templates t ON t.brand_id = c.brand_id AND t.id = c.template_id
    JOIN agreements a ON a.brand_id = t.brand_id AND a.id = t.agreement_id
    LEFT JOIN partner_issues i ON c.cause_kind = 'PARTNER' AND i.brand_id = a.partner_id
        AND i.id = c.cause_id AND i.coupon_id = c.id
    LEFT JOIN coupon_pools p ON p.brand_id = t.brand_id AND p.template_id = t.id
    GROUP BY a.partner_id, a.brand_id
    """,
    sets={"ended": "brand_id uuid, id uuid"},
    returns="brand_id uuid, host_id uuid, reserved_fen bigint",
)


async def find_version(
    snapshot: Snapshot, coupon: Coupon, reader_id: UUID
) -> AgreementVersion | None:
    """The version under which a partner issued a host's coupon, in the copies of one of the two;
    None for a coupon that no partner issued."""
    found = await snapshot.session.exec(
        select(AgreementVersion)
        .join(Agreement, col(Agreement.id) == AgreementVersion.agreement_id)
        .join(
            PartnerIssue,
            (col(PartnerIssue.brand_id) == Agreement.partner_id)
            & (col(PartnerIssue.agreement_id) == Agreement.id)
            & (col(PartnerIssue.version_id) == AgreementVersion.id),
        )
        .where(
            Agreement.brand_id == coupon.brand_id,
            AgreementVersion.brand_id == reader_id,
            PartnerIssue.id == coupon.cause_id,
            PartnerIssue.coupon_id == coupon.id,
        )
    )
    return found.first()


@dataclass(frozen=True, slots=True)
class PoolView:
    """A host's pool as its partner sees it: what is left in it, and what was given out of it."""

    host_id: UUID
    template_id: UUID
    agreement_id: UUID
    code: str
    name_zh: str
    name_en: str
    left_count: int
    given: int
    reserve_fen: int


async def list_pools(snapshot: Snapshot, brand_id: UUID) -> list[PoolView]:
    """The pools that a brand fills, the oldest first."""
    return [PoolView(*row) for row in await snapshot.fetch(LIST_POOLS, brand_id=brand_id)]


async def list_counters(
    snapshot: Snapshot, brand_id: UUID, agreement_id: UUID, template_id: UUID, days: Sequence[date]
) -> list[IssueCounter]:
    """The counters of windows that began on one of these days."""
    found = await snapshot.session.exec(
        select(IssueCounter)
        .where(
            IssueCounter.brand_id == brand_id,
            IssueCounter.agreement_id == agreement_id,
            IssueCounter.template_id == template_id,
            col(IssueCounter.starts_on).in_(days),
        )
        .execution_options(populate_existing=True)
    )
    return list(found)


async def add_issues(tx: Tx, issues: Sequence[PartnerIssue]) -> None:
    rows = [tuple(getattr(issue, name) for name in _ISSUE_NAMES) for issue in issues]
    await tx.fetch(INSERT_ISSUES, rows=rows)


async def list_issues(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[PartnerIssue]:
    """The issuer's rows, newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, PartnerIssue, brand_id, before=before, limit=limit)


async def list_coupons(
    snapshot: Snapshot, issuer_id: UUID, coupon_ids: Sequence[UUID]
) -> list[Coupon]:
    """The hosts' coupons that a brand has issued, for what an issuer is told of them."""
    found = await snapshot.session.exec(
        select(Coupon)
        .join(
            PartnerIssue,
            (col(PartnerIssue.host_id) == Coupon.brand_id)
            & (col(PartnerIssue.coupon_id) == Coupon.id),
        )
        .where(PartnerIssue.brand_id == issuer_id, col(PartnerIssue.coupon_id).in_(coupon_ids))
    )
    return list(found)


# --- lists --------------------------------------------------------------------------------------

INSERT_ROWS = insert_statement(IssueListRow, columns_of(IssueListRow), "ON CONFLICT DO NOTHING")

WRITE_RESULTS = Statement(
    """
    UPDATE issue_list_rows SET code = results.code, issue_id = results.issue_id
    FROM {results} WHERE issue_list_rows.brand_id = results.brand_id
        AND issue_list_rows.list_id = results.list_id AND issue_list_rows.row_no = results.row_no
        AND issue_list_rows.code IS NULL
    RETURNING issue_list_rows.row_no
    """,
    sets={"results": "brand_id uuid, list_id uuid, row_no bigint, code text, issue_id uuid"},
    returns="row_no bigint",
)


async def find_by_upload_key(snapshot: Snapshot, brand_id: UUID, key: str) -> IssueList | None:
    found = await snapshot.session.exec(
        select(IssueList)
        .where(IssueList.brand_id == brand_id, IssueList.upload_key == key)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def lock_list(tx: Tx, brand_id: UUID, list_id: UUID) -> IssueList | None:
    """The row as it is now, and nobody else changes it until this transaction ends."""
    return await keyed.lock_row(tx, IssueList, brand_id, list_id)


async def lock_next(tx: Tx, failed: set[UUID]) -> IssueList | None:
    """The open list that was worked on longest ago, so that lists take turns; those that have
    ``failed`` after all others. Skips those that another worker has."""
    for condition in (
        col(IssueList.id).not_in(failed),
        col(IssueList.id).in_(failed),
    ):
        found = await tx.session.exec(
            select(IssueList)
            .where(IssueList.status == IssueListStatus.OPEN, condition)
            .order_by(col(IssueList.worked_at), col(IssueList.id))
            .limit(1)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        row = found.first()
        if row is not None:
            return row
    return None


async def count_unfinished(snapshot: Snapshot, brand_id: UUID) -> int:
    """Lists of a brand that are LOADING or OPEN."""
    unfinished = [IssueListStatus.LOADING, IssueListStatus.OPEN]
    found = await snapshot.session.exec(
        select(func.count())
        .select_from(IssueList)
        .where(IssueList.brand_id == brand_id, col(IssueList.status).in_(unfinished))
    )
    return found.one()


async def list_rows(
    snapshot: Snapshot, brand_id: UUID, list_id: UUID, *, after: int, limit: int
) -> list[IssueListRow]:
    """A page of a list's rows, in their order."""
    found = await snapshot.session.exec(
        select(IssueListRow)
        .where(
            IssueListRow.brand_id == brand_id,
            IssueListRow.list_id == list_id,
            col(IssueListRow.row_no) > after,
        )
        .order_by(col(IssueListRow.row_no))
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return list(found)


async def list_lists(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[IssueList]:
    """The brand's lists, newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, IssueList, brand_id, before=before, limit=limit)


async def get_list(snapshot: Snapshot, brand_id: UUID, list_id: UUID) -> IssueList:
    """NotFound when the brand has none such."""
    return await keyed.get_row(snapshot, IssueList, brand_id, list_id, "issue list")


async def add_rows(tx: Tx, rows: Sequence[IssueListRow]) -> None:
    """Those that are not there yet."""
    values = [
        (row.brand_id, row.list_id, row.row_no, row.token, row.reference, row.code, row.issue_id)
        for row in rows
    ]
    await tx.fetch(INSERT_ROWS, rows=values)
