"""The SQL of segments, always inside one brand."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select, update

from loyalty.db import Snapshot, Statement, Tx
from loyalty.segments.models import Segment

SIZES = Statement(
    """
    SELECT s.id, s.code, s.name_zh, s.name_en, s.created_at, (
        SELECT COUNT(*) FROM segment_members m
        WHERE m.brand_id = s.brand_id AND m.segment_id = s.id)
    FROM segments s WHERE s.brand_id = :brand_id ORDER BY s.code
    """,
    params="brand_id uuid",
    returns="id uuid, code text, name_zh text, name_en text, created_at timestamptz,"
    " members bigint",
)

FIND_CODES = Statement(
    """
    SELECT m.brand_id, m.member_id, s.code FROM {members}
    {each:m segment_members ON m.brand_id = members.brand_id AND m.member_id = members.member_id}
    {each:s segments ON s.brand_id = m.brand_id AND s.id = m.segment_id}
    ORDER BY m.brand_id, m.member_id, s.code
    """,
    sets={"members": "brand_id uuid, member_id uuid"},
    returns="brand_id uuid, member_id uuid, code text",
)

ADD = Statement(
    """
    INSERT INTO segment_members (brand_id, segment_id, member_id, added_at)
    SELECT brand_id, segment_id, member_id, :now FROM {rows} WHERE true
    ON CONFLICT (brand_id, segment_id, member_id) DO NOTHING
    RETURNING member_id
    """,
    sets={"rows": "brand_id uuid, segment_id uuid, member_id uuid"},
    params="now timestamptz",
    returns="member_id uuid",
)

REMOVE = Statement(
    """
    DELETE FROM segment_members WHERE (brand_id, segment_id, member_id) IN (
        SELECT rows.brand_id, rows.segment_id, rows.member_id FROM {rows})
    RETURNING member_id
    """,
    sets={"rows": "brand_id uuid, segment_id uuid, member_id uuid"},
    returns="member_id uuid",
)


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A segment, and how many ``members`` are in it."""

    id: UUID
    code: str
    name_zh: str
    name_en: str
    created_at: datetime
    members: int


async def list_sizes(snapshot: Snapshot, brand_id: UUID) -> list[SegmentView]:
    """All of a brand, by code."""
    return [SegmentView(*row) for row in await snapshot.fetch(SIZES, brand_id=brand_id)]


async def find_segment(snapshot: Snapshot, brand_id: UUID, code: str) -> Segment | None:
    found = await snapshot.session.exec(
        select(Segment).where(col(Segment.brand_id) == brand_id, col(Segment.code) == code)
    )
    return found.first()


async def count_segments(snapshot: Snapshot, brand_id: UUID) -> int:
    found = await snapshot.session.exec(
        select(col(Segment.id)).where(col(Segment.brand_id) == brand_id)
    )
    return len(found.all())


async def find_codes(
    snapshot: Snapshot, members: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], list[str]]:
    """The codes of the segments that (brand_id, member_id) are in, sorted; of none: left out."""
    codes: dict[tuple[UUID, UUID], list[str]] = {}
    if members:
        for brand_id, member_id, code in await snapshot.fetch(
            FIND_CODES, members=sorted(set(members))
        ):
            codes.setdefault((brand_id, member_id), []).append(code)
    return codes


async def change_segment(tx: Tx, segment: Segment) -> None:
    """Write what a segment, by its id, is called now."""
    await tx.session.exec(
        update(Segment)
        .where(col(Segment.brand_id) == segment.brand_id, col(Segment.id) == segment.id)
        .values(name_zh=segment.name_zh, name_en=segment.name_en, updated_at=segment.updated_at)
        .execution_options(synchronize_session=False)
    )


async def add_members(tx: Tx, segment: Segment, member_ids: Collection[UUID]) -> int:
    """How many of them were not in it."""
    rows = [(segment.brand_id, segment.id, id) for id in sorted(member_ids)]
    return len(await tx.fetch(ADD, rows=rows, now=tx.now)) if rows else 0


async def remove_members(tx: Tx, segment: Segment, member_ids: Collection[UUID]) -> int:
    """How many of them were in it."""
    rows = [(segment.brand_id, segment.id, id) for id in sorted(member_ids)]
    return len(await tx.fetch(REMOVE, rows=rows)) if rows else 0
