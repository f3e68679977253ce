"""The SQL of standings: a constant number of set statements for any number of members."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Database, KeyedStatement, Snapshot, Statement, insert_statement
from loyalty.statements import columns_of, names_of
from tiers.ladders.periods import Period
from tiers.standings.models import (
    Basis,
    QualifyingDay,
    ReEvaluation,
    ReEvaluationKind,
    Standing,
    StandingChange,
)
from tiers.standings.rules import Held, TierGrant

# --- members as a batch sees them --------------------------------------------------------------

_TIER = """
    SELECT m.brand_id, m.id, m.role, m.enrolled_at, s.revision, s.since, s.counting_id,
        s.earned_rank, s.earned_until, s.grant_rank, s.grant_kind, s.grant_until, s.grant_reason,
        s.pending_rank, s.pending_on, s.due_on,
        COALESCE(a.credits_posted - a.debits_posted, 0), b.revision, s.pending_transfer_id
"""
_TIER_RETURNS = (
    "brand_id uuid, member_id uuid, role text, enrolled_at timestamptz, revision bigint,"
    " since timestamptz, counting_id uuid, earned_rank bigint, earned_until date,"
    " grant_rank bigint, grant_kind text, grant_until date, grant_reason text,"
    " pending_rank bigint, pending_on date, due_on date, balance bigint,"
    " rules_revision bigint, pending_transfer_id uuid"
)

FIND_TIERS = Statement(
    _TIER
    + """
    FROM {members}
    {each:b brands ON b.id = members.brand_id}
    {each:m members ON m.brand_id = members.brand_id AND m.id = members.member_id}
    {maybe:s standings ON s.brand_id = m.brand_id AND s.member_id = m.id}
    {maybe:a accounts ON a.brand_id = m.brand_id AND a.owner_id = m.id AND a.asset = 'GROWTH'
        AND a.kind = 'MAIN'}
    """,
    sets={"members": "brand_id uuid, member_id uuid"},
    returns=_TIER_RETURNS,
)

LIST_TIERS = Statement(
    _TIER
    + """
    FROM members m
    JOIN brands b ON b.id = m.brand_id
    LEFT JOIN standings s ON s.brand_id = m.brand_id AND s.member_id = m.id
    LEFT JOIN accounts a ON a.brand_id = m.brand_id AND a.owner_id = m.id AND a.asset = 'GROWTH'
        AND a.kind = 'MAIN'
    WHERE m.brand_id = :brand_id AND m.role = :role AND m.status <> 'MERGED' AND m.id > :after
    ORDER BY m.id LIMIT :row_count_max
    """,
    params="brand_id uuid, role text, after uuid, row_count_max bigint",
    returns=_TIER_RETURNS,
)

FIND_DAYS = Statement(
    """
    SELECT d.brand_id, d.member_id, d.day, d.amount FROM {keys} {each:d qualifying_days
        ON d.brand_id = keys.brand_id AND d.member_id = keys.member_id
        AND d.metric = keys.metric AND d.day >= keys.first_day}
    """,
    sets={"keys": "brand_id uuid, member_id uuid, metric text, first_day date"},
    returns="brand_id uuid, member_id uuid, day date, amount bigint",
)

# Until the end of the transaction no other ladder is published, if none has been since.
KEEP_RULES = Statement(
    "SELECT b.id FROM {rules}"
    " {shared:b brands ON b.id = rules.brand_id AND b.revision = rules.revision}",
    sets={"rules": "brand_id uuid, revision bigint"},
    returns="brand_id uuid",
)

PUT_TIERS = Statement(
    f"""
    INSERT INTO standings ({", ".join(names_of(columns_of(Standing)))})
    SELECT {", ".join(names_of(columns_of(Standing)))} FROM {{rows}} WHERE true
    ON CONFLICT (brand_id, member_id) DO UPDATE SET {
        ", ".join(
            f"{name} = excluded.{name}"
            for name in names_of(columns_of(Standing))
            if name not in ("brand_id", "member_id")
        )
    }
    WHERE (standings.brand_id, standings.member_id, standings.revision) IN (
        SELECT held.brand_id, held.member_id, held.revision FROM {{held}})
    RETURNING member_id
    """,
    sets={
        "rows": columns_of(Standing),
        "held": "brand_id uuid, member_id uuid, revision bigint",
    },
    returns="member_id uuid",
)

INSERT_CHANGES = insert_statement(StandingChange, columns_of(StandingChange))

# A visit is counted once a day, whoever meets whom.
_ADDED = """
    ON CONFLICT (brand_id, member_id, metric, day) DO UPDATE SET
        amount = CASE WHEN qualifying_days.metric = 'VISITS' THEN excluded.amount
            ELSE qualifying_days.amount + excluded.amount END
