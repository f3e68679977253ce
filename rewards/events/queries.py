"""The SQL of events: a constant number of set statements for any set of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement
from loyalty.members.models import Member
from rewards.events.models import EarningEvent

FIND_EVENTS = Statement(
    """
    SELECT e.kind, e.ref, e.id, e.content_hash, e.unpaid_reason, CAST(e.earned AS text)
    FROM {keys} {each:e earning_events
        ON e.brand_id = keys.brand_id AND e.kind = keys.kind AND e.ref = keys.ref}
    """,
    sets={"keys": "brand_id uuid, kind text, ref text"},
    returns="kind text, ref text, id uuid, content_hash text, unpaid_reason text, earned text",
)

# Whoever was named, and who that is by now: ``m``, into which it was merged.
FIND_MEMBERS = Statement(
    """
    SELECT own.id, COALESCE(m.id, own.id), COALESCE(m.identity_id, own.identity_id), own.role,
        COALESCE(m.status, own.status),
        CASE WHEN m.id IS NULL THEN own.invited_by_id ELSE m.invited_by_id END,
        COALESCE(m.enrolled_at, own.enrolled_at),
        CASE WHEN m.id IS NULL THEN own.birthday ELSE m.birthday END
    FROM {keys}
    {each:own members ON own.brand_id = keys.brand_id AND own.id = keys.member_id}
    {maybe:m members ON m.brand_id = own.brand_id AND m.id = own.merged_into_id}
    """,
    sets={"keys": "brand_id uuid, member_id uuid"},
    returns="named_id uuid, id uuid, identity_id uuid, role text, status text,"
    " invited_by_id uuid, joined_at timestamptz, birthday text",
)

FIND_CONSUMERS = Statement(
    """
    SELECT i.external_ref, m.id
    FROM {keys}
    {each:i identities ON i.brand_id = keys.brand_id AND i.external_ref = keys.external_ref}
    {each:m members ON m.brand_id = i.brand_id AND m.identity_id = i.id AND m.role = 'CONSUMER'}
    """,
    sets={"keys": "brand_id uuid, external_ref text"},
    returns="external_ref text, id uuid",
)

INSERT_EVENTS = Statement(
    """
    INSERT INTO earning_events (brand_id, id, kind, ref, content_hash, member_id, event_type_id,
        payload, campaign_version_id, unpaid_reason, earned, occurred_at, created_at)
    SELECT brand_id, id, kind, ref, content_hash, member_id, event_type_id, payload,
        campaign_version_id, unpaid_reason, earned, occurred_at, created_at
    FROM {rows} WHERE true ON CONFLICT DO NOTHING RETURNING id
    """,
    sets={
        "rows": "brand_id uuid, id uuid, kind text, ref text, content_hash text, member_id uuid,"
        " event_type_id uuid, payload jsonb, campaign_version_id uuid, unpaid_reason text,"
        " earned jsonb, occurred_at timestamptz, created_at timestamptz"
    },
    returns="id uuid",
)

# Of members whose birthday it is, those whose event is not there yet.
FIND_BIRTHDAYS = Statement(
    """
    SELECT b.id FROM {days}
    {each:b members ON b.brand_id = :brand_id AND b.birthday = days.birthday}
    WHERE b.status = 'ACTIVE' AND NOT EXISTS (SELECT 1 FROM earning_events e
        WHERE e.brand_id = b.brand_id AND e.kind = 'BIRTHDAY'
            AND e.ref = replace(CAST(b.id AS text), '-', '') || :ref_end)
    ORDER BY b.id LIMIT :row_count_max
    """,
    sets={"days": "birthday text"},
    params="brand_id uuid, ref_end text, row_count_max bigint",
    returns="id uuid",
)


async def find_event(snapshot: Snapshot, brand_id: UUID, id: UUID) -> EarningEvent | None:
    return await keyed.find_row(snapshot, EarningEvent, brand_id, id)


async def list_events_by_ids(
    snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]
) -> list[EarningEvent]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, EarningEvent, brand_id, ids)


async def list_member_events(
    snapshot: Snapshot, brand_id: UUID, member_id: UUID, *, before: UUID | None, limit: int
) -> list[EarningEvent]:
    """A member's events, newest recorded first, older than the id ``before``; those of members
    that were merged into it are its own."""
    is_member = (col(Member.id) == member_id) | (col(Member.merged_into_id) == member_id)
    members = select(Member.id).where(col(Member.brand_id) == brand_id, is_member)
    statement = select(EarningEvent).where(
        col(EarningEvent.brand_id) == brand_id, col(EarningEvent.member_id).in_(members)
    )
    if before is not None:
        statement = statement.where(col(EarningEvent.id) < before)
    found = await snapshot.session.exec(
        statement.order_by(col(EarningEvent.id).desc()).limit(limit)
    )
    return list(found)
