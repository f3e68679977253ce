"""Tasks counted again: who completed one has done as much as it asks for. Invariant 8.

What was taken back is counted here with the rest: it may have been taken back since.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.db import Statement
from loyalty.ledger.audit_probe import MERGED, Probe

_FAR = datetime(2999, 12, 31, tzinfo=UTC)

TASK_PERIODS = Statement(
    """
    SELECT t.id, done.task, done.period, t.counts, t.target, t.starts_at, t.ends_at
    FROM (
        SELECT DISTINCT substr(ref, 1, 32) AS task, substr(ref, 67) AS period
        FROM earning_events WHERE brand_id = :brand AND kind = 'TASK_COMPLETED'
    ) AS done
    JOIN tasks t ON t.brand_id = :brand AND replace(CAST(t.id AS text), '-', '') = done.task
    """,
    params="brand uuid",
    returns="id uuid, task text, period text, counts text, target bigint, starts_at timestamptz,"
    " ends_at timestamptz",
)


def task_periods(rows: Iterable[Any], zone: ZoneInfo) -> list[tuple[Any, ...]]:
    """(task_id, the same as references have it, period, what it counts, target, when the period
    begins, when it is over) of each task and period that somebody has completed."""
    return [
        (*key, *_window(key[2], starts_at, ends_at or _FAR, zone))
        for *key, starts_at, ends_at in rows
    ]


def _window(
    period: str, starts_at: datetime, ends_at: datetime, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    if period == "ONCE":
        return starts_at, ends_at
    try:
        first, after = _days(period)
    except (ValueError, OverflowError):
        return ends_at, ends_at  # no period of any task: nothing was done in it
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, after))
    return begin, end


def _days(period: str) -> tuple[date, date]:
    """Its first local day and the one after its last; ValueError or OverflowError where no
    calendar of ours has it."""
    if week := re.fullmatch(r"(\d{4})-W(\d\d)", period):
        first = date.fromisocalendar(int(week[1]), int(week[2]), 1)
        return first, first + timedelta(days=7)
    if month := re.fullmatch(r"(\d{4})-(\d\d)", period):
        first = date(int(month[1]), int(month[2]), 1)
        return first, (first + timedelta(days=31)).replace(day=1)
    raise ValueError(period)


def _done(counts: str, rows: str, where: str = "", at: str = "e.occurred_at", id: str = "e") -> str:
    return f"""
            SELECT w.completion_id, {id}.id AS done_id FROM who w {rows}
            WHERE w.counts = '{counts}' AND {at} >= w.starts_at AND {at} < w.ends_at
                AND {at} >= w.since {where}"""


_EVENTS = " UNION ALL ".join(
    (
        _done(
            "GUIDED_SCANS",
            "JOIN accounts a ON a.brand_id = :brand AND a.owner_id = w.member_id"
            " JOIN transfers t ON t.brand_id = :brand AND t.credit_account_id = a.id"
            " JOIN scan_events e ON e.brand_id = :brand AND e.id = t.cause_id",
            "AND t.cause_kind = 'SCAN' AND t.kind = 'EARN' AND e.role = 'CONSUMER'"
            " AND e.unpaid_reason IS NULL AND e.guide_unpaid_reason IS NULL",
        ),
        _done(
            "OWN_SCANS",
            "JOIN scan_events e ON e.brand_id = :brand AND e.member_id = w.member_id",
            "AND (e.unpaid_reason IS NULL OR e.unpaid_reason = 'AWAITS_CONSUMER')",
        ),
        _done(
            "INVITED",
            "JOIN members e ON e.brand_id = :brand AND e.invited_by_id = w.member_id",
            at="e.enrolled_at",
        ),
        _done(
            "INVITED_SCANS",
            "JOIN members n ON n.brand_id = :brand AND n.invited_by_id = w.member_id"
            " JOIN scan_events e ON e.brand_id = :brand AND e.member_id = n.id",
            "AND e.unpaid_reason IS NULL",
        ),
        _done(
            "PURCHASES",
            "JOIN purchase_events e ON e.brand_id = :brand AND e.member_id = w.member_id",
            "AND e.source <> 'IMPORT'",
        ),
        _done(
            "CHECK_INS",
            "JOIN earning_events e ON e.brand_id = :brand AND e.member_id = w.member_id",
            "AND e.kind = 'CHECK_IN'",
        ),
        _done(
            "REFERRALS",
            "JOIN referrals e ON e.brand_id = :brand AND e.referrer_id = w.member_id",
            "AND e.status = 'SETTLED'",
            at="e.settled_at",
        ),
    )
)

# Whoever was merged is one person with whom it was merged into: what all of them did counts.
TASKS = (
    Probe(
        8,
        "who completed a task has done as much as it asks for",
        "任务完成者的实际次数达到目标",
        "earning_events WHERE kind = 'TASK_COMPLETED'",
        f"""
        WITH {MERGED}, periods AS MATERIALIZED (
            SELECT task_id, task_ref, period, counts, target, starts_at, ends_at
            FROM {{task_periods}}
        ), completed AS MATERIALIZED (
            SELECT c.id AS completion_id, COALESCE(g.into_id, c.member_id) AS member_id,
                p.counts, p.target, p.starts_at, p.ends_at, COALESCE((
                    SELECT MIN(k.taken_at) FROM task_takings k
                    WHERE k.brand_id = :brand AND k.task_id = p.task_id
                        AND k.member_id IN (c.member_id, g.into_id)), p.starts_at) AS since
            FROM earning_events c
            LEFT JOIN merged g ON g.id = c.member_id
            CROSS JOIN periods p
            WHERE c.brand_id = :brand AND c.kind = 'TASK_COMPLETED'
                AND p.task_ref = substr(c.ref, 1, 32) AND p.period = substr(c.ref, 67)
        ), who AS MATERIALIZED (
            SELECT completion_id, member_id, counts, starts_at, ends_at, since FROM completed
            UNION ALL
            SELECT c.completion_id, g.id, c.counts, c.starts_at, c.ends_at, c.since
            FROM completed c JOIN merged g ON g.into_id = c.member_id
        ), done AS (
            SELECT completion_id, COUNT(DISTINCT done_id) AS counted FROM ({_EVENTS}) AS events
            GROUP BY completion_id
        )
        SELECT CAST(c.completion_id AS text) AS id, 'has done ' || COALESCE(d.counted, 0)
            || ' of ' || c.target || ' ' || c.counts AS problem
        FROM completed c LEFT JOIN done d ON d.completion_id = c.completion_id
        WHERE COALESCE(d.counted, 0) < c.target
        """,
    ),
)