"""

ADD_TO_DAYS = Statement(
    """
    INSERT INTO qualifying_days (brand_id, member_id, metric, day, amount)
    SELECT brand_id, member_id, metric, day, amount FROM {rows} WHERE true
    """
    + _ADDED,
    sets={"rows": columns_of(QualifyingDay)},
)

# --- days filled from history: what others wrote before anybody counted it ----------------------

FIND_EARNED = Statement(
    """
    SELECT a.brand_id, a.owner_id, t.occurred_at, t.amount - COALESCE(r.reversed, 0)
    FROM {keys}
    {each:a accounts ON a.brand_id = keys.brand_id AND a.owner_id = keys.member_id
        AND a.asset = keys.asset AND a.kind = 'MAIN'}
    {each:t transfers ON t.brand_id = a.brand_id AND t.credit_account_id = a.id
        AND t.kind = 'EARN' AND t.phase IN ('POSTED', 'POST') AND t.campaign_id IS NOT NULL}
    {maybe:r transfer_reversals ON r.brand_id = t.brand_id AND r.transfer_id = t.id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid, asset text"},
    returns="brand_id uuid, member_id uuid, occurred_at timestamptz, amount bigint",
)

FIND_SPEND = Statement(
    """
    SELECT p.brand_id, p.member_id, p.purchased_on, p.amount_fen - p.returned_fen FROM {keys}
    {each:p purchase_events ON p.brand_id = keys.brand_id AND p.member_id = keys.member_id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="brand_id uuid, member_id uuid, day date, amount bigint",
)

FIND_SCANS = Statement(
    """
    SELECT e.brand_id, e.member_id, e.occurred_at, r.id IS NOT NULL FROM {keys}
    {each:e scan_events ON e.brand_id = keys.brand_id AND e.member_id = keys.member_id
        AND e.role = 'CONSUMER' AND e.unpaid_reason IS NULL}
    {maybe:r scan_reversals ON r.brand_id = e.brand_id AND r.scan_id = e.id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="brand_id uuid, member_id uuid, occurred_at timestamptz, reversed boolean",
)

# What members did before they were merged into another one is the other one's now.
FIND_MERGED = Statement(
    """
    SELECT m.brand_id, m.merged_into_id, m.id FROM {keys}
    {each:m members ON m.brand_id = keys.brand_id AND m.merged_into_id = keys.member_id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="brand_id uuid, member_id uuid, merged_id uuid",
)

CLEAR_DAYS = Statement(
    """
    DELETE FROM qualifying_days WHERE (brand_id, member_id, metric) IN (
        SELECT keys.brand_id, keys.member_id, keys.metric FROM {keys})
    """,
    sets={"keys": "brand_id uuid, member_id uuid, metric text"},
)

PUT_DAYS = Statement(
    """
    INSERT INTO qualifying_days (brand_id, member_id, metric, day, amount)
    SELECT brand_id, member_id, metric, day, amount FROM {rows} WHERE true
    ON CONFLICT (brand_id, member_id, metric, day) DO UPDATE SET amount = excluded.amount
    """,
    sets={"rows": columns_of(QualifyingDay)},
)

# --- re-evaluation -----------------------------------------------------------------------------

FIND_DUE = Statement(
    """
    SELECT s.member_id FROM standings s
    WHERE s.brand_id = :brand_id AND s.due_on <= :day
    ORDER BY s.due_on, s.member_id LIMIT :row_count_max
    """,
    params="brand_id uuid, day date, row_count_max bigint",
    returns="member_id uuid",
)

_DROPPED = """
    FROM members m
    JOIN standings s ON s.brand_id = m.brand_id AND s.member_id = m.id AND s.earned_rank > 0
        AND s.earned_until IS NULL
    JOIN ladder_levels l ON l.brand_id = m.brand_id AND l.ladder_id = :ladder_id
        AND l.rank = s.earned_rank
    LEFT JOIN accounts a ON a.brand_id = m.brand_id AND a.owner_id = m.id AND a.asset = 'GROWTH'
        AND a.kind = 'MAIN'
    WHERE m.brand_id = :brand_id AND m.role = :role AND m.id > :after
        AND (l.invitation_only
            OR COALESCE(a.credits_posted - a.debits_posted, 0) < l.growth_threshold)
"""

FIND_DROPPED = Statement(
    f"SELECT m.id {_DROPPED} ORDER BY m.id LIMIT :row_count_max",
    params="brand_id uuid, role text, ladder_id uuid, after uuid, row_count_max bigint",
    returns="member_id uuid",
)

COUNT_DROPPED = Statement(
    f"SELECT COUNT(*) {_DROPPED}",
    params="brand_id uuid, role text, ladder_id uuid, after uuid",
    returns="count bigint",
)

FIND_MEMBERS = Statement(
    """
    SELECT m.id FROM members m
    WHERE m.brand_id = :brand_id AND m.role = :role AND m.status <> 'MERGED' AND m.id > :after
    ORDER BY m.id LIMIT :row_count_max
    """,
    params="brand_id uuid, role text, after uuid, row_count_max bigint",
    returns="member_id uuid",
)

COUNT_MEMBERS = Statement(
    "SELECT COUNT(*) FROM members m"
    " WHERE m.brand_id = :brand_id AND m.role = :role AND m.status <> 'MERGED'",
    params="brand_id uuid, role text",
    returns="count bigint",
)

COUNT_DUE = Statement(
    "SELECT COUNT(*) FROM standings s WHERE s.brand_id = :brand_id AND s.due_on <= :day",
    params="brand_id uuid, day date",
    returns="count bigint",
)

ADVANCE_RUN = Statement(
    """
    UPDATE re_evaluations SET after_member_id = :after, rows_done = rows_done + :rows_done,
        rows_total = CASE WHEN rows_total < rows_done + :rows_done THEN rows_done + :rows_done
            ELSE rows_total END,
        rows_moved = rows_moved + :rows_moved, finished_at = :finished_at
    WHERE brand_id = :brand_id AND id = :id AND finished_at IS NULL AND rows_done = :held
    RETURNING id
    """,
    params="after uuid, rows_done bigint, rows_moved bigint, finished_at timestamptz,"
    " brand_id uuid, id uuid, held bigint",
    returns="id uuid",
)


async def find_runs(
    snapshot: Snapshot, names: list[tuple[UUID, str]]
) -> dict[tuple[UUID, str], ReEvaluation]:
    """Runs by (brand_id, name), of those asked for."""
    found = await snapshot.session.exec(
        select(ReEvaluation).where(
            col(ReEvaluation.brand_id).in_({brand_id for brand_id, _ in names}),
            col(ReEvaluation.name).in_({name for _, name in names}),
        )
    )
    return {(run.brand_id, run.name): run for run in found}


async def find_open_run(
    snapshot: Snapshot, brand_id: UUID | None = None, *, unswept: Sequence[UUID] = ()
) -> ReEvaluation | None:
    """The oldest run that has not ended, of one brand or of any; none that looks for balances that
    dropped where a brand's lots are still ``unswept``."""
    statement = select(ReEvaluation).where(
        col(ReEvaluation.finished_at).is_(None),
        (col(ReEvaluation.kind) != ReEvaluationKind.RANKED.value)
        | col(ReEvaluation.brand_id).not_in(unswept),
    )
    if brand_id is not None:
        statement = statement.where(col(ReEvaluation.brand_id) == brand_id)
    found = await snapshot.session.exec(
        statement.order_by(col(ReEvaluation.id))
        .limit(1)
        .execution_options(populate_existing=True)  # chunks advance it by statements
    )
    return found.first()


# --- a new ladder ------------------------------------------------------------------------------

_CARRIED = ", ".join(
    f"{column} = COALESCE((SELECT carried.to_rank FROM {{carried}}"
    f" WHERE carried.from_rank = standings.{column}), standings.{column})"
    for column in ("rank", "earned_rank", "grant_rank", "pending_rank")
)

CARRY_RANKS = Statement(
    f"""
    UPDATE standings SET {_CARRIED}, revision = standings.revision + 1
    WHERE brand_id = :brand_id AND member_id IN (
        SELECT m.id FROM members m WHERE m.brand_id = :brand_id AND m.role = :role)
    """,
    sets={"carried": "from_rank bigint, to_rank bigint"},
    params="brand_id uuid, role text",
)

# Whoever stands at one of these ranks, locked until the ladder is published.
LOCK_HOLDERS = Statement(
    """
    SELECT s.member_id, s.rank FROM standings s
    JOIN members m ON m.brand_id = s.brand_id AND m.id = s.member_id
    WHERE s.brand_id = :brand_id AND m.role = :role
        AND s.rank IN (SELECT ranks.rank FROM {ranks})
    ORDER BY s.member_id {lock:s}
    """,
    sets={"ranks": "rank bigint"},
    params="brand_id uuid, role text",
    returns="member_id uuid, rank bigint",
)

# --- two members become one --------------------------------------------------------------------

MOVE_DAYS = Statement(
    """
    INSERT INTO qualifying_days (brand_id, member_id, metric, day, amount)
    SELECT d.brand_id, :into_id, d.metric, d.day, d.amount FROM qualifying_days d
    WHERE d.brand_id = :brand_id AND d.member_id = :from_id
    """
    + _ADDED,
    params="into_id uuid, brand_id uuid, from_id uuid",
)

CLEAR_MEMBER = Statement(
    "DELETE FROM qualifying_days WHERE brand_id = :brand_id AND member_id = :member_id",
    params="brand_id uuid, member_id uuid",
)

# --- what is shown -----------------------------------------------------------------------------


READ_TIER = KeyedStatement(
    """
    SELECT b.revision, s.earned_rank, s.since, s.earned_until, s.grant_rank,
        s.grant_kind, s.grant_until, s.grant_reason, s.pending_rank, s.pending_on,
        COALESCE(a.credits_posted - a.debits_posted, 0), CAST(COALESCE((
            SELECT SUM(d.amount) FROM qualifying_days d WHERE d.brand_id = :brand_id
                AND d.member_id = :member_id AND d.metric = :metric
                AND d.day BETWEEN :first_day AND :last_day), 0) AS bigint)
    FROM brands b
    {maybe:s standings ON s.brand_id = :brand_id AND s.member_id = :member_id}
    {maybe:a accounts ON a.brand_id = :brand_id AND a.owner_id = :member_id
        AND a.asset = 'GROWTH' AND a.kind = 'MAIN'}
    WHERE b.id = :brand_id
    """,
    keys="brand_id uuid, member_id uuid, metric text, first_day date, last_day date",
    returns="revision bigint, earned_rank bigint, since timestamptz,"
    " earned_until date, grant_rank bigint, grant_kind text, grant_until date, grant_reason text,"
    " pending_rank bigint, pending_on date, growth bigint, amount bigint",
)


@dataclass(frozen=True, slots=True)
class TierReading:
    """A member's standing as shown: since when, the growth balance, what it has of the metric's
    period; and the brand's ``revision`` at that moment."""

    revision: int
    held: Held
    since: datetime | None
    growth: int
    amount: int


async def read_tier(
    db: Database, brand_id: UUID, member_id: UUID, metric: str | None, period: Period | None
) -> TierReading:
    """What ``me.tier`` shows, by one statement. ``amount`` is what ``metric`` has in ``period``;
    without them the growth balance."""
    days = (period.first, period.last) if period else (date.min, date.min)
    ((row,),) = await db.read_each(READ_TIER, [(brand_id, member_id, metric or "", *days)])
    grant = None if row[4] is None else TierGrant(row[4], Basis(row[5]), row[6], row[7])
    held = Held(row[1] or 0, row[3], grant, row[8], row[9])
    return TierReading(row[0], held, row[2], row[10], row[11] if metric else row[10])
