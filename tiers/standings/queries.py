"""The SQL of standings."""

from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Database, Snapshot, Statement, insert_statement
from tiers.standings.models import Standing, StandingChange

FIND_STANDINGS = Statement(
    """
    SELECT s.brand_id, s.member_id, s.rank FROM {members} {each:s standings
        ON s.brand_id = members.brand_id AND s.member_id = members.member_id}
    """,
    sets={"members": "brand_id uuid, member_id uuid"},
    returns="brand_id uuid, member_id uuid, rank bigint",
)

PUT_STANDINGS = Statement(
    """
    INSERT INTO standings (brand_id, member_id, rank, since)
    SELECT brand_id, member_id, rank, since FROM {rows} WHERE true
    ON CONFLICT (brand_id, member_id) DO UPDATE SET rank = excluded.rank, since = excluded.since
    WHERE (standings.brand_id, standings.member_id, standings.rank) IN (
        SELECT held.brand_id, held.member_id, held.rank FROM {held})
    RETURNING member_id
    """,
    sets={
        "rows": "brand_id uuid, member_id uuid, rank bigint, since timestamptz",
        "held": "brand_id uuid, member_id uuid, rank bigint",
    },
    returns="member_id uuid",
)

INSERT_CHANGES = insert_statement(
    StandingChange,
    "brand_id uuid, id uuid, member_id uuid, from_rank bigint, to_rank bigint, transfer_id uuid,"
    " ladder_id uuid, occurred_at timestamptz, created_at timestamptz",
)

FIND_ABOVE = Statement(
    """
    SELECT s.member_id, s.rank FROM standings s
    JOIN members m ON m.brand_id = s.brand_id AND m.id = s.member_id
    WHERE s.brand_id = :brand_id AND m.role = :role AND s.rank > :top_rank
    ORDER BY s.member_id {lock:s}
    """,
    params="brand_id uuid, role text, top_rank bigint",
    returns="member_id uuid, rank bigint",
)


async def find_standing(snapshot: Snapshot, brand_id: UUID, member_id: UUID) -> Standing | None:
    """A member's standing; None is rank 0."""
    found = await snapshot.session.exec(
        select(Standing).where(
            col(Standing.brand_id) == brand_id, col(Standing.member_id) == member_id
        )
    )
    return found.first()


READ_STANDING = Statement(
    """
    SELECT COALESCE(s.rank, 0), s.since, COALESCE(a.credits_posted - a.debits_posted, 0),
        b.revision
    FROM brands b
    LEFT JOIN standings s ON s.brand_id = b.id AND s.member_id = :member_id
    LEFT JOIN accounts a ON a.brand_id = b.id AND a.owner_id = :member_id
        AND a.asset = 'GROWTH' AND a.kind = 'MAIN'
    WHERE b.id = :brand_id
    """,
    params="member_id uuid, brand_id uuid",
    returns="rank bigint, since timestamptz, growth bigint, revision bigint",
)


async def read_standing(
    db: Database, brand_id: UUID, member_id: UUID
) -> tuple[int, datetime | None, int, int]:
    """A member's rank, since when, growth balance, and the brand's revision."""
    row = (await db.read(READ_STANDING, member_id=member_id, brand_id=brand_id))[0]
    return row[0], row[1], row[2], row[3]
