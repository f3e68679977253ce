"""The SQL of rollups and figures."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlmodel import col, select

from analytics.models import ScanRollup
from analytics.rules import local_day
from loyalty.db import Snapshot, Statement

FIND_TIMEZONES = Statement(
    "SELECT b.id, b.timezone FROM {keys} {each:b brands ON b.id = keys.brand_id}",
    sets={"keys": "brand_id uuid"},
    returns="id uuid, timezone text",
)

ADD_TO_ROLLUPS = Statement(
    """
    INSERT INTO scan_rollups
        (brand_id, scanned_on, hour, product_id, scans, first_scans, paid_scans)
    SELECT brand_id, scanned_on, hour, product_id, scans, first_scans, paid_scans
    FROM {rows} WHERE true
    ON CONFLICT (brand_id, scanned_on, hour, product_id) DO UPDATE SET
        scans = scan_rollups.scans + excluded.scans,
        first_scans = scan_rollups.first_scans + excluded.first_scans,
        paid_scans = scan_rollups.paid_scans + excluded.paid_scans
    """,
    sets={
        "rows": "brand_id uuid, scanned_on date, hour bigint, product_id uuid, scans bigint,"
        " first_scans bigint, paid_scans bigint"
    },
)

# Members and transfers have no index on their times. Their ids begin with the time (UUIDv7), and
# (brand_id, id) is their primary key: the id range finds the day, the time decides its edges.
# One statement, so that all figures are of one instant.
_FIGURES = Statement(
    """
    SELECT CAST(coalesce(sum(r.scans), 0) AS BIGINT),
        CAST(coalesce(sum(r.first_scans), 0) AS BIGINT),
        CAST(coalesce(sum(r.paid_scans), 0) AS BIGINT),
        (SELECT count(*) FROM members m
            WHERE m.brand_id = :brand_id AND m.id >= :id_from AND m.id < :id_to
            AND m.enrolled_at >= :starts_at AND m.enrolled_at < :ends_at),
        (SELECT CAST(coalesce(sum(t.amount), 0) AS BIGINT) FROM transfers t
            WHERE t.brand_id = :brand_id AND t.id >= :id_from AND t.id < :id_to
            AND t.created_at >= :starts_at AND t.created_at < :ends_at
            AND t.kind = 'EARN' AND t.asset = 'POINTS' AND t.phase IN ('POSTED', 'POST'))
    FROM scan_rollups r WHERE r.brand_id = :brand_id AND r.scanned_on = :scanned_on
    """,
    params="brand_id uuid, scanned_on date, id_from uuid, id_to uuid, starts_at timestamptz,"
    " ends_at timestamptz",
    returns="scans bigint, first_scans bigint, paid_scans bigint, new_members bigint,"
    " points_granted bigint",
)


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One brand's local day. Scans are those the worker has counted so far, the rest is as of
    now; points are those that became members' own on that day, unlocked ones included."""

    scans: int
    first_scans: int
    paid_scans: int
    new_members: int
    points_granted: int


async def list_rollups(snapshot: Snapshot, brand_id: UUID, on: date) -> list[ScanRollup]:
    """The rollups of one local day, by hour and product."""
    found = await snapshot.session.exec(
        select(ScanRollup)
        .where(col(ScanRollup.brand_id) == brand_id, col(ScanRollup.scanned_on) == on)
        .order_by(col(ScanRollup.hour), col(ScanRollup.product_id))
    )
    return list(found)


async def get_figures(snapshot: Snapshot, brand_id: UUID, on: date, timezone: str) -> DayFigures:
    """The figures of the day ``on`` in ``timezone``; zeros when nothing happened."""
    day = local_day(on, timezone)
    rows = await snapshot.fetch(
        _FIGURES,
        brand_id=brand_id,
        scanned_on=on,
        id_from=day.id_from,
        id_to=day.id_to,
        starts_at=day.starts_at,
        ends_at=day.ends_at,
    )
    return DayFigures(*rows[0])
